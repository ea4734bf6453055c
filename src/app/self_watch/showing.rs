//! What an Alertmanager is to be shown of the alerts: what fires and may be told, and for a while what has ended. Pure.
//!
//! What a silence, maintenance or a cause keeps from being told is not shown. What was shown, or told to somebody, stays
//! until it is over, whatever begins to hold it later: to take it away would say that it has ended.

use crate::alert::{AlertView, Key, Phase, Snapshot};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Ends are told again for so long.
const ENDED_FOR: SignedDuration = SignedDuration::from_mins(15);

#[derive(Debug, Default)]
pub struct Showing {
    firing: BTreeMap<Key, Snapshot>,
    ended: Vec<Snapshot>,
}

impl Showing {
    /// Everything that is to be shown, given all alerts that there are now.
    pub fn show(&mut self, alerts: Vec<AlertView>, now: Timestamp) -> Vec<Snapshot> {
        let mut before = std::mem::take(&mut self.firing);
        for alert in alerts {
            let key = alert.now.key.clone();
            let shown = before.remove(&key);
            let same = shown.as_ref().is_some_and(|shown| shown.episode == alert.now.episode);
            if let Some(shown) = shown.filter(|_| !same) {
                self.end(shown, now);
            }
            let may_be_told = same || alert.held.is_none() || !alert.told.is_empty();
            match alert.phase {
                Phase::Firing | Phase::Resolving if may_be_told => {
                    self.firing.insert(key, alert.now);
                }
                Phase::Resolved if same => self.end(alert.now, now),
                _ => {}
            }
        }
        for (_, gone) in before {
            self.end(gone, now);
        }
        self.ended.retain(|alert| alert.ended.is_some_and(|ended| now.duration_since(ended) <= ENDED_FOR));
        self.firing.values().chain(&self.ended).cloned().collect()
    }

    fn end(&mut self, alert: Snapshot, now: Timestamp) {
        let ended = Some(alert.ended.unwrap_or(now));
        self.ended.push(Snapshot { ended, ..alert });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Severity;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_795_300_000 + minute * 60).expect("a time")
    }

    /// `name@episode phase`, with `held` and `told` where it is.
    fn alert(text: &str) -> AlertView {
        let (episode, state) = text.split_once(' ').expect("a state");
        let name = episode.split('@').next().expect("a name");
        let phase = [Phase::Pending, Phase::Firing, Phase::Resolving, Phase::Resolved];
        let phase = phase.into_iter().find(|phase| state.contains(phase.as_str())).expect("a phase");
        let now = Snapshot {
            key: Key(name.into()),
            episode: episode.to_owned(),
            severity: Severity::Page,
            title: name.to_owned(),
            section: "site".to_owned(),
            summary: "refused".to_owned(),
            evidence: Vec::new(),
            cost: None,
            cause: None,
            runbook: None,
            began: at(0),
            fired: at(0),
            ended: (phase == Phase::Resolved).then(|| at(0)),
            acknowledged_by: None,
            flaps: 0,
            labels: BTreeMap::new(),
        };
        let told = if state.contains("told") { vec![("ana".into(), at(0))] } else { Vec::new() };
        let held = state.contains("held").then(|| "silenced by ana".to_owned());
        AlertView { phase, now, told, held, acknowledged: None, flapping: false }
    }

    fn check(showing: &mut Showing, minute: i64, alerts: &[&str], expected: &[&str]) {
        let alerts = alerts.iter().map(|text| alert(text)).collect();
        let shown = |alert: Snapshot| match alert.ended {
            Some(ended) => format!("{} ended {}", alert.episode, ended.duration_since(at(0)).as_mins()),
            None => alert.episode,
        };
        let found: Vec<String> = showing.show(alerts, at(minute)).into_iter().map(shown).collect();
        assert_eq!(found, expected, "minute {minute}");
    }

    #[test]
    fn what_fires_is_shown_and_its_end_for_a_quarter_of_an_hour() {
        let mut showing = Showing::default();
        check(&mut showing, 0, &["site@1 firing"], &["site@1"]);
        check(&mut showing, 1, &["site@1 resolving"], &["site@1"]);
        check(&mut showing, 2, &[], &["site@1 ended 2"]);
        check(&mut showing, 3, &["site@2 firing"], &["site@2", "site@1 ended 2"]);
        check(&mut showing, 17, &["site@2 firing"], &["site@2", "site@1 ended 2"]);
        check(&mut showing, 18, &["site@2 firing"], &["site@2"]);
    }

    #[test]
    fn what_may_not_be_told_is_not_shown() {
        let mut showing = Showing::default();
        check(&mut showing, 0, &["held@1 firing held", "soon@1 pending"], &[]);
        check(&mut showing, 1, &["held@1 firing"], &["held@1"]);
        check(&mut showing, 2, &["late@1 resolved"], &["held@1 ended 2"]);
    }

    #[test]
    fn a_silence_does_not_say_that_it_has_ended() {
        let mut showing = Showing::default();
        check(&mut showing, 0, &["site@1 firing"], &["site@1"]);
        check(&mut showing, 1, &["site@1 firing held"], &["site@1"]);
        // After a restart only who was told is known.
        let mut restarted = Showing::default();
        check(&mut restarted, 2, &["site@1 firing held told"], &["site@1"]);
        check(&mut restarted, 3, &["site@1 resolved held told"], &["site@1 ended 0"]);
    }

    #[test]
    fn one_that_begins_again_is_another() {
        let mut showing = Showing::default();
        check(&mut showing, 0, &["site@1 firing"], &["site@1"]);
        check(&mut showing, 1, &["site@2 firing held"], &["site@1 ended 1"]);
    }
}
