//! Many at once through a transaction-mode pooler with three connections: each gets its own answer, always, and
//! leaves nothing behind. Anything but the simple protocol gives wrong rows here, without an error.

use super::{measures, postgres, sql};
use crate::support::pgbouncer::{self, POOL_SIZE};
use crate::support::postgres as server;
use crate::support::probe::{build, look, verdict};
use atalaya::clock;
use atalaya::outcome::Status;
use std::time::Duration;

/// Checks at once, and runs of each.
const CHECKS: usize = 16;
const RUNS: usize = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_check_gets_its_own_answer_behind_a_pooler() {
    // No TLS and an old kind of password: it is about the queries, and a login is slow in a debug build.
    let url = pgbouncer::pooler().url("load");
    let checks = (0..CHECKS).map(|check| {
        let url = url.clone();
        tokio::spawn(async move {
            let query = format!(
                "select {check} as mine, generate_series * 0 + {check} as same, current_setting('statement_timeout')::interval as own_limit, \
                 current_setting('transaction_read_only')::bool as read_only from generate_series(1, 1)"
            );
            let asking = build(&sql(&url, &query), &[]).expect("it builds");
            let failing = build(&sql(&url, "select 1 / 0 as a"), &[]).expect("it builds");
            for run in 0..RUNS {
                let timeout = Duration::from_secs(20 + check as u64);
                let look = atalaya::probe::look(&*asking, clock::wall(), timeout).await;
                assert_eq!(verdict(&look), "ok");
                let mine = [format!("mine={check}"), format!("same={check}")];
                let found = measures(&look.outcome);
                assert_eq!(found[..2], mine, "run {run}");
                assert_eq!(found[3], "read_only=1");
                // The deadline is this run's own and nobody else's: nine tenths of what is left of it.
                let limit = look.outcome.measures[2].value / timeout.as_secs_f64();
                assert!((0.5..=0.9).contains(&limit), "check {check}: {found:?}");
                if run % 5 == 0 {
                    let look = atalaya::probe::look(&*failing, clock::wall(), timeout).await;
                    assert_eq!(look.outcome.status(), Status::Unknown);
                }
            }
        })
    });
    for check in checks.collect::<Vec<_>>() {
        check.await.expect("every answer is right");
    }
    nothing_is_left_behind(&url);
}

/// Another client of the same server connections finds them as they were.
fn nothing_is_left_behind(url: &str) {
    let (url, _) = url.split_once('?').expect("parameters");
    let settings = "select current_setting('statement_timeout'), current_setting('lock_timeout'), \
                    current_setting('transaction_read_only'), current_setting('cursor_tuple_fraction'), \
                    (select count(*) from pg_cursors), (select count(*) from pg_prepared_statements)";
    for _ in 0..POOL_SIZE * 4 {
        assert_eq!(server::query(url, settings), "0|0|off|0.1|0|0");
    }
    let used = server::query(
        &server::server().url("load"),
        "select count(*) from pg_stat_activity where datname = 'load' and pid <> pg_backend_pid()",
    );
    assert!(used.parse::<usize>().expect("a count") <= POOL_SIZE, "{used} connections behind the pooler");
}

#[tokio::test]
async fn the_state_of_the_server_is_seen_through_a_pooler_with_prismas_parameters() {
    let url = pgbouncer::pooler().url("load_state");
    let url = format!("{url}&schema=public&sslmode=prefer&connect_timeout=5&socket_timeout=10");
    let look = look(&postgres(&url, "")).await;
    assert_eq!(verdict(&look), "ok");
    let names: Vec<_> = look.outcome.measures.iter().map(|measure| measure.name.as_ref()).collect();
    for name in ["round_trip_seconds", "connections_used_ratio", "size_bytes", "longest_transaction_seconds"]
    {
        assert!(names.contains(&name), "{names:?}");
    }
}
