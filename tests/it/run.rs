//! `atalaya run`: the real program, scraped, reloaded, stalled, stopped.

use crate::support::agent::{Agent, PROGRAM};
use crate::support::http;
use crate::support::judge::python;
use crate::support::prometheus::Prometheus;
use crate::support::server::wait_until;
use crate::support::target::Silent;
use nix::sys::signal::Signal;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A check of a port, every so often.
fn tcp(name: &str, every: &str, address: impl std::fmt::Display) -> String {
    format!(
        "[[check]]\nname = '{name}'\nsection = 'site'\nevery = '{every}'\nprobe.tcp = {{ address = '{address}' }}\n"
    )
}

fn runs(agent: &Agent, check: &str) -> f64 {
    let prefix = format!("atalaya_check_runs_total{{check=\"{check}\"");
    let metrics = agent.metrics();
    metrics.iter().filter(|(name, _)| name.starts_with(&prefix)).map(|(_, value)| value).sum()
}

fn dropped(agent: &Agent, check: &str) -> f64 {
    agent.metric(&format!("atalaya_check_dropped_runs_total{{check=\"{check}\"")).expect("a series")
}

/// One check of each status, and one that is skipped.
fn mixed(target: &Silent) -> String {
    let address = target.address();
    let mut text = tcp("well", "1s", address) + &tcp("dead", "1s", "127.0.0.1:1");
    text += &tcp("slow", "1s", address);
    text += "limits.duration_seconds = { degraded = '> 0' }\n";
    text += &tcp("blind", "1s", address);
    text += "limits.duration_seconds = { degraded = '< 0' }\nneeds = ['dead']\ntitle = \"Odd \\\"title\\\" \\\\ é\"\n";
    text + &tcp("unset", "1s", "${NOT_SET_ANYWHERE}:1")
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let target = Silent::start();
    let agent = Agent::start("run-promtool", &[("a", &mixed(&target))]);
    agent.wait_until_ready();
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool");
    let body = agent.get("/metrics").body;
    promtool.stdin.take().expect("piped").write_all(body.as_bytes()).expect("it reads");
    let output = promtool.wait_with_output().expect("promtool");
    assert!(output.status.success(), "{}\n{body}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_strict_openmetrics_parser_takes_every_family() {
    let target = Silent::start();
    let agent = Agent::start("run-openmetrics", &[("a", &mixed(&target))]);
    agent.wait_until_ready();
    let answer =
        http::get_with(agent.port, "/metrics", "Accept: application/openmetrics-text;version=1.0.0\r\n");
    assert!(answer.head.contains("application/openmetrics-text; version=1.0.0"), "{}", answer.head);
    let program = "import sys\n\
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse\n\
        for family in parse(sys.stdin.read()): print(family.type, family.name, len(family.samples))\n";
    let families = python(program, &answer.body).unwrap_or_else(|error| panic!("{error}\n{}", answer.body));
    for family in [
        "info atalaya_check 4",
        "counter atalaya_check_runs 16",
        "histogram atalaya_schedule_lag_seconds 13",
        "gauge atalaya_check_skipped 1",
        "info atalaya_build 1",
    ] {
        assert!(families.lines().any(|line| line == family), "{family}\n{families}");
    }
}

#[test]
fn a_real_prometheus_takes_every_series() {
    let target = Silent::start();
    let agent = Agent::start("run-prometheus", &[("a", &mixed(&target))]);
    agent.wait_until_ready();
    let prometheus = Prometheus::scraping("run-prometheus-server", agent.port);
    let check = |expression: &str, expected: f64| {
        wait_until(&format!("{expression} to be {expected}"), None, || {
            prometheus.query(expression) == Some(expected)
        });
    };
    check("up", 1.0);
    check("atalaya_check_up{check='well'}", 1.0);
    check("atalaya_check_up{check='dead'}", 0.0);
    check("atalaya_check_status{check='slow',status='degraded'}", 1.0);
    check("atalaya_check_fault{check='dead',class='connect'}", 1.0);
    check("atalaya_check_skipped{check='unset'}", 1.0);
    check("count(atalaya_check_duration_seconds_bucket{check='well',le='0.5'})", 1.0);
    check("count(atalaya_check_duration_seconds_bucket{check='well',le='0.1'})", 1.0);
    check("count(atalaya_check_duration_quantile_seconds{check='well',result='good',percentile='95'})", 3.0);
    check("count(atalaya_check_duration_quantile_seconds{check='well'})", 12.0);
    check("count(atalaya_check_duration_quantile_seconds{check='dead',result='failed'})", 12.0);
    check("atalaya_check_availability_ratio{check='well',window='5m'}", 1.0);
    check("atalaya_check_availability_ratio{check='dead',window='24h'}", 0.0);
    check("sum(rate(atalaya_check_duration_seconds_count{check='well'}[5s])) > bool 0.5", 1.0);
    assert_eq!(prometheus.target()["lastError"], "");
    // A series whose check is gone disappears, at once and not after the five minutes of a lookback.
    agent.write_checks("a", &tcp("well", "1s", target.address()));
    wait_until("the series of `dead` to go", None, || {
        prometheus.query("atalaya_check_up{check='dead'}").is_none()
    });
    check("atalaya_check_up{check='well'}", 1.0);
}

#[test]
fn a_reload_keeps_what_is_unchanged_and_a_bad_file_changes_nothing() {
    let target = Silent::start();
    let kept = tcp("kept", "1s", target.address());
    let agent =
        Agent::start("run-reload", &[("kept", &kept), ("other", &tcp("gone", "1s", target.address()))]);
    agent.wait_for("three runs", |agent| runs(agent, "kept") >= 3.0);
    let before = runs(&agent, "kept");

    agent.write_checks("other", &tcp("new", "1s", target.address()));
    agent.wait_for("the new check", |agent| agent.metric("atalaya_check_up{check=\"new\"").is_some());
    assert!(runs(&agent, "kept") >= before, "the history of an unchanged check is kept");
    assert_eq!(agent.metric("atalaya_check_up{check=\"gone\""), None);
    assert_eq!(dropped(&agent, "kept"), 0.0);

    agent.write_checks("other", "[[check]]\nname = 'new'\nprobe.tcp = { adress = 'x' }\n");
    agent.wait_for("the refusal", |agent| {
        agent.metric("atalaya_reloads_total{result=\"refused\"}") == Some(1.0)
    });
    assert_eq!(agent.metric("atalaya_reload_last_successful"), Some(0.0));
    assert!(agent.metric("atalaya_check_up{check=\"new\"").is_some(), "what is in force stays");
    let told = agent.log().iter().any(|line| {
        line["fault"]
            .as_str()
            .is_some_and(|fault| fault.contains("checks/other.toml:3:15: unknown key `adress`"))
    });
    assert!(told, "{:#?}", agent.log());

    std::fs::remove_file(agent.directory.join("checks/other.toml")).expect("a file");
    agent.wait_for("the check to go", |agent| agent.metric("atalaya_check_up{check=\"new\"").is_none());
    agent.signal(Signal::SIGHUP);
    agent.wait_for("the reload by signal", |agent| {
        agent.metric("atalaya_reloads_total{result=\"ok\"}").is_some_and(|times| times >= 3.0)
    });
    assert!(runs(&agent, "kept") >= before);
}

#[test]
fn a_file_that_never_rests_keeps_nobody_from_reloading_or_stopping() {
    let target = Silent::start();
    let agent = Agent::start("run-restless", &[("a", &tcp("old", "1s", target.address()))]);
    let restless = agent.directory.join("checks/notes.toml~");
    let done = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let done = done.clone();
        move || {
            while !done.load(Ordering::Relaxed) {
                std::fs::write(&restless, "x").expect("a file");
                std::fs::remove_file(&restless).expect("a file");
            }
        }
    });
    agent.write_checks("a", &tcp("new", "1s", target.address()));
    agent.wait_for("the new check", |agent| agent.metric("atalaya_check_up{check=\"new\"").is_some());
    let status = agent.stop();
    done.store(true, Ordering::Relaxed);
    writer.join().expect("the writer");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn an_edit_while_runs_hang_loses_none_of_them() {
    let target = Silent::start();
    let hung = |title: &str| {
        tcp("hung", "2s", target.address()).replace(
            "' }\n",
            &format!("', expect = {{ contains = 'x' }} }}\ntimeout = '3s'\ntitle = '{title}'\n"),
        )
    };
    let agent = Agent::start("run-edit", &[("a", &hung("one"))]);
    agent.wait_for("a run under way", |agent| {
        agent.metric("atalaya_runs_under_way").is_some_and(|runs| runs > 0.0)
    });
    agent.write_checks("a", &hung("two"));
    agent.wait_for("the edit", |agent| agent.metric("atalaya_reloads_total{result=\"ok\"}") == Some(1.0));
    agent.wait_for("the run that began before it", |agent| runs(agent, "hung") >= 1.0);
    let info =
        agent.metrics().into_keys().find(|series| series.starts_with("atalaya_check_info{check=\"hung\""));
    assert!(info.is_some_and(|info| info.contains("title=\"two\"")));
}

