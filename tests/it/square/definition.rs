//! What is wrong with a definition, and variables that are not set.

use crate::support::probe::{build, build_faults, parse_error};

fn check_build(more: &str, expected: &[&str]) {
    let toml = format!("probe.square = {{ token = \"EAAA\", {more} }}");
    assert_eq!(build_faults(&toml), expected, "{more}");
}

#[tokio::test]
async fn what_is_wrong_with_a_definition_is_said_at_once() {
    check_build(
        "environment = \"live\", calls_max = 2",
        &[
            "environment: `live` is neither \"production\" nor \"sandbox\"",
            "calls_max: 2 is not between 3, which one look needs, and 500",
        ],
    );
    check_build(
        "environment = \"Sandbox\", webhooks = true, locations = [\"A\", \"B\", \"A\"], calls_max = 4",
        &["calls_max: 4 is not between 5, which one look needs, and 500"],
    );
    check_build(
        "environment = \"production\", api_url = \"http://square.test\"",
        &["api_url: `http://square.test` would carry a production token in clear text; use https"],
    );
    let bearer = "probe.square = { token = \"Bearer EAAA\", environment = \"sandbox\" }";
    assert_eq!(
        build_faults(bearer),
        ["token: `Bearer EAAA` is empty, or holds a space or another character that no token has"]
    );
    let version = "probe.square = { token = \"EAAA\", environment = \"sandbox\", version = \"latest\" }";
    assert_eq!(parse_error(version), "`latest` is not a version of Square's API such as \"2026-05-20\"");
}

#[tokio::test]
async fn variables_of_the_shop_fill_the_definition_and_missing_ones_are_named() {
    let toml = "probe.square = { token = \"${SQUARE_ACCESS_TOKEN}\", environment = \"${SQUARE_ENVIRONMENT}\", locations = [\"${SQUARE_LOCATION_ID:-}\"] }";
    let missing = build(toml, &[]).err().expect("nothing is set");
    assert!(missing.faults.is_empty());
    assert_eq!(Vec::from_iter(missing.unset), ["SQUARE_ACCESS_TOKEN", "SQUARE_ENVIRONMENT"]);
    assert!(build(toml, &[("SQUARE_ACCESS_TOKEN", "EAAA"), ("SQUARE_ENVIRONMENT", "sandbox")]).is_ok());
}
