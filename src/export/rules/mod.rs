//! Rule files for Prometheus, made from the definitions: what is recorded of each objective, and the alerts that a
//! Prometheus can give in the agent's place.
//!
//! The agent judges by itself; these are for a shop whose people are called by Prometheus and Alertmanager. Windows and
//! thresholds are the judge's own ([`crate::judge::rule`]), so that both say the same; what PromQL can't say is told
//! at the head of the file.
//!
//! **Why from `atalaya_slo_window_events` and not `increase(atalaya_slo_events_total[…])`.** The gauges are whole
//! numbers of events by *when they happened*, the sums that the agent judges by: they outlive a restart, leave
//! maintenance out, and what a counting query makes up for (28 days of payments at the first start, the orders of a night
//! in which the agent was off) stands in the windows where it belongs. The counter begins at 0 with the process and takes
//! all of that in at once: `increase` over 5 minutes would take a month of payments for those of now, lose what was
//! counted between the last scrape and a crash, and by extrapolation give 4.03 payments for 4. So ratios are sums over
//! sums, each made where the events are known, and never an average of ratios.

mod agent;
mod budget;
mod burning;
mod checks;
mod coverage;
mod number;
mod proof;
mod pyrra;
mod recording;
mod rule;
#[cfg(test)]
mod tests;
mod usual;

pub use number::{any_of, quoted, slug};
pub use rule::{Alert, Group};

use super::File;
use crate::config::{Alerting, Plan};
use rule::groups_text;

/// In whose names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As sloth (sloth.dev) has them; its dashboards read them.
    Sloth,
    /// As pyrra has them.
    Pyrra,
}

/// The files of a style. Beside sloth's stand the rules for checks and for the agent, and for each file the unit tests
/// that promtool runs.
pub fn files(plan: &Plan, style: Style) -> Vec<File> {
    match style {
        Style::Pyrra => {
            let groups = pyrra::groups(&plan.alerting.objectives);
            vec![File { path: "pyrra.rules.yml".into(), text: groups_text(PYRRA, &groups) }]
        }
        Style::Sloth => {
            let all = [
                ("objectives", OBJECTIVES, of_objectives(&plan.alerting)),
                ("usual", USUAL, usual::groups(&plan.alerting)),
                ("coverage", COVERAGE, coverage::groups(plan)),
                ("checks", CHECKS, checks::groups(&plan.checks)),
                ("agent", AGENT, agent::groups()),
            ];
            all.into_iter().flat_map(|(name, head, groups)| of_one(name, head, &groups)).collect()
        }
    }
}

/// What is recorded of objectives, and what fires.
pub fn of_objectives(alerting: &Alerting) -> Vec<Group> {
    burning::groups(alerting)
}

fn of_one(name: &str, head: &str, groups: &[Group]) -> [File; 2] {
    let rules = format!("{name}.rules.yml");
    let tests = proof::text(&rules, groups);
    [
        File { path: rules.into(), text: groups_text(head, groups) },
        File { path: format!("{name}.test.yml").into(), text: tests },
    ]
}

const OBJECTIVES: &str = "\
# Made by `atalaya export rules` from alerts/*.toml; edit those. Needs Prometheus 2.42 or newer (`keep_firing_for`).
#
# What is promised: how it stands, in the names that sloth's users know, and the alerts that follow.
#
# Ratios are sums of events over sums of events, taken from `atalaya_slo_window_events`: whole numbers by when the events
# happened. `increase(atalaya_slo_events_total[...])` would be wrong here: that counter begins at 0 with the agent, and
# what the agent makes up for (a month of payments at its first start, those of a night in which it was off) comes all at
# once. Where nothing happened there is no ratio, and nothing fires or ends for it.
#
# Thresholds are those of the agent: the SRE workbook's for the objective's window, held below half way between the
# budget and total failure. `slo:sli_error_at_least` takes what was not measured for good, so a gap never fires.
#
# Where events are few, a ratio says little. The agent asks how likely chance is (a binomial test); PromQL has no such
# function, so a floor of bad events stands in for it (`slo:sli_bad_events:above_floor...`): at least three, and at least
# as many as chance makes once in 10,000 times (pages) or 1,000 times (tickets), by a Cornish-Fisher approximation that
# is right to within one event. What takes the order of events (some bad ones in a row, a silence) only the agent can
# see; there its own verdict is passed on (`atalaya_alert_state`).
";

const USUAL: &str = "\
# Made by `atalaya export rules` from alerts/*.toml; edit those.
#
# What is not as usual: a value that left its band, silence where there should be events. What is usual only the agent has
# learnt; it exports the band, and its verdict on silence is passed on.
";

const COVERAGE: &str = "\
# Made by `atalaya export rules` from alerts/*.toml and checks/*.toml; edit those.
#
# What nobody knows: promises that are not measured or not judged, checks that are not run or can't tell. Not measured is
# neither good nor bad, so it shows in no other rule. A check that is not run because what it needs has failed is not told.
";

const CHECKS: &str = "\
# Made by `atalaya export rules` from checks/*.toml; edit those. Needs Prometheus 2.42 or newer (`keep_firing_for`).
#
# What is wrong with what is watched. As long as it takes the agent to be sure (`alert.attempts` runs) an alert is
# pending; one whose cause is told already, because a check that it needs has failed itself, is not told.
";

const AGENT: &str = "\
# Made by `atalaya export rules`; the same for every agent. Needs Prometheus 2.42 or newer (`keep_firing_for`).
#
# Who watches the watcher: whether it is there, judges, remembers, and whether its messages get through. Of these only
# Prometheus can tell that the agent is gone.
";

const PYRRA: &str = "\
# Made by `atalaya export rules --style pyrra` from alerts/*.toml; edit those.
#
# The names and labels are pyrra's, windows and thresholds are the agent's. Ratios are sums of events over sums of events.
# Where events are few the agent asks besides how likely chance is, which these rules do not: prefer the other style.
";
