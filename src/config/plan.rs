//! From tables to a plan that can't be wrong: one pure pass over all files, which returns all faults.

use super::alerting::{self, Alerting};
use super::check::{Check, Reader, Skipped};
use super::definition::{AgentFile, CheckTable, IngestTable};
use super::fault::{Fault, Place, Source};
use super::ingest::{Ingest, Wrong};
use super::text::{Text, Variables};
use super::value::Period;
use super::{graph, http, read};
use crate::probe::net::Net;
use http::Http;
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

/// Where the agent listens unless told otherwise: loopback only.
pub const LISTEN: &str = "127.0.0.1:9760";
const GRACE: Duration = Duration::from_secs(10);
const NAME_LENGTH_MAX: usize = 64;

/// All files of one installation.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// `atalaya.toml`, where there is one.
    pub agent: Option<Source>,
    pub checks: Vec<Source>,
    /// Objectives, channels, contacts, maintenance.
    pub alerts: Vec<Source>,
}

/// What is to be done, checked.
#[derive(Debug)]
pub struct Plan {
    pub agent: Agent,
    pub http: Arc<Http>,
    /// In the order of the files.
    pub checks: Vec<Arc<Check>>,
    pub skipped: Vec<Skipped>,
    pub alerting: Arc<Alerting>,
}

/// How the agent runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    pub listen: SocketAddr,
    pub runs_max: Option<u32>,
    pub grace: Duration,
    /// The file of the store as it is written, where it is.
    pub store: Option<String>,
}

/// Reads everything. Faults come in the order of the files.
pub fn load(files: &Files, variables: &Variables, net: &Arc<Net>) -> Result<Plan, Vec<Fault>> {
    load_with(files, variables, net, false)
}

/// Reads everything as it is written, whatever variables are set: every check is there, and none can be run. For what is
/// made from definitions and must be the same on every machine: rule files and boards.
pub fn load_as_written(files: &Files, net: &Arc<Net>) -> Result<Plan, Vec<Fault>> {
    let none: [(String, String); 0] = [];
    load_with(files, &Variables::new(none, |_| Ok("as written".to_owned())), net, true)
}

fn load_with(
    files: &Files,
    variables: &Variables,
    net: &Arc<Net>,
    as_written: bool,
) -> Result<Plan, Vec<Fault>> {
    let mut faults = Vec::new();
    let (agent, mut http) = agent(files.agent.as_ref(), variables, &mut faults);
    let mut plan = Plan {
        agent,
        http: Arc::default(),
        checks: Vec::new(),
        skipped: Vec::new(),
        alerting: Arc::default(),
    };
    let mut names = BTreeMap::new();
    let mut needs = Vec::new();
    for source in &files.checks {
        for table in tables(source, &mut faults) {
            let Some(name) = take_name(source, &table, "check", &mut names, &mut faults) else {
                read::read::<CheckTable>(source, &table, &mut faults);
                continue;
            };
            if let Some(raw) = read::read::<CheckTable>(source, &table, &mut faults) {
                let at = |key: &str| source.place(read::offset_of(&table, key));
                needs.push(graph::Node { name, needs: raw.needs.clone(), place: at("needs") });
                let mut reader =
                    Reader { variables, net, source, table: &table, as_written, faults: &mut faults };
                match reader.check(raw) {
                    Some(Ok(check)) => plan.checks.push(Arc::new(check)),
                    Some(Err(skipped)) => plan.skipped.push(skipped),
                    None => {}
                }
            }
        }
    }
    let reader = alerting::read::Reader {
        variables,
        net,
        checks: &plan.checks,
        skipped: &plan.skipped,
        check_names: names.keys().map(String::as_str).collect(),
        faults: &mut faults,
    };
    let alerting = reader.read(&files.alerts);
    http.reached_at(alerting.policy.url.as_deref());
    let events = plan.checks.iter().flat_map(|check| check.definition.kind().events());
    http.ingest.counted = Arc::new(events.map(str::to_owned).collect());
    http.ingest.reached_at(alerting.policy.url.as_deref());
    plan.http = Arc::new(http);
    plan.alerting = Arc::new(alerting);
    faults.extend(graph::faults(&needs, names.keys().map(String::as_str)));
    if faults.is_empty() {
        Ok(plan)
    } else {
        faults.sort();
        faults.dedup();
        Err(faults)
    }
}

