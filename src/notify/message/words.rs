//! What is said: subjects, headlines, leads, facts. Nothing here knows how it will look.

use super::{CHARS_MAX, EVIDENCE_MAX, Is, Row, line, title, when};
use crate::alert::{Kind, Notice, Severity, Snapshot};
use crate::plain;

const TEST: &str = "This is a test: the channel works";

/// The same for each message of a thread: it is made from what does not change in an episode (what it is about), and
/// mail programs put together what has one subject but for `Re: `. A message that tells the beginning and the end
/// at once stands alone and says so.
pub fn subject(notice: &Notice, more: u32) -> String {
    let subject = match (notice.kind, notice.alerts.as_slice()) {
        (Kind::Test, _) => headline(notice, more),
        (_, [alert]) if more == 0 && notice.merged => merged(notice, alert),
        (_, [alert]) if more == 0 => about(alert),
        (_, alerts) => list("alerts", alerts, notice.more),
    };
    if notice.thread == notice.id { subject } else { format!("Re: {subject}") }
}

/// What an alert is about, whatever its severity and its evidence are by now.
fn about(alert: &Snapshot) -> String {
    let title = title(alert);
    match family(alert) {
        Family::Check => format!("{title} needs attention"),
        Family::Promise => format!("{title}: the promise is at risk"),
        Family::Budget(percent) => format!("{title}: {percent} % of the error budget is used"),
        Family::Other => title,
    }
}

enum Family<'a> {
    Check,
    Promise,
    Budget(&'a str),
    Other,
}

fn family(alert: &Snapshot) -> Family<'_> {
    let mut words = alert.key.0.split('/');
    match (words.next(), words.next_back()) {
        (Some("check"), Some(_)) => Family::Check,
        (Some("slo"), Some(_)) => Family::Promise,
        (Some("budget"), Some(percent)) if percent.parse::<u8>().is_ok() => Family::Budget(percent),
        _ => Family::Other,
    }
}

/// `2 alerts: Square · Site`, `5 alerts: Square · Site · 3 more`; titles may hold commas.
fn list(what: &str, alerts: &[Snapshot], more: u32) -> String {
    const NAMED_MAX: usize = 2;
    let count = alerts.len() + more as usize;
    let mut names: Vec<_> = alerts.iter().take(NAMED_MAX).map(title).collect();
    if count > names.len() {
        names.push(format!("{} more", count - names.len()));
    }
    format!("{count} {what}: {}", names.join(" · "))
}

/// The one line that everybody reads.
pub fn headline(notice: &Notice, more: u32) -> String {
    match notice.alerts.as_slice() {
        [alert] if more == 0 => headline_of_one(notice, alert),
        alerts => headline_of_many(notice, alerts),
    }
}

fn headline_of_one(notice: &Notice, alert: &Snapshot) -> String {
    let since = || when::duration(when::span(alert.began, alert.ended.unwrap_or(notice.at)));
    match notice.kind {
        Kind::Firing => about(alert),
        Kind::Escalated => format!("Escalated: {}", about(alert)),
        Kind::Reminder => format!("Still after {}: {}", since(), about(alert)),
        Kind::Flapping => format!("{} keeps failing and recovering", title(alert)),
        Kind::Resolved if notice.merged => merged(notice, alert),
        Kind::Resolved => match family(alert) {
            Family::Check => format!("{} is well again after {}", title(alert), since()),
            Family::Promise => format!("{}: the promise is safe again after {}", title(alert), since()),
            Family::Budget(_) | Family::Other => format!("{}: over after {}", title(alert), since()),
        },
        Kind::Test => TEST.to_owned(),
    }
}

fn merged(notice: &Notice, alert: &Snapshot) -> String {
    let times = when::from_to(alert.began, alert.ended.unwrap_or(notice.at), notice.at);
    match (family(alert), alert.severity) {
        (Family::Check, Severity::Page) => format!("{} was down {times}", title(alert)),
        (Family::Check, _) => format!("{} was not well {times}", title(alert)),
        (Family::Promise, _) => format!("{}: the promise was at risk {times}", title(alert)),
        (Family::Budget(_) | Family::Other, _) => format!("{} {times}", about(alert)),
    }
}

fn headline_of_many(notice: &Notice, alerts: &[Snapshot]) -> String {
    let list = |what| list(what, alerts, notice.more);
    match notice.kind {
        Kind::Firing => list("alerts"),
        Kind::Escalated => format!("Escalated: {}", list("alerts")),
        Kind::Reminder => format!("Still: {}", list("alerts")),
        Kind::Flapping => list("alerts that keep coming and going"),
        Kind::Resolved if notice.merged => list("alerts that came and went"),
        Kind::Resolved => list("alerts are over"),
        Kind::Test => TEST.to_owned(),
    }
}

