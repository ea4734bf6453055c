//! `webhook_log`: what a vendor sent here beside what the shop has logged.

use super::{NOW, ago};
use crate::support::postgres;
use crate::support::probe::{build, build_faults, measure, verdict};
use atalaya::ingest::{Pings, Received, Source, Sum, Told, Vendor};
use atalaya::probe::{self, Context, Look};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// What was received, without anything that receives.
struct Letters(Vec<(String, Timestamp)>);

fn none<'a, T: Send + 'a>() -> Told<'a, T> {
    Box::pin(async { Err("nobody asks for this".to_owned()) })
}

impl Received for Letters {
    fn pings<'a>(&'a self, _: &'a str, _: Timestamp) -> Told<'a, Pings> {
        none()
    }

    fn sum(&self, _: Source, _: Timestamp, _: Timestamp) -> Told<'_, Sum> {
        none()
    }

    fn silence(&self, _: Source, _: Timestamp) -> Told<'_, Duration> {
        none()
    }

    fn letters(&self, vendor: Vendor, from: Timestamp, to: Timestamp) -> Told<'_, Vec<(String, Timestamp)>> {
        assert_eq!(vendor, Vendor::Square);
        let inside = self.0.iter().filter(move |(_, at)| *at >= from && *at < to);
        let inside = inside.cloned().collect();
        Box::pin(async { Ok(inside) })
    }

    fn set_aside(&self, _: Vendor) -> Told<'_, u64> {
        none()
    }
}

const QUERY: &str =
    "select webhook_id as id from webhook_logs where created_at >= $from and created_at < $to";

fn table(url: &str, query: &str) -> String {
    format!(
        "probe.webhook_log = {{ vendor = 'square', sent_with = 'k', url = '{url}', query = '{query}', window = '1h', lag = '5m', slack = '10m' }}"
    )
}

/// A shop that has logged these, each so many seconds ago.
fn shop(name: &str, logged: &[(&str, i64)]) -> String {
    let url = postgres::database(name);
    postgres::query(&url, "create table webhook_logs (webhook_id text, created_at timestamp(3))");
    for (id, seconds) in logged {
        let time = ago(*seconds).strftime("%F %T%.3f");
        postgres::query(&url, &format!("insert into webhook_logs values ('{id}', '{time}')"));
    }
    url
}

async fn look(url: &str, sent: Option<&[(&str, i64)]>) -> Look {
    let run = build(&table(url, QUERY), &[]).unwrap_or_else(|found| panic!("{found:#?}"));
    let mut cx = Context::new(NOW, Duration::from_secs(10));
    cx.received = sent.map(|sent| {
        let letters = sent.iter().map(|(id, seconds)| ((*id).to_owned(), ago(*seconds)));
        Arc::new(Letters(letters.collect())) as Arc<dyn Received>
    });
    probe::look_on(&*run, cx).await
}

fn counts(look: &Look) -> [Option<f64>; 3] {
    ["webhooks_compared", "webhooks_missed", "webhooks_unheard"].map(|name| measure(&look.outcome, name))
}

#[tokio::test]
async fn what_was_sent_here_and_not_logged_there_is_found() {
    let url = shop("webhooks_missed", &[("a", 1_000), ("b", 3_902), ("c", 100), ("unheard", 2_000)]);
    // `b` and `c` were logged out of the window, `late` has time left, `old` is of no interest any more.
    let sent = [
        ("a", 1_001),
        ("b", 3_800),
        ("c", 301),
        ("lost1", 1_200),
        ("lost2", 900),
        ("late", 299),
        ("old", 3_901),
    ];
    let found = look(&url, Some(&sent)).await;
    assert_eq!(
        verdict(&found),
        "failed assertion: 2 webhooks that square sent the shop has not logged: lost1, lost2"
    );
    assert_eq!(counts(&found), [Some(5.0), Some(2.0), Some(1.0)]);
    let well = look(&url, Some(&sent[..3])).await;
    assert_eq!(verdict(&well), "ok");
    assert_eq!(counts(&well), [Some(3.0), Some(0.0), Some(1.0)]);
}

#[tokio::test]
async fn who_was_sent_nothing_can_not_tell() {
    let url = shop("webhooks_unheard", &[("a", 1_000), ("b", 2_000)]);
    let silent = look(&url, Some(&[])).await;
    assert_eq!(
        verdict(&silent),
        "unknown assertion: square has sent nothing here, while the shop has logged 2 webhooks: add Atalaya's address to square's subscriptions"
    );
    let once = look(&url, None).await;
    assert_eq!(
        verdict(&once),
        "unknown assertion: nothing is received here: only a running agent that takes webhooks in can tell what was missed"
    );
    let quiet = look(&shop("webhooks_quiet", &[]), Some(&[])).await;
    assert_eq!(verdict(&quiet), "ok");
    assert_eq!(counts(&quiet), [Some(0.0), Some(0.0), Some(0.0)]);
}

#[tokio::test]
async fn its_query_names_ids_and_nothing_else() {
    let faults = build_faults(&table("postgresql://a:b@127.0.0.1/shop", &QUERY.replace(" as id", "")));
    assert_eq!(faults, ["query: the query must name one column, `id`, and no other"]);
    let faults = build_faults(&table("postgresql://a:b@127.0.0.1/shop", "select id from webhook_logs"));
    assert_eq!(faults, ["query: the query has no `$from` and `$to`, so it would read the whole table"]);
}
