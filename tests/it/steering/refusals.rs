//! What the API is asked wrongly: an answer of 4xx that says in words what is wrong, and nothing changes.

use super::{Door, Hook, on_call, site, start};
use crate::support::agent::Agent;
use crate::support::http;

const JSON: &str = "content-type: application/json\r\n";

struct Asked<'a> {
    agent: &'a Agent,
    token: String,
}

impl Asked<'_> {
    fn check(&self, (method, path): (&str, &str), body: &str, status: u16, words: &str) {
        let headers = format!("{JSON}Authorization: Bearer {}\r\n", self.token);
        let answer = http::send(self.agent.port, method, path, &headers, body);
        let shown: String = body.chars().take(80).collect();
        assert_eq!(answer.status, status, "{method} {path} {shown}: {}", answer.body);
        assert!(answer.body.contains(words), "{method} {path} {shown}: {}", answer.body);
    }
}

const ADD: (&str, &str) = ("POST", "/api/v1/silences");
const ACK: (&str, &str) = ("POST", "/api/v1/alerts/acknowledge");

/// A silence with this in place of one of its parts.
fn silence(part: &str) -> String {
    format!(r#"{{"matchers": [{{"label": "check", "is": "=", "value": "x"}}], "by": "ana"{part}}}"#)
}

#[test]
fn what_is_wrong_is_refused_in_words_and_changes_nothing() {
    let (hook, door) = (Hook::start(), Door::open());
    let agent = start("steering-refusals", &site(&door), &on_call(&hook));
    let token = std::fs::read_to_string(agent.directory.join("atalaya.db.token")).expect("the token");
    let asked = Asked { agent: &agent, token };

    asked.check(ADD, "{", 400, "EOF");
    asked.check(ADD, "", 400, "EOF");
    asked.check(ADD, "[1]", 422, "expected");
    asked.check(ADD, &"[".repeat(5000), 422, "expected");
    asked.check(ADD, "{}", 422, "missing field `matchers`");
    asked.check(ADD, &silence(r#", "until": "2030-01-01T00:00:00Z""#), 422, "unknown field `until`");
    asked.check(
        ADD,
        r#"{"matchers": [{"label": "a", "is": "=", "value": "b", "x": 1}], "by": "a"}"#,
        422,
        "`x`",
    );
    asked.check(ADD, r#"{"matchers": [{"label": "a", "is": "~", "value": "b"}], "by": "a"}"#, 422, "`=~`");
    asked.check(ADD, r#"{"matchers": [], "by": "ana"}"#, 422, "at least one matcher");
    asked.check(ADD, &silence(r#", "seconds": null, "by": "x""#), 422, "duplicate field `by`");
    for seconds in ["-1", "1e3", "\"2h\"", "1.5"] {
        asked.check(ADD, &silence(&format!(", \"seconds\": {seconds}")), 422, "seconds");
    }
    asked.check(ADD, &silence(r#", "seconds": 0"#), 422, "no length");
    for seconds in [30 * 86_400 + 1, u64::MAX] {
        asked.check(ADD, &silence(&format!(", \"seconds\": {seconds}")), 422, "30 days at most");
    }
    asked.check(
        ADD,
        r#"{"matchers": [{"label": "check", "is": "=~", "value": "a("}], "by": "a"}"#,
        422,
        "unclosed group",
    );
    asked.check(
        ADD,
        r#"{"matchers": [{"label": "check", "is": "=", "value": "a\u0000"}], "by": "a"}"#,
        422,
        "one line",
    );
    asked.check(
        ADD,
        r#"{"matchers": [{"label": "check", "is": "=", "value": "a"}], "by": " \u0007"}"#,
        422,
        "`by` is empty",
    );
    asked.check(ADD, &silence(&format!(", \"comment\": \"{}\"", "x".repeat(501))), 422, "500 characters");
    asked.check(ADD, &silence(&format!(", \"comment\": \"{}\"", "x".repeat(20_000))), 413, "limit");

    asked.check(ACK, r#"{"alert": "site", "by": "ana"}"#, 404, "no alert `site` is firing; firing: none is");
    asked.check(ACK, r#"{"alert": "site", "by": ""}"#, 422, "`by` is empty");
    asked.check(ACK, r#"{"alert": "site", "by": "ana", "for": "2h"}"#, 422, "unknown field `for`");
    let nobody = r#"{"by": "ana"}"#;
    asked.check(("DELETE", "/api/v1/silences/none"), nobody, 404, "no silence `none` is in force");
    asked.check(("DELETE", "/api/v1/silences/%ff"), nobody, 400, "UTF-8");
    asked.check(
        ("POST", "/api/v1/channels/none/test"),
        "{}",
        404,
        "there is no channel \"none\"; there are hook",
    );
    asked.check(("PUT", "/api/v1/silences"), "{}", 405, "does not take that method");
    asked.check(("POST", "/api/v1/nothing"), "{}", 404, "no such page");
    let plain =
        http::send(agent.port, ADD.0, ADD.1, &format!("Authorization: Bearer {}\r\n", asked.token), "{}");
    assert_eq!((plain.status, plain.body.contains("application/json")), (415, true), "{}", plain.body);

    assert_eq!(agent.get("/api/v1/silences").body, "[]");
    assert_eq!(agent.get("/healthz").status, 200);
}

#[test]
fn whoever_lacks_the_token_changes_nothing() {
    let (hook, door) = (Hook::start(), Door::open());
    let agent = start("steering-token-refused", &site(&door), &on_call(&hook));
    let token = std::fs::read_to_string(agent.directory.join("atalaya.db.token")).expect("the token");
    let (half, longer) = (&token[..16], format!("{token}0"));
    for authorization in ["", "Bearer ", "Bearer wrong", half, &longer, &format!("Basic {token}"), &token] {
        let authorization = if authorization.is_empty() {
            String::new()
        } else {
            format!("Authorization: {authorization}\r\n")
        };
        for (method, path) in
            [ADD, ACK, ("DELETE", "/api/v1/silences/a"), ("POST", "/api/v1/channels/hook/test")]
        {
            let answer =
                http::send(agent.port, method, path, &format!("{JSON}{authorization}"), &silence(""));
            assert_eq!(answer.status, 401, "{method} {path} {authorization}");
            assert!(answer.body.contains("Authorization: Bearer TOKEN"), "{}", answer.body);
        }
    }
    assert_eq!(agent.get("/api/v1/silences").body, "[]");
    assert_eq!(hook.told(), []);
}

#[test]
fn what_people_write_is_shown_as_one_plain_line() {
    let (hook, door) = (Hook::start(), Door::open());
    let agent = start("steering-plain", &site(&door), &on_call(&hook));
    let token = std::fs::read_to_string(agent.directory.join("atalaya.db.token")).expect("the token");
    let headers = format!("{JSON}Authorization: Bearer {token}\r\n");
    let body = r#"{"matchers": [{"label": "check", "is": "=", "value": "x"}], "by": "a\u0000\u001b[31mna\r\nBcc: x", "comment": "\u202eé"}"#;
    let answer = http::send(agent.port, ADD.0, ADD.1, &headers, body);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let listed: serde_json::Value = serde_json::from_str(&agent.get("/api/v1/silences").body).expect("JSON");
    assert_eq!((&listed[0]["by"], &listed[0]["comment"]), (&"a na Bcc: x".into(), &"é".into()));
}
