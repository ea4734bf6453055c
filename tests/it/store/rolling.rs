//! Rolling up and forgetting: what is merged is exact, and the file stops growing.

use super::sample::{alert, at, cells, episode, histogram, minute, row, slice};
use super::{file, reopen};
use crate::support::judge;
use atalaya::record::cells::{Cells, Side};
use atalaya::store::{Batch, Reader, RowState, SliceRow, Store};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::path::Path;

pub(super) const DAY: i64 = 1440;
pub(super) const HOUR: i64 = 60;

async fn rows_of(path: &Path, table: &str) -> u64 {
    let look = Reader::open(path).await.expect("a reader").look().await.expect("a look");
    assert_eq!(look.damage, Vec::<String>::new());
    look.tables.iter().find(|known| known.name == table).expect("a table").rows
}

/// The runs of a check in a minute: some good, sometimes failed ones, sometimes none.
fn runs(check: i64, minute: i64) -> Cells {
    let mut random = fastrand::Rng::with_seed(check.cast_unsigned() << 32 | minute.cast_unsigned());
    let good: Vec<u64> = (0..random.u8(0..4)).map(|_| random.u64(500..90_000)).collect();
    let failed: Vec<u64> = (0..random.u8(0..9) / 8).map(|_| random.u64(1_000_000..9_000_000)).collect();
    cells(&good, &failed)
}

/// Runs of checks in the minutes before now, from the one to the other.
pub(super) async fn write_runs(store: &Store, checks: i64, minutes: std::ops::Range<i64>) {
    let row = |check, after| histogram(&format!("check-{check}"), minute(after), &runs(check, after));
    let minutes: Vec<i64> = minutes.collect();
    for some in minutes.chunks(120) {
        let histograms =
            some.iter().flat_map(|after| (0..checks).map(move |check| row(check, *after))).collect();
        store.write(&Batch { histograms, ..Batch::default() }).await.expect("written");
    }
}

/// What the minutes in a window add up to, counted by hand.
pub(super) fn expected(check: i64, minutes: std::ops::Range<i64>) -> ([u64; 5], Cells) {
    let (mut counts, mut merged) = ([0; 5], Cells::default());
    for minute in minutes {
        let runs = runs(check, minute);
        counts = [
            counts[0] + runs.count(Side::Good),
            0,
            counts[2] + runs.count(Side::Failed),
            counts[3] + 1,
            counts[4] + 2,
        ];
        merged.merge(&runs);
    }
    (counts, merged)
}

/// A window as the store tells it is the merge of its minutes.
async fn check(path: &Path, minutes: std::ops::Range<i64>, told: std::ops::Range<i64>) {
    let mut reader = Reader::open(path).await.expect("a reader");
    let past =
        reader.past("check-1", minute_at(minutes.start), minute_at(minutes.end)).await.expect("the past");
    let (counts, cells) = expected(1, told);
    assert_eq!(past.counts, counts, "{minutes:?}");
    assert_eq!(past.cells, cells, "{minutes:?}");
}

pub(super) fn minute_at(after: i64) -> Timestamp {
    Timestamp::from_second(i64::from(minute(after)) * 60).expect("a moment")
}

