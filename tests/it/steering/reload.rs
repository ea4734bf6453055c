//! New definitions while an alert fires: what goes on goes on, and what is gone ends with the reason.

use super::{Door, Hook, on_call, site, start, tcp};
use crate::support::agent::Agent;
use serde_json::Value;

fn alert(agent: &Agent, key: &str) -> Option<Value> {
    let alerts: Value = serde_json::from_str(&agent.get("/api/v1/alerts").body).expect("JSON");
    alerts.as_array().expect("a list").iter().find(|one| one["key"] == key).cloned()
}

fn reloads(agent: &Agent, result: &str) -> f64 {
    agent.metric(&format!("atalaya_reloads_total{{result=\"{result}\"}}")).unwrap_or_default()
}

/// The names and shares of what is promised.
fn promises(agent: &Agent) -> String {
    let objectives: Value = serde_json::from_str(&agent.get("/api/v1/objectives").body).expect("JSON");
    let objectives = objectives.as_array().expect("a list").iter();
    let words = objectives.map(|one| format!("{}={} {}", one["name"], one["objective"], one["title"]));
    words.collect::<Vec<_>>().join(", ").replace('"', "")
}

fn slo(name: &str, title: &str, share: &str) -> String {
    format!(
        "[[slo]]\nname = '{name}'\ntitle = '{title}'\nobjective = '{share}'\nindicator.availability = {{ checks = ['site'] }}\n"
    )
}

#[test]
fn an_edit_of_the_alerts_goes_on_with_what_fires() {
    let (hook, mut door) = (Hook::start(), Door::shut());
    let agent = start("steering-reload", &site(&door), &(on_call(&hook) + &slo("reach", "Reach", "99%")));
    agent.wait_for("the alert", |_| hook.count("firing", "check/site") == 1);
    let episode = alert(&agent, "check/site").expect("the alert")["episode"].clone();
    assert_eq!(promises(&agent), "reach=0.99 Reach");

    // Another title, another share, another objective, another address of the channel.
    let moved = on_call(&hook).replace("/hook'", "/moved'");
    agent.write_alerts(&(moved.clone() + &slo("reach", "In reach", "95%") + &slo("more", "More", "90%")));
    agent.wait_for("the new objectives", |agent| promises(agent) == "reach=0.95 In reach, more=0.9 More");
    assert_eq!(alert(&agent, "check/site").expect("the alert")["episode"], episode);

    // A bad one changes nothing, and is told.
    let refused = reloads(&agent, "refused");
    agent.write_alerts(&(moved.clone() + &slo("reach", "Bad", "101%")));
    agent.wait_for("the refusal", |agent| reloads(agent, "refused") > refused);
    assert_eq!(promises(&agent), "reach=0.95 In reach, more=0.9 More");
    let told =
        |line: &Value| line["fault"].as_str().is_some_and(|fault| fault.starts_with("alerts/alerts.toml:"));
    assert!(agent.log().iter().any(told), "{:#?}", agent.log());

    // The same mended, as an editor writes: a new file in the old one's place.
    let (folder, text) = (agent.directory.join("alerts"), moved + &slo("reach", "Good", "98%"));
    std::fs::write(folder.join(".alerts.toml.new"), text).expect("a file");
    std::fs::rename(folder.join(".alerts.toml.new"), folder.join("alerts.toml")).expect("a rename");
    agent.wait_for("the new promise", |agent| promises(agent) == "reach=0.98 Good");

    assert_eq!(hook.count("firing", "check/site"), 1, "told once: {:#?}", hook.told());
    door.open_again();
    agent.wait_for("the end", |_| hook.count("resolved", "check/site") == 1);
    let told = hook.told();
    let paths: Vec<(&str, &str)> = told.iter().map(|told| (told.kind.as_str(), told.path.as_str())).collect();
    assert_eq!(paths, [("firing", "/hook"), ("resolved", "/moved")], "{told:#?}");
    assert_eq!(told[0].alerts[0].1, told[1].alerts[0].1, "one episode");
}

#[test]
fn the_alert_of_a_check_that_is_removed_ends_and_says_why() {
    let (hook, door) = (Hook::start(), Door::shut());
    let other = Door::open();
    let rest = tcp("other", other.address);
    let agent = start("steering-removed", &(site(&door) + &rest), &on_call(&hook));
    agent.wait_for("the alert", |_| hook.count("firing", "check/site") == 1);
    agent.write_checks("checks", &rest);
    agent.wait_for("its end", |_| hook.count("resolved", "check/site") == 1);
    let told = hook.told();
    assert!(told[1].text.contains("it is no longer defined, so nobody looks any more"), "{}", told[1].text);
    assert!(alert(&agent, "check/site").is_none());

    // Defined once more it is another episode.
    agent.write_checks("checks", &(site(&door) + &rest));
    agent.wait_for("the new alert", |_| hook.count("firing", "check/site") == 2);
    let told = hook.told();
    assert_eq!(told.len(), 3, "{told:#?}");
    assert_ne!(told[2].alerts[0].1, told[0].alerts[0].1);
}

#[test]
fn a_file_of_alerts_that_comes_and_goes_is_seen() {
    let (hook, door) = (Hook::start(), Door::shut());
    let agent = start("steering-files", &site(&door), "");
    agent.wait_for("the alert that nobody is told", |agent| alert(agent, "check/site").is_some());
    assert_eq!(hook.told(), []);
    agent.write_alerts(&on_call(&hook));
    agent.wait_for("it to be told", |_| hook.count("firing", "check/site") == 1);
    std::fs::write(agent.directory.join("alerts/more.toml"), slo("reach", "Reach", "99%")).expect("a file");
    agent.wait_for("the objective", |agent| promises(agent) == "reach=0.99 Reach");
    std::fs::remove_file(agent.directory.join("alerts/more.toml")).expect("the file");
    agent.wait_for("it to go", |agent| promises(agent).is_empty());
    assert_eq!(hook.count("firing", "check/site"), 1);
}
