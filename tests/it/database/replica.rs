//! A real replica: how far it is behind, seen from both sides, and that it was cut off.

use super::postgres;
use crate::support::postgres::{self as server, BIN, PASSWORD, Server};
use crate::support::probe::{look, measure, verdict};
use crate::support::server::{directory, wait_until};
use std::path::Path;

/// A primary of its own, so that it can be ended, and a replica made from it.
fn pair() -> (Server, Server) {
    let home = directory("primary");
    server::initialise(&home);
    let primary = Server::start(&home, &[]);
    let replica = directory("replica");
    base_backup(&primary, &replica);
    let replica = Server::start(&replica, &[("hot_standby", "on".to_owned())]);
    (primary, replica)
}

fn base_backup(primary: &Server, target: &Path) {
    let address = format!("host=127.0.0.1 port={} user=postgres", primary.port);
    let data = target.join("data").display().to_string();
    let args = ["-d", &address, "-D", &data, "-R", "-X", "stream", "-c", "fast"].map(str::to_owned);
    let environment = vec![("PGPASSWORD", PASSWORD.to_owned())];
    server::run_to_end(&format!("{BIN}/pg_basebackup"), args.into(), target, environment);
}

#[tokio::test]
async fn lag_is_seen_from_both_sides_and_so_is_a_cut() {
    let (primary, replica) = pair();
    let (here, there) = (primary.url("postgres"), replica.url("postgres"));
    server::query(&here, "create table t as select 1 as n");
    let caught_up = |rows: &str| server::try_query(&there, "select count(*) from t").as_deref() == Ok(rows);
    wait_until("the replica", None, || caught_up("1"));
    let of_primary = look(&postgres(&here, "")).await;
    assert_eq!(verdict(&of_primary), "ok");
    assert_eq!(measure(&of_primary.outcome, "replicas"), Some(1.0));
    let of_replica = look(&postgres(&there, "")).await;
    assert_eq!(verdict(&of_replica), "ok");
    assert_eq!(measure(&of_replica.outcome, "replicas"), None);
    assert_eq!(
        measure(&of_replica.outcome, "replication_lag_seconds"),
        Some(0.0),
        "an idle primary is no lag"
    );

    server::query(&there, "select pg_wal_replay_pause()");
    server::query(&here, "insert into t select generate_series(1, 10000)");
    let bytes = "select coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)), 0) > 100000 from pg_stat_replication";
    wait_until("the lag", None, || server::query(&here, bytes) == "t");
    for url in [&here, &there] {
        let found = look(&postgres(url, "")).await;
        let bytes = measure(&found.outcome, "replication_lag_bytes").expect("a lag");
        assert!(bytes > 100_000.0, "{bytes} at {url}");
        assert!(measure(&found.outcome, "replication_lag_seconds").expect("a lag") > 0.0, "at {url}");
    }
    server::query(&there, "select pg_wal_replay_resume()");
    wait_until("the replica", None, || caught_up("10001"));

    // All that came is replayed, and yet it falls behind: cut off is no zero.
    primary.kill();
    let receives = "select count(*) from pg_stat_wal_receiver";
    wait_until("the cut", None, || server::query(&there, receives) == "0");
    let cut = look(&postgres(&there, "")).await;
    assert_eq!(
        verdict(&cut),
        "degraded connect: this standby receives nothing from its primary; see the servers' logs",
    );
    assert!(measure(&cut.outcome, "replication_lag_seconds").expect("a lag") > 0.0);
    replica.kill();
}
