//! Payments: listed, made, captured, cancelled.

use super::account::knows_location;
use super::answer::{self, Reply, error, invalid, not_found};
use super::ledger::{Ending, Ledger, Payment, Place, Replay};
use super::{Fault, Square, State};
use axum::body::Bytes;
use axum::extract::{self, Path, Query};
use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const PAGE_MAX: usize = 100;
const KEY_LENGTH_MAX: usize = 45;
const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);

type Params = BTreeMap<String, String>;

pub async fn list(
    extract::State(square): extract::State<Arc<Square>>,
    Query(params): Query<Params>,
) -> Result<Reply, Reply> {
    let wanted = Wanted::read(params, (square.now)())?;
    let state = square.state();
    let (payments, cursor) = wanted.page(&state.ledger);
    if payments.is_empty() {
        return Ok(Reply::ok(json!({})));
    }
    let mut body = json!({ "payments": payments.into_iter().map(Payment::to_json).collect::<Vec<_>>() });
    if let Some(cursor) = cursor {
        body["cursor"] = json!(cursor);
    }
    Ok(Reply::ok(body))
}

/// What a list is asked for.
struct Wanted {
    /// All but the cursor and the limit: what a cursor belongs to.
    query: Params,
    location: String,
    begin: Timestamp,
    end: Timestamp,
    is_ascending: bool,
    by_update: bool,
    limit: usize,
    after: Option<Place>,
}

impl Wanted {
    fn read(mut query: Params, now: Timestamp) -> Result<Wanted, Reply> {
        // Square's own library sends `sort_field=` where it was given none.
        query.retain(|_, value| !value.is_empty());
        let cursor = query.remove("cursor");
        let limit = limit(query.remove("limit").as_deref())?;
        let time = |name: &str, default: Timestamp| match query.get(name) {
            None => Ok(default),
            Some(text) => {
                text.parse().map_err(|_| invalid("INVALID_TIME", name, "The time is not RFC 3339."))
            }
        };
        let (begin, end) =
            (time("begin_time", now.saturating_sub(YEAR).unwrap_or(now))?, time("end_time", now)?);
        let choice = |name: &str, first: &str, second: &str| match query.get(name) {
            None => Ok(false),
            Some(text) if text == first => Ok(false),
            Some(text) if text == second => Ok(true),
            Some(_) => Err(invalid("INVALID_ENUM_VALUE", name, "The value is not one of those allowed.")),
        };
        let (is_ascending, by_update) =
            (choice("sort_order", "DESC", "ASC")?, choice("sort_field", "CREATED_AT", "UPDATED_AT")?);
        // The trap of the real one: no location is the main location, not all.
        let location = query.get("location_id").map_or(Square::MAIN_LOCATION, String::as_str).to_owned();
        if !knows_location(&location) {
            return Err(not_found("Location not found."));
        }
        if begin > end {
            return Err(invalid("INVALID_TIME_RANGE", "begin_time", "The range ends before it begins."));
        }
        let after = match cursor.filter(|cursor| !cursor.is_empty()) {
            None => None,
            Some(cursor) => Some(
                answer::read_cursor(&query, &cursor)
                    .ok_or_else(|| invalid("INVALID_CURSOR", "cursor", "The cursor is not of this query."))?,
            ),
        };
        Ok(Wanted { query, location, begin, end, is_ascending, by_update, limit, after })
    }

    fn page<'a>(&self, ledger: &'a Ledger) -> (Vec<&'a Payment>, Option<String>) {
        let mut found: Vec<_> = ledger
            .payments()
            .filter(|(_, payment)| self.is_wanted(payment))
            .map(|(place, payment)| {
                (if self.by_update { (payment.updated_at, place.1) } else { place }, payment)
            })
            .collect();
        found.sort_by_key(|(place, _)| *place);
        if !self.is_ascending {
            found.reverse();
        }
        let is_after = |place: Place| match self.after {
            None => true,
            Some(after) if self.is_ascending => place > after,
            Some(after) => place < after,
        };
        let rest = found.into_iter().filter(|(place, _)| is_after(*place));
        answer::page(rest, self.limit, &self.query)
    }

    fn is_wanted(&self, payment: &Payment) -> bool {
        let total = self.query.get("total").is_none_or(|total| *total == payment.amount.to_string());
        let last_4 = self.query.get("last_4").is_none_or(|last_4| last_4 == "1111");
        let brand = self.query.get("card_brand").is_none_or(|brand| brand == "VISA");
        let time = payment.created_at;
        payment.location == self.location
            && (self.begin..=self.end).contains(&time)
            && total
            && last_4
            && brand
    }
}

