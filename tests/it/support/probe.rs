//! Looking once with a probe that is given as it stands in a definition: `probe.tcp = { … }`.
//!
//! Each look has a [`Net`] of its own, since kept connections belong to the runtime of one test.

use atalaya::clock;
use atalaya::config::text::Variables;
use atalaya::outcome::Outcome;
use atalaya::probe::net::Net;
use atalaya::probe::{self, Build, BuildFault, Found, Look, Probe, Run};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// Long enough for any server on this machine; a test of a hang gives its own.
pub const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Definition {
    probe: Probe,
}

/// Builds the probe of `toml` and looks once. Fails the test where it can't be built.
pub async fn look(toml: &str) -> Look {
    look_with(toml, &[], TIMEOUT).await
}

/// As [`look`], with variables for the holes and a deadline.
pub async fn look_with(toml: &str, variables: &[(&str, &str)], timeout: Duration) -> Look {
    let run = build(toml, variables).unwrap_or_else(|found| panic!("{toml}\n{found:#?}"));
    probe::look(&*run, clock::wall(), timeout).await
}

/// Builds the probe of `toml`; what is wrong with it otherwise. Needs a runtime.
pub fn build(toml: &str, variables: &[(&str, &str)]) -> Result<Box<dyn Run>, Found> {
    let definition: Definition = toml::from_str(toml).unwrap_or_else(|error| panic!("{toml}\n{error}"));
    let variables = Variables::new(variables.iter().copied(), |path| std::fs::read_to_string(path));
    let net = Arc::new(Net::new().expect("a network"));
    let every = Duration::from_mins(1);
    let mut build =
        Build { variables: &variables, every, timeout: TIMEOUT, net: &net, found: Found::default() };
    let run = definition.probe.kind().build(&mut build);
    match run {
        Some(run) if build.found.faults.is_empty() && build.found.unset.is_empty() => Ok(run),
        _ => Err(build.found),
    }
}

/// What is wrong with a probe that can't be built, each as `key: text`.
pub fn build_faults(toml: &str) -> Vec<String> {
    let found = build(toml, &[]).err().unwrap_or_else(|| panic!("this was built: {toml}"));
    found.faults.iter().map(|BuildFault { key, text, .. }| format!("{key}: {text}")).collect()
}

/// What `toml` is refused with before anything is built.
pub fn parse_error(toml: &str) -> String {
    let parsed = toml::from_str::<Definition>(toml);
    parsed.err().unwrap_or_else(|| panic!("this was taken: {toml}")).message().to_owned()
}

/// The number without labels that an outcome carries under `name`.
pub fn measure(outcome: &Outcome, name: &str) -> Option<f64> {
    let of_name = |measure: &&atalaya::outcome::Measure| measure.name == name && measure.labels.is_empty();
    outcome.measures.iter().find(of_name).map(|measure| measure.value)
}

/// Status, class and text in one line, as tests compare them: `failed connect: …`; `ok` without a fault.
pub fn verdict(look: &Look) -> String {
    match look.outcome.reason() {
        Some(fault) => format!("{} {}: {}", fault.status, fault.class, fault.text),
        None => look.outcome.status().to_string(),
    }
}
