//! What became of the last emails. Of each only its status and its time are read, never whom it went to.

use super::client::{Client, Refusal};
use crate::outcome::Outcome;
use crate::probe::{Context, MeasureInfo};
use jiff::Timestamp;
use serde::Deserialize;
use std::time::Duration;

pub const MEASURES: &[MeasureInfo] = &[
    MeasureInfo { name: "emails_recent", help: "Emails sent recently (`recent`), a hundred at most." },
    MeasureInfo {
        name: "emails_failed_recent",
        help: "Of those, the ones that bounced, failed or were suppressed.",
    },
    MeasureInfo {
        name: "emails_failed_ratio",
        help: "Share of those that bounced, failed or were suppressed; not given where there were none.",
    },
    MeasureInfo { name: "emails_complained_recent", help: "Of those, the ones that were marked as spam." },
    MeasureInfo { name: "emails_delayed_recent", help: "Of those, the ones whose delivery is delayed." },
    MeasureInfo { name: "newest_email_age_seconds", help: "Time since the newest email was made." },
];

const EMAILS_MAX: usize = 100;

#[derive(Debug, Deserialize)]
pub struct Email {
    #[serde(default)]
    created_at: String,
    last_event: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Email>,
}

pub async fn latest(cx: &Context, client: &mut Client<'_>) -> Result<Vec<Email>, Refusal> {
    let page: Page = client.get(cx, &format!("emails?limit={EMAILS_MAX}")).await?;
    Ok(page.data)
}

/// Emails of the current day in UTC, at which Resend's quota starts anew.
pub fn today(latest: &[Email], now: Timestamp) -> f64 {
    let day = |at: Timestamp| at.as_second().div_euclid(86_400);
    let is_of_today = |email: &&Email| email.created_at.parse().is_ok_and(|made| day(made) == day(now));
    latest.iter().filter(is_of_today).count() as f64
}

pub fn measure(latest: &[Email], now: Timestamp, recent: Duration, outcome: &mut Outcome) {
    let age = |email: &Email| {
        let made: Timestamp = email.created_at.parse().ok()?;
        Some(now.duration_since(made).as_secs_f64().max(0.0))
    };
    let ages: Vec<_> = latest.iter().map(|email| (age(email), email)).collect();
    let of_late: Vec<_> = ages
        .iter()
        .filter(|(age, _)| age.is_some_and(|age| age <= recent.as_secs_f64()))
        .map(|(_, email)| email.last_event.as_deref().unwrap_or(""))
        .collect();
    let count = |events: &[&str]| of_late.iter().filter(|event| events.contains(event)).count() as f64;
    let failed = count(&["bounced", "failed", "suppressed"]);
    outcome.measure("emails_recent", of_late.len() as f64);
    outcome.measure("emails_failed_recent", failed);
    outcome.measure("emails_failed_ratio", failed / of_late.len() as f64);
    outcome.measure("emails_complained_recent", count(&["complained"]));
    outcome.measure("emails_delayed_recent", count(&["delivery_delayed"]));
    if let Some(newest) = ages.iter().filter_map(|(age, _)| *age).reduce(f64::min) {
        outcome.measure("newest_email_age_seconds", newest);
    }
    if of_late.len() >= EMAILS_MAX {
        outcome.note(format!("more than {EMAILS_MAX} recent emails: the newest {EMAILS_MAX} are counted"));
    }
    let undated = ages.iter().filter(|(age, _)| age.is_none()).count();
    if undated > 0 {
        outcome.note(format!("{undated} emails have no time that can be read and are not counted"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails_are_counted_by_what_became_of_them() {
        let email = |created_at: &str, event: &str| Email {
            created_at: created_at.to_owned(),
            last_event: Some(event.to_owned()),
        };
        let latest = [
            email("2026-01-02 11:59:00.000000+00", "delivered"),
            email("2026-01-02T11:00:00.000Z", "bounced"),
            email("2026-01-02 10:00:00+00", "complained"),
            email("2026-01-02 09:00:00+00", "something_new"),
            email("2026-01-01 11:00:00+00", "failed"),
            email("yesterday", "failed"),
        ];
        let now = "2026-01-02T12:00:00Z".parse().expect("a time");
        let mut outcome = Outcome::ok();
        measure(&latest, now, Duration::from_hours(24), &mut outcome);
        let found: Vec<_> = outcome.measures.iter().map(|one| (one.name.as_ref(), one.value)).collect();
        let names: Vec<_> = MEASURES.iter().map(|info| info.name).collect();
        let expected: Vec<_> = names.into_iter().zip([4.0, 1.0, 0.25, 1.0, 0.0, 60.0]).collect();
        assert_eq!(found, expected);
        assert_eq!(today(&latest, now), 4.0);
        assert_eq!(outcome.notes, ["1 emails have no time that can be read and are not counted"]);
        let mut outcome = Outcome::ok();
        measure(&[], now, Duration::from_hours(24), &mut outcome);
        assert_eq!(outcome.measures.len(), 4, "no ratio and no age of nothing");
    }
}
