//! Whether a share that moves in weeks is worse than promised beyond chance: support tickets of orders, returning
//! customers. There is no budget to burn fast; the whole window is judged at once.

use super::{Scene, View};
use crate::alert::{Severity, Verdict};
use crate::config::alerting::Objective;
use crate::judge::Condition;
use crate::judge::chance::{Z95, tail, wilson};
use crate::judge::words::{by_chance, percent, promise};

/// Chance makes this once in a thousand.
const ALPHA: f64 = 1e-3;
/// With fewer events a share is not worth telling.
const EVENTS_MIN: u64 = 50;

/// The windows to judge over, in minutes; the whole one where none is named.
pub fn windows(objective: &Objective) -> Vec<u32> {
    if objective.ticket_windows.is_empty() {
        return vec![super::whole(objective)];
    }
    objective.ticket_windows.iter().map(|window| super::minutes(*window)).collect()
}

/// A ticket where as many bad ones are hardly chance; an information where the promise lies above all that the share may be.
pub fn judge(scene: &Scene<'_>) -> Vec<Condition> {
    let mut conditions = Vec::new();
    if !scene.objective.ticket.is_empty() {
        let views = windows(scene.objective).into_iter().map(|length| scene.window(length));
        conditions.push(judged(scene, Severity::Ticket, views.collect(), unlikely));
    }
    if !scene.objective.info.is_empty() {
        conditions.push(judged(scene, Severity::Info, vec![scene.whole()], below));
    }
    conditions
}

type Test = fn(&Scene<'_>, &View) -> Option<String>;

fn judged(scene: &Scene<'_>, severity: Severity, views: Vec<View>, test: Test) -> Condition {
    let found: Vec<(View, String)> =
        views.iter().filter_map(|view| Some((*view, test(scene, view)?))).collect();
    let verdict = match found.is_empty() {
        false => Verdict::Firing,
        true if views.iter().all(View::is_covered) => Verdict::Healthy,
        true => Verdict::Unknown,
    };
    let summary = found.first().map(|(view, _)| {
        let good = 1.0 - view.ratio().unwrap_or(0.0);
        format!("{} instead of the {} promised", percent(good), promise(scene.objective.objective_ppm))
    });
    Condition {
        name: severity.as_str(),
        severity,
        verdict,
        summary: summary.unwrap_or_default(),
        evidence: found.into_iter().map(|(_, told)| told).collect(),
        cost: None,
        keep_firing_for: None,
    }
}

/// The binomial test. The bad need not be a part of the total, so there may be more of them.
fn unlikely(scene: &Scene<'_>, view: &View) -> Option<String> {
    let (bad, total) = (view.sum.bad, view.sum.total());
    let chance = tail(bad.min(total), total, scene.budget());
    (chance <= ALPHA).then(|| {
        let promise = promise(scene.objective.objective_ppm);
        let seen = scene.words.of_window(bad, total, view.length);
        format!("{seen}; under a {promise} promise that happens by chance {}", by_chance(chance))
    })
}

/// Wilson's upper bound of the good share.
fn below(scene: &Scene<'_>, view: &View) -> Option<String> {
    let (good, total) = (view.sum.good, view.sum.total());
    let (_, upper) = wilson(good, total, Z95)?;
    let promised = f64::from(scene.objective.objective_ppm) / 1e6;
    (total >= EVENTS_MIN && upper < promised).then(|| {
        let seen = scene.words.of_window(view.sum.bad, total, view.length);
        format!("{seen}; the share of good ones is hardly above {}", percent(upper))
    })
}
