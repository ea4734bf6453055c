//! What `postgres` sees of a server: each trouble is made for real and must be found, and only that.

use super::{phases, postgres};
use crate::support::pgbouncer::{POOL_SIZE, Pooler};
use crate::support::postgres::{self as server, Session};
use crate::support::probe::{look, look_with, measure, verdict};
use crate::support::server::wait_until;
use atalaya::outcome::Outcome;
use atalaya::probe::Probe;
use std::time::Duration;

fn value(outcome: &Outcome, name: &str) -> f64 {
    measure(outcome, name).unwrap_or_else(|| panic!("no `{name}` in {outcome:#?}"))
}

#[tokio::test]
async fn a_healthy_server_is_ok_and_every_number_is_sane() {
    let url = server::database("healthy");
    server::query(&url, "create table t as select generate_series(1, 1000) n; analyze t");
    let look = look(&postgres(&url, "")).await;
    assert_eq!(verdict(&look), "ok");
    assert_eq!(phases(&look), ["connect", "round_trip", "query"]);
    let outcome = &look.outcome;
    for (name, least, most) in [
        ("round_trip_seconds", 0.000_001, 5.0),
        ("connections_used", 1.0, 97.0),
        ("connections_max", 97.0, 97.0),
        ("connections_used_ratio", 0.01, 1.0),
        ("connections_idle_in_transaction", 0.0, 0.0),
        ("longest_transaction_seconds", 0.0, 0.0),
        ("longest_idle_in_transaction_seconds", 0.0, 0.0),
        ("longest_query_seconds", 0.0, 0.0),
        ("blocked_sessions", 0.0, 0.0),
        ("longest_blocked_seconds", 0.0, 0.0),
        ("cache_hit_ratio", 0.01, 1.0),
        ("deadlocks_total", 0.0, 0.0),
        ("temp_bytes_total", 0.0, 0.0),
        ("transactions_committed_total", 1.0, 1e6),
        ("size_bytes", 5e6, 1e9),
        ("dead_tuples", 0.0, 0.0),
        ("transaction_id_age", 1.0, 1e6),
        ("transaction_id_age_ratio", 1e-10, 0.001),
        ("invalid_indexes", 0.0, 0.0),
    ] {
        let value = value(outcome, name);
        assert!((least..=most).contains(&value), "{name} is {value}");
    }
    let states: Vec<_> = outcome.measures.iter().filter(|measure| measure.name == "connections").collect();
    assert!(states.len() >= 4, "{states:?}");
    assert!(
        (states.iter().map(|state| state.value).sum::<f64>() - value(outcome, "connections_used")).abs()
            < 0.5
    );
    assert!(outcome.notes.is_empty(), "{:?}", outcome.notes);
}

#[tokio::test]
async fn every_measure_is_declared_and_may_be_limited() {
    let pooler = Pooler::start(&[]);
    let url = pooler.url("declared");
    let more =
        format!("pooler_admin_url = '{}', indexes = ['none'], slow_statements = '1h'", pooler.admin_url());
    server::query(&server::database("declared"), "create extension pg_stat_statements");
    let found = look(&postgres(&url, &more)).await;
    let all: Probe = toml::from_str(&format!("postgres = {{ url = '{url}', {more} }}")).expect("a probe");
    let bare: Probe =
        toml::from_str(&format!("postgres = {{ url = '{url}', invalid_indexes = false }}")).expect("a probe");
    for measure in &found.outcome.measures {
        assert!(all.kind().may_yield(&measure.name), "{} is not declared", measure.name);
    }
    for name in ["pooler_clients_waiting", "missing_indexes", "invalid_indexes", "slow_statements"] {
        value(&found.outcome, name);
        assert!(!bare.kind().may_yield(name), "{name} can't come");
    }
    assert!(bare.kind().may_yield("connections_used_ratio") && !bare.kind().may_yield("connections_free"));
    let sql: Probe = toml::from_str("sql = { url = 'sqlite:/x', query = 'select status, count(*) as orders from t', labels = ['status'] }").expect("a probe");
    assert!(
        sql.kind().may_yield("orders") && !sql.kind().may_yield("order") && !sql.kind().may_yield("status")
    );
}

