//! One check: from its table to something that can run.

use super::alerting::CheckAlert;
use super::alerting::definition::{CheckAlertTable, Matters};
use super::definition::{CheckTable, LimitTable, Missing};
use super::fault::{Fault, Place, Source, did_you_mean};
use super::read;
use super::text::Variables;
use super::value::Period;
use crate::judge::limits::DURATION;
use crate::outcome::{Fault as OutcomeFault, Status};
use crate::probe::net::Net;
use crate::probe::{Build, Context, Found, MeasureInfo, Probe, Run, Running};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

/// More often than this nobody can act, and a target is harmed.
const EVERY_MIN: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_secs(10);

/// A check that can run.
pub struct Check {
    pub name: Arc<str>,
    pub title: String,
    pub section: String,
    pub description: Option<String>,
    pub every: Duration,
    pub timeout: Duration,
    pub needs: Vec<String>,
    pub tags: Vec<String>,
    pub runbook: Option<String>,
    /// What its measures begin with in metrics.
    pub metric_prefix: String,
    /// Whether its measures are Prometheus' too, and not for pages and reports only.
    pub metrics: bool,
    pub kind: &'static str,
    /// What its kind says about its measures.
    pub measures: &'static [MeasureInfo],
    pub limits: Vec<Limit>,
    pub alert: CheckAlert,
    /// Its kind and keys, as they stand in the file.
    pub definition: Probe,
    /// Its query counts from where it counted last.
    pub counts: bool,
    pub place: Place,
    /// Equal for equal definitions with equal values: how a reload knows what is unchanged.
    pub fingerprint: u64,
    pub probe: Box<dyn Run>,
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("name", &self.name).field("place", &self.place).finish()
    }
}

/// A bound on a measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    pub measure: String,
    pub table: LimitTable,
}

impl Limit {
    /// What a missing measure means.
    pub fn when_missing(&self) -> Status {
        match self.table.missing {
            Missing::Ok => Status::Ok,
            Missing::Unknown => Status::Unknown,
            Missing::Failed => Status::Failed,
        }
    }
}

/// A check that is defined and does not run, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    pub name: Arc<str>,
    pub title: String,
    pub section: String,
    pub kind: &'static str,
    pub tags: Vec<String>,
    pub place: Place,
    /// `variable DATABASE_URL is not set`
    pub why: String,
}

/// Reads one check.
pub struct Reader<'a> {
    pub variables: &'a Variables,
    pub net: &'a Arc<Net>,
    pub source: &'a Source,
    pub table: &'a Spanned<DeValue<'a>>,
    /// It is only read, so what its variables hold does not matter.
    pub as_written: bool,
    pub faults: &'a mut Vec<Fault>,
}