/// 100 where nothing or more is asked for: more is not refused.
pub fn limit(text: Option<&str>) -> Result<usize, Reply> {
    match text.map(str::parse::<usize>) {
        None => Ok(PAGE_MAX),
        Some(Ok(0)) => Err(invalid("VALUE_TOO_LOW", "limit", "The limit must be at least 1.")),
        Some(Ok(limit)) => Ok(limit.min(PAGE_MAX)),
        Some(Err(_)) => Err(invalid("EXPECTED_INTEGER", "limit", "Expected an integer value.")),
    }
}

pub async fn one(extract::State(square): extract::State<Arc<Square>>, Path(id): Path<String>) -> Reply {
    match square.state().ledger.get(&id) {
        Some(payment) => Reply::ok(json!({ "payment": payment.to_json() })),
        None => not_found("Could not find payment with the given id."),
    }
}

pub async fn create(
    extract::State(square): extract::State<Arc<Square>>,
    body: Bytes,
) -> Result<Reply, Reply> {
    let body = json_body(&body)?;
    let now = (square.now)();
    let mut state = square.state();
    replayed(&mut state, body, |state, body, key| make(state, body, key, now))
}

fn make(state: &mut State, body: &Value, key: &str, now: Timestamp) -> Result<Reply, Reply> {
    let source = required(body, "source_id")?;
    let (amount, currency) = money(body)?;
    let location = body["location_id"].as_str().unwrap_or(Square::MAIN_LOCATION);
    if !knows_location(location) {
        return Err(invalid("INVALID_LOCATION", "location_id", "The location is not of this merchant."));
    }
    let autocomplete = body["autocomplete"].as_bool().unwrap_or(true);
    let ending = match source {
        "cnon:card-nonce-ok" if autocomplete => state.struck(Ending::Paid),
        "cnon:card-nonce-ok" => state.struck(Ending::Authorized),
        "cnon:card-nonce-declined" => Ending::Declined("GENERIC_DECLINE"),
        "cnon:card-nonce-rejected-cvv" => Ending::Declined("CVV_FAILURE"),
        "cnon:card-nonce-rejected-postalcode" => Ending::Declined("ADDRESS_VERIFICATION_FAILURE"),
        "cnon:card-nonce-rejected-expiration" => Ending::Declined("INVALID_EXPIRATION"),
        _ => return Err(not_found("Card nonce not found.")),
    };
    let ending = match ending {
        Ending::Paid | Ending::Authorized if state.has(Fault::NoCardProcessing) => {
            Ending::Failed("CARD_PROCESSING_NOT_ENABLED")
        }
        ending => ending,
    };
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let number = state.ledger.next();
    let mut payment = Payment {
        currency: currency.to_owned(),
        reference_id: text("reference_id"),
        note: text("note"),
        email: text("buyer_email_address"),
        idempotency_key: Some(key.to_owned()),
        ..Payment::new(number, now, amount, ending, location)
    };
    if let Some(order) = body["order_id"].as_str() {
        order.clone_into(&mut payment.order_id);
    }
    let mut shown = json!({ "payment": payment.to_json() });
    state.ledger.add(payment);
    let Some((category, code)) = ending.error() else { return Ok(Reply::ok(shown)) };
    let detail = format!("Authorization error: '{code}'");
    shown["errors"] = json!([{ "category": category, "code": code, "detail": detail }]);
    Ok(Reply { status: StatusCode::BAD_REQUEST, body: shown })
}

pub async fn cancel(
    extract::State(square): extract::State<Arc<Square>>,
    Path(id): Path<String>,
) -> Result<Reply, Reply> {
    square.end_authorized(&id, Ending::Cancelled)
}

pub async fn complete(
    extract::State(square): extract::State<Arc<Square>>,
    Path(id): Path<String>,
) -> Result<Reply, Reply> {
    square.end_authorized(&id, Ending::Paid)
}

