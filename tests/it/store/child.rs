//! A test that runs itself again in a process of its own: to be killed, or to live on a disk of its own.

use crate::support::server::is_root;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const ROLE: &str = "ATALAYA_STORE_CHILD";

/// Whether this process is such a child.
pub fn is_child() -> bool {
    std::env::var_os(ROLE).is_some()
}

/// This test program with that one test, by its full name.
pub fn again(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a program"));
    arguments(&mut command, test);
    command.env(ROLE, "1");
    command
}

fn arguments(command: &mut Command, test: &str) {
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).stdin(Stdio::null());
}

/// Runs the test again where `folder` is a disk in memory, mounted with these options, that nobody else sees and that
/// goes with the process.
pub fn on_a_disk_of_its_own(test: &str, folder: &Path, options: &str) {
    let mut command = Command::new("unshare");
    command.arg(if is_root() { "-m" } else { "-Urm" });
    command.args(["sh", "-c", "mount -t tmpfs -o \"$0\" tmpfs \"$1\" && shift && exec \"$@\"", options]);
    command.arg(folder).arg(std::env::current_exe().expect("a program"));
    arguments(&mut command, test);
    pleased(&command.env(ROLE, folder).output().expect("unshare"));
}

/// The child did not fail, and did run its one test.
pub fn pleased(output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{}\n{out}\n{error}", output.status);
}
