//! The words of a notice: one [`Message`], from which every channel takes what it can show. Pure.
//!
//! All is made from the notice and from nothing else, with the notice's own time as now: a message that is tried
//! again an hour later says the same, letter for letter, so that a receiver can tell that it is the same.
//! Summaries come from what probes were answered and may hold anything; every text is made one plain line here
//! ([`plain::line`]), so that no channel has to fear control characters, and each escapes for its own format.

mod html;
mod text;
mod when;
mod words;

pub use when::duration;

use super::Parcel;
use crate::alert::{Kind, Notice, Severity, Snapshot};
use crate::plain;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::BTreeMap;

/// Alerts that a message tells one by one; mail programs cut off what is longer than some hundred kilobytes.
const PARTS_MAX: usize = 20;
/// Lines of evidence of one alert.
const EVIDENCE_MAX: usize = 8;
/// Characters of a title.
const TITLE_CHARS_MAX: usize = 100;
/// Characters of any other text.
const CHARS_MAX: usize = 500;

/// What a channel may show. Every text is one line without control characters and is not escaped, but for
/// [`Message::text`], which has lines, and [`Message::html`], which is a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// For an email: the same for all messages of a thread, with `Re: ` before it in those that join one.
    pub subject: String,
    pub tone: Tone,
    /// What kind of message it is: `PAGE`, `TICKET · REMINDER`, `OVER`, `TEST`.
    pub badge: String,
    /// What has happened: `Square needs attention`, `Square is well again after 7 min`.
    pub headline: String,
    /// What there is to know about all of it: the summary of a single alert; what several have in common.
    pub lead: Vec<String>,
    /// Why this comes through this channel and not through the first one; belongs on top.
    pub backup: Option<String>,
    /// Each alert, the gravest first.
    pub parts: Vec<Part>,
    /// How many more there are than `parts` tells.
    pub more: u32,
    /// The facts as labels and values: those of a single alert; of several, what each is called and its summary.
    pub facts: Vec<(String, String)>,
    /// Where to read on: runbooks and the agent's page, each once.
    pub links: Vec<Link>,
    /// Who was told and when the message was made.
    pub closing: String,
    /// All of it in one line, for where there is little room: `PAGE Square needs attention: connection refused (since 10:02 UTC)`.
    pub short: String,
    /// Plain text, wrapped at 76 columns where there is a space to wrap at.
    pub text: String,
    /// A page that needs nothing from anywhere, with the words of `text`.
    pub html: String,
}

/// How a message feels, for those who choose a colour or an urgency by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tone {
    Page,
    Ticket,
    Info,
    Over,
    Test,
}

/// One alert of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// What it is called and how much it matters; absent where it is the only one, since the headline says it.
    pub title: Option<String>,
    /// The summary; absent where it is the only one, since the lead says it.
    pub summary: Option<String>,
    pub facts: Vec<Row>,
    pub to_do: Vec<Row>,
}

/// A labelled line.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub label: &'static str,
    /// Never empty.
    pub values: Vec<String>,
    pub is: Is,
}

/// What the values of a row are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Is {
    Words,
    /// An absolute address with the scheme `https` or `http`.
    Link,
    /// Something to type into a terminal.
    Command,
}

/// A way to read on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub text: String,
    /// An absolute address with the scheme `https` or `http`.
    pub url: String,
}

impl Message {
    /// The words of a parcel's notice.
    pub fn of(parcel: &Parcel) -> Message {
        Message::new(&parcel.notice, parcel.url.as_deref())
    }

    /// The words of a notice; links to the agent begin with `url`.
    pub fn new(notice: &Notice, url: Option<&str>) -> Message {
        let shown = &notice.alerts[..notice.alerts.len().min(PARTS_MAX)];
        let more = notice.more + (notice.alerts.len() - shown.len()) as u32;
        let common = common_cause(shown);
        let single = shown.len() == 1 && more == 0;
        let parts: Vec<Part> =
            shown.iter().map(|alert| part(notice, alert, url, single, common.as_deref())).collect();
        let headline = words::headline(notice, more);
        let badge = words::badge(notice);
        let lead = words::lead(notice, more, common.as_deref());
        let mut message = Message {
            subject: words::subject(notice, more),
            tone: tone(notice),
            short: words::short(notice, &badge, &headline),
            badge,
            headline,
            lead,
            backup: notice.backup.as_deref().map(line).filter(|text| !text.is_empty()),
            facts: facts(shown, &parts, single),
            links: links(&parts, url, single),
            parts,
            more,
            closing: words::closing(notice),
            text: String::new(),
            html: String::new(),
        };
        message.text = text::render(&message);
        message.html = html::render(&message);
        message
    }
}