/// Minutes from now back to where an hour or a day began.
pub(super) fn floor(after: i64, span: i64) -> i64 {
    (i64::from(minute(after)) / span * span) - i64::from(minute(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn any_window_is_the_merge_of_its_minutes() {
    let path = file("rolling");
    let (store, _) = Store::open(&path).await.expect("a new store");
    let begun = floor(-3 * DAY, DAY);
    write_runs(&store, 2, begun..0).await;
    store.tidy(at(0)).await.expect("tidied");
    let kept = rows_of(&path, "histogram_minute").await;
    assert!((26 * 60 * 2..=27 * 60 * 2).contains(&kept), "{kept} minutes of two checks are kept");
    check(&path, begun..0, begun..0).await;
    check(&path, -HOUR..0, -HOUR..0).await;
    check(&path, -333..-77, -333..-77).await;
    check(&path, -DAY..-1, -DAY..-1).await;
    check(&path, begun..begun + DAY, begun..begun + DAY).await;
    // Minutes of the second day are gone: a border in an hour takes the hour.
    let border = begun + DAY + 5 * HOUR + 20;
    check(&path, border..-5, border - 20..-5).await;
    // Of what was before everything nothing is told, and nothing is asked a minute at a time.
    check(&path, -400 * DAY..begun + DAY, begun..begun + DAY).await;
    check(&path, -400 * DAY..-300 * DAY, 0..0).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minute_that_comes_late_is_added_to_its_hour_and_day_once() {
    let path = file("late");
    let (store, _) = Store::open(&path).await.expect("a new store");
    let begun = floor(-2 * DAY, DAY);
    // The minutes at 7 and at 700 come late: one when its hour is made, one when the others of its hour are gone.
    write_runs(&store, 2, begun..begun + 7).await;
    write_runs(&store, 2, begun + 8..begun + 700).await;
    write_runs(&store, 2, begun + 701..begun + DAY).await;
    let then = minute_at(begun + 3 * HOUR);
    store.tidy(then).await.expect("tidied");
    write_runs(&store, 2, begun + 7..begun + 8).await;
    store.tidy(then).await.expect("tidied");
    store.tidy(minute_at(begun + 4 * DAY)).await.expect("tidied");
    assert_eq!(rows_of(&path, "histogram_minute").await, 0);
    write_runs(&store, 2, begun + 700..begun + 701).await;
    store.tidy(minute_at(begun + 4 * DAY)).await.expect("tidied");
    assert_eq!(rows_of(&path, "histogram_minute").await, 0);
    check(&path, begun..begun + DAY, begun..begun + DAY).await;
    check(&path, begun + 11 * HOUR..begun + 12 * HOUR, begun + 11 * HOUR..begun + 12 * HOUR).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn days_that_are_long_past_are_kept_with_two_digits_and_counts_stay_exact() {
    let path = file("coarse");
    let (store, _) = Store::open(&path).await.expect("a new store");
    let begun = floor(-100 * DAY, DAY);
    write_runs(&store, 2, begun..begun + 300).await;
    write_runs(&store, 2, begun + 20 * DAY..begun + 20 * DAY + 300).await;
    store.tidy(at(0)).await.expect("tidied");
    let mut reader = Reader::open(&path).await.expect("a reader");
    let mut past = async |from: i64| {
        reader.past("check-1", minute_at(from), minute_at(from + DAY)).await.expect("the past")
    };
    let (counts, cells) = expected(1, begun..begun + 300);
    let old = past(begun).await;
    assert_eq!((old.counts, &old.cells), (counts, &cells.coarse()));
    assert_ne!(old.cells, cells);
    let (counts, cells) = expected(1, begun + 20 * DAY..begun + 20 * DAY + 300);
    let newer = past(begun + 20 * DAY).await;
    assert_eq!((newer.counts, newer.cells), (counts, cells));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn minutes_of_objectives_are_exact_for_ninety_days_also_when_they_change_late() {
    let path = file("slices");
    let (store, _) = Store::open(&path).await.expect("a new store");
    let mut expected: BTreeMap<(u32, String), SliceRow> = BTreeMap::new();
    let mut random = fastrand::Rng::with_seed(11);
    let mut write = async |minutes: Vec<i64>, random: &mut fastrand::Rng| {
        let one = |after: &i64| {
            let objective = format!("objective-{}", random.u8(0..3));
            slice(&objective, minute(*after), random.u32(0..5), random.u32(0..2))
        };
        let slices: Vec<SliceRow> = minutes.iter().map(one).collect();
        for row in &slices {
            expected.insert((row.slice.minute, row.objective.to_string()), row.clone());
        }
        store.write(&Batch { slices, ..Batch::default() }).await.expect("written");
    };
    // A day that is forgotten, days around it, an hour that may still change.
    write((-92 * DAY..-91 * DAY - 10).step_by(7).collect(), &mut random).await;
    write((-89 * DAY..-86 * DAY).step_by(3).collect(), &mut random).await;
    write((-2 * DAY..0).collect(), &mut random).await;
    store.tidy(at(0)).await.expect("tidied");
    // What a provider tells days later.
    write((-88 * DAY..-87 * DAY).step_by(11).collect(), &mut random).await;
    write((-DAY..-3 * HOUR).step_by(5).collect(), &mut random).await;
    let remembered = async || {
        store_slices(&path)
            .await
            .into_iter()
            .map(|row| ((row.slice.minute, row.objective.to_string()), row))
            .collect()
    };
    expected.retain(|(minute, _), _| *minute > super::sample::minute(-90 * DAY));
    let before: BTreeMap<_, _> = remembered().await;
    assert_eq!(before, expected);
    store.tidy(at(0)).await.expect("tidied");
    assert_eq!(remembered().await, expected);
    assert!(rows_of(&path, "slice").await <= 180, "all but the newest are packed");
    assert!(rows_of(&path, "slice_day").await <= 8 * 3);
    store.close().await;
}

/// Read beside the one who writes, as exported.
async fn store_slices(path: &Path) -> Vec<SliceRow> {
    let mut lines = Vec::new();
    let mut reader = Reader::open(path).await.expect("a reader");
    let mut keep = |line: &str| {
        lines.push(line.to_owned());
        true
    };
    reader.slices(&mut keep).await.expect("slices");
    let number =
        |value: &serde_json::Value| u32::try_from(value.as_u64().expect("a number")).expect("a count");
    let parse = |line: &String| {
        let value: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        let at: Timestamp = value["minute"].as_str().expect("a moment").parse().expect("a moment");
        let minute = u32::try_from(at.as_second() / 60).expect("a minute");
        let generation =
            u64::from_str_radix(value["generation"].as_str().expect("a text"), 16).expect("a number");
        let mut row = slice(
            value["objective"].as_str().expect("a name"),
            minute,
            number(&value["good"]),
            number(&value["bad"]),
        );
        assert_eq!(
            (row.generation, row.slice.excluded),
            (generation, value["excluded"].as_bool().expect("a mark"))
        );
        row.generation = generation;
        row
    };
    lines.iter().map(parse).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_bounded_in_time_and_number_and_what_waits_is_not() {
    let path = file("history");
    let (store, _) = Store::open(&path).await.expect("a new store");
    let day = 86_400;
    let outbox =
        (0..5_300).map(|number| row(&format!("{number:x}"), number - 9_000, RowState::Delivered)).collect();
    let mut batch = Batch { outbox, ..Batch::default() };
    batch.outbox.push(row("aaaaa", -31 * day, RowState::Refused));
    batch.outbox.push(row("bbbbb", -20 * day, RowState::Pending));
    for (number, age) in [(1, 401), (2, 399)] {
        let mut alert = alert(number, "{}");
        let mut over = episode(number, true);
        over.ended = Some(at(-age * day));
        alert.episode = Some(over);
        batch.alerts.push(alert);
    }
    store.write(&batch).await.expect("written");
    store.tidy(at(0)).await.expect("tidied");
    assert_eq!(rows_of(&path, "outbox").await, 5_000 + 1);
    assert_eq!(rows_of(&path, "episode").await, 1);
    store.close().await;
    let found = reopen(&path).await;
    assert!(found.outbox.iter().any(|row| row.key.ends_with("bbbbb")), "it waits");
    assert!(
        found.outbox.iter().any(|row| row.key == format!("{:0>32}", format!("{:x}", 5_299))),
        "the newest stay"
    );
    assert_eq!(found.alerts.len(), 2, "a state is no history");
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_are_kept_in_order_for_three_days_and_found_by_time() {
    let path = file("facts");
    let (store, _) = Store::open(&path).await.expect("a new store");
    let line = |second: i64| {
        format!("{{\"at\":\"{}\",\"ran\":{{\"check\":\"site\",\"took_us\":{second}}}}}\n", at(second))
    };
    let minutes: Vec<i64> = (-4 * DAY..0).step_by(4).collect();
    for minute in &minutes {
        let lines: String = (0..20).map(|second| line(minute * 60 + second)).collect();
        store
            .write(&Batch { facts: Some((at(minute * 60), lines)), ..Batch::default() })
            .await
            .expect("written");
    }
    store.tidy(at(0)).await.expect("tidied");
    let chunks = rows_of(&path, "fact").await;
    assert!(chunks < 540, "{chunks} chunks of {}", minutes.len());
    let all = facts(&path, Timestamp::MIN, Timestamp::MAX).await;
    let kept = all.first().expect("a fact");
    let oldest = minutes
        .iter()
        .map(|minute| line(minute * 60))
        .find(|line| line == kept)
        .expect("the beginning of a chunk");
    assert!(all.len() >= 3 * 360 * 20 && all.len() < 4 * 360 * 20, "{} facts", all.len());
    let expected: Vec<String> =
        minutes.iter().flat_map(|minute| (0..20).map(move |second| line(minute * 60 + second))).collect();
    let from = expected.iter().position(|line| *line == oldest).expect("it");
    assert_eq!(all, expected[from..]);
    let (from, to) = (at(-DAY * 60 + 3), at(-DAY * 60 + 250));
    let expected: Vec<String> = (3..20).chain(240..250).map(|second| line(-DAY * 60 + second)).collect();
    assert_eq!(facts(&path, from, to).await, expected);
    store.close().await;
}

async fn facts(path: &Path, from: Timestamp, to: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    let mut keep = |line: &str| {
        lines.push(format!("{line}\n"));
        true
    };
    Reader::open(path).await.expect("a reader").facts(from, to, &mut keep).await.expect("facts");
    lines
}

/// Days of a small shop, one after the other: from the second month on the file does not grow.
#[tokio::test(flavor = "multi_thread")]
async fn the_file_stops_growing() {
    let path = file("growth");
    let (store, _) = Store::open(&path).await.expect("a new store");
    let mut sizes = Vec::new();
    for day in 0..48 {
        let mut batch = Batch::default();
        for minute_of_day in (0..DAY).step_by(20) {
            let after = day * DAY + minute_of_day;
            batch.histograms.push(histogram("site", minute(after), &runs(1, after)));
            batch.slices.push(slice("payments", minute(after), 3, 0));
        }
        let noise: String = (0..20_000).map(|_| fastrand::alphanumeric()).collect();
        batch.facts = Some((at(day * DAY * 60), format!("{{\"noise\":\"{noise}\"}}\n")));
        batch.outbox = (0..30)
            .map(|number| row(&format!("{day:x}f{number:x}"), day * DAY * 60 + number, RowState::Delivered))
            .collect();
        store.write(&batch).await.expect("written");
        store.tidy(at(0) + SignedDuration::from_hours((day + 1) * 24)).await.expect("tidied");
        sizes.push(store.size_bytes());
    }
    let (before, after) =
        (sizes[..36].iter().max().expect("a size"), sizes[36..].iter().max().expect("a size"));
    assert!(after <= &(before + before / 20), "{before} bytes in the first month, {after} later: {sizes:?}");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_histogram_of_another_language_reads_what_was_merged() {
    let path = file("python");
    let (store, _) = Store::open(&path).await.expect("a new store");
    let begun = floor(-4 * HOUR, HOUR);
    write_runs(&store, 1, begun..begun + HOUR).await;
    store.tidy(at(0)).await.expect("tidied");
    store.close().await;
    let mut lines = Vec::new();
    let mut keep = |line: &str| {
        lines.push(line.to_owned());
        true
    };
    Reader::open(&path).await.expect("a reader").histograms(&mut keep).await.expect("histograms");
    let hour = lines.iter().find(|line| line.contains("\"seconds\":3600")).expect("an hour");
    let program = "
import json, sys
from hdrh.histogram import HdrHistogram
row = json.loads(sys.stdin.read())
for side in ('good', 'failed'):
    histogram = HdrHistogram.decode(row[side])
    for item in histogram.get_recorded_iterator():
        lowest = histogram.get_lowest_equivalent_value(item.value_iterated_to)
        print(side, lowest, item.count_at_value_iterated_to)
";
    let (_, cells) = expected(0, begun..begun + HOUR);
    // Cells of failed runs are marked by their highest bit.
    let line = |(cell, count): (u32, u32)| match cell.checked_sub(1 << 31) {
        None => format!("good {cell} {count}\n"),
        Some(cell) => format!("failed {cell} {count}\n"),
    };
    let cells: String = cells.pack().iter().map(line).collect();
    assert!(cells.contains("good") && cells.contains("failed"));
    let told = judge::python(program, hour).expect("it reads it");
    assert_eq!(told, cells);
}
