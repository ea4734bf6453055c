//! Whether the mean of a value is still what it usually is (`slo.md` §3), from sums of days.
//!
//! Weeks are compared with weeks, so that no model of seasons is needed: the last seven days against the eight blocks
//! of seven before them, in units of what chance and the weeks themselves explain. A busy shop's single day is compared
//! with the same weekday of eight weeks besides, which finds a fault days sooner.

use crate::judge::chance::median;
use crate::judge::standing::Baseline;
use crate::store::Day;
use std::collections::BTreeMap;

/// Days that are needed before anything is said: five blocks.
const LEARNS: u32 = 35;
const BLOCK: u32 = 7;
/// Blocks to compare with, and how far back empty ones may be made up for.
const BLOCKS: usize = 8;
const BLOCKS_BACK: u32 = 12;
/// With the block that is judged, five.
const BLOCKS_MIN: usize = 4;
const COUNT_MIN: u64 = 30;
/// So many in a day make a day worth judging by itself.
const DAILY_MIN: u64 = 200;
const SCORE_FIRES: f64 = 3.5;
const SCORE_CLEARS: f64 = 2.0;
const EFFECT: f64 = 0.15;
const EFFECT_DAILY: f64 = 0.2;
/// Days that are kept: the blocks and the block that is judged, and some to judge anew after a start.
pub const KEPT: u32 = (BLOCKS_BACK + 1) * BLOCK + 28;

/// The days of one baseline and what was concluded from them.
#[derive(Debug, Default)]
pub struct Days {
    days: BTreeMap<u32, Day>,
    judged: Judged,
}

/// The conclusion, carried from day to day.
#[derive(Debug, Clone, Copy, Default)]
pub struct Judged {
    /// The last day that was judged.
    day: Option<u32>,
    /// How many days in a row the week was out of the ordinary.
    row: u32,
    pub firing: bool,
    pub week: Option<Baseline>,
    pub latest: Option<Baseline>,
}

impl Days {
    pub fn new(days: impl IntoIterator<Item = Day>) -> Days {
        let days: BTreeMap<u32, Day> = days.into_iter().map(|day| (day.day, day)).collect();
        let mut this = Days { days, judged: Judged::default() };
        // What was concluded day by day is concluded again; the last day may not be over.
        if let Some(last) = this.days.keys().next_back().copied() {
            this.judge(last);
        }
        this
    }

    pub fn get_mut(&mut self, day: u32) -> &mut Day {
        self.days.entry(day).or_insert(Day { day, count: 0, sum: 0.0, squares: 0.0 })
    }

    pub fn get(&self, day: u32) -> Option<Day> {
        self.days.get(&day).copied()
    }

    pub fn judged(&self) -> &Judged {
        &self.judged
    }

    /// Judges every day before this one that was not judged yet.
    pub fn judge(&mut self, before: u32) {
        let Some(first) = self.days.keys().next().copied() else { return };
        let from = self.judged.day.map_or(first, |day| day + 1).max(before.saturating_sub(KEPT));
        for day in from..before {
            self.judge_day(day, first);
        }
        self.days = self.days.split_off(&before.saturating_sub(KEPT));
    }

    /// Days that are still to be learnt from before it judges; zero once it does.
    pub fn days_to_learn(&self, today: u32) -> u32 {
        let first = self.days.keys().next().copied().unwrap_or(today);
        LEARNS.saturating_sub(today.saturating_sub(first))
    }

    fn judge_day(&mut self, day: u32, first: u32) {
        self.judged.day = Some(day);
        self.judged.week = None;
        self.judged.latest = None;
        if day + 1 < first + LEARNS {
            return;
        }
        let week = self.compare(day, BLOCK, COUNT_MIN);
        let latest = self.compare(day, 1, DAILY_MIN);
        let out = |found: Option<Baseline>, effect| found.is_some_and(|found| is_out(&found, effect));
        let over = |found: Option<Baseline>| found.is_none_or(|found| found.score.abs() < SCORE_CLEARS);
        self.judged.row = if out(week, EFFECT) { self.judged.row + 1 } else { 0 };
        if self.judged.row >= 2 || out(latest, EFFECT_DAILY) {
            self.judged.firing = true;
        } else if week.is_some() && over(week) && over(latest) {
            self.judged.firing = false;
        }
        (self.judged.week, self.judged.latest) = (week, latest);
    }

    /// The `length` days up to `day` against the same days of the weeks before; `None` with too few of either.
    fn compare(&self, day: u32, length: u32, count_min: u64) -> Option<Baseline> {
        let now = self.block(day, length)?;
        if now.count < count_min {
            return None;
        }
        let before = (1..=BLOCKS_BACK).filter_map(|week| self.block(day.checked_sub(week * BLOCK)?, length));
        let mut means: Vec<f64> = before.map(|block| block.mean()).take(BLOCKS).collect();
        if means.len() < BLOCKS_MIN {
            return None;
        }
        let correction = small_sample(means.len());
        let usual = median(&mut means)?;
        let mut distances: Vec<f64> = means.iter().map(|mean| (mean - usual).abs()).collect();
        let spread = 1.4826 * correction * median(&mut distances)?;
        let unit = spread.max(now.error()).max(0.02 * usual.abs()).max(f64::MIN_POSITIVE);
        let value = now.mean();
        Some(Baseline {
            value,
            count: now.count,
            usual,
            lower: usual - SCORE_FIRES * unit,
            upper: usual + SCORE_FIRES * unit,
            score: (value - usual) / unit,
        })
    }

