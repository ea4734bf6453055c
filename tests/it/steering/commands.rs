//! The commands that ask a running agent, as somebody types them.

use super::{Door, Hook, on_call, prepare, site, start, tcp, texts};
use crate::support::agent::Agent;
use serde_json::Value;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

fn check(agent: &Agent, args: &[&str], code: i32, words: &str) -> String {
    let (ended, out, err) = texts(&agent.command(args));
    assert_eq!(ended, code, "{args:?}: {out}{err}");
    assert!(format!("{out}{err}").contains(words), "{args:?} does not say `{words}`: {out}{err}");
    out
}

#[test]
fn the_token_lies_beside_the_store_and_whoever_has_none_is_told_where() {
    let (hook, door) = (Hook::start(), Door::shut());
    let agent = start("steering-token", &site(&door), &on_call(&hook));
    let file = agent.directory.join("atalaya.db.token");
    assert_eq!(std::fs::metadata(&file).expect("the token").permissions().mode() & 0o777, 0o600);
    agent.wait_for("the alert", |_| hook.count("firing", "check/site") == 1);
    check(&agent, &["ack", "site"], 0, "acknowledged: check/site");

    let elsewhere = |more: &[&str], token: Option<&str>| {
        let mut command = agent.command_to_run();
        command.current_dir("/").args(["ack", "site"]).args(more);
        if let Some(token) = token {
            command.env("ATALAYA_TOKEN", token);
        }
        texts(&command.output().expect("the program"))
    };
    let (code, _, err) = elsewhere(&[], None);
    assert_eq!(code, 78, "{err}");
    assert!(err.contains("atalaya.db.token: No such file") && err.contains("--token-file"), "{err}");
    let (code, _, err) = elsewhere(&[], Some("wrong"));
    assert_eq!(code, 78, "{err}");
    assert!(err.contains("does not take the token of ATALAYA_TOKEN") && !err.contains("wrong"), "{err}");
    assert_eq!(elsewhere(&["--token-file", file.to_str().expect("text")], None).0, 0);
    let token = std::fs::read_to_string(&file).expect("the token");
    assert_eq!(elsewhere(&[], Some(&format!("{token}\n"))).0, 0);

    let again = Agent::start_in(agent.kill_for_good(), &[]);
    assert_ne!(std::fs::read_to_string(&file).expect("the token"), token, "each start makes a new one");
    check(&again, &["ack", "site"], 0, "acknowledged");
}

#[test]
fn a_token_that_the_definitions_give_holds_over_restarts() {
    let (hook, door) = (Hook::start(), Door::shut());
    let directory = prepare("steering-own-token", &site(&door), &on_call(&hook));
    std::fs::write(directory.join("atalaya.toml"), "[http]\ntoken = '${STEERING_TOKEN}'\n").expect("a file");
    let environment = [("STEERING_TOKEN", "a-token-of-our-own-kX81".to_owned())];
    let agent = Agent::start_in(directory, &environment);
    agent.wait_for("the alert", |_| hook.count("firing", "check/site") == 1);
    check(&agent, &["ack", "site"], 78, "the agent wants its token");
    let agent = Agent::start_in(agent.kill_for_good(), &environment);
    let mut command = agent.command_to_run();
    let output = command.args(["ack", "site"]).env("ATALAYA_TOKEN", &environment[0].1).output();
    assert_eq!(texts(&output.expect("the program")).0, 0);
    let log = std::fs::read_to_string(agent.directory.join("atalaya.log")).expect("a log");
    assert!(!log.contains(&environment[0].1), "{log}");
}

#[test]
fn what_is_silenced_is_not_told_until_the_silence_ends() {
    let (hook, mut door) = (Hook::start(), Door::open());
    let other = Door::shut();
    let agent = start("steering-silence", &(site(&door) + &tcp("other", other.address)), &on_call(&hook));
    agent.wait_until_ready();
    check(&agent, &["silence", "list"], 0, "no silence");
    check(&agent, &["silence", "add", "site", "--for", "31d"], 78, "30 days at most");
    check(&agent, &["silence", "add", "=site"], 78, "names no label");
    let out = check(
        &agent,
        &["silence", "add", "site", "--by", "ana", "--comment", "new racks"],
        0,
        "silenced until",
    );
    let id = out.split("silence end ").nth(1).and_then(|rest| rest.split('`').next()).expect("an id");
    let listed = check(&agent, &["silence", "list"], 0, id);
    assert!(
        listed.contains("check=site") && listed.contains("ana") && listed.contains("new racks"),
        "{listed}"
    );
    door.close();
    agent.wait_for("the alert, held", |agent| {
        let alerts: Value = serde_json::from_str(&agent.get("/api/v1/alerts").body).expect("JSON");
        let site = alerts.as_array().expect("a list").iter().find(|one| one["key"] == "check/site").cloned();
        site.is_some_and(|one| {
            one["state"] == "firing"
                && one["held"].as_str().is_some_and(|why| why.starts_with("silenced by ana"))
        })
    });
    check(&agent, &["alerts"], 0, "silenced by ana until");
    // The other one is told: the way is open, and only what is silenced is not.
    agent.wait_for("the other alert", |_| hook.count("firing", "check/other") == 1);
    assert_eq!(hook.count("firing", "check/site"), 0);
    check(&agent, &["silence", "end", "nothing"], 78, "no silence `nothing` is in force");
    check(&agent, &["silence", "end", id], 0, "ended");
    agent.wait_for("the alert to be told", |_| hook.count("firing", "check/site") == 1);

    // One that runs out tells what still fires, too.
    check(&agent, &["silence", "add", "section=site", "--for", "2s"], 0, "silenced");
    agent.wait_for("the silence to be over", |agent| agent.get("/api/v1/silences").body == "[]");
    check(&agent, &["ack", "nothing"], 78, "no alert `nothing` is firing; firing: check/other, check/site");
    check(&agent, &["ack", "site", "--by", "ben", "--comment", "on it"], 0, "acknowledged: check/site");
    check(&agent, &["alerts"], 0, "acknowledged by ben");
    assert_eq!(hook.count("firing", "check/site"), 1, "{:#?}", hook.told());
}

