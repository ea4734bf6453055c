//! Statements that are slow on average, from `pg_stat_statements`: by digest, never by text.
//!
//! The view's function is called without texts, so that no literal is read, let alone shown; whoever
//! wants the text looks the digest up on the server.

use super::cell::Table;
use super::fault;
use super::session::{Session, identifier};
use crate::outcome::Outcome;
use crate::probe::Context;
use std::time::Duration;

/// Which statements are told about.
#[derive(Debug, Clone, PartialEq)]
pub struct Slow {
    /// On average longer than this.
    pub mean: Duration,
    /// Run at least this often: a migration that ran once is no trouble.
    pub calls: u32,
}

/// How many of the worst are named.
const WORST: usize = 5;

/// Asks in which schema the extension is; hosted databases have one of their own for it.
pub const ASK_SCHEMA: &str = "
select n.nspname::text as schema from pg_extension e join pg_namespace n on n.oid = e.extnamespace
where e.extname = 'pg_stat_statements'";

/// Tells which statements are slow; `schema` is the answer to [`ASK_SCHEMA`]. What is asked here is a message of its
/// own, since the extension can be there without being loaded, and an error would take all other answers with it.
pub async fn look(slow: &Slow, schema: &Table, session: &mut Session, cx: &Context, outcome: &mut Outcome) {
    let Some(schema) = schema.text(0, "schema") else {
        outcome.note("slow statements are not known: `create extension pg_stat_statements` in this database");
        return;
    };
    match session.read(cx, None, &ask(slow, schema), WORST).await {
        Ok(answers) => read(answers.first().unwrap_or(&Table::default()), outcome),
        Err(error) => outcome.note(format!("slow statements are not known: {}", fault::asking(&error).text)),
    }
}

/// Asks for the worst and how many there are.
fn ask(slow: &Slow, schema: &str) -> String {
    format!(
        "select queryid::text as digest, calls, mean_exec_time / 1000 as mean, count(*) over () as slow
         from {}.pg_stat_statements(false)
         where dbid = (select oid from pg_database where datname = current_database())
           and queryid is not null and calls >= {} and mean_exec_time > {}
         order by mean_exec_time desc limit {WORST}",
        identifier(schema),
        slow.calls,
        slow.mean.as_secs_f64() * 1000.0,
    )
}

/// Tells how many are slow, and the worst of them.
fn read(answer: &Table, outcome: &mut Outcome) {
    outcome.measure("slow_statements", answer.number(0, "slow").unwrap_or_default());
    outcome.measure("slowest_statement_mean_seconds", answer.number(0, "mean").unwrap_or_default());
    for row in 0..answer.rows.len() {
        let digest = answer.text(row, "digest").unwrap_or_default();
        let number = |column| answer.number(row, column).unwrap_or_default();
        let (mean, calls) = (number("mean"), number("calls"));
        outcome.note(format!("statement {digest} takes {mean:.3} s on average, in {calls} calls"));
    }
}
