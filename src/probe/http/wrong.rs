//! What went wrong while asking or reading, in words and with its class.

use super::address::Hop;
use super::exchange::{HEADER_BYTES_MAX, HEADERS_MAX};
use crate::outcome::{Class, Fault};
use crate::probe::net::connect::is_own_trouble;
use crate::probe::net::stream::FirstBytes;
use crate::probe::net::tls;
use std::error::Error;
use std::io;

/// How far it had come.
#[derive(Debug, Clone, Copy)]
pub enum Stage {
    /// The header of the answer was waited for.
    Answer,
    /// So much of the body had come; how much was announced, where it was.
    Body { length: u64, expected: Option<u64> },
}

/// Who was asked and how, and what came first.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub hop: &'a Hop,
    pub http2: bool,
    pub first: &'a FirstBytes,
}

pub fn wrong(error: &hyper::Error, stage: Stage, asked: Asked<'_>) -> Fault {
    let Asked { hop, first, .. } = asked;
    let target = &hop.target;
    if error.is_user() {
        return Fault::internal(format!("the request can't be sent: {}", deepest(error)));
    }
    let cause = io_error(error);
    if let Some(own) = cause.filter(|error| is_own_trouble(error)) {
        return Fault::internal(format!("{target}: {own}"));
    }
    if let Some(why) = cause.and_then(tls::tls_error) {
        return Fault::failed(Class::Tls, tls::words(why, target));
    }
    let text = match stage {
        Stage::Body { length, expected } => {
            return Fault::failed(Class::Protocol, body(error, length, expected));
        }
        Stage::Answer if error.is_parse_too_large() => {
            format!(
                "the answer's header is too long (more than {HEADER_BYTES_MAX} bytes or {HEADERS_MAX} lines)"
            )
        }
        Stage::Answer if first.is_empty() => {
            let how = if cause.is_some_and(is_reset) { "reset" } else { "closed" };
            return Fault::failed(Class::Connect, format!("{target} {how} the connection without an answer"));
        }
        Stage::Answer => match spoken(first.get(), asked) {
            Some(spoken) => format!("{target} {spoken}"),
            None if error.is_parse() => format!("{target} does not answer in HTTP: {}", deepest(error)),
            None if error.is_incomplete_message() || cause.is_some() => {
                format!("{target} closed the connection in the middle of the answer's header")
            }
            None => format!("{target} broke the protocol: {}", deepest(error)),
        },
    };
    Fault::failed(Class::Protocol, text)
}

fn body(error: &hyper::Error, length: u64, expected: Option<u64>) -> String {
    match expected {
        Some(expected) => format!("the body ended after {length} of {expected} bytes"),
        None => format!("the body broke off after {length} bytes: {}", deepest(error)),
    }
}

/// What is spoken there instead of what was asked for, where the first bytes tell.
fn spoken(first: [u8; 8], asked: Asked<'_>) -> Option<&'static str> {
    match &first {
        [0x15 | 0x16, 0x03, ..] if asked.hop.secure.is_none() => Some("speaks TLS; ask it with `https://`"),
        b"HTTP/1.1" | b"HTTP/1.0" if asked.http2 => Some("answers in HTTP/1 where HTTP/2 was asked for"),
        [b'S', b'S', b'H', b'-', ..] => Some("speaks SSH, not HTTP"),
        [b'2', b'2', b'0', b' ' | b'-', ..] => Some("speaks SMTP or FTP, not HTTP"),
        // A frame of settings: 3 bytes of length, type 4.
        [0, 0, _, 4, ..] => Some("speaks HTTP/2 only; say `version = \"2\"`"),
        _ => None,
    }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

fn chain<'a>(error: &'a hyper::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error as &(dyn Error + 'static)), |error: &&'a (dyn Error + 'static)| {
        let error: &'a (dyn Error + 'static) = *error;
        error.source()
    })
}

fn io_error(error: &hyper::Error) -> Option<&io::Error> {
    chain(error).find_map(|error| error.downcast_ref::<io::Error>())
}

fn deepest(error: &hyper::Error) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}
