//! Spans of one body put together: what counts, what is refused, and what says the same request twice.
//!
//! Two layers of instrumentation around one request both send a SERVER span (Node's HTTP module outside, Next.js inside),
//! as two around a query do (Prisma outside, its driver inside). Such a span lies in the other with nothing but internal
//! steps between; one that lies behind a CLIENT span is a request of its own. They count once: the outer one, for its
//! time is the one that somebody waited for, with what only the inner one knows (the route, the status, the statement).
//! Only what comes in one body is seen together; exporters send what ends together together.

use super::Spans;
use super::span::{Meaning, Span};
use crate::ingest::id::{SpanId, TraceId};
use crate::ingest::{Malformed, Query, Request, StatusClass};
use std::collections::HashMap;

/// More spans than any exporter sends at once (512 is usual), few enough to be held.
pub(super) const SPANS_MAX: u64 = 65_536;

/// Steps between two layers; more would be a chain that somebody made to keep us busy.
const STEPS_MAX: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Gathered {
    requests: Vec<Request>,
    queries: Vec<Query>,
    places: Vec<Place>,
    spans: u64,
    rejected: u64,
    why: Option<&'static str>,
}

/// Where a span is among the others.
#[derive(Debug)]
struct Place {
    trace: TraceId,
    id: SpanId,
    parent: Option<SpanId>,
    what: What,
}

/// What a span is, with its place in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Request(usize),
    Query(usize),
    Step,
}

type ById<'a> = HashMap<(TraceId, SpanId), &'a Place>;

impl Gathered {
    pub(super) fn take(&mut self, span: &Span<'_>) {
        self.spans += 1;
        if self.spans > SPANS_MAX {
            return;
        }
        let read = match span.read() {
            Ok(read) => read,
            Err(why) => {
                self.rejected += 1;
                self.why.get_or_insert(why);
                return;
            }
        };
        let what = match read.meaning {
            Meaning::Request(request) => {
                self.requests.push(request);
                What::Request(self.requests.len() - 1)
            }
            Meaning::Query(query) => {
                self.queries.push(query);
                What::Query(self.queries.len() - 1)
            }
            Meaning::Step => What::Step,
            Meaning::Neither => return,
        };
        self.places.push(Place { trace: read.trace, id: read.id, parent: read.parent, what });
    }

    pub(super) fn finish(mut self) -> Result<Spans, Malformed> {
        if self.spans > SPANS_MAX {
            return Err(Malformed(format!("more than {SPANS_MAX} spans in one request")));
        }
        self.fold();
        let mut spans = Spans {
            spans: self.spans,
            rejected: self.rejected,
            why: self.why.map(str::to_owned),
            ..Spans::default()
        };
        spans.arrival.requests = self.requests;
        spans.arrival.queries = self.queries;
        Ok(spans)
    }

    /// Leaves one of those that say the same.
    fn fold(&mut self) {
        let twice = twice(&self.places);
        let mut requests = vec![true; self.requests.len()];
        let mut queries = vec![true; self.queries.len()];
        for pair in twice {
            match pair {
                (What::Request(outer), What::Request(inner)) => {
                    let told = self.requests[inner].clone();
                    complete(&mut self.requests[outer], told);
                    requests[inner] = false;
                }
                (What::Query(outer), What::Query(inner)) => {
                    let text = self.queries[inner].text.take();
                    self.queries[outer].text = self.queries[outer].text.take().or(text);
                    queries[inner] = false;
                }
                _ => {}
            }
        }
        keep(&mut self.requests, &requests);
        keep(&mut self.queries, &queries);
    }
}

/// Pairs that are the same request or query: the outermost, and one inside of it.
fn twice(places: &[Place]) -> Vec<(What, What)> {
    let inside = |place: &&Place| place.what != What::Step && place.parent.is_some();
    if !places.iter().any(|place| inside(&place)) {
        return Vec::new();
    }
    let by_id: ById<'_> = places.iter().map(|place| ((place.trace, place.id), place)).collect();
    let pair = |inner: &Place| Some((outermost(inner, &by_id)?, inner.what));
    places.iter().filter(inside).filter_map(pair).collect()
}

/// The outermost of the same kind that is reached over nothing else than steps.
fn outermost(inner: &Place, by_id: &ById<'_>) -> Option<What> {
    let mut outermost = None;
    let mut current = inner;
    for _ in 0..STEPS_MAX {
        let Some(place) = current.parent.and_then(|parent| by_id.get(&(current.trace, parent))) else {
            return outermost;
        };
        match (place.what, inner.what) {
            (What::Step, _) => {}
            (What::Request(_), What::Request(_)) | (What::Query(_), What::Query(_)) => {
                outermost = Some(place.what);
            }
            _ => return outermost,
        }
        current = place;
    }
    // A circle, or too deep to be true.
    None
}

/// Adds to the outer one what only the inner one knows.
fn complete(outer: &mut Request, inner: Request) {
    let has_pattern = |request: &Request| request.route.contains('/');
    if !has_pattern(outer) && has_pattern(&inner) {
        outer.route = inner.route;
    }
    if outer.class == StatusClass::Unknown {
        outer.class = inner.class;
        outer.failed |= inner.failed;
    }
}

fn keep<T>(list: &mut Vec<T>, kept: &[bool]) {
    let mut kept = kept.iter();
    list.retain(|_| kept.next().copied().unwrap_or(true));
}
