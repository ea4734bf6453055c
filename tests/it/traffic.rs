//! What a shop says by itself, as its operators and their programs see it.

use crate::support::agent::Agent;
use crate::support::http::{self, Answer};
use serde_json::Value;

const CHECKS: &str = "[[check]]\nname = 'backup'\ntitle = 'Backup'\nsection = 'jobs'\nevery = '1s'\n\
     probe.heartbeat = { job = 'database-backup', every = '1h', grace = '1h' }\n\
     [[check]]\nname = 'requests'\nsection = 'site'\nevery = '1s'\nprobe.received = { source = 'requests' }\n";

fn start(name: &str) -> Agent {
    let agent = Agent::start(name, &[("all", CHECKS)]);
    agent.wait_until_ready();
    agent
}

fn ask(agent: &Agent, method: &str, path: &str, body: &str) -> Answer {
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    http::send(agent.port, method, path, &format!("{}Accept: text/html\r\n{form}", agent.operator()), body)
}

fn say(agent: &Agent, path: &str, json: &str) -> Answer {
    let headers = format!("{}Content-Type: application/json\r\n", agent.operator());
    http::send(agent.port, "POST", path, &headers, json)
}

fn page(agent: &Agent, path: &str) -> String {
    let answer = ask(agent, "GET", path, "");
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.body
}

