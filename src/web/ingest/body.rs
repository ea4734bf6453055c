//! Bodies within bounds: how long one may be, compressed and not, how many bytes of all of them are held at once, and how
//! many are read at the same time.

use super::Refusal;
use crate::web::limit;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures_util::StreamExt;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// As it comes in. A batch of 512 spans has some 500 kB.
const SENT_MAX: usize = 4 * 1024 * 1024;
/// A vendor's letter has some kilobytes, and whoever sends one is known only when all of it is there.
const LETTER_MAX: usize = 256 * 1024;
/// Unpacked.
const WHOLE_MAX: usize = 8 * 1024 * 1024;
/// Kibibytes of bodies that are held at once.
const HELD_KIB: u32 = 24 * 1024;
/// What is reserved for a body before it comes. It takes more as it grows, whatever length was told: one that comes slowly,
/// or never, holds little, and all connections that there may be hold less than there is.
const FIRST_KIB: u32 = 64;
const MORE_KIB: u32 = 256;
/// Bodies that are unpacked and read at the same time: each keeps a core busy.
const READ_AT_ONCE: usize = 2;
/// How long one waits for room before it is told to come again.
const PATIENCE: Duration = Duration::from_secs(2);

/// Room for bodies.
#[derive(Clone)]
pub struct Room {
    sent_max: usize,
    held: Arc<Semaphore>,
    reading: Arc<Semaphore>,
}

impl Default for Room {
    fn default() -> Room {
        Room {
            sent_max: SENT_MAX,
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
    /// For letters that anybody may send: what they take is nobody else's.
    pub fn of_letters() -> Room {
        Room { sent_max: LETTER_MAX, ..Room::default() }
    }

    /// The body as it is sent.
    pub async fn hold(&self, headers: &HeaderMap, body: Body) -> Result<Held, NoBody> {
        let is_packed = is_packed(headers).map_err(NoBody::Wrong)?;
        let told = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if told.is_some_and(|length: usize| length > self.sent_max) {
            return Err(NoBody::Wrong(too_large(self.sent_max)));
        }
        let first = told.map_or(FIRST_KIB, |length| kib(length).min(FIRST_KIB));
        let room = self.take(first).await?;
        let gathered = limit::in_time(self.gather(body, room)).await.map_err(NoBody::Bound)?;
        let (bytes, room) = gathered?;
        Ok(Held { bytes, is_packed, room })
    }

    async fn take(&self, kib: u32) -> Result<OwnedSemaphorePermit, NoBody> {
        let room = self.held.clone().acquire_many_owned(kib);
        tokio::time::timeout(PATIENCE, room).await.ok().and_then(Result::ok).ok_or(NoBody::Full)
    }

    async fn gather(
        &self,
        body: Body,
        mut room: OwnedSemaphorePermit,
    ) -> Result<(Bytes, OwnedSemaphorePermit), NoBody> {
        let mut whole = Vec::new();
        let mut pieces = body.into_data_stream();
        while let Some(piece) = pieces.next().await {
            let cut = |_| Refusal::new(StatusCode::BAD_REQUEST, "the body is cut off");
            let piece = piece.map_err(cut).map_err(NoBody::Wrong)?;
            let length = whole.len() + piece.len();
            if length > self.sent_max {
                return Err(NoBody::Wrong(too_large(self.sent_max)));
            }
            let held = u32::try_from(room.num_permits()).unwrap_or(HELD_KIB);
            if kib(length) > held {
                let more = (kib(length) - held).max(MORE_KIB.min(kib(self.sent_max).saturating_sub(held)));
                room.merge(self.take(more).await?);
            }
            whole.extend_from_slice(&piece);
        }
        Ok((whole.into(), room))
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

/// How much room so many bytes take.
fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes / 1024 + 1).unwrap_or(HELD_KIB)
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
    use futures_util::stream;
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

    /// Bodies that were sent so far, and never end.
    fn endless(sent: usize) -> Body {
        let first = stream::once(async move { Ok::<_, std::io::Error>(Bytes::from(vec![0; sent])) });
        Body::from_stream(first.chain(stream::pending()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_takes_room_as_it_grows_and_gives_it_back() {
        let room = Room::default();
        let mut told = HeaderMap::new();
        told.insert(header::CONTENT_LENGTH, SENT_MAX.into());
        for headers in [told.clone(), HeaderMap::new()] {
            let mut all = Vec::new();
            for _ in 0..5 {
                let whole = Body::from(vec![0; SENT_MAX]);
                all.push(room.hold(&headers, whole).await.ok().expect("room"));
            }
            let whole = || Body::from(vec![0; SENT_MAX]);
            assert!(matches!(room.hold(&headers, whole()).await, Err(NoBody::Full)));
            all.pop();
            assert!(room.hold(&headers, whole()).await.is_ok());
        }
        assert_eq!(room.held.available_permits(), HELD_KIB as usize);
        told.insert(header::CONTENT_LENGTH, (SENT_MAX + 1).into());
        for (headers, body) in [(told, Body::empty()), (HeaderMap::new(), Body::from(vec![0; SENT_MAX + 1]))]
        {
            let refused = room.hold(&headers, body).await;
            assert!(matches!(refused, Err(NoBody::Wrong(refusal)) if refusal.status == 413));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_come_slowly_leave_room_for_others_and_end() {
        let room = Room::default();
        let mut told = HeaderMap::new();
        told.insert(header::CONTENT_LENGTH, SENT_MAX.into());
        let slow: Vec<_> = (0..256)
            .map(|_| {
                let (room, told) = (room.clone(), told.clone());
                tokio::spawn(async move { room.hold(&told, endless(1)).await.err() })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(room.hold(&HeaderMap::new(), Body::from(vec![0; SENT_MAX])).await.is_ok());
        for slow in slow {
            let refused = slow.await.expect("no panic");
            assert!(matches!(refused, Some(NoBody::Bound(answer)) if answer.status() == 408));
        }
        assert_eq!(room.held.available_permits(), HELD_KIB as usize);
    }
}
