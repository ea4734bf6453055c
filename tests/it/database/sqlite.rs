//! `sql` against the file of an embedded database: the same definitions, and no harm.

use super::{measures, sql, sql_with};
use crate::support::agent::{Agent, PROGRAM};
use crate::support::probe::{look, look_with, verdict};
use crate::support::{postgres, server};
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const TABLES: &str = r#"
    create table orders (id int, status text, "paymentStatus" text, total numeric(10,2), "updatedAt" timestamp(3));
    insert into orders values (1, 'PENDING', 'PAID', 12.5, $old), (2, 'PENDING', 'PENDING', 7.25, $new), (3, 'READY', 'PAID', 100, $old)"#;

/// The shop's table in a file; `old` is an hour ago, `new` a moment ago.
async fn database(name: &str) -> (PathBuf, SqliteConnection) {
    let path = server::directory("sqlite").join(name);
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut connection = options.connect().await.expect("a database");
    let tables = filled();
    sqlx::raw_sql(sqlx::AssertSqlSafe(tables)).execute(&mut connection).await.expect("tables");
    (path, connection)
}

fn filled() -> String {
    let now = atalaya::clock::wall();
    let text = |at: jiff::Timestamp| at.strftime("'%Y-%m-%d %H:%M:%S.%3f'").to_string();
    let hour = jiff::SignedDuration::from_hours(1);
    TABLES.replace("$old", &text(now - hour)).replace("$new", &text(now))
}

