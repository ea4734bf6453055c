//! Badges: how a part of the shop is, as a small image for other pages.
//!
//! `/badges/PART.svg` says how it is, `/badges/PART-uptime.svg` how the last 90 days were, `all` is the whole; `.json`
//! is what shields.io asks for.

use super::{see, words};
use crate::view::status::Word;
use crate::web::{Shared, stuck};
use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use serde_json::json;

/// Of a letter at eleven pixels, on average.
const LETTER: f64 = 6.4;
const MARGIN: f64 = 8.0;

#[derive(Template)]
#[template(path = "badge.svg")]
struct Badge {
    label: String,
    text: String,
    colour: &'static str,
    left: f64,
    width: f64,
}

impl Badge {
    fn new(label: String, text: String, word: Word) -> Badge {
        let room = |text: &str| (text.chars().count() as f64 * LETTER + 2.0 * MARGIN).ceil();
        let (left, right) = (room(&label), room(&text));
        Badge { label, text, colour: colour(word), left, width: left + right }
    }
}

/// Dark enough for white letters, on light pages and on dark ones.
const fn colour(word: Word) -> &'static str {
    match word {
        Word::Well => "#22704f",
        Word::Maintenance => "#33598f",
        Word::Unknown => "#625d54",
        Word::Impaired => "#8a5a00",
        Word::Down => "#a62b20",
    }
}

pub async fn show(State(shared): State<Shared>, Path(file): Path<String>, headers: HeaderMap) -> Response {
    let Some(view) = shared.eyes.look().await else { return stuck() };
    let status = see(&shared.eyes, &view).await;
    let (name, is_json) = match (file.strip_suffix(".svg"), file.strip_suffix(".json")) {
        (Some(name), _) => (name, false),
        (_, Some(name)) => (name, true),
        _ => return missing(),
    };
    let part = |name: &str| status.parts.iter().find(|part| *part.part.name == *name);
    let (label, text, word) = if let ("all", None) = (name, part(name)) {
        ("status".to_owned(), status.word.as_str().to_owned(), status.word)
    } else if let Some(part) = part(name) {
        (part.part.title.clone(), part.word.as_str().to_owned(), part.word)
    } else if let Some(part) = name.strip_suffix("-uptime").and_then(part) {
        let good = part.good_ratio;
        let word = match good {
            None => Word::Unknown,
            Some(good) if good >= 0.999 => Word::Well,
            Some(good) if good >= 0.98 => Word::Impaired,
            Some(_) => Word::Down,
        };
        let text = good.map_or_else(|| "n/a".to_owned(), |good| words::percent(&good));
        (format!("{}, 90 days", part.part.title), text, word)
    } else {
        return missing();
    };
    if is_json {
        let badge = json!({ "schemaVersion": 1, "label": label, "message": text, "color": colour(word) });
        return ([(header::CACHE_CONTROL, "public, max-age=60")], Json(badge)).into_response();
    }
    match Badge::new(label, text, word).render() {
        Ok(svg) => super::cached::Page::new(svg).answer_as(&headers, "image/svg+xml", "public, max-age=60"),
        Err(_) => stuck(),
    }
}

fn missing() -> Response {
    (StatusCode::NOT_FOUND, "there is no such badge; parts are named in /api/v1/status\n").into_response()
}
