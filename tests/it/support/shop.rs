//! A database with the shop's tables, in either engine, and the shipped checks looking at it.
//!
//! The checks go the whole way: loaded, built, run and judged as the agent does it. Only those of the kind `sql` are
//! taken, since the others look at what no database is.

use super::{postgres, server};
use atalaya::config::text::Variables;
use atalaya::config::{self, Check, Files, Plan, Source};
use atalaya::demo::schema::Dialect;
use atalaya::judge::limits;
use atalaya::outcome::{Measure, Status};
use atalaya::probe;
use atalaya::probe::net::Net;
use futures_util::future::join_all;
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Column, Executor, Row, TypeInfo, ValueRef};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A row of an answer: column and value, as text.
pub type Answer = BTreeMap<String, Option<String>>;

/// What one check found.
#[derive(Debug, Clone)]
pub struct Found {
    pub status: Status,
    pub reason: String,
    /// With labels: `orders{READY}`.
    pub measures: BTreeMap<String, f64>,
    /// The same in the order in which the query gave them: name, values of labels, value.
    pub rows: Vec<(String, Vec<String>, f64)>,
    /// Whether it has limits at all.
    pub limited: bool,
}

/// A shop in one of the two databases, and the checks that watch it.
pub struct Shop {
    pool: Pool,
    checks: Vec<Arc<Check>>,
}

enum Pool {
    Postgres(sqlx::PgPool),
    Sqlite(sqlx::SqlitePool),
}

impl Shop {
    /// In a database of its own on the server of this process.
    pub async fn postgres(name: &str) -> Shop {
        // A handshake for each of some thousand runs would show nothing about the checks.
        let url = format!("{}?sslmode=disable", postgres::database(name));
        let pool = sqlx::PgPool::connect(&url).await.expect("a database");
        Shop { pool: Pool::Postgres(pool), checks: checks(&url) }
    }

    /// In a file of its own.
    pub async fn sqlite(name: &str) -> Shop {
        let file = server::directory("shop").join(format!("{name}.db"));
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .synchronous(sqlx::sqlite::SqliteSynchronous::Off);
        let pool = sqlx::SqlitePool::connect_with(options).await.expect("a database");
        Shop { pool: Pool::Sqlite(pool), checks: checks(&format!("sqlite:{}", file.display())) }
    }

    pub fn dialect(&self) -> Dialect {
        match &self.pool {
            Pool::Postgres(_) => Dialect::Postgres,
            Pool::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// In one transaction.
    pub async fn execute(&self, statements: &[String]) {
        let sql = format!("begin;\n{};\ncommit", statements.join(";\n"));
        let query = sqlx::raw_sql(AssertSqlSafe(sql.clone()));
        let done = match &self.pool {
            Pool::Postgres(pool) => pool.execute(query).await.map(drop),
            Pool::Sqlite(pool) => pool.execute(query).await.map(drop),
        };
        done.unwrap_or_else(|error| panic!("{error}\n{}", sql.chars().take(2000).collect::<String>()));
    }

    pub async fn rows(&self, sql: &str) -> Vec<Answer> {
        macro_rules! rows {
            ($pool:expr) => {{
                let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all($pool).await;
                let rows = rows.unwrap_or_else(|error| panic!("{error}\n{sql}"));
                rows.iter().map(|row| answer!(row)).collect()
            }};
        }
        macro_rules! answer {
            ($row:expr) => {{
                let text = |at: usize| {
                    let raw = $row.try_get_raw(at).expect("a column");
                    match raw.type_info().name() {
                        _ if raw.is_null() => None,
                        "INTEGER" => Some($row.get_unchecked::<i64, _>(at).to_string()),
                        "REAL" => Some($row.get_unchecked::<f64, _>(at).to_string()),
                        _ => Some($row.get_unchecked::<String, _>(at)),
                    }
                };
                $row.columns()
                    .iter()
                    .map(|column| (column.name().to_owned(), text(column.ordinal())))
                    .collect()
            }};
        }
        match &self.pool {
            Pool::Postgres(pool) => rows!(pool),
            Pool::Sqlite(pool) => rows!(pool),
        }
    }

    /// Runs every shipped check of the kind `sql` at `now`.
    pub async fn look(&self, now: Timestamp) -> BTreeMap<String, Found> {
        look(&self.checks, now).await
    }
}

/// No run of these tests needs more; a probe that hangs is ended after it.
const TIMEOUT_MAX: Duration = Duration::from_secs(6);

/// Runs checks, all at once as a one-shot run does, and judges them as the agent does.
pub async fn look(checks: &[Arc<Check>], now: Timestamp) -> BTreeMap<String, Found> {
    let looks = checks.iter().map(|check| async move {
        let mut look = probe::look(&*check.probe, now, check.timeout.min(TIMEOUT_MAX)).await;
        limits::apply(&check.limits, look.took, &mut look.outcome);
        let measures = look.outcome.measures.iter().filter(|measure| measure.name != limits::DURATION);
        let found = Found {
            status: look.outcome.status(),
            reason: look.outcome.reason().map_or_else(String::new, |fault| fault.text.clone()),
            measures: measures.map(|measure| (full_name(measure), measure.value)).collect(),
            rows: look.outcome.measures.iter().map(row).collect(),
            limited: !check.limits.is_empty(),
        };
        (check.name.to_string(), found)
    });
    join_all(looks).await.into_iter().collect()
}

fn row(measure: &Measure) -> (String, Vec<String>, f64) {
    let labels = measure.labels.iter().map(|(_, value)| value.clone());
    (measure.name.to_string(), labels.collect(), measure.value)
}

fn full_name(measure: &Measure) -> String {
    let labels: Vec<_> = measure.labels.iter().map(|(_, value)| value.as_str()).collect();
    if labels.is_empty() {
        measure.name.to_string()
    } else {
        format!("{}{{{}}}", measure.name, labels.join(","))
    }
}

/// Where the shop is: its days are not those of UTC.
pub const ZONE: &str = "America/Los_Angeles";

/// The shipped checks of the kind `sql`, built for this database.
fn checks(url: &str) -> Vec<Arc<Check>> {
    let plan = shipped(&["sql"], [("DATABASE_URL", url), ("SHOP_TIME_ZONE", ZONE)]);
    assert_eq!(plan.skipped, []);
    plan.checks
}

/// The shipped checks of these kinds. What they need may be of another kind, so that is left out.
pub fn shipped<'a>(kinds: &[&str], variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Plan {
    let mut files = Vec::new();
    for file in std::fs::read_dir("checks").expect("the watch list") {
        let path = file.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("readable");
        let mut file: toml::Table = toml::from_str(&text).expect("TOML");
        let checks = file["check"].as_array_mut().expect("checks");
        checks.retain(|check| kinds.iter().any(|kind| check["probe"].get(*kind).is_some()));
        for check in checks {
            check.as_table_mut().expect("a table").remove("needs");
        }
        files.push(Source::new(&path.display().to_string(), toml::to_string(&file).expect("TOML")));
    }
    let variables = Variables::new(variables, |path| std::fs::read_to_string(path));
    let net = Arc::new(Net::new().expect("a network"));
    let plan = config::load(&Files { agent: None, checks: files, ..Files::default() }, &variables, &net);
    plan.unwrap_or_else(|faults| panic!("{faults:#?}"))
}
