//! What the agent says of taking what others say. It happens some hundred times a second at most, so names are looked up
//! each time.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use std::time::Duration;

/// The family whose buckets are those of a write.
pub const WRITE: &str = "atalaya_ingest_write_duration_seconds";

/// What became of a request that brought something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Taken,
    /// It had come before.
    Known,
    /// It can't be read, or a part of it.
    Malformed,
    /// Nobody knows who sent it.
    Forged,
    /// There was no room.
    Full,
    /// It could not be written down.
    Ill,
}

impl Fate {
    const fn as_str(self) -> &'static str {
        match self {
            Fate::Taken => "taken",
            Fate::Known => "known",
            Fate::Malformed => "malformed",
            Fate::Forged => "forged",
            Fate::Full => "full",
            Fate::Ill => "ill",
        }
    }
}

pub fn describe() {
    describe_counter!(
        "atalaya_ingest_requests_total",
        "Requests that brought something, by what became of them."
    );
    describe_counter!("atalaya_ingest_items_total", "Spans, events, letters and pings that were taken.");
    describe_counter!(
        "atalaya_ingest_rejected_items_total",
        "Spans and events in bodies that were else taken, which can't be read."
    );
    describe_counter!(
        "atalaya_ingest_other_names_total",
        "Requests, slow queries and events that were counted under `(other)`: too many names."
    );
    describe_gauge!("atalaya_ingest_up", "1 if what the shop says can be written down.");
    describe_gauge!("atalaya_ingest_waiting", "Requests whose content waits to be written.");
    describe_histogram!(
        WRITE,
        Unit::Seconds,
        "How long writing down what came took, for all that waited together."
    );
    describe_counter!("atalaya_letters_total", "Letters of vendors by what became of them.");
    // A counter that begins with its first refusal has no increase that an alert could see.
    for kind in KINDS {
        counter!("atalaya_ingest_requests_total", "kind" => kind, "result" => Fate::Full.as_str())
            .increment(0);
    }
    letters(0, 0);
}

/// What comes in one request.
const KINDS: [&str; 5] = ["otlp", "events", "square", "resend", "heartbeat"];

/// A request of this kind had this fate.
pub fn request(kind: &'static str, fate: Fate) {
    counter!("atalaya_ingest_requests_total", "kind" => kind, "result" => fate.as_str()).increment(1);
}

/// So many of what it brought were taken, so many can't be read.
pub fn items(kind: &'static str, taken: u64, rejected: u64) {
    counter!("atalaya_ingest_items_total", "kind" => kind).increment(taken);
    counter!("atalaya_ingest_rejected_items_total", "kind" => kind).increment(rejected);
}

pub fn waiting(number: usize) {
    gauge!("atalaya_ingest_waiting").set(number as f64);
}

/// Since the process began.
pub fn other_names(number: u64) {
    counter!("atalaya_ingest_other_names_total").absolute(number);
}

/// A transaction ended.
pub fn written(took: Duration) {
    histogram!(WRITE).record(took.as_secs_f64());
}

pub fn up(up: bool) {
    gauge!("atalaya_ingest_up").set(f64::from(u8::from(up)));
}

/// Letters were worked through, or lie aside.
pub fn letters(done: u32, aside: u32) {
    counter!("atalaya_letters_total", "result" => "done").increment(done.into());
    counter!("atalaya_letters_total", "result" => "aside").increment(aside.into());
}
