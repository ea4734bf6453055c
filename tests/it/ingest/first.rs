//! Before anything was heard: the agent's own looks stand for customers, and that nothing comes is told.

use super::{JSON, check, measure, post, secrets};
use crate::support::agent::Agent;
use serde_json::Value;

const CHECKS: &str = "[[check]]\nname = 'requests'\nevery = '1s'\n\
    probe.received = { source = 'requests', sent_with = '${ATALAYA_INGEST_TOKEN}' }\n\
    limits.silence_seconds = { degraded = '> 2s' }\n\
    [[check]]\nname = 'fine'\nevery = '1s'\nprobe.command = { argv = ['/bin/true'] }\n";
const ALERTS: &str = "[[slo]]\nname = 'errors'\nobjective = '99%'\n\
    indicator.counts = { check = 'requests', good = 'requests_ok', total = 'requests' }\n\
    otherwise.latency = { check = 'fine', below = '30s' }\n";

fn objectives(agent: &Agent) -> Vec<Value> {
    let answer = agent.get("/api/v1/objectives");
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.body))
}

fn objective(agent: &Agent) -> Value {
    objectives(agent).swap_remove(0)
}

#[test]
fn what_the_agent_sees_is_judged_until_the_shop_speaks() {
    let mut agent = Agent::start_alerting("ingest-first", &[("all", CHECKS)], ALERTS, &secrets());
    let before = objective(&agent);
    assert_eq!(before["instead"], "its check `requests` has heard nothing yet", "{before:#}");
    assert_eq!(before["checks"], serde_json::json!(["fine"]), "{before:#}");
    // Who set the token up means to send: that nothing comes is no health.
    agent.wait_for("the silence to be told", |agent| check(agent, "requests")["status"] == "degraded");
    assert!(measure(&agent, "requests", "silence_seconds").is_some_and(|seconds| seconds > 2.0));
    // Other things that are said are not what this is made of.
    assert_eq!(post(agent.port, "/api/v1/events", JSON, b"{\"event\":\"cart_active\"}").status, 202);
    assert_eq!(objective(&agent)["instead"], before["instead"]);

    let call =
        b"{\"event\":\"api_call\",\"method\":\"GET\",\"route\":\"/\",\"status\":200,\"duration_ms\":5}";
    assert_eq!(post(agent.port, "/api/v1/events", JSON, call).status, 202);
    agent.wait_for("the shop to be judged", |agent| objective(agent)["instead"].is_null());
    assert_eq!(objective(&agent)["checks"], serde_json::json!(["requests"]));
    agent.wait_for("its requests to be heard", |agent| check(agent, "requests")["status"] == "ok");

    // It is remembered, from the first moment of the next process on.
    agent.kill();
    agent.restart();
    assert_eq!(objective(&agent)["instead"], Value::Null);
    // Other definitions change nothing of it.
    agent.write_alerts(
        "[[slo]]\nname = 'more'\nobjective = '99%'\nindicator.availability = { checks = ['fine'] }\n",
    );
    agent.wait_for("the second objective", |agent| objectives(agent).len() == 2);
    assert_eq!(objective(&agent)["instead"], Value::Null);
}
