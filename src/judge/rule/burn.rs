//! Whether the error budget burns too fast: two windows at once, and where events are few, evidence that it is not
//! chance.
//!
//! With few events a ratio says little: one declined card of two is 25 times the budget of a 98 % promise. So at
//! least three must be bad, the last ones must still be, and chance must not explain it (a binomial test against the
//! budget). The other way round, a floor on traffic would be silent where nobody *can* pay, so a row of bad events is
//! enough by itself. What fired is over when its short window is mended and measured, not before: neither silence nor
//! a gap can end it.

use super::tier::{Tier, tier, tiers};
use super::{Scene, View, budget};
use crate::alert::{Severity, Verdict};
use crate::config::alerting::{Indicator, Objective, Rule};
use crate::judge::Condition;
use crate::judge::chance::{run_length, tail};
use crate::judge::words::{by_chance, number, percent, promise, the_last};
use std::borrow::Cow;

const DAY: u32 = 1440;
/// So many events tell how it is now; where the short window has fewer, the last ones are taken.
const RECENT_MIN: u64 = 3;

/// One severity of one objective.
#[derive(Debug)]
pub struct BurnRate {
    severity: Severity,
    pairs: Vec<Pair>,
    /// The rule for bad events in a row, where there is one.
    row: Option<Pair>,
}

/// A tier, and whether it has fired and is not known to be over. It begins so: after a start nobody knows, and an alert
/// that fires from before must not end for want of memory.
#[derive(Debug)]
struct Pair {
    tier: Tier,
    hot: bool,
}

impl Pair {
    fn new(tier: Tier) -> Pair {
        Pair { tier, hot: true }
    }
}

/// A tier at one moment.
struct Sight {
    long: View,
    short: View,
    /// (bad, of how many) of the latest events; `None`: there was none for a day.
    recent: Option<(u64, u64)>,
}

impl BurnRate {
    /// `None` where nobody is told of this severity, or nothing can lead to it.
    pub fn new(objective: &Objective, severity: Severity) -> Option<BurnRate> {
        let pairs: Vec<Pair> = tiers(objective, severity).into_iter().map(Pair::new).collect();
        // Runs of one check follow each other within seconds and fail together: a row of them proves little.
        let rows = severity == Severity::Page
            && objective.low_traffic
            && objective.rule == Rule::BurnRate
            && !objective.page.is_empty()
            && matches!(objective.indicator, Indicator::Counts { .. });
        let row = rows.then(|| Pair::new(tier(objective, severity, 60)));
        (!pairs.is_empty() || row.is_some()).then_some(BurnRate { severity, pairs, row })
    }

    /// The windows that it looks at, in minutes.
    pub fn windows(&self) -> impl Iterator<Item = u32> + '_ {
        self.pairs.iter().chain(&self.row).flat_map(|pair| [pair.tier.long, pair.tier.short])
    }

    pub fn judge(&mut self, scene: &Scene<'_>) -> Condition {
        let mut hottest: Option<(Tier, Sight)> = None;
        let mut doubt: Option<Doubt> = None;
        for pair in &mut self.pairs {
            let sight = Sight::new(scene, &pair.tier);
            pair.look(scene, sight.fires(scene, &pair.tier), &sight, &mut doubt);
            let hotter = hottest.as_ref().is_none_or(|(_, other)| other.long.ratio() < sight.long.ratio());
            if sight.fires(scene, &pair.tier) && hotter {
                hottest = Some((pair.tier, sight));
            }
        }
        let row = self.row.as_mut().and_then(|pair| {
            let row = row_of_bad(scene);
            pair.look(scene, row.is_some(), &Sight::new(scene, &pair.tier), &mut doubt);
            row
        });
        let name = self.severity.as_str();
        let mut condition = Condition {
            name,
            severity: self.severity,
            verdict: Verdict::Healthy,
            summary: String::new(),
            evidence: Vec::new(),
            cost: None,
            keep_firing_for: None,
        };
        if hottest.is_some() || row.is_some() {
            condition.verdict = Verdict::Firing;
            tell(scene, &mut condition, hottest.as_ref(), row);
        } else if let Some(doubt) = doubt {
            condition.verdict = Verdict::Unknown;
            condition.summary = doubt.tell(scene);
        }
        condition
    }
}

/// Why it can't be said that all is well.
enum Doubt {
    Unmeasured(View),
    StillBad(u64, u64),
}

impl Doubt {
    fn tell(self, scene: &Scene<'_>) -> String {
        match self {
            Doubt::Unmeasured(view) => {
                format!("only {} of {} is measured", percent(view.coverage()), the_last(view.length))
            }
            Doubt::StillBad(bad, of) => scene.words.of_the_last(bad, of),
        }
    }
}

