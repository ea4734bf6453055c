//! When nothing can be written down: senders are told to come again, somebody is alerted, and it ends by itself.

use super::{CHECK, JSON, SENDER, TOKEN, header, post, resend, secrets, start};
use crate::store::child::{is_child, on_a_disk_of_its_own};
use crate::support::agent::Agent;
use crate::support::hang;
use crate::support::server::directory;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

const ORDER: &[u8] = b"{\"event\":\"order_completed\"}\n";

/// Whether an alert about the taking of what is said is open.
fn is_alerted(agent: &Agent) -> bool {
    let alerts: Value = serde_json::from_str(&agent.get("/api/v1/alerts").body).expect("JSON");
    alerts.to_string().contains("The agent's ingest")
}

fn obstacle(name: &str) -> PathBuf {
    let path = directory(name).join("atalaya.db.inbox");
    fs::create_dir_all(&path).expect("a folder");
    path
}

#[test]
fn without_a_file_everybody_is_told_to_come_again_until_there_is_one() {
    let name = "ingest-outage";
    let obstacle = obstacle(name);
    let agent = start(name, "", "");
    agent.wait_for("the alert", is_alerted);
    let answers = [
        post(agent.port, "/api/v1/events", SENDER, ORDER),
        post(agent.port, "/v1/traces", JSON, b"{\"resourceSpans\":[]}"),
        resend(
            agent.port,
            "msg_1",
            r#"{"type":"email.sent","created_at":"2026-02-22T23:41:12Z","data":{"email_id":"e-1"}}"#,
        ),
    ];
    for answer in &answers {
        assert_eq!((answer.status, header(answer, "retry-after")), (503, Some("5")), "{}", answer.body);
        assert!(!answer.body.contains("atalaya.db"), "no stranger need know: {}", answer.body);
    }
    assert_eq!(agent.metric("atalaya_ingest_up"), Some(0.0));
    fs::remove_dir(obstacle).expect("room for the file");
    // Nobody sends anything meanwhile.
    agent.wait_for("the end of the alert", |agent| !is_alerted(agent));
    assert_eq!(agent.metric("atalaya_ingest_up"), Some(1.0));
    assert_eq!(post(agent.port, "/api/v1/events", SENDER, ORDER).status, 202);
}

#[test]
fn an_alert_that_was_open_when_it_was_killed_ends_when_all_is_well() {
    let name = "ingest-outage-killed";
    let obstacle = obstacle(name);
    let mut agent = start(name, "", "");
    agent.wait_for("the alert", is_alerted);
    let file = agent.directory.join("atalaya.db");
    agent.wait_for("it to be written", |_| fs::read(&file).is_ok_and(|_| stands(&file, "agent/ingest")));
    agent.kill();
    fs::remove_dir(obstacle).expect("room for the file");
    agent.restart();
    agent.wait_for("the end of the alert", |agent| !is_alerted(agent));
}

/// Whether the store has this text somewhere.
fn stands(store: &Path, text: &str) -> bool {
    let log = store.with_extension("db-wal");
    let has = |path: &Path| {
        let bytes = fs::read(path).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    has(store) || has(&log)
}

#[test]
fn a_full_disk_is_waited_out() {
    let folder = directory("ingest-full");
    if !is_child() {
        return on_a_disk_of_its_own("ingest::outage::a_full_disk_is_waited_out", &folder, "size=8m");
    }
    let folder = PathBuf::from(std::env::var_os("ATALAYA_STORE_CHILD").expect("a folder"));
    fs::create_dir_all(folder.join("checks")).expect("a folder");
    fs::write(folder.join("checks/all.toml"), CHECK).expect("a file");
    let agent = Agent::start_in(folder.clone(), &secrets());
    let send =
        |key: u32| post(agent.port, "/api/v1/events", &format!("{SENDER}Idempotency-Key: {key}\r\n"), ORDER);
    assert_eq!(send(0).status, 202);
    let ballast = folder.join("ballast");
    let mut file = fs::File::create(&ballast).expect("a file");
    while file.write_all(&[7; 4096]).is_ok() {}
    drop(file);
    // The log of the file may have some room left.
    let refused = (1..2_000).find(|key| {
        let answer = send(*key);
        assert!(matches!(answer.status, 202 | 503), "{}", answer.body);
        answer.status == 503
    });
    let refused = refused.expect("a disk has an end");
    agent.wait_for("the alert", is_alerted);
    let again = send(refused);
    assert_eq!((again.status, header(&again, "retry-after")), (503, Some("5")), "{}", again.body);
    assert_eq!(agent.get("/healthz").status, 200);
    fs::remove_file(ballast).expect("room");
    agent.wait_for("room", |_| send(refused).status == 202);
    agent.wait_for("the end of the alert", |agent| !is_alerted(agent));
    assert!(send(refused).body.contains("\"repeated\":true"));
    assert_eq!(super::events(&agent, "events", "order_completed"), f64::from(refused + 1));
    assert!(!agent.get("/metrics").body.contains(TOKEN));
}

#[test]
fn a_disk_that_hangs_for_somebody_who_only_asks_is_told_and_got_over() {
    let name = "ingest-hang";
    let (disk, hang) = hang::disk(&directory(name), ".inbox");
    let environment = [secrets(), disk].concat();
    let agent = Agent::start_with(name, &[("all", CHECK)], &environment);
    assert_eq!(post(agent.port, "/api/v1/events", SENDER, ORDER).status, 202);
    fs::write(&hang, "").expect("a file");
    // Nothing arrives. The first question of a new check has to write down when it was asked.
    let check = "[[check]]\nname = 'letters'\nevery = '1s'\nprobe.received = { source = 'resend' }\n";
    agent.write_checks("more", check);
    agent.wait_for("the alert", is_alerted);
    assert_eq!(agent.metric("atalaya_ingest_up"), Some(0.0));
    // Whoever comes is told at once, and nobody hangs with the disk.
    let refused = post(agent.port, "/api/v1/events", SENDER, ORDER);
    assert_eq!((refused.status, header(&refused, "retry-after")), (503, Some("5")), "{}", refused.body);
    assert_eq!(agent.get("/healthz").status, 200);
    fs::remove_file(&hang).expect("it goes on");
    agent.wait_for("room", |agent| post(agent.port, "/api/v1/events", SENDER, ORDER).status == 202);
    agent.wait_for("the end of the alert", |agent| !is_alerted(agent));
    agent.wait_for("an answer", |agent| super::measure(agent, "letters", "silence_seconds").is_some());
}
