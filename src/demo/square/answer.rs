//! The shapes of Square's answers: success, the error envelope, pages and their cursors.

use super::ledger::Place;
use axum::http::StatusCode;
use fnv::FnvHasher;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::hash::{Hash, Hasher};

/// Status and JSON body.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub status: StatusCode,
    pub body: Value,
}

impl Reply {
    pub fn ok(body: Value) -> Reply {
        Reply { status: StatusCode::OK, body }
    }
}

/// The error envelope.
pub fn error(status: StatusCode, category: &str, code: &str, detail: &str) -> Reply {
    Reply { status, body: json!({ "errors": [{ "category": category, "code": code, "detail": detail }] }) }
}

/// 400 INVALID_REQUEST_ERROR, with the field at fault.
pub fn invalid(code: &str, field: &str, detail: &str) -> Reply {
    let error =
        json!({ "category": "INVALID_REQUEST_ERROR", "code": code, "detail": detail, "field": field });
    Reply { status: StatusCode::BAD_REQUEST, body: json!({ "errors": [error] }) }
}

pub fn not_found(detail: &str) -> Reply {
    error(StatusCode::NOT_FOUND, "INVALID_REQUEST_ERROR", "NOT_FOUND", detail)
}

/// Where the next page begins. It fits only the query that it was made for, as Square's does.
pub fn cursor(query: &impl Hash, after: Place) -> String {
    format!("{:016x}.{:x}.{:x}", hash(query), after.0.as_nanosecond(), after.1)
}

/// What a cursor of this query says; `None` for one that is broken or another query's.
pub fn read_cursor(query: &impl Hash, cursor: &str) -> Option<Place> {
    let mut parts = cursor.split('.');
    let (of, time, number) = (parts.next()?, parts.next()?, parts.next()?);
    if of != format!("{:016x}", hash(query)) || parts.next().is_some() {
        return None;
    }
    let time = Timestamp::from_nanosecond(i128::from_str_radix(time, 16).ok()?).ok()?;
    Some((time, u64::from_str_radix(number, 16).ok()?))
}

fn hash(query: &impl Hash) -> u64 {
    let mut hasher = FnvHasher::default();
    query.hash(&mut hasher);
    hasher.finish()
}

/// One page out of what is in order, and the cursor where there is more.
pub fn page<'a, T>(
    all: impl Iterator<Item = (Place, &'a T)>,
    limit: usize,
    query: &impl Hash,
) -> (Vec<&'a T>, Option<String>) {
    let mut all = all.peekable();
    let mut taken = Vec::new();
    let mut last = None;
    while let Some((place, one)) = all.next_if(|_| taken.len() < limit) {
        taken.push(one);
        last = Some(place);
    }
    let more = all.peek().and(last);
    (taken, more.map(|place| cursor(query, place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_on_in_its_own_query_only() {
        let place = (Timestamp::UNIX_EPOCH, 7);
        let text = cursor(&("L1", 100), place);
        assert_eq!(read_cursor(&("L1", 100), &text), Some(place));
        assert_eq!(read_cursor(&("L2", 100), &text), None);
        assert_eq!(read_cursor(&("L1", 100), "made-up"), None);
    }

    #[test]
    fn pages_cover_all_and_the_last_has_no_cursor() {
        let all: Vec<_> = (0..5_u64).map(|n| ((Timestamp::UNIX_EPOCH, n), n)).collect();
        let of = |skip: usize| all.iter().skip(skip).map(|(place, n)| (*place, n));
        let (first, more) = page(of(0), 3, &"q");
        assert_eq!((first, more.is_some()), (vec![&0, &1, &2], true));
        let (second, more) = page(of(3), 3, &"q");
        assert_eq!((second, more), (vec![&3, &4], None));
        let (exactly, more) = page(of(2), 3, &"q");
        assert_eq!((exactly.len(), more), (3, None));
    }
}
