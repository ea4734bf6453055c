//! Resend's answers: JSON, and errors as `{"statusCode":404,"message":"…","name":"not_found"}`.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

pub struct Reply {
    pub status: StatusCode,
    pub body: Value,
}

pub fn ok(body: Value) -> Reply {
    Reply { status: StatusCode::OK, body }
}

pub fn error(status: u16, name: &str, message: &str) -> Reply {
    let body = json!({ "statusCode": status, "message": message, "name": name });
    Reply { status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let kind = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
        (self.status, kind, self.body.to_string()).into_response()
    }
}

/// `2023-04-26 20:21:26.347412+00`
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S.%6f+00").to_string()
}

/// An id in the form of a UUID, always the same for a number.
pub fn id(kind: u32, number: u64) -> String {
    format!("{kind:08x}-1176-453e-8fc1-{number:012x}")
}
