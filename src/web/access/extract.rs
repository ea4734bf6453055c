//! What a handler takes to know who asks. Each answers by itself where that is nobody who may.

use super::door::{Known, refuse};
use super::{Caller, How, Operator, Source};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use std::convert::Infallible;

/// Somebody who may read what is not public.
#[derive(Debug, Clone)]
pub struct MaySee(pub Caller);

/// Somebody who may change something and has proved that they mean it.
#[derive(Debug, Clone)]
pub struct MayChange(pub Operator);

/// That a request that changes something comes from a page of ours; the gate before changes puts it there.
#[derive(Clone)]
pub(super) struct Proved;

fn known(parts: &Parts) -> Known {
    parts.extensions.get().cloned().unwrap_or_default()
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, Infallible> {
        Ok(known(parts).caller)
    }
}

impl<S: Sync> FromRequestParts<S> for Source {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Source, Infallible> {
        Ok(Source::of(parts))
    }
}

impl<S: Sync> FromRequestParts<S> for MaySee {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<MaySee, Response> {
        let known = known(parts);
        match known.caller {
            Caller::Anybody => Err(refuse(parts, &known)),
            caller => Ok(MaySee(caller)),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Operator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Operator, Response> {
        let known = known(parts);
        match known.caller {
            Caller::Operator(operator) => Ok(operator),
            _ => Err(refuse(parts, &known)),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for MayChange {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<MayChange, Response> {
        let operator = Operator::from_request_parts(parts, state).await?;
        if operator.how == How::Bearer || parts.extensions.get::<Proved>().is_some() {
            Ok(MayChange(operator))
        } else {
            Err(super::proof::forged("this route is not among those that change something"))
        }
    }
}
