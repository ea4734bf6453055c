//! From the tables of `alerts/*.toml` to what can't be wrong: names first, then what names them.

use super::definition::{
    AlertingTable, ChannelTable, ContactTable, MaintenanceTable, PartTable, SloTable, StatusTable,
};
use super::{Alerting, Begins, ChannelPlan, Contact, LeftOut, Maintenance};
use crate::config::check::why_skipped;
use crate::config::fault::{Fault, Place, Source, did_you_mean};
use crate::config::text::Variables;
use crate::config::value::Period;
use crate::config::{Check, Skipped, plan, read};
use crate::probe::net::Net;
use crate::probe::{Build, Found};
use jiff::tz::TimeZone;
use secrecy::ExposeSecret;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

/// One try of one message, unless the channel says otherwise.
const TIMEOUT: Duration = Duration::from_secs(20);
/// What a file of alerts may hold.
const KEYS: [&str; 7] = ["slo", "channel", "contact", "maintenance", "part", "alerting", "status"];
/// Tables of which there is one.
const SINGLE: [&str; 2] = ["alerting", "status"];

/// A table with its file and its place.
pub struct At<'a, T> {
    pub source: &'a Source,
    pub table: Spanned<DeValue<'a>>,
    pub raw: T,
}

impl<T> At<'_, T> {
    pub fn place(&self, key: &str) -> Place {
        self.source.place(read::offset_of(&self.table, key))
    }

    pub fn fault(&self, key: &str, text: impl Into<String>) -> Fault {
        Fault { place: self.place(key), text: text.into(), hint: None }
    }
}

/// Reads all files of alerts.
pub struct Reader<'a> {
    pub variables: &'a Variables,
    pub net: &'a Arc<Net>,
    pub checks: &'a [Arc<Check>],
    pub skipped: &'a [Skipped],
    /// Names of all checks, also of those with faults.
    pub check_names: Vec<&'a str>,
    pub faults: &'a mut Vec<Fault>,
}

impl<'a> Reader<'a> {
    pub fn read(mut self, sources: &'a [Source]) -> Alerting {
        let mut tables: BTreeMap<&str, Vec<(&Source, Spanned<DeValue<'_>>)>> = BTreeMap::new();
        for source in sources {
            for (key, table) in self.tables(source) {
                tables.entry(key).or_default().push((source, table));
            }
        }
        let channels: Vec<At<ChannelTable>> = self.named(tables.remove("channel"), "channel");
        let contacts: Vec<At<ContactTable>> = self.named(tables.remove("contact"), "contact");
        let slos: Vec<At<SloTable>> = self.named(tables.remove("slo"), "objective");
        let maintenance: Vec<At<MaintenanceTable>> = self.named(tables.remove("maintenance"), "maintenance");
        let parts: Vec<At<PartTable>> = self.named(tables.remove("part"), "part");
        let policy: Option<At<AlertingTable>> = self.single(tables.remove("alerting"), "alerting");
        let status: Option<At<StatusTable>> = self.single(tables.remove("status"), "status");

        let mut alerting = Alerting::default();
        self.channels(&channels, &mut alerting);
        self.contacts(&contacts, &channels, &mut alerting);
        let known: Vec<Arc<str>> = alerting.contacts.keys().cloned().collect();
        self.policy(policy, &known, &mut alerting);
        for at in &slos {
            self.objective(at, &known, &mut alerting);
        }
        for at in &maintenance {
            let objectives: Vec<&str> = slos.iter().map(|slo| slo.raw.name.as_str()).collect();
            self.maintenance(at, &objectives, &mut alerting);
        }
        let objectives: Vec<&str> = slos.iter().map(|slo| slo.raw.name.as_str()).collect();
        self.parts(&parts, &objectives, &mut alerting);
        self.page(status, &mut alerting);
        self.checks_alerts(&known);
        alerting
    }

    /// The tables of a file by their keys.
    fn tables(&mut self, source: &'a Source) -> Vec<(&'static str, Spanned<DeValue<'a>>)> {
        let Some(root) = read::parse(source, self.faults) else { return Vec::new() };
        let mut tables = Vec::new();
        for (key, value) in root.into_inner() {
            let Some(known) = KEYS.into_iter().find(|known| *known == key.get_ref().as_ref()) else {
                let text = format!("unknown key `{}`; allowed are `{}`", key.get_ref(), KEYS.join("`, `"));
                let mut fault = source.fault(key.span().start, text);
                fault.hint = did_you_mean(key.get_ref(), KEYS);
                self.faults.push(fault);
                continue;
            };
            match (known, value.get_ref()) {
                (single, DeValue::Table(_)) if SINGLE.contains(&single) => tables.push((known, value)),
                (single, _) if SINGLE.contains(&single) => {
                    self.faults.push(source.fault(key.span().start, format!("`{single}` must be a table")));
                }
                (_, DeValue::Array(array)) => tables.extend(array.iter().map(|one| (known, one.clone()))),
                _ => {
                    let mut fault =
                        source.fault(key.span().start, format!("`{known}` must be a list of tables"));
                    fault.hint = Some(format!("write `[[{known}]]` with two brackets"));
                    self.faults.push(fault);
                }
            }
        }
        tables
    }

    fn parsed<T: for<'de> Deserialize<'de>>(
        &mut self,
        tables: Option<Vec<(&'a Source, Spanned<DeValue<'a>>)>>,
    ) -> Vec<At<'a, T>> {
        let tables = tables.unwrap_or_default().into_iter();
        tables
            .filter_map(|(source, table)| {
                let raw = read::read::<T>(source, &table, self.faults)?;
                Some(At { source, table, raw })
            })
            .collect()
    }