#[tokio::test]
async fn who_holds_a_transaction_open_and_who_waits_for_it_are_seen() {
    let url = server::database("blocked");
    server::query(&url, "create table orders (id int); insert into orders values (1)");
    let mut holder = Session::open(&url);
    holder.send("begin; update orders set id = 2;");
    let state =
        "select count(*) from pg_stat_activity where datname = 'blocked' and state = 'idle in transaction'";
    wait_until("the transaction", None, || server::query(&url, state) == "1");
    let mut waiter = Session::open(&url);
    waiter.send("update orders set id = 3;");
    let waits = "select count(*) from pg_stat_activity where datname = 'blocked' and wait_event_type = 'Lock' and query_start < now() - interval '1 second'";
    wait_until("the waiter", None, || server::query(&url, waits) == "1");
    let look = look(&postgres(&url, "")).await;
    assert_eq!(verdict(&look), "ok", "limits judge, the probe tells");
    let outcome = &look.outcome;
    for (name, least, most) in [
        ("connections_idle_in_transaction", 1.0, 1.0),
        ("longest_idle_in_transaction_seconds", 1.0, 60.0),
        ("longest_transaction_seconds", 1.0, 60.0),
        ("longest_query_seconds", 1.0, 60.0),
        ("blocked_sessions", 1.0, 1.0),
        ("longest_blocked_seconds", 1.0, 60.0),
    ] {
        let value = value(outcome, name);
        assert!((least..=most).contains(&value), "{name} is {value}");
    }
    let pid = |state| {
        server::query(
            &url,
            &format!("select pid from pg_stat_activity where datname = 'blocked' and {state}"),
        )
    };
    let (holder, waiter) = (pid("state = 'idle in transaction'"), pid("wait_event_type = 'Lock'"));
    assert!(
        outcome.notes[0].starts_with(&format!("process {holder} has been idle in a transaction for ")),
        "{:?}",
        outcome.notes
    );
    let note = &outcome.notes[1];
    assert!(note.starts_with(&format!("process {waiter} has waited ")), "{note}");
    assert!(note.ends_with(&format!(" for a lock that is held by {holder}")), "{note}");
}

#[tokio::test]
async fn a_role_without_rights_says_so_instead_of_counting_too_little() {
    let url = server::database("rights");
    server::query(
        &url,
        "create role rights_none login password 'p'; create role rights_some login password 'p'; grant pg_monitor to rights_some",
    );
    let mut other = Session::open(&url);
    other.send("begin; select 1;");
    let state =
        "select count(*) from pg_stat_activity where datname = 'rights' and state = 'idle in transaction'";
    wait_until("the transaction", None, || server::query(&url, state) == "1");
    let none = look(&postgres(&server::with_role(&url, "rights_none", "p"), "slow_statements = '1h'")).await;
    assert_eq!(verdict(&none), "ok");
    assert_eq!(
        none.outcome.notes,
        [
            "`rights_none` may not see other sessions, so their states, ages and locks, and replicas are left out; \
         `grant pg_monitor to \"rights_none\"`",
        ]
    );
    assert!(value(&none.outcome, "connections_used") >= 2.0, "the other session and our own");
    for name in [
        "connections_idle_in_transaction",
        "longest_transaction_seconds",
        "blocked_sessions",
        "slow_statements",
        "replicas",
    ] {
        assert_eq!(measure(&none.outcome, name), None, "{name} would be too little");
    }
    assert!(none.outcome.measures.iter().all(|measure| measure.name != "connections"));
    let some = look(&postgres(&server::with_role(&url, "rights_some", "p"), "")).await;
    assert!((value(&some.outcome, "connections_idle_in_transaction") - 1.0).abs() < 0.5);
}

