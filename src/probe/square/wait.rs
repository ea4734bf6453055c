//! When Square may be called again.
//!
//! The shop shares its rate limit with us, so a refusal is obeyed: `Retry-After` to the second (up to a
//! day, lest one broken header blinds us for years), else an exponential pause with jitter. Pure: the
//! time and the dice are arguments.

use crate::clock::Steady;
use crate::outcome::{Class, Fault, Status};
use jiff::Timestamp;
use jiff::fmt::{rfc2822, strtime};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use std::time::Duration;

const ASKED_MAX: Duration = Duration::from_hours(24);
const CHOSEN_MAX: Duration = Duration::from_hours(1);

/// What `Retry-After` asks for: seconds, or an HTTP date, which is compared with the `Date` of the same answer
/// where there is one, since the two clocks may differ. Never zero, which would be no pause.
pub fn asked(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit are many seconds.
        let seconds = text.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds))
            .filter(|asked| !asked.is_zero())
            .map(|asked| asked.min(ASKED_MAX));
    }
    let until = http_date(text)?;
    let date = headers.get(DATE).and_then(|date| http_date(date.to_str().ok()?)).unwrap_or(now);
    let asked = Duration::try_from(until.duration_since(date)).ok()?;
    Some(asked).filter(|asked| !asked.is_zero()).map(|asked| asked.min(ASKED_MAX))
}

/// The three forms of RFC 9110 §5.6.7.
fn http_date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(time) = rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text) {
        return Some(time);
    }
    let obsolete = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    let parsed = obsolete.iter().find_map(|format| strtime::parse(format, text).ok())?;
    parsed.to_datetime().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// Whether a pause is on, and how many refusals in a row led to it.
#[derive(Debug)]
pub struct Waiting {
    /// The check's period.
    every: Duration,
    refusals: u32,
    pause: Option<Pause>,
}

#[derive(Debug)]
struct Pause {
    until: Steady,
    asked: bool,
    status: Status,
    class: Class,
    why: String,
}

impl Waiting {
    pub fn new(every: Duration) -> Waiting {
        Waiting { every: every.max(Duration::from_secs(1)), refusals: 0, pause: None }
    }

    /// What a run that must not call has to say: the status of the refusal stays, for what Square said still holds.
    pub fn fault(&self, now: Steady) -> Option<Fault> {
        let pause = self.pause.as_ref()?;
        let left = pause.until.checked_sub(now).filter(|left| !left.is_zero())?;
        let left = humantime::format_duration(Duration::from_secs(left.as_secs_f64().ceil() as u64));
        let who = if pause.asked { "as it asked" } else { "backing off" };
        let text = format!("no call to square for another {left}, {who}: {}", pause.why);
        Some(Fault { status: pause.status, class: pause.class, text })
    }

    /// After a refusal. Without a wish of Square's the pause doubles with each refusal from twice the check's
    /// period, and `dice` (0 to 1) takes up to half of it off, so that several watchers don't come back together.
    pub fn refused(&mut self, fault: &Fault, asked: Option<Duration>, now: Steady, dice: f64) {
        self.refusals = self.refusals.saturating_add(1);
        let doubled = self.every.saturating_mul(2_u32.saturating_pow(self.refusals));
        let chosen = doubled.min(CHOSEN_MAX).mul_f64(1.0 - 0.5 * dice.clamp(0.0, 1.0));
        self.pause = Some(Pause {
            until: now + asked.unwrap_or(chosen),
            asked: asked.is_some(),
            status: fault.status,
            class: fault.class,
            why: fault.text.clone(),
        });
    }

    /// After a run that was not refused.
    pub fn answered(&mut self) {
        *self = Waiting::new(self.every);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_asked(headers: &[(&'static str, &str)], seconds: Option<u64>) {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let now = "1994-11-06T08:49:00Z".parse().unwrap();
        assert_eq!(asked(&headers, now), seconds.map(Duration::from_secs), "{headers:?}");
    }

    #[test]
    fn seconds_and_dates_are_understood() {
        check_asked(&[], None);
        check_asked(&[("retry-after", "120")], Some(120));
        check_asked(&[("retry-after", "0")], None);
        check_asked(&[("retry-after", "-5")], None);
        check_asked(&[("retry-after", "soon")], None);
        check_asked(&[("retry-after", "99999999999999999999999")], Some(86_400));
        check_asked(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], Some(37));
        check_asked(&[("retry-after", "Sunday, 06-Nov-94 08:49:37 GMT")], Some(37));
        check_asked(&[("retry-after", "Sun Nov  6 08:49:37 1994")], Some(37));
        check_asked(&[("retry-after", "Sun, 06 Nov 1994 08:48:00 GMT")], None);
        check_asked(&[("retry-after", "Sun, 06 Nov 2094 08:48:00 GMT")], Some(86_400));
    }

    #[test]
    fn a_date_is_compared_with_the_clock_that_made_it() {
        check_asked(
            &[("retry-after", "Sun, 06 Nov 1994 12:00:20 GMT"), ("date", "Sun, 06 Nov 1994 12:00:00 GMT")],
            Some(20),
        );
    }

    fn text(waiting: &Waiting, seconds: u64) -> Option<String> {
        waiting.fault(Duration::from_secs(seconds)).map(|fault| fault.text)
    }

    #[test]
    fn a_wish_is_obeyed_to_the_second() {
        let mut waiting = Waiting::new(Duration::from_mins(1));
        assert_eq!(text(&waiting, 100), None);
        let fault = Fault::degraded(Class::Quota, "rate limited");
        waiting.refused(&fault, Some(Duration::from_secs(30)), Duration::from_secs(100), 0.0);
        assert_eq!(
            text(&waiting, 100).as_deref(),
            Some("no call to square for another 30s, as it asked: rate limited")
        );
        assert!(text(&waiting, 129).is_some());
        assert_eq!(text(&waiting, 130), None);
    }

    #[test]
    fn without_a_wish_the_pause_doubles_up_to_an_hour_and_starts_anew() {
        let fault = Fault::degraded(Class::Quota, "rate limited");
        let mut waiting = Waiting::new(Duration::from_mins(1));
        let pause = |waiting: &mut Waiting, dice| {
            waiting.refused(&fault, None, Duration::ZERO, dice);
            waiting.pause.as_ref().unwrap().until.as_secs()
        };
        assert_eq!(pause(&mut waiting, 0.0), 120);
        assert_eq!(pause(&mut waiting, 0.0), 240);
        assert_eq!(pause(&mut waiting, 1.0), 240);
        for _ in 0..40 {
            pause(&mut waiting, 0.0);
        }
        assert_eq!(pause(&mut waiting, 0.0), 3_600);
        waiting.answered();
        assert_eq!(pause(&mut waiting, 0.5), 90);
    }
}
