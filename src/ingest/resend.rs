//! Resend's webhooks: what became of an email. No address, no subject, no text of it is ever read.
//!
//! They are signed as Standard Webhooks says; [`super::standard_webhooks`] verifies. The id of an event is that of its
//! message, which is in the headers and not in the body. <https://resend.com/docs/dashboard/webhooks/introduction>

use super::webhook::{self, Read, is_id, is_word};
use super::{About, Malformed};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: Option<String>,
    created_at: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// An email, as far as it is read.
#[derive(Deserialize)]
struct Email {
    email_id: Option<String>,
    bounce: Option<Bounce>,
    failed: Option<Failed>,
}

#[derive(Deserialize)]
struct Bounce {
    /// `Permanent`, `Transient` or `Undetermined`.
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Failed {
    /// `reached_daily_quota`; an open list.
    reason: Option<String>,
}

/// Reads a body that was verified; `id` is that of the message, as the signature has it. Types are an open list: what
/// tells of contacts, domains or emails that came in is a letter about nothing.
pub fn read(id: &str, body: &[u8]) -> Result<Read, Malformed> {
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(|error| webhook::misshapen(&error))?;
    let mut letter = Read::envelope(Some(id.to_owned()), envelope.created_at, envelope.kind)?;
    // An email that came in is no email of the shop's.
    let state = letter.kind.strip_prefix("email.").filter(|state| *state != "received");
    let Some(state) = state else { return Ok(Read { letter, unreadable: None }) };
    let about = email(&letter.kind, envelope.data).map(|(id, reason)| About {
        thing: "email",
        id,
        version: letter.at.as_microsecond(),
        state: state.to_ascii_lowercase(),
        reason,
        amount: None,
        currency: None,
    });
    let (about, unreadable) = match about {
        Ok(about) => (Some(about), None),
        Err(why) => (None, Some(why)),
    };
    letter.about = about;
    Ok(Read { letter, unreadable })
}

/// Its id, and why it was not delivered.
fn email(kind: &str, data: Option<&RawValue>) -> Result<(String, Option<String>), String> {
    let data = data.ok_or_else(|| format!("a `{kind}` without `data`"))?;
    let email: Email = serde_json::from_str(data.get())
        .map_err(|_| format!("the `data` of a `{kind}` has another shape than Resend documents"))?;
    let id = email.email_id.filter(|id| is_id(id));
    let id = id.ok_or_else(|| format!("the email of a `{kind}` has no readable `email_id`"))?;
    let reason = match kind {
        "email.bounced" => email.bounce.and_then(|bounce| bounce.kind),
        "email.failed" => email.failed.and_then(|failed| failed.reason),
        _ => None,
    };
    Ok((id, reason.filter(|reason| is_word(reason))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W";
    const EMAIL: &str = "56761188-7520-42d8-8898-ff6fc54ce618";

    fn body(kind: &str, more: &str) -> String {
        format!(
            r#"{{"type":"{kind}","created_at":"2026-02-22T23:41:12.126Z","data":{{"email_id":"{EMAIL}","created_at":"2026-02-22T23:41:11.894Z","from":"Acme <onboarding@resend.dev>","to":["ann@customer.example"],"subject":"Order 1001","tags":{{"category":"order"}}{more}}}}}"#
        )
    }

    fn check(kind: &str, more: &str, expected: Option<(&str, Option<&str>)>) {
        let read = read(ID, body(kind, more).as_bytes()).expect("a letter");
        assert!(read.unreadable.is_none(), "{kind}: {read:?}");
        assert_eq!((read.letter.id.as_str(), read.letter.kind.as_str()), (ID, kind));
        let about = read.letter.about.as_ref();
        assert_eq!(about.map(|about| (about.state.as_str(), about.reason.as_deref())), expected);
        if let Some(about) = about {
            assert_eq!(
                (about.thing, about.id.as_str(), about.version),
                ("email", EMAIL, 1_771_803_672_126_000)
            );
        }
        let kept = format!("{read:?}");
        for secret in ["customer", "Acme", "1001", "resend.dev", "mailbox"] {
            assert!(!kept.contains(secret), "{kept}");
        }
    }

    #[test]
    fn what_became_of_an_email() {
        check("email.sent", "", Some(("sent", None)));
        check(
            "email.delivered",
            r#","message_id":"<111@email.customer.example>""#,
            Some(("delivered", None)),
        );
        check("email.delivery_delayed", "", Some(("delivery_delayed", None)));
        check(
            "email.bounced",
            r#","bounce":{"type":"Permanent","subType":"General","message":"no mailbox","diagnosticCode":["smtp; 550 mailbox ann@customer.example"]}"#,
            Some(("bounced", Some("Permanent"))),
        );
        check(
            "email.failed",
            r#","failed":{"reason":"reached_daily_quota"}"#,
            Some(("failed", Some("reached_daily_quota"))),
        );
        check(
            "email.failed",
            r#","failed":{"reason":"no mailbox ann@customer.example"}"#,
            Some(("failed", None)),
        );
        check("email.complained", "", Some(("complained", None)));
        check(
            "email.suppressed",
            r#","suppressed":{"type":"OnAccountSuppressionList"}"#,
            Some(("suppressed", None)),
        );
        check(
            "email.clicked",
            r#","click":{"ipAddress":"192.0.2.1","link":"https://customer.example"}"#,
            Some(("clicked", None)),
        );
        check("email.made_up", "", Some(("made_up", None)));
    }

    #[test]
    fn what_is_not_about_the_shops_emails_is_about_nothing() {
        check("email.received", "", None);
        check("contact.created", "", None);
        check("domain.updated", "", None);
    }

    #[test]
    fn an_email_that_can_not_be_told_is_a_letter_that_lies_aside() {
        let check = |data: &str, expected: &str| {
            let body = format!(r#"{{"type":"email.bounced","created_at":"2026-02-22T23:41:12Z"{data}}}"#);
            let read = read(ID, body.as_bytes()).expect("a letter");
            assert_eq!((read.letter.about, read.unreadable.as_deref()), (None, Some(expected)), "{data}");
        };
        check("", "a `email.bounced` without `data`");
        check(r#","data":{"to":"x"}"#, "the email of a `email.bounced` has no readable `email_id`");
        check(
            r#","data":{"email_id":"ann@customer.example"}"#,
            "the email of a `email.bounced` has no readable `email_id`",
        );
        check(
            r#","data":{"email_id":7}"#,
            "the `data` of a `email.bounced` has another shape than Resend documents",
        );
        check(r#","data":[]"#, "the `data` of a `email.bounced` has another shape than Resend documents");
    }

    #[test]
    fn what_is_no_event_is_refused_without_quoting_it() {
        let check = |id: &str, body: &str, expected: &str| {
            assert_eq!(read(id, body.as_bytes()), Err(Malformed(expected.to_owned())), "{body}");
        };
        check(ID, "", "the JSON breaks off at line 1 column 0");
        check(ID, "ann@customer.example", "no JSON at line 1 column 1");
        check(
            ID,
            r#"{"type":["ann@customer.example"]}"#,
            "the JSON is of another shape than the vendor's at line 1 column 8",
        );
        check(ID, r#"{"created_at":"2026-02-22T23:41:12Z"}"#, "`type` of the event is missing, or is none");
        check(ID, r#"{"type":"email.sent"}"#, "`created_at` of the event is missing, or is none");
        check("ann@customer.example", &body("email.sent", ""), "the id of the event is missing, or is none");
    }
}