fn json(agent: &Agent, path: &str) -> Value {
    serde_json::from_str(&page(agent, path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A hundred requests of which one failed and took a second, a slow query, two orders.
fn tell(agent: &Agent) {
    let mut lines: Vec<String> = (1..100)
        .map(|ms| {
            format!(r#"{{"event":"api_call","method":"GET","route":"/<b>","status":200,"duration_ms":{ms}}}"#)
        })
        .collect();
    lines.extend(
        [
            r#"{"event":"api_call","method":"POST","route":"/api/checkout","status":503,"duration_ms":1000}"#,
            r#"{"event":"db_query","query":"select * from orders where id = 4711","duration_ms":150}"#,
            r#"{"event":"order_completed"}"#,
            r#"{"event":"order_completed"}"#,
        ]
        .map(str::to_owned),
    );
    let answer = ask(agent, "POST", "/api/v1/events", &lines.join("\n"));
    assert_eq!(answer.status, 202, "{}", answer.body);
}

#[test]
fn all_that_was_said_is_merged_and_told() {
    let agent = start("traffic-told");
    tell(&agent);
    for span in ["1h", "24h", "7d"] {
        let told = json(&agent, &format!("/api/v1/traffic?span={span}"));
        let requests = &told["requests"];
        assert_eq!((&requests["count"], &requests["failed"]), (&100.into(), &1.into()), "{told}");
        assert_eq!(requests["statusClasses"], serde_json::json!({ "2xx": 99, "5xx": 1 }));
        let seconds = |name: &str| requests["seconds"][name].as_f64().expect("a number");
        for (name, expected) in [("p50", 0.05), ("p95", 0.095), ("p99", 0.099), ("longest", 1.0)] {
            let off = (seconds(name) - expected).abs() / expected;
            assert!(off < 0.001, "{span} {name}: {}", seconds(name));
        }
        assert_eq!(told["routes"][0]["route"], "GET /<b>");
        let slow = &told["queries"]["statements"][0];
        assert!(!slow.to_string().contains("4711") && slow["count"] == 1, "{slow}");
        assert_eq!(
            (&told["events"][0]["event"], &told["events"][0]["count"]),
            (&"order_completed".into(), &2.into())
        );
        // The file is as old as the agent: of what was before nobody knows, and the columns say so.
        let columns = told["columns"].as_array().expect("columns");
        assert_eq!(
            (&columns[0]["requests"], told["unheardSeconds"].as_u64() > Some(3_000)),
            (&Value::Null, true)
        );
        assert_eq!(columns.iter().filter_map(|one| one["requests"].as_u64()).sum::<u64>(), 100);
        let page = page(&agent, &format!("/ops/traffic?span={span}"));
        assert!(page.contains("GET /&#60;b&#62;") && page.contains("nobody listened"), "{page}");
        assert!(!page.contains("4711"), "{page}");
    }
    assert_eq!(ask(&agent, "GET", "/ops/traffic?span=3h", "").status, 404);
    assert_eq!(ask(&agent, "GET", "/api/v1/traffic?span=3h", "").status, 400);
}

#[test]
fn where_nothing_was_said_it_is_told_how_to_say_it() {
    let agent = start("traffic-silent");
    let page = page(&agent, "/ops/traffic");
    let address = "http://localhost";
    assert!(
        page.contains("has told of no request") && page.contains(&format!("{address}/api/v1/events")),
        "{page}"
    );
    assert!(!page.contains("class=\"plot\""), "{page}");
    let told = json(&agent, "/api/v1/traffic");
    assert_eq!(
        (&told["requests"]["failedRatio"], &told["requests"]["seconds"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn a_job_is_told_of_with_the_line_that_it_calls() {
    let agent = start("traffic-job");
    let line = "http://localhost/heartbeat/database-backup";
    let never = &json(&agent, "/api/v1/heartbeats")[0];
    assert_eq!((&never["url"], &never["lastSuccess"]), (&line.into(), &Value::Null), "{never}");
    for word in ["start", "success?duration_ms=1500", "7"] {
        assert_eq!(ask(&agent, "POST", &format!("/heartbeat/database-backup/{word}"), "").status, 200);
    }
    agent.wait_for("the failure to be told", |agent| {
        let told = &json(agent, "/api/v1/heartbeats")[0];
        told["status"] == "failed" && told["exitCode"] == 7 && told["lastSeconds"] == 1.5
    });
    for path in ["/ops/traffic", "/ops/checks/backup"] {
        assert!(page(&agent, path).contains(line), "{path}");
    }
    assert!(page(&agent, "/ops/checks/requests").contains("It listens for requests of customers"));
    let wrong = ask(&agent, "DELETE", "/heartbeat/database-backup", "");
    assert!(wrong.status == 405 && wrong.head.to_lowercase().contains("allow: get,head,post"), "{wrong:?}");
}

#[test]
fn letters_are_worked_through_again_by_who_may() {
    let agent = start("traffic-letters");
    assert_eq!(ask(&agent, "POST", "/api/v1/letters/square/again", "").body, r#"{"letters":0}"#);
    assert_eq!(ask(&agent, "POST", "/api/v1/letters/nobody/again", "").status, 404);
    assert_eq!(http::send(agent.port, "POST", "/api/v1/letters/square/again", "", "").status, 401);
    let form = ask(&agent, "POST", "/ops/traffic/letters/resend/again", "");
    assert!(form.status == 303 && form.head.contains("/ops/traffic?said=none"), "{form:?}");
    let seen = r#"{"by":"ana","letters":["e-1"]}"#;
    assert_eq!(say(&agent, "/api/v1/letters/square/seen", seen).body, r#"{"letters":0}"#);
    assert_eq!(say(&agent, "/api/v1/letters/nobody/seen", seen).status, 404);
    assert_eq!(http::send(agent.port, "POST", "/api/v1/letters/square/seen", "", seen).status, 401);
    for wrong in [r#"{"by":"ana"}"#, r#"{"by":" ","letters":["e-1"]}"#, r#"{"by":"ana","letters":[]}"#] {
        assert_eq!(say(&agent, "/api/v1/letters/square/seen", wrong).status, 422, "{wrong}");
    }
    let form = ask(&agent, "POST", "/ops/traffic/letters/resend/seen", "letters=e-1+e-2");
    assert!(form.status == 303 && form.head.contains("/ops/traffic?said=away"), "{form:?}");
}
