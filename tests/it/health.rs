//! `/api/v1/health`, `/readyz`, `/healthz`: what operators and load balancers ask.

use crate::support::agent::Agent;
use crate::support::http;
use crate::support::target::Silent;
use serde_json::{Value, json};

fn checks(site: &Silent) -> String {
    let address = site.address();
    format!(
        "[[check]]\nname = 'site'\nsection = 'site'\nevery = '1s'\nprobe.tcp = {{ address = '{address}' }}\n\
         [[check]]\nname = 'database'\nsection = 'database'\nevery = '1s'\n\
         probe.postgres = {{ url = 'postgres://a:marked-secret@127.0.0.1:1/shop' }}\n\
         [[check]]\nname = 'orders'\nsection = 'business'\nevery = '1s'\nneeds = ['database']\n\
         probe.command = {{ argv = ['/bin/sh', '-c', 'echo \"x | pending_orders=3 failed_payments=0\"'] }}\n\
         [[check]]\nname = 'cache'\nsection = 'cache'\nprobe.redis = {{ url = '${{NOT_SET_ANYWHERE}}' }}\n"
    )
}

fn report(agent: &Agent) -> Value {
    serde_json::from_str(&agent.get("/api/v1/health").body).expect("JSON")
}

#[test]
fn the_report_has_the_names_that_operators_know_and_is_honest() {
    let site = Silent::start();
    let agent = Agent::start("health-report", &[("a", &checks(&site))]);
    agent.wait_until_ready();
    let report = report(&agent);
    assert_eq!(report["status"], "failed");
    assert_eq!(report["checks"]["database"]["status"], "failed");
    assert_eq!(report["checks"]["database"]["checks"][0]["class"], "connect");
    assert_eq!(report["checks"]["database"]["connectionPool"], Value::Null);
    assert_eq!(report["checks"]["email"]["status"], "unknown");
    assert_eq!(report["business"], json!({ "pendingOrders": 3, "failedPayments": 0, "activeCart": null }));
    assert_eq!(report["performance"]["errorRate"], 0.0);
    assert_eq!(report["performance"]["source"], "checks");
    assert!(report["performance"]["avgResponseTime"].as_f64().is_some_and(|ms| ms > 0.0), "{report:#}");
    assert_eq!(report["performance"]["throughput"], Value::Null);
    let why = |name: &str| report["notMeasured"][name].as_str().unwrap_or_default().to_owned();
    assert_eq!(why("checks.cache"), "skipped: variable NOT_SET_ANYWHERE is not set");
    assert_eq!(why("checks.email"), "no check is defined for it");
    let pool = why("checks.database.connectionPool");
    assert!(pool.starts_with("the check `database` failed: "), "{pool}");
    for name in ["business.activeCart", "performance.throughput"] {
        assert!(!why(name).is_empty(), "{name} is null without a reason");
    }
    assert!(!report.to_string().contains("marked-secret"));
}

#[test]
fn ready_is_when_every_check_has_run_once() {
    let site = Silent::start();
    let slow = "[[check]]\nname = 'slow'\nevery = '5s'\n\
                probe.command = { argv = ['/bin/sh', '-c', 'while [ ! -e go ]; do sleep 0.05; done'] }\n";
    let agent = Agent::start("health-ready", &[("a", &(checks(&site) + slow))]);
    agent.wait_for("the others to have run", |agent| agent.get("/readyz").body.starts_with("1 of 4"));
    assert_eq!(agent.get("/readyz").status, 503);
    assert_eq!(agent.get("/healthz").status, 200);
    std::fs::write(agent.directory.join("go"), "").expect("a file");
    agent.wait_until_ready();
}

#[test]
fn what_is_not_there_is_said_so() {
    let site = Silent::start();
    let agent = Agent::start("health-paths", &[("a", &checks(&site))]);
    assert_eq!(agent.get("/nothing").status, 404);
    assert_eq!(agent.get("/metrics/../healthz").status, 404);
    let list = http::get_with(agent.port, "/api/v1/checks", "Accept: text/plain\r\n").body;
    assert!(list.contains("skipped   cache"), "{list}");
}
