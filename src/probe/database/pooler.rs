//! The console of pgbouncer: who waits for a connection.
//!
//! Columns differ between versions and are read by name. The console knows neither transactions nor settings.

use super::address::Server;
use super::cell::Table;
use super::fault;
use super::session::Session;
use crate::outcome::Status;
use crate::outcome::{Class, Fault, Outcome};
use crate::probe::Context;

/// A pooler has a pool for each pair of database and role; no shop has this many.
const POOLS_MAX: usize = 1_000;

/// Asks the console: phase `pooler`. That it doesn't answer is no failure of the database.
pub async fn look(server: &Server, cx: &Context, outcome: &mut Outcome) {
    match show_pools(server, cx).await {
        Ok(pools) => read(&pools, outcome),
        Err(fault) => {
            let text = format!("the pooler's console: {}", fault.text);
            outcome.fault(Fault { status: fault.status.min(Status::Degraded), class: fault.class, text });
        }
    }
}

async fn show_pools(server: &Server, cx: &Context) -> Result<Table, Fault> {
    let mut session = Session::open(server, cx).await?;
    cx.phase("pooler");
    let answer = session.ask("show pools".to_owned(), POOLS_MAX).await;
    cx.phase_end();
    session.close().await;
    let pools = answer.map_err(|error| fault::asking(&error))?.into_iter().next().unwrap_or_default();
    if pools.rows.is_empty() {
        return Err(Fault::unknown(
            Class::Protocol,
            format!("`show pools` has no answer at {server}; the console is the database `pgbouncer`"),
        ));
    }
    Ok(pools)
}

fn read(pools: &Table, outcome: &mut Outcome) {
    // The console is a pool of its own, with ourselves in it.
    let real: Vec<usize> =
        (0..pools.rows.len()).filter(|row| pools.text(*row, "database") != Some("pgbouncer")).collect();
    let sum = |column: &str| real.iter().filter_map(|row| pools.number(*row, column)).sum::<f64>();
    outcome.measure("pooler_clients_active", sum("cl_active"));
    outcome.measure("pooler_clients_waiting", sum("cl_waiting"));
    outcome.measure("pooler_servers_active", sum("sv_active"));
    // `used` are idle as well: they only have to be tried before they are given out again.
    outcome.measure("pooler_servers_idle", sum("sv_idle") + sum("sv_used"));
    let waits = |row: usize| {
        let micros = pools.number(row, "maxwait_us").unwrap_or_default();
        pools.number(row, "maxwait").unwrap_or_default() + micros / 1e6
    };
    let longest = real.iter().map(|row| waits(*row)).fold(0.0, f64::max);
    outcome.measure("pooler_maxwait_seconds", longest);
    for row in real {
        let waiting = pools.number(row, "cl_waiting").unwrap_or_default();
        if waiting > 0.0 {
            let text = |column| pools.text(row, column).unwrap_or_default();
            let (database, user, longest) = (text("database"), text("user"), waits(row));
            outcome.note(format!(
                "{waiting} clients wait for a connection of the pool `{database}`/`{user}`, the first for {longest:.1} s"
            ));
        }
    }
}
