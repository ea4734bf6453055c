//! Evidence that rate limiting is in use: the analytics that `@upstash/ratelimit` writes for each prefix and
//! hour, `PREFIX:events:HOUR` (a sorted set; members name a caller and a verdict, scores count requests).

use super::pipeline::{Command, Item};
use crate::outcome::Outcome;
use crate::probe::MeasureInfo;
use crate::probe::redis::refusal;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

pub const MEASURES: &[MeasureInfo] = &[
    MeasureInfo {
        name: "rate_limit_used",
        help: "For each prefix 1 where its rate limiter has left evidence in this hour or the last, else 0.",
    },
    MeasureInfo {
        name: "rate_limit_identifiers",
        help: "For each prefix the callers that its rate limiter has seen, in this hour and the last; one that was blocked too counts twice.",
    },
    MeasureInfo { name: "rate_limits_unused", help: "Prefixes whose rate limiter has left no evidence." },
];

pub const BLOCKED_MEASURES: &[MeasureInfo] = &[
    MeasureInfo { name: "rate_limit_requests", help: "For each prefix the requests seen in this hour." },
    MeasureInfo { name: "rate_limit_blocked", help: "For each prefix the requests blocked in this hour." },
    MeasureInfo {
        name: "rate_limit_blocked_ratio",
        help: "For each prefix the share of requests blocked in this hour; not given where there were none.",
    },
];

const HOUR_MS: i64 = 3_600_000;

/// Callers that are read for the share of blocked requests: those with most requests. A member has some
/// hundred bytes.
const CALLERS_MAX: usize = 500;

pub struct Evidence {
    prefixes: Vec<String>,
    blocked: bool,
    /// The hour (its start in ms) that is over and whose sets were counted, by prefix.
    over: Mutex<(i64, BTreeMap<String, f64>)>,
}

/// What was asked, in order.
pub struct Asked {
    last_hour: i64,
    questions: Vec<(usize, Question)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    ThisHour,
    LastHour,
    Callers,
}

impl Evidence {
    pub fn new(prefixes: Vec<String>, blocked: bool) -> Evidence {
        Evidence { prefixes, blocked, over: Mutex::default() }
    }

    /// Adds the commands to ask. What is known of the last hour is not asked again.
    pub fn ask(&self, now: Timestamp, commands: &mut Vec<Command>) -> Asked {
        let this_hour = now.as_millisecond().div_euclid(HOUR_MS) * HOUR_MS;
        let last_hour = this_hour - HOUR_MS;
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let mut questions = Vec::new();
        for (at, prefix) in self.prefixes.iter().enumerate() {
            let key = |hour: i64| format!("{prefix}:events:{hour}");
            commands.push(Command::of(&["ZCARD", &key(this_hour)]));
            questions.push((at, Question::ThisHour));
            if over.0 != last_hour || !over.1.contains_key(prefix) {
                commands.push(Command::of(&["ZCARD", &key(last_hour)]));
                questions.push((at, Question::LastHour));
            }
            if self.blocked {
                let last = (CALLERS_MAX - 1).to_string();
                commands.push(Command::of(&["ZRANGE", &key(this_hour), "0", &last, "REV", "WITHSCORES"]));
                questions.push((at, Question::Callers));
            }
        }
        Asked { last_hour, questions }
    }

    /// Turns the answers into measures. Whether absent evidence is a fault is for the definition's limits.
    pub fn judge(&self, asked: &Asked, items: Vec<Item>, token: &SecretString, outcome: &mut Outcome) {
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        if over.0 != asked.last_hour {
            *over = (asked.last_hour, BTreeMap::new());
        }
        let mut this_hour: BTreeMap<usize, f64> = BTreeMap::new();
        for ((at, question), item) in asked.questions.iter().zip(items) {
            let prefix = &self.prefixes[*at];
            match (question, item) {
                (_, Item::Error(line)) => unseen(prefix, &line, token, outcome),
                (Question::Callers, Item::Result(value)) => callers(prefix, &value, outcome),
                (Question::ThisHour, Item::Result(value)) => {
                    this_hour.extend(value.as_f64().map(|count| (*at, count)));
                }
                (Question::LastHour, Item::Result(value)) => {
                    over.1.extend(value.as_f64().map(|count| (prefix.clone(), count)));
                }
            }
        }
        let mut unused = 0.0;
        for (at, prefix) in self.prefixes.iter().enumerate() {
            let (Some(this), Some(last)) = (this_hour.get(&at), over.1.get(prefix)) else { continue };
            let used = this + last > 0.0;
            unused += f64::from(!used);
            outcome.measure_with("rate_limit_used", f64::from(used), labels(prefix));
            outcome.measure_with("rate_limit_identifiers", this + last, labels(prefix));
        }
        if !this_hour.is_empty() {
            outcome.measure("rate_limits_unused", unused);
        }
    }
}

