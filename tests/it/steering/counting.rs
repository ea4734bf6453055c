//! Checks that count: every event once, whatever happens to the agent.

use super::{Hook, on_call, prepare};
use crate::support::agent::Agent;
use crate::support::server::directory;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// A shop's payments in a file, and the objective that is made of them.
pub struct Payments {
    runtime: Runtime,
    file: PathBuf,
}

impl Payments {
    pub fn new(name: &str) -> Payments {
        let shop = Payments {
            runtime: Runtime::new().expect("a runtime"),
            file: directory("steering-shops").join(format!("{name}.db")),
        };
        shop.execute("create table payments (at timestamp(3), paid int)");
        shop
    }

    pub fn execute(&self, sql: &str) {
        self.runtime.block_on(async {
            let mut connection = self.connect().await;
            sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect("SQL");
            connection.close().await.expect("closed");
        });
    }

    async fn connect(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(&self.file).create_if_missing(true);
        options.connect().await.expect("a database")
    }

    pub fn add(&self, payments: impl IntoIterator<Item = (Timestamp, bool)>) {
        let mut sql = String::from("insert into payments values ");
        for (at, paid) in payments {
            write!(sql, "({}, {}),", text(at), u8::from(paid)).expect("memory");
        }
        self.execute(sql.trim_end_matches(','));
    }

    /// Good and all of them, counted directly.
    fn count(&self) -> (u64, u64) {
        self.runtime.block_on(async {
            let mut connection = self.connect().await;
            let sql = "select coalesce(sum(paid), 0), count(*) from payments";
            let row = sqlx::query(sql).fetch_one(&mut connection).await.expect("a row");
            (row.get::<i64, _>(0).cast_unsigned(), row.get::<i64, _>(1).cast_unsigned())
        })
    }

    /// The check `payment-events`, with more keys of its probe.
    pub fn check(&self, every: &str, more: &str) -> String {
        format!(
            "[[check]]\nname = 'payment-events'\nsection = 'payments'\nevery = '{every}'\n[check.probe.sql]\n\
             url = 'sqlite:{}'\n{more}query = \"\"\"select count(*) as tried, coalesce(sum(paid), 0) as paid \
             from payments where at >= $from and at < $to\"\"\"\n",
            self.file.display()
        )
    }
}

/// The objective `payments`.
pub fn objective(share: &str) -> String {
    format!(
        "[[slo]]\nname = 'payments'\nsection = 'payments'\nobjective = '{share}'\n\
         indicator.counts = {{ check = 'payment-events', good = 'paid', total = 'tried' }}\n"
    )
}

/// As SQLite keeps times, in quotes.
fn text(at: Timestamp) -> String {
    at.strftime("'%Y-%m-%d %H:%M:%S.%3f'").to_string()
}

/// What the agent says of the only objective: good and all.
fn counted(agent: &Agent) -> (u64, u64) {
    let objectives: Value = serde_json::from_str(&agent.get("/api/v1/objectives").body).expect("JSON");
    let number = |key: &str| objectives[0][key].as_u64().unwrap_or_default();
    (number("good"), number("total"))
}

/// The agent's wall clock is ahead by so much, from its start on.
fn ahead(seconds: u32) -> Vec<(&'static str, String)> {
    vec![
        ("LD_PRELOAD", "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1".to_owned()),
        ("FAKETIME", format!("+{seconds}")),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]
}

#[test]
fn every_event_is_counted_once_over_kills_stops_and_a_downtime() {
    let (shop, hook) = (Payments::new("once"), Hook::start());
    let now = atalaya::clock::wall();
    let ago = |minutes: i64| now - SignedDuration::from_mins(minutes);
    // Three weeks, one in seventeen bad, at uneven moments; the newest settled long ago.
    shop.add((0..6000).map(|n| (ago(30 + n * 5 + n % 7) - SignedDuration::from_secs(n % 59), n % 17 != 0)));
    let checks = shop.check("1s", "settle = '5m'\nbackfill = '28d'\n");
    let directory = prepare("steering-once", &checks, &(on_call(&hook) + &objective("90%")));

    // Killed again and again while it catches up, and stopped in order once.
    let mut directory = directory;
    let mut seen = Vec::new();
    for round in 0..4 {
        let agent = Agent::start_in(directory, &[]);
        agent.wait_until_ready();
        let begun = Instant::now();
        agent.wait_for("some parts to be counted", |_| {
            begun.elapsed() > Duration::from_millis(2_500 + 400 * round)
        });
        seen.push(counted(&agent).1);
        if round == 2 {
            directory = agent.directory.clone();
            assert!(agent.stop().success());
        } else {
            directory = agent.kill_for_good();
        }
    }
    assert!(seen.is_sorted() && seen[3] < 6000, "killed while it was catching up: {seen:?}");
    let agent = Agent::start_in(directory, &[]);
    agent.wait_for("all to be counted", |agent| counted(agent) == shop.count());
    assert_eq!(counted(&agent).1, 6000);

    // What is not settled is not counted, and what it becomes by then counts.
    shop.add((0..40).map(|n| (ago(2) - SignedDuration::from_secs(n), true)));
    let runs = |agent: &Agent| {
        let of_check = |name: &&String| name.starts_with("atalaya_check_runs_total{check=\"payment-events\"");
        let metrics = agent.metrics();
        metrics.keys().filter(of_check).map(|name| metrics[name]).sum::<f64>()
    };
    let before = runs(&agent);
    agent.wait_for("three more runs", |agent| runs(agent) >= before + 3.0);
    let directory = agent.kill_for_good();
    shop.execute(&format!("update payments set paid = 0 where at >= {}", text(ago(4))));
    // Three hours pass in which nobody counts, and much happens.
    shop.add((0..500).map(|n| (now + SignedDuration::from_secs(60 + n * 20), n % 4 != 0)));
    let agent = Agent::start_in(directory, &ahead(3 * 3600 + 600));
    agent.wait_for("the downtime to be made up for", |agent| counted(agent) == shop.count());
    assert_eq!(counted(&agent).1, 6540);
    let (again, expected) = (Agent::start_in(agent.kill_for_good(), &ahead(3 * 3600 + 900)), shop.count());
    again.wait_for("the counts to be remembered", |agent| counted(agent).1 > 0);
    assert_eq!(counted(&again), expected);
}