#[tokio::test]
async fn an_index_that_a_failed_build_left_is_found_whatever_its_name() {
    let url = server::database("invalid");
    server::query(&url, "create table products (id int); insert into products values (1), (1)");
    server::try_query(&url, "create unique index concurrently idx_products on products (id)")
        .expect_err("not unique");
    let text = "index `public.idx_products` on `products`";
    let found = look(&postgres(&url, "")).await;
    let expected =
        format!("degraded assertion: invalid, left by an interrupted build: {text}; drop and build again");
    assert_eq!(verdict(&found), expected);
    assert!((value(&found.outcome, "invalid_indexes") - 1.0).abs() < 0.5);
    // Named, it is told once, and under its name.
    let named = look(&postgres(&url, "indexes = ['idx_products']")).await;
    assert_eq!(named.outcome.faults.len(), 1, "{:?}", named.outcome.faults);
    assert_eq!(
        verdict(&named),
        "degraded assertion: index `idx_products` is invalid, left by an interrupted build: drop it and build it again",
    );
    assert_eq!(verdict(&look(&postgres(&url, "invalid_indexes = false")).await), "ok");
}

#[tokio::test]
async fn an_index_that_is_being_built_is_no_left_over() {
    let url = server::database("building");
    server::query(&url, "create table orders (id int, status text)");
    let mut holder = Session::open(&url);
    holder.send("begin; insert into orders values (1);");
    let state =
        "select count(*) from pg_stat_activity where datname = 'building' and state = 'idle in transaction'";
    wait_until("the transaction", None, || server::query(&url, state) == "1");
    let mut builder = Session::open(&url);
    builder.send("create index concurrently idx_orders_pending on orders (status);");
    let builds = "select count(*) from pg_index where not indisvalid";
    wait_until("the build", None, || server::query(&url, builds) == "1");
    let found = look(&postgres(&url, "")).await;
    assert_eq!(verdict(&found), "ok");
    let named = look(&postgres(&url, "indexes = ['idx_orders_pending']")).await;
    assert_eq!(verdict(&named), "degraded assertion: index `idx_orders_pending` is still being built");
    holder.send("commit;");
    wait_until("the end of the build", None, || server::query(&url, builds) == "0");
    assert_eq!(verdict(&look(&postgres(&url, "indexes = ['idx_orders_pending']")).await), "ok");
}

#[tokio::test]
async fn a_named_index_that_is_missing_is_found() {
    let url = server::database("missing");
    server::query(
        &url,
        r#"create schema shop; create table shop.orders (id int); create index "Orders_id_idx" on shop.orders (id);
        create table carts (id int); create index idx_carts on carts (id)"#,
    );
    let names = "indexes = ['idx_carts', 'shop.Orders_id_idx', 'idx_orders_pending', 'Orders_id_idx']";
    let found = look(&postgres(&url, names)).await;
    let faults: Vec<_> = found.outcome.faults.iter().map(|fault| fault.text.as_str()).collect();
    assert_eq!(
        faults,
        [
            "index `idx_orders_pending` does not exist: create it with `create index concurrently`",
            "index `Orders_id_idx` does not exist: create it with `create index concurrently`",
        ]
    );
    assert!((value(&found.outcome, "missing_indexes") - 2.0).abs() < 0.5);
    // Prisma's `schema` says where unqualified names are.
    let there =
        look(&postgres(&format!("{url}?schema=shop"), "indexes = ['Orders_id_idx', 'public.idx_carts']"))
            .await;
    assert_eq!(verdict(&there), "ok");
}

#[tokio::test]
async fn slow_statements_are_told_by_digest_and_never_by_text() {
    let url = server::database("slow");
    let without = look(&postgres(&url, "slow_statements = '20ms'")).await;
    assert_eq!(
        without.outcome.notes,
        ["slow statements are not known: `create extension pg_stat_statements` in this database"]
    );
    // Where hosted databases have it.
    server::query(&url, "create schema extensions; create extension pg_stat_statements schema extensions");
    for _ in 0..5 {
        server::query(&url, "select pg_sleep(0.05), 'jane@example.org'");
    }
    server::query(&url, "select pg_sleep(0.2), 1, 2, 3");
    let slow = look(&postgres(&url, "slow_statements = '20ms'")).await;
    assert_eq!(phases(&slow), ["connect", "round_trip", "query", "statements"]);
    assert!((value(&slow.outcome, "slow_statements") - 1.0).abs() < 0.5, "one ran often enough");
    let mean = value(&slow.outcome, "slowest_statement_mean_seconds");
    assert!((0.05..5.0).contains(&mean), "{mean}");
    let digest = server::query(
        &url,
        "select queryid from extensions.pg_stat_statements where query like 'select pg_sleep($1), $2' and dbid = (select oid from pg_database where datname = 'slow')",
    );
    let note = &slow.outcome.notes[0];
    assert!(
        note.starts_with(&format!("statement {digest} takes 0."))
            && note.ends_with(" s on average, in 5 calls"),
        "{note}"
    );
    assert!(!format!("{:?}", slow.outcome).contains("jane"));
    let all = look(&postgres(&url, "slow_statements = '20ms', slow_statements_calls = 1")).await;
    assert!(value(&all.outcome, "slow_statements") >= 2.0, "and one that ran once");
    assert!(value(&all.outcome, "slowest_statement_mean_seconds") >= 0.2);
}

