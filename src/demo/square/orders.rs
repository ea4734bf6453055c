//! The search for orders. Each payment has an order: OPEN until it is paid or given up.

use super::Square;
use super::answer::{self, Reply, error, invalid};
use super::ledger::{Ending, Payment, Place, shown_time};
use super::payments::json_body;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

const LOCATIONS_MAX: usize = 10;
const PAGE_DEFAULT: usize = 500;
const PAGE_MAX: usize = 1_000;
/// The times that an order can be searched and sorted by, and what the sort calls them.
const TIMES: [(&str, &str); 3] =
    [("created_at", "CREATED_AT"), ("updated_at", "UPDATED_AT"), ("closed_at", "CLOSED_AT")];

pub async fn search(State(square): State<Arc<Square>>, body: Bytes) -> Result<Reply, Reply> {
    let search = Search::read(&json_body(&body)?)?;
    let state = square.state();
    let mut found: Vec<(Place, &Payment)> = state
        .ledger
        .payments()
        .filter(|(_, payment)| search.is_wanted(payment))
        .filter_map(|(place, payment)| Some(((time_of(payment, search.sort)?, place.1), payment)))
        .collect();
    found.sort_by_key(|(place, _)| *place);
    if !search.is_ascending {
        found.reverse();
    }
    let is_after = |place: Place| match search.after {
        None => true,
        Some(after) if search.is_ascending => place > after,
        Some(after) => place < after,
    };
    let rest = found.into_iter().filter(|(place, _)| is_after(*place));
    let (page, cursor) = answer::page(rest, search.limit, &search.query);
    let (list, show): (_, fn(&Payment) -> Value) =
        if search.return_entries { ("order_entries", shown_entry) } else { ("orders", shown_order) };
    let mut body = json!({});
    if !page.is_empty() {
        body[list] = page.into_iter().map(show).collect();
    }
    if let Some(cursor) = cursor {
        body["cursor"] = json!(cursor);
    }
    Ok(Reply::ok(body))
}

struct Search {
    /// What a cursor belongs to.
    query: String,
    locations: Vec<String>,
    states: Option<Vec<String>>,
    /// Which time, from when, until when.
    range: Option<(&'static str, Timestamp, Timestamp)>,
    sort: &'static str,
    is_ascending: bool,
    limit: usize,
    after: Option<Place>,
    return_entries: bool,
}

impl Search {
    fn read(body: &Value) -> Result<Search, Reply> {
        let locations = texts(&body["location_ids"]).unwrap_or_default();
        if locations.is_empty() || locations.len() > LOCATIONS_MAX {
            let detail = "One to ten locations must be given.";
            return Err(invalid("MISSING_REQUIRED_PARAMETER", "location_ids", detail));
        }
        let query = format!("{} {}", body["location_ids"], body["query"]);
        let (filter, sort) = (&body["query"]["filter"], &body["query"]["sort"]);
        let range = range(&filter["date_time_filter"])?;
        let sort_field = sort_field(&sort["sort_field"], range.map(|(name, _, _)| name))?;
        let limit = match body["limit"].as_u64() {
            None => PAGE_DEFAULT,
            Some(limit) => usize::try_from(limit).unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX),
        };
        let after = match body["cursor"].as_str().filter(|cursor| !cursor.is_empty()) {
            None => None,
            Some(cursor) => Some(
                answer::read_cursor(&query, cursor)
                    .ok_or_else(|| invalid("INVALID_CURSOR", "cursor", "The cursor is not of this query."))?,
            ),
        };
        Ok(Search {
            query,
            locations,
            states: texts(&filter["state_filter"]["states"]),
            range,
            sort: sort_field,
            is_ascending: sort["sort_order"] == "ASC",
            limit,
            after,
            return_entries: body["return_entries"] == true,
        })
    }

    fn is_wanted(&self, payment: &Payment) -> bool {
        let is_in_range = self.range.is_none_or(|(name, start, end)| {
            time_of(payment, name).is_some_and(|time| (start..=end).contains(&time))
        });
        let is_in_state =
            self.states.as_ref().is_none_or(|states| states.iter().any(|state| state == state_of(payment)));
        is_in_range && is_in_state && self.locations.contains(&payment.location)
    }
}

/// A sort by another time than the filter's is refused.
fn sort_field(asked: &Value, filtered_by: Option<&'static str>) -> Result<&'static str, Reply> {
    let asked = asked.as_str();
    let sort = match asked {
        None => filtered_by.unwrap_or("created_at"),
        Some(asked) => {
            TIMES.iter().find(|(_, sort)| *sort == asked).map(|(name, _)| *name).ok_or_else(|| {
                invalid("INVALID_ENUM_VALUE", "query.sort.sort_field", "The value is not allowed.")
            })?
        }
    };
    if filtered_by.is_some_and(|filtered_by| filtered_by != sort) {
        let detail = "The sort field must be the time that is filtered by.";
        return Err(error(StatusCode::BAD_REQUEST, "INVALID_REQUEST_ERROR", "BAD_REQUEST", detail));
    }
    Ok(sort)
}

fn range(filter: &Value) -> Result<Option<(&'static str, Timestamp, Timestamp)>, Reply> {
    let Some((name, _)) = TIMES.into_iter().find(|(name, _)| filter[*name].is_object()) else {
        return Ok(None);
    };
    let time = |end: &str, default| match filter[name][end].as_str() {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| {
            invalid(
                "INVALID_TIME",
                &format!("query.filter.date_time_filter.{name}.{end}"),
                "The time is not RFC 3339.",
            )
        }),
    };
    Ok(Some((name, time("start_at", Timestamp::MIN)?, time("end_at", Timestamp::MAX)?)))
}

fn texts(list: &Value) -> Option<Vec<String>> {
    Some(list.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

fn state_of(payment: &Payment) -> &'static str {
    match payment.ending {
        Ending::Paid => "COMPLETED",
        Ending::Cancelled => "CANCELED",
        _ => "OPEN",
    }
}

fn time_of(payment: &Payment, name: &str) -> Option<Timestamp> {
    match name {
        "created_at" => Some(payment.created_at),
        "closed_at" => Some(payment.updated_at).filter(|_| state_of(payment) != "OPEN"),
        _ => Some(payment.updated_at),
    }
}

fn shown_entry(payment: &Payment) -> Value {
    json!({ "order_id": payment.order_id, "version": 1, "location_id": payment.location })
}

fn shown_order(payment: &Payment) -> Value {
    let money = json!({ "amount": payment.amount, "currency": payment.currency });
    let mut order = json!({
        "id": payment.order_id,
        "location_id": payment.location,
        "state": state_of(payment),
        "version": 1,
        "total_money": money,
        "created_at": shown_time(payment.created_at),
        "updated_at": shown_time(payment.updated_at),
    });
    if let Some(closed) = time_of(payment, "closed_at") {
        order["closed_at"] = json!(shown_time(closed));
        order["tenders"] = json!([{
            "id": payment.id, "payment_id": payment.id, "type": "CARD", "amount_money": money,
        }]);
    }
    order
}
