//! Times as Square writes them: RFC 3339 with no to nine digits of a second, and for webhook
//! subscriptions what Go prints for a time, `2022-01-10 23:29:48 +0000 UTC`.

use jiff::Timestamp;

/// The moment, where the text is one.
pub fn parse(text: &str) -> Option<Timestamp> {
    text.trim().parse().ok().or_else(|| parse_go(text))
}

/// Date, time and offset are what counts; the zone's name and the monotonic reading after them are not.
fn parse_go(text: &str) -> Option<Timestamp> {
    let mut words = text.split_ascii_whitespace();
    let (date, time, offset) = (words.next()?, words.next()?, words.next()?);
    format!("{date}T{time}{offset}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(parse(text).map(|time| time.to_string()).as_deref(), expected, "{text}");
    }

    #[test]
    fn no_to_nine_digits_of_a_second() {
        check("2021-10-13T19:34:33Z", Some("2021-10-13T19:34:33Z"));
        check("2021-10-13T19:34:33.5Z", Some("2021-10-13T19:34:33.5Z"));
        check("2021-10-13T19:34:33.524Z", Some("2021-10-13T19:34:33.524Z"));
        check("2020-08-14T15:51:04.246373287Z", Some("2020-08-14T15:51:04.246373287Z"));
        check("2021-10-13T21:34:33+02:00", Some("2021-10-13T19:34:33Z"));
        check(" 2021-10-13t19:34:33z ", Some("2021-10-13T19:34:33Z"));
    }

    #[test]
    fn the_times_of_subscriptions() {
        check("2022-01-10 23:29:48 +0000 UTC", Some("2022-01-10T23:29:48Z"));
        check("2022-01-10 23:29:48.25 -0800 PST", Some("2022-01-11T07:29:48.25Z"));
        check(
            "2022-01-11 00:06:48.322945116 +0000 UTC m=+3863.054453746",
            Some("2022-01-11T00:06:48.322945116Z"),
        );
    }

    #[test]
    fn what_is_no_time() {
        for text in
            ["", "yesterday", "2022-13-01T00:00:00Z", "2022-01-10", "1641857388", "2022-01-10 23:29:48"]
        {
            check(text, None);
        }
    }
}
