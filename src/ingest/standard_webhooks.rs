//! Signatures as Standard Webhooks (and Svix, whose they were first) say: who takes them in and who sends them out share
//! one key and one text that is signed.
//!
//! `v1,` and base64 of HMAC-SHA256 over `ID.TIMESTAMP.BODY`; the secret is `whsec_` and base64 of the key.
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;
use std::fmt;
use std::sync::Arc;

/// Older, or more ahead of our clock, and it is refused: what was overheard is worth nothing after five minutes.
pub const TOLERANCE_SECONDS: u64 = 300;

/// An id is kept to know the same message again, so its length has a bound. Svix's have some thirty characters.
const ID_CHARS_MAX: usize = 128;
/// More signatures than a change of keys explains are not looked at, since each costs the same work as a body.
const SIGNATURES_MAX: usize = 16;

/// A key, read from its secret.
#[derive(Debug)]
pub struct Key(SecretBox<[u8]>);

impl Key {
    /// `None` where the text is no `whsec_` and base64 of at least one byte; the prefix may be missing.
    pub fn new(secret: &str) -> Option<Key> {
        let secret = secret.trim();
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret)).ok()?;
        (!key.is_empty()).then(|| Key(SecretBox::new(key.into_boxed_slice())))
    }

    /// How many bytes the key has. The specification wants 24 to 64 of who makes one; Svix's older ones have 18.
    pub fn bytes(&self) -> usize {
        self.0.expose_secret().len()
    }

    /// What to send as the signature.
    pub fn sign(&self, id: &str, seconds: &str, body: &[u8]) -> String {
        format!("v1,{}", STANDARD.encode(self.mac(id, seconds, body).finalize().into_bytes()))
    }

    /// In constant time.
    fn fits(&self, signed: &Signed<'_>, body: &[u8], signature: &[u8]) -> bool {
        self.mac(signed.id, signed.timestamp, body).verify_slice(signature).is_ok()
    }

    fn mac(&self, id: &str, seconds: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.0.expose_secret()).expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        mac
    }
}

/// The three headers, as they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed<'a> {
    /// The same for every delivery of one message: what duplicates are known by.
    pub id: &'a str,
    /// Seconds since 1970.
    pub timestamp: &'a str,
    /// One or more of `VERSION,BASE64`, with spaces between.
    pub signatures: &'a str,
}

impl<'a> Signed<'a> {
    /// From headers by their lower-case names: all three of `svix-…`, else all three of `webhook-…`.
    pub fn of(header: impl Fn(&str) -> Option<&'a str>) -> Option<Signed<'a>> {
        let named = |id, timestamp, signatures| {
            Some(Signed { id: header(id)?, timestamp: header(timestamp)?, signatures: header(signatures)? })
        };
        named("svix-id", "svix-timestamp", "svix-signature")
            .or_else(|| named("webhook-id", "webhook-timestamp", "webhook-signature"))
    }
}

/// Why a message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The id or the time is none.
    Malformed,
    /// No signature is of any of the keys.
    Forged,
    /// Rightly signed, and too long ago or too far ahead: sent again by somebody, or a clock is wrong.
    WrongTime,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::Malformed => "the id or the timestamp of the signature is none",
            Refused::Forged => "the signature is of none of the keys",
            Refused::WrongTime => "signed more than five minutes before or after now",
        })
    }
}

