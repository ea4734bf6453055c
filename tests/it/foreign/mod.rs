//! Whatever arrives: definitions, answers of vendors, bytes of servers, names of measures. Nothing panics, hangs,
//! grows or shows what it must not.
//!
//! Cases are drawn by proptest, which shrinks one that fails. All cases of a test share one server.

mod config;
mod exposition;
mod mutate;
mod vendors;
mod wire;

use atalaya::clock;
use atalaya::config::text::Variables;
use atalaya::outcome::Status;
use atalaya::probe::net::Net;
use atalaya::probe::{self, Build, Found, Look, Probe};
use proptest::test_runner::{Config, TestCaseError, TestCaseResult};
use serde::Deserialize;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;

/// What must not be shown, wherever it stands in an answer.
const SECRET: &str = "marked-secret-Yq27";
const EMAIL: &str = "marked.person@customer.example";
const CARD: &str = "4111111111111111";
const MARKED: [&str; 4] = [SECRET, EMAIL, CARD, "4111-1111-1111-1111"];

/// So many cases, and no file with those that failed: they become tests of their own.
fn cases(number: u32) -> Config {
    Config { cases: number, failure_persistence: None, ..Config::default() }
}

fn fails(why: String) -> TestCaseError {
    TestCaseError::fail(why)
}

/// One runtime, one network and one server for all cases of a test.
struct Bench {
    runtime: Runtime,
    net: Arc<Net>,
}

impl Bench {
    fn new() -> Bench {
        let runtime = Runtime::new().expect("a runtime");
        let net = runtime.block_on(async { Arc::new(Net::new().expect("a network")) });
        Bench { runtime, net }
    }

    /// Builds the probe of `toml` anew, so that no case leaves anything to the next, and looks once.
    fn look(&self, toml: &str, timeout: Duration) -> Look {
        #[derive(Deserialize)]
        struct Definition {
            probe: Probe,
        }
        let definition: Definition = toml::from_str(toml).unwrap_or_else(|error| panic!("{toml}\n{error}"));
        let variables = Variables::new([("SECRET", SECRET)], |path| std::fs::read_to_string(path));
        self.runtime.block_on(async {
            let (every, net) = (Duration::from_mins(1), &self.net);
            let mut build = Build { variables: &variables, every, timeout, net, found: Found::default() };
            let run = definition.probe.kind().build(&mut build);
            let run = run.unwrap_or_else(|| panic!("{toml}\n{:#?}", build.found));
            probe::look(&*run, clock::wall(), timeout).await
        })
    }
}

/// What a server does with each connection: reads what is asked, says this, and closes or holds the line.
#[derive(Debug, Clone, Default)]
struct Script {
    says: Vec<u8>,
    holds: bool,
}

/// What a server of this test says at the moment.
type Says = Arc<Mutex<Script>>;

/// The longest that a reason may be: a few hundred characters that a person reads.
const TEXT_CHARS_MAX: usize = 1200;

/// What is promised of every look, whatever was answered.
fn promises(look: &Look, timeout: Duration) -> TestCaseResult {
    let outcome = &look.outcome;
    if outcome.status() != Status::Ok && outcome.reason().is_none() {
        return Err(fails("a status without a class".to_owned()));
    }
    if look.took > timeout + Duration::from_secs(1) {
        return Err(fails(format!("it took {:?}", look.took)));
    }
    let labels = outcome.measures.iter().flat_map(|measure| &measure.labels);
    let names = outcome.measures.iter().map(|measure| &*measure.name);
    let texts: Vec<&str> = outcome
        .faults
        .iter()
        .map(|fault| fault.text.as_str())
        .chain(outcome.notes.iter().map(String::as_str))
        .chain(labels.flat_map(|(name, value)| [name.as_str(), value.as_str()]))
        .chain(names)
        .collect();
    for text in texts {
        if text.contains("panicked") {
            return Err(fails(format!("a panic: {text}")));
        }
        if let Some(marked) = MARKED.iter().find(|marked| text.contains(**marked)) {
            return Err(fails(format!("`{marked}` is shown: {text}")));
        }
        if text.chars().any(char::is_control) || text.chars().count() > TEXT_CHARS_MAX {
            return Err(fails(format!("not one short plain line: {text:?}")));
        }
    }
    match outcome.measures.iter().find(|measure| !measure.value.is_finite()) {
        Some(measure) => Err(fails(format!("{measure:?}"))),
        None => Ok(()),
    }
}

/// A server on loopback for as long as the bench lives, which follows the script of the moment.
fn serve(bench: &Bench) -> (SocketAddr, Says) {
    let says = Says::default();
    let script = says.clone();
    let address = bench.runtime.block_on(crate::support::web::serve(move |stream| {
        let script = script.lock().expect("the script").clone();
        wire::follow(stream, script)
    }));
    (address, says)
}
