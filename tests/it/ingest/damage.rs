//! What becomes of what was received when its file is damaged: it is put aside and told, and taking goes on.

use super::{JSON, counted, events, post, square, start, times};
use super::{SQUARE_KEY, payment};
use crate::support::agent::Agent;
use atalaya::ingest::Source;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

fn inbox(agent: &Agent) -> PathBuf {
    agent.directory.join("atalaya.db.inbox")
}

fn put_aside(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
    names.filter(|name| name.starts_with("atalaya.db.inbox.corrupt-")).count()
}

fn order(agent: &Agent) -> u16 {
    post(agent.port, "/api/v1/events", JSON, b"{\"event\":\"order_completed\"}").status
}

#[test]
fn a_damaged_file_is_put_aside_and_told_and_taking_goes_on() {
    let mut agent = start("ingest-damage", "", "");
    let spoil: [fn(&Path); 2] = [
        |path| fs::write(path, "no database at all\n".repeat(1000)).expect("noise"),
        |path| {
            let length = fs::metadata(path).expect("the file").len();
            OpenOptions::new().write(true).open(path).expect("the file").set_len(length / 2).expect("cut");
        },
    ];
    for (number, spoil) in (1..).zip(spoil) {
        for _ in 0..3 {
            assert_eq!(order(&agent), 202);
        }
        agent.terminate();
        spoil(&inbox(&agent));
        agent.restart();
        agent.wait_for("the alert", |agent| {
            let alerts = agent.get("/api/v1/alerts").body;
            alerts.contains("The agent's ingest") && alerts.contains("it lies at")
        });
        let log = agent.log();
        let told = "what the shop had said was damaged and is put aside";
        assert!(log.iter().any(|line| line["message"] == told && line["level"] == "ERROR"), "{log:#?}");
        assert_eq!(put_aside(&agent.directory), number);
        assert_eq!(order(&agent), 202);
        assert_eq!(
            square(agent.port, SQUARE_KEY, &payment("e-1", "p-1", "COMPLETED", "2026-02-06T21:27:34Z"))
                .status,
            202
        );
        agent.wait_for("the letter", |agent| events(agent, "square", "payments_succeeded") == 1.0);
        agent.wait_for("the end of the alert", |agent| !agent.get("/api/v1/alerts").body.contains("ingest"));
    }
    agent.terminate();
    assert_eq!(times(&counted(&agent.directory, Source::Events), "order_completed"), 1);
}

#[test]
fn a_file_that_is_removed_while_in_use_is_missed_at_once_and_made_anew() {
    let mut agent = start("ingest-removed", "", "");
    assert_eq!(order(&agent), 202);
    fs::remove_file(inbox(&agent)).expect("removed");
    assert_eq!(order(&agent), 503, "what is written into it would be lost");
    agent.wait_for("the alert", |agent| agent.get("/api/v1/alerts").body.contains("The agent's ingest"));
    agent.wait_for("a new file", |agent| order(agent) == 202);
    agent.wait_for("the end of the alert", |agent| !agent.get("/api/v1/alerts").body.contains("ingest"));
    agent.terminate();
    assert_eq!(times(&counted(&agent.directory, Source::Events), "order_completed"), 1);
}
