//! Style, script and icon: part of the program, and under names that change with them, so that browsers keep them.

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

const STYLE: &str = include_str!("../assets/atalaya.css");
const SCRIPT: &str = include_str!("../assets/atalaya.js");
const ICON: &str = include_str!("../assets/icon.svg");

/// One file.
struct Asset {
    name: String,
    kind: &'static str,
    text: &'static str,
    gzip: Vec<u8>,
}

impl Asset {
    fn new(stem: &str, ending: &str, kind: &'static str, text: &'static str) -> Asset {
        let digest = Sha256::digest(text.as_bytes());
        let version = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        let gzip = super::cached::pack(text.as_bytes());
        Asset { name: format!("{stem}-{version:08x}.{ending}"), kind, text, gzip }
    }
}

static ASSETS: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        Asset::new("atalaya", "css", "text/css; charset=utf-8", STYLE),
        Asset::new("atalaya", "js", "text/javascript; charset=utf-8", SCRIPT),
        Asset::new("icon", "svg", "image/svg+xml", ICON),
    ]
});

/// Where the style is.
pub fn style() -> &'static str {
    &ASSETS[0].name
}

/// Where the script is.
pub fn script() -> &'static str {
    &ASSETS[1].name
}

/// Where the icon is.
pub fn icon_name() -> &'static str {
    &ASSETS[2].name
}

pub async fn serve(Path(name): Path<String>, headers: HeaderMap) -> Response {
    match ASSETS.iter().find(|asset| asset.name == name) {
        Some(asset) => answer(asset, &headers, "public, max-age=31536000, immutable"),
        None => (StatusCode::NOT_FOUND, "there is no such file; reload the page\n").into_response(),
    }
}

/// Browsers ask for it by themselves.
pub async fn icon(headers: HeaderMap) -> Response {
    answer(&ASSETS[2], &headers, "public, max-age=86400")
}

fn answer(asset: &Asset, headers: &HeaderMap, keep: &'static str) -> Response {
    let common = [
        (header::CONTENT_TYPE, asset.kind),
        (header::CACHE_CONTROL, keep),
        (header::VARY, "Accept-Encoding"),
    ];
    let accepts =
        headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.contains("gzip") {
        return (common, [(header::CONTENT_ENCODING, "gzip")], asset.gzip.clone()).into_response();
    }
    (common, asset.text).into_response()
}
