//! The agent watches itself: what a dead man's switch, a service manager and an Alertmanager hear of the real program.

use crate::support::agent::Agent;
use crate::support::alertmanager::Alertmanager;
use crate::support::receiver::{Act, Receiver, Request, answer};
use crate::support::server::{directory, free_port, wait_until};
use crate::support::target::Silent;
use nix::sys::signal::Signal;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Stands in the address, and must not stand anywhere else.
const SECRET: &str = "0f4c5a3e-dead-4bad-beef-1d2c3b4a5968";

/// The definitions of alerts; the agent reads them when it starts, or is told to.
fn write_alerts(name: &str, text: &str) {
    let folder = directory(name).join("alerts");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("all.toml"), text).expect("a file");
}

fn switch(receiver: &Receiver, path: &str) -> String {
    format!("[alerting]\ndead_mans_switch = \"http://{}/{path}\"\n", receiver.address)
}

/// A check of a port once a second.
fn tcp(name: &str, address: impl std::fmt::Display) -> String {
    format!("[[check]]\nname = '{name}'\nevery = '1s'\nprobe.tcp = {{ address = '{address}' }}\n")
}

fn started(name: &str, environment: &[(&'static str, String)]) -> (Agent, Silent) {
    let target = Silent::start();
    let agent = Agent::start_with(name, &[("a", &tcp("port", target.address()))], environment);
    (agent, target)
}

fn taken(_: &Request) -> Act {
    answer(200, "", "OK")
}

/// Waits for the next that comes, in the form `POST /path body`.
fn next(receiver: &Receiver, agent: &Agent, heard: &mut Vec<String>) -> String {
    agent.wait_for("the switch to be told", |_| {
        heard.extend(receiver.take().iter().map(|request| {
            let line = request.head.lines().next().unwrap_or_default();
            format!("{} {}", line.trim_end_matches(" HTTP/1.1"), request.body)
        }));
        !heard.is_empty()
    });
    heard.remove(0)
}

fn pings(agent: &Agent, signal: &str, result: &str) -> Option<f64> {
    let series = format!("atalaya_dead_mans_switch_pings_total{{signal=\"{signal}\",result=\"{result}\"}}");
    agent.metrics().get(&series).copied()
}

fn part_is_well(agent: &Agent, part: &str) -> Option<f64> {
    agent.metrics().get(&format!("atalaya_self_well{{part=\"{part}\"}}")).copied()
}

fn log(agent: &Agent) -> String {
    let lines: Vec<String> = agent.log().iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_switch_is_told_while_the_agent_is_well_and_when_it_stops() {
    let receiver = Receiver::start(taken).await;
    write_alerts("self-well", &switch(&receiver, SECRET));
    let (agent, _target) = started("self-well", &[]);
    let mut heard = Vec::new();
    assert_eq!(next(&receiver, &agent, &mut heard), format!("POST /{SECRET} well"));
    agent.wait_for("the ping to be counted", |agent| pings(agent, "well", "taken") == Some(1.0));
    for part in ["runner", "judge", "store", "pages", "clock"] {
        assert_eq!(part_is_well(&agent, part), Some(1.0), "{part}");
    }
    let evaluated = agent.metric("atalaya_last_evaluation_timestamp_seconds").expect("a series");
    let now = jiff::Timestamp::now().as_millisecond() as f64 / 1e3;
    assert!((now - 20.0..=now).contains(&evaluated), "{evaluated} at {now}");
    assert_eq!(agent.get("/healthz").body, "ok\n");
    assert!(!agent.get("/metrics").body.contains(SECRET));
    agent.signal(Signal::SIGTERM);
    assert_eq!(next(&receiver, &agent, &mut heard), format!("POST /{SECRET}/log stopped as planned"));
    let log = log(&agent);
    assert!(!log.contains(SECRET), "{log}");
    assert!(agent.stop().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_store_that_is_ill_is_told_with_its_reason_and_so_is_its_recovery() {
    let receiver = Receiver::start(taken).await;
    write_alerts("self-store", &switch(&receiver, SECRET));
    let store = directory("self-store").join("atalaya.db");
    std::fs::create_dir(&store).expect("a folder in its place");
    let (agent, _target) = started("self-store", &[]);
    let mut heard = Vec::new();
    let mut told = next(&receiver, &agent, &mut heard);
    if told == format!("POST /{SECRET} well") {
        // Opening the store had not failed yet.
        told = next(&receiver, &agent, &mut heard);
    }
    let reason = told.strip_prefix(&format!("POST /{SECRET}/fail ")).unwrap_or_else(|| panic!("{told}"));
    assert!(reason.contains("atalaya.db"), "{reason}");
    agent.wait_for("the metric", |agent| part_is_well(agent, "store") == Some(0.0));
    assert_eq!(part_is_well(&agent, "runner"), Some(1.0));
    // A restart would not mend a store.
    assert_eq!(agent.get("/healthz").status, 200);
    std::fs::remove_dir(&store).expect("an empty folder");
    assert_eq!(next(&receiver, &agent, &mut heard), format!("POST /{SECRET} well"));
    agent.wait_for("the metric", |agent| part_is_well(agent, "store") == Some(1.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_switch_that_fails_is_tried_again_and_told_once_without_its_address() {
    let receiver = Receiver::start(|_| answer(503, "", SECRET)).await;
    write_alerts("self-retry", &switch(&receiver, SECRET));
    let (agent, _target) = started("self-retry", &[]);
    agent.wait_for("two failures", |agent| pings(agent, "well", "failed") >= Some(2.0));
    receiver.now(taken);
    agent.wait_for("a success", |agent| pings(agent, "well", "taken") == Some(1.0));
    let lines = agent.log();
    let about = |line: &&serde_json::Value| {
        line["message"].as_str().is_some_and(|text| text.contains("dead man's switch"))
    };
    let about: Vec<_> = lines.iter().filter(about).collect();
    assert_eq!(about.len(), 2, "{about:?}");
    assert_eq!(about[0]["why"], "it answered 503: the trouble is on its side");
    assert!(!log(&agent).contains(SECRET));
    // An alert about it would come through the channels that it is there to do without.
    let alerts = agent.get("/api/v1/alerts");
    assert!(alerts.status == 200 && !alerts.body.contains("agent/"), "{}", alerts.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn another_address_is_used_as_soon_as_it_is_read() {
    let (one, other) = (Receiver::start(taken).await, Receiver::start(taken).await);
    write_alerts("self-reload", &switch(&one, "one"));
    let (agent, _target) = started("self-reload", &[]);
    let mut heard = Vec::new();
    assert_eq!(next(&one, &agent, &mut heard), "POST /one well");
    write_alerts("self-reload", &switch(&other, "other"));
    agent.signal(Signal::SIGHUP);
    assert_eq!(next(&other, &agent, &mut heard), "POST /other well");
    assert!(agent.stop().success());
    assert!(one.take().is_empty(), "nobody is told at the old address");
}

/// What a service manager hears, message by message.
struct Manager(UnixDatagram);

impl Manager {
    fn start(name: &str) -> (Manager, String) {
        let path = directory(name).join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
        (Manager(socket), path.into_os_string().into_string().expect("UTF-8"))
    }

    fn next(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.0.recv(&mut buffer).expect("a message within 20 s");
        String::from_utf8(buffer[..length].to_vec()).expect("UTF-8")
    }

    /// The next that is no food.
    fn news(&self) -> String {
        loop {
            let message = self.next();
            if message != "WATCHDOG=1" {
                return message;
            }
        }
    }
}

#[test]
fn a_service_manager_hears_of_start_life_reload_and_stop() {
    let (manager, socket) = Manager::start("self-systemd");
    let environment = [("NOTIFY_SOCKET", socket), ("WATCHDOG_USEC", "3000000".to_owned())];
    let (agent, _target) = started("self-systemd", &environment);
    let address = format!("http://127.0.0.1:{}", agent.port);
    assert_eq!(manager.news(), format!("READY=1\nSTATUS=watching 1 checks, 0 skipped; {address}"));
    let begun = std::time::Instant::now();
    for _ in 0..4 {
        assert_eq!(manager.next(), "WATCHDOG=1");
    }
    assert!(begun.elapsed() < Duration::from_secs(6), "twice in 3 s each: {:?}", begun.elapsed());
    agent.signal(Signal::SIGHUP);
    let reloading = manager.news();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(manager.news(), "READY=1");
    agent.write_checks("a", "[[check]]\nname = 5\n");
    assert!(manager.news().starts_with("RELOADING=1\n"));
    // It goes on with what it had.
    assert_eq!(manager.news(), "READY=1");
    agent.signal(Signal::SIGTERM);
    assert_eq!(manager.news(), "STOPPING=1\nSTATUS=stopping");
    assert!(agent.stop().success());
}

#[test]
fn a_watchdog_of_another_process_is_not_fed() {
    let (manager, socket) = Manager::start("self-other");
    let watchdog =
        [("WATCHDOG_USEC", "1000000"), ("WATCHDOG_PID", "1")].map(|(name, text)| (name, text.to_owned()));
    let environment: Vec<_> = [("NOTIFY_SOCKET", socket)].into_iter().chain(watchdog).collect();
    let (agent, _target) = started("self-other", &environment);
    agent.wait_until_ready();
    assert!(manager.next().starts_with("READY=1\n"));
    assert!(agent.stop().success());
    assert_eq!(manager.next(), "STOPPING=1\nSTATUS=stopping");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_alertmanager_shows_what_fires_until_it_is_over_and_that_the_agent_lives() {
    let manager = Alertmanager::start("self-am", "http://127.0.0.1:1");
    let channel = |url: &str| {
        format!("[[channel]]\nname = 'am'\n[channel.to.alertmanager]\nurls = ['{url}']\nevery = '1s'\n")
    };
    // Nobody listens at the switch, so that its failures stand among the metrics.
    let policy =
        "[alerting]\nurl = 'https://watch.shop.example'\ndead_mans_switch = 'http://127.0.0.1:1/x'\n";
    // At first Alertmanager is told nothing: the channel comes with a reload.
    write_alerts("self-mirror", policy);
    let port = free_port();
    let checks = tcp("dead", format!("127.0.0.1:{port}")) + "[check.alert]\nattempts = 2\n";
    let agent = Agent::start_with("self-mirror", &[("a", &checks)], &[]);
    agent.wait_for("the alert", |agent| agent.get("/api/v1/alerts").body.contains("\"firing\""));
    let alerts = format!("{policy}{}", channel(&manager.url));
    write_alerts("self-mirror", &alerts);
    agent.signal(Signal::SIGHUP);
    wait_until("Alertmanager to show it", None, || manager.firing() == ["Watchdog", "dead"]);
    let shown = manager.alert("dead").expect("it fires");
    assert_eq!(shown["labels"]["severity"], "page");
    assert_eq!(shown["generatorURL"], "https://watch.shop.example/alerts/check/dead");
    let up = "atalaya_alertmanager_up{channel=\"am\",instance=\"1\"}";
    agent.wait_for("the metric", |agent| agent.metrics().get(up) == Some(&1.0));
    let _well = TcpListener::bind(("127.0.0.1", port)).expect("the port");
    wait_until("Alertmanager to show its end", None, || manager.firing() == ["Watchdog"]);
    // Without the channel nobody is told any more.
    write_alerts("self-mirror", "");
    agent.signal(Signal::SIGHUP);
    agent.wait_for("the metric", |agent| agent.metrics().get(up).is_some_and(|up| up.is_nan()));
    wait_until("the Watchdog to be missed", None, || manager.firing().is_empty());
    assert!(pings(&agent, "well", "failed") >= Some(1.0));
    promtool_takes(&agent.get("/metrics").body);
}

fn promtool_takes(metrics: &str) {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = promtool.spawn().expect("promtool");
    promtool.stdin.take().expect("piped").write_all(metrics.as_bytes()).expect("it reads");
    let output = promtool.wait_with_output().expect("promtool");
    assert!(output.status.success(), "{}\n{metrics}", String::from_utf8_lossy(&output.stderr));
}
