//! One objective: from its table to a promise that can be judged; and the policy that holds for all.

use super::definition::{
    AlertingTable, CountsTable, InMaintenance, IndicatorTable, Rule, SeverityTable, SloTable,
};
use super::read::{At, Reader};
use super::{Alerting, Counts, Indicator, LeftOut, Objective, Policy, SeverityPolicy, Stand};
use crate::config::Check;
use crate::config::check::title_of;
use crate::config::fault::did_you_mean;
use crate::config::share::Share;
use crate::config::value::Period;
use crate::judge::limits::DURATION;
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);
const WINDOW: Duration = Duration::from_hours(28 * 24);
const WINDOW_MAX: Duration = Duration::from_hours(90 * 24);
/// The long windows that page, and those that make tickets (SRE workbook, chapter 5).
const PAGE_WINDOWS: [Duration; 2] = [Duration::from_hours(1), Duration::from_hours(6)];
const TICKET_WINDOWS: [Duration; 2] = [Duration::from_hours(24), Duration::from_hours(72)];

/// What became of the indicator that may stand for another.
enum Second {
    None,
    /// It is the one that is judged, for this reason.
    TakenFor(String),
    /// Both can be.
    For(Indicator),
}

impl Reader<'_> {
    pub(super) fn objective(
        &mut self,
        at: &At<'_, SloTable>,
        contacts: &[Arc<str>],
        alerting: &mut Alerting,
    ) {
        let raw = &at.raw;
        let before = self.faults.len();
        self.share_or_baseline(at);
        let window = raw.window.map_or(WINDOW, Period::get);
        if window > WINDOW_MAX || !window.as_secs().is_multiple_of(DAY.as_secs()) || window.subsec_nanos() > 0
        {
            self.faults.push(at.fault("window", "`window`: whole days are wanted, 90 at most"));
        }
        let mut list = |key: &str, names: &Option<Vec<String>>, default: &[Arc<str>]| match names {
            Some(names) => self.known(at, key, names, contacts),
            None => default.to_vec(),
        };
        let policy = &alerting.policy;
        let page = list("page", &raw.page, &policy.page.to);
        let ticket = list("ticket", &raw.ticket, &policy.ticket.to);
        let info = list("info", &raw.info, &policy.info.to);
        let (page_windows, ticket_windows) = self.windows(at, window);
        let indicator = self.one_of_two(at);
        if self.faults.len() > before {
            return;
        }
        let name: Arc<str> = raw.name.as_str().into();
        let (indicator, second) = match indicator {
            Ok((Some(indicator), second)) => (indicator, second),
            Ok((None, _)) => return,
            Err(why) => {
                alerting.skipped.push(LeftOut { what: "objective", name, place: at.place(""), why });
                return;
            }
        };
        let (instead, until_heard) = match second {
            Second::None => (None, None),
            Second::TakenFor(why) => (Some(why), None),
            Second::For(other) => (None, self.until_heard(&indicator, other)),
        };
        let title = raw.title.clone().unwrap_or_else(|| title_of(&name));
        alerting.objectives.push(Arc::new(Objective {
            generation: self.generation(&indicator),
            every: self.every(&indicator),
            title,
            section: raw.section.clone().unwrap_or_else(|| "general".to_owned()),
            description: raw.description.clone(),
            objective_ppm: raw.objective.map_or(0, Share::ppm),
            window,
            indicator,
            instead,
            until_heard,
            rule: raw.rule,
            page,
            ticket,
            info,
            page_windows,
            ticket_windows,
            low_traffic: raw.low_traffic.unwrap_or(true),
            drought: raw.drought,
            excludes_maintenance: raw.maintenance == InMaintenance::Excluded,
            report: raw.report.as_ref().map(|report| report.time_zone.0.clone()),
            runbook: raw.runbook.clone(),
            place: at.place(""),
            name,
        }));
    }

    /// A baseline promises no share, and everything else does.
    fn share_or_baseline(&mut self, at: &At<'_, SloTable>) {
        let raw = &at.raw;
        let is_baseline = matches!(raw.indicator, IndicatorTable::Baseline(_));
        if raw
            .otherwise
            .as_ref()
            .is_some_and(|other| matches!(other, IndicatorTable::Baseline(_)) != is_baseline)
        {
            self.faults.push(
                at.fault("otherwise", "`otherwise`: a baseline and a share can't stand for each other"),
            );
        }
        match (raw.objective, is_baseline) {
            (None, false) => self.faults.push(at.fault("", "missing key `objective`")),
            (Some(_), true) => {
                self.faults.push(at.fault("objective", "`objective`: a baseline promises no share"));
            }
            _ => {}
        }
    }

    /// The indicator that is meant; or the one that stands for it. `Err` where neither can be.
    fn one_of_two(&mut self, at: &At<'_, SloTable>) -> Result<(Option<Indicator>, Second), String> {
        let meant = self.indicator(at, "indicator", &at.raw.indicator);
        let otherwise = at.raw.otherwise.as_ref().map(|table| self.indicator(at, "otherwise", table));
        match (meant, otherwise) {
            (Ok(meant), Some(Ok(Some(otherwise)))) => Ok((meant, Second::For(otherwise))),
            (Ok(meant), _) => Ok((meant, Second::None)),
            (Err(why), Some(Ok(otherwise))) => Ok((otherwise, Second::TakenFor(why))),
            (Err(why), _) => Err(why),
        }
    }

    /// Where what is meant is made of what the shop or its vendors say, it is judged once they do.
    fn until_heard(&self, meant: &Indicator, other: Indicator) -> Option<Arc<Stand>> {
        let of = meant.checks();
        let mut checks = self.checks.iter().filter(|check| of.contains(&&check.name));
        let (check, source) =
            checks.find_map(|check| Some((check.name.clone(), check.definition.kind().source()?)))?;
        Some(Arc::new(Stand {
            source,
            check,
            every: self.every(&other),
            generation: self.generation(&other),
            indicator: other,
        }))
    }

    /// The long windows that page and those that make tickets.
    fn windows(&mut self, at: &At<'_, SloTable>, window: Duration) -> (Vec<Duration>, Vec<Duration>) {
        let raw = &at.raw;
        let mut take =
            |key: &str, given: &Option<Vec<Period>>, allowed: &[Duration], default: &[Duration]| {
                let Some(given) = given else { return default.to_vec() };
                let given: Vec<Duration> = given.iter().map(|period| period.get()).collect();
                for one in given.iter().filter(|one| !allowed.contains(one)) {
                    let words: Vec<String> =
                        allowed.iter().map(|one| humantime::format_duration(*one).to_string()).collect();
                    let text = format!(
                        "`{key}`: {} is not one of {}",
                        humantime::format_duration(*one),
                        words.join(", ")
                    );
                    self.faults.push(at.fault(key, text));
                }
                given
            };
        if raw.rule == Rule::Share {
            let days: Vec<Duration> = (1..=90).map(|day| DAY * day).filter(|day| *day <= window).collect();
            let windows = take("ticket_windows", &raw.ticket_windows, &days, &[window]);
            return (take("page_windows", &raw.page_windows, &[], &[]), windows);
        }
        let page = take("page_windows", &raw.page_windows, &PAGE_WINDOWS, &PAGE_WINDOWS);
        (page, take("ticket_windows", &raw.ticket_windows, &TICKET_WINDOWS, &TICKET_WINDOWS))
    }

    /// `Err` where a check that it is made from does not run; `Ok(None)` where a fault was told.
    fn indicator(
        &mut self,
        at: &At<'_, SloTable>,
        key: &str,
        table: &IndicatorTable,
    ) -> Result<Option<Indicator>, String> {
        Ok(match table {
            IndicatorTable::Availability(table) => {
                // It is promised of those that run; that others are skipped is said where they are.
                let (mut checks, mut skipped) = (Vec::new(), None);
                for name in &table.checks {
                    match self.check(at, &format!("{key}.availability.checks"), name) {
                        Ok(check) => checks.push(check),
                        Err(why) => skipped = Some(why),
                    }
                }
                if checks.is_empty()
                    && let Some(why) = skipped
                {
                    return Err(why);
                }
                if checks.is_empty() {
                    let text = "`checks`: an objective of no check promises nothing";
                    self.faults.push(at.fault(&format!("{key}.availability.checks"), text));
                }
                let names = checks.into_iter().flatten().map(|check| check.name.clone());
                Some(Indicator::Availability { checks: names.collect() })
            }
            IndicatorTable::Latency(table) => {
                let check = self.check(at, &format!("{key}.latency.check"), &table.check)?;
                check.map(|check| Indicator::Latency { check: check.name.clone(), below: table.below.get() })
            }
            IndicatorTable::Measure(table) => {
                let check = self.check(at, &format!("{key}.measure.check"), &table.check)?;
                let yields = |check: &Arc<Check>| {
                    table.measure == DURATION || check.definition.kind().may_yield(&table.measure)
                };
                if check.as_ref().is_some_and(|check| !yields(check)) {
                    let text = format!("`measure`: `{}` never yields `{}`", table.check, table.measure);
                    self.faults.push(at.fault(&format!("{key}.measure.measure"), text));
                }
                check.map(|check| Indicator::Measure {
                    check: check.name.clone(),
                    measure: table.measure.as_str().into(),
                    good: table.good.clone(),
                })
            }
            IndicatorTable::Counts(table) => {
                let columns = [&table.good, &table.bad, &table.total];
                let columns: Vec<&str> = columns.into_iter().flatten().map(String::as_str).collect();
                let check = self.counting(at, &format!("{key}.counts"), &table.check, &columns)?;
                let counts = self.counts(at, key, table);
                check
                    .zip(counts)
                    .map(|(check, counts)| Indicator::Counts { check: check.name.clone(), counts })
            }
            IndicatorTable::Baseline(table) => {
                let columns = [table.count.as_str(), &table.sum, &table.squares];
                let check = self.counting(at, &format!("{key}.baseline"), &table.check, &columns)?;
                check.map(|check| Indicator::Baseline {
                    check: check.name.clone(),
                    count: table.count.as_str().into(),
                    sum: table.sum.as_str().into(),
                    squares: table.squares.as_str().into(),
                    unit: table.unit.clone().unwrap_or_default(),
                })
            }
        })
    }

    fn counts(&mut self, at: &At<'_, SloTable>, key: &str, table: &CountsTable) -> Option<Counts> {
        let column = |name: &Option<String>| name.as_deref().map(Arc::<str>::from);
        match (column(&table.good), column(&table.bad), column(&table.total)) {
            (Some(good), None, Some(total)) => Some(Counts::GoodOfTotal { good, total }),
            (None, Some(bad), Some(total)) => Some(Counts::BadOfTotal { bad, total }),
            (Some(good), Some(bad), None) => Some(Counts::GoodAndBad { good, bad }),
            _ => {
                let text = "exactly two of `good`, `bad` and `total` are wanted";
                self.faults.push(at.fault(&format!("{key}.counts"), text));
                None
            }
        }
    }

    /// A check that counts, and counts these: a `sql` check whose query does between `$from` and `$to`, or a `received` one.
    fn counting(
        &mut self,
        at: &At<'_, SloTable>,
        key: &str,
        name: &str,
        columns: &[&str],
    ) -> Result<Option<Arc<Check>>, String> {
        let check_key = format!("{key}.check");
        let Some(check) = self.check(at, &check_key, name)? else { return Ok(None) };
        if !check.counts {
            let mut fault = at.fault(
                &check_key,
                format!("`check`: `{name}` is no `sql` check that counts from `$from` to `$to`, and no `received` one"),
            );
            fault.hint = Some("such a `sql` check has a query with both, and no `window`".to_owned());
            self.faults.push(fault);
            return Ok(None);
        }
        for column in columns.iter().filter(|column| !check.definition.kind().may_yield(column)) {
            let text = format!("`{name}` counts no `{column}`");
            self.faults.push(at.fault(key, text));
        }
        Ok(Some(check))
    }

    /// `Err`: the check is there and does not run.
    fn check(&mut self, at: &At<'_, SloTable>, key: &str, name: &str) -> Result<Option<Arc<Check>>, String> {
        if let Some(check) = self.checks.iter().find(|check| *check.name == *name) {
            return Ok(Some(check.clone()));
        }
        if let Some(skipped) = self.skipped.iter().find(|skipped| *skipped.name == *name) {
            return Err(format!("its check `{name}` is skipped: {}", skipped.why));
        }
        if !self.check_names.contains(&name) {
            let mut fault = at.fault(key, format!("there is no check `{name}`"));
            fault.hint = did_you_mean(name, self.check_names.iter().copied());
            self.faults.push(fault);
        }
        Ok(None)
    }

    fn every(&self, indicator: &Indicator) -> BTreeMap<Arc<str>, Duration> {
        let of = indicator.checks();
        let used = self.checks.iter().filter(|check| of.contains(&&check.name));
        used.map(|check| (check.name.clone(), check.every)).collect()
    }

    /// The same in every version of the program: counts that were stored are found again by it.
    fn generation(&self, indicator: &Indicator) -> u64 {
        let mut text = format!("{indicator:?}");
        if let Indicator::Counts { check, .. } | Indicator::Baseline { check, .. } = indicator
            && let Some(check) = self.checks.iter().find(|one| one.name == *check)
        {
            // Writing to a string can't fail.
            let _ = write!(text, "{:?}", check.definition);
        }
        let mut hasher = fnv::FnvHasher::default();
        hasher.write(text.as_bytes());
        hasher.finish()
    }

    pub(super) fn policy(
        &mut self,
        at: Option<At<'_, AlertingTable>>,
        contacts: &[Arc<str>],
        alerting: &mut Alerting,
    ) {
        let hour = Duration::from_hours(1);
        let page = (Duration::from_millis(500), Duration::from_mins(5), vec![hour, hour * 2, hour * 4]);
        let ticket = (Duration::from_mins(1), Duration::from_mins(30), vec![DAY]);
        let info = (Duration::from_mins(1), Duration::from_mins(30), Vec::new());
        let default = AlertingTable::default();
        let raw = at.as_ref().map_or(&default, |at| &at.raw);
        let mut of = |key: &str, table: &SeverityTable, default: (Duration, Duration, Vec<Duration>)| {
            let to = table.to.as_deref().unwrap_or_default();
            let to =
                at.as_ref().map_or_else(Vec::new, |at| self.known(at, &format!("{key}.to"), to, contacts));
            SeverityPolicy {
                to,
                wait: table.wait.map_or(default.0, Period::get),
                keep_firing_for: table.keep_firing_for.map_or(default.1, Period::get),
                remind: table
                    .remind
                    .as_ref()
                    .map_or(default.2, |all| all.iter().map(|one| one.get()).collect()),
            }
        };
        alerting.policy = Policy {
            page: of("page", &raw.page, page),
            ticket: of("ticket", &raw.ticket, ticket),
            info: of("info", &raw.info, info),
            network: raw.network.iter().map(|name| name.as_str().into()).collect(),
            url: self
                .filled(raw.url.as_ref())
                .map(|url| url.expose_secret().trim_end_matches('/').to_owned()),
        };
        alerting.dead_mans_switch = self.filled(raw.dead_mans_switch.as_ref());
        let Some(at) = at else { return };
        if alerting.dead_mans_switch.as_ref().is_some_and(|address| !is_address(address.expose_secret())) {
            let text = "`dead_mans_switch`: the value is no address that begins with `https://` or `http://`";
            self.faults.push(at.fault("dead_mans_switch", text));
        }
        for name in &at.raw.network {
            if !self.check_names.contains(&name.as_str()) {
                let mut fault = at.fault("network", format!("`network`: there is no check `{name}`"));
                fault.hint = did_you_mean(name, self.check_names.iter().copied());
                self.faults.push(fault);
            }
        }
        // A check that is skipped tells nothing about the network.
        let runs = |name: &Arc<str>| self.checks.iter().any(|check| check.name == *name);
        alerting.policy.network.retain(runs);
    }
}

fn is_address(text: &str) -> bool {
    let url = reqwest::Url::parse(text.trim());
    url.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}
