//! What the demo's shop and its vendors say by themselves: requests, queries and events of the shop, letters of Square and
//! Resend, and jobs that tell that they ran. Pure: time, seed and what was paid are arguments.

pub mod letters;
pub mod past;
pub mod speak;

use super::order::Payment;
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A way in which what is said tells of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Said {
    RequestsFail,
    JobFails,
}

impl Said {
    pub const ALL: [Said; 2] = [Said::RequestsFail, Said::JobFails];

    pub const fn name(self) -> &'static str {
        match self {
            Said::RequestsFail => "requests-fail",
            Said::JobFails => "job-fails",
        }
    }

    pub const fn title(self) -> &'static str {
        match self {
            Said::RequestsFail => "Half of the customers' requests end with a 500",
            Said::JobFails => "The job that drains the webhook queue fails",
        }
    }

    pub const fn checks(self) -> &'static [&'static str] {
        match self {
            Said::RequestsFail => &["requests"],
            Said::JobFails => &["webhook-queue-job"],
        }
    }
}

/// One thing that is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saying {
    /// Lines of JSON.
    Events(String),
    /// A letter of Square's: its body.
    Square(String),
    /// A letter of Resend's: its id and its body.
    Resend(String, String),
    /// What stands behind `/heartbeat/`.
    Ping(&'static str),
}

/// Method, route, how many of a hundred requests, how long one takes in milliseconds.
const ROUTES: [(&str, &str, u32, f64); 6] = [
    ("GET", "/", 38, 90.0),
    ("GET", "/menu/[slug]", 27, 120.0),
    ("GET", "/api/products", 15, 45.0),
    ("POST", "/api/cart", 10, 70.0),
    ("GET", "/orders/[id]", 6, 110.0),
    ("GET", "/catering", 4, 95.0),
];

/// Statements as an ORM sends them, and how long one takes in milliseconds. What is in them is gone before anything is kept.
const STATEMENTS: [(&str, f64); 3] = [
    (
        r#"SELECT "id", "name", "price" FROM "products" WHERE "active" = true AND "is_archived" = false LIMIT 24"#,
        9.0,
    ),
    (
        r#"SELECT "id", "status", "total" FROM "orders" WHERE "id" = '8f14e45f-ceea-467f-a3c1-2f0b1c9d1f11'"#,
        3.0,
    ),
    (
        r#"UPDATE "orders" SET "status" = 'PROCESSING', "updatedAt" = '2026-01-01 12:00:00' WHERE "id" = '1'"#,
        6.0,
    ),
];
const SLOW_STATEMENT: &str = r#"SELECT "productId", sum("quantity") FROM "order_items" WHERE "orderId" IN ('a', 'b', 'c') GROUP BY "productId" ORDER BY 2 DESC"#;

/// Of so many requests one meets a function that has to start first.
const COLD: u32 = 150;
/// Of so many requests one asks something slow of the database.
const SLOW: u32 = 120;
const QUEUE_JOB: SignedDuration = SignedDuration::from_secs(60);
const QUEUE_JOB_TAKES: SignedDuration = SignedDuration::from_secs(4);

/// The shop's voice.
#[derive(Debug)]
pub struct Voice {
    rng: Rng,
    on: BTreeSet<Said>,
    queue_job: Option<Timestamp>,
    /// When the run under way ends.
    queue_job_ends: Option<Timestamp>,
}

impl Voice {
    pub fn new(seed: u64) -> Voice {
        Voice { rng: Rng::with_seed(seed), on: BTreeSet::new(), queue_job: None, queue_job_ends: None }
    }

    /// What is said at once of a switch.
    pub fn set(&mut self, said: Said, on: bool) -> Vec<Saying> {
        if on {
            self.on.insert(said);
        } else {
            self.on.remove(&said);
        }
        match (said, on) {
            (Said::JobFails, true) => vec![Saying::Ping("webhook-queue/1")],
            (Said::JobFails, false) => vec![Saying::Ping("webhook-queue")],
            (Said::RequestsFail, _) => Vec::new(),
        }
    }

    /// What is said in one second, in which this was paid.
    pub fn say(&mut self, now: Timestamp, payments: &[Payment]) -> Vec<Saying> {
        let mut lines = Vec::new();
        for _ in 0..self.rng.u32(2..7) {
            let (method, route, typical) = self.route();
            self.request(method, route, typical, &mut lines);
        }
        if self.rng.u32(..8) == 0 {
            lines.push(json!({ "event": "cart_active" }));
        }
        let mut said = self.jobs(now);
        for payment in payments {
            lines.push(json!({ "event": "checkout_started" }));
            self.request("POST", "/api/checkout", 380.0, &mut lines);
            if payment.declined.is_none() {
                lines.push(json!({ "event": "order_completed" }));
                said.push(letters::delivered(payment));
            }
            said.push(letters::payment(payment));
        }
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        said.push(Saying::Events(lines.join("\n")));
        said
    }

