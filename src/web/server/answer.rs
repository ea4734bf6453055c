//! Hands each request to the routes with who is at the other end, and marks the place of the connection as in use until
//! the whole answer is out.

use super::Peer;
use super::places::Place;
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::{Request, Response};
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The routes, for one connection.
pub struct Answering {
    routes: TowerToHyperService<Router>,
    peer: Peer,
}

impl Answering {
    pub fn new(router: Router, peer: Peer) -> Answering {
        Answering { routes: TowerToHyperService::new(router), peer }
    }
}

impl Service<Request<Incoming>> for Answering {
    type Response = Response<Whole>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Whole>, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let in_use = InUse::new(self.peer.place.clone());
        request.extensions_mut().insert(self.peer.clone());
        let answer = self.routes.call(request);
        Box::pin(async move { Ok(answer.await?.map(|body| Whole { body, _in_use: in_use })) })
    }
}

/// While it is there, somebody gets an answer on this place.
struct InUse(Arc<Place>);

impl InUse {
    fn new(place: Arc<Place>) -> InUse {
        place.set_answering(true);
        InUse(place)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.set_answering(false);
    }
}

/// A body that keeps the place in use.
pub struct Whole {
    body: Body,
    _in_use: InUse,
}

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
