//! What the address of a heartbeat says: `/heartbeat/NAME`, `…/start`, `…/success`, `…/fail`, `…/log`, `…/EXIT_CODE`.
//!
//! Jobs say it with a plain `curl`, and in the form of healthchecks.io, so that the scripts of its users need another host
//! and nothing else: there `/PING_KEY/SLUG/start` is the same with a key before it, and `rid` the id of a run.
//! <https://healthchecks.io/docs/http_api/>

use super::{Malformed, Ping, PingWord};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use url::form_urlencoded;

const NAME_CHARS_MAX: usize = 64;
const RUN_CHARS_MAX: usize = 64;
/// No job of a shop takes longer than a year; what says so counts in another unit.
const TOOK_MAX: Duration = Duration::from_hours(366 * 24);

/// `tail` are the segments of the path after `/heartbeat` (or after the key of healthchecks.io), decoded; one that is
/// empty at the end is as none. Of the query `rid`, `duration_ms` and `duration` count; what else it has (`create` of
/// healthchecks.io) does not.
pub fn read(tail: &[&str], query: &str, at: Timestamp) -> Result<(Arc<str>, Ping), Malformed> {
    let tail = tail.strip_suffix(&[""]).unwrap_or(tail);
    let (name, word) = match tail {
        [name] => (name, PingWord::Success),
        [name, word] => (name, self::word(word)?),
        _ => return Err(malformed("the address is not `/heartbeat/NAME` or `/heartbeat/NAME/WORD`")),
    };
    if !is_name(name) {
        return Err(malformed(
            "the name of the job is not 1 to 64 of a-z, 0-9, `_` and `-`, with a letter or digit first",
        ));
    }
    let (run, took) = told(query)?;
    Ok(((*name).into(), Ping { at, word, run, took }))
}

/// Whether a job may be called so.
pub fn is_name(text: &str) -> bool {
    let is_first = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= NAME_CHARS_MAX
        && text.as_bytes().first().is_some_and(is_first)
        && text.bytes().all(|byte| is_first(&byte) || b"_-".contains(&byte))
}

fn word(text: &str) -> Result<PingWord, Malformed> {
    match text {
        "success" => Ok(PingWord::Success),
        "start" => Ok(PingWord::Start),
        "fail" => Ok(PingWord::Fail(None)),
        "log" => Ok(PingWord::Log),
        code if code.bytes().all(|byte| byte.is_ascii_digit()) => match code.parse() {
            Ok(0) => Ok(PingWord::Success),
            Ok(code) => Ok(PingWord::Fail(Some(code))),
            Err(_) => Err(malformed("an exit code is a number from 0 to 255")),
        },
        _ => {
            Err(malformed("after the name comes nothing, `start`, `success`, `fail`, `log` or an exit code"))
        }
    }
}

/// Which run, and how long it took. A variable that was not set in a script makes a value empty, which tells nothing.
fn told(query: &str) -> Result<(Option<String>, Option<Duration>), Malformed> {
    let (mut run, mut took) = (None, None);
    for (key, value) in form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty()) {
        match &*key {
            "rid" if is_run(&value) => run = Some(value.into_owned()),
            "rid" => return Err(malformed("`rid` is not 1 to 64 letters, digits and `-`, such as a UUID")),
            "duration_ms" => took = Some(millis(&value)),
            "duration" => took = Some(humantime::parse_duration(&value).ok()),
            _ => {}
        }
    }
    match took {
        None => Ok((run, None)),
        Some(Some(took)) if took <= TOOK_MAX => Ok((run, Some(took))),
        Some(_) => Err(malformed(
            "the time that it took is no `duration_ms=1500` or `duration=90s` of at most a year",
        )),
    }
}

fn millis(text: &str) -> Option<Duration> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).map(Duration::from_millis)
}