fn agent(source: Option<&Source>, variables: &Variables, faults: &mut Vec<Fault>) -> (Agent, Http) {
    let mut file = AgentFile::default();
    let mut http = Http { open_to_loopback: true, ..Http::default() };
    let mut listen_at = None;
    if let Some(source) = source
        && let Some(table) = read::parse(source, faults)
    {
        let table = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
        listen_at = Some(source.place(read::offset_of(&table, "http.listen")));
        file = read::read(source, &table, faults).unwrap_or_default();
        http = http::Reader { variables, source, table: &table, faults }.read(&file.http);
        let (read, wrong) = Ingest::read(&file.ingest, variables);
        http.ingest = read;
        faults.extend(wrong.into_iter().map(|wrong| wrong.at(source, &table)));
    } else {
        let (read, wrong) = Ingest::read(&IngestTable::default(), variables);
        http.ingest = read;
        faults.extend(wrong.into_iter().map(Wrong::of_the_environment));
    }
    let default = SocketAddr::from(([127, 0, 0, 1], 9760));
    let listen = match (&file.http.listen, listen_at) {
        (Some(text), Some(place)) => {
            let filled = text.resolve(variables).ok();
            let parsed = filled.and_then(|text| text.expose_secret().parse().ok());
            parsed.unwrap_or_else(|| {
                let hint = Some(format!("write it as \"{LISTEN}\"; a variable in it must be set"));
                let text = format!("`listen` is no address and port: `{}`", text.raw());
                faults.push(Fault { place, text, hint });
                default
            })
        }
        _ => default,
    };
    let runs_max = file.agent.runs_max.map(NonZeroU32::get);
    let filled = |text: &Option<Text>| {
        text.as_ref()?.resolve(variables).ok().filter(|text| !text.expose_secret().is_empty())
    };
    let store = filled(&file.store.path).map(|path| path.expose_secret().to_owned());
    let grace = file.agent.grace.map_or(GRACE, Period::get);
    (Agent { listen, runs_max, grace, store }, http)
}

/// The files and folders that `atalaya.toml` names under `checks` or `alerts`. They are taken as they stand, whatever else is wrong
/// with the file; where its syntax is, or where the value is no list of texts, there are none: [`load`] tells the
/// faults, and no missing folder that nobody named hides them.
pub fn paths(agent: Option<&Source>, key: &str) -> Vec<String> {
    let default = vec![key.to_owned()];
    let Some(source) = agent else { return default };
    let Some(table) = read::parse(source, &mut Vec::new()) else { return Vec::new() };
    let Some(checks) = table.get_ref().get(key) else { return default };
    let texts = checks.get_ref().as_array().into_iter().flatten();
    texts.filter_map(|path| path.get_ref().as_str().map(str::to_owned)).collect()
}

/// Whether `atalaya.toml` names paths under this key.
pub fn names_paths(agent: Option<&Source>, key: &str) -> bool {
    let table = agent.and_then(|source| read::parse(source, &mut Vec::new()));
    table.is_some_and(|table| table.get_ref().contains_key(key))
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

/// The name of a check or of something else, well-formed and not taken.
pub(super) fn take_name(
    source: &Source,
    table: &Spanned<DeValue<'_>>,
    what: &str,
    names: &mut BTreeMap<String, Place>,
    faults: &mut Vec<Fault>,
) -> Option<String> {
    let offset = read::offset_of(table, "name");
    let name = table.get_ref().get("name").and_then(|name| name.get_ref().as_str())?;
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
        faults.push(source.fault(offset, format!("the name `{name}` is taken by the {what} at {first}")));
    } else {
        names.insert(name.to_owned(), place);
    }
    Some(name.to_owned())
}