/// What kind of message it is, in words, since colour is not seen by everybody.
pub fn badge(notice: &Notice) -> String {
    let severity = notice.severity.as_str().to_uppercase();
    match notice.kind {
        Kind::Firing => severity,
        Kind::Resolved => "OVER".to_owned(),
        Kind::Test => "TEST".to_owned(),
        Kind::Escalated | Kind::Reminder | Kind::Flapping => {
            format!("{severity} · {}", notice.kind.as_str().to_uppercase())
        }
    }
}

/// What there is to know about all of it, before the details.
pub fn lead(notice: &Notice, more: u32, common: Option<&str>) -> Vec<String> {
    let mut lead = Vec::new();
    if let ([alert], 0) = (notice.alerts.as_slice(), more) {
        let summary = line(&alert.summary);
        lead.push(match notice.kind {
            Kind::Resolved if !summary.is_empty() => format!("It was: {summary}"),
            _ => summary,
        });
    }
    if let Some(cause) = common {
        lead.push(format!("Common cause, probably: {cause}"));
    }
    if notice.kind == Kind::Escalated {
        lead.push("It matters more than before, or nobody has acknowledged it in time.".to_owned());
    }
    if notice.kind == Kind::Flapping {
        lead.push("Not each change is told while this goes on; its end is.".to_owned());
    }
    if notice.merged {
        lead.push("Nobody could be told while it lasted: this tells its beginning and its end.".to_owned());
    }
    if more > 0 {
        let them = if more == 1 { "alert is" } else { "alerts are" };
        lead.push(format!("{more} more {them} not told one by one; `atalaya alerts` lists them all."));
    }
    lead.retain(|text| !text.is_empty());
    lead
}

/// What is known of one alert. A cause that all share was said before.
pub fn facts(notice: &Notice, alert: &Snapshot, common: Option<&str>) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = |label, values: Vec<String>| {
        let values: Vec<_> = values.into_iter().filter(|value| !value.is_empty()).collect();
        if !values.is_empty() {
            rows.push(Row { label, values, is: Is::Words });
        }
    };
    if notice.kind == Kind::Test {
        return rows;
    }
    match alert.ended {
        Some(ended) => row("When", vec![when::from_to(alert.began, ended, notice.at)]),
        None => row("Since", vec![when::ago(alert.began, notice.at)]),
    }
    row("Evidence", alert.evidence.iter().take(EVIDENCE_MAX).map(|text| line(text)).collect());
    row("Cost", alert.cost.iter().map(|text| line(text)).collect());
    let cause = alert.cause.as_deref().map(line).filter(|cause| Some(cause.as_str()) != common);
    row("Probable cause", cause.into_iter().collect());
    if alert.flaps > 0 {
        let times = if alert.flaps == 1 { "once".to_owned() } else { format!("{} times", alert.flaps) };
        row("Went well and back", vec![times]);
    }
    let by = alert.acknowledged_by.as_deref().map(|by| format!("by {}", line(by)));
    row("Acknowledged", by.into_iter().collect());
    row("Section", vec![line(&alert.section)]);
    rows
}

pub fn closing(notice: &Notice) -> String {
    let at = when::in_full(notice.at);
    match line(&notice.contact) {
        contact if contact.is_empty() => format!("Atalaya, {at}."),
        contact => format!("Atalaya, for {contact}, {at}."),
    }
}

/// All of it in one line.
pub fn short(notice: &Notice, badge: &str, headline: &str) -> String {
    let badge = badge.split(' ').next().unwrap_or(badge);
    let single = notice.alerts.first().filter(|_| notice.alerts.len() == 1 && notice.more == 0);
    let text = match (single, notice.kind) {
        (None, _) | (_, Kind::Resolved) => format!("{badge} {headline}"),
        (Some(alert), Kind::Test) => format!("{badge} {headline}: {}", line(&alert.summary)),
        (Some(alert), _) => {
            let since = when::moment(alert.began, notice.at);
            format!("{badge} {headline}: {} (since {since})", line(&alert.summary))
        }
    };
    plain::line(&text, CHARS_MAX)
}

/// What a silence of just this alert matches.
pub fn matcher(alert: &Snapshot) -> String {
    let label = |name: &str| alert.labels.get(name).filter(|value| !value.is_empty());
    let found = ["check", "slo", "alertname"].iter().find_map(|name| Some((name, label(name)?)));
    match found {
        Some((name, value)) => format!("{name}={value}"),
        None => format!("key={}", alert.key),
    }
}

/// One word for a shell, whatever it holds.
pub fn quoted(word: &str) -> String {
    let word = line(word);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word;
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
