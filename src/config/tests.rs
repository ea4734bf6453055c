//! Every bad definition, with the exact words that its author reads.

use super::text::Variables;
use super::{Files, Plan, Source, load};
use crate::probe::net::Net;
use std::io;
use std::sync::Arc;

fn plan(agent: Option<&str>, checks: &[(&str, &str)]) -> Result<Plan, Vec<String>> {
    let files = Files {
        agent: agent.map(|text| Source::new("atalaya.toml", text)),
        checks: checks.iter().map(|(file, text)| Source::new(file, *text)).collect(),
        alerts: Vec::new(),
    };
    let variables = Variables::new([("HOST", "127.0.0.1"), ("SECRET", "marked-secret")], |_| {
        Err(io::Error::from(io::ErrorKind::NotFound))
    });
    let net = Arc::new(Net::new().expect("a net"));
    load(&files, &variables, &net).map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

fn check(text: &str, expected: &[&str]) {
    let found = plan(None, &[("a.toml", text)]).map(|plan| format!("{plan:?}"));
    assert_eq!(found, Err(expected.iter().map(ToString::to_string).collect()), "{text}");
}

fn with(keys: &str) -> String {
    format!("[[check]]\nname = 'web'\nprobe.tcp = {{ address = '${{HOST}}:80' }}\n{keys}")
}

#[test]
fn a_definition_says_little_and_gets_sensible_defaults() {
    let plan = plan(None, &[("a.toml", &with(""))]).expect("valid");
    let check = &plan.checks[0];
    assert_eq!((check.title.as_str(), check.section.as_str(), check.kind), ("Web", "general", "tcp"));
    assert_eq!((check.every.as_secs(), check.timeout.as_secs()), (60, 10));
    assert_eq!(check.metric_prefix, "atalaya_tcp");
    assert_eq!(check.place.to_string(), "a.toml:1:1");
    assert_eq!(plan.agent.listen.to_string(), super::plan::LISTEN);
}

#[test]
fn names_are_well_formed_and_taken_once() {
    check(
        "[[check]]\nname = 'Web site'\nprobe.tcp = { address = 'a:1' }",
        &[
            "a.toml:2:8: `name`: `Web site` is not a name; allowed are up to 64 lowercase letters, digits and hyphens",
        ],
    );
    check(
        &format!("{}\n{}", with(""), with("")),
        &["a.toml:6:8: the name `web` is taken by the check at a.toml:2:8"],
    );
    check("[[check]]\nprobe.tcp = { address = 'a:1' }", &["a.toml:1:1: missing key `name`"]);
}

#[test]
fn what_is_needed_exists_and_goes_in_no_circle() {
    check(&with("needs = ['wbe']"), &["a.toml:4:9: `needs`: there is no check `wbe`"]);
    check(&with("needs = ['web']"), &["a.toml:4:9: `needs` goes in a circle: web → web"]);
    let second = with("needs = ['wbe']").replace("name = 'web'", "name = 'shop'");
    check(
        &format!("{}\n{second}", with("")),
        &["a.toml:8:9: `needs`: there is no check `wbe`\n  hint: did you mean `web`?"],
    );
    let second = with("needs = ['web']").replace("name = 'web'", "name = 'shop'");
    check(
        &format!("{}\n{second}", with("needs = ['shop']")),
        &["a.toml:4:9: `needs` goes in a circle: web → shop → web"],
    );
}

#[test]
fn a_run_is_over_before_runs_pile_up() {
    check(
        &with("every = '5s'\ntimeout = '10s'"),
        &[
            "a.toml:5:11: `timeout`: 10s is not shorter than twice `every` (5s), so runs would pile up\n  hint: shorten `timeout` or lengthen `every`",
        ],
    );
    assert!(plan(None, &[("a.toml", &with("every = '5s'\ntimeout = '9s'"))]).is_ok());
}

#[test]
fn limits_are_on_measures_that_the_kind_yields() {
    check(
        &with("limits.duration_second = { degraded = '> 1' }\nlimits.duration_seconds = {}"),
        &[
            "a.toml:4:26: `limits.duration_second`: `tcp` never yields this measure\n  hint: did you mean `duration_seconds`?",
            "a.toml:5:27: `limits.duration_seconds` bounds nothing\n  hint: give `degraded`, `failed` or both, such as `degraded = \"> 0.80\"`",
        ],
    );
    check(
        &with("limits.duration_seconds = { degraded = 'slow', missing = 'never' }"),
        &[
            "a.toml:4:40: `degraded`: `slow` is not a bound such as \"> 0.80\", \">= 5\", \"< 14d\", \"> 500ms\" or \"!= 0\"",
            "a.toml:4:58: `missing`: unknown value `never`; allowed are `ok`, `unknown`, `failed`",
        ],
    );
}

#[test]
fn a_check_does_one_thing() {
    check(
        "[[check]]\nname = 'x'\nprobe = {}",
        &["a.toml:3:9: `probe`: exactly one kind is wanted, found none"],
    );
    check(
        "[[check]]\nname = 'x'\nprobe.tcp = { address = 'a:1' }\nprobe.dns = { name = 'a' }",
        &["a.toml:3:1: `probe`: exactly one kind is wanted, found more than one"],
    );
}

#[test]
fn metric_prefixes_are_names_and_not_the_agents() {
    for prefix in ["Shop", "shop_", "9shop", "atalaya_check", "process", "process_x", ""] {
        let faults =
            plan(None, &[("a.toml", &with(&format!("metric_prefix = '{prefix}'")))]).expect_err(prefix);
        assert!(faults[0].contains("`metric_prefix`"), "{faults:?}");
        assert!(faults[0].contains("`atalaya` or `process_`"), "{faults:?}");
    }
    check(
        &with("metrics = false\nmetric_prefix = 'shop'"),
        &["a.toml:5:17: with `metrics = false` there are no metrics, so `metric_prefix` has no effect"],
    );
}

#[test]
fn all_files_are_read_whatever_is_wrong_in_one() {
    let found = plan(
        Some("[http]\nlisten = 'here'\n[agnt]\n"),
        &[
            ("a.toml", "[[check]]\nname = = 1\n"),
            ("b.toml", "[check]\nname = 'x'\n"),
            ("c.toml", "checks = 1\n[[check]]\nname = 'c'\nprobe.tpc = {}\n"),
            ("d.toml", "[[check]]\nname = 'd'\nevry = '5s'\nprobe.tcp = { adress = 'a' }\n"),
        ],
    );
    let expected = [
        "a.toml:2:8: extra `=`, expected nothing",
        "atalaya.toml:3:2: unknown key `agnt`; allowed are `checks`, `alerts`, `agent`, `http`, `store`, `ingest`\n  hint: did you mean `agent`?",
        "b.toml:1:2: `check` must be a list of tables\n  hint: write `[[check]]` with two brackets",
        "c.toml:1:1: unknown key `checks`; a file of checks holds only `[[check]]` tables",
        "d.toml:4:15: unknown key `adress`; allowed are `address`, `tls`, `send`, `expect`\n  hint: did you mean `address`?",
    ];
    let found = found.expect_err("wrong");
    for expected in expected {
        assert!(found.iter().any(|fault| fault == expected), "{expected}\n{found:#?}");
    }
    assert_eq!(found.iter().filter(|fault| fault.starts_with("c.toml:4")).count(), 1, "{found:#?}");
    assert!(found.iter().any(|fault| fault.starts_with("c.toml:4:7: unknown value `tpc`")), "{found:#?}");
    assert!(found.iter().any(|fault| fault.starts_with("d.toml:3:1: unknown key `evry`")), "{found:#?}");
}

#[test]
fn a_check_whose_variables_are_not_set_is_skipped_and_said() {
    let text =
        "[[check]]\nname = 'db'\nsection = 'database'\nprobe.tcp = { address = '${DB_HOST}:${DB_PORT}' }";
    let plan = plan(None, &[("a.toml", text)]).expect("valid");
    assert!(plan.checks.is_empty());
    assert_eq!(plan.skipped[0].why, "variables DB_HOST, DB_PORT are not set");
}

#[test]
fn a_file_that_holds_a_secret_must_be_readable() {
    check(
        "[[check]]\nname = 'db'\nprobe.tcp = { address = '${file:/none}:1' }",
        &["a.toml:3:25: `address`: can't read `${file:/none}`: entity not found"],
    );
}

#[test]
fn no_error_shows_a_filled_value() {
    let text = "[[check]]\nname = 'db'\nprobe.tcp = { address = '${SECRET}' }\n";
    let shown = format!("{:?}", plan(Some("[http]\nlisten = '${SECRET}'"), &[("a.toml", text)]));
    assert!(!shown.contains("marked-secret"), "{shown}");
    assert!(shown.contains("`listen` is no address and port: `${SECRET}`"), "{shown}");
}

#[test]
fn an_agent_without_room_for_a_run_is_refused() {
    let found = plan(Some("[agent]\nruns_max = 0"), &[("a.toml", &with(""))]).expect_err("wrong");
    assert!(found[0].starts_with("atalaya.toml:2:12: `runs_max`: "), "{found:?}");
    assert_eq!(found.len(), 1, "{found:?}");
    let plan = plan(Some("[agent]\nruns_max = 1"), &[("a.toml", &with(""))]).expect("valid");
    assert_eq!(plan.agent.runs_max, Some(1));
}

#[test]
fn what_the_agents_file_names_is_read_whatever_else_is_wrong_with_it() {
    let paths = |text: &str| super::plan::paths(Some(&Source::new("atalaya.toml", text)), "checks");
    assert_eq!(super::plan::paths(None, "checks"), ["checks"]);
    assert_eq!(paths(""), ["checks"]);
    assert_eq!(paths("checks = ['here', 'there']\n[agnt]\n[agent]\nruns_max = 'x'"), ["here", "there"]);
    assert_eq!(paths("checks = ['here'\nx = = 1"), [""; 0]);
    assert_eq!(paths("checks = 5"), [""; 0]);
}

#[test]
fn a_check_that_is_no_table_is_told_in_words_of_the_file() {
    let found = plan(None, &[("a.toml", "check = [5]")]).expect_err("wrong");
    assert!(found.iter().all(|fault| !fault.contains("struct")), "{found:?}");
    assert!(found[0].contains("a table"), "{found:?}");
}

#[test]
fn another_certificate_in_the_same_file_is_another_check() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ca.pem");
    let fingerprint = || {
        let text = format!(
            "[[check]]\nname = 'web'\nprobe.tcp = {{ address = 'a:1', tls = {{ ca = '{}' }} }}",
            path.display()
        );
        plan(None, &[("a.toml", &text)]).expect("valid").checks[0].fingerprint
    };
    let write = || {
        let made = rcgen::generate_simple_self_signed(["a".to_owned()]).expect("a certificate");
        std::fs::write(&path, made.cert.pem()).expect("a file");
    };
    write();
    let first = fingerprint();
    assert_eq!(fingerprint(), first, "nothing has changed");
    write();
    assert_ne!(fingerprint(), first, "the file has another certificate");
}
