//! A page that many look at is made once: whoever comes while it is made waits for the same one.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// For so long what was made is good enough for the next one who asks.
const FRESH: Duration = Duration::from_millis(500);

/// What was made last, and when.
#[derive(Default)]
pub struct Cached {
    last: Mutex<Option<(Instant, Arc<Page>)>>,
}

/// One page, ready to be sent as often as it is asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// Changes when the page does.
    pub tag: String,
    plain: Bytes,
    gzip: Bytes,
}

impl Cached {
    /// What is fresh, or what `make` makes now; `None` where it can't.
    pub async fn get(&self, make: impl AsyncFnOnce() -> Option<String>) -> Option<Arc<Page>> {
        let mut last = self.last.lock().await;
        if let Some((made, page)) = last.as_ref()
            && made.elapsed() < FRESH
        {
            return Some(page.clone());
        }
        let html = make().await?;
        // What has not changed is not packed anew.
        let page = match last.take() {
            Some((_, page)) if page.plain == html.as_bytes() => page,
            _ => Arc::new(Page::new(html)),
        };
        *last = Some((crate::clock::instant(), page.clone()));
        Some(page)
    }
}

impl Page {
    pub fn new(html: String) -> Page {
        let digest = Sha256::digest(html.as_bytes());
        let mut tag = String::from("\"");
        for byte in &digest[..12] {
            // Writing to a string can't fail.
            let _ = write!(tag, "{byte:02x}");
        }
        tag.push('"');
        let gzip = pack(html.as_bytes());
        Page { tag, plain: html.into(), gzip: gzip.into() }
    }

    /// As the client can take it; nothing where it has the same already.
    pub fn answer(&self, asked: &HeaderMap) -> Response {
        self.answer_as(asked, "text/html; charset=utf-8", "no-cache")
    }

    /// As [`Page::answer`], of another kind, which may be kept for a while.
    pub fn answer_as(&self, asked: &HeaderMap, kind: &'static str, keep: &'static str) -> Response {
        let says = |name: header::HeaderName, what: &str| {
            let value = asked.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            value.split(',').any(|one| one.trim().split(';').next() == Some(what))
        };
        let common = [
            (header::CONTENT_TYPE, kind),
            (header::CACHE_CONTROL, keep),
            (header::VARY, "Accept, Accept-Encoding"),
            (header::ETAG, &self.tag),
        ];
        if says(header::IF_NONE_MATCH, &self.tag) {
            return (StatusCode::NOT_MODIFIED, common).into_response();
        }
        if says(header::ACCEPT_ENCODING, "gzip") {
            let packed = [(header::CONTENT_ENCODING, "gzip")];
            return (common, packed, Body::from(self.gzip.clone())).into_response();
        }
        (common, Body::from(self.plain.clone())).into_response()
    }
}

/// Gzip, or the same bytes where memory can't be written to, which can't happen.
pub fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    match encoder.write_all(bytes).and_then(|()| encoder.finish()) {
        Ok(packed) => packed,
        Err(_) => bytes.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test(start_paused = true)]
    async fn many_who_look_at_once_have_it_made_once() {
        let (cached, made) = (Arc::new(Cached::default()), Arc::new(AtomicU32::new(0)));
        let look = || {
            let (cached, made) = (cached.clone(), made.clone());
            tokio::spawn(async move {
                let make = async || {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    Some(format!("page {}", made.fetch_add(1, Ordering::Relaxed)))
                };
                cached.get(make).await.expect("a page").plain.clone()
            })
        };
        for one in [look(), look(), look()] {
            assert_eq!(one.await.expect("no panic"), "page 0");
        }
        tokio::time::sleep(FRESH).await;
        assert_eq!(look().await.expect("no panic"), "page 1");
    }

    #[test]
    fn who_has_it_already_gets_nothing() {
        let page = Page::new("hello".repeat(100));
        let mut asked = HeaderMap::new();
        asked.insert(header::ACCEPT_ENCODING, "br, gzip;q=0.5".parse().expect("a value"));
        let answer = page.answer(&asked);
        assert_eq!(
            (answer.status(), answer.headers().get("content-encoding").is_some()),
            (StatusCode::OK, true)
        );
        asked.insert(header::IF_NONE_MATCH, page.tag.parse().expect("a value"));
        assert_eq!(page.answer(&asked).status(), StatusCode::NOT_MODIFIED);
        assert_ne!(page.tag, Page::new("other".to_owned()).tag);
    }
}
