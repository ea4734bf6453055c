//! Bodies within bounds: how long one may be, compressed and not, how many bytes of all of them are held at once, and how
//! many are read at the same time.

use super::Refusal;
use crate::web::limit;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// As it comes in. A batch of 512 spans has some 500 kB.
const SENT_MAX: usize = 4 * 1024 * 1024;
/// Unpacked.
const WHOLE_MAX: usize = 8 * 1024 * 1024;
/// Kibibytes of bodies that are held at once.
const HELD_KIB: u32 = 24 * 1024;
/// What is reserved for a body whose length nobody told; it takes more as it grows.
const UNTOLD_KIB: u32 = 512;
/// Bodies that are unpacked and read at the same time: each keeps a core busy.
const READ_AT_ONCE: usize = 2;
/// How long one waits for room before it is told to come again.
const PATIENCE: Duration = Duration::from_secs(2);

/// Room for bodies.
#[derive(Clone)]
pub struct Room {
    held: Arc<Semaphore>,
    reading: Arc<Semaphore>,
}

impl Default for Room {
    fn default() -> Room {
        Room {
            held: Arc::new(Semaphore::new(HELD_KIB as usize)),
            reading: Arc::new(Semaphore::new(READ_AT_ONCE)),
        }
    }
}

/// A whole body, and the room that it takes.
pub struct Held {
    pub bytes: Bytes,
    is_packed: bool,
    room: OwnedSemaphorePermit,
}

/// Why there is no body.
pub enum NoBody {
    Full,
    Wrong(Refusal),
    /// The bounds of all pages.
    Bound(Response),
}

impl Room {
    /// The body as it is sent.
    pub async fn hold(&self, headers: &HeaderMap, body: Body) -> Result<Held, NoBody> {
        let is_packed = is_packed(headers).map_err(NoBody::Wrong)?;
        let told = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if told.is_some_and(|length: usize| length > SENT_MAX) {
            return Err(NoBody::Wrong(too_large(SENT_MAX)));
        }
        let kib = told.map_or(UNTOLD_KIB, |length| u32::try_from(length / 1024 + 1).unwrap_or(HELD_KIB));
        let room = self.held.clone().acquire_many_owned(kib);
        let room =
            tokio::time::timeout(PATIENCE, room).await.ok().and_then(Result::ok).ok_or(NoBody::Full)?;
        let bytes = limit::body(body, SENT_MAX).await.map_err(NoBody::Bound)?;
        Ok(Held { bytes, is_packed, room })
    }

    /// Unpacks it and reads it, away from the threads that serve.
    pub async fn read<T: Send + 'static>(
        &self,
        held: Held,
        read: impl FnOnce(&[u8]) -> T + Send + 'static,
    ) -> Result<T, NoBody> {
        let turn = self.reading.clone().acquire_owned();
        let turn =
            tokio::time::timeout(PATIENCE, turn).await.ok().and_then(Result::ok).ok_or(NoBody::Full)?;
        let work = tokio::task::spawn_blocking(move || {
            let Held { bytes, is_packed, room } = held;
            let done = if is_packed { unpack(&bytes).map(|whole| read(&whole)) } else { Ok(read(&bytes)) };
            drop((turn, room));
            done
        });
        work.await
            .unwrap_or_else(|_panic| {
                tracing::error!("reading what was sent panicked; this is a bug in atalaya");
                Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "this is a bug in atalaya"))
            })
            .map_err(NoBody::Wrong)
    }
}

fn is_packed(headers: &HeaderMap) -> Result<bool, Refusal> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let encoding = encodings.next().map(|encoding| encoding.to_str().unwrap_or("?").to_ascii_lowercase());
    match encoding.as_deref().map(str::trim) {
        None | Some("" | "identity") if encodings.next().is_none() => Ok(false),
        Some("gzip" | "x-gzip") if encodings.next().is_none() => Ok(true),
        _ => Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "`content-encoding` is neither `gzip` nor `identity`",
        )),
    }
}

/// Stops at the bound, however much more there is.
fn unpack(packed: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut whole = Vec::with_capacity(packed.len().saturating_mul(4).min(WHOLE_MAX));
    let mut unpacking = MultiGzDecoder::new(packed).take(WHOLE_MAX as u64 + 1);
    if unpacking.read_to_end(&mut whole).is_err() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "the body is no gzip, or is cut off"));
    }
    if whole.len() > WHOLE_MAX { Err(too_large(WHOLE_MAX)) } else { Ok(whole) }
}

fn too_large(bytes_max: usize) -> Refusal {
    Refusal::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("the body is longer than the limit of {bytes_max} bytes"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn packed(whole: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(whole).expect("written");
        encoder.finish().expect("finished")
    }

    #[test]
    fn what_is_packed_is_unpacked_up_to_the_bound() {
        let unpacked = |packed: &[u8]| unpack(packed).map_err(|refusal| refusal.status.as_u16());
        assert_eq!(unpacked(&packed(b"abc")), Ok(b"abc".to_vec()));
        assert_eq!(unpacked(&[packed(b"ab"), packed(b"c")].concat()), Ok(b"abc".to_vec()));
        assert_eq!(unpacked(&packed(&vec![0; WHOLE_MAX])).map(|whole| whole.len()), Ok(WHOLE_MAX));
        let bomb = packed(&vec![0; 40 * WHOLE_MAX]);
        assert!(bomb.len() < SENT_MAX / 8, "it is a bomb");
        assert_eq!(unpacked(&bomb), Err(413));
        let cut = packed(b"abcabcabc");
        assert_eq!(unpacked(&cut[..cut.len() - 4]), Err(400));
        assert_eq!(unpacked(b"abc"), Err(400));
    }

    #[tokio::test(start_paused = true)]
    async fn many_bodies_at_once_find_no_room() {
        let room = Room::default();
        let mut headers = HeaderMap::new();
        let mut all = Vec::new();
        headers.insert(header::CONTENT_LENGTH, SENT_MAX.into());
        for _ in 0..5 {
            all.push(room.hold(&headers, Body::empty()).await.ok().expect("room"));
        }
        assert!(matches!(room.hold(&headers, Body::empty()).await, Err(NoBody::Full)));
        all.pop();
        assert!(room.hold(&headers, Body::empty()).await.is_ok());
        headers.insert(header::CONTENT_LENGTH, (SENT_MAX + 1).into());
        assert!(
            matches!(room.hold(&headers, Body::empty()).await, Err(NoBody::Wrong(refusal)) if refusal.status == 413)
        );
    }
}