impl Reader<'_> {
    /// `None` where it has faults; `Err` where a variable is not set or is for something else.
    pub fn check(&mut self, raw: CheckTable) -> Option<Result<Check, Skipped>> {
        let faults_before = self.faults.len();
        let fingerprint = fingerprint(&raw);
        let every = raw.every.get();
        self.every(&raw);
        let timeout = self.timeout(&raw);
        let place = self.source.place(self.table.span().start);
        let kind = raw.probe.kind();
        let limits = self.limits(&raw);
        self.metric_prefix(raw.metric_prefix.as_deref(), raw.metrics);
        let mut build =
            Build { variables: self.variables, every, timeout, net: self.net, found: Found::default() };
        let (probe, found) = if self.as_written {
            let probe: Box<dyn Run> = Box::new(AsWritten);
            (Some(probe), Found::default())
        } else {
            let probe = kind.build(&mut build);
            (probe, build.found)
        };
        self.take_build_faults(kind.name(), &found);
        if self.faults.len() > faults_before {
            return None;
        }
        let name: Arc<str> = raw.name.into();
        let title = raw.title.unwrap_or_else(|| title_of(&name));
        let section = raw.section.unwrap_or_else(|| "general".to_owned());
        let Some(probe) = probe else {
            let why = why_skipped(&found);
            let (kind, tags) = (kind.name(), raw.tags);
            return Some(Err(Skipped { name, title, section, kind, tags, place, why }));
        };
        let prefix = raw.metric_prefix.unwrap_or_else(|| format!("atalaya_{}", kind.name()));
        Some(Ok(Check {
            name,
            title,
            section,
            description: raw.description,
            every,
            timeout,
            needs: raw.needs,
            tags: raw.tags,
            runbook: raw.runbook,
            metric_prefix: prefix,
            metrics: raw.metrics,
            kind: kind.name(),
            measures: kind.measures(),
            limits,
            alert: check_alert(&raw.alert),
            counts: kind.counts(),
            place,
            fingerprint: fingerprint ^ found.values,
            probe,
            definition: raw.probe,
        }))
    }

    fn fault(&mut self, key: &str, text: String, hint: Option<String>) {
        let place = self.source.place(read::offset_of(self.table, key));
        self.faults.push(Fault { place, text, hint });
    }

    fn every(&mut self, raw: &CheckTable) {
        if raw.every.get() < EVERY_MIN {
            let text = format!("`every`: {} is too often; the shortest is 100ms", raw.every);
            self.fault("every", text, None);
        }
    }

    /// One overlap is allowed, so a run must be over before the one after the next is due.
    fn timeout(&mut self, raw: &CheckTable) -> Duration {
        let every = raw.every.get();
        let timeout = raw.timeout.map_or(TIMEOUT.min(every), Period::get);
        if timeout >= every * 2 {
            let hint = Some("shorten `timeout` or lengthen `every`".to_owned());
            let text = format!(
                "`timeout`: {} is not shorter than twice `every` ({}), so runs would pile up",
                humantime::format_duration(timeout),
                raw.every
            );
            self.fault("timeout", text, hint);
        }
        timeout
    }

    fn limits(&mut self, raw: &CheckTable) -> Vec<Limit> {
        let kind = raw.probe.kind();
        for (measure, limit) in &raw.limits {
            let key = format!("limits.{measure}");
            if measure != DURATION && !kind.may_yield(measure) {
                let known = kind.measures().iter().map(|info| info.name);
                let hint = did_you_mean(measure, known.chain([DURATION]));
                let text = format!("`limits.{measure}`: `{}` never yields this measure", kind.name());
                self.fault(&key, text, hint);
            }
            if limit.degraded.is_none() && limit.failed.is_none() {
                let hint =
                    Some("give `degraded`, `failed` or both, such as `degraded = \"> 0.80\"`".to_owned());
                self.fault(&key, format!("`limits.{measure}` bounds nothing"), hint);
            }
        }
        let limits = raw.limits.iter();
        limits.map(|(measure, table)| Limit { measure: measure.clone(), table: table.clone() }).collect()
    }

    fn metric_prefix(&mut self, prefix: Option<&str>, metrics: bool) {
        let valid = |prefix: &str| {
            prefix.starts_with(|c: char| c.is_ascii_lowercase())
                && prefix.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                && !prefix.ends_with('_')
                && !prefix.starts_with("atalaya")
                && prefix != "process"
                && !prefix.starts_with("process_")
        };
        if let Some(prefix) = prefix.filter(|prefix| !valid(prefix)) {
            let text = format!(
                "`metric_prefix`: `{prefix}` is not allowed: lowercase letters, digits and `_` between them; \
                 what begins with `atalaya` or `process_` is the agent's own"
            );
            self.fault("metric_prefix", text, None);
        }
        if prefix.is_some() && !metrics {
            let text =
                "with `metrics = false` there are no metrics, so `metric_prefix` has no effect".to_owned();
            self.fault("metric_prefix", text, None);
        }
    }

    fn take_build_faults(&mut self, kind: &str, found: &Found) {
        for fault in &found.faults {
            let key = format!("probe.{kind}.{}", fault.key);
            let text = match fault.key.as_str() {
                "" => fault.text.clone(),
                key => format!("`{key}`: {}", fault.text),
            };
            self.fault(&key, text, fault.hint.clone());
        }
    }
}

/// Stands for the probe of a check that is only read.
struct AsWritten;

impl Run for AsWritten {
    fn run<'a>(&'a self, _: &'a Context) -> Running<'a> {
        Box::pin(async {
            OutcomeFault::internal("its definition was read as it is written, not to be run").into()
        })
    }
}

/// What the table says, and the defaults for the rest.
fn check_alert(table: &CheckAlertTable) -> CheckAlert {
    let default = CheckAlert::default();
    CheckAlert {
        failed: table.failed.map_or(default.failed, Matters::severity),
        degraded: table.degraded.map_or(default.degraded, Matters::severity),
        attempts: table.attempts.map_or(default.attempts, NonZeroU8::get),
        recoveries: table.recoveries.map_or(default.recoveries, NonZeroU8::get),
        to: table.to.as_ref().map(|to| to.iter().map(|name| name.as_str().into()).collect()),
    }
}

pub(super) fn why_skipped(found: &Found) -> String {
    if let Some(why) = found.left_out.as_ref().filter(|_| found.unset.is_empty()) {
        return why.clone();
    }
    let names: Vec<&str> = found.unset.iter().map(String::as_str).collect();
    match names.as_slice() {
        [one] => format!("variable {one} is not set"),
        many => format!("variables {} are not set", many.join(", ")),
    }
}

/// `stuck-orders`  →  `Stuck orders`
pub(super) fn title_of(name: &str) -> String {
    let mut title = name.replace('-', " ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

fn fingerprint(raw: &CheckTable) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{raw:?}").hash(&mut hasher);
    hasher.finish()
}
