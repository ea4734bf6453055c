//! Heartbeats of jobs, by `curl` as it stands in crontabs, and by the forms that healthchecks.io's users have already.

use super::{CARD, EMAIL, PING_KEY, TOKEN, change, check, nowhere, post, requests, start};
use crate::support::agent::Agent;
use crate::support::http;
use std::process::Command;

const JOBS: &str = "[[check]]\nname = 'backup'\nevery = '1s'\nprobe.heartbeat = { job = 'backup', every = '1h', grace = '5m' }\n\
    [[check]]\nname = 'sync'\nevery = '1s'\nprobe.heartbeat = { job = 'sync', every = '1h', grace = '5m' }\n";

/// One line of a script, with `$AT` for the agent and `$AUTH` for the header that shows the token. What it printed, and
/// the exit code of `curl`.
fn script(agent: &Agent, line: &str) -> (String, i32) {
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).env("AT", format!("http://127.0.0.1:{}", agent.port));
    shell.env("AUTH", format!("Authorization: Bearer {TOKEN}")).env("KEY", PING_KEY).env("MARK", EMAIL);
    let output = shell.output().expect("a shell");
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code().expect("a code"))
}

fn says(agent: &Agent, line: &str) {
    assert_eq!(script(agent, line), ("OK\n".to_owned(), 0), "{line}\n{:#?}", agent.log());
}

fn reason(agent: &Agent, job: &str) -> String {
    check(agent, job)["reason"].as_str().unwrap_or_default().to_owned()
}

/// Waits until the check says so.
fn becomes(agent: &Agent, job: &str, status: &str, running: f64, text: &str) {
    agent.wait_for(&format!("{job} to be {status}, running {running}, with `{text}`"), |agent| {
        let is = check(agent, job);
        let measured = super::measure(agent, job, "running");
        is["status"] == status && measured == Some(running) && reason(agent, job).contains(text)
    });
}

#[test]
fn a_job_tells_by_curl_how_it_goes() {
    let agent = start("ingest-heartbeat", JOBS, "");
    becomes(&agent, "backup", "unknown", 0.0, "let the job call `/heartbeat/backup`");
    let curl = "curl -fsS -m 10 --retry 5 -H \"$AUTH\" $AT/heartbeat/backup";
    says(&agent, &format!("{curl}/start"));
    becomes(&agent, "backup", "unknown", 1.0, "");
    says(&agent, curl);
    becomes(&agent, "backup", "ok", 0.0, "");
    // The exit code of what ran before.
    says(&agent, &format!("(exit 3); {curl}/$?"));
    becomes(&agent, "backup", "failed", 0.0, "failed with exit code 3 at");
    says(&agent, &format!("true; {curl}/$?"));
    becomes(&agent, "backup", "ok", 0.0, "");
    says(&agent, &format!("{curl}/fail"));
    becomes(&agent, "backup", "failed", 0.0, "a run failed at");
    let run = "rid=728b3763-ea84-4ccc-97bb-1e0ab1ee5a5c";
    says(&agent, &format!("{curl}/start?{run}"));
    becomes(&agent, "backup", "failed", 1.0, "");
    says(&agent, &format!("{curl}/start?rid=another"));
    agent.wait_for("two runs at once", |agent| super::measure(agent, "backup", "overlapping") == Some(1.0));
    says(&agent, &format!("{curl}?rid=another"));
    says(&agent, &format!("{curl}?{run}'&duration_ms=1500'"));
    becomes(&agent, "backup", "ok", 0.0, "");
    assert_eq!(super::measure(&agent, "backup", "last_duration_seconds"), Some(1.5));
    assert_eq!(requests(&agent, "heartbeat", "taken"), 9.0);
}

#[test]
fn what_users_of_healthchecks_have_in_their_scripts_works() {
    let mut agent = start("ingest-healthchecks", JOBS, "");
    says(&agent, "curl -fsS -m 10 --retry 5 -o /dev/null -w 'OK\\n' $AT/ping/$KEY/sync/start");
    becomes(&agent, "sync", "unknown", 1.0, "");
    says(&agent, "curl -fsS -m 10 --retry 5 $AT/ping/$KEY/sync?create=1");
    becomes(&agent, "sync", "ok", 0.0, "");
    // The output of the job, as text and as a large file, is taken and kept nowhere.
    says(&agent, "curl -fsS -m 10 --retry 5 --data-raw \"backed up for $MARK\" $AT/ping/$KEY/sync/1");
    becomes(&agent, "sync", "failed", 0.0, "failed with exit code 1 at");
    says(
        &agent,
        "yes \"backed up for $MARK\" | head -c 3000000 | curl -fsS -m 10 --retry 5 --data-binary @- -H 'Expect:' $AT/ping/$KEY/sync",
    );
    becomes(&agent, "sync", "ok", 0.0, "");
    says(&agent, "yes \"$MARK\" | head -c 90000 | curl -fsS -m 10 -T - -X POST $AT/ping/$KEY/sync/fail");
    becomes(&agent, "sync", "failed", 0.0, "");
    let (head, code) = script(&agent, "curl -fsSI -m 10 $AT/ping/$KEY/sync");
    assert!(code == 0 && head.starts_with("HTTP/1.1 200"), "{head}");
    becomes(&agent, "sync", "ok", 0.0, "");
    says(&agent, "curl -fsS -m 10 $AT/ping/$KEY/sync/log --data-raw hello");
    says(&agent, "wget -q -O - $AT/ping/$KEY/sync -t 5 -T 10");
    for path in ["/metrics", "/api/v1/checks", "/"] {
        let told = agent.get(path).body;
        assert!(!told.contains(EMAIL) && !told.contains(PING_KEY), "{path}");
    }
    agent.terminate();
    nowhere(&agent.directory, &[EMAIL, CARD, PING_KEY, TOKEN, "backed up"]);
}

