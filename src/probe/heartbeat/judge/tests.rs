//! Timelines of jobs: what they tell, and what is said of them.

use super::*;
use crate::config::value::Period;
use crate::outcome::Status;
use jiff::tz::TimeZone;
use proptest::prelude::*;

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

fn cron(text: &str, zone: &str, grace: u64, longest: Option<u64>) -> Expected {
    let zone = TimeZone::get(zone).expect("a zone");
    let schedule = Schedule::cron(text, zone).expect("a schedule");
    let longest = longest.map(Duration::from_secs);
    Expected { schedule, grace: Duration::from_secs(grace), longest }
}

fn every(seconds: u64, grace: u64, longest: Option<u64>) -> Expected {
    let schedule = Schedule::every(Period::from_secs(seconds)).expect("a schedule");
    let longest = longest.map(Duration::from_secs);
    Expected { schedule, grace: Duration::from_secs(grace), longest }
}

/// `start`, `ok`, `fail`, `3` (an exit code) or `log`, and the id of the run.
fn ping(at: Timestamp, said: &str) -> Ping {
    let (word, run) = said.split_once(' ').map_or((said, None), |(word, run)| (word, Some(run)));
    let word = match word {
        "start" => PingWord::Start,
        "ok" => PingWord::Success,
        "fail" => PingWord::Fail(None),
        "log" => PingWord::Log,
        code => PingWord::Fail(Some(code.parse().expect("an exit code"))),
    };
    Ping { at, word, run: run.map(str::to_owned), took: None }
}

/// A timeline: at each moment either the job says something, or (`= `) this is said of it: status and reason.
fn check(expected: &Expected, since: &str, timeline: &[(&str, &str)]) {
    let mut pings = Pings { heard_since: at(since), ..Pings::default() };
    for (moment, said) in timeline {
        let moment = at(moment);
        let Some(wanted) = said.strip_prefix("= ") else {
            pings.pings.push(ping(moment, said));
            continue;
        };
        let outcome = judge(moment, "backup", &pings, expected);
        let reason = outcome.reason().map(|fault| format!(": {}", fault.text)).unwrap_or_default();
        let found = format!("{}{reason}", outcome.status());
        assert!(found.starts_with(wanted), "{moment}: {found}\n{wanted}");
    }
}

#[test]
fn a_job_that_was_never_heard_of() {
    let how = "let the job call `/heartbeat/backup` of this agent when it is done";
    check(
        &every(30 * MINUTE, 5 * MINUTE, None),
        "2026-03-02T10:00:00Z",
        &[
            (
                "2026-03-02T10:00:00Z",
                &format!("= unknown: no success heard yet; the first is due at 2026-03-02T10:30:00Z: {how}"),
            ),
            ("2026-03-02T10:35:00Z", "= unknown: no success heard yet"),
            (
                "2026-03-02T10:35:01Z",
                &format!(
                    "= failed: never heard of, though a run was due at 2026-03-02T10:30:00Z (listening since 2026-03-02T10:00:00Z): {how}"
                ),
            ),
            ("2026-03-02T10:40:00Z", "log"),
            (
                "2026-03-02T10:40:01Z",
                "= failed: late: a success was due at 2026-03-02T10:30:00Z; no success was ever heard",
            ),
            ("2026-03-02T11:00:00Z", "ok"),
            ("2026-03-02T11:00:01Z", "= ok"),
        ],
    );
}

#[test]
fn a_job_that_comes_late_and_ends_it() {
    check(
        &every(30 * MINUTE, 5 * MINUTE, None),
        "2026-03-02T10:00:00Z",
        &[
            ("2026-03-02T10:10:00Z", "ok"),
            ("2026-03-02T10:45:00Z", "= ok"),
            (
                "2026-03-02T10:45:01Z",
                "= failed: late: a success was due at 2026-03-02T10:40:00Z; it last succeeded at 2026-03-02T10:10:00Z",
            ),
            ("2026-03-02T10:46:00Z", "log"),
            ("2026-03-02T10:47:00Z", "start"),
            ("2026-03-02T10:48:00Z", "= failed: late"),
            ("2026-03-02T10:50:00Z", "ok"),
            ("2026-03-02T10:50:00Z", "= ok"),
        ],
    );
}