fn url(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

#[tokio::test]
async fn one_definition_serves_postgres_and_sqlite() {
    let (path, _writer) = database("both.db").await;
    let other = postgres::database("sqlite_both");
    postgres::query(&other, &filled());
    for (query, more, expected) in [
        (
            r#"select count(*) as stuck_orders from orders
               where "paymentStatus" in ('PAID', 'COMPLETED') and status = 'PENDING' and "updatedAt" < $ago_15m"#,
            "",
            vec!["stuck_orders=1"],
        ),
        (
            r#"select count(*) as recent from orders where "updatedAt" >= $from and "updatedAt" < $to"#,
            "window = '10m'",
            vec!["recent=1"],
        ),
        (
            "select sum(total) as revenue_dollars, avg(total) as none_dollars from orders where total < 100",
            "",
            vec!["revenue_dollars=19.75", "none_dollars=9.875"],
        ),
        (
            "select status, count(*) as orders from orders group by status order by status",
            "labels = ['status']",
            vec!["orders{status=PENDING}=2", "orders{status=READY}=1"],
        ),
    ] {
        for url in [url(&path), other.clone()] {
            let look = look(&sql_with(&url, query, more)).await;
            assert_eq!(verdict(&look), "ok");
            assert_eq!(measures(&look.outcome), expected, "{url}");
        }
    }
    let age = r#"select max("updatedAt") as newest_age_seconds, min("updatedAt") as oldest_age_seconds from orders"#;
    for url in [url(&path), other] {
        let look = look(&sql(&url, age)).await;
        let ages: Vec<_> = look.outcome.measures.iter().map(|measure| measure.value).collect();
        assert!(ages[0] < 60.0 && (3600.0..3660.0).contains(&ages[1]), "{url} {ages:?}");
    }
}

#[tokio::test]
async fn a_wrong_query_or_file_is_said() {
    let (path, _writer) = database("wrong.db").await;
    let damaged = path.with_file_name("damaged.db");
    std::fs::write(&damaged, "no database, but a text that is long enough to be one".repeat(20))
        .expect("a file");
    let good = url(&path);
    for (url, query, expected) in [
        (
            &good,
            "select status as a from orders limit 1",
            "unknown assertion: column `a` is text where a number is needed: count it, cast it, or name it in `labels`",
        ),
        (
            &good,
            "select x'00' as a",
            "unknown assertion: column `a` is of type blob where a number is needed: cast it to a number",
        ),
        (
            &good,
            "select id as a from orders",
            "unknown assertion: the query gave more than one row: aggregate them, or name in `labels` the columns that tell them apart",
        ),
        (&good, "select none from orders", "unknown protocol: no such column: none; correct the query"),
        (
            &good,
            "with x as (select 1) delete from orders",
            "unknown assertion: attempt to write a readonly database; a check may only read",
        ),
        (
            &url(&path.with_file_name("none.db")),
            "select 1 as a",
            "failed connect: unable to open database file; check the path, and that the agent may read it",
        ),
        (
            &url(&damaged),
            "select count(*) as a from orders",
            "failed protocol: file is not a database; the file is damaged or no database",
        ),
    ] {
        assert_eq!(verdict(&look(&sql(url, query)).await), expected, "{query}");
    }
    assert!(!path.with_file_name("none.db").exists(), "nothing is created");
}

#[tokio::test]
async fn a_query_that_runs_away_is_ended_and_its_thread_with_it() {
    let (path, _writer) = database("slow.db").await;
    let endless =
        "with recursive n (i) as (select 1 union all select i + 1 from n) select count(*) as items from n";
    let slow = look_with(&sql(&url(&path), endless), &[], Duration::from_millis(400)).await;
    assert_eq!(verdict(&slow), "failed timeout: the query is slower than the `timeout` of the check allows");
    assert!(slow.took < Duration::from_millis(400), "{:?}", slow.took);
    // One that is given up before its own deadline ends as well.
    let toml = sql(&url(&path), endless);
    let given_up =
        tokio::time::timeout(Duration::from_millis(200), look_with(&toml, &[], Duration::from_mins(10)))
            .await;
    assert!(given_up.is_err());
    server::wait_until("the threads to end", None, || threads_of_sqlite(&path) == 0);
}

/// How many times this process has the file open, beside the writer's.
fn threads_of_sqlite(path: &Path) -> usize {
    let open = std::fs::read_dir("/proc/self/fd").expect("files").flatten();
    open.filter(|entry| std::fs::read_link(entry.path()).is_ok_and(|target| target == path)).count() - 1
}

#[tokio::test]
async fn a_writer_that_holds_the_file_does_not_hold_a_run_up() {
    let (path, mut writer) = database("busy.db").await;
    sqlx::raw_sql("begin exclusive").execute(&mut writer).await.expect("a lock");
    let begun = Instant::now();
    let locked =
        look_with(&sql(&url(&path), "select count(*) as orders from orders"), &[], Duration::from_secs(1))
            .await;
    assert_eq!(verdict(&locked), "failed timeout: database is locked; another program writes to the file");
    assert!(begun.elapsed() < Duration::from_millis(950), "{:?}", begun.elapsed());
    sqlx::raw_sql("rollback; pragma journal_mode = wal; begin immediate; delete from orders")
        .execute(&mut writer)
        .await
        .expect("a writer");
    // With a write-ahead log nobody waits for anybody.
    let look = look(&sql(&url(&path), "select count(*) as orders from orders")).await;
    assert_eq!(measures(&look.outcome), ["orders=3"]);
    writer.close().await.expect("closed");
}

/// The real program: what is for pages is whole and in order in a report, and Prometheus gets only the check itself.
#[tokio::test]
async fn a_table_for_pages_keeps_its_order_and_is_nobodys_metric() {
    let (path, _writer) = database("pages.db").await;
    let query = "select 'no ' || id as number, case id when 2 then 'jane@example.org' else 'shop' end as seller, \
                 total as total_dollars from orders order by total desc";
    let check = format!(
        "[[check]]\nname = 'last-orders'\nevery = '1s'\nmetrics = false\n\
         limits.total_dollars = {{ degraded = '> 50' }}\n{}\n",
        sql_with(&url(&path), query, r#"labels = ["number", "seller"]"#)
    );
    let agent = Agent::start("sqlite-pages", &[("a", &check)]);
    agent.wait_until_ready();
    let metrics = agent.get("/metrics").body;
    for there in
        ["atalaya_check_up{check=\"last-orders\"", "atalaya_check_duration_seconds_sum{check=\"last-orders\""]
    {
        assert!(metrics.contains(there), "{metrics}");
    }
    assert!(!metrics.contains("total_dollars") && !metrics.contains("no 3"), "{metrics}");
    let told = agent.get("/api/v1/checks").body;
    assert!(told.contains("total_dollars of no 3, shop is 100, which passes the limit > 50"), "{told}");

    let once = |format: &str| {
        let mut program = Command::new(PROGRAM);
        let output = program.args(["check", "--format", format]).current_dir(&agent.directory).output();
        String::from_utf8(output.expect("the program").stdout).expect("text")
    };
    let report: Value = serde_json::from_str(&once("json")).expect("JSON");
    let rows = report["checks"][0]["measures"].as_array().expect("measures").iter().take(3);
    let rows =
        rows.map(|row| format!("{} {} {}", row["labels"]["number"], row["labels"]["seller"], row["value"]));
    let expected = [r#""no 3" "shop" 100.0"#, r#""no 1" "shop" 12.5"#, r#""no 2" "…" 7.25"#];
    assert_eq!(rows.collect::<Vec<_>>(), expected);
    let text_file = once("prometheus");
    assert!(text_file.contains("atalaya_check_up{check=\"last-orders\""), "{text_file}");
    assert!(!text_file.contains("total_dollars"), "{text_file}");
    let log = format!("{:?}", agent.log());
    for text in [metrics, told, report.to_string(), text_file, once("human"), once("junit"), log] {
        assert!(!text.contains("jane@"), "{text}");
    }
}
