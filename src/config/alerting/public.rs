//! What the status page shows: the parts of the shop as visitors know them.
//!
//! Without any `[[part]]` every section is one, so that there is a page from the first check on. As soon as one is
//! defined only those that are defined are shown: nothing internal gets onto the page by being forgotten.

use super::definition::{PartTable, StatusTable};
use super::read::{At, Reader};
use super::{Alerting, Page, Part};
use crate::config::fault::did_you_mean;
use secrecy::ExposeSecret;
use std::sync::Arc;

impl Reader<'_> {
    pub(super) fn parts(
        &mut self,
        tables: &[At<'_, PartTable>],
        objectives: &[&str],
        alerting: &mut Alerting,
    ) {
        let mut sections: Vec<&str> = Vec::new();
        let all = self.checks.iter().map(|check| check.section.as_str());
        for section in all.chain(self.skipped.iter().map(|one| one.section.as_str())) {
            if !sections.contains(&section) {
                sections.push(section);
            }
        }
        if tables.is_empty() {
            alerting.parts = sections.iter().map(|section| Arc::new(of_section(section))).collect();
            return;
        }
        for at in tables {
            let own = if at.raw.checks.is_empty() { vec![at.raw.name.clone()] } else { Vec::new() };
            let named = at.raw.sections.clone().unwrap_or(own);
            let checks = self.check_names.clone();
            self.exist(at, ("sections", "section"), &named, &sections);
            self.exist(at, ("checks", "check"), &at.raw.checks, &checks);
            self.exist(at, ("objective", "objective"), at.raw.objective.as_slice(), objectives);
            alerting.parts.push(Arc::new(Part {
                name: at.raw.name.as_str().into(),
                title: at.raw.title.clone().unwrap_or_else(|| capitalised(&at.raw.name)),
                description: at.raw.description.clone(),
                sections: named,
                checks: at.raw.checks.iter().map(|name| name.as_str().into()).collect(),
                objective: at.raw.objective.as_deref().map(Arc::from),
            }));
        }
    }

    /// A fault for each name that nothing has.
    fn exist(&mut self, at: &At<'_, PartTable>, (key, what): (&str, &str), names: &[String], known: &[&str]) {
        for name in names.iter().filter(|name| !known.contains(&name.as_str())) {
            let mut fault = at.fault(key, format!("`{key}`: there is no {what} `{name}`"));
            fault.hint = did_you_mean(name, known.iter().copied());
            self.faults.push(fault);
        }
    }

    pub(super) fn page(&mut self, status: Option<At<'_, StatusTable>>, alerting: &mut Alerting) {
        let Some(at) = status else { return };
        // Without its variable there is no link, as with a check that is skipped.
        let link = at.raw.link.as_ref().and_then(|text| text.resolve(self.variables).ok());
        let link = link.map(|link| link.expose_secret().to_owned()).filter(|link| !link.is_empty());
        if let Some(link) = &link
            && !["https://", "http://"].iter().any(|scheme| link.starts_with(scheme))
        {
            self.faults.push(at.fault("link", "`link`: it must begin with `https://` or `http://`"));
        }
        alerting.page = Page { title: at.raw.title, about: at.raw.about, link };
    }
}

fn of_section(section: &str) -> Part {
    Part {
        name: section.into(),
        title: capitalised(section),
        description: None,
        sections: vec![section.to_owned()],
        checks: Vec::new(),
        objective: None,
    }
}

/// `order-emails` → `Order emails`
fn capitalised(name: &str) -> String {
    let text = name.replace(['-', '_'], " ");
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}
