//! One objective, from its runs to how it stands: what the loop holds for each of them.

use super::calendar::{self, Month};
use super::count::{Intake, Minutes};
use super::daily::Daily;
use super::rule::burn::BurnRate;
use super::rule::drought::{self, Drought};
use super::rule::{Scene, budget, share, tier, whole};
use super::standing::{Burn, Condition, Standing, State};
use super::words::Words;
use crate::alert::{Severity, Verdict};
use crate::config::alerting::{Objective, Rule};
use crate::fact::Ran;
use crate::store::{Day, Slice};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// An objective at work. Pure: it is told what ran and what time it is.
#[derive(Debug)]
pub struct Tracker {
    objective: Arc<Objective>,
    words: Words,
    minutes: Minutes,
    intake: Intake,
    page: Option<BurnRate>,
    ticket: Option<BurnRate>,
    drought: Option<Drought>,
    daily: Option<Daily>,
}

impl Tracker {
    /// `slices` and `days`: what was remembered of the same generation, by time.
    pub fn new(
        objective: Arc<Objective>,
        slices: impl IntoIterator<Item = Slice>,
        days: impl IntoIterator<Item = Day>,
    ) -> Tracker {
        let daily = Daily::new(&objective, days);
        let minutes = Minutes::new(&[], u32::MAX / 2, slices);
        let intake = Intake::new(&objective, &minutes);
        let mut tracker = Tracker {
            words: Words::new(&objective),
            objective: Arc::clone(&objective),
            minutes,
            intake,
            page: None,
            ticket: None,
            drought: None,
            daily,
        };
        tracker.plan();
        tracker
    }

    /// Another definition of the objective. With the same indicator what was counted counts on, and is judged by the
    /// new rules; with another one it begins anew.
    pub fn replan(&mut self, objective: Arc<Objective>) {
        if objective.generation != self.objective.generation {
            *self = Tracker::new(objective, [], []);
            return;
        }
        if objective == self.objective {
            return;
        }
        if objective.every != self.objective.every {
            self.intake.retime(&objective);
        }
        self.words = Words::new(&objective);
        self.objective = objective;
        self.plan();
    }

    /// The rules and the windows that they look at.
    fn plan(&mut self) {
        let objective = &*self.objective;
        self.page = BurnRate::new(objective, Severity::Page);
        self.ticket = BurnRate::new(objective, Severity::Ticket);
        let judged = !objective.page.is_empty() || !objective.ticket.is_empty();
        self.drought = (objective.drought && judged && self.daily.is_none()).then(|| Drought::new(objective));
        let mut lengths: Vec<u32> = tier::MEASURED.to_vec();
        lengths.push(whole(objective));
        lengths.extend(self.page.iter().chain(&self.ticket).flat_map(BurnRate::windows));
        if objective.rule == Rule::Share {
            lengths.extend(share::windows(objective));
        }
        lengths.sort_unstable();
        lengths.dedup();
        let learns = if self.drought.is_some() { drought::LEARNS_FROM } else { 0 };
        let reports = if objective.report.is_some() { calendar::KEPT } else { 0 };
        let kept = learns.max(reports);
        self.minutes.resize(&lengths, kept);
    }

    /// A run of one of its checks is over; `in_maintenance`: failure was expected. What is counted by a query is booked
    /// where the query says that it happened.
    pub fn ran(&mut self, at: Timestamp, ran: &Ran, in_maintenance: bool) {
        if !self.objective.checks().contains(&&ran.check) {
            return;
        }
        let excluded = in_maintenance && self.objective.excludes_maintenance;
        match &mut self.daily {
            Some(daily) => daily.ran(ran, excluded),
            None => self.intake.ran(at, ran, excluded, &mut self.minutes),
        }
    }

    /// Nothing is counted beyond `at` any more: the clock was ahead.
    pub fn nothing_later_than(&mut self, at: Timestamp) {
        match &mut self.daily {
            Some(daily) => daily.nothing_later_than(at),
            None => self.intake.nothing_later_than(at),
        }
    }

