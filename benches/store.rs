//! Two months of a hundred checks through the real store: how large the file gets, that it stops growing, and what a
//! write and a look back cost. Takes some minutes; `ATALAYA_BENCH_DAYS` and `ATALAYA_BENCH_CHECKS` make it longer or
//! shorter.
//!
//! Each check runs every ten seconds and is a row in each minute, so is each of twenty objectives, and what happened is
//! there as text; five minutes are one transaction, each hour is tidied. Facts are kept for three days, so they are
//! written in the last four days of each month only: the file is looked at there.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a benchmark measures real time")]

use atalaya::record::cells::{Cells, Side};
use atalaya::store::{Batch, HistogramRow, Look, Reader, Slice, SliceRow, Store};
use jiff::{SignedDuration, Timestamp};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const OBJECTIVES: usize = 20;
const RUNS_A_MINUTE: u32 = 6;
const MONTH: u32 = 30;

/// Minutes of one transaction.
const AT_ONCE: u32 = 5;

fn main() {
    let number = |name| std::env::var(name).ok().and_then(|number| number.parse::<u32>().ok());
    let days = number("ATALAYA_BENCH_DAYS").unwrap_or(2 * MONTH);
    let checks = number("ATALAYA_BENCH_CHECKS").unwrap_or(100);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    runtime.block_on(simulate(&folder.path().join("atalaya.db"), days, checks));
}

struct Shop {
    checks: Vec<Arc<str>>,
    objectives: Vec<Arc<str>>,
    random: fastrand::Rng,
}

async fn simulate(path: &Path, days: u32, checks: u32) {
    let mut shop = Shop {
        checks: (0..checks).map(|number| format!("check-number-{number}").into()).collect(),
        objectives: (0..OBJECTIVES).map(|number| format!("objective-number-{number}").into()).collect(),
        random: fastrand::Rng::with_seed(3),
    };
    // The last minute is now, so that everything that is kept is remembered at the end.
    let today = u32::try_from(Timestamp::now().as_second() / 86_400).unwrap();
    let (store, _) = Store::open(path).await.unwrap();
    let mut writes = Vec::new();
    let mut steps = Vec::new();
    for day in 0..days {
        let facts = day % MONTH >= MONTH - 4;
        for hour in 0..24 {
            let begin = ((today - days + day) * 24 + hour) * 60;
            for minute in (begin..begin + 60).step_by(AT_ONCE as usize) {
                let mut batch = Batch::default();
                (minute..minute + AT_ONCE).for_each(|minute| shop.minute(minute, facts, &mut batch));
                let begun = Instant::now();
                store.write(&batch).await.unwrap();
                writes.push(begun.elapsed());
            }
            let now = at(begin + 60);
            loop {
                let begun = Instant::now();
                let more = store.tidy_step(now).await.unwrap();
                steps.push(begun.elapsed());
                if !more {
                    break;
                }
            }
        }
        let month_ends = day % MONTH == MONTH - 1;
        if month_ends || day == 0 || day % 10 == 9 {
            println!("day {:>3}: {:.1} MiB", day + 1, mib(store.size_bytes()));
        }
        if month_ends {
            show(&Reader::open(path).await.unwrap().look().await.unwrap());
            tell("a transaction (five minutes, flushed)", &mut writes);
            tell("a step of tidying", &mut steps);
        }
    }
    store.close().await;
    look_back(path, at(today * 1440)).await;
}

impl Shop {
    fn minute(&mut self, minute: u32, facts: bool, batch: &mut Batch) {
        let mut lines = String::new();
        for (number, check) in self.checks.iter().enumerate() {
            let mut cells = Cells::default();
            for run in 0..RUNS_A_MINUTE {
                // Lognormal about the usual time of the check: twelve of these are as good as normal.
                let normal = (0..12).map(|_| self.random.f64()).sum::<f64>() - 6.0;
                let took = (2_000.0 * (1.0 + number as f64) * (0.6 * normal).exp()) as u64;
                let failed = self.random.u32(0..2000) == 0;
                cells.add(if failed { Side::Failed } else { Side::Good }, Duration::from_micros(took));
                if facts {
                    let (ns, ratio) = (self.random.u32(0..1_000_000_000), self.random.f64());
                    writeln!(
                        lines,
                        "{{\"at\":\"{}\",\"ran\":{{\"check\":\"{check}\",\"status\":\"ok\",\"took_us\":{took},\
                         \"measures\":{{\"connections_used_ratio\":{ratio},\"status_code\":200.0}}}}}}",
                        at(minute) + SignedDuration::new(i64::from(run) * 10, ns.cast_signed())
                    )
                    .unwrap();
                }
            }
            let failed = cells.count(Side::Failed) as u32;
            batch.histograms.push(HistogramRow {
                check: check.clone(),
                minute,
                counts: [RUNS_A_MINUTE - failed, 0, failed, 0, 0],
                good: cells.to_v2(Side::Good),
                failed: cells.to_v2(Side::Failed),
            });
        }
        for objective in &self.objectives {
            let (good, bad) = (self.random.u32(0..9), u32::from(self.random.u32(0..300) == 0));
            let slice = Slice { minute, good, bad, excluded: false };
            batch.slices.push(SliceRow { objective: objective.clone(), generation: 1, slice });
        }
        if facts {
            batch.facts.get_or_insert_with(|| (at(minute), String::new())).1.push_str(&lines);
        }
    }
}

async fn look_back(path: &Path, now: Timestamp) {
    let begun = Instant::now();
    let (store, remembered) = Store::open(path).await.unwrap();
    println!("opened, verified and {} slices remembered in {:?}", remembered.slices.len(), begun.elapsed());
    store.close().await;
    let mut reader = Reader::open(path).await.unwrap();
    for days in [1, 7, 28, 90] {
        let begun = Instant::now();
        let past =
            reader.past("check-number-7", now - SignedDuration::from_hours(days * 24), now).await.unwrap();
        let p95 = past.cells.quantiles(Side::Good, [0.95]).unwrap_or_default();
        println!("p95 over {days} days: {} s of {} runs in {:?}", p95[0], past.counts[0], begun.elapsed());
    }
}

fn show(look: &Look) {
    for table in look.tables.iter().filter(|table| table.rows > 0) {
        println!("    {:<18}{:>9} rows {:>7.1} MiB", table.name, table.rows, mib(table.bytes));
    }
    println!(
        "    {:.1} MiB, of it {:.1} MiB free; damaged: {:?}",
        mib(look.size_bytes),
        mib(look.free_bytes),
        look.damage
    );
}

fn tell(what: &str, took: &mut Vec<Duration>) {
    took.sort();
    let at = |share: usize| took[(took.len() - 1) * share / 1000];
    println!("    {what}: median {:?}, 99 % {:?}, longest {:?}", at(500), at(990), at(1000));
    took.clear();
}

fn at(minute: u32) -> Timestamp {
    Timestamp::from_second(i64::from(minute) * 60).unwrap()
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