    /// The sums of some days; `None` where nothing was counted.
    fn block(&self, last: u32, length: u32) -> Option<Block> {
        let first = (last + 1).checked_sub(length)?;
        let mut block = Block { count: 0, sum: 0.0, squares: 0.0 };
        for day in self.days.range(first..=last).map(|(_, day)| day) {
            block.count += day.count;
            block.sum += day.sum;
            block.squares += day.squares;
        }
        (block.count > 0).then_some(block)
    }
}

fn is_out(found: &Baseline, effect: f64) -> bool {
    found.score.abs() > SCORE_FIRES && (found.value - found.usual).abs() >= effect * found.usual.abs()
}

struct Block {
    count: u64,
    sum: f64,
    squares: f64,
}

impl Block {
    fn mean(&self) -> f64 {
        self.sum / self.count as f64
    }

    /// The standard error of the mean.
    fn error(&self) -> f64 {
        let count = self.count as f64;
        let variance = (self.squares - self.sum * self.sum / count).max(0.0) / (count - 1.0).max(1.0);
        (variance / count).sqrt()
    }
}

/// By how much the median of distances is too small in small samples.
fn small_sample(blocks: usize) -> f64 {
    match blocks {
        0..=4 => 1.36,
        5 => 1.22,
        6 => 1.19,
        7 => 1.14,
        _ => 1.13,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shop with so many orders a day, whose values are log-normal with σ = 0.8 around a mean of 50; `factor` from
    /// the day of the shift on.
    fn simulate(perday: u32, days: u32, seed: u64, shift: Option<(u32, f64)>) -> Vec<(u32, bool)> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut shop = Days::default();
        let mut fired = Vec::new();
        for day in 0..days {
            let factor = shift.filter(|(from, _)| day >= *from).map_or(1.0, |(_, factor)| factor);
            let orders = f64::from(perday) * (0.8 + 0.4 * random.f64());
            let entry = shop.get_mut(day);
            for _ in 0..orders as u32 {
                let normal =
                    (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos();
                let value = 50.0 * (0.8 * normal - 0.32).exp() * factor;
                entry.count += 1;
                entry.sum += value;
                entry.squares += value * value;
            }
            let was = shop.judged().firing;
            shop.judge(day + 1);
            if shop.judged().firing && !was {
                fired.push((day, true));
            } else if !shop.judged().firing && was {
                fired.push((day, false));
            }
        }
        fired
    }

    fn false_alerts_a_year(perday: u32, years: u32) -> f64 {
        let alerts: usize = (0..years)
            .map(|year| simulate(perday, 365 + LEARNS, u64::from(perday * 100 + year), None))
            .map(|fired| fired.iter().filter(|(_, firing)| *firing).count())
            .sum();
        alerts as f64 / f64::from(years)
    }

    #[test]
    fn chance_rarely_looks_like_a_change() {
        let check = |perday, years, most: f64| {
            let alerts = false_alerts_a_year(perday, years);
            assert!(alerts <= most, "{perday} orders a day: {alerts} a year");
        };
        check(20, 12, 0.5);
        check(50, 12, 0.25);
        check(150, 4, 0.1);
        check(300, 2, 0.5);
    }

    #[test]
    fn a_third_less_is_found_within_days_and_its_end_too() {
        let check = |perday, most: u32| {
            let mut found: Vec<f64> = (0..9)
                .map(|seed| simulate(perday, 140, seed, Some((100, 0.7))))
                .map(|fired| {
                    fired.iter().find(|(day, firing)| *firing && *day >= 100).map_or(99, |(day, _)| day - 99)
                })
                .map(f64::from)
                .collect();
            let days = median(&mut found).expect("simulations");
            assert!(days <= f64::from(most), "{perday} orders a day: after {days} days");
        };
        check(20, 8);
        check(50, 6);
        check(150, 5);
        check(300, 2);
        // What became usual is no change any more.
        let fired = simulate(150, 220, 1, Some((100, 0.7)));
        assert_eq!(fired.last().map(|(_, firing)| *firing), Some(false), "{fired:?}");
    }

    #[test]
    fn it_says_nothing_before_it_has_learnt() {
        assert_eq!(simulate(50, LEARNS, 3, Some((20, 0.2))), []);
        let mut days = Days::default();
        days.get_mut(100).count = 1;
        assert_eq!((days.days_to_learn(100), days.days_to_learn(134), days.days_to_learn(140)), (35, 1, 0));
    }

    #[test]
    fn a_start_concludes_what_was_concluded_before() {
        let mut shop = Days::default();
        for day in 0..120 {
            let value = if day < 110 { 50.0 } else { 30.0 };
            *shop.get_mut(day) = Day { day, count: 50, sum: 50.0 * value, squares: 50.0 * value * value };
            shop.judge(day);
        }
        assert!(shop.judged().firing);
        let again = Days::new(shop.days.values().copied());
        assert!(again.judged().firing);
        let week = again.judged().week.expect("a comparison");
        assert_eq!((week.count, week.usual, week.value), (350, 50.0, 30.0));
        assert!(week.score < -3.5 && week.lower > 46.0 && week.upper < 54.0, "{week:?}");
    }

    #[test]
    fn empty_weeks_are_made_up_for_by_older_ones() {
        let mut shop = Days::default();
        for day in (0..150).filter(|day| !(90..111).contains(day)) {
            *shop.get_mut(day) = Day { day, count: 50, sum: 2500.0, squares: 130_000.0 };
        }
        let found = shop.compare(149, 7, 30).expect("a comparison");
        assert_eq!((found.usual, found.value, found.score), (50.0, 50.0, 0.0));
    }
}
