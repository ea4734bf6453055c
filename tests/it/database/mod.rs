//! The kinds `postgres` and `sql` against a real PostgreSQL, direct and through a real pgbouncer.

mod connection;
mod load;
mod postgres;
mod replica;
mod sql;
mod sqlite;

use crate::support::{pgbouncer, postgres as server};
use atalaya::outcome::Outcome;
use atalaya::probe::Look;

/// A table with the tail that matters in a connection string's neighbourhood: `probe.sql` with this query.
fn sql(url: &str, query: &str) -> String {
    sql_with(url, query, "")
}

/// As [`sql`], with more keys: `labels = ["status"]`.
fn sql_with(url: &str, query: &str, more: &str) -> String {
    let comma = if more.is_empty() { "" } else { ", " };
    format!("probe.sql = {{ url = '{url}', query = '''{query}'''{comma}{more} }}")
}

/// `probe.postgres` with more keys: `indexes = ["a"]`.
fn postgres(url: &str, more: &str) -> String {
    let comma = if more.is_empty() { "" } else { ", " };
    format!("probe.postgres = {{ url = '{url}'{comma}{more} }}")
}

/// The measures as `name{labels}=value`, in their order.
fn measures(outcome: &Outcome) -> Vec<String> {
    let measures = outcome.measures.iter().map(|measure| {
        let labels = measure.labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        format!("{}{labels}={}", measure.name, measure.value)
    });
    measures.collect()
}

/// The names of a run's phases.
fn phases(look: &Look) -> Vec<&'static str> {
    look.phases.iter().map(|phase| phase.name).collect()
}

#[test]
fn the_servers_that_the_tests_stand_on_answer() {
    let url = server::database("answers");
    assert_eq!(server::query(&url, "show server_version_num").len(), 6);
    let pooled = pgbouncer::pooler().url("answers");
    let (pooled, _) = pooled.split_once('?').expect("parameters");
    assert_eq!(server::query(pooled, "select 40 + 2"), "42");
    assert!(server::query(&pgbouncer::pooler().admin_url(), "show pools").contains("answers|postgres"));
    let role = server::with_role(&url, "nobody", "none");
    assert!(server::try_query(&role, "select 1").unwrap_err().contains("password authentication failed"));
}
