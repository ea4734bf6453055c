//! Square's webhooks: who signed one, and what it says about a payment, a refund, a dispute or an order.
//!
//! Signed is the address that the subscription has, byte for byte, and then the raw body; there is no time in it, so that
//! what was overheard can be sent again for ever and only the event's id tells. Letters come twice and in any order.
//! <https://developer.squareup.com/docs/webhooks/step3validate>

use super::webhook::{self, Read, is_id, is_word};
use super::{About, Malformed};
use crate::probe::square::answer::{ApiError, Money};
use crate::probe::square::reason;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::Sha256;
use std::collections::HashMap;
use std::sync::Arc;

/// The header with the signature.
pub const SIGNATURE: &str = "x-square-hmacsha256-signature";

/// The name of the key that signed it, as of `SQUARE_WEBHOOK_SECRET` and `SQUARE_WEBHOOK_SECRET_SANDBOX`. Each is tried,
/// whatever the others said, and compared in constant time. A key is the text as Square shows it, and no base64.
///
/// `url` is the address in the subscription, byte for byte: behind a proxy not what the request says.
pub fn verify<'k>(
    keys: &'k [(Arc<str>, SecretString)],
    url: &str,
    body: &[u8],
    signature: &str,
) -> Option<&'k str> {
    let signature = STANDARD.decode(signature).ok()?;
    let mut found = None;
    // What everybody can sign with is no key.
    for (name, key) in keys.iter().filter(|(_, key)| !key.expose_secret().is_empty()) {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes())
            .expect("HMAC takes keys of any length");
        mac.update(url.as_bytes());
        mac.update(body);
        let fits = mac.verify_slice(&signature).is_ok();
        found = found.or(fits.then_some(&**name));
    }
    found
}

/// What is read of the body. Everything else in it is skipped.
#[derive(Deserialize)]
struct Envelope<'a> {
    event_id: Option<String>,
    created_at: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    object: HashMap<String, &'a RawValue>,
}

