//! What pages are told of the past: it is the merge of the minutes that were written, and what can't be read is said.

use super::file;
use super::rolling::{DAY, HOUR, expected, floor, minute_at, write_runs};
use super::sample::{at, minute, slice};
use atalaya::app::almanac::{Almanac, Span, Unread};
use atalaya::record::cells::{Cells, Side};
use atalaya::record::windows::Counts;
use atalaya::store::{Batch, Reader, Store};
use atalaya::view::QUANTILES;
use atalaya::view::past::{DAYS, DayOfObjective, Days};
use std::ops::Range;
use std::path::Path;

fn numbers(counts: Counts) -> [u64; 5] {
    [counts.ok, counts.degraded, counts.failed, counts.unknown, counts.dropped]
}

/// The minutes of each of the last days, from minutes before now on.
fn days_since(begun: i64) -> impl Iterator<Item = Range<i64>> {
    (0..)
        .map(move |day| begun + day * DAY)
        .take_while(|start| *start < 0)
        .map(|start| start..(start + DAY).min(0))
}

fn check_days(days: &Days, begun: i64) {
    let entries = &days.checks["check-1"];
    let told: Vec<[u64; 5]> = days_since(begun).map(|minutes| expected(1, minutes).0).collect();
    let (before, known) = entries.split_at(DAYS as usize - told.len());
    assert!(before.iter().all(Option::is_none), "nothing was measured before");
    let known: Vec<[u64; 5]> = known.iter().map(|day| numbers(day.expect("a day"))).collect();
    assert_eq!(known, told);
}

#[tokio::test(flavor = "multi_thread")]
async fn days_windows_and_charts_are_the_merges_of_their_minutes() {
    let path = file("history");
    let (store, _) = Store::open(&path).await.expect("a new store");
    let begun = floor(-3 * DAY, DAY);
    write_runs(&store, 2, begun..-2 * HOUR).await;
    store.tidy(minute_at(-2 * HOUR)).await.expect("tidied");
    let mut reader = Reader::open(&path).await.expect("a reader");
    let early = reader.days(at(0), None).await.expect("days");
    // What came since is seen by who reads only what may have changed.
    write_runs(&store, 2, -2 * HOUR..0).await;
    let late = reader.days(at(0), Some(&early)).await.expect("days");
    check_days(&late, begun);
    assert_eq!(reader.days(at(0), None).await.expect("days"), late);
    assert_ne!(early, late);

    for length in [1, 2, 7] {
        let windows = reader.windows(at(0), length).await.expect("windows");
        let from = (floor(0, DAY) - DAY * (i64::from(length) - 1)).max(begun);
        let (counts, cells) = expected(1, from..0);
        let found = &windows["check-1"];
        assert_eq!(numbers(found.counts), counts, "{length} days");
        assert_eq!(found.good, cells.quantiles(Side::Good, QUANTILES), "{length} days");
    }
    for (step, columns) in [(1, 60), (5, 72), (15, 96), (60, 168), (360, 20), (1440, 90)] {
        let map = reader.heat_map("check-1", at(0), step, columns).await.expect("a map");
        let first = map.from.as_second() / 60 - i64::from(minute(0));
        assert_eq!(map.columns.len(), columns as usize);
        for (number, column) in (0..).zip(&map.columns) {
            let from = first + number * i64::from(step);
            let minutes = from.max(begun)..(from + i64::from(step)).min(0).max(begun);
            let (counts, cells) = expected(1, minutes);
            assert_eq!(
                (numbers(column.counts), &column.cells),
                (counts, &cells),
                "{step} minutes, column {number}"
            );
        }
    }
    assert!(
        reader
            .heat_map("check-9", at(0), 60, 9)
            .await
            .expect("a map")
            .columns
            .iter()
            .all(|one| one.cells == Cells::default())
    );
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn days_of_a_promise_are_the_sums_of_its_minutes() {
    let path = file("promised");
    let (store, _) = Store::open(&path).await.expect("a new store");
    let begun = floor(-4 * DAY, DAY);
    let row = |after: i64| {
        slice(
            "site",
            minute(after),
            u32::try_from(after.rem_euclid(5)).expect("small"),
            u32::from(after % 11 == 0),
        )
    };
    let slices = (begun..0).filter(|after| after % 3 != 0).map(row).collect();
    store.write(&Batch { slices, ..Batch::default() }).await.expect("written");
    let told: Vec<DayOfObjective> = days_since(begun)
        .map(|minutes| {
            let mut day = DayOfObjective::default();
            minutes.filter(|after| after % 3 != 0).for_each(|after| day.add(row(after).slice));
            day
        })
        .collect();
    let named = [("site".into(), row(0).generation), ("other".into(), 1)];
    let mut reader = Reader::open(&path).await.expect("a reader");
    let fresh = reader.objective_days(&named, at(0), None).await.expect("days");
    // Days that are over are packed; it is the same past.
    store.tidy(at(0)).await.expect("tidied");
    for before in [None, Some(&fresh)] {
        let days = reader.objective_days(&named, at(0), before).await.expect("days");
        let (before, known) = days.objectives["site"].split_at(DAYS as usize - told.len());
        assert!(before.iter().all(|day| *day == DayOfObjective::default()));
        assert_eq!(known, told);
        assert!(days.objectives["other"].iter().all(|day| day.measured == 0));
    }
    let of_another = [("site".into(), 1)];
    let days = reader.objective_days(&of_another, at(0), None).await.expect("days");
    assert!(
        days.objectives["site"].iter().all(|day| day.measured == 0),
        "another indicator has another past"
    );
    store.close().await;
}

fn spoil(path: &Path) {
    let length = std::fs::metadata(path).expect("a file").len();
    std::fs::write(path, vec![0x55; usize::try_from(length).expect("a length")]).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_said_and_what_was_read_is_kept() {
    let nothing = Almanac::new(None).days().await;
    assert_eq!(nothing, Err(Unread("this agent keeps nothing: it was started without a store".to_owned())));
    let path = file("unread");
    let almanac = Almanac::new(Some(path.clone()));
    let missing = almanac.days().await.expect_err("there is no file").0;
    assert!(missing.contains("there is no such file"), "{missing}");

    let (store, _) = Store::open(&path).await.expect("a new store");
    write_runs(&store, 2, -90..0).await;
    let days = almanac.days().await.expect("days");
    check_days(&days, -90);
    store.close().await;
    for suffix in ["-wal", "-shm"] {
        std::fs::remove_file(path.with_file_name(format!("atalaya.db{suffix}"))).ok();
    }
    spoil(&path);
    assert_eq!(almanac.days().await.as_ref(), Ok(&days));
    let almanac = Almanac::new(Some(path.clone()));
    for _ in 0..2 {
        let spoilt = almanac.windows(Span::Week).await.expect_err("the file is spoilt").0;
        assert!(spoilt.contains(&path.display().to_string()), "{spoilt}");
    }

    // Whoever asks after the file has been put in order is answered.
    std::fs::remove_file(&path).expect("removed");
    let (store, _) = Store::open(&path).await.expect("a new store");
    write_runs(&store, 2, -90..0).await;
    let windows = almanac.windows(Span::Week).await.expect("windows");
    assert_eq!(numbers(windows["check-1"].counts), expected(1, -90..0).0);
    assert!(minute_at(-90) < at(0));
    store.close().await;
}
