//! OTLP over HTTP: `/v1/traces`, as protobuf or JSON, answered in the same.
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>

use super::body::NoBody;
use super::{Door, Refusal, full, malformed};
use crate::app::intake::meter;
use crate::ingest::otlp::{self, Refusal as Word};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

const KIND: &str = "otlp";

#[derive(Clone, Copy)]
enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Option<Encoding> {
        let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        match kind.split(';').next()?.trim().to_ascii_lowercase().as_str() {
            "application/x-protobuf" => Some(Encoding::Protobuf),
            "application/json" => Some(Encoding::Json),
            _ => None,
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Encoding::Protobuf => "application/x-protobuf",
            Encoding::Json => "application/json",
        }
    }
}

pub async fn take(State(door): State<Door>, headers: HeaderMap, body: Body) -> Response {
    let Some(encoding) = Encoding::of(&headers) else {
        let why = "`content-type` is neither `application/x-protobuf` nor `application/json`";
        return Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, why).into_response();
    };
    match read(&door, encoding, &headers, body).await {
        Ok(answer) => ([(header::CONTENT_TYPE, encoding.content_type())], answer).into_response(),
        Err(NoBody::Full) => refuse(full(KIND), encoding),
        Err(NoBody::Wrong(refusal)) => refuse(refusal, encoding),
        Err(NoBody::Bound(answer)) => {
            let why = "the body is cut off, too long or took too long";
            refuse(Refusal::new(answer.status(), why), encoding)
        }
    }
}

async fn read(door: &Door, encoding: Encoding, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, NoBody> {
    let held = door.room.hold(headers, body).await?;
    let spans = door.room.read(held, move |body| match encoding {
        Encoding::Protobuf => otlp::protobuf(body),
        Encoding::Json => otlp::json(body),
    });
    let mut spans = spans.await?.map_err(|wrong| NoBody::Wrong(malformed(KIND, wrong.0)))?;
    let arrival = std::mem::take(&mut spans.arrival);
    door.take(KIND, arrival).await.map_err(NoBody::Wrong)?;
    meter::items(KIND, spans.spans - spans.rejected, spans.rejected);
    Ok(match encoding {
        Encoding::Protobuf => otlp::answer_protobuf(&spans),
        Encoding::Json => otlp::answer_json(&spans),
    })
}

fn refuse(refusal: Refusal, encoding: Encoding) -> Response {
    let word = match refusal.status {
        StatusCode::TOO_MANY_REQUESTS => Word::ResourceExhausted,
        StatusCode::SERVICE_UNAVAILABLE => Word::Unavailable,
        _ => Word::InvalidArgument,
    };
    let body = match encoding {
        Encoding::Protobuf => otlp::refusal_protobuf(word, &refusal.why),
        Encoding::Json => otlp::refusal_json(word, &refusal.why),
    };
    refusal.with(encoding.content_type(), body)
}