fn labels(prefix: &str) -> Vec<(String, String)> {
    vec![("prefix".to_owned(), prefix.to_owned())]
}

fn unseen(prefix: &str, line: &str, token: &SecretString, outcome: &mut Outcome) {
    let what = format!("the evidence of `{prefix}`");
    if refusal::is_no_permission(line) {
        outcome.note(format!("{what} can't be seen: the token may not read it"));
    } else {
        outcome.fault(refusal::fault(&what, line, token));
    }
}

/// Of a member only the verdict is read: the identifier may be somebody's address.
#[derive(Deserialize)]
struct Member {
    /// `true`, `false` or `"denied"`.
    success: Value,
}

/// Members and scores in turn, as text or as what the text holds.
fn callers(prefix: &str, value: &Value, outcome: &mut Outcome) {
    let list = value.as_array().map_or(&[][..], Vec::as_slice);
    let (mut requests, mut blocked) = (0.0, 0.0);
    for pair in list.chunks_exact(2) {
        let member: Option<Member> = match &pair[0] {
            Value::String(text) => serde_json::from_str(text).ok(),
            other => Member::deserialize(other).ok(),
        };
        let score = match &pair[1] {
            Value::String(text) => text.parse().ok(),
            other => other.as_f64(),
        };
        let (Some(member), Some(score)) = (member, score.filter(|score| *score > 0.0)) else { continue };
        requests += score;
        blocked += if member.success == Value::Bool(true) { 0.0 } else { score };
    }
    outcome.measure_with("rate_limit_requests", requests, labels(prefix));
    outcome.measure_with("rate_limit_blocked", blocked, labels(prefix));
    if requests > 0.0 {
        outcome.measure_with("rate_limit_blocked_ratio", blocked / requests, labels(prefix));
    }
    if list.len() >= 2 * CALLERS_MAX {
        outcome.note(format!("`{prefix}` has many callers; requests are those of the {CALLERS_MAX} busiest"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn an_hour_that_is_over_is_asked_for_once() {
        let evidence = Evidence::new(vec!["checkout_rl".to_owned()], false);
        let check = |now: &str, answers: &[i64], expected: &[&str], count: f64| {
            let mut commands = Vec::new();
            let asked = evidence.ask(at(now), &mut commands);
            let expected: Vec<_> = expected.iter().map(|key| Command::of(&["ZCARD", key])).collect();
            assert_eq!(commands, expected, "{now}");
            let mut outcome = Outcome::ok();
            let items = answers.iter().map(|count| Item::Result(json!(count))).collect();
            evidence.judge(&asked, items, &SecretString::default(), &mut outcome);
            let found = outcome.measures.iter().find(|one| one.name == "rate_limit_identifiers");
            assert_eq!(found.map(|one| one.value), Some(count), "{now}");
        };
        let (before, first) = ("checkout_rl:events:1767222000000", "checkout_rl:events:1767225600000");
        let second = "checkout_rl:events:1767229200000";
        check("2026-01-01T00:00:00Z", &[0, 7], &[first, before], 7.0);
        check("2026-01-01T00:59:59Z", &[3], &[first], 10.0);
        check("2026-01-01T01:00:00Z", &[0, 4], &[second, first], 4.0);
        check("2026-01-01T01:01:00Z", &[1], &[second], 5.0);
    }

    #[test]
    fn verdicts_are_counted_and_callers_forgotten() {
        let member = |ip: &str, success: Value| json!({"identifier": ip, "success": success}).to_string();
        let answer = json!([
            member("203.0.113.9", json!(true)), "6", member("203.0.113.9", json!(false)), 3,
            member("198.51.100.7", json!("denied")), "1", "no json", "5", {"success": true}, 0
        ]);
        let mut outcome = Outcome::ok();
        callers("api_rl", &answer, &mut outcome);
        let found: Vec<_> = outcome.measures.iter().map(|one| one.value).collect();
        assert_eq!(found, [10.0, 4.0, 0.4]);
        assert!(!format!("{outcome:?}").contains("203.0"), "{outcome:?}");
    }
}
