//! The pages of the real demo in a real browser.

use crate::support::agent::PROGRAM;
use crate::support::judge;
use crate::support::server::{directory, wait_until};
use std::process::{Child, Command, Stdio};

struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn a_browser_finds_nothing_wrong() {
    let home = directory("pages");
    let file = |name: &str| std::fs::File::create(home.join(name)).expect("a file");
    let mut command = Command::new(PROGRAM);
    command.args(["demo", "--listen", "127.0.0.1:0"]).env("TMPDIR", &home).stdin(Stdio::null());
    let demo = Demo(command.stdout(file("out")).stderr(file("log")).spawn().expect("the program"));
    let printed = || std::fs::read_to_string(home.join("out")).unwrap_or_default();
    wait_until("the welcome", Some(&home.join("log")), || printed().contains("Ctrl-C ends it."));
    let welcome = printed();
    let after = |mark: &str| welcome.split(mark).nth(1).and_then(|rest| rest.split(['/', '\'', '\n']).next());
    let address = format!("http://127.0.0.1:{}", after("http://127.0.0.1:").expect("a port"));
    let packages = ["playwright-core@1.65.1", "axe-core@4.14.1"];
    let found = judge::node("pages.mjs", &packages, &[&address, after("Bearer ").expect("a token")]);
    assert_eq!(found.expect("it runs to its end").trim(), "[]", "{}", home.display());
    drop(demo);
}