#[test]
fn a_job_that_hangs_each_time_stays_so_when_it_is_begun_again() {
    check(
        &every(HOUR, 5 * MINUTE, Some(30 * MINUTE)),
        "2026-03-02T10:00:00Z",
        &[
            ("2026-03-02T10:10:00Z", "ok"),
            ("2026-03-02T11:00:00Z", "start"),
            // Begun anew before it was too long: one run, which is not over.
            ("2026-03-02T11:02:00Z", "start"),
            ("2026-03-02T11:31:00Z", "= ok"),
            (
                "2026-03-02T11:32:01Z",
                "= failed: running too long: a run began at 2026-03-02T11:02:00Z and did not end within 30m",
            ),
            ("2026-03-02T12:00:00Z", "start"),
            (
                "2026-03-02T12:00:01Z",
                "= failed: running too long: a run began at 2026-03-02T11:02:00Z and did not end within 30m",
            ),
            ("2026-03-02T13:00:00Z", "start"),
            ("2026-03-02T13:00:01Z", "= failed: running too long: a run began at"),
            ("2026-03-02T13:10:00Z", "ok"),
            ("2026-03-02T13:10:01Z", "= ok"),
        ],
    );
}

#[test]
fn a_weekly_backup_over_the_change_of_the_clock() {
    // Three in the morning of Los Angeles is 11:00 UTC in winter and 10:00 in summer.
    check(
        &cron("0 3 * * 1", "America/Los_Angeles", 2 * HOUR, Some(HOUR)),
        "2026-02-27T00:00:00Z",
        &[
            ("2026-03-02T11:00:05Z", "start w10"),
            ("2026-03-02T11:30:00Z", "= unknown: no success heard yet"),
            ("2026-03-02T11:40:00Z", "ok w10"),
            ("2026-03-09T11:59:00Z", "= ok"),
            ("2026-03-09T12:00:01Z", "= failed: late: a success was due at 2026-03-09T10:00:00Z"),
            ("2026-03-09T12:10:00Z", "start w11"),
            // Under way, and not yet as long as it may be.
            ("2026-03-09T12:11:00Z", "= ok"),
            (
                "2026-03-09T13:10:01Z",
                "= failed: running too long: run w11 began at 2026-03-09T12:10:00Z and did not end within 1h",
            ),
            ("2026-03-09T13:20:00Z", "3 w11"),
            (
                "2026-03-09T13:20:01Z",
                "= failed: run w11 failed with exit code 3 at 2026-03-09T13:20:00Z; it last succeeded at 2026-03-02T11:40:00Z",
            ),
            ("2026-03-09T14:00:00Z", "ok"),
            ("2026-03-16T12:00:00Z", "= ok"),
            ("2026-03-16T12:00:01Z", "= failed: late: a success was due at 2026-03-16T10:00:00Z"),
        ],
    );
}

#[test]
fn on_the_last_day_of_the_month() {
    check(
        &cron("0 4 L * *", "UTC", HOUR, None),
        "2026-01-01T00:00:00Z",
        &[
            ("2026-01-31T04:10:00Z", "ok"),
            ("2026-02-28T05:00:00Z", "= ok"),
            ("2026-02-28T05:00:01Z", "= failed: late: a success was due at 2026-02-28T04:00:00Z"),
        ],
    );
}

#[test]
fn without_a_longest_the_next_due_time_ends_a_run() {
    check(
        &every(30 * MINUTE, 5 * MINUTE, None),
        "2026-03-02T10:00:00Z",
        &[
            ("2026-03-02T10:00:00Z", "ok"),
            ("2026-03-02T10:04:00Z", "start a"),
            ("2026-03-02T10:34:00Z", "= ok"),
            (
                "2026-03-02T10:34:01Z",
                "= failed: running too long: run a began at 2026-03-02T10:04:00Z and did not end until the next was due, at 2026-03-02T10:34:00Z",
            ),
        ],
    );
}

