//! The kinds `reconcile` and `webhook_log`: simulated Square beside a real PostgreSQL, direct and through a real pgbouncer.

mod bounds;
mod definition;
mod discrepancies;
mod edges;
mod refusals;
mod webhooks;

use crate::support::probe::{TIMEOUT, build, verdict};
use crate::support::vendor::serve;
use crate::support::{pgbouncer, postgres};
use atalaya::demo::square::{Booked, Ending, Square};
use atalaya::probe::{self, Look, Run};
use jiff::{SignedDuration, Timestamp};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// What time it is for the simulator and the probe.
const NOW: Timestamp = Timestamp::constant(1_772_625_600, 0);

const QUERY: &str = r#"select "squarePaymentId" as id, round(amount * 100) as cents, status from payments
    where "squarePaymentId" is not null and "createdAt" >= $from and "createdAt" < $to"#;

fn ago(seconds: i64) -> Timestamp {
    NOW - SignedDuration::from_secs(seconds)
}

/// Square's book and the shop's.
struct Books {
    square: Arc<Square>,
    square_url: String,
    database_url: String,
    pooled_url: String,
}

impl Books {
    /// Both empty; the shop's in a database of this name.
    async fn open(name: &str) -> Books {
        let square = Square::new(|| NOW);
        let square_url = serve(square.router()).await;
        let database_url = postgres::database(name);
        postgres::query(
            &database_url,
            r#"create type "PaymentStatus" as enum ('PENDING', 'PAID', 'FAILED', 'REFUNDED', 'COMPLETED');
            create table payments ("squarePaymentId" text unique, amount numeric(10,2), status "PaymentStatus",
              "createdAt" timestamp(3), email text default 'jane.doe@example.org')"#,
        );
        let pooled_url = pgbouncer::pooler().url(name);
        Books { square, square_url, database_url, pooled_url }
    }

    /// A payment of Square's, so many seconds ago.
    fn pay(&self, id: &str, seconds: i64, cents: i64, ending: Ending) {
        let at = ago(seconds);
        self.square.book(&Booked { id, order_id: "O", at, amount: cents, ending, refunded: 0 });
    }

    /// One of which so much was given back.
    fn pay_back(&self, id: &str, seconds: i64, cents: i64, refunded: i64) {
        let (at, ending) = (ago(seconds), Ending::Paid);
        self.square.book(&Booked { id, order_id: "O", at, amount: cents, ending, refunded });
    }

    /// Rows of the shop's: id, so many seconds ago, cents, status.
    fn write(&self, rows: &[(&str, i64, i64, &str)]) {
        let mut sql =
            String::from(r#"insert into payments ("squarePaymentId", "createdAt", amount, status) values "#);
        for (at, (id, seconds, cents, status)) in rows.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let time = ago(*seconds).strftime("%F %T%.3f");
            write!(sql, "{comma}('{id}', '{time}', {cents} / 100.0, '{status}')").expect("a text");
        }
        postgres::query(&self.database_url, &sql);
    }

    fn table(&self, url: &str, more: &str) -> String {
        table(&self.square_url, url, QUERY, more)
    }

    async fn look_with(&self, more: &str) -> Look {
        look(&*watch(&self.table(&self.database_url, more))).await
    }

    /// Direct and through the pooler, which must say the same.
    async fn look(&self) -> Look {
        let direct = self.look_with("").await;
        let pooled = look(&*watch(&self.table(&self.pooled_url, ""))).await;
        assert_eq!(direct.outcome, pooled.outcome);
        direct
    }
}

fn table(square: &str, database: &str, query: &str, more: &str) -> String {
    let (token, location) = (Square::TOKEN, Square::MAIN_LOCATION);
    let square = format!(
        "{{ token = '{token}', environment = 'production', api_url = '{square}', locations = ['{location}'] }}"
    );
    let comma = if more.is_empty() { "" } else { ", " };
    format!(
        "probe.reconcile = {{ square = {square}, url = '{database}', query = '''{query}'''{comma}{more} }}"
    )
}

fn watch(toml: &str) -> Box<dyn Run> {
    build(toml, &[]).unwrap_or_else(|found| panic!("{toml}\n{found:#?}"))
}

async fn look(run: &dyn Run) -> Look {
    look_within(run, TIMEOUT).await
}

/// As [`look`]; whatever is found, no text of it may hold a secret or a customer's data.
async fn look_within(run: &dyn Run, timeout: Duration) -> Look {
    let look = probe::look(run, NOW, timeout).await;
    let texts = format!("{:?} {:?}", look.outcome.faults, look.outcome.notes);
    for secret in [Square::TOKEN, postgres::PASSWORD, postgres::PASSWORD_IN_URL, "jane", "example", "1111"] {
        assert!(!texts.contains(secret), "{secret} in {texts}");
    }
    look
}

/// The measures that are not zero, without the number of calls: `payments_compared=3`.
fn found(look: &Look) -> Vec<String> {
    let measures = look.outcome.measures.iter().filter(|one| one.value != 0.0 && one.name != "calls");
    measures.map(|one| format!("{}={}", one.name, one.value)).collect()
}

#[track_caller]
fn check(look: &Look, expected: &str, measures: &[&str]) {
    assert_eq!(verdict(look), expected);
    assert_eq!(found(look), measures);
}
