//! A baseline at work: what its query counted, a day at a time, and how it stands.

use super::count::day_of;
use super::rule::baseline::{Days, KEPT};
use super::standing::{Baseline, Condition, Standing, State};
use super::words::{grouped, number, percent, period};
use crate::alert::{Severity, Verdict};
use crate::config::alerting::{Indicator, Objective};
use crate::fact::{Counted, Ran};
use crate::store::Day;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;

const DAY_SECONDS: i64 = 86_400;

#[derive(Debug)]
pub struct Daily {
    columns: [Arc<str>; 3],
    days: Days,
    /// Up to where it is booked.
    booked: Option<Timestamp>,
    changed: BTreeSet<u32>,
    note: Option<String>,
}

impl Daily {
    /// `None`: the objective is no baseline.
    pub fn new(objective: &Objective, days: impl IntoIterator<Item = Day>) -> Option<Daily> {
        let Indicator::Baseline { count, sum, squares, .. } = &objective.indicator else { return None };
        let days: Vec<Day> = days.into_iter().collect();
        let last = days.iter().map(|day| day.day).max();
        let booked = last.and_then(|day| Timestamp::from_second(i64::from(day) * DAY_SECONDS).ok());
        let columns = [count, sum, squares].map(Arc::clone);
        Some(Daily { columns, days: Days::new(days), booked, changed: BTreeSet::new(), note: None })
    }

    /// See [`super::Tracker::nothing_later_than`].
    pub fn nothing_later_than(&mut self, at: Timestamp) {
        self.booked = self.booked.map(|booked| booked.min(at));
    }

    pub fn ran(&mut self, ran: &Ran, excluded: bool) {
        for part in &ran.counted {
            if part.to <= part.from || self.booked.is_some_and(|booked| part.from < booked) {
                continue;
            }
            self.booked = Some(part.to);
            match self.read(part) {
                // A day in which failure was expected does not teach what is usual.
                Ok(_) if excluded => {}
                Ok(values) => self.book(part, values),
                Err(note) => self.note = Some(note),
            }
        }
    }

    fn read(&self, part: &Counted) -> Result<(u64, f64, f64), String> {
        let value = |column: &Arc<str>| {
            let value =
                part.values.get(column).ok_or_else(|| format!("the query yields no column `{column}`"))?;
            if value.is_finite() { Ok(*value) } else { Err(format!("column `{column}` is {value}")) }
        };
        let [count, sum, squares] = &self.columns;
        let (counted, sum, squares) = (value(count)?, value(sum)?, value(squares)?);
        if counted < 0.0 || counted.fract() != 0.0 {
            return Err(format!("column `{count}` is {counted}, which is no count"));
        }
        Ok((counted as u64, sum, squares))
    }

    fn book(&mut self, part: &Counted, (count, sum, squares): (u64, f64, f64)) {
        let last = day_of(part.to.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(part.to));
        for day in day_of(part.from).max(last.saturating_sub(KEPT))..=last {
            if self.days.get(day).is_none() {
                self.days.get_mut(day);
                self.changed.insert(day);
            }
        }
        let day = self.days.get_mut(last);
        day.count += count;
        day.sum += sum;
        day.squares += squares;
        if count > 0 {
            self.changed.insert(last);
        }
    }

    pub fn take_changed(&mut self) -> Vec<Day> {
        std::mem::take(&mut self.changed).into_iter().filter_map(|day| self.days.get(day)).collect()
    }

    pub fn evaluate(&mut self, at: Timestamp, objective: &Objective) -> Standing {
        // A day is judged when it is over and counted.
        let counted = self.booked.map_or(0, day_of).min(day_of(at));
        self.days.judge(counted);
        let judged = *self.days.judged();
        let learning = self.days.days_to_learn(counted);
        let state = match (learning, judged.firing, judged.week) {
            (1.., ..) => State::Learning,
            (_, true, _) => State::AtRisk,
            (_, false, Some(_)) => State::Met,
            (_, false, None) => State::Unknown,
        };
        let told = match judged.latest.filter(|_| judged.firing) {
            Some(latest) if judged.week.is_none_or(|week| week.score.abs() < latest.score.abs()) => {
                Some((latest, 1))
            }
            _ => judged.week.map(|week| (week, 7)),
        };
        let condition = severity(objective).map(|severity| {
            let verdict = match (state, judged.firing) {
                (State::Learning | State::Unknown, _) => Verdict::Unknown,
                (_, true) => Verdict::Firing,
                (_, false) => Verdict::Healthy,
            };
            condition(severity, verdict, told, objective, learning)
        });
        let coverage_day = self.booked.map_or(0.0, |booked| {
            let behind = at.duration_since(booked).as_secs_f64() / DAY_SECONDS as f64;
            (1.0 - behind).clamp(0.0, 1.0)
        });
        Standing {
            at,
            good: 0,
            total: 0,
            raw_good: 0,
            raw_total: 0,
            coverage: 1.0 - f64::from(learning) / 35.0,
            coverage_day,
            consumed: None,
            burns: Vec::new(),
            state,
            conditions: condition.into_iter().collect(),
            baseline: judged.week,
            notes: self.note.iter().cloned().collect(),
        }
    }
}

/// Somebody should look at it within days; nobody is ever woken.
fn severity(objective: &Objective) -> Option<Severity> {
    [Severity::Ticket, Severity::Info].into_iter().find(|severity| !objective.contacts(*severity).is_empty())
}

fn condition(
    severity: Severity,
    verdict: Verdict,
    told: Option<(Baseline, u32)>,
    objective: &Objective,
    learning: u32,
) -> Condition {
    let (mut summary, mut evidence) = (String::new(), Vec::new());
    let unit = match &objective.indicator {
        Indicator::Baseline { unit, .. } if !unit.is_empty() => format!(" {unit}"),
        _ => String::new(),
    };
    if verdict == Verdict::Unknown && learning > 0 {
        summary = format!("it is learning what is usual for {} more", period(learning * 1440));
    } else if let (Verdict::Firing, Some((found, days))) = (verdict, told) {
        let change = found.value / found.usual - 1.0;
        let direction = if change < 0.0 { "less" } else { "more" };
        summary = format!("{} {direction} than usual", percent(change.abs()));
        let over =
            if days == 1 { "on the last day".to_owned() } else { format!("over the last {days} days") };
        evidence.push(format!("{:.2}{unit} {over}, from {} values", found.value, grouped(found.count)));
        evidence.push(format!(
            "usual is {:.2}{unit}, normal between {:.2} and {:.2}, from the weeks before; score {}",
            found.usual,
            found.lower,
            found.upper,
            number(found.score),
        ));
    }
    Condition { name: "baseline", severity, verdict, summary, evidence, cost: None, keep_firing_for: None }
}
