//! Incidents and maintenance as a feed (Atom, RFC 4287), in the words of the status page.

use super::{cached, see, words};
use crate::view::status::{Incident, Planned, Status};
use crate::web::{Shared, stuck};
use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// More than these no reader keeps.
const ENTRIES_MAX: usize = 100;

#[derive(Template)]
#[template(path = "feed.xml")]
struct Feed {
    title: String,
    /// Where the agent is reached, without a slash at the end; may be empty: links are relative then.
    base: String,
    updated: Timestamp,
    entries: Vec<Entry>,
}

struct Entry {
    id: String,
    title: String,
    text: String,
    published: Timestamp,
    updated: Timestamp,
}

pub async fn show(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let Some(view) = shared.eyes.look().await else { return stuck() };
    let status = see(&shared.eyes, &view).await;
    let shop = view.left_out.page.title.clone().unwrap_or_else(|| "Status".to_owned());
    let feed = feed(&status, shop, view.left_out.policy.url.clone().unwrap_or_default(), view.started.wall);
    match feed.render() {
        Ok(text) => cached::Page::new(text).answer_as(
            &headers,
            "application/atom+xml; charset=utf-8",
            "public, max-age=60",
        ),
        Err(_) => stuck(),
    }
}

fn feed(status: &Status, title: String, base: String, started: Timestamp) -> Feed {
    let incidents = status.incidents.iter().map(|one| incident(one, status.at));
    let mut entries: Vec<Entry> = incidents.chain(status.planned.iter().map(planned)).collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.updated));
    entries.truncate(ENTRIES_MAX);
    let updated = entries.first().map_or(started, |entry| entry.updated);
    Feed { title, base, updated, entries }
}

fn incident(one: &Incident, now: Timestamp) -> Entry {
    let title = &one.part.title;
    let (headline, text) = match &one.to {
        None => (format!("{title}: down"), format!("Down since {}.", words::moment(&one.from))),
        Some(to) => {
            let lasted = words::duration(one.lasted(now));
            let text = format!("Down from {} to {}.", words::moment(&one.from), words::moment(to));
            (format!("{title}: was down for {lasted}"), text)
        }
    };
    Entry {
        id: urn(&format!("incident/{}", one.id())),
        title: headline,
        text,
        published: one.from,
        updated: one.to.unwrap_or(one.from),
    }
}

fn planned(one: &Planned) -> Entry {
    let (from, to) = (words::moment(&one.from), words::moment(&one.to));
    Entry {
        id: urn(&format!("maintenance/{}/{}", one.title, one.from.as_second())),
        title: format!("Maintenance: {}", one.title),
        text: format!("{}: from {from} to {to}.", one.parts.join(", ")),
        published: one.from,
        updated: one.from,
    }
}

/// The same for the same thing, for ever: a name-based UUID (RFC 9562, version 8).
fn urn(name: &str) -> String {
    let mut bytes: [u8; 16] = Sha256::digest(name.as_bytes())[..16].try_into().unwrap_or_default();
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    format!("urn:uuid:{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
