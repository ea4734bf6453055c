//! What programs ask of a running agent: its JSON held to its description by schemathesis, its feed and badges.

use crate::support::agent::Agent;
use crate::support::http;
use crate::support::judge;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// A check that fails with a reason that nobody outside may see, one that is fine, and one that is skipped.
const CHECKS: &str = "[[check]]\nname = 'inner-door'\ntitle = 'The inner door'\nsection = 'site'\nevery = '1s'\n\
     alert.attempts = 1\nprobe.command = { argv = ['/bin/sh', '-c', 'echo the vault stands open; exit 2'] }\n\
     [[check]]\nname = 'fine'\nsection = 'system'\nevery = '1s'\nprobe.command = { argv = ['/bin/echo', 'fine|stock=3'] }\n\
     [[check]]\nname = 'backup'\nsection = 'system'\nprobe.heartbeat = { job = 'backup', every = '1h', grace = '1h' }\n\
     [[check]]\nname = 'left-out'\nsection = 'system'\nprobe.tcp = { address = '${NOT_SET_ANYWHERE}' }\n";

const ALERTS: &str = "[status]\ntitle = 'Shop & sons'\n\
     [[part]]\nname = 'front'\ntitle = 'Front <door>'\nsections = ['site']\n\
     [[part]]\nname = 'system'\n\
     [[slo]]\nname = 'open'\ntitle = 'It is open'\nobjective = '99%'\nindicator.availability = { checks = ['fine'] }\n\
     [[maintenance]]\nname = 'cleaning'\ntitle = 'Cleaning'\ncron = '0 3 * * *'\nlasts = '1h'\nsections = ['system']\n\
     [[channel]]\nname = 'desk'\nto.webhook = { url = 'http://127.0.0.1:1/' }\n\
     [[contact]]\nname = 'on-call'\nchannels = ['desk']\n[alerting]\npage.to = ['on-call']\n";

