//! What keeps an alert from being told: a silence, maintenance, a cause that is told in its place.
//!
//! The alert itself goes on. Where the reason is gone and the alert is not, it is told then; where both are gone,
//! nobody hears of it. Its end is told to those who know of its beginning, whatever holds.

use super::engine::{Check, Engine};
use super::life::Alert;
use super::silence::Labels;
use super::words::{Subject, moment};
use super::{Key, after, maintenance};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// A cause that is looked at rarely is asked to hurry; no page waits for it longer than this and the grace.
const WAITS_FOR_CAUSE_MAX: Duration = Duration::from_mins(1);
const CAUSE_GRACE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hold {
    pub(super) why: Why,
    /// When to look again, where no event says so.
    pub(super) until: Option<Timestamp>,
    /// For people: `silenced by ana until …`
    pub(super) text: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Why {
    Offline,
    Silenced,
    Maintenance,
    /// What it needs has failed.
    Cause,
    /// What it needs has recovered; whether it does too, its next runs will tell.
    Unproved,
    /// Nobody knows yet how what it needs is.
    Waiting(Vec<Arc<str>>),
    /// A check that the objective is made of has failed, and that is told.
    Explained,
    /// A graver alert of the same objective is told.
    Graver,
    /// Its condition is gone at the moment.
    Well,
}

impl Hold {
    fn new(why: Why, until: Option<Timestamp>, text: impl Into<String>) -> Hold {
        Hold { why, until, text: text.into() }
    }
}

impl Engine {
    pub(super) fn hold(&self, key: &Key, alert: &Alert) -> Option<Hold> {
        let subject = Subject::of(&key.0)?;
        if !alert.is_open() {
            return self.maintained(subject, alert);
        }
        let of_agent = matches!(subject, Subject::Offline) || key.0.as_ref() == "agent/store";
        if self.offline && !of_agent {
            return Some(Hold::new(Why::Offline, None, "the watcher is offline"));
        }
        self.muted(key, alert).or_else(|| match subject {
            Subject::Check(name) => self.caused(self.checks.get(name)?, alert),
            Subject::Slo(slo, condition) => self.explained(slo, condition, alert),
            _ => None,
        })
    }

    /// Somebody said not to tell.
    pub(super) fn muted(&self, key: &Key, alert: &Alert) -> Option<Hold> {
        let labels = Labels { labels: &alert.now.labels, severity: alert.now.severity.as_str() };
        if let Some(silence) = self.silences.matching(self.at, &labels) {
            let text = format!("silenced by {} until {}", silence.by, moment(silence.until, self.at));
            return Some(Hold::new(Why::Silenced, Some(silence.until), text));
        }
        self.maintained(Subject::of(&key.0)?, alert)
    }

    fn maintained(&self, subject: Subject<'_>, alert: &Alert) -> Option<Hold> {
        let open = self.windows.open(&self.alerting.maintenance, self.at);
        let about = open.filter(|(_, m)| maintenance::is_about(m, subject.name(), &alert.now.section));
        let (until, maintenance) = about.max_by_key(|(until, _)| *until)?;
        let text = format!("{} until {}", maintenance.title, moment(until, self.at));
        Some(Hold::new(Why::Maintenance, Some(until), text))
    }

    /// The first of what it needs that has failed.
    pub(super) fn failing_parent(&self, check: &Check) -> Option<&Check> {
        let parents = check.watched.needs.iter().filter_map(|need| self.checks.get(need));
        parents.into_iter().find(|parent| parent.memory.is_failing())
    }

    /// `Database (which this needs) has failed since 10:02:03 UTC`
    pub(super) fn cause(&self, check: &Check) -> Option<String> {
        let parent = self.failing_parent(check)?;
        let began = parent.memory.failed_since.map(|began| format!(" since {}", moment(began, self.at)));
        Some(format!("{} (which this needs) has failed{}", parent.watched.title, began.unwrap_or_default()))
    }

    fn caused(&self, check: &Check, alert: &Alert) -> Option<Hold> {
        if let Some(text) = self.cause(check) {
            return Some(Hold::new(Why::Cause, None, text));
        }
        if is_told(alert) {
            return None;
        }
        if !check.memory.is_proved(check.watched.alert.attempts) {
            return Some(Hold::new(Why::Unproved, None, "what it needs has just recovered"));
        }
        let unheard = self.unheard_causes(check, alert.now.began);
        let longest = unheard.iter().filter_map(|name| Some(self.checks.get(name)?.watched.every)).max()?;
        let until = after(alert.now.fired, longest.min(WAITS_FOR_CAUSE_MAX) + CAUSE_GRACE);
        let hold =
            || Hold::new(Why::Waiting(unheard), Some(until), "it is not known yet how what it needs is");
        (self.at < until).then(hold)
    }

    /// What could explain the failure and was not looked at since it began.
    pub(super) fn unheard_causes(&self, check: &Check, began: Timestamp) -> Vec<Arc<str>> {
        let heard =
            |name: &Arc<str>| self.checks.get(name).and_then(|c| c.seen).is_some_and(|seen| seen > began);
        let known = |name: &&Arc<str>| self.checks.contains_key(*name);
        let parents = check.watched.needs.iter().filter(known).filter(|name| !heard(name));
        let network = &self.links.network;
        let well =
            |name: &Arc<str>| heard(name) && self.checks.get(name).is_some_and(|c| !c.memory.is_failing());
        let mut unheard: Vec<Arc<str>> = parents.cloned().collect();
        if !network.contains(&check.watched.name) && !network.iter().any(well) {
            unheard.extend(network.iter().filter(|name| !heard(name)).cloned());
        }
        unheard
    }

    fn explained(&self, slo: &str, condition: &str, alert: &Alert) -> Option<Hold> {
        let graver: &[&str] = match condition {
            "ticket" => &["page"],
            "budget-50" => &["page", "ticket"],
            _ => &[],
        };
        let told = |name: &&&str| self.tells(&Key(format!("slo/{slo}/{name}").into()));
        if let Some(graver) = graver.iter().find(told) {
            let text = format!("the {graver} of the same objective is told in its place");
            return Some(Hold::new(Why::Graver, None, text));
        }
        if alert.well_since.is_some() || alert.well_for > Duration::ZERO {
            return Some(Hold::new(Why::Well, None, "it is well at the moment"));
        }
        if is_told(alert) {
            return None;
        }
        if let Some(until) = alert.not_before.filter(|until| self.at < *until) {
            let text = "what explained it has just ended";
            return Some(Hold::new(Why::Explained, Some(until), text));
        }
        let is_burn = matches!(condition, "page" | "ticket");
        let objective = self.links.objectives.get(slo).filter(|_| is_burn)?;
        let cause = objective.checks().into_iter().find_map(|name| {
            let check = self.checks.get(name).filter(|check| check.memory.is_failing())?;
            let key = Key(format!("check/{name}").into());
            let as_grave = self.alerts.get(&key)?.now.severity >= alert.now.severity;
            (as_grave && self.tells(&key)).then_some(check)
        })?;
        let began = cause.memory.failed_since.unwrap_or(self.at);
        let text = format!(
            "{} (which this is made of) has failed since {}",
            cause.watched.title,
            moment(began, self.at)
        );
        Some(Hold::new(Why::Explained, None, text))
    }

    /// Somebody knows of this alert, or will soon.
    fn tells(&self, key: &Key) -> bool {
        let alert = self.alerts.get(key).filter(|alert| alert.is_open());
        alert.is_some_and(|alert| {
            let reachable = || alert.lines.keys().any(|contact| self.is_reachable(contact));
            is_told(alert) || reachable() && self.muted(key, alert).is_none()
        })
    }
}

pub(super) fn is_told(alert: &Alert) -> bool {
    alert.lines.values().any(|line| line.told.is_some())
}
