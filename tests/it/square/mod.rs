//! Square: the probe against the simulator and against answers that no simulator should give, and the simulator
//! against Square's own library.

mod definition;
mod odd_answers;
mod payments;
mod refusals;
mod simulator;

use crate::support::probe::{self as support, build, measure};
use crate::support::vendor::serve;
use atalaya::demo::square::{Ending, Square};
use atalaya::probe::{self, Look, Run};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// 2026-03-04T12:00:00Z: what time it is for the simulator and the probe.
const NOW: Timestamp = Timestamp::constant(1_772_625_600, 0);
const DECLINED: Ending = Ending::Declined("CVV_FAILURE");
const FAILED: Ending = Ending::Failed("PAYMENT_LIMIT_EXCEEDED");

async fn simulated() -> (Arc<Square>, String) {
    let square = Square::new(|| NOW);
    let url = serve(square.router()).await;
    (square, url)
}

fn ago(seconds: i64) -> Timestamp {
    NOW - SignedDuration::from_secs(seconds)
}

fn table(url: &str, more: &str) -> String {
    let token = Square::TOKEN;
    format!(
        "probe.square = {{ token = \"{token}\", environment = \"production\", api_url = \"{url}\", {more} }}"
    )
}

fn watch(url: &str, more: &str) -> Box<dyn Run> {
    build(&table(url, more), &[]).unwrap_or_else(|found| panic!("{more}\n{found:#?}"))
}

async fn look_with(run: &dyn Run, now: Timestamp) -> Look {
    probe::look(run, now, support::TIMEOUT).await
}

async fn look_at(url: &str, more: &str) -> Look {
    look_with(&*watch(url, more), NOW).await
}

fn value(look: &Look, name: &str) -> Option<f64> {
    measure(&look.outcome, name)
}

/// The number under a name and one label's value.
fn labelled(look: &Look, name: &str, label: &str) -> Option<f64> {
    let measures = look.outcome.measures.iter();
    let mut found =
        measures.filter(|measure| measure.name == name && measure.labels.iter().any(|(_, v)| v == label));
    found.next().map(|measure| measure.value)
}

#[track_caller]
fn check_values(look: &Look, expected: &[(&str, f64)]) {
    for (name, expected) in expected {
        assert_eq!(value(look, name), Some(*expected), "{name} in {:#?}", look.outcome);
    }
}
