//! Webhooks of vendors: known by their signature, on the disk, then answered. What they mean is worked out later.

use super::body::NoBody;
use super::{Door, Refusal, full, malformed};
use crate::app::intake::meter::{self, Fate};
use crate::clock;
use crate::ingest::standard_webhooks::{self, Signed};
use crate::ingest::webhook::Read;
use crate::ingest::{
    Arrival, Malformed, Post, Vendor, resend as letters_of_resend, square as letters_of_square,
};
use crate::store::inbox::Taken;
use crate::web::access::Source;
use crate::web::limit::too_many;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use std::sync::Arc;

pub async fn square(State(door): State<Door>, from: Source, headers: HeaderMap, body: Body) -> Response {
    let terms = door.access.http();
    let Some(hook) = &terms.ingest.square else { return not_set_up("[ingest.square]") };
    let Some(url) = &hook.url else { return not_set_up("`url` in [ingest.square]") };
    let body = match whole(&door, Vendor::Square, &headers, body).await {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    let signature = header(&headers, letters_of_square::SIGNATURE).unwrap_or_default();
    let Some(account) = letters_of_square::verify(&hook.keys, url, &body, signature) else {
        return forged(
            &door,
            Vendor::Square,
            &from,
            "the signature is of none of the keys, or of another address",
        );
    };
    let counts = *account == *hook.counts;
    take(&door, Vendor::Square, (account.into(), counts), letters_of_square::read(&body)).await
}

pub async fn resend(State(door): State<Door>, from: Source, headers: HeaderMap, body: Body) -> Response {
    let terms = door.access.http();
    let Some(keys) = &terms.ingest.resend else { return not_set_up("[ingest.resend]") };
    let body = match whole(&door, Vendor::Resend, &headers, body).await {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    let Some(signed) = Signed::of(|name| header(&headers, name)) else {
        return forged(&door, Vendor::Resend, &from, "the headers of a signature are not there");
    };
    let account = match standard_webhooks::verify(keys, &signed, &body, clock::wall()) {
        Ok(account) => account,
        Err(refused) => return forged(&door, Vendor::Resend, &from, &refused.to_string()),
    };
    take(&door, Vendor::Resend, (account.into(), true), letters_of_resend::read(signed.id, &body)).await
}

async fn take(
    door: &Door,
    vendor: Vendor,
    (account, counts): (Arc<str>, bool),
    read: Result<Read, Malformed>,
) -> Response {
    let kind = vendor.as_str();
    let Read { letter, unreadable } = match read {
        Ok(read) => read,
        Err(wrong) => {
            tracing::error!(vendor = kind, why = wrong.0, "a rightly signed letter can't be read");
            return malformed(kind, wrong.0).into_response();
        }
    };
    let aside = unreadable.clone();
    let post = Post { vendor, letter, account, counts, unreadable };
    match door.take(kind, Arrival { posts: vec![post], ..Arrival::default() }).await {
        Ok(taken) => {
            meter::items(kind, u64::from(taken == Taken::New), 0);
            if let Some(why) = aside.filter(|_| taken == Taken::New) {
                tracing::error!(vendor = kind, why, "a letter can't be read and lies aside");
                meter::letters(0, 1);
            }
            (StatusCode::ACCEPTED, "written down\n").into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// The body as it was signed.
async fn whole(door: &Door, vendor: Vendor, headers: &HeaderMap, body: Body) -> Result<Bytes, Response> {
    match door.letters.hold(headers, body).await {
        Ok(held) => Ok(held.bytes),
        Err(NoBody::Full) => Err(full(vendor.as_str()).into_response()),
        Err(NoBody::Wrong(refusal)) => Err(refusal.into_response()),
        Err(NoBody::Bound(answer)) => Err(answer),
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Nobody who may. What an address that goes on like that sends is not told of each time.
fn forged(door: &Door, vendor: Vendor, from: &Source, why: &str) -> Response {
    meter::request(vendor.as_str(), Fate::Forged);
    if let Err(wait) = door.forged.take(from, clock::instant()) {
        return too_many(wait);
    }
    tracing::warn!(vendor = vendor.as_str(), %from, why, "a letter is refused");
    Refusal::new(StatusCode::FORBIDDEN, why).into_response()
}

fn not_set_up(what: &str) -> Response {
    let why = format!("webhooks are not set up here: {what} of the agent's file says how");
    Refusal::new(StatusCode::NOT_FOUND, why).into_response()
}