#[test]
fn an_early_hangup_kills_nobody_and_definitions_that_vanish_stay_in_force() {
    let target = Silent::start();
    let agent = Agent::start("run-vanish", &[("a", &tcp("well", "1s", target.address()))]);
    for _ in 0..20 {
        agent.signal(Signal::SIGHUP);
    }
    agent.wait_until_ready();
    let folder = agent.directory.join("checks");
    std::fs::rename(&folder, agent.directory.join("away")).expect("a folder");
    agent.wait_for("the refusal", |agent| agent.metric("atalaya_reload_last_successful") == Some(0.0));
    std::fs::create_dir(&folder).expect("a folder");
    agent.signal(Signal::SIGHUP);
    agent.wait_for("what SIGHUP says is meant", |agent| agent.metric("atalaya_checks") == Some(0.0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let target = Silent::start();
    let hung = tcp("hung", "6s", target.address())
        .replace("' }\n", "', expect = { contains = 'x' } }\ntimeout = '11s'\n");
    let agent = Agent::start("run-twice", &[("a", &hung)]);
    agent.wait_for("a run under way", |agent| {
        agent.metric("atalaya_runs_under_way").is_some_and(|runs| runs > 0.0)
    });
    agent.signal(Signal::SIGTERM);
    agent.wait_for("the first to be heard", |agent| {
        agent.log().iter().any(|line| line["message"] == "stopping")
    });
    assert_eq!(agent.stop().code(), Some(0));
}

#[test]
fn targets_that_never_answer_cost_the_others_nothing() {
    let target = Silent::start();
    let mut checks = String::new();
    for n in 0..50 {
        checks += &tcp(&format!("well-{n}"), "1s", target.address());
    }
    for n in 0..10 {
        let hung = tcp(&format!("hung-{n}"), "1s", target.address());
        checks += &hung.replace("' }\n", "', expect = { contains = 'x' } }\ntimeout = '1900ms'\n");
    }
    let agent = Agent::start("run-hung", &[("a", &checks)]);
    agent
        .wait_for("five runs of each", |agent| runs(agent, "well-49") >= 5.0 && runs(agent, "hung-9") >= 3.0);
    // What hangs must cost none a place. It may cost itself one: where the machine stands still for the tenth of a
    // second between the end of a run and the one after the next, that one would be the third at once.
    assert_eq!(agent.metric("atalaya_dropped_runs_total{why=\"full\"}"), Some(0.0));
    // Of one moment: a hundred scrapes take seconds where the machine is busy, and more runs come meanwhile.
    let metrics = agent.metrics();
    let of_check = |n: usize| {
        let begins = format!("atalaya_check_runs_total{{check=\"well-{n}\"");
        metrics.iter().filter(|(name, _)| name.starts_with(&begins)).map(|(_, runs)| runs).sum::<f64>()
    };
    let least = (0..50).map(of_check).fold(f64::MAX, f64::min);
    let most = (0..50).map(of_check).fold(0.0, f64::max);
    assert!(most - least <= 2.0, "the healthy ran {least} to {most} times");
    agent.wait_for("the timeout to be told", |agent| {
        let fault = "atalaya_check_fault{check=\"hung-0\",section=\"site\",class=\"timeout\"}";
        agent.metric(fault) == Some(1.0)
    });
}

#[test]
fn what_was_due_while_the_machine_slept_is_counted_and_no_burst_follows() {
    let target = Silent::start();
    let agent = Agent::start("run-asleep", &[("a", &tcp("well", "1s", target.address()))]);
    agent.wait_until_ready();
    let before = runs(&agent, "well");
    let stopped = Instant::now();
    agent.signal(Signal::SIGSTOP);
    wait_until("four seconds to pass, which is what is tested", None, || {
        stopped.elapsed() > Duration::from_secs(4)
    });
    agent.signal(Signal::SIGCONT);
    agent.wait_for("the gap to be told", |agent| dropped(agent, "well") > 0.0);
    let missed = dropped(&agent, "well");
    assert!((2.0..=4.0).contains(&missed), "{missed} runs were missed in four seconds");
    assert!(runs(&agent, "well") <= before + 3.0, "one run takes the place of all that were missed");
}

#[test]
fn a_wall_clock_that_is_set_does_not_touch_the_schedule() {
    let target = Silent::start();
    let directory = crate::support::server::directory("run-clock");
    let clock = directory.join("clock");
    std::fs::write(&clock, "+0").expect("a file");
    let environment = [
        ("LD_PRELOAD", "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1".to_owned()),
        ("FAKETIME_TIMESTAMP_FILE", clock.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    let agent = Agent::start_with("run-clock", &[("a", &tcp("well", "1s", target.address()))], &environment);
    agent.wait_until_ready();
    for offset in ["+3600", "-3600"] {
        let before = runs(&agent, "well");
        let last_run = agent.metric("atalaya_check_last_run_timestamp_seconds").expect("a series");
        std::fs::write(&clock, offset).expect("a file");
        let set = Instant::now();
        agent.wait_for("three more runs", |agent| runs(agent, "well") >= before + 3.0);
        assert!(set.elapsed() > Duration::from_millis(1500), "no burst follows ({offset})");
        let moved = agent.metric("atalaya_check_last_run_timestamp_seconds").expect("a series") - last_run;
        assert!(moved.abs() > 3000.0, "the clock was set indeed ({offset}: {moved})");
    }
    assert_eq!(dropped(&agent, "well"), 0.0);
    assert!(
        agent.metric("atalaya_check_window_runs").is_some_and(|runs| runs >= 6.0),
        "the windows kept all runs"
    );
}

#[test]
fn sigterm_ends_in_order() {
    let target = Silent::start();
    let hung = tcp("hung", "2s", target.address())
        .replace("' }\n", "', expect = { contains = 'x' } }\ntimeout = '3900ms'\n");
    let agent = Agent::start("run-stop", &[("a", &hung)]);
    agent.wait_for("a run under way", |agent| {
        agent.metric("atalaya_runs_under_way").is_some_and(|runs| runs > 0.0)
    });
    let log = agent.directory.join("atalaya.log");
    let status = agent.stop();
    let log = std::fs::read_to_string(log).expect("a log");
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("\"stopped\""), "{log}");
}

#[test]
fn a_port_in_use_is_told_with_the_way_out() {
    let target = Silent::start();
    let address = target.address().to_string();
    let directory = crate::support::server::directory("run-port");
    std::fs::create_dir_all(directory.join("checks")).expect("a folder");
    let output = Command::new(PROGRAM)
        .args(["run", "--listen", &address])
        .current_dir(&directory)
        .output()
        .expect("the program");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{told}");
    let mut expected = String::new();
    write!(expected, "can't listen on {address}: the port is in use").expect("a string");
    assert!(told.contains(&expected) && told.contains("--listen"), "{told}");
}

#[test]
fn wrong_definitions_start_nothing() {
    let directory = crate::support::server::directory("run-wrong");
    let run = || {
        let output = Command::new(PROGRAM).arg("run").current_dir(&directory).output().expect("the program");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, told) = run();
    assert_eq!(code, Some(78), "{told}");
    assert!(told.contains("checks: can't read it"), "{told}");
    std::fs::create_dir_all(directory.join("checks")).expect("a folder");
    std::fs::write(directory.join("checks/a.toml"), "[[check]]\nname = 'A'\nevery = 'x'\n").expect("a file");
    let (code, told) = run();
    assert_eq!(code, Some(78));
    for place in
        ["checks/a.toml:1:1: missing key `probe`", "checks/a.toml:2:8: `name`", "checks/a.toml:3:9: `every`"]
    {
        assert!(told.contains(place), "{told}");
    }
}
