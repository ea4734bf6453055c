//! How long Square is left alone after a refusal.
//!
//! The shop shares its rate limit with us, so a refusal is obeyed: `Retry-After` where there is one, else an
//! exponential pause with jitter. Pure: the time and the dice are arguments.

use crate::probe::api;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use std::time::Duration;

const CHOSEN_MAX: Duration = Duration::from_hours(1);

/// What `Retry-After` asks for. A date in it is compared with the `Date` of the same answer where there is one,
/// since the two clocks may differ. Never zero, which would be no pause.
pub fn asked(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    let date = text(DATE).and_then(|date| DateTimeParser::new().parse_timestamp(date).ok());
    api::retry_after(text(RETRY_AFTER)?, date.unwrap_or(now)).filter(|asked| !asked.is_zero())
}

/// The pause after so many refusals in a row, the last included, of which none said when to come back: it
/// doubles each time from twice the check's period, and `dice` (0 to 1) takes up to half of it off, so that
/// several watchers don't come back together.
pub fn chosen(refusals: u32, every: Duration, dice: f64) -> Duration {
    let doubled = every.max(Duration::from_secs(1)).saturating_mul(2_u32.saturating_pow(refusals));
    doubled.min(CHOSEN_MAX).mul_f64(1.0 - 0.5 * dice.clamp(0.0, 1.0))
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
        check_asked(&[("retry-after", "99999999999")], Some(86_400));
        check_asked(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], Some(37));
        check_asked(&[("retry-after", "Sun, 06 Nov 1994 08:48:00 GMT")], None);
        check_asked(&[("retry-after", "Sat, 06 Nov 2094 08:48:00 GMT")], Some(86_400));
    }

    #[test]
    fn a_date_is_compared_with_the_clock_that_made_it() {
        check_asked(
            &[("retry-after", "Sun, 06 Nov 1994 12:00:20 GMT"), ("date", "Sun, 06 Nov 1994 12:00:00 GMT")],
            Some(20),
        );
    }

    #[test]
    fn a_pause_of_our_own_doubles_up_to_an_hour() {
        let every = Duration::from_mins(1);
        let seconds = |refusals, dice| chosen(refusals, every, dice).as_secs();
        assert_eq!((seconds(1, 0.0), seconds(1, 0.5), seconds(1, 1.0)), (120, 90, 60));
        assert_eq!((seconds(2, 0.0), seconds(3, 0.0), seconds(5, 0.0)), (240, 480, 1_920));
        assert_eq!((seconds(6, 0.0), seconds(u32::MAX, 0.0), seconds(u32::MAX, 1.0)), (3_600, 3_600, 1_800));
    }
}