impl Pair {
    fn look(&mut self, scene: &Scene<'_>, fires: bool, sight: &Sight, doubt: &mut Option<Doubt>) {
        if fires {
            self.hot = true;
        } else if !sight.short.is_covered() {
            *doubt = Some(Doubt::Unmeasured(sight.short));
        } else if !self.hot || !scene.objective.low_traffic || sight.is_mended(scene, &self.tier) {
            self.hot = false;
        } else if doubt.is_none() {
            let (bad, of) = sight.recent.unwrap_or((sight.short.sum.bad, sight.short.sum.total()));
            *doubt = Some(Doubt::StillBad(bad, of));
        }
    }
}

impl Sight {
    fn new(scene: &Scene<'_>, tier: &Tier) -> Sight {
        let (long, short) = (scene.window(tier.long), scene.window(tier.short));
        let (bad, total) = (short.sum.bad, short.sum.total());
        let recent = if total >= RECENT_MIN || scene.by_minutes() || !scene.objective.low_traffic {
            Some((bad, total))
        } else {
            Some(scene.minutes.last_events(RECENT_MIN, since_a_day(scene))).filter(|(_, found)| *found > 0)
        };
        Sight { long, short, recent }
    }

    fn fires(&self, scene: &Scene<'_>, tier: &Tier) -> bool {
        let Sight { long: View { sum: long, expected, .. }, short: View { sum: short, .. }, .. } = self;
        let (bad, total) = (long.bad, long.total());
        let short_passed = tier.threshold.is_passed(short.bad, short.total(), 1, 1);
        if !scene.objective.low_traffic {
            return tier.threshold.is_passed(bad, total, 1, 1) && short_passed;
        }
        if !tier.threshold.is_passed(bad, total, long.measured, *expected) {
            return false;
        }
        if scene.by_minutes() {
            return bad >= tier.bad_minutes_min && short_passed;
        }
        let still = self.recent.is_some_and(|(bad, of)| tier.threshold.is_reached(bad, of));
        bad >= RECENT_MIN && still && tail(bad, total, scene.budget()) <= tier.alpha
    }

    /// Whether the latest events are as good as it takes. No event for a day: there is nothing left to wait for.
    fn is_mended(&self, scene: &Scene<'_>, tier: &Tier) -> bool {
        match self.recent {
            Some((bad, of)) if scene.by_minutes() => !tier.threshold.is_passed(bad, of, 1, 1),
            Some((bad, of)) => !tier.threshold.is_reached(bad, of),
            None => true,
        }
    }
}

fn since_a_day(scene: &Scene<'_>) -> u32 {
    (scene.minutes.end() + 1).saturating_sub(DAY)
}

/// The last events, all bad, as many as chance does not make in a row: their number.
///
/// The usual traffic is told by the good ones: so one more bad event never makes the rule stricter.
fn row_of_bad(scene: &Scene<'_>) -> Option<u64> {
    let since = since_a_day(scene);
    if scene.minutes.last_events(1, since) != (1, 1) {
        return None;
    }
    let whole = scene.whole().sum;
    let month = 30.0 * f64::from(DAY);
    let monthly = whole.good as f64 * month / whole.measured.max(1) as f64;
    let length = run_length(monthly, scene.budget());
    (scene.minutes.last_events(length, since) == (length, length)).then_some(length)
}

fn tell(scene: &Scene<'_>, condition: &mut Condition, hottest: Option<&(Tier, Sight)>, row: Option<u64>) {
    let (words, ppm) = (scene.words, scene.objective.objective_ppm);
    let promise = promise(ppm);
    let by_chance = |bad, of| {
        format!(
            "under a {promise} promise that happens by chance {}",
            by_chance(tail(bad, of, scene.budget()))
        )
    };
    if let Some(row) = row {
        condition.evidence.push(format!("{}; {}", words.of_the_last(row, row), by_chance(row, row)));
        condition.summary = words.of_the_last(row, row);
    }
    if let Some((tier, Sight { long, short, .. })) = hottest {
        let rate = |view: &View| view.ratio().unwrap_or(0.0) / scene.budget();
        condition.summary = words.rate(rate(long), ppm);
        let seen = words.of_window(long.sum.bad, long.sum.total(), long.length);
        let tested = scene.objective.low_traffic && !scene.by_minutes();
        let chance = if tested { Cow::Owned(by_chance(long.sum.bad, long.sum.total())) } else { "".into() };
        let joint = if tested { "; " } else { "" };
        condition.evidence.push(format!("{seen}{joint}{chance}"));
        if short.sum.total() > 0 {
            condition.evidence.push(words.of_window(short.sum.bad, short.sum.total(), short.length));
        }
        let threshold = tier.threshold.ratio();
        condition.evidence.push(format!(
            "it is told above {} of {}, {} times what the promise allows",
            percent(threshold),
            the_last(long.length),
            number(threshold / scene.budget()),
        ));
    }
    condition.cost = budget::cost(scene);
}