/// The name of the key that signed it. Every key and every signature is tried, whatever the others said, so that how
/// long it takes tells nothing.
pub fn verify<'k>(
    keys: &'k [(Arc<str>, Key)],
    signed: &Signed<'_>,
    body: &[u8],
    now: Timestamp,
) -> Result<&'k str, Refused> {
    // A full stop divides what is signed, so an id with one could be read in two ways.
    let is_id = (1..=ID_CHARS_MAX).contains(&signed.id.len())
        && signed.id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.');
    let is_time = !signed.timestamp.is_empty() && signed.timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let at: i64 = signed.timestamp.parse().ok().filter(|_| is_time && is_id).ok_or(Refused::Malformed)?;
    let given = signed.signatures.split(' ').filter_map(|one| one.strip_prefix("v1,"));
    let mut found = None;
    for signature in given.take(SIGNATURES_MAX).filter_map(|text| STANDARD.decode(text).ok()) {
        for (name, key) in keys {
            let fits = key.fits(signed, body, &signature);
            found = found.or(fits.then_some(&**name));
        }
    }
    let name = found.ok_or(Refused::Forged)?;
    if now.as_second().abs_diff(at) > TOLERANCE_SECONDS { Err(Refused::WrongTime) } else { Ok(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELIVERED: &str = concat!(
        r#"{"type":"email.delivered","created_at":"2026-02-22T23:41:12.126Z","data":{"created_at":"#,
        r#""2026-02-22T23:41:11.894Z","email_id":"56761188-7520-42d8-8898-ff6fc54ce618","message_id":"#,
        r#""<111-222-333@email.example.com>","from":"Acme <onboarding@resend.dev>","to":["#,
        r#""delivered@resend.dev"],"subject":"Synthetic probe","tags":{"category":"synthetic"}}}"#
    );

    /// Secret, id, time, body and signature, as Svix's libraries make them.
    const VECTORS: [[&str; 5]; 3] = [
        [
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            "1649367553",
            r#"{"email":"test@example.com","username":"test_user"}"#,
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ],
        [
            "whsec_plJ3nmyCDGBKInavdOK15jsl",
            "msg_loFOjxBNrRLzqYUf",
            "1731705121",
            r#"{"event_type":"ping","data":{"success":true}}"#,
            "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
        ],
        [
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
            "1767225600",
            DELIVERED,
            "v1,2cbQIP5VPxnh2LHXxdaMwGz+wsyECZfUqIPsTxCYjOA=",
        ],
    ];

    fn keys() -> Vec<(Arc<str>, Key)> {
        let key = |at: usize| Key::new(VECTORS[at][0]).expect("a secret");
        vec![("first".into(), key(0)), ("second".into(), key(1)), ("third".into(), key(2))]
    }

    fn verified(signed: [&str; 3], body: &str, seconds_later: i64) -> Result<String, Refused> {
        let [id, timestamp, signatures] = signed;
        let at: i64 = timestamp.parse().unwrap_or_default();
        let now = Timestamp::from_second(at + seconds_later).expect("a moment");
        verify(&keys(), &Signed { id, timestamp, signatures }, body.as_bytes(), now).map(str::to_owned)
    }

    #[test]
    fn signatures_are_those_of_the_libraries() {
        for ([secret, id, seconds, body, expected], name) in
            VECTORS.into_iter().zip(["first", "second", "third"])
        {
            let key = Key::new(secret).expect("a secret");
            assert_eq!(key.sign(id, seconds, body.as_bytes()), expected);
            assert_eq!(verified([id, seconds, expected], body, 0), Ok(name.to_owned()));
        }
    }

    #[test]
    fn one_of_several_signatures_is_enough() {
        let [_, id, seconds, body, right] = VECTORS[0];
        let (wrong, other) = (
            VECTORS[1][4],
            "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
        );
        for (signatures, expected) in [
            (format!("{wrong} {other} {right}"), Ok("first".to_owned())),
            (format!("{right} {wrong}"), Ok("first".to_owned())),
            (format!("{wrong} {other}"), Err(Refused::Forged)),
            (right.replace("v1,", "v2,"), Err(Refused::Forged)),
            (right.replace("v1,", ""), Err(Refused::Forged)),
            (right[..right.len() - 4].to_owned(), Err(Refused::Forged)),
            ("v1,".to_owned(), Err(Refused::Forged)),
            (String::new(), Err(Refused::Forged)),
            (format!("{}{right}", "v1,AAAA ".repeat(SIGNATURES_MAX)), Err(Refused::Forged)),
        ] {
            assert_eq!(verified([id, seconds, &signatures], body, 0), expected, "{signatures}");
        }
    }

    #[test]
    fn what_was_changed_is_forged() {
        let [_, id, seconds, body, right] = VECTORS[0];
        assert_eq!(verified([id, seconds, right], &body.replace('t', "T"), 0), Err(Refused::Forged));
        assert_eq!(verified(["msg_other", seconds, right], body, 0), Err(Refused::Forged));
        assert_eq!(verified([id, "1649367554", right], body, 0), Err(Refused::Forged));
    }

    #[test]
    fn five_minutes_are_borne_and_no_more() {
        let [_, id, seconds, body, right] = VECTORS[0];
        for (later, expected) in [
            (300, true),
            (-300, true),
            (301, false),
            (-301, false),
            (86_400, false),
            (i64::from(i32::MAX), false),
        ] {
            let found = verified([id, seconds, right], body, later);
            assert_eq!(found, if expected { Ok("first".to_owned()) } else { Err(Refused::WrongTime) });
        }
    }

    #[test]
    fn ids_and_times_have_a_shape() {
        let [_, id, seconds, body, right] = VECTORS[0];
        let long = "x".repeat(ID_CHARS_MAX + 1);
        for (id, seconds) in [
            ("", seconds),
            ("msg.1", seconds),
            ("msg 1", seconds),
            (long.as_str(), seconds),
            (id, ""),
            (id, "-1649367553"),
            (id, "+1649367553"),
            (id, "1649367553.0"),
            (id, "99999999999999999999"),
        ] {
            assert_eq!(verified([id, seconds, right], body, 0), Err(Refused::Malformed), "{id} {seconds}");
        }
    }

    #[test]
    fn headers_have_two_names_that_are_not_mixed() {
        let headers = |wanted: &'static [&'static str]| {
            Signed::of(move |name| wanted.contains(&name).then_some("x")).is_some()
        };
        assert!(headers(&["svix-id", "svix-timestamp", "svix-signature"]));
        assert!(headers(&["webhook-id", "webhook-timestamp", "webhook-signature"]));
        assert!(!headers(&["svix-id", "svix-timestamp", "webhook-signature"]));
        assert!(!headers(&[]));
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        for wrong in ["", "whsec_", "hunter2", "whsec_!"] {
            assert!(Key::new(wrong).is_none(), "{wrong}");
        }
        assert_eq!(Key::new(" C2FVsBQIhrscChlQIMV+b5sSYspob7oD\n").map(|key| key.bytes()), Some(24));
    }
}
