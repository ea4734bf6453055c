//! The merchant: token, locations, webhook subscriptions.

use super::answer::{Reply, not_found};
use super::{Fault, Square, State};
use axum::extract::{self, Path, Query};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const MERCHANT: &str = "MLSIMULATED001";
const SANDBOX_APPLICATION_ID: &str = "sandbox-sq0idb-simulatedSandbox";

/// What does not change by trading.
#[derive(Debug)]
pub struct Shop {
    pub opened_at: Timestamp,
    pub token_expires_at: Option<Timestamp>,
    pub webhook_changed_at: Timestamp,
}

impl Shop {
    pub fn new(opened_at: Timestamp) -> Shop {
        Shop { opened_at, token_expires_at: None, webhook_changed_at: opened_at }
    }
}

pub async fn token_status(extract::State(square): extract::State<Arc<Square>>) -> Reply {
    let state = square.state();
    let mut scopes = vec!["MERCHANT_PROFILE_READ", "ORDERS_READ", "PAYMENTS_READ", "PAYMENTS_WRITE"];
    scopes.retain(|scope| !state.has(Fault::ForbiddenScope) || !scope.starts_with("PAYMENTS"));
    let application =
        if state.has(Fault::SandboxAnswers) { SANDBOX_APPLICATION_ID } else { Square::APPLICATION_ID };
    let mut body = json!({ "scopes": scopes, "client_id": application, "merchant_id": MERCHANT });
    if let Some(expires) = state.shop.token_expires_at {
        body["expires_at"] = json!(format!("{expires:.0}"));
    }
    Reply::ok(body)
}

pub async fn merchants(extract::State(square): extract::State<Arc<Square>>) -> Reply {
    let merchant = shown_merchant(&square.state());
    Reply::ok(json!({ "merchant": [merchant] }))
}

/// `me` is whose token it is.
pub async fn merchant(extract::State(square): extract::State<Arc<Square>>, Path(id): Path<String>) -> Reply {
    if id != "me" && id != MERCHANT {
        return not_found("Merchant not found.");
    }
    Reply::ok(json!({ "merchant": shown_merchant(&square.state()) }))
}

pub async fn locations(extract::State(square): extract::State<Arc<Square>>) -> Reply {
    Reply::ok(json!({ "locations": shown_locations(&square.state()) }))
}

/// `main` is the main one.
pub async fn location(extract::State(square): extract::State<Arc<Square>>, Path(id): Path<String>) -> Reply {
    let id = if id == "main" { Square::MAIN_LOCATION } else { &id };
    let found = shown_locations(&square.state()).into_iter().find(|location| location["id"] == id);
    found.map_or_else(
        || not_found("Location not found."),
        |location| Reply::ok(json!({ "location": location })),
    )
}

/// Without `include_disabled=true` a subscription that was switched off is not there at all.
pub async fn subscriptions(
    extract::State(square): extract::State<Arc<Square>>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Reply {
    let state = square.state();
    let enabled = !state.has(Fault::WebhookDisabled);
    let include_disabled = query.get("include_disabled").is_some_and(|value| value == "true");
    if !enabled && !include_disabled {
        return Reply::ok(json!({}));
    }
    // What Go prints for a time, unlike everywhere else.
    let shown = |time: Timestamp| time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string();
    Reply::ok(json!({ "subscriptions": [{
        "id": "wbhk_b35f6b3145074cf9ad513610786c19d5",
        "name": "Shop",
        "enabled": enabled,
        "event_types": ["payment.created", "payment.updated", "order.updated"],
        "notification_url": "https://shop.example/api/webhooks/square",
        "api_version": "2026-05-20",
        "created_at": shown(state.shop.opened_at),
        "updated_at": shown(state.shop.webhook_changed_at),
    }] }))
}

pub fn knows_location(id: &str) -> bool {
    id == Square::MAIN_LOCATION || id == Square::MARKET_LOCATION
}

fn shown_merchant(state: &State) -> Value {
    json!({
        "id": MERCHANT, "business_name": "Simulated Empanadas", "country": "US", "language_code": "en-US",
        "currency": "USD", "status": "ACTIVE", "main_location_id": Square::MAIN_LOCATION,
        "created_at": format!("{:.0}", state.shop.opened_at),
    })
}

/// Sorted by name.
fn shown_locations(state: &State) -> Vec<Value> {
    let main_status = if state.has(Fault::LocationInactive) { "INACTIVE" } else { "ACTIVE" };
    let mut capabilities = vec!["AUTOMATIC_TRANSFERS"];
    if !state.has(Fault::NoCardProcessing) {
        capabilities.insert(0, "CREDIT_CARD_PROCESSING");
    }
    let all = [
        (Square::MAIN_LOCATION, "Kitchen", main_status),
        (Square::MARKET_LOCATION, "Market stall", "ACTIVE"),
    ];
    let shown = all.map(|(id, name, status)| {
        json!({
            "id": id, "name": name, "status": status, "capabilities": capabilities, "type": "PHYSICAL",
            "merchant_id": MERCHANT, "country": "US", "language_code": "en-US", "currency": "USD",
            "timezone": "America/Los_Angeles", "business_name": "Simulated Empanadas", "mcc": "5812",
            "created_at": format!("{:.0}", state.shop.opened_at),
        })
    });
    shown.into()
}
