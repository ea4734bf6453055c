//! `sql` against PostgreSQL: every type of column, every way for an answer to be wrong, and no way to write.

use super::{measures, phases, sql, sql_with};
use crate::support::postgres::{self, Session};
use crate::support::probe::{build_faults, look, look_with, measure, parse_error, verdict};
use crate::support::server::wait_until;
use std::time::Duration;

/// What one query comes to: its measures, or the verdict.
async fn check(url: &str, query: &str, expected: &[&str]) {
    let look = look(&sql(url, query)).await;
    let found = if look.outcome.faults.is_empty() { measures(&look.outcome) } else { vec![verdict(&look)] };
    assert_eq!(found, expected, "{query}");
}

#[tokio::test]
async fn every_type_of_column_that_shops_have_is_read() {
    let url = postgres::database("sql_types");
    postgres::query(
        &url,
        r#"create type "OrderStatus" as enum ('PENDING', 'PAID');
        create table orders (id uuid default gen_random_uuid(), status "OrderStatus", total numeric(10,2),
          "createdAt" timestamp(3), "isCateringOrder" bool, retry_count int);
        insert into orders (status, total, "createdAt", "isCateringOrder", retry_count) values
          ('PENDING', 12.50, now() at time zone 'utc' - interval '10 minutes', false, 0),
          ('PENDING', 7.25, now() at time zone 'utc' - interval '2 hours', true, 3),
          ('PAID', 100, now() at time zone 'utc' - interval '2 days', false, null)"#,
    );
    check(
        &url,
        "select count(*) as orders, sum(total) as revenue_dollars from orders",
        &["orders=3", "revenue_dollars=119.75"],
    )
    .await;
    check(
        &url,
        r#"select count(*) as stuck from orders where status = 'PENDING' and "createdAt" < $ago_1h"#,
        &["stuck=1"],
    )
    .await;
    check(&url, r#"select count(*) filter (where "isCateringOrder") as catering, sum(retry_count) as retries from orders -- end"#, &[
        "catering=1",
        "retries=3",
    ])
    .await;
    check(&url, "select 1::int2 a, 2::int4 b, 9007199254740993::int8 c, 0.5::float4 d, 0.25::float8 e, true f, false g, 1.5::numeric h;", &[
        "a=1", "b=2", "c=9007199254740992", "d=0.5", "e=0.25", "f=1", "g=0", "h=1.5",
    ])
    .await;
    check(&url, "select interval '1 day 90 seconds' as waited_seconds, timestamptz '2026-11-22 18:39:00+01' as seen_timestamp_seconds, date '1970-01-02' as day", &[
        "waited_seconds=86490", "seen_timestamp_seconds=1795369140", "day=86400",
    ])
    .await;
    let ages = r#"select max("createdAt") as newest_age_seconds, now() - interval '1 hour' as hour_age_seconds from orders"#;
    let look = look(&sql(&url, ages)).await;
    let age = measure(&look.outcome, "newest_age_seconds").expect("an age");
    assert!((600.0..660.0).contains(&age), "{age}");
    let age = measure(&look.outcome, "hour_age_seconds").expect("an age");
    assert!((3595.0..3660.0).contains(&age), "{age}");
    assert_eq!(phases(&look), ["connect", "query"]);
}

#[tokio::test]
async fn null_is_no_measure_and_is_noted() {
    let url = postgres::database("sql_types_null");
    let look =
        look(&sql(&url, "select 1 as a, null::int as b, 'NaN'::numeric as c, 'infinity'::timestamptz as d"))
            .await;
    assert_eq!(measures(&look.outcome), ["a=1"]);
    assert_eq!(
        look.outcome.notes,
        [
            "column `b` is null and not measured",
            "column `c` is null and not measured",
            "column `d` is null and not measured",
        ]
    );
    check(&url, "select avg(n) as average from generate_series(1, 0) n", &[
        "unknown assertion: the query gave nothing but null, so nothing was measured; say with `empty` what that means",
    ])
    .await;
}

