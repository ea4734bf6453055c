//! What exporters make of an answer that is not simply yes: they try again what can be better later, and nothing else.

use super::exporters::{node, python, stories, told_exactly, url};
use super::{SENDER, TOKEN, post, requests, start};
use crate::support::agent::Agent;
use crate::support::server::directory;
use serde_json::{Value, json};

fn given(agent: &Agent, exporter: &str, spans: &Value) -> Value {
    json!({"url": url(agent), "token": TOKEN, "exporter": exporter, "compression": "gzip", "act": "spans", "spans": spans})
}

#[test]
fn what_can_not_be_read_is_sent_once() {
    let agent = start("ingest-garbage", "", "");
    let mut given = given(&agent, "", &Value::Null);
    given["act"] = "garbage".into();
    let said = python(&given);
    assert_eq!((&said["result"], &said["status"]), (&"FAILURE".into(), &400.into()), "{said:#}");
    assert_eq!(requests(&agent, "otlp", "malformed"), 1.0, "it was not tried again");
}

#[test]
fn who_may_not_send_does_not_try_again() {
    let agent = start("ingest-stranger", "", "");
    let mut given = given(&agent, "proto", &stories());
    given["token"] = "token-of-nobody-at-all".into();
    for said in [python(&given), node(&given)] {
        assert_eq!(said["result"], "FAILURE", "{said:#}");
    }
    assert_eq!(agent.metric("atalaya_http_wrong_credentials_total"), Some(2.0));
}

#[test]
fn a_span_that_is_none_is_told_to_the_exporter_and_the_others_count() {
    let agent = start("ingest-partial", "", "");
    let mut spans = stories();
    let endless = json!([{"id": "a", "name": "GET", "kind": "SERVER", "ms": 90_000_000, "attributes": {"http.method": "GET"}}]);
    spans.as_array_mut().expect("stories").push(endless);
    for (times, exporter) in [(1, "proto"), (2, "http")] {
        let said = node(&given(&agent, exporter, &spans));
        assert_eq!(said["result"], "SUCCESS", "{said:#}");
        let log = said["logs"].to_string();
        assert!(log.contains("Partial Success") && log.contains("rejectedSpans"), "{log}");
        told_exactly(&agent, times, said["trace"].as_str());
    }
    assert_eq!(python(&given(&agent, "", &spans))["result"], "SUCCESS");
    told_exactly(&agent, 3, None);
    assert_eq!(agent.metric("atalaya_ingest_rejected_items_total{kind=\"otlp\"}"), Some(3.0));
}

#[test]
fn what_could_not_be_written_down_comes_again_and_counts_once() {
    let name = "ingest-retry";
    // Where the file should be is something else.
    let obstacle = directory(name).join("atalaya.db.inbox");
    std::fs::create_dir_all(&obstacle).expect("a folder");
    let agent = start(name, "", "");
    let refused =
        post(agent.port, "/v1/traces", &format!("{SENDER}Content-Type: application/json\r\n"), b"{}");
    assert_eq!(
        (refused.status, super::header(&refused, "retry-after")),
        (503, Some("5")),
        "{}",
        refused.body
    );
    let refused: Value = serde_json::from_str(&refused.body).expect("a status in JSON");
    assert_eq!(refused["code"], 14, "{refused}");
    std::thread::scope(|scope| {
        let senders = [
            scope.spawn(|| python(&given(&agent, "", &stories()))),
            scope.spawn(|| node(&given(&agent, "proto", &stories()))),
        ];
        agent.wait_for("both to be refused", |agent| requests(agent, "otlp", "ill") >= 3.0);
        std::fs::remove_dir(&obstacle).expect("room for the file");
        for sender in senders {
            let said = sender.join().expect("an exporter");
            assert_eq!(said["result"], "SUCCESS", "{said:#}");
        }
    });
    told_exactly(&agent, 2, None);
}
