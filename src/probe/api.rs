//! Calling a vendor's HTTP API: bodies read to a bound, JSON, whose fault it was, and waiting when told to.
//!
//! A vendor's answers are quoted in reasons, so [`quote`] takes out what must not be shown. The address of a
//! request is never shown whole, since it may hold a token.

use super::Context;
use super::net::connect::is_own_trouble;
use crate::clock::{self, Steady};
use crate::outcome::{Class, Fault, Outcome, Status};
use crate::plain;
use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use std::error::Error;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A hundred payments with all their details take a tenth of this.
pub const BODY_BYTES_MAX: usize = 4 << 20;

/// A vendor that asks for more is asked again after this, so that a broken header can't end a check for good.
const WAIT_MAX: Duration = Duration::from_hours(24);

/// How much of a vendor's own words a reason holds.
const QUOTE_CHARS_MAX: usize = 160;

/// An answer, whatever its status.
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Sends a request and reads the answer. `vendor` names the other side in reasons: `Resend`.
///
/// Phases: `first_byte` (with connecting, where no connection was kept) and `body`. The deadline is the run's.
pub async fn call(cx: &Context, vendor: &str, request: RequestBuilder) -> Result<Reply, Fault> {
    cx.phase("first_byte");
    let response = request.send().await.map_err(|error| transport_fault(vendor, &error))?;
    cx.phase("body");
    let (status, headers) = (response.status(), response.headers().clone());
    let body = read(vendor, response).await?;
    cx.phase_end();
    Ok(Reply { status, headers, body })
}

async fn read(vendor: &str, mut response: reqwest::Response) -> Result<Bytes, Fault> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| transport_fault(vendor, &error))? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            let text = format!("the answer of {vendor} is longer than {BODY_BYTES_MAX} bytes");
            return Err(Fault::failed(Class::Protocol, text));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

impl Reply {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A header that holds a number.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.header(name)?.trim().parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// How long the vendor wants to be left alone, bounded to a day.
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        retry_after(self.headers.get(RETRY_AFTER)?.to_str().ok()?, now)
    }

    /// The body as JSON of a known shape. What is wrong with it is said without quoting any of it.
    pub fn json<T: DeserializeOwned>(&self, vendor: &str) -> Result<T, Fault> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let what = match error.classify() {
                _ if self.body.is_empty() => "nothing".to_owned(),
                serde_json::error::Category::Data => "JSON of another shape".to_owned(),
                _ => self.kind_of_body(),
            };
            let status = self.status.as_u16();
            Fault::failed(
                Class::Protocol,
                format!("{vendor} answered {status} with {what} where JSON is due"),
            )
        })
    }

    /// The fault in an answer that is no success and that the vendor's own words don't explain.
    pub fn status_fault(&self, vendor: &str) -> Fault {
        let status = self.status;
        let text = match status.as_u16() {
            300..=399 => format!(
                "{vendor} answered {status} and points to {}; check the address",
                self.target().as_deref().unwrap_or("nowhere")
            ),
            500..=599 => format!("{vendor} answered {status}: the trouble is on its side"),
            _ => format!("{vendor} answered {status} with {}", self.kind_of_body()),
        };
        let class = match status.as_u16() {
            401 | 403 => Class::Auth,
            429 => Class::Quota,
            _ => Class::Protocol,
        };
        Fault::failed(class, text)
    }

    /// The host that a redirect points to.
    fn target(&self) -> Option<String> {
        let location = self.headers.get(LOCATION)?.to_str().ok()?;
        Some(url::Url::parse(location).ok()?.host_str()?.to_owned())
    }

    fn kind_of_body(&self) -> String {
        let kind = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        match kind.split(';').next().unwrap_or("").trim() {
            _ if self.body.is_empty() => "nothing".to_owned(),
            "text/html" => "an HTML page".to_owned(),
            "" => format!("{} bytes of no stated type", self.body.len()),
            kind => format!("{} bytes of `{}`", self.body.len(), plain::line(kind, 40)),
        }
    }
}

/// `Retry-After`: seconds or an HTTP date. A date that has passed asks for no wait.
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let wait = if let Ok(seconds) = value.parse() {
        Duration::try_from_secs_f64(seconds).ok()?
    } else {
        let at = DateTimeParser::new().parse_timestamp(value).ok()?;
        Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
    };
    Some(wait.min(WAIT_MAX))
}

/// A vendor's own words, fit to be shown: one bounded line, without the secret, without addresses of people
/// and without numbers as long as those of cards and telephones.
pub fn quote(words: &str, secret: &SecretString) -> String {
    let words = plain::redact(words, [("<secret>", secret.expose_secret())]);
    let shown = |word: &str| if word.contains('@') { "<address>".to_owned() } else { word.to_owned() };
    let words: Vec<_> = words.split_whitespace().map(shown).collect();
    plain::line(&without_long_numbers(&words.join(" ")), QUOTE_CHARS_MAX)
}