/// Succeeds also where no payment was made with the key, since that is what the caller doesn't know.
pub async fn cancel_by_key(
    extract::State(square): extract::State<Arc<Square>>,
    body: Bytes,
) -> Result<Reply, Reply> {
    let body = json_body(&body)?;
    let key = required(&body, "idempotency_key")?;
    let now = (square.now)();
    if let Some(payment) = square.state().ledger.of_key(key)
        && payment.ending == Ending::Authorized
    {
        (payment.ending, payment.updated_at) = (Ending::Cancelled, now);
    }
    Ok(Reply::ok(json!({})))
}

impl Square {
    fn end_authorized(&self, id: &str, ending: Ending) -> Result<Reply, Reply> {
        let now = (self.now)();
        let mut state = self.state();
        let found = state.ledger.get_mut(id);
        let payment = found.ok_or_else(|| not_found("Could not find payment with the given id."))?;
        if payment.ending != Ending::Authorized {
            let detail = format!("Payment is in the state {}.", payment.ending.status());
            return Err(error(StatusCode::BAD_REQUEST, "INVALID_REQUEST_ERROR", "BAD_REQUEST", &detail));
        }
        (payment.ending, payment.updated_at) = (ending, now);
        Ok(Reply::ok(json!({ "payment": payment.to_json() })))
    }
}

impl Payment {
    pub fn new(number: u64, now: Timestamp, amount: i64, ending: Ending, location: &str) -> Payment {
        // As long as Square's and with letters between, so that nobody takes one for a card's number.
        Payment {
            id: format!("SIMu9hTqVb3mZ{number:012}LkZY"),
            created_at: now,
            updated_at: now,
            amount,
            currency: "USD".to_owned(),
            ending,
            location: location.to_owned(),
            order_id: format!("SIMORDERcaqm{number:012}"),
            reference_id: None,
            note: None,
            email: None,
            refunded: 0,
            idempotency_key: None,
        }
    }
}

/// Answers once per idempotency key: the same body gets the same answer, another body is refused.
pub fn replayed(
    state: &mut State,
    body: Value,
    make: impl FnOnce(&mut State, &Value, &str) -> Result<Reply, Reply>,
) -> Result<Reply, Reply> {
    let key = required(&body, "idempotency_key")?.to_owned();
    if key.len() > KEY_LENGTH_MAX {
        return Err(invalid("VALUE_TOO_LONG", "idempotency_key", "The key is longer than 45 characters."));
    }
    match state.ledger.replay(&key, &body) {
        Replay::Same(reply) => Ok(reply),
        Replay::Reused => {
            let detail = "Different request parameters used for the same idempotency_key.";
            Err(invalid("IDEMPOTENCY_KEY_REUSED", "idempotency_key", detail))
        }
        Replay::New => {
            let reply = make(state, &body, &key)?;
            state.ledger.remember(&key, body, reply.clone());
            Ok(reply)
        }
    }
}

pub fn json_body(body: &Bytes) -> Result<Value, Reply> {
    serde_json::from_slice(body)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| invalid("EXPECTED_JSON_BODY", "body", "The body of the request must be JSON."))
}

/// A text that must be there and not be empty.
pub fn required<'a>(body: &'a Value, name: &str) -> Result<&'a str, Reply> {
    match body[name].as_str() {
        Some("") => Err(invalid("VALUE_EMPTY", name, "Field must not be blank.")),
        Some(text) => Ok(text),
        None => Err(invalid("MISSING_REQUIRED_PARAMETER", name, "Missing required parameter.")),
    }
}

/// `amount_money`: minor units and currency.
pub fn money(body: &Value) -> Result<(i64, &str), Reply> {
    let money = &body["amount_money"];
    let amount = money["amount"].as_i64().filter(|amount| *amount > 0);
    let amount = amount.ok_or_else(|| {
        invalid("MISSING_REQUIRED_PARAMETER", "amount_money.amount", "Missing required parameter.")
    })?;
    match money["currency"].as_str() {
        Some("USD") => Ok((amount, "USD")),
        Some(_) => {
            Err(invalid("INVALID_VALUE", "amount_money.currency", "The merchant does business in USD only."))
        }
        None => {
            Err(invalid("MISSING_REQUIRED_PARAMETER", "amount_money.currency", "Missing required parameter."))
        }
    }
}
