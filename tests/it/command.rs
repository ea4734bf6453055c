//! `command` on real plugins and on programs that misbehave on purpose.

use atalaya::clock;
use atalaya::config::text::Variables;
use atalaya::outcome::{Outcome, Status};
use atalaya::probe::net::Net;
use atalaya::probe::{self, Build, Found, Look, Probe, Run};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use crate::support::server::directory;

const PLUGINS: &str = "/usr/lib/nagios/plugins";

fn build(table: &str, timeout: Duration) -> (Option<Box<dyn Run>>, Found) {
    static NET: LazyLock<Arc<Net>> = LazyLock::new(|| Arc::new(Net::new().expect("TLS")));
    let probe: Probe = toml::from_str(&format!("[command]\n{table}")).expect("a definition");
    let path = std::env::var("PATH").expect("a PATH");
    let pairs = [("PATH", path.as_str()), ("PASSWORD", "marked-secret"), ("HOME", "/root")];
    let variables = Variables::new(pairs, |path: &Path| std::fs::read_to_string(path));
    let every = Duration::from_mins(1);
    let mut build = Build { variables: &variables, every, timeout, net: &NET, found: Found::default() };
    let run = probe.kind().build(&mut build);
    (run, build.found)
}

async fn run(table: &str, timeout: Duration) -> Look {
    let (run, found) = build(table, timeout);
    let run = run.unwrap_or_else(|| panic!("{table}: {found:?}"));
    probe::look(&*run, clock::wall(), timeout).await
}

async fn outcome(table: &str) -> Outcome {
    run(table, Duration::from_secs(20)).await.outcome
}

/// As a person would see it: `failed assertion: reason`.
fn shown(outcome: &Outcome) -> String {
    let reason = outcome.reason().map(|fault| format!(" {}: {}", fault.class, fault.text));
    format!("{}{}", outcome.status(), reason.unwrap_or_default())
}

async fn check(argv: &[&str], expected: &str) -> Outcome {
    let outcome = outcome(&format!("argv = {argv:?}")).await;
    assert_eq!(shown(&outcome), expected, "{argv:?}");
    outcome
}

async fn check_shell(script: &str, expected: &str) -> Outcome {
    check(&["sh", "-c", script], expected).await
}

fn plugin(name: &str) -> String {
    format!("{PLUGINS}/{name}")
}

fn measure(outcome: &Outcome, name: &str) -> f64 {
    let found = outcome.measures.iter().find(|measure| measure.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {:?}", outcome.measures)).value
}

/// How many processes have `mark` on their command line. Ended ones have none.
fn processes(mark: &str) -> usize {
    let lines = std::fs::read_dir("/proc").expect("/proc").flatten();
    lines
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .filter(|line| String::from_utf8_lossy(line).contains(mark))
        .count()
}

/// Shells and sleepers that ended and that this process did not take note of.
fn zombies_of_ours() -> usize {
    let ended = format!(") Z {} ", std::process::id());
    let stats = std::fs::read_dir("/proc").expect("/proc").flatten();
    stats
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok())
        .filter(|stat| stat.contains(&ended) && (stat.contains("(sh)") || stat.contains("(sleep)")))
        .count()
}