/// From this many digits on a number may be a telephone's.
const DIGITS_MAX: usize = 8;
/// From this many on one that is written in groups may be a card's; a date and a time in one have fewer.
const GROUPED_DIGITS_MAX: usize = 11;

fn without_long_numbers(words: &str) -> String {
    let mut shown = String::new();
    let mut rest = words;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        shown.push_str(&rest[..at]);
        let begin = &rest[at..];
        let end = begin.find(|c: char| !c.is_ascii_digit() && !" -".contains(c)).unwrap_or(begin.len());
        let number = begin[..end].trim_end_matches([' ', '-']);
        let digits = number.bytes().filter(u8::is_ascii_digit).count();
        let max = if digits == number.len() { DIGITS_MAX } else { GROUPED_DIGITS_MAX };
        shown.push_str(if digits > max { "<number>" } else { number });
        rest = &begin[number.len()..];
    }
    shown + rest
}

/// A word of a vendor's own (a code, a status, an id), fit to be shown: lists of such words are open, and what
/// does not look like one might be anything.
pub fn word(text: Option<&str>) -> &str {
    match text {
        None | Some("") => "(none)",
        Some(text) => Some(text).filter(|text| is_word(text)).unwrap_or("(unreadable)"),
    }
}

/// Whether a text from outside looks like a word that a program made up, and not like anybody's data.
pub fn is_word(text: &str) -> bool {
    const BYTES_MAX: usize = 64;
    text.len() <= BYTES_MAX
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-:.".contains(&b))
        && !holds_long_number(text)
        && !text.split(|c: char| !c.is_ascii_digit()).any(|run| run.len() >= CARD_DIGITS_MIN)
}

/// The shortest number of a card: so many digits on end are one, whatever letter is put before them.
const CARD_DIGITS_MIN: usize = 13;

/// Whether groups of nothing but digits make up a number as long as a card's. Digits among letters are an id's.
fn holds_long_number(text: &str) -> bool {
    let mut digits = 0;
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|group| {
        let is_number = group.bytes().all(|b| b.is_ascii_digit());
        digits = if is_number { digits + group.len() } else { 0 };
        digits > GROUPED_DIGITS_MAX
    })
}

/// Takes the secret out of every text of an outcome, as a last resort: a vendor may repeat it in a place where
/// only words of its own are due.
pub fn redact(outcome: &mut Outcome, secret: &SecretString) {
    let faults = outcome.faults.iter_mut().map(|fault| &mut fault.text);
    for text in faults.chain(&mut outcome.notes).filter(|text| text.contains(secret.expose_secret())) {
        *text = plain::redact(text, [("<secret>", secret.expose_secret())]);
    }
}

/// Kept between the runs of a check: closed while the vendor wants to be left alone.
#[derive(Default)]
pub struct Gate {
    closed: Mutex<Option<(Steady, Fault)>>,
}

impl Gate {
    /// Whether the vendor may be called; otherwise why not.
    pub fn open(&self) -> Result<(), Fault> {
        self.open_at(clock::steady())
    }

    /// Nobody is called for `wait`. `fault` is what each run finds until then.
    pub fn close(&self, wait: Duration, fault: &Fault) {
        self.close_at(clock::steady(), wait, fault);
    }

    fn open_at(&self, now: Steady) -> Result<(), Fault> {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        match &*closed {
            Some((until, fault)) if now < *until => Err(still(fault, until.saturating_sub(now))),
            _ => {
                *closed = None;
                Ok(())
            }
        }
    }

    fn close_at(&self, now: Steady, wait: Duration, fault: &Fault) {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        *closed = (wait > Duration::ZERO).then(|| (now + wait, fault.clone()));
    }
}

/// A failure lasts until the time that the vendor gave for its end. Of anything less nobody knows, since
/// nobody looked.
fn still(fault: &Fault, left: Duration) -> Fault {
    let left = humantime::format_duration(Duration::from_secs(left.as_secs_f64().ceil() as u64));
    let text = format!("{} (not asked again for {left}, as it demands)", fault.text);
    let status = if fault.status == Status::Failed { Status::Failed } else { Status::Unknown };
    Fault { status, class: fault.class, text }
}

