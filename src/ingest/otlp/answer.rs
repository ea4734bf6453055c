//! What an exporter is told: all taken, some of it not, or why nothing.
//!
//! Exporters read the answer in the encoding in which they asked, and go by the HTTP status in everything else.

use super::Spans;
use prost::Message;
use serde_json::json;

/// Why nothing was taken, by the numbers of `google.rpc.Code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// With a 4xx: it will not get better.
    InvalidArgument = 3,
    PermissionDenied = 7,
    /// With a 429: later.
    ResourceExhausted = 8,
    /// With a 503: later.
    Unavailable = 14,
    Unauthenticated = 16,
}

#[derive(Message)]
struct ExportTraceServiceResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<ExportTracePartialSuccess>,
}

#[derive(Message)]
struct ExportTracePartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_spans: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// `google.rpc.Status`.
#[derive(Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// The `ExportTraceServiceResponse` of a 200, empty where everything was taken.
pub fn answer_protobuf(spans: &Spans) -> Vec<u8> {
    let partial_success = partial(spans).map(|(rejected, message)| ExportTracePartialSuccess {
        rejected_spans: i64::try_from(rejected).unwrap_or(i64::MAX),
        error_message: message.to_owned(),
    });
    ExportTraceServiceResponse { partial_success }.encode_to_vec()
}

/// As [`answer_protobuf`], in JSON.
pub fn answer_json(spans: &Spans) -> Vec<u8> {
    let answer = match partial(spans) {
        None => json!({}),
        Some((rejected, message)) => {
            json!({ "partialSuccess": { "rejectedSpans": rejected.to_string(), "errorMessage": message } })
        }
    };
    answer.to_string().into_bytes()
}

/// The `google.rpc.Status` of an answer that is not a 200.
pub fn refusal_protobuf(refusal: Refusal, message: &str) -> Vec<u8> {
    Status { code: refusal as i32, message: message.to_owned() }.encode_to_vec()
}

/// As [`refusal_protobuf`], in JSON.
pub fn refusal_json(refusal: Refusal, message: &str) -> Vec<u8> {
    json!({ "code": refusal as i32, "message": message }).to_string().into_bytes()
}

fn partial(spans: &Spans) -> Option<(u64, &str)> {
    (spans.rejected > 0).then(|| (spans.rejected, spans.why.as_deref().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rejected: u64, in_json: &str, in_protobuf: &[u8]) {
        let spans = Spans { rejected, why: (rejected > 0).then(|| "no end".to_owned()), ..Spans::default() };
        assert_eq!(String::from_utf8_lossy(&answer_json(&spans)), in_json);
        assert_eq!(answer_protobuf(&spans), in_protobuf);
    }

    #[test]
    fn what_was_not_taken_is_told_in_both_encodings() {
        check(0, "{}", b"");
        let partial = r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no end"}}"#;
        check(3, partial, b"\x0a\x0a\x08\x03\x12\x06no end");
    }

    #[test]
    fn a_refusal_is_a_status_in_both_encodings() {
        let told = refusal_json(Refusal::InvalidArgument, "not \"JSON\"");
        assert_eq!(String::from_utf8_lossy(&told), r#"{"code":3,"message":"not \"JSON\""}"#);
        assert_eq!(refusal_protobuf(Refusal::ResourceExhausted, "full"), b"\x08\x08\x12\x04full");
    }
}
