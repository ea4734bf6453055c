//! What Square's answers mean for the shop. Pure: answers in, measures and faults out.

use super::answer::{Location, Subscription, TokenStatus};
use super::environment::Environment;
use super::time;
use crate::outcome::{Class, Fault, Outcome};
use crate::probe::api::word;
use jiff::Timestamp;

/// Whether the token is of the expected environment, and how long it lives.
pub fn token(token: &TokenStatus, expected: Environment, now: Timestamp, outcome: &mut Outcome) {
    if token.client_id.is_none() && token.merchant_id.is_none() {
        outcome.fault(Fault::degraded(
            Class::Protocol,
            "Square's answer about the token names neither an application nor a merchant; check `api_url` and `version`",
        ));
    }
    let answering = token.client_id.as_deref().and_then(Environment::of_application);
    if let Some(other) = answering.filter(|answering| *answering != expected) {
        let text = format!("Square's {other} answers where {expected} is expected");
        outcome.fault(Fault::failed(Class::Assertion, text));
    }
    if let Some(expires) = token.expires_at.as_deref().filter(|text| !text.is_empty()) {
        match time::parse(expires) {
            Some(expires) => {
                outcome.measure("token_expiry_seconds", expires.duration_since(now).as_secs_f64());
            }
            None => outcome.note("Square gives the token's expiry in a form that is not known"),
        }
    }
}

/// Whether the checkout's application is of the expected environment, and the token's own.
pub fn application(of_checkout: &str, token: &TokenStatus, expected: Environment, outcome: &mut Outcome) {
    match Environment::of_application(of_checkout) {
        None => outcome.note("`application_id` begins like no application id of Square's"),
        Some(other) if other != expected => outcome.fault(Fault::failed(
            Class::Assertion,
            format!("`application_id` is of Square's {other} where {expected} is expected: the checkout can't take payments with this token"),
        )),
        Some(_) if token.client_id.as_ref().is_some_and(|of_token| of_token != of_checkout) => {
            outcome.fault(Fault::degraded(
                Class::Assertion,
                "the token belongs to another application than `application_id`: cards that the checkout takes may be refused",
            ));
        }
        Some(_) => {}
    }
}

/// Whether the wanted locations (or any, where none is named) are there, active and able to take cards. Gives
/// the ids over which payments are counted.
pub fn locations(wanted: &[String], all: &[Location], outcome: &mut Outcome) -> Vec<String> {
    let active: Vec<_> = all.iter().filter(|location| location.is_active()).collect();
    let taking_cards = active.iter().filter(|location| location.takes_cards()).count();
    outcome.measure("locations_active", active.len() as f64);
    outcome.measure("locations_taking_cards", taking_cards as f64);
    if !wanted.is_empty() {
        return wanted.iter().filter(|id| location(id, all, outcome)).cloned().collect();
    }
    let fault = match (all.len(), active.len(), taking_cards) {
        (0, _, _) => Some("Square knows of no location for this token".to_owned()),
        (all, 0, _) => Some(format!("none of Square's {all} locations for this token is active")),
        (_, active, 0) => Some(format!("Square takes cards at none of the {active} active locations")),
        _ => None,
    };
    if let Some(text) = fault {
        outcome.fault(Fault::failed(Class::Assertion, text));
    }
    active.into_iter().filter_map(|location| location.id.clone()).collect()
}

/// Whether Square knows a location that must be there at all.
fn location(id: &str, all: &[Location], outcome: &mut Outcome) -> bool {
    let found = all.iter().find(|location| location.id.as_deref() == Some(id));
    let shown = word(Some(id));
    let text = match found {
        None => format!("location {shown} is not among the {} of this account", all.len()),
        Some(location) if !location.is_active() => {
            format!("location {shown} is {}, not ACTIVE", word(location.status.as_deref()))
        }
        Some(location) if !location.takes_cards() => {
            format!("location {shown} can't take cards: it lacks CREDIT_CARD_PROCESSING")
        }
        Some(_) => return true,
    };
    outcome.fault(Fault::failed(Class::Assertion, text));
    found.is_some()
}

/// Whether Square tells the shop of its payments.
pub fn subscriptions(all: &[Subscription], outcome: &mut Outcome) {
    let disabled: Vec<_> = all.iter().filter(|one| one.enabled == Some(false)).collect();
    let enabled = all.iter().filter(|one| one.enabled == Some(true)).count();
    outcome.measure("webhook_subscriptions_enabled", enabled as f64);
    outcome.measure("webhook_subscriptions_disabled", disabled.len() as f64);
    let changed = |one: &&&Subscription| one.updated_at.as_deref().and_then(time::parse);
    if let Some(latest) = disabled.iter().max_by_key(changed) {
        let when = changed(&latest).map_or_else(String::new, |when| format!(", last changed {when:.0}"));
        let (count, id) = (disabled.len(), word(latest.id.as_deref()));
        outcome.note(format!("webhook subscriptions that are disabled: {count} ({id}{when})"));
    }
    if enabled == 0 {
        outcome.fault(Fault::degraded(
            Class::Assertion,
            "no webhook subscription is enabled: Square tells the shop of no payment",
        ));
    }
}
