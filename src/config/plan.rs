//! From tables to a plan that can't be wrong: one pure pass over all files, which returns all faults.

use super::definition::{AgentFile, CheckTable, LimitTable};
use super::fault::{Fault, Place, Source, did_you_mean};
use super::text::Variables;
use super::value::Period;
use super::{graph, read};
use crate::outcome::Status;
use crate::probe::net::Net;
use crate::probe::{Build, Found, MeasureInfo, Run};
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

/// Where the agent listens unless told otherwise: loopback only.
pub const LISTEN: &str = "127.0.0.1:9760";
const TIMEOUT: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(10);
const NAME_LENGTH_MAX: usize = 64;

/// All files of one installation.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// `atalaya.toml`, where there is one.
    pub agent: Option<Source>,
    pub checks: Vec<Source>,
}

/// What is to be done, checked.
#[derive(Debug)]
pub struct Plan {
    pub agent: Agent,
    /// In the order of the files.
    pub checks: Vec<Arc<Check>>,
    pub skipped: Vec<Skipped>,
}

/// How the agent runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    pub listen: SocketAddr,
    pub runs_max: Option<u32>,
    pub grace: Duration,
}

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
    pub kind: &'static str,
    /// What its kind says about its measures.
    pub measures: &'static [MeasureInfo],
    pub limits: Vec<Limit>,
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
            super::definition::Missing::Ok => Status::Ok,
            super::definition::Missing::Unknown => Status::Unknown,
            super::definition::Missing::Failed => Status::Failed,
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

/// Reads everything. Faults come in the order of the files.
pub fn load(files: &Files, variables: &Variables, net: &Arc<Net>) -> Result<Plan, Vec<Fault>> {
    let mut faults = Vec::new();
    let agent = agent(files.agent.as_ref(), variables, &mut faults);
    let mut plan = Plan { agent, checks: Vec::new(), skipped: Vec::new() };
    let mut names = BTreeMap::new();
    let mut needs = Vec::new();
    for source in &files.checks {
        for table in tables(source, &mut faults) {
            let Some(name) = take_name(source, &table, &mut names, &mut faults) else { continue };
            if let Some(raw) = read::read::<CheckTable>(source, &table, &mut faults) {
                let at = |key: &str| source.place(read::offset_of(&table, key));
                needs.push(graph::Node { name, needs: raw.needs.clone(), place: at("needs") });
                let mut reader = Reader { variables, net, source, table: &table, faults: &mut faults };
                match reader.check(raw) {
                    Some(Ok(check)) => plan.checks.push(Arc::new(check)),
                    Some(Err(skipped)) => plan.skipped.push(skipped),
                    None => {}
                }
            }
        }
    }
    faults.extend(graph::faults(&needs, names.keys().map(String::as_str)));
    if faults.is_empty() {
        Ok(plan)
    } else {
        faults.sort();
        faults.dedup();
        Err(faults)
    }
}

fn agent(source: Option<&Source>, variables: &Variables, faults: &mut Vec<Fault>) -> Agent {
    let mut file = AgentFile::default();
    let mut listen_at = None;
    if let Some(source) = source
        && let Some(table) = read::parse(source, faults)
    {
        let table = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
        listen_at = Some(source.place(read::offset_of(&table, "http.listen")));
        file = read::read(source, &table, faults).unwrap_or_default();
    }
    let default = SocketAddr::from(([127, 0, 0, 1], 9760));
    let listen = match (&file.http.listen, listen_at) {
        (Some(text), Some(place)) => {
            let filled = text.resolve(variables).ok();
            let parsed = filled.and_then(|text| secrecy::ExposeSecret::expose_secret(&text).parse().ok());
            parsed.unwrap_or_else(|| {
                let hint = Some(format!("write it as \"{LISTEN}\"; a variable in it must be set"));
                let text = format!("`listen` is no address and port: `{}`", text.raw());
                faults.push(Fault { place, text, hint });
                default
            })
        }
        _ => default,
    };
    Agent { listen, runs_max: file.agent.runs_max, grace: file.agent.grace.map_or(GRACE, Period::get) }
}

/// The files and folders with checks that `atalaya.toml` names; a file that can't be read names the default.
pub fn check_paths(agent: Option<&Source>) -> Vec<String> {
    let mut ignored = Vec::new();
    let file: Option<AgentFile> = agent.and_then(|source| {
        let table = read::parse(source, &mut ignored)?;
        let table = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
        read::read(source, &table, &mut ignored)
    });
    file.and_then(|file| file.checks).unwrap_or_else(|| vec!["checks".to_owned()])
}

