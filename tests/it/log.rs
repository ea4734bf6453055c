//! Standard error that is full, closed or not read: the agent neither ends nor waits, and counts what is lost.

use crate::support::agent::PROGRAM;
use crate::support::http;
use crate::support::server::{directory, free_port, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fmt::Write as _;
use std::fs::File;
use std::process::{Child, Command, Stdio};

/// Ends it in whatever way the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// An agent that logs all it can to `stderr` goes on watching, loses `lost` lines at least, and ends in order.
fn check(name: &str, stderr: impl Into<Stdio>, after_start: impl FnOnce(&mut Child), lost: f64) {
    let (home, port) = (directory(&format!("log-{name}")), free_port());
    std::fs::create_dir_all(home.join("checks")).expect("a folder");
    let mut checks = String::new();
    // Many, so that there is much to log.
    for n in 0..40 {
        let every = if n == 0 { "1s" } else { "100ms" };
        let probe = "probe.http = { url = 'http://127.0.0.1:1/' }";
        writeln!(checks, "[[check]]\nname = 'bad-{n}'\nevery = '{every}'\n{probe}").expect("a string");
    }
    std::fs::write(home.join("checks/a.toml"), checks).expect("a file");
    let child = Command::new(PROGRAM)
        .args(["run", "--listen", &format!("127.0.0.1:{port}")])
        .env("ATALAYA_LOG", "trace")
        .current_dir(&home)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn();
    let mut agent = Running(child.expect("the program"));
    after_start(&mut agent.0);
    let metric = |name: &str| {
        let body = http::try_get(port, "/metrics", "").ok()?.body;
        let series = body.lines().filter(|line| line.starts_with(name));
        series.map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<Option<f64>>()
    };
    wait_until("lines to be lost", None, || {
        metric("atalaya_log_lines_dropped_total").is_some_and(|found| found >= lost)
    });
    let runs = "atalaya_check_runs_total{check=\"bad-0\"";
    let before = metric(runs).expect("a series");
    wait_until("the next run", None, || metric(runs).is_some_and(|runs| runs > before));
    assert_eq!(http::get(port, "/healthz").status, 200);
    kill(Pid::from_raw(agent.0.id().cast_signed()), Signal::SIGTERM).expect("it runs");
    assert_eq!(agent.0.wait().expect("a child").code(), Some(0), "{name}");
}

#[test]
fn a_full_disk_does_not_end_the_agent() {
    check("full", File::options().write(true).open("/dev/full").expect("a device"), |_| {}, 1.0);
}

#[test]
fn a_reader_of_the_log_that_has_gone_does_not_end_the_agent() {
    check("closed", Stdio::piped(), |child| drop(child.stderr.take()), 1.0);
}

#[test]
fn a_log_that_nobody_reads_does_not_hold_the_agent_up() {
    check("unread", Stdio::piped(), |_| {}, 1.0);
}

#[test]
fn what_is_told_last_is_told() {
    let home = directory("log-last");
    let output = Command::new(PROGRAM)
        .args(["run", "--checks", "nowhere"])
        .current_dir(&home)
        .output()
        .expect("the program");
    assert_eq!(output.status.code(), Some(78));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("nowhere: can't read it"), "{told}");
}