    /// As [`Reader::parsed`], where one is allowed.
    fn single<T: for<'de> Deserialize<'de>>(
        &mut self,
        tables: Option<Vec<(&'a Source, Spanned<DeValue<'a>>)>>,
        what: &str,
    ) -> Option<At<'a, T>> {
        let mut all = self.parsed::<T>(tables).into_iter();
        let first = all.next()?;
        for second in all {
            let text = format!("`[{what}]` is given already at {}", first.place(""));
            self.faults.push(second.fault("", text));
        }
        Some(first)
    }

    /// As [`Reader::parsed`]; each with a name that is well-formed and not taken by another of its kind.
    fn named<T: for<'de> Deserialize<'de>>(
        &mut self,
        tables: Option<Vec<(&'a Source, Spanned<DeValue<'a>>)>>,
        what: &str,
    ) -> Vec<At<'a, T>> {
        let mut names: BTreeMap<String, Place> = BTreeMap::new();
        let tables = tables.unwrap_or_default();
        for (source, table) in &tables {
            plan::take_name(source, table, what, &mut names, self.faults);
        }
        self.parsed(Some(tables))
    }

    fn channels(&mut self, tables: &[At<'_, ChannelTable>], alerting: &mut Alerting) {
        for at in tables {
            let kind = at.raw.to.kind();
            let timeout = at.raw.timeout.map_or(TIMEOUT, Period::get);
            let mut build = Build {
                variables: self.variables,
                every: timeout,
                timeout,
                net: self.net,
                found: Found::default(),
            };
            let deliver = kind.build(&mut build);
            let found = build.found;
            for fault in &found.faults {
                let text = match fault.key.as_str() {
                    "" => fault.text.clone(),
                    key => format!("`{key}`: {}", fault.text),
                };
                let place = at.place(&format!("to.{}.{}", kind.name(), fault.key));
                self.faults.push(Fault { place, text, hint: fault.hint.clone() });
            }
            let (name, place): (Arc<str>, _) = (at.raw.name.as_str().into(), at.place(""));
            match deliver {
                Some(deliver) => {
                    let hourly_max =
                        at.raw.hourly_max.map_or_else(|| kind.hourly_max(), std::num::NonZeroU32::get);
                    let mut hasher = DefaultHasher::new();
                    (format!("{:?}", at.raw), found.values).hash(&mut hasher);
                    let fingerprint = hasher.finish();
                    let plan = ChannelPlan {
                        name: name.clone(),
                        kind: kind.name(),
                        timeout,
                        hourly_max,
                        place,
                        fingerprint,
                        deliver,
                    };
                    alerting.channels.insert(name, Arc::new(plan));
                }
                None if found.faults.is_empty() => {
                    let why = why_skipped(&found);
                    alerting.skipped.push(LeftOut { what: "channel", name, place, why });
                }
                None => {}
            }
        }
    }

    /// A channel is a contact of its own name too, unless a contact has that name.
    fn contacts(
        &mut self,
        tables: &[At<'_, ContactTable>],
        channels: &[At<'_, ChannelTable>],
        alerting: &mut Alerting,
    ) {
        let defined: Vec<&str> = channels.iter().map(|at| at.raw.name.as_str()).collect();
        let names = tables.iter().map(|at| at.raw.name.as_str()).chain(defined.iter().copied());
        let names: Vec<&str> = names.collect();
        for at in tables {
            for channel in at.raw.channels.iter().filter(|name| !defined.contains(&name.as_str())) {
                let mut fault = at.fault("channels", format!("`channels`: there is no channel `{channel}`"));
                fault.hint = did_you_mean(channel, defined.iter().copied());
                self.faults.push(fault);
            }
            for step in at.raw.escalate.iter().filter(|step| !names.contains(&step.to.as_str())) {
                let mut fault = at.fault("escalate", format!("`to`: there is no contact `{}`", step.to));
                fault.hint = did_you_mean(&step.to, names.iter().copied());
                self.faults.push(fault);
            }
            let works = |name: &&String| alerting.channels.contains_key(name.as_str());
            let channels = at.raw.channels.iter().filter(works).map(|name| name.as_str().into()).collect();
            let mut escalate: Vec<(Duration, Arc<str>)> =
                at.raw.escalate.iter().map(|step| (step.after.get(), step.to.as_str().into())).collect();
            escalate.sort();
            let name: Arc<str> = at.raw.name.as_str().into();
            alerting.contacts.insert(name.clone(), Contact { name, channels, escalate });
        }
        for name in defined {
            let name: Arc<str> = name.into();
            let channels = alerting.channels.contains_key(&name).then(|| name.clone()).into_iter().collect();
            let contact = Contact { name: name.clone(), channels, escalate: Vec::new() };
            alerting.contacts.entry(name).or_insert(contact);
        }
    }

    fn maintenance(&mut self, at: &At<'_, MaintenanceTable>, objectives: &[&str], alerting: &mut Alerting) {
        let raw = &at.raw;
        let zone = raw.time_zone.as_ref().map_or(TimeZone::UTC, |zone| zone.0.clone());
        for name in &raw.of {
            if !self.check_names.contains(&name.as_str()) && !objectives.contains(&name.as_str()) {
                let mut fault = at.fault("of", format!("`of`: there is no check or objective `{name}`"));
                let known = self.check_names.iter().chain(objectives).copied();
                fault.hint = did_you_mean(name, known);
                self.faults.push(fault);
            }
        }
        let begins = match (&raw.cron, &raw.at) {
            (Some(cron), None) => {
                let parsed = croner::Cron::from_str(cron).map_err(|error| {
                    at.fault("cron", format!("`cron`: `{cron}` is no cron expression: {error}"))
                });
                parsed.and_then(|parsed| {
                    if crate::alert::ever_occurs(&parsed) {
                        return Ok(Begins::Cron(Box::new(parsed)));
                    }
                    let hint = "the fields are minute, hour, day of the month, month, weekday";
                    Err(Fault {
                        hint: Some(hint.to_owned()),
                        ..at.fault("cron", format!("`cron`: `{cron}` names a day that no year has"))
                    })
                })
            }
            (None, Some(when)) => when
                .parse::<jiff::civil::DateTime>()
                .ok()
                .and_then(|when| zone.to_timestamp(when).ok())
                .map(Begins::Once)
                .ok_or_else(|| {
                    at.fault("at", format!("`at`: `{when}` is no time such as \"2026-12-24T18:00\""))
                }),
            _ => Err(at.fault("", "a maintenance needs exactly one of `cron` and `at`")),
        };
        match begins {
            Ok(begins) => alerting.maintenance.push(Maintenance {
                name: raw.name.as_str().into(),
                title: raw.title.clone().unwrap_or_else(|| crate::config::check::title_of(&raw.name)),
                begins,
                lasts: raw.lasts.get(),
                zone,
                of: raw.of.iter().map(|name| name.as_str().into()).collect(),
                sections: raw.sections.clone(),
            }),
            Err(fault) => self.faults.push(fault),
        }
    }

    /// Those whom checks name for their alerts.
    fn checks_alerts(&mut self, contacts: &[Arc<str>]) {
        for check in self.checks {
            for name in check.alert.to.iter().flatten().filter(|name| !contacts.contains(name)) {
                let text = format!("`alert.to`: there is no contact `{name}`");
                let hint = did_you_mean(name, contacts.iter().map(|name| &**name));
                self.faults.push(Fault { place: check.place.clone(), text, hint });
            }
        }
    }

    /// Names of contacts, each of whom is there.
    pub fn known<T>(
        &mut self,
        at: &At<'_, T>,
        key: &str,
        names: &[String],
        contacts: &[Arc<str>],
    ) -> Vec<Arc<str>> {
        for name in names.iter().filter(|name| !contacts.iter().any(|known| **known == **name)) {
            let mut fault = at.fault(key, format!("`{key}`: there is no contact `{name}`"));
            fault.hint = did_you_mean(name, contacts.iter().map(|name| &**name))
                .or_else(|| Some("write a `[[contact]]` or a `[[channel]]` of that name".to_owned()));
            self.faults.push(fault);
        }
        names.iter().map(|name| name.as_str().into()).collect()
    }

    /// The filled text of a key of `[alerting]`; none where it is not given or its variables are not set.
    pub fn filled(&self, text: Option<&crate::config::text::Text>) -> Option<secrecy::SecretString> {
        let filled = text?.resolve(self.variables).ok()?;
        (!filled.expose_secret().is_empty()).then_some(filled)
    }
}
