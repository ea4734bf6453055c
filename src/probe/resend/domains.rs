//! The account's domains, and those that must be verified: from one that isn't, Resend sends nothing.

use super::client::{Client, Refusal};
use crate::outcome::{Class, Fault, Outcome};
use crate::probe::api::word;
use crate::probe::{Context, MeasureInfo};
use serde::Deserialize;

pub const MEASURES: &[MeasureInfo] = &[
    MeasureInfo { name: "domains_verified", help: "Domains of the account that are verified." },
    MeasureInfo { name: "domains_unverified", help: "Domains of the account that are not verified." },
    MeasureInfo {
        name: "records_failing",
        help: "DNS records that are not as they must be, of the domains that must be verified.",
    },
];

/// Pages of a hundred; more domains than this no shop has.
const PAGES_MAX: usize = 3;
/// Domains whose records are asked for in one run.
const DETAILS_MAX: usize = 2;
/// Records that a reason names.
const RECORDS_SHOWN_MAX: usize = 4;

#[derive(Debug, Deserialize)]
pub struct Domain {
    id: String,
    name: String,
    #[serde(default)]
    status: String,
    capabilities: Option<Capabilities>,
    records: Option<Vec<Record>>,
}

#[derive(Debug, Deserialize)]
struct Capabilities {
    sending: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Record {
    #[serde(default)]
    record: String,
    #[serde(default)]
    name: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    status: String,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Domain>,
    #[serde(default)]
    has_more: bool,
}

/// All domains, and whether these are really all.
pub struct Domains {
    list: Vec<Domain>,
    complete: bool,
}

pub async fn all(cx: &Context, client: &mut Client<'_>) -> Result<Domains, Refusal> {
    let mut list: Vec<Domain> = Vec::new();
    for _ in 0..PAGES_MAX {
        let after = list.last().map(|last| format!("&after={}", path_safe(&last.id))).unwrap_or_default();
        let page: Page = client.get(cx, &format!("domains?limit=100{after}")).await?;
        let ended = !page.has_more || page.data.is_empty();
        list.extend(page.data);
        if ended {
            return Ok(Domains { list, complete: true });
        }
    }
    Ok(Domains { list, complete: false })
}

pub async fn judge(
    cx: &Context,
    client: &mut Client<'_>,
    domains: &Domains,
    wanted: &[String],
    outcome: &mut Outcome,
) {
    let verified = domains.list.iter().filter(|domain| domain.sends()).count();
    outcome.measure("domains_verified", verified as f64);
    outcome.measure("domains_unverified", (domains.list.len() - verified) as f64);
    let (mut failing, mut details) = (0, 0);
    for name in wanted {
        let Some(domain) = domains.list.iter().find(|domain| domain.name.eq_ignore_ascii_case(name)) else {
            outcome.fault(missing(name, domains.complete));
            continue;
        };
        if domain.status == "verified" && domain.sends() {
            continue;
        }
        let mut records = Vec::new();
        if details < DETAILS_MAX {
            details += 1;
            match client.get::<Domain>(cx, &format!("domains/{}", path_safe(&domain.id))).await {
                Ok(detail) => records = detail.records.unwrap_or_default(),
                Err(Refusal::LimitedSight) => outcome.note("the key may not see a domain's records"),
                Err(Refusal::Fault(fault)) => outcome.note(format!("records of `{name}`: {}", fault.text)),
            }
        }
        records.retain(|record| record.status != "verified");
        failing += records.len();
        domain.judge(name, &records, outcome);
    }
    if !wanted.is_empty() {
        outcome.measure("records_failing", failing as f64);
    }
}

fn missing(name: &str, complete: bool) -> Fault {
    if name == "resend.dev" {
        let text = "the sender is at `resend.dev`, from where Resend delivers to the account's owner only; \
                    verify a domain of the shop's own";
        return Fault::failed(Class::Assertion, text);
    }
    if !complete {
        return Fault::internal(format!(
            "the account has more domains than are read, and `{name}` is not among them"
        ));
    }
    let text = format!("the domain `{name}` is not in the account of this key: mail from it is refused");
    Fault::failed(Class::Assertion, text)
}

impl Domain {
    /// A part of the records may be wrong (receiving, tracking) without harm to what is sent.
    fn sends(&self) -> bool {
        match self.capabilities.as_ref().and_then(|can| can.sending.as_deref()) {
            Some("disabled") => false,
            sending => {
                let partly = self.status.starts_with("partially_") && sending == Some("enabled");
                self.status == "verified" || partly
            }
        }
    }

    fn judge(&self, name: &str, failing: &[Record], outcome: &mut Outcome) {
        let records = words(failing);
        let status = word(Some(&self.status));
        if self.sends() {
            outcome.note(format!("the domain `{name}` sends and is `{status}`{records}"));
        } else if self.status == "verified" {
            let text =
                format!("the domain `{name}` is verified and switched off for sending: its mail is refused");
            outcome.fault(Fault::failed(Class::Assertion, text));
        } else if self.status == "temporary_failure" {
            let text = format!(
                "Resend no longer finds the records of `{name}` and looks again; its mail will be refused{records}"
            );
            outcome.fault(Fault::degraded(Class::Assertion, text));
        } else {
            let text =
                format!("the domain `{name}` is not verified (`{status}`): its mail is refused{records}");
            outcome.fault(Fault::failed(Class::Assertion, text));
        }
    }
}

fn words(failing: &[Record]) -> String {
    if failing.is_empty() {
        return String::new();
    }
    let shown: Vec<_> = failing
        .iter()
        .take(RECORDS_SHOWN_MAX)
        .map(|one| {
            // `@` is how DNS names a domain itself.
            let name = if one.name == "@" { "@" } else { word(Some(&one.name)) };
            let [record, kind, status] = [&one.record, &one.kind, &one.status].map(|text| word(Some(text)));
            format!("{record} {kind} `{name}` is `{status}`")
        })
        .collect();
    let more = failing.len().saturating_sub(RECORDS_SHOWN_MAX);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("; in its DNS {}{more}", shown.join(", "))
}

/// An id of Resend's is letters, digits and `-`; anything else must not reach another path.
fn path_safe(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_').collect()
}