#[test]
fn two_runs_at_a_time() {
    check(
        &every(HOUR, 5 * MINUTE, Some(HOUR)),
        "2026-03-02T10:00:00Z",
        &[
            ("2026-03-02T10:00:00Z", "ok"),
            ("2026-03-02T10:10:00Z", "start a"),
            ("2026-03-02T10:20:00Z", "start b"),
            (
                "2026-03-02T10:20:00Z",
                "= degraded: overlapping: run b began at 2026-03-02T10:20:00Z while run a, begun at 2026-03-02T10:10:00Z, was under way",
            ),
            ("2026-03-02T10:30:00Z", "ok b"),
            ("2026-03-02T10:30:00Z", "= ok"),
            // What is lost after another succeeded wakes nobody.
            ("2026-03-02T11:20:00Z", "= ok"),
        ],
    );
    check(
        &every(HOUR, 5 * MINUTE, None),
        "2026-03-02T10:00:00Z",
        &[
            ("2026-03-02T10:00:00Z", "ok"),
            ("2026-03-02T10:10:00Z", "start"),
            ("2026-03-02T10:20:00Z", "start"),
            ("2026-03-02T10:21:00Z", "= ok"),
        ],
    );
}

#[test]
fn a_job_that_fails_and_then_is_silent() {
    check(
        &every(HOUR, 5 * MINUTE, None),
        "2026-03-02T10:00:00Z",
        &[
            ("2026-03-02T10:00:00Z", "ok"),
            ("2026-03-02T10:30:00Z", "fail"),
            (
                "2026-03-02T10:30:01Z",
                "= failed: a run failed at 2026-03-02T10:30:00Z; it last succeeded at 2026-03-02T10:00:00Z",
            ),
            ("2026-03-02T10:40:00Z", "start"),
            ("2026-03-02T10:40:01Z", "= failed: a run failed"),
            ("2026-03-02T10:55:00Z", "ok"),
            ("2026-03-02T10:55:01Z", "= ok"),
        ],
    );
}

#[test]
fn what_was_due_when_nobody_listened_is_not_known() {
    let listening_again = "2026-03-02T14:00:00Z";
    check(
        &every(HOUR, 5 * MINUTE, None),
        listening_again,
        &[
            ("2026-03-02T10:00:00Z", "ok"),
            (
                listening_again,
                "= unknown: nobody listened when it was due (it last succeeded at 2026-03-02T10:00:00Z, listening since 2026-03-02T14:00:00Z); due next at 2026-03-02T15:00:00Z",
            ),
            (
                "2026-03-02T15:05:01Z",
                "= failed: late: a success was due at 2026-03-02T15:00:00Z; it last succeeded at 2026-03-02T10:00:00Z",
            ),
        ],
    );
}

#[test]
fn what_was_due_while_the_agent_was_off_is_not_known() {
    let pings = |deaf: (&str, &str), last: &str| Pings {
        heard_since: at("2026-03-01T00:00:00Z"),
        deaf: vec![(at(deaf.0), at(deaf.1))],
        pings: vec![ping(at(last), "ok"), ping(at("2026-03-02T10:30:00Z"), "start")],
    };
    let reason = |moment: &str, pings: &Pings| {
        let outcome = judge(at(moment), "backup", pings, &every(HOUR, 5 * MINUTE, Some(10 * MINUTE)));
        outcome.reason().map_or_else(|| "ok".to_owned(), |fault| format!("{}: {}", fault.status, fault.text))
    };
    let off = pings(("2026-03-02T10:35:00Z", "2026-03-02T11:02:00Z"), "2026-03-02T10:00:00Z");
    assert_eq!(
        reason("2026-03-02T11:06:00Z", &off),
        "unknown: nobody listened when it was due (it last succeeded at 2026-03-02T10:00:00Z, listening since \
         2026-03-02T11:02:00Z); due next at 2026-03-02T12:02:00Z"
    );
    assert_eq!(
        reason("2026-03-02T12:07:01Z", &off),
        "failed: late: a success was due at 2026-03-02T12:02:00Z; it last succeeded at 2026-03-02T10:00:00Z"
    );
    // Off before anything was due, or after it was late: what is known stays known.
    let before = pings(("2026-03-02T10:05:00Z", "2026-03-02T10:20:00Z"), "2026-03-02T10:00:00Z");
    assert!(reason("2026-03-02T11:06:00Z", &before).starts_with("failed: running too long: "));
    let after = pings(("2026-03-02T13:00:00Z", "2026-03-02T14:00:00Z"), "2026-03-02T10:00:00Z");
    assert!(
        reason("2026-03-02T14:01:00Z", &after)
            .starts_with("failed: late: a success was due at 2026-03-02T11:00:00Z")
    );
}