#[tokio::test]
async fn an_exhausted_pool_is_seen_from_the_poolers_console() {
    let pooler = Pooler::start(&[]);
    let url = pooler.url("exhausted");
    let (plain, _) = url.split_once('?').expect("parameters");
    let mut holders: Vec<Session> = (0..POOL_SIZE).map(|_| Session::open(plain)).collect();
    for holder in &mut holders {
        holder.send("begin; select 1;");
    }
    let admin = pooler.admin_url();
    let direct = server::database("exhausted");
    let state =
        "select count(*) from pg_stat_activity where datname = 'exhausted' and state = 'idle in transaction'";
    wait_until("the transactions", None, || server::query(&direct, state) == POOL_SIZE.to_string());
    let mut waiter = Session::open(plain);
    waiter.send("select 1;");
    let pools = || server::query(&admin, "show pools");
    wait_until("the queue", None, || pools().lines().any(|line| line.starts_with("exhausted|postgres|3|1|")));
    let toml = postgres(&url, &format!("pooler_admin_url = '{admin}'"));
    let hung = look_with(&toml, &[], Duration::from_secs(2)).await;
    // A login needs no server connection, the first question does.
    let place = format!("127.0.0.1:{}", pooler.port);
    let expected =
        format!("failed timeout: no answer from {place}/exhausted in time; it hung in phase `round_trip`");
    assert_eq!(verdict(&hung), expected);
    let outcome = &hung.outcome;
    assert!((value(outcome, "pooler_clients_waiting") - 1.0).abs() < 0.5);
    assert!((value(outcome, "pooler_clients_active") - 3.0).abs() < 0.5);
    assert!((value(outcome, "pooler_servers_active") - 3.0).abs() < 0.5);
    assert!(value(outcome, "pooler_servers_idle").abs() < 0.5);
    assert!(value(outcome, "pooler_maxwait_seconds") > 0.0);
    assert!(
        outcome.notes[0].starts_with("1 clients wait for a connection of the pool `exhausted`/`postgres`"),
        "{:?}",
        outcome.notes
    );
    // Directly, the server is well, and says who holds the connections.
    let direct = look(&postgres(&direct, &format!("pooler_admin_url = '{admin}'"))).await;
    assert_eq!(verdict(&direct), "ok");
    assert!((value(&direct.outcome, "connections_idle_in_transaction") - POOL_SIZE as f64).abs() < 0.5);
    drop(holders);
    wait_until("the queue to empty", None, || pools().lines().all(|line| !line.contains("|postgres|3|1|")));
    assert_eq!(verdict(&look(&toml).await), "ok");
}

#[tokio::test]
async fn a_console_that_is_none_or_down_degrades_and_does_not_fail() {
    let url = server::database("console");
    let port = server::server().port;
    let none = look(&postgres(&url, &format!("pooler_admin_url = '{url}'"))).await;
    let found = verdict(&none);
    assert!(found.starts_with("unknown protocol: the pooler's console: "), "{found}");
    let down = crate::support::server::free_port();
    let refused = format!("pooler_admin_url = 'postgres://u:marked-secret@127.0.0.1:{down}/pgbouncer'");
    let look = look(&postgres(&url, &refused)).await;
    let expected = format!(
        "degraded connect: the pooler's console: connection refused by 127.0.0.1:{down}: no server listens there"
    );
    assert_eq!(verdict(&look), expected);
    assert!(
        value(&look.outcome, "connections_used") >= 1.0,
        "the server at {port} is looked at all the same"
    );
}
