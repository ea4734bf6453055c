//! The gate before each kind of route.

use super::caller::asked_host;
use super::door::{Known, is_known_name, refuse};
use super::{Access, Caller, How};
use crate::web::limit::discard;
use crate::web::server::Peer;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

/// What is read of the body of a sender who may not send: a usual batch of spans.
const UNREAD_MAX: usize = 1024 * 1024;

/// Routes by who may ask; each belongs to one kind. One path may have methods of several kinds.
#[derive(Clone)]
pub struct Pages<S = ()> {
    /// For anybody.
    pub public: Router<S>,
    /// For anybody, and pages of others may show it: images.
    pub embedded: Router<S>,
    /// For callers on this machine, and operators.
    pub private: Router<S>,
    /// For operators.
    pub operators: Router<S>,
    /// For operators whose browser was not made to ask by somebody else. A body has 16 KiB at most.
    pub changes: Router<S>,
    /// For those who tell what happens, by a token in a header, which no browser sends by itself.
    pub senders: Router<S>,
}

impl<S: Clone + Send + Sync + 'static> Default for Pages<S> {
    fn default() -> Self {
        Pages {
            public: Router::new(),
            embedded: Router::new(),
            private: Router::new(),
            operators: Router::new(),
            changes: Router::new(),
            senders: Router::new(),
        }
    }
}

impl<S: Clone + Send + Sync + 'static> Pages<S> {
    /// All routes of both.
    pub fn and(self, more: Pages<S>) -> Pages<S> {
        Pages {
            public: self.public.merge(more.public),
            embedded: self.embedded.merge(more.embedded),
            private: self.private.merge(more.private),
            operators: self.operators.merge(more.operators),
            changes: self.changes.merge(more.changes),
            senders: self.senders.merge(more.senders),
        }
    }

    pub fn with_state(self, state: S) -> Pages {
        Pages {
            public: self.public.with_state(state.clone()),
            embedded: self.embedded.with_state(state.clone()),
            private: self.private.with_state(state.clone()),
            operators: self.operators.with_state(state.clone()),
            changes: self.changes.with_state(state.clone()),
            senders: self.senders.with_state(state),
        }
    }
}

impl Pages {
    /// One router, with the gate before each kind. [`know`] must stand before it.
    pub(in crate::web) fn gated(self, access: &Access) -> Router {
        // A layer on no route at all would be a mistake in the eyes of the framework.
        let with = |router: Router, layer: fn(Router, &Access) -> Router| {
            if router.has_routes() { layer(router, access) } else { router }
        };
        Router::new()
            .merge(self.public)
            .merge(with(self.embedded, |router, _| router.route_layer(middleware::from_fn(embedded))))
            .merge(with(self.private, |router, _| router.route_layer(middleware::from_fn(private))))
            .merge(with(self.operators, |router, _| router.route_layer(middleware::from_fn(operators))))
            .merge(with(self.senders, |router, _| router.route_layer(middleware::from_fn(senders))))
            .merge(with(self.changes, |router, access| {
                router.route_layer(middleware::from_fn_with_state(access.clone(), changes))
            }))
    }
}

/// Finds out who asks, before everything else.
pub(in crate::web) async fn know(State(access): State<Access>, mut request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    if !is_known_name(&parts, &access.terms().http) {
        let host = crate::plain::line(&asked_host(&parts).unwrap_or_default(), 100);
        let why = format!("this is not `{host}`\n  hint: `[http] hosts` names what this agent is called\n");
        return (StatusCode::MISDIRECTED_REQUEST, why).into_response();
    }
    let known = access.know(&parts);
    if let (Caller::Operator(_), Some(peer)) = (&known.caller, parts.extensions.get::<Peer>()) {
        peer.trust();
    }
    parts.extensions.insert(known);
    request = Request::from_parts(parts, body);
    next.run(request).await
}

fn known(request: &Request) -> Known {
    request.extensions().get().cloned().unwrap_or_default()
}

/// The answer to somebody who may not, from what the request says.
fn refused(request: Request, known: &Known) -> Response {
    not_kept(refuse(&request.into_parts().0, known))
}

async fn embedded(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    answer.headers_mut().insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    answer
}

async fn private(request: Request, next: Next) -> Response {
    let known = known(&request);
    match known.caller {
        Caller::Anybody => refused(request, &known),
        Caller::Local | Caller::Operator(_) => not_kept(next.run(request).await),
    }
}

async fn operators(request: Request, next: Next) -> Response {
    let known = known(&request);
    match known.caller {
        Caller::Operator(_) => not_kept(next.run(request).await),
        Caller::Anybody | Caller::Local => refused(request, &known),
    }
}

async fn senders(request: Request, next: Next) -> Response {
    let known = known(&request);
    let by_program = matches!(&known.caller, Caller::Operator(operator) if operator.how == How::Bearer);
    if known.sends || by_program {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    // One that is refused while it still sends sees a broken connection instead of the answer, and tries again.
    discard(body, UNREAD_MAX).await;
    not_kept(refuse(&parts, &known))
}

async fn changes(State(access): State<Access>, request: Request, next: Next) -> Response {
    let known = known(&request);
    let Caller::Operator(operator) = &known.caller else { return refused(request, &known) };
    not_kept(match access.prove(request, operator).await {
        Ok(request) => next.run(request).await,
        Err(refused) => refused,
    })
}

/// No cache keeps what is not for everybody.
pub(super) fn not_kept(mut answer: Response) -> Response {
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