/// Gives the runtime its turns while waiting, since it is the runtime that reaps.
async fn until(what: &str, ready: impl Fn() -> bool) {
    let begun = Instant::now();
    while !ready() {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited 30 s for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn real_plugins_are_believed_by_their_code() {
    let dummy = plugin("check_dummy");
    check(&[&dummy, "0", "fine"], "ok").await;
    check(&[&dummy, "1", "hello"], "degraded assertion: WARNING: hello").await;
    check(&[&dummy, "2", "gone"], "failed assertion: CRITICAL: gone").await;
    check(&[&dummy, "3", "who knows"], "unknown internal: UNKNOWN: who knows").await;
    check(
        &[&plugin("negate"), "-o", "CRITICAL", &dummy, "0", "fine"],
        "failed assertion: OK: fine (exit code 2)",
    )
    .await;
    check(
        &[&plugin("check_tcp"), "-H", "127.0.0.1", "-p", "1"],
        "failed assertion: connect to address 127.0.0.1 and port 1: Connection refused",
    )
    .await;
    check(&[&plugin("check_disk")], "unknown internal: check_disk: Could not parse arguments").await;
}

#[tokio::test]
async fn real_performance_data_become_measures() {
    let disk = check(&[&plugin("check_disk"), "-w", "1", "-c", "1", "-p", "/"], "ok").await;
    assert!(measure(&disk, "root_bytes") > 1e6, "{disk:?}");
    let load = check(&[&plugin("check_load"), "-w", "9999", "-c", "9999"], "ok").await;
    assert!(measure(&load, "load15") >= 0.0, "{load:?}");
    let procs = check(&[&plugin("check_procs")], "ok").await;
    assert!(measure(&procs, "procs") >= 1.0, "{procs:?}");
    let age = outcome(&format!(
        r#"argv = ["{PLUGINS}/check_file_age", "-f", "/etc/passwd", "-w", "1", "-c", "9999999999"]"#
    ))
    .await;
    assert_eq!(age.status(), Status::Degraded, "{age:?}");
    assert!(measure(&age, "age_seconds") > 1.0 && measure(&age, "size_bytes") > 10.0, "{age:?}");
    assert!(age.notes[0].starts_with("age is "), "the number that is beyond its bound is named: {age:?}");
    let too_much =
        outcome(&format!(r#"argv = ["{PLUGINS}/check_load", "-w", "0,0,0", "-c", "0,0,0"]"#)).await;
    assert_ne!(too_much.status(), Status::Unknown, "{too_much:?}");
}

#[tokio::test]
async fn what_can_not_be_run_is_our_trouble() {
    let here = directory("command-not-run");
    let file = here.join("no-program");
    std::fs::write(&file, "echo").expect("a file");
    let file = file.display().to_string();
    let missing = "/nowhere/check_x";
    let enoent = "No such file or directory (os error 2)";
    check(&[missing], &format!("unknown internal: can't run `{missing}`: {enoent}")).await;
    check(&["check_nowhere"], &format!("unknown internal: can't run `check_nowhere`: {enoent}")).await;
    check(&[&file], &format!("unknown internal: can't run `{file}`: Permission denied (os error 13)")).await;
    let elsewhere = outcome("argv = [\"sh\"]\ndirectory = \"/nowhere\"").await;
    assert_eq!(shown(&elsewhere), "unknown internal: can't run `sh`: its `directory` is no directory");
    check_shell("exit 77", "unknown internal: exit code 77 is none of 0 to 3").await;
    check_shell("echo hm; kill -SEGV $$", "unknown internal: `sh` was killed by SIGSEGV: hm").await;
    check_shell("echo 'lib.so: not found' >&2; exit 2", "failed assertion: lib.so: not found").await;
}

#[tokio::test]
async fn a_plugin_gets_its_environment_and_nothing_else() {
    let bare = outcome(r#"argv = ["sh", "-c", "echo $(env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= | cut -d= -f1 | sort); exit 2"]"#).await;
    assert_eq!(shown(&bare), "failed assertion: LANG PATH");
    let table = "argv = [\"sh\", \"-c\", 'echo \"$PWD $TOKEN $LANG\" $1; exit 2', \"x\", \"-p${PASSWORD}\"]\n\
        environment = { TOKEN = \"a ${PASSWORD}\", LANG = \"de_DE\" }\ndirectory = \"/usr\"";
    assert_eq!(shown(&outcome(table).await), "failed assertion: /usr a ${PASSWORD} de_DE -p${PASSWORD}");
    let (run, found) = build("argv = [\"true\", \"${NOT_SET}\"]", Duration::from_secs(1));
    assert!(run.is_none());
    assert_eq!(found.unset.into_iter().collect::<Vec<_>>(), ["NOT_SET"]);
    for (table, key) in [
        ("argv = []", "argv"),
        ("argv = [\"\"]", "argv"),
        ("argv = [\"sh\"]\noutput_max = \"17MiB\"", "output_max"),
        ("argv = [\"sh\", \"\\u0000\"]", "argv"),
        ("argv = [\"sh\"]\nenvironment = { \"A=B\" = \"1\" }", "environment.A=B"),
        ("argv = [\"sh\"]\nenvironment = { A = \"\\u0000\" }", "environment.A"),
    ] {
        let (run, found) = build(table, Duration::from_secs(1));
        assert!(run.is_none(), "{table}");
        assert_eq!(found.faults.iter().map(|fault| fault.key.as_str()).collect::<Vec<_>>(), [key], "{table}");
    }
}

/// Runs a script that would not end within its timeout. `marker` is on the command line of all that it starts.
async fn check_hang(marker: &str, script: &str, expected: &str) {
    let table = format!("argv = [\"sh\", \"-c\", '''{script}''', \"{marker}\"]");
    let begun = Instant::now();
    let look = run(&table, Duration::from_millis(500)).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{script}: {:?}", begun.elapsed());
    assert_eq!(shown(&look.outcome), expected, "{script}");
    assert_eq!(look.phases[0].name, "run");
    until(&format!("the end of {marker}"), || processes(marker) == 0).await;
}

#[tokio::test]
async fn the_deadline_ends_all_that_was_started() {
    let over = "failed timeout: no end within 500ms; killed with all it had started";
    check_hang("mark-alone-7421", "sleep 997421; true", over).await;
    check_hang("mark-said-7422", "echo waiting; sleep 997422; true", &format!("{over}: waiting")).await;
    check_hang(
        "mark-children-7423",
        "sleep 997423 & (sleep 997423 & sh -c 'sleep 997423; true') ; true",
        over,
    )
    .await;
    check_hang("mark-deaf-7424", "trap '' TERM INT HUP; while :; do sleep 0.05; done", over).await;
    check_hang("mark-mute-7425", "exec >&- 2>&-; sleep 997425; true", over).await;
    until("no child to be left", || processes("99742") == 0).await;
    until("all that ended to be reaped", || zombies_of_ours() == 0).await;
}

#[tokio::test]
async fn who_knows_better_says_what_a_timeout_means() {
    let table = "argv = [\"sleep\", \"997430\"]\ntimeout_status = \"unknown\"";
    let look = run(table, Duration::from_millis(200)).await;
    let expected = "unknown timeout: no end within 200ms; killed with all it had started";
    assert_eq!(shown(&look.outcome), expected);
}

#[tokio::test]
async fn a_run_that_is_given_up_leaves_nothing_behind() {
    let (run, _) =
        build("argv = [\"sh\", \"-c\", \"sleep 997441 & sleep 997441; true\"]", Duration::from_mins(1));
    let run = run.expect("sound");
    let task =
        tokio::spawn(async move { probe::look(&*run, clock::wall(), Duration::from_mins(1)).await.took });
    until("both to be there", || processes("sleep\u{0}997441") == 2).await;
    task.abort();
    assert!(task.await.expect_err("aborted").is_cancelled());
    until("both to be gone", || processes("997441") == 0 && zombies_of_ours() == 0).await;
}

#[tokio::test]
async fn a_child_that_keeps_the_output_open_does_not_delay_the_end() {
    let begun = Instant::now();
    let outcome = check_shell("echo 'OK | a=1'; sleep 997451 & exit 0", "ok").await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!((measure(&outcome, "a") - 1.0).abs() < f64::EPSILON);
    // One that left the group on purpose lives on, and is not waited for either.
    let begun = Instant::now();
    check_shell("echo 'gone | b=1'; setsid sleep 6 & exit 1", "degraded assertion: gone").await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    until("the end of the child in the group", || processes("997451") == 0).await;
}

#[tokio::test]
async fn output_without_end_costs_nothing() {
    let begun = Instant::now();
    let flood = "unknown internal: `sh` wrote without end and was killed: y";
    check_shell("yes", flood).await;
    check_shell("yes | head -c 100000000; exit 0", flood).await;
    let noise = check_shell("yes >&2", "unknown internal: `sh` wrote without end and was killed: y").await;
    assert!(noise.measures.is_empty());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let long = check_shell(
        "echo '| early=1'; yes 'x' | head -c 1000000; echo '|late=1'; exit 2",
        "failed assertion: x",
    )
    .await;
    assert_eq!(long.measures.len(), 1, "{:?}", long.measures);
    assert_eq!(long.notes[0], "the output was longer than `output_max`; the rest was not read");
    let cut = outcome("argv = [\"echo\", \"OK | a=1 b=234567\"]\noutput_max = \"12B\"").await;
    assert_eq!(cut.measures.len(), 1, "half a number is no number: {:?}", cut.measures);
}

#[tokio::test]
async fn no_output_reaches_a_terminal_unread() {
    check_shell(
        r"printf '\377\376 caf\303\251 \033[31mred\033[0m \033]0;t\007 \000 end\n'; exit 2",
        "failed assertion: \u{fffd}\u{fffd} café red end",
    )
    .await;
    check_shell("printf ''; exit 1", "degraded assertion: exit code 1 without a word").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_end_each_by_itself() {
    let runs = (0..40).map(|n| async move {
        let code = n % 4;
        let outcome = outcome(&format!("argv = [\"sh\", \"-c\", \"echo n{n}'|n={n}'; exit {code}\"]")).await;
        let expected = [Status::Ok, Status::Degraded, Status::Failed, Status::Unknown][code];
        assert_eq!(outcome.status(), expected, "{n}");
        assert!((measure(&outcome, "n") - f64::from(u8::try_from(n).expect("small"))).abs() < f64::EPSILON);
    });
    futures_util::future::join_all(runs).await;
}