    fn route(&mut self) -> (&'static str, &'static str, f64) {
        let mut drawn = self.rng.u32(..100);
        for (method, route, share, typical) in ROUTES {
            if drawn < share {
                return (method, route, typical);
            }
            drawn -= share;
        }
        ("GET", "/", 90.0)
    }

    fn request(&mut self, method: &str, route: &str, typical: f64, lines: &mut Vec<Value>) {
        let fails = self.on.contains(&Said::RequestsFail) && self.rng.bool();
        let status = match (fails, self.rng.u32(..100)) {
            (true, _) => 500,
            (false, 0) if route.contains('[') => 404,
            _ => 200,
        };
        let mut took = self.about(typical);
        if self.rng.u32(..COLD) == 0 {
            took += 900.0;
        }
        for _ in 0..self.rng.usize(..3) {
            let (query, typical) = STATEMENTS[self.rng.usize(..STATEMENTS.len())];
            lines.push(json!({ "event": "db_query", "query": query, "duration_ms": self.about(typical) }));
        }
        if self.rng.u32(..SLOW) == 0 {
            lines.push(
                json!({ "event": "db_query", "query": SLOW_STATEMENT, "duration_ms": self.about(180.0) }),
            );
            took += 180.0;
        }
        lines.push(json!({
            "event": "api_call", "method": method, "route": route, "status": status, "duration_ms": took,
            "trace_id": format!("{:032x}", self.rng.u128(1..)),
        }));
    }

    /// About so many milliseconds; seldom much more.
    fn about(&mut self, typical: f64) -> f64 {
        let spread = self.rng.f64() + self.rng.f64() + self.rng.f64() - 1.5;
        (typical * (spread * 0.8).exp() * 1000.0).round() / 1000.0
    }

    fn jobs(&mut self, now: Timestamp) -> Vec<Saying> {
        let mut said = Vec::new();
        let first = self.queue_job.is_none();
        if first {
            said.extend([Saying::Ping("backup"), Saying::Ping("catalog-sync")]);
        }
        if self.queue_job.is_none_or(|last| now >= last + QUEUE_JOB) {
            self.queue_job = Some(now);
            self.queue_job_ends = Some(now + QUEUE_JOB_TAKES);
            said.push(Saying::Ping("webhook-queue/start"));
        }
        if self.queue_job_ends.is_some_and(|ends| now >= ends) {
            self.queue_job_ends = None;
            let failed = self.on.contains(&Said::JobFails);
            said.push(Saying::Ping(if failed { "webhook-queue/1" } else { "webhook-queue/0" }));
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::sql::Cents;
    use crate::ingest::{events, resend, square};

    fn payment(declined: Option<&'static str>) -> Payment {
        Payment {
            id: "PAY1".to_owned(),
            order_id: "ORDER1".to_owned(),
            event: "11111111-1111-4111-8111-111111111111".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            amount: Cents(1250),
            declined,
            refunded: false,
        }
    }

    #[test]
    fn everything_that_is_said_is_understood() {
        let mut voice = Voice::new(7);
        let (mut requests, mut slow) = (0, 0);
        for second in 0..120 {
            let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
            for saying in voice.say(now, &[payment(None), payment(Some("CVV_FAILURE"))]) {
                match saying {
                    Saying::Events(lines) => {
                        let read = events::lines(lines.as_bytes()).expect("lines");
                        assert_eq!(read.rejected_total, 0, "{:?}", read.rejected);
                        requests += read.arrival.requests.len();
                        slow +=
                            read.arrival.queries.iter().filter(|query| query.took.as_millis() > 100).count();
                    }
                    Saying::Square(body) => {
                        let read = square::read(body.as_bytes()).expect("a letter");
                        assert!(read.letter.about.is_some() && read.unreadable.is_none());
                    }
                    Saying::Resend(id, body) => {
                        let read = resend::read(&id, body.as_bytes()).expect("a letter");
                        assert!(read.letter.about.is_some() && read.unreadable.is_none());
                    }
                    Saying::Ping(_) => {}
                }
            }
        }
        assert!(requests > 400 && slow > 0, "{requests} {slow}");
    }

    #[test]
    fn a_switch_is_heard() {
        let mut voice = Voice::new(7);
        assert_eq!(voice.set(Said::JobFails, true), [Saying::Ping("webhook-queue/1")]);
        voice.set(Said::RequestsFail, true);
        let said = voice.say(Timestamp::UNIX_EPOCH, &[]);
        let Some(Saying::Events(lines)) = said.last() else { panic!("{said:?}") };
        assert!(lines.contains("\"status\":500"), "{lines}");
    }
}