fn is_run(text: &str) -> bool {
    (1..=RUN_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn malformed(text: &str) -> Malformed {
    Malformed(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AT: Timestamp = Timestamp::UNIX_EPOCH;
    const NO_NAME: &str =
        "the name of the job is not 1 to 64 of a-z, 0-9, `_` and `-`, with a letter or digit first";
    const NO_WORD: &str = "after the name comes nothing, `start`, `success`, `fail`, `log` or an exit code";

    /// Who says what, of which run, and how many milliseconds it took.
    type Says<'a> = (&'a str, PingWord, Option<&'a str>, Option<u64>);

    /// An address after `/heartbeat/`, and what it says or what is wrong.
    fn check(address: &str, expected: Result<Says<'_>, &str>) {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let tail: Vec<&str> = path.split('/').collect();
        let found = read(&tail, query, AT);
        let found = found.as_ref().map(|(name, ping)| {
            assert_eq!(ping.at, AT);
            let took = ping.took.map(|took| took.as_millis() as u64);
            (&**name, ping.word, ping.run.as_deref(), took)
        });
        assert_eq!(found.map_err(|malformed| malformed.0.as_str()), expected, "{address}");
    }

    #[test]
    fn words() {
        use PingWord::{Fail, Log, Start, Success};
        let says = |address: &str, word| check(address, Ok(("backup", word, None, None)));
        says("backup", Success);
        says("backup/", Success);
        says("backup/success", Success);
        says("backup/start", Start);
        says("backup/start/", Start);
        says("backup/fail", Fail(None));
        says("backup/log", Log);
        says("backup/0", Success);
        says("backup/1", Fail(Some(1)));
        says("backup/255", Fail(Some(255)));
        for wrong in ["backup/stop", "backup/-1", "backup/+5", "backup/1.0", "backup/Start"] {
            check(wrong, Err(NO_WORD));
        }
        for wrong in ["backup/256", "backup/99999999999"] {
            check(wrong, Err("an exit code is a number from 0 to 255"));
        }
        check("backup/start/now", Err("the address is not `/heartbeat/NAME` or `/heartbeat/NAME/WORD`"));
        assert!(read(&[], "", AT).is_err() && read(&[""], "", AT).is_err());
    }

    #[test]
    fn names() {
        let long = "x".repeat(64);
        for name in
            ["a", "0", "webhook-queue", "a_b-1", &long, "5b4a7f4e-9b1c-4b0e-8d1e-0d3c4e2b7a11", "start"]
        {
            check(name, Ok((name, PingWord::Success, None, None)));
        }
        for name in ["-a", "_a", "Backup", "a b", "größe", "a.b", "a%20b", &"x".repeat(65), "/start"] {
            check(name, Err(NO_NAME));
        }
    }

    #[test]
    fn which_run_and_how_long() {
        let says = |query: &str, run, took| {
            check(&format!("backup?{query}"), Ok(("backup", PingWord::Success, run, took)));
        };
        let uuid = "728b3763-ea84-4ccc-97bb-1e0ab1ee5a5c";
        says(&format!("rid={uuid}"), Some(uuid), None);
        says("rid=Run-7&duration_ms=1500", Some("Run-7"), Some(1500));
        says("duration=90s", None, Some(90_000));
        says("duration=1m%2030s", None, Some(90_000));
        says("duration=1m+30s&create=1&what=else", None, Some(90_000));
        says("rid=&duration=&duration_ms=", None, None);
        says("", None, None);
        let wrong = |query: &str, why: &str| check(&format!("backup?{query}"), Err(why));
        let run = "`rid` is not 1 to 64 letters, digits and `-`, such as a UUID";
        for query in ["rid=a%20b".to_owned(), "rid=a_b".to_owned(), format!("rid={}", "x".repeat(65))] {
            wrong(&query, run);
        }
        let took = "the time that it took is no `duration_ms=1500` or `duration=90s` of at most a year";
        for query in [
            "duration=90",
            "duration=soon",
            "duration=-1s",
            "duration_ms=1.5",
            "duration_ms=+5",
            "duration_ms=99999999999999999999",
            "duration=400d",
            "duration=9999999999999999999years",
        ] {
            wrong(query, took);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_asked_is_read_or_refused_and_never_quoted(
            tail in prop::collection::vec("[a-z0-9]{0,8}|.{0,8}|start|[0-9]{1,4}", 0..4),
            query in ".{0,40}|rid=[a-zA-Z0-9_-]{0,70}&duration(_ms)?=[0-9a-z]{0,22}",
        ) {
            let segments: Vec<&str> = tail.iter().map(String::as_str).collect();
            match read(&segments, &query, AT) {
                Ok((name, ping)) => {
                    prop_assert!(is_name(&name) && *name == *tail[0]);
                    prop_assert!(ping.run.is_none_or(|run| is_run(&run)));
                    prop_assert!(ping.took.is_none_or(|took| took <= TOOK_MAX));
                }
                Err(Malformed(why)) => prop_assert!(why.is_ascii() && why.len() < 120),
            }
        }

        #[test]
        fn what_a_job_says_is_what_is_heard(
            name in "[a-z0-9][a-z0-9_-]{0,63}", code in any::<u8>(), run in "[a-zA-Z0-9-]{1,64}", took in 0..31_536_000_000_u64,
        ) {
            let (code_text, query) = (code.to_string(), format!("rid={run}&duration_ms={took}"));
            let (heard, ping) = read(&[&name, &code_text], &query, AT).expect("a ping");
            let word = if code == 0 { PingWord::Success } else { PingWord::Fail(Some(code)) };
            prop_assert_eq!((&*heard, ping.word), (name.as_str(), word));
            prop_assert_eq!((ping.run, ping.took), (Some(run), Some(Duration::from_millis(took))));
        }
    }
}
