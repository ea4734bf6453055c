//! The real program: what its definitions say of the token takes effect while it runs, and nothing gives the token away.

use super::{FORM, JSON, STRANGER, ask, basic, bearer, header};
use crate::support::agent::{Agent, PROGRAM};
use crate::support::server::directory;
use nix::sys::signal::Signal;
use std::process::Command;

const FIRST: &str = "the-first-token-Zx71";
const SECOND: &str = "the-second-token-Qp44";

fn write(agent_file: &std::path::Path, text: &str) {
    std::fs::write(agent_file, text).expect("a file");
}

#[test]
fn a_new_token_takes_effect_at_once_and_none_is_ever_told() {
    let directory = directory("gate-token");
    std::fs::create_dir_all(directory.join("checks")).expect("a folder");
    let file = directory.join("atalaya.toml");
    write(&file, "[http]\ntoken = '${GATE_TOKEN}'\n");
    let agent = Agent::start_in(directory, &[("GATE_TOKEN", FIRST.to_owned())]);
    let status = |line: &str| ask(agent.port, "GET", "/metrics", &[STRANGER, line], "").status;
    assert_eq!((status(&bearer(FIRST)), status(&bearer(SECOND))), (200, 401));
    let form = format!("token={FIRST}&name=ana");
    let logged_in = ask(agent.port, "POST", "/login", &[STRANGER, FORM], &form);
    let cookie = header(&logged_in, "set-cookie").expect("a cookie").split(';').next().expect("its value");
    let session = cookie.split('=').nth(1).expect("an id").to_owned();
    let cookie = format!("Cookie: {cookie}");
    assert_eq!(status(&cookie), 200);
    assert!(!agent.directory.join("atalaya.db.token").exists(), "what is given is kept nowhere");

    // Its hash is as good as the token.
    let hash =
        Command::new("sh").args(["-c", &format!("printf %s {SECOND} | sha256sum")]).output().expect("a hash");
    let hash = String::from_utf8_lossy(&hash.stdout).split(' ').next().expect("64 digits").to_owned();
    write(&file, &format!("[http]\ntoken = 'sha256:{hash}'\n"));
    agent.signal(Signal::SIGHUP);
    let told = |agent: &Agent, words: &str| agent.log().iter().any(|line| line.to_string().contains(words));
    agent.wait_for("the new token", |agent| told(agent, "the token is new"));
    assert_eq!(status(&bearer(SECOND)), 200);
    assert_eq!((status(&bearer(FIRST)), status(&cookie)), (401, 401));
    assert_eq!(status(&bearer(&hash)), 401, "the hash is not the token");
    assert_eq!(status(&bearer(&format!("sha256:{hash}"))), 401);

    // A bad file changes nothing.
    write(&file, "[http]\ntoken = 'short'\n");
    agent.signal(Signal::SIGHUP);
    agent.wait_for("the fault to be told", |agent| told(agent, "16 is the least"));
    assert_eq!(status(&bearer(SECOND)), 200);
    write(&file, &format!("[http]\ntoken = 'sha256:{hash}'\nlisten = '127.0.0.1:1'\n"));
    agent.signal(Signal::SIGHUP);
    agent.wait_for("the listener to be left", |agent| told(agent, "takes effect at the next start"));

    let shown: Vec<String> = ["/", "/metrics", "/api/v1/health", "/login", "/none"]
        .iter()
        .flat_map(|path| {
            [&bearer(SECOND), &bearer(FIRST), &basic("x", SECOND), &cookie].map(|line| {
                let answer = ask(agent.port, "GET", path, &[line, JSON], "");
                answer.head + &answer.body
            })
        })
        .chain([std::fs::read_to_string(agent.directory.join("atalaya.log")).expect("a log")])
        .collect();
    for secret in [FIRST, SECOND, &session, &hash] {
        assert!(shown.iter().all(|text| !text.contains(secret)), "{secret} is told");
    }
}

#[test]
fn the_program_makes_a_token_and_its_hash() {
    let output = Command::new(PROGRAM).arg("token").output().expect("the program");
    let text = String::from_utf8(output.stdout).expect("text");
    let token = text.lines().find(|line| line.trim().len() == 32).expect("a token").trim();
    let line = text.lines().find(|line| line.contains("sha256:")).expect("a hash");
    let hash =
        Command::new("sh").args(["-c", &format!("printf %s {token} | sha256sum")]).output().expect("a hash");
    let hash = String::from_utf8_lossy(&hash.stdout).split(' ').next().expect("64 digits").to_owned();
    assert_eq!(line.trim(), format!("token = \"sha256:{hash}\""));
}

#[test]
fn the_commands_show_the_token_where_it_is_needed_to_read() {
    let directory = directory("gate-commands");
    std::fs::create_dir_all(directory.join("checks")).expect("a folder");
    write(&directory.join("atalaya.toml"), "[http]\nopen_to_loopback = false\n");
    let agent = Agent::start_in(directory, &[]);
    assert_eq!(agent.get("/api/v1/alerts").status, 401);
    let output = agent.command(&["alerts", "--json"]);
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stdout).trim()), (Some(0), "[]"));
    let elsewhere = agent.command_to_run().current_dir("/").args(["alerts"]).output().expect("the program");
    assert_eq!(elsewhere.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&elsewhere.stderr).contains("the agent wants its token"));
}