#[tokio::test]
async fn many_rows_are_one_measure_with_labels() {
    let url = postgres::database("sql_labels");
    postgres::query(&url, "create type colour as enum ('RED', 'BLUE')");
    let query = "select c::colour as colour, n as size, n * 10 as items from (values ('RED', 1), ('BLUE', 2)) v (c, n)";
    let found = look(&sql_with(&url, query, r#"labels = ["colour", "size"]"#)).await;
    assert_eq!(verdict(&found), "ok");
    assert_eq!(measures(&found.outcome), ["items{colour=RED,size=1}=10", "items{colour=BLUE,size=2}=20"]);
    check(&url, query, &[
        "unknown assertion: the query gave more than one row: aggregate them, or name in `labels` the columns that tell them apart",
    ])
    .await;
}

#[tokio::test]
async fn ten_thousand_rows_cost_as_little_as_a_hundred() {
    let url = postgres::database("sql_many");
    // The last row divides by zero: the server that made it would say so.
    let query = "select n as number, 1 / (10000 - n) as items from generate_series(1, 10000) n";
    let found = look(&sql_with(&url, query, r#"labels = ["number"]"#)).await;
    let expected =
        "unknown assertion: the query gave more than 100 rows: group or `limit` them, or raise `rows_max`";
    assert_eq!(verdict(&found), expected);
    assert!(found.outcome.measures.is_empty(), "a part of the truth is none");
    let all = look(&sql_with(
        &url,
        "select n as number, n as items from generate_series(1, 1000) n",
        "labels = ['number'], rows_max = 1000",
    ))
    .await;
    assert_eq!((verdict(&all), all.outcome.measures.len()), ("ok".to_owned(), 1000));
}

#[tokio::test]
async fn no_row_is_what_the_definition_says() {
    let url = postgres::database("sql_empty");
    let none = "select 1 as a where false";
    for (more, expected) in [
        (
            "",
            "unknown assertion: the query gave no row, so nothing was measured; say with `empty` what that means",
        ),
        (
            "empty = 'unknown'",
            "unknown assertion: the query gave no row, so nothing was measured; say with `empty` what that means",
        ),
        ("empty = 'ok'", "ok"),
        ("empty = 'failed'", "failed assertion: the query gave no row"),
    ] {
        assert_eq!(verdict(&look(&sql_with(&url, none, more)).await), expected, "{more}");
    }
}

#[tokio::test]
async fn a_wrong_query_is_unknown_and_shows_no_value_of_a_table() {
    let url = postgres::database("sql_wrong");
    postgres::query(&url, "create table people (email text); insert into people values ('jane@example.org')");
    postgres::query(
        &url,
        "create function tell() returns int language plpgsql as $$ begin raise exception 'mail is %', (select email from people); end $$",
    );
    for (query, expected) in [
        (
            "select 'x' as note, 1 as a",
            "unknown assertion: column `note` is text where a number is needed: count it, cast it, or name it in `labels`",
        ),
        (
            "select '{}'::jsonb as payload",
            "unknown assertion: column `payload` is of type jsonb where a number is needed: cast it to a number",
        ),
        (
            "select count(*) + 1",
            "unknown assertion: column 1 is called `?column?`: give it an alias of lowercase letters, digits and `_`, beginning with a letter",
        ),
        (
            "select none from people",
            "unknown protocol: column \"none\" does not exist (42703); correct the query",
        ),
        (
            "select 1 from missing",
            "unknown protocol: relation \"missing\" does not exist (42P01); correct the query",
        ),
        ("select 1 +", "unknown protocol: syntax error at or near \";\" (42601); correct the query"),
        (
            "select email::int as a from people",
            "unknown protocol: invalid input syntax for type integer (22P02); correct the query or the data that it reads",
        ),
        (
            "select 1 / 0 as a",
            "unknown protocol: division by zero (22012); correct the query or the data that it reads",
        ),
        (
            "select tell() as a",
            "unknown protocol: error P0001, whose message may hold data and is not shown; see the server's log",
        ),
    ] {
        check(&url, query, &[expected]).await;
    }
}

#[tokio::test]
async fn nothing_is_ever_written() {
    let url = postgres::database("sql_write");
    postgres::query(
        &url,
        "create sequence s; create table t (n int); create function f() returns int language sql as 'insert into t values (1) returning n'",
    );
    let refused = "in a read-only transaction (25006); a check may only read";
    for (query, expected) in [
        ("select nextval('s') as a", format!("unknown assertion: cannot execute nextval() {refused}")),
        ("select f() as a", format!("unknown assertion: cannot execute INSERT {refused}")),
        (
            "with gone as (delete from t returning n) select count(*) as a from gone",
            "unknown protocol: DECLARE CURSOR must not contain data-modifying statements in WITH (0A000); correct the query".to_owned(),
        ),
    ] {
        check(&url, query, &[&expected]).await;
    }
    // What a lexer can be fooled with is still held by the transaction.
    for query in
        ["insert into t values (1)", "select 1; commit; insert into t values (1)", "select 1;;drop table t"]
    {
        assert!(!build_faults(&sql(&url, query)).is_empty(), "{query}");
    }
    assert_eq!(postgres::query(&url, "select (select count(*) from t), (select is_called from s)"), "0|f");
}

#[tokio::test]
async fn the_server_ends_a_query_that_is_too_slow() {
    let url = postgres::database("sql_slow");
    let toml = sql(&url, "select pg_sleep(60) is null as atalaya_slow");
    let look = look_with(&toml, &[], Duration::from_secs(1)).await;
    assert_eq!(
        verdict(&look),
        "failed timeout: canceling statement due to statement timeout (57014); the query is slower than the `timeout` of the check allows",
    );
    assert!(look.took < Duration::from_secs(1), "{:?}", look.took);
    let sleeping =
        "select count(*) from pg_stat_activity where query like '%atalaya_slow%' and pid <> pg_backend_pid()";
    wait_until("the backend to go", None, || postgres::query(&url, sleeping) == "0");
}

#[tokio::test]
async fn a_lock_does_not_hold_a_run_up() {
    let url = postgres::database("sql_lock");
    postgres::query(&url, "create table orders (id int)");
    let mut other = Session::open(&url);
    other.send("begin; lock table orders in access exclusive mode;");
    let locked =
        "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and relation = 'orders'::regclass";
    wait_until("the lock", None, || postgres::query(&url, locked) == "1");
    let toml = sql(&url, "select count(*) as orders from orders");
    let look = look_with(&toml, &[], Duration::from_secs(1)).await;
    assert_eq!(
        verdict(&look),
        "failed timeout: canceling statement due to lock timeout (55P03); another session holds a lock on what the query reads",
    );
    assert!(look.took < Duration::from_millis(900), "{:?}", look.took);
}

#[tokio::test]
async fn a_schema_of_prisma_is_where_names_are_looked_for() {
    let url = postgres::database("sql_schema");
    postgres::query(
        &url,
        r#"create schema "Shop"; create table "Shop".orders (id int); insert into "Shop".orders values (1)"#,
    );
    check(
        &format!("{url}?schema=Shop&connection_limit=1"),
        "select count(*) as orders from orders",
        &["orders=1"],
    )
    .await;
    check(
        &url,
        "select count(*) as orders from orders",
        &["unknown protocol: relation \"orders\" does not exist (42P01); correct the query"],
    )
    .await;
}

#[tokio::test]
async fn a_window_is_what_lies_between_from_and_to() {
    let url = postgres::database("sql_window");
    let query = "select $to::timestamp - $from::timestamp as window_seconds";
    check(&url, query, &["window_seconds=60"]).await;
    let window = look(&sql_with(&url, query, "window = '24h'")).await;
    assert_eq!(measures(&window.outcome), ["window_seconds=86400"]);
    let day = "select $start_of_day::timestamp as day";
    let zone = look(&sql_with(&url, day, "time_zone = 'Asia/Kolkata'")).await;
    assert_eq!(measure(&zone.outcome, "day").map(|day| day % 86_400.0), Some(66_600.0), "18:30 UTC");
}

#[tokio::test]
async fn what_can_be_known_before_a_run_is_refused_before() {
    let url = "postgresql://u:marked-secret@localhost/shop";
    for (toml, expected) in [
        (
            sql("postgresql://u:marked-secret@localhost:x/shop", "select 1 as a"),
            "url: the port is not a number between 1 and 65535",
        ),
        (
            sql("mysql://u:marked-secret@localhost/shop", "select 1 as a"),
            "url: databases of the scheme `mysql` can't be watched",
        ),
        (sql(url, "select $nwo as a"), "query: `$nwo` is not a time that can be filled in"),
        (sql(url, "select 1 as a; select 2 as b"), "query: the query holds more than one statement"),
        (
            sql(url, "update orders set id = 1"),
            "query: a query must read: it begins with `select`, `with`, `values`, `table`, and not with `update`",
        ),
        (
            sql_with(url, "select 1 as a", "window = '1h'"),
            "window: the query has no `$from` and `$to`, so a window has no effect",
        ),
        (
            sql_with(url, "select 1 as a", "time_zone = 'UTC'"),
            "time_zone: the query has no `$start_of_day`, `$start_of_hour` or `$days_…`, so a time zone has no effect",
        ),
        (
            sql_with(url, "select $start_of_day as a", "time_zone = 'Mars'"),
            "time_zone: `Mars` is not a time zone such as \"Europe/Berlin\" or \"UTC\"",
        ),
        (sql_with(url, "select 1 as a", "rows_max = 0"), "rows_max: `0` is not between 1 and 1000"),
        (
            sql_with("sqlite:/x.db", "select 1 as a", "ca = '/ca.pem'"),
            "ca: the file of an embedded database is reached without TLS",
        ),
        (
            sql_with(&format!("{url}?sslmode=disable"), "select 1 as a", "ca = '/ca.pem'"),
            "ca: with the `sslmode` of the address no certificate is verified, so the file would be of no use",
        ),
    ] {
        assert_eq!(build_faults(&toml), [expected], "{toml}");
    }
    for (toml, expected) in [
        (sql_with(url, "select 1 as a", "labels = ['le']"), "the label `le` is taken"),
        (
            sql_with(url, "select 1 as a", "labels = ['customer_name']"),
            "the label `customer_name` would show customers' data (`customer`): count instead of naming",
        ),
        (sql_with(url, "select 1 as a", "empty = 'fine'"), "unknown variant `fine`"),
        (sql_with(url, "select 1 as a", "row_max = 1"), "unknown field `row_max`"),
    ] {
        assert!(parse_error(&toml).contains(expected), "{toml}: {}", parse_error(&toml));
    }
}