#[test]
fn measures() {
    let pings = ["10:00:00 start a", "10:20:00 ok a", "10:30:00 start b", "10:40:00 start c"];
    let pings = pings.iter().map(|text| {
        let (time, said) = text.split_once(' ').expect("a time and a word");
        ping(at(&format!("2026-03-02T{time}Z")), said)
    });
    let pings = Pings { heard_since: at("2026-03-02T09:00:00Z"), pings: pings.collect(), deaf: Vec::new() };
    let check = |moment: &str, expected: [f64; 5]| {
        let outcome = judge(at(moment), "backup", &pings, &every(30 * MINUTE, 5 * MINUTE, Some(25 * MINUTE)));
        let found: Vec<_> = outcome.measures.iter().map(|measure| (&*measure.name, measure.value)).collect();
        assert_eq!(
            found,
            MEASURES.iter().map(|info| info.name).zip(expected).collect::<Vec<_>>(),
            "{moment}"
        );
    };
    check("2026-03-02T10:45:00Z", [1500.0, 1200.0, 1.0, 1.0, 0.0]);
    check("2026-03-02T10:51:00Z", [1860.0, 1200.0, 1.0, 1.0, 60.0]);
    check("2026-03-02T11:30:00Z", [4200.0, 1200.0, 1.0, 0.0, 2400.0]);
}

const START: i64 = 1_772_000_000;

fn expected() -> impl Strategy<Value = Expected> {
    let schedules = prop::sample::select(vec!["*/10 * * * *", "0 * * * *", "30 2 * * *", "0 3 * * 1"]);
    let crons = (schedules, 1..7200_u64, prop::option::of(1..600_u64))
        .prop_map(|(text, grace, longest)| cron(text, "Europe/Berlin", grace, longest));
    let periods = (600..7200_u64, 1..7200_u64, prop::option::of(1..600_u64));
    let periods = periods.prop_map(|(seconds, grace, longest)| every(seconds, grace, longest));
    prop_oneof![crons, periods]
}

proptest! {
    #[test]
    fn a_later_success_never_makes_it_worse(
        expected in expected(),
        said in prop::collection::vec((0..90_000_i64, "(start|ok|fail|3|log)( [a-c])?"), 0..12),
        heard_since in 0..90_000_i64,
        deaf in prop::collection::vec((0..90_000_i64, 180..20_000_i64), 0..3),
        (later, then, run) in (0..9_000_i64, 0..90_000_i64, prop::option::of("[a-c]")),
    ) {
        let moment = |second: i64| Timestamp::from_second(START + second).expect("a moment");
        let mut pings: Vec<Ping> = said.iter().map(|(second, said)| ping(moment(*second), said)).collect();
        pings.sort_by_key(|ping| ping.at);
        let newest = pings.last().map_or(moment(0), |ping| ping.at).max(moment(heard_since));
        let success = Ping { run, ..ping(newest + Duration::from_secs(later.unsigned_abs()), "ok") };
        let now = success.at + Duration::from_secs(then.unsigned_abs());
        let mut deaf: Vec<_> =
            deaf.iter().map(|(from, length)| (moment(*from), moment(from + length))).collect();
        deaf.sort_unstable();
        deaf.retain(|(_, to)| *to <= newest);
        let before = Pings { heard_since: moment(heard_since), deaf, pings };
        let mut after = before.clone();
        after.pings.push(success);
        let status = |pings| judge(now, "backup", pings, &expected).status();
        prop_assert!(status(&after) <= status(&before), "{:?} {:?}", status(&before), status(&after));
        prop_assert!(status(&after) != Status::Unknown);
    }
}