#[test]
fn a_stranger_and_a_slip_of_the_pen_are_told_so() {
    let agent = start("ingest-heartbeat-wrong", JOBS, "");
    let refused = |line: &str, status: &str| {
        let (told, code) =
            script(&agent, &format!("curl -fsS -m 10 -o /dev/null -w '%{{http_code}}' {line}"));
        assert_eq!((told.as_str(), code), (status, 22), "{line}");
    };
    refused("-H \"$AUTH\" $AT/heartbeat/bakcup", "404");
    refused("-H \"$AUTH\" $AT/heartbeat/backup/stop", "400");
    refused("-H \"$AUTH\" $AT/heartbeat/backup/256", "400");
    refused("-H \"$AUTH\" $AT/heartbeat/backup?rid=a%20b", "400");
    refused("-H \"$AUTH\" -X DELETE $AT/heartbeat/backup", "405");
    refused("$AT/ping/$KEY/bakcup", "404");
    refused("$AT/heartbeat/backup", "401");
    refused("$AT/ping/not-the-key-of-anybody/backup", "401");
    refused("-H 'Authorization: Bearer not-the-token-of-anybody' $AT/heartbeat/backup", "401");
    // Neither of them opens anything else.
    let key = format!("Authorization: Bearer {PING_KEY}\r\n");
    assert_eq!(post(agent.port, "/heartbeat/backup", &key, b"").status, 401);
    assert_eq!(post(agent.port, "/api/v1/events", &key, b"{\"event\":\"a\"}").status, 401);
    for headers in [key, format!("Authorization: Bearer {TOKEN}\r\n")] {
        let headers = format!("{headers}X-Forwarded-For: 203.0.113.9\r\n");
        for path in ["/metrics", "/api/v1/checks", "/ops/", "/api/v1/silences"] {
            assert_ne!(http::get_with(agent.port, path, &headers).status, 200, "{path}");
        }
    }
    let (_, code) = script(&agent, "curl -fsS -m 10 $AT/ping/$KEY/backup");
    assert_eq!(code, 0, "the right key is still looked at");
    assert_eq!(requests(&agent, "heartbeat", "taken"), 1.0);
}

/// Both jobs succeeded two hours ago, and are due every hour.
const TWO_HOURS_LATER: &str = "UPDATE ping SET at = at - 7200000000000; UPDATE meta SET value = value - 10800000000000 WHERE key = 'begun'";

#[test]
fn who_was_not_there_when_a_job_was_due_does_not_call_it_late() {
    let mut agent = start("ingest-heartbeat-away", JOBS, "");
    for job in ["backup", "sync"] {
        says(&agent, &format!("curl -fsS -m 10 -H \"$AUTH\" $AT/heartbeat/{job}"));
        becomes(&agent, job, "ok", 0.0, "");
    }
    agent.kill();
    change(&agent.directory, TWO_HOURS_LATER);
    change(&agent.directory, "UPDATE meta SET value = value - 115 WHERE key = 'heard'");
    agent.restart();
    becomes(&agent, "backup", "unknown", 0.0, "nobody listened when it was due");
    // What is heard from now on says how it is.
    says(&agent, "curl -fsS -m 10 -H \"$AUTH\" $AT/heartbeat/sync");
    becomes(&agent, "sync", "ok", 0.0, "");
    says(&agent, "curl -fsS -m 10 -H \"$AUTH\" $AT/heartbeat/backup/fail");
    becomes(&agent, "backup", "failed", 0.0, "a run failed at");
}

#[test]
fn a_job_that_was_listened_for_and_did_not_come_is_late_from_the_first_look_of_a_process_on() {
    let mut agent = start("ingest-heartbeat-late", JOBS, "");
    says(&agent, "curl -fsS -m 10 -H \"$AUTH\" $AT/heartbeat/backup");
    becomes(&agent, "backup", "ok", 0.0, "");
    agent.kill();
    change(&agent.directory, TWO_HOURS_LATER);
    agent.restart();
    becomes(&agent, "backup", "failed", 0.0, "late: a success was due at");
}