/// A payment, refund, dispute or order, as far as any of them is read.
#[derive(Default, Deserialize)]
struct Thing {
    id: Option<String>,
    order_id: Option<String>,
    status: Option<String>,
    state: Option<String>,
    updated_at: Option<String>,
    version: Option<i64>,
    amount_money: Option<Money>,
    total_money: Option<Money>,
    card_details: Option<Details>,
    bank_account_details: Option<Details>,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Details {
    errors: Option<Vec<ApiError>>,
}

/// Reads a body that was verified. Types are an open list: what is none of the shop's trade is a letter about nothing.
pub fn read(body: &[u8]) -> Result<Read, Malformed> {
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(|error| webhook::misshapen(&error))?;
    let mut letter = Read::envelope(envelope.event_id, envelope.created_at, envelope.kind)?;
    let unreadable = match about(&letter.kind, envelope.data) {
        Ok(about) => {
            letter.about = about;
            None
        }
        Err(why) => Some(why),
    };
    Ok(Read { letter, unreadable })
}

fn about(kind: &str, data: Option<&RawValue>) -> Result<Option<About>, String> {
    let thing = match kind {
        "payment.created" | "payment.updated" => "payment",
        "refund.created" | "refund.updated" => "refund",
        "dispute.created"
        | "dispute.state.changed"
        | "dispute.state.updated"
        | "dispute.evidence.added"
        | "dispute.evidence.created"
        | "dispute.evidence.deleted"
        | "dispute.evidence.removed" => "dispute",
        "order.created" | "order.updated" | "order.fulfillment.updated" => "order",
        _ => return Ok(None),
    };
    // What an order's event holds is called after the event.
    let key = if thing == "order" { kind.replace('.', "_") } else { thing.to_owned() };
    let data = data.ok_or_else(|| format!("a `{kind}` without `data`"))?;
    let data: Data<'_> =
        serde_json::from_str(data.get()).map_err(|_| format!("the `data.object` of a `{kind}` is none"))?;
    let inner = data.object.get(&key).ok_or_else(|| format!("a `{kind}` without `data.object.{key}`"))?;
    let inner: Thing = serde_json::from_str(inner.get()).map_err(|_| {
        format!("the `data.object.{key}` of a `{kind}` has another shape than Square documents")
    })?;
    inner
        .about(thing)
        .map(Some)
        .map_err(|missing| format!("the {thing} of a `{kind}` has no readable {missing}"))
}

impl Thing {
    /// The inner id and never `data.id`, which in Square's own examples is another's. What is missing otherwise.
    fn about(self, thing: &'static str) -> Result<About, &'static str> {
        let errors = self.card_details.iter().chain(&self.bank_account_details);
        let errors = errors.flat_map(|details| details.errors.iter().flatten());
        let reason = match thing {
            "payment" => reason::kept(errors).map(str::to_owned),
            // A refund's reason is what somebody of the shop typed.
            "dispute" => self.reason.filter(|reason| is_word(reason)),
            _ => None,
        };
        let (id, state) = match thing {
            "order" => (self.order_id, self.state),
            "dispute" => (self.id, self.state),
            _ => (self.id, self.status),
        };
        let version = match thing {
            // Square counts the changes of these; of the others it tells the time, to the millisecond.
            "order" | "dispute" => self.version,
            _ => self.updated_at.as_deref().and_then(webhook::moment).map(Timestamp::as_microsecond),
        };
        let money = self.total_money.or(self.amount_money).unwrap_or_default();
        let is_code = |code: &String| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        Ok(About {
            thing,
            id: id.filter(|id| is_id(id)).ok_or("id")?,
            version: version.ok_or("version")?,
            state: state.filter(|state| is_word(state)).ok_or("state")?.to_ascii_lowercase(),
            reason,
            amount: money.amount,
            currency: money.currency.filter(is_code),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(texts: &[&str]) -> Vec<(Arc<str>, SecretString)> {
        texts.iter().map(|text| (Arc::from(format!("key {text}")), SecretString::from(*text))).collect()
    }

    /// Key, address, body and signature, of Square's own SDKs and documentation.
    const VECTORS: [[&str; 4]; 4] = [
        [
            "Ibxx_5AKakO-3qeNVR61Dw",
            "https://webhook.site/679a4f3a-dcfa-49ee-bac5-9d0edad886b9",
            r#"{"merchant_id":"MLEFBHHSJGVHD","type":"webhooks.test_notification","event_id":"ac3ac95b-f97d-458c-a6e6-18981597e05f","created_at":"2022-07-13T20:30:59.037339943Z","data":{"type":"webhooks","id":"bc368e64-01aa-407e-b46e-3231809b1129"}}"#,
            "GF4YkrJgGBDZ9NIYbNXBnMzqb2HoL4RW/S6vkZ9/2N4=",
        ],
        [
            "signature-key",
            "https://webhook.site/webhooks",
            r#"{"data":{"type":"webhooks","id":"fake_id"}}"#,
            "W3FlCNk5IA3ZQ2LHTWoajvzfaDu/OwY2tNHIHC3IUOA=",
        ],
        [
            "signature-key",
            "https://webhook.site/webhooks",
            r#"{"data":{"type":"webhooks","id":">id<"}}"#,
            "Cxt7+aTi4rKgcA0bC4g9EHdVtLSDWdqccmL5MvihU4U=",
        ],
        [
            "asdf1234",
            "https://example.com/webhook",
            r#"{"hello":"world"}"#,
            "2kRE5qRU2tR+tBGlDwMEw2avJ7QM4ikPYD/PJ3bd9Og=",
        ],
    ];

    #[test]
    fn signatures_are_those_of_square() {
        for [key, url, body, signature] in VECTORS {
            let body = body.as_bytes();
            let check = |known: &[&str], url: &str, body: &[u8], signature: &str, fits: bool| {
                let expected = fits.then(|| format!("key {key}"));
                assert_eq!(verify(&keys(known), url, body, signature), expected.as_deref());
            };
            check(&[key], url, body, signature, true);
            check(&["other", key, ""], url, body, signature, true);
            check(&["other"], url, body, signature, false);
            check(&[], url, body, signature, false);
            check(&[key], &format!("{url}/"), body, signature, false);
            check(&[key], url, &[body, b" "].concat(), signature, false);
            for wrong in
                ["", "=", "AAAA", &signature[..40], &signature.to_lowercase(), &format!("{signature} ")]
            {
                check(&[key], url, body, wrong, false);
            }
        }
    }

    #[test]
    fn an_empty_key_lets_nobody_in() {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"").expect("a key");
        mac.update(b"https://shop.example{}");
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        assert_eq!(verify(&keys(&[""]), "https://shop.example", b"{}", &signature), None);
    }

    /// A body with these last words for what it is about.
    fn event(kind: &str, key: &str, inner: &str) -> String {
        format!(
            r#"{{"merchant_id":"M","type":"{kind}","event_id":"e-1","created_at":"2026-03-04T12:00:00Z","data":{{"type":"x","id":"another","object":{{"{key}":{inner}}}}}}}"#
        )
    }

    fn check(body: &str, expected: &str) {
        let read = read(body.as_bytes()).expect("a letter");
        let told = read.letter.about.map(|about| {
            let money =
                about.amount.zip(about.currency).map(|(amount, currency)| format!(" {amount} {currency}"));
            let reason = about.reason.map(|reason| format!(" {reason}"));
            let (money, reason) = (money.unwrap_or_default(), reason.unwrap_or_default());
            format!("{} {} {} {}{money}{reason}", about.thing, about.id, about.version, about.state)
        });
        assert_eq!(told.or(read.unreadable).unwrap_or_default(), expected, "{body}");
    }

    #[test]
    fn squares_own_examples() {
        // As in Square's specification, without what is not read.
        let payment = |status: &str, at: &str| {
            format!(
                r#"{{"amount_money":{{"amount":100,"currency":"USD"}},"card_details":{{"card":{{"bin":"540988","last_4":"9029"}},"status":"AUTHORIZED"}},"created_at":"2020-11-22T21:16:51.086Z","id":"hYy9pRFVxpDsO1FB05SunFWUe9JZY","order_id":"03O3USaPaAaFnI6kkwB1JxGgBsUZY","receipt_url":"https://squareup.com/receipt/preview/x","status":"{status}","total_money":{{"amount":120,"currency":"USD"}},"updated_at":"{at}"}}"#
            )
        };
        let created = payment("APPROVED", "2020-11-22T21:16:51.198Z");
        check(
            &event("payment.created", "payment", &created),
            "payment hYy9pRFVxpDsO1FB05SunFWUe9JZY 1606079811198000 approved 120 USD",
        );
        let updated = payment("COMPLETED", "2020-11-22T21:19:00Z");
        check(
            &event("payment.updated", "payment", &updated),
            "payment hYy9pRFVxpDsO1FB05SunFWUe9JZY 1606079940000000 completed 120 USD",
        );
        let order = r#"{"created_at":"2020-04-16T23:14:26.129Z","order_id":"eA3vssLHKJrv9H0IdJCM3gNqfdcZY","state":"OPEN","version":2}"#;
        check(&event("order.updated", "order_updated", order), "order eA3vssLHKJrv9H0IdJCM3gNqfdcZY 2 open");
        check(
            &event("order.fulfillment.updated", "order_fulfillment_updated", order),
            "order eA3vssLHKJrv9H0IdJCM3gNqfdcZY 2 open",
        );
        let refund = r#"{"id":"KkAkhdMsgzn59SM8A89WgKwekxLZY_ptNBVqHYxt5gAdfcobBe4u1AZsXhoz06KTtuq9Ls24P","status":"PENDING","amount_money":{"amount":1000,"currency":"USD"},"reason":"Ann called","payment_id":"KkAkhdMsgzn59SM8A89WgKwekxLZY","updated_at":"2020-02-06T21:27:41.846Z","version":7}"#;
        check(
            &event("refund.created", "refund", refund),
            "refund KkAkhdMsgzn59SM8A89WgKwekxLZY_ptNBVqHYxt5gAdfcobBe4u1AZsXhoz06KTtuq9Ls24P 1581024461846000 pending 1000 USD",
        );
        let dispute = r#"{"id":"ORSEVtZAJxb37RA1EiGw","state":"EVIDENCE_REQUIRED","reason":"AMOUNT_DIFFERS","amount_money":{"amount":8801,"currency":"USD"},"card_brand":"VISA","due_at":"2020-03-04T00:00:00.000Z","version":1}"#;
        check(
            &event("dispute.created", "dispute", dispute),
            "dispute ORSEVtZAJxb37RA1EiGw 1 evidence_required 8801 USD AMOUNT_DIFFERS",
        );
    }

    #[test]
    fn why_a_payment_failed_is_the_deciding_code() {
        let failed = |details: &str| {
            let inner = format!(
                r#"{{"id":"p","status":"FAILED","updated_at":"1970-01-01T00:00:00.000001Z",{details}}}"#
            );
            event("payment.updated", "payment", &inner)
        };
        let errors = |codes: &str| failed(&format!(r#""card_details":{{"errors":[{codes}]}}"#));
        let declined = r#"{"category":"PAYMENT_METHOD_ERROR","code":"CVV_FAILURE","detail":"of Ann"}"#;
        let ours = r#"{"category":"INVALID_REQUEST_ERROR","code":"INVALID_LOCATION"}"#;
        check(&errors(declined), "payment p 1 failed CVV_FAILURE");
        check(&errors(&format!("{declined},{ours}")), "payment p 1 failed INVALID_LOCATION");
        check(
            &errors(r#"{"category":"PAYMENT_METHOD_ERROR","code":"ANN"}"#),
            "payment p 1 failed PAYMENT_METHOD_ERROR",
        );
        check(&errors(r#"{"category":"API_ERROR","code":"ANN"}"#), "payment p 1 failed OTHER");
        check(&errors(""), "payment p 1 failed");
        check(
            &failed(r#""bank_account_details":{"errors":[{"code":"INSUFFICIENT_FUNDS"}]}"#),
            "payment p 1 failed INSUFFICIENT_FUNDS",
        );
    }

    #[test]
    fn other_events_are_letters_about_nothing() {
        check(VECTORS[0][2], "");
        for kind in [
            "catalog.version.updated",
            "oauth.authorization.revoked",
            "order.custom_attribute.owned.updated",
            "made.up",
        ] {
            check(&event(kind, "payment", "7"), "");
        }
    }

    #[test]
    fn what_can_not_be_told_is_a_letter_that_lies_aside() {
        let payment = |inner: &str| event("payment.updated", "payment", inner);
        let shape =
            "the `data.object.payment` of a `payment.updated` has another shape than Square documents";
        check(&payment("7"), shape);
        check(&payment(r#"{"id":{}}"#), shape);
        check(&payment("{}"), "the payment of a `payment.updated` has no readable id");
        check(
            &payment(r#"{"id":"ann@customer.example"}"#),
            "the payment of a `payment.updated` has no readable id",
        );
        check(
            &payment(r#"{"id":"p","status":"FAILED","updated_at":"soon"}"#),
            "the payment of a `payment.updated` has no readable version",
        );
        check(
            &payment(r#"{"id":"p","updated_at":"2026-03-04T12:00:00Z"}"#),
            "the payment of a `payment.updated` has no readable state",
        );
        check(
            &payment(r#"{"id":"p","status":"of Ann","updated_at":"2026-03-04T12:00:00Z"}"#),
            "the payment of a `payment.updated` has no readable state",
        );
        check(&event("payment.updated", "refund", "{}"), "a `payment.updated` without `data.object.payment`");
        check(
            r#"{"type":"refund.created","event_id":"e","created_at":"2026-03-04T12:00:00Z"}"#,
            "a `refund.created` without `data`",
        );
        check(
            r#"{"type":"refund.created","event_id":"e","created_at":"2026-03-04T12:00:00Z","data":{"object":3}}"#,
            "the `data.object` of a `refund.created` is none",
        );
    }

    #[test]
    fn what_is_skipped_may_be_of_any_depth() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        check(&event("made.up", "payment", &deep), "");
        let payment =
            format!(r#"{{"id":"p","status":"PENDING","updated_at":"1970-01-01T00:00:01Z","note":{deep}}}"#);
        check(&event("payment.updated", "payment", &payment), "payment p 1000000 pending");
    }

    #[test]
    fn times_have_no_to_nine_digits_of_a_second() {
        for (text, expected) in [
            ("2020-08-14T15:51:04Z", "2020-08-14T15:51:04Z"),
            ("2020-08-14T15:51:04.246373287Z", "2020-08-14T15:51:04.246373287Z"),
        ] {
            let body = format!(r#"{{"type":"made.up","event_id":"e","created_at":"{text}"}}"#);
            assert_eq!(read(body.as_bytes()).expect("a letter").letter.at.to_string(), expected);
        }
    }

    #[test]
    fn what_is_no_event_is_refused_without_quoting_it() {
        let check = |body: &str, expected: &str| {
            assert_eq!(read(body.as_bytes()), Err(Malformed(expected.to_owned())), "{body}");
        };
        check("[]", "the JSON is of another shape than the vendor's at line 1 column 2");
        check("", "the JSON breaks off at line 1 column 0");
        check(
            r#"{"type":"ann@customer.example","event_id":"e","created_at":"2026-03-04T12:00:00Z"}"#,
            "`type` of the event is missing, or is none",
        );
        check(
            r#"{"type":"made.up","created_at":"2026-03-04T12:00:00Z"}"#,
            "the id of the event is missing, or is none",
        );
        check(
            r#"{"type":"made.up","event_id":"e","created_at":"yesterday"}"#,
            "`created_at` of the event is missing, or is none",
        );
    }
}