/// The `[[check]]` tables of a file.
fn tables<'i>(source: &'i Source, faults: &mut Vec<Fault>) -> Vec<Spanned<DeValue<'i>>> {
    let Some(root) = read::parse(source, faults) else { return Vec::new() };
    let mut tables = Vec::new();
    for (key, value) in root.into_inner() {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("check", DeValue::Array(array)) => tables.extend(array.iter().cloned()),
            ("check", _) => {
                let mut fault = source.fault(key.span().start, "`check` must be a list of tables");
                fault.hint = Some("write `[[check]]` with two brackets".to_owned());
                faults.push(fault);
            }
            (other, _) => {
                let text = format!("unknown key `{other}`; a file of checks holds only `[[check]]` tables");
                faults.push(source.fault(key.span().start, text));
            }
        }
    }
    tables
}

/// The name of a check, well-formed and not taken. A check without one is read all the same, for its other faults.
fn take_name(
    source: &Source,
    table: &Spanned<DeValue<'_>>,
    names: &mut BTreeMap<String, Place>,
    faults: &mut Vec<Fault>,
) -> Option<String> {
    let offset = read::offset_of(table, "name");
    let Some(name) = table.get_ref().get("name").and_then(|name| name.get_ref().as_str()) else {
        read::read::<CheckTable>(source, table, faults);
        return None;
    };
    let well_formed = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.len() <= NAME_LENGTH_MAX;
    if !well_formed {
        let text = format!(
            "`name`: `{name}` is not a name; allowed are up to {NAME_LENGTH_MAX} lowercase letters, digits and hyphens"
        );
        faults.push(source.fault(offset, text));
    }
    let place = source.place(offset);
    if let Some(first) = names.get(name) {
        faults.push(source.fault(offset, format!("the name `{name}` is taken by the check at {first}")));
    } else {
        names.insert(name.to_owned(), place);
    }
    Some(name.to_owned())
}

/// Reads one check.
struct Reader<'a> {
    variables: &'a Variables,
    net: &'a Arc<Net>,
    source: &'a Source,
    table: &'a Spanned<DeValue<'a>>,
    faults: &'a mut Vec<Fault>,
}

impl Reader<'_> {
    /// `None` where it has faults; `Err` where a variable is not set.
    fn check(&mut self, raw: CheckTable) -> Option<Result<Check, Skipped>> {
        let faults_before = self.faults.len();
        let fingerprint = fingerprint(&raw);
        let every = raw.every.get();
        let timeout = self.timeout(&raw);
        let place = self.source.place(self.table.span().start);
        let kind = raw.probe.kind();
        let limits = self.limits(&raw);
        self.metric_prefix(raw.metric_prefix.as_deref());
        let mut build =
            Build { variables: self.variables, every, timeout, net: self.net, found: Found::default() };
        let probe = kind.build(&mut build);
        let found = build.found;
        self.take_build_faults(kind.name(), &found);
        if self.faults.len() > faults_before {
            return None;
        }
        let name: Arc<str> = raw.name.into();
        let title = raw.title.unwrap_or_else(|| title_of(&name));
        let section = raw.section.unwrap_or_else(|| "general".to_owned());
        let Some(probe) = probe else {
            let why = not_set(&found);
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
            kind: kind.name(),
            measures: kind.measures(),
            limits,
            place,
            fingerprint: fingerprint ^ found.values,
            probe,
        }))
    }

    fn fault(&mut self, key: &str, text: String, hint: Option<String>) {
        let place = self.source.place(read::offset_of(self.table, key));
        self.faults.push(Fault { place, text, hint });
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
            if measure != crate::judge::limits::DURATION && !kind.may_yield(measure) {
                let known = kind.measures().iter().map(|info| info.name);
                let hint = did_you_mean(measure, known.chain([crate::judge::limits::DURATION]));
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

    fn metric_prefix(&mut self, prefix: Option<&str>) {
        let valid = |prefix: &str| {
            prefix.starts_with(|c: char| c.is_ascii_lowercase())
                && prefix.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                && !prefix.ends_with('_')
                && !prefix.starts_with("atalaya")
        };
        if let Some(prefix) = prefix.filter(|prefix| !valid(prefix)) {
            let text = format!(
                "`metric_prefix`: `{prefix}` is not allowed: lowercase letters, digits and `_` between them"
            );
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

fn not_set(found: &Found) -> String {
    let names: Vec<&str> = found.unset.iter().map(String::as_str).collect();
    match names.as_slice() {
        [one] => format!("variable {one} is not set"),
        many => format!("variables {} are not set", many.join(", ")),
    }
}

/// `stuck-orders`  →  `Stuck orders`
fn title_of(name: &str) -> String {
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