/// Whose fault it is that no answer came.
pub fn transport_fault(vendor: &str, error: &reqwest::Error) -> Fault {
    let host = error.url().and_then(|url| url.host_str()).unwrap_or("the given address");
    let causes = causes(error);
    let cause = plain::line(&causes.last().map(ToString::to_string).unwrap_or_default(), QUOTE_CHARS_MAX);
    let named = |start: &str| causes.iter().any(|cause| cause.to_string().starts_with(start));
    if causes.iter().filter_map(|cause| cause.downcast_ref()).any(is_own_trouble) {
        return Fault::internal(format!("can't open a connection to {vendor}: {cause}"));
    }
    let (class, text) = if causes.iter().any(|cause| cause.is::<rustls::Error>()) {
        (Class::Tls, format!("no TLS with {vendor} at {host}: {cause}"))
    } else if error.is_timeout() {
        (Class::Timeout, format!("no answer from {vendor} at {host} in time"))
    } else if named("dns error") {
        (Class::Dns, format!("can't resolve {host} of {vendor}: {cause}"))
    } else if error.is_connect() {
        (Class::Connect, format!("can't connect to {vendor} at {host}: {cause}"))
    } else if named("connection closed") || causes.iter().any(|cause| cause.is::<io::Error>()) {
        (Class::Connect, format!("{vendor} at {host} broke the connection off: {cause}"))
    } else {
        (Class::Protocol, format!("{vendor} at {host} answered what is no HTTP: {cause}"))
    };
    Fault::failed(class, text)
}

/// All that is behind an error, outermost first. What an I/O error wraps is no `source` of it.
fn causes(error: &reqwest::Error) -> Vec<&(dyn Error + 'static)> {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause);
        let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = wrapped.map(|inner| inner as &(dyn Error + 'static)).or_else(|| cause.source());
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: Option<u64>) {
        let now: Timestamp = "2026-11-22T19:00:00Z".parse().expect("a time");
        assert_eq!(retry_after(value, now).map(|wait| wait.as_secs()), expected, "{value}");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        check("0", Some(0));
        check(" 30 ", Some(30));
        check("1.5", Some(1));
        check("Sun, 22 Nov 2026 19:02:00 GMT", Some(120));
        check("Sun, 22 Nov 2026 18:00:00 GMT", Some(0));
        check("99999999999", Some(86_400));
        check("Sun, 22 Nov 2037 19:02:00 GMT", Some(86_400));
        for wrong in ["", "-1", "soon", "nan", "inf", "2026-11-22T19:02:00Z", "Mon, 22 Nov 2037 19:02:00 GMT"]
        {
            check(wrong, None);
        }
    }

    #[test]
    fn a_closed_gate_opens_when_the_time_has_passed() {
        let second = Duration::from_secs;
        let gate = Gate::default();
        assert_eq!(gate.open_at(second(0)), Ok(()));
        gate.close_at(second(100), second(30), &Fault::failed(Class::Protocol, "503"));
        let still = gate.open_at(second(110)).expect_err("closed");
        assert_eq!(still.text, "503 (not asked again for 20s, as it demands)");
        assert_eq!((still.status, still.class), (Status::Failed, Class::Protocol));
        assert_eq!(gate.open_at(second(130)), Ok(()));
        gate.close_at(second(200), second(30), &Fault::degraded(Class::Quota, "429"));
        assert_eq!(gate.open_at(second(229)).map_err(|fault| fault.status), Err(Status::Unknown));
        gate.close_at(second(229), Duration::ZERO, &Fault::degraded(Class::Quota, "429"));
        assert_eq!(gate.open_at(second(229)), Ok(()));
    }

    #[test]
    fn what_a_vendor_says_is_shown_without_secrets_and_people() {
        let secret = SecretString::from("re_marked");
        let shown = quote("key re_marked of <ann@shop.example> is\u{1b}[31m bad\nreally", &secret);
        assert_eq!(shown, "key <secret> of <address> is bad really");
    }

    #[test]
    fn the_number_of_a_card_in_a_vendors_words_is_not_shown() {
        let shown = |words: &str| quote(words, &SecretString::default());
        assert_eq!(shown("card 4111111111111111 declined"), "card <number> declined");
        assert_eq!(shown("call +1 555 123 4567 89"), "call +<number>");
        assert_eq!(shown("cards 4111 1111-1111 1111."), "cards <number>.");
        assert_eq!(shown("400 since 2026-11-22 18:39, 5-6"), "400 since 2026-11-22 18:39, 5-6");
    }

    #[test]
    fn words_only_are_shown() {
        assert_eq!(word(Some("CVV_FAILURE")), "CVV_FAILURE");
        assert_eq!(word(None), "(none)");
        assert_eq!(word(Some("")), "(none)");
        assert_eq!(
            word(Some("wbhk_b35f6b3145074cf9ad513610786c19d5")),
            "wbhk_b35f6b3145074cf9ad513610786c19d5"
        );
        for other in
            ["jane@example.com", &"A".repeat(65), "4111111111111111", "4111-1111.1111-1111", "x:411111111111"]
        {
            assert_eq!(word(Some(other)), "(unreadable)", "{other}");
        }
    }

    #[test]
    fn a_secret_among_a_vendors_words_is_taken_out() {
        let mut outcome: Outcome = Fault::failed(Class::Protocol, "it answered 400 re_marked").into();
        outcome.note("re_marked is not known");
        redact(&mut outcome, &SecretString::from("re_marked"));
        let shown = [outcome.faults[0].text.as_str(), outcome.notes[0].as_str()];
        assert_eq!(shown, ["it answered 400 <secret>", "<secret> is not known"]);
    }
}