    /// How the objective stands. For every tick; it changes nothing but where windows end.
    pub fn evaluate(&mut self, at: Timestamp) -> Standing {
        if let Some(daily) = &mut self.daily {
            return daily.evaluate(at, &self.objective);
        }
        let end = self.intake.close(at, &mut self.minutes);
        let catches_up = self.intake.catches_up(at);
        self.minutes.slide(end);
        let scene = Scene { objective: &self.objective, minutes: &self.minutes, words: &self.words };
        let mut conditions = Vec::with_capacity(8);
        match self.objective.rule {
            Rule::BurnRate => {
                conditions.extend(self.page.as_mut().map(|rule| rule.judge(&scene)));
                conditions.extend(self.ticket.as_mut().map(|rule| rule.judge(&scene)));
            }
            Rule::Share => conditions.extend(share::judge(&scene)),
        }
        conditions.extend(self.drought.as_mut().map(|rule| rule.judge(&scene)));
        if !self.objective.ticket.is_empty() {
            if self.objective.rule == Rule::BurnRate {
                conditions.extend(budget::levels(&scene));
            }
            conditions.push(budget::gap(&scene, catches_up));
        }
        standing(at, &scene, conditions, self.intake.notes())
    }

    /// By calendar months, the oldest first; the first of them may be known in part only. None without a report.
    pub fn months(&self) -> Vec<Month> {
        let Some(zone) = &self.objective.report else { return Vec::new() };
        calendar::months(zone, &self.minutes.slices())
    }

    /// Slices and days that changed since this was last asked: what the store writes.
    pub fn take_changed(&mut self) -> (Vec<Slice>, Vec<Day>) {
        let days = self.daily.as_mut().map(Daily::take_changed).unwrap_or_default();
        (self.minutes.take_changed(), days)
    }

    pub fn objective(&self) -> &Arc<Objective> {
        &self.objective
    }

    /// Stretches of equal minutes that it holds, 16 bytes each: nearly all of its memory.
    pub fn stretches(&self) -> usize {
        self.minutes.stretches()
    }
}

fn standing(at: Timestamp, scene: &Scene<'_>, conditions: Vec<Condition>, notes: Vec<String>) -> Standing {
    let whole = scene.whole();
    let sum = whole.sum;
    let budgeted = scene.objective.rule == Rule::BurnRate;
    let consumed = budget::consumed(scene).filter(|_| budgeted);
    let window = whole.length;
    let judged = if budgeted { Vec::new() } else { share::windows(scene.objective) };
    let mut lengths: Vec<u32> =
        tier::MEASURED.into_iter().chain(judged).filter(|length| *length != window).collect();
    lengths.sort_unstable();
    lengths.dedup();
    lengths.push(window);
    let burns = lengths.into_iter().map(|length| {
        let view = scene.window(length);
        Burn {
            window: Duration::from_secs(u64::from(length) * 60),
            good: view.sum.good,
            bad: view.sum.bad,
            rate: view.ratio().map(|ratio| ratio / scene.budget()),
            coverage: view.coverage(),
        }
    });
    Standing {
        at,
        good: sum.good,
        total: sum.total(),
        raw_good: sum.good + sum.excluded_good,
        raw_total: sum.total() + sum.excluded_good + sum.excluded_bad,
        coverage: whole.coverage(),
        coverage_day: scene.window(1440).coverage(),
        consumed,
        burns: burns.collect(),
        state: state(scene, consumed, &conditions),
        conditions,
        baseline: None,
        notes,
    }
}

/// In one word: of what has a budget by the budget, of a share by the share.
fn state(scene: &Scene<'_>, consumed: Option<f64>, conditions: &[Condition]) -> State {
    let fires = |names: &[&str]| {
        conditions
            .iter()
            .any(|condition| condition.verdict == Verdict::Firing && names.contains(&condition.name))
    };
    let Some(ratio) = scene.whole().ratio() else { return State::Unknown };
    if scene.window(1440).sum.measured == 0 {
        return State::Unknown;
    }
    let (broken, at_risk) = match (scene.objective.rule, consumed) {
        (Rule::BurnRate, Some(used)) => (used > 1.0, used > 0.75 || fires(&["page", "ticket", "drought"])),
        _ => (fires(&["ticket", "info"]), ratio > scene.budget() || fires(&["drought"])),
    };
    match (broken, at_risk) {
        (true, _) => State::Broken,
        (false, true) => State::AtRisk,
        (false, false) => State::Met,
    }
}