/// Where the agent shows an alert.
pub fn alert_url(url: &str, key: &str) -> String {
    const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    let segments: Vec<_> =
        key.split('/').map(|part| utf8_percent_encode(part, SEGMENT).to_string()).collect();
    format!("{}/alerts/{}", url.trim_end_matches('/'), segments.join("/"))
}

/// Any text from a notice, fit to be shown.
fn line(text: &str) -> String {
    plain::line(text, CHARS_MAX)
}

fn title(alert: &Snapshot) -> String {
    match plain::line(&alert.title, TITLE_CHARS_MAX) {
        title if title.is_empty() => plain::line(&alert.key.0, TITLE_CHARS_MAX),
        title => title,
    }
}

fn tone(notice: &Notice) -> Tone {
    match (notice.kind, notice.severity) {
        (Kind::Resolved, _) => Tone::Over,
        (Kind::Test, _) => Tone::Test,
        (_, Severity::Page) => Tone::Page,
        (_, Severity::Ticket) => Tone::Ticket,
        (_, Severity::Info) => Tone::Info,
    }
}

/// What at least two of the alerts name as their cause, and no other pair another.
fn common_cause(alerts: &[Snapshot]) -> Option<String> {
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    for cause in alerts.iter().filter_map(|alert| alert.cause.as_deref()) {
        *named.entry(cause).or_default() += 1;
    }
    let mut shared = named.into_iter().filter(|(_, times)| *times >= 2);
    let first = shared.next().map(|(cause, _)| line(cause));
    first.filter(|cause| shared.next().is_none() && !cause.is_empty())
}

fn part(notice: &Notice, alert: &Snapshot, url: Option<&str>, single: bool, common: Option<&str>) -> Part {
    let summary = Some(line(&alert.summary)).filter(|summary| !single && !summary.is_empty());
    let title = format!("{} ({})", title(alert), alert.severity);
    Part {
        title: Some(title).filter(|_| !single),
        summary,
        facts: words::facts(notice, alert, common),
        to_do: to_do(notice, alert, url, single),
    }
}

fn to_do(notice: &Notice, alert: &Snapshot, url: Option<&str>, single: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = |label, value: String, is| rows.push(Row { label, values: vec![value], is });
    if let Some(runbook) = alert.runbook.as_deref().filter(|runbook| !runbook.trim().is_empty()) {
        match web_address(runbook) {
            Some(address) => row("Runbook", address, Is::Link),
            None => row("Runbook", line(runbook), Is::Words),
        }
    }
    let page = url.filter(|_| notice.kind != Kind::Test).map(|url| alert_url(url, &alert.key.0));
    if let Some(address) = page.as_deref().and_then(web_address) {
        row("Alert", address, Is::Link);
    }
    let goes_on = !matches!(notice.kind, Kind::Resolved | Kind::Test) && alert.ended.is_none();
    if goes_on && alert.acknowledged_by.is_none() {
        row("Acknowledge", format!("atalaya ack {}", words::quoted(&alert.key.0)), Is::Command);
    }
    if goes_on && single {
        let matcher = words::quoted(&words::matcher(alert));
        row("Silence for 2 hours", format!("atalaya silence add {matcher} --for 2h"), Is::Command);
    }
    rows
}

/// An address that may stand in a link: nothing that would run a script, and nothing relative.
fn web_address(text: &str) -> Option<String> {
    let address = url::Url::parse(text.trim()).ok()?;
    let is_web = matches!(address.scheme(), "https" | "http") && address.has_host();
    is_web.then(|| address.to_string())
}

fn facts(alerts: &[Snapshot], parts: &[Part], single: bool) -> Vec<(String, String)> {
    if single {
        let rows = parts.iter().flat_map(|part| &part.facts);
        return rows.map(|row| (row.label.to_owned(), row.values.join("\n"))).collect();
    }
    alerts.iter().map(|alert| (title(alert), line(&alert.summary))).collect()
}

fn links(parts: &[Part], url: Option<&str>, single: bool) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    let rows = parts.iter().flat_map(|part| &part.to_do).filter(|row| row.is == Is::Link);
    for (label, url) in rows.flat_map(|row| row.values.iter().map(|url| (row.label, url))) {
        let wanted = single || label == "Runbook";
        if wanted && links.iter().all(|link| link.url != *url) {
            links.push(Link { text: label.to_owned(), url: url.clone() });
        }
    }
    let all = url.and_then(|url| web_address(&format!("{}/alerts", url.trim_end_matches('/'))));
    if let Some(url) = all.filter(|_| !single) {
        links.push(Link { text: "All alerts".to_owned(), url });
    }
    links
}

#[cfg(test)]
mod tests;