#[test]
fn a_channel_is_tried_and_says_what_became_of_it() {
    let (hook, door) = (Hook::start(), Door::open());
    let channel = |name: &str, url: &str| {
        format!("[[channel]]\nname = '{name}'\ntimeout = '1s'\nto.webhook = {{ url = '{url}' }}\n")
    };
    let alerts = on_call(&hook)
        + &channel("refusing", &hook.url("refuse"))
        + &channel("hanging", &hook.url("hang"))
        + &channel("unset", "http://127.0.0.1/${STEERING_NOT_SET}");
    let agent = start("steering-notify", &site(&door), &alerts);
    check(&agent, &["notify", "test", "hook"], 0, "hook: delivered");
    let told = hook.told();
    assert_eq!((told.len(), told[0].kind.as_str()), (1, "test"), "{told:?}");
    check(&agent, &["notify", "test", "refusing"], 78, "the webhook answered 403");
    check(&agent, &["notify", "test", "hanging"], 78, "no answer from the webhook within");
    check(&agent, &["notify", "test", "unset"], 78, "is left out: variable STEERING_NOT_SET is not set");
    check(
        &agent,
        &["notify", "test", "a/b?"],
        78,
        "there is no channel \"a/b?\"; there are hanging, hook, refusing",
    );
    assert!(agent.log().iter().any(|line| line["message"] == "channel left out" && line["name"] == "unset"));
}

#[test]
fn an_agent_that_is_not_there_is_told_in_words() {
    for args in [&["slo"][..], &["alerts"], &["silence", "list"], &["ack", "a"], &["notify", "test", "a"]] {
        let output = Command::new(crate::support::agent::PROGRAM)
            .args(args)
            .env("ATALAYA_AGENT", "http://127.0.0.1:1")
            .output()
            .expect("the program");
        let (code, _, err) = texts(&output);
        assert_eq!(code, 78, "{args:?} {err}");
        assert!(err.contains("nothing listens there") && err.contains("hint: start one"), "{err}");
    }
}

#[test]
fn tables_fit_a_terminal_and_json_keeps_its_keys() {
    let (hook, door) = (Hook::start(), Door::shut());
    let slo = "[[slo]]\nname = 'a-promise-with-a-rather-long-name'\nobjective = '99.95%'\nindicator.availability = { checks = ['site'] }\n";
    let agent = start("steering-tables", &site(&door), &(on_call(&hook) + slo));
    agent.wait_for("the alert", |_| hook.count("firing", "check/site") == 1);
    check(&agent, &["silence", "add", "section=~\"a|b\"", "--comment", &"why ".repeat(30)], 0, "silenced");
    let program = "import fcntl, os, pty, struct, sys, termios\n\
        child, terminal = pty.fork()\n\
        if child == 0:\n\
        \x20   fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))\n\
        \x20   os.execv(sys.argv[1], sys.argv[1:])\n\
        text = b''\n\
        while True:\n\
        \x20   try: part = os.read(terminal, 4096)\n\
        \x20   except OSError: break\n\
        \x20   if not part: break\n\
        \x20   text += part\n\
        os.waitpid(child, 0)\n\
        sys.stdout.write(text.decode().replace('\\r\\n', '\\n'))\n";
    for args in [&["slo"][..], &["alerts"], &["silence", "list"]] {
        let output = Command::new("python3")
            .args(["-c", program, crate::support::agent::PROGRAM])
            .args(args)
            .current_dir(&agent.directory)
            .env("ATALAYA_AGENT", format!("http://127.0.0.1:{}", agent.port))
            .output()
            .expect("python3");
        let (_, table, _) = texts(&output);
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines.len() >= 2, "{args:?}: {table}");
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{args:?}:\n{table}");
    }
    let keys = |args: &[&str]| {
        let value: Value = serde_json::from_str(&check(&agent, args, 0, "")).expect("JSON");
        let first = value[0].as_object().expect("an object").clone();
        first.keys().cloned().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        keys(&["slo", "--json"]),
        "baseline budgetConsumed checks conditions coverage description good indicator indicatorWithMaintenance instead months name objective runbook section state title total windowSeconds windows"
    );
    assert_eq!(
        keys(&["alerts", "--json"]),
        "acknowledgedBy began cause cost ended episode evidence fired flapping held key labels runbook section severity state summary title told"
    );
    assert_eq!(keys(&["silence", "list", "--json"]), "by comment from id matchers until");
}