fn start(name: &str) -> Agent {
    let agent = Agent::start_alerting(name, &[("all", CHECKS)], ALERTS, &[]);
    agent.wait_until_ready();
    agent
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn token(agent: &Agent) -> String {
    std::fs::read_to_string(agent.directory.join("atalaya.db.token")).expect("a token")
}

fn json(agent: &Agent, path: &str) -> Value {
    let answer = agent.get(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn anybody_may_know_how_the_parts_are_and_nothing_else() {
    let agent = start("api-public");
    agent.wait_for("the door to be told", |agent| {
        json(agent, "/api/v1/status")["parts"][0]["state"] == "down"
    });
    let stranger = "X-Forwarded-For: 203.0.113.9\r\n";
    let texts =
        ["/", "/api/v1/status", "/feed.atom", "/badges/front.svg", "/badges/front.json", "/badges/all.svg"];
    for path in texts {
        for accept in ["", "Accept: text/html\r\n"] {
            let answer = http::get_with(agent.port, path, &format!("{stranger}{accept}"));
            assert_eq!(answer.status, 200, "{path}");
            let told = answer.body.to_lowercase();
            for inner in
                ["inner", "vault", "echo", "fine", "left-out", "not_set", "all.toml", "on-call", "desk"]
            {
                assert!(!told.contains(inner), "{path} tells `{inner}`: {told}");
            }
        }
    }
    for path in ["/api/v1/checks", "/api/v1/episodes", "/api/v1/objectives/open", "/metrics"] {
        assert_eq!(http::get_with(agent.port, path, stranger).status, 401, "{path}");
    }
    let text = http::get_with(agent.port, "/", stranger).body;
    assert!(text.starts_with("Front <door> is down\n"), "{text}");
    let page = http::get_with(agent.port, "/", &format!("{stranger}Accept: text/html\r\n")).body;
    assert!(page.contains("Front &#60;door&#62; is down") && page.contains("Shop &#38; sons"), "{page}");
}

#[test]
fn what_is_private_has_the_reasons() {
    let agent = start("api-private");
    let checks = json(&agent, "/api/v1/checks");
    let (door, fine) = (&checks["checks"][0], &checks["checks"][1]);
    assert_eq!((&door["status"], &door["reason"]), (&"failed".into(), &"the vault stands open".into()));
    assert_eq!((&fine["measures"][0]["name"], &fine["measures"][0]["value"]), (&"stock".into(), &3.0.into()));
    assert_eq!(checks["skipped"][0]["why"], "variable NOT_SET_ANYWHERE is not set");
    assert_eq!(json(&agent, "/api/v1/checks/fine")["name"], "fine");
    assert_eq!(agent.get("/api/v1/checks/none").status, 404);
    assert_eq!(json(&agent, "/api/v1/objectives/open")["objective"], 0.99);
    let text = http::get_with(agent.port, "/api/v1/checks", "Accept: text/plain\r\n").body;
    assert!(text.starts_with("failed    inner-door"), "{text}");
    agent.wait_for("the alert to be history", |agent| {
        json(agent, "/api/v1/episodes")[0]["alert"] == "check/inner-door"
    });
}

#[test]
fn the_feed_and_the_badges_are_what_their_readers_want() {
    let agent = start("api-feed");
    agent.wait_for("the incident", |agent| {
        agent.get("/feed.atom").body.contains("Front &#60;door&#62;: down")
    });
    let judge = "import feedparser, json, sys\nfeed = feedparser.parse(sys.stdin.read())\n\
         assert not feed.bozo, feed.bozo_exception\n\
         print(json.dumps([feed.version, feed.feed.title, [[e.title, e.id] for e in feed.entries]]))";
    let told = judge::python(judge, &agent.get("/feed.atom").body).expect("a feed");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((&told[0], &told[1]), (&"atom10".into(), &"Shop & sons: incidents".into()), "{told}");
    let titles: Vec<&str> =
        told[2].as_array().expect("entries").iter().filter_map(|one| one[0].as_str()).collect();
    assert!(titles.contains(&"Front <door>: down") && titles.contains(&"Maintenance: Cleaning"), "{told}");

    let badge = agent.get("/badges/front.svg");
    assert!(badge.head.contains("image/svg+xml") && badge.head.contains("cross-origin"), "{}", badge.head);
    let parse = "import sys, xml.dom.minidom as m\nprint(m.parseString(sys.stdin.read()).documentElement.getAttribute('aria-label'))";
    assert_eq!(judge::python(parse, &badge.body).expect("an image").trim(), "Front <door>: down");
    let uptime = agent.get("/badges/system-uptime.svg").body;
    assert!(uptime.contains("System, 90 days"), "{uptime}");
    assert_eq!(json(&agent, "/badges/all.json")["message"], "down");
    assert_eq!(agent.get("/badges/none.svg").status, 404);
}

/// Independent: it makes requests from the description, good ones and bad ones, and holds each answer to it.
#[test]
fn schemathesis_finds_no_answer_that_is_not_described() {
    let agent = start("api-schemathesis");
    let home = judge::interpreter().parent().expect("a folder").to_owned();
    let mut command = Command::new(home.join("schemathesis"));
    command.current_dir(&agent.directory).args(["run", "--seed", "1", "--max-examples", "12", "--no-color"]);
    command.args([
        "--phases",
        "examples,coverage,fuzzing",
        "--checks",
        "all",
        "--suppress-health-check",
        "all",
    ]);
    // A channel that does not take a test message is a 502 by design; and no schema can say which text is a regular
    // expression, so some matchers that are described are refused.
    command.args(["--exclude-checks", "not_a_server_error,positive_data_acceptance"]);
    command.env("SCHEMATHESIS_HOOKS", root().join("tests/it/judges/schemathesis_hooks.py"));
    command.args(["-H", &format!("Authorization: Bearer {}", token(&agent).trim())]);
    command.arg(format!("http://127.0.0.1:{}/api/v1/openapi.json", agent.port));
    judge::answer(&mut command, "").unwrap_or_else(|found| panic!("{found}"));
    assert_eq!(agent.get("/healthz").status, 200);
}
