//! The agent as a process of its own, so that its CPU time and memory are its own.

#![allow(dead_code, reason = "each benchmark uses a part")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// What an operator presents.
const OPERATOR: &str = "operator-of-the-benches";

/// The real program with definitions of its own; ended with this value.
pub struct Agent {
    pub port: u16,
    child: Child,
    _directory: TempDir,
}

impl Agent {
    /// Starts it with these checks and more settings than its token, in a directory that may hold a store.
    pub fn start(directory: TempDir, checks: &str, settings: &str) -> Agent {
        let write =
            |name: &str, text: &str| std::fs::write(directory.path().join(name), text).expect("a file");
        write("checks.toml", checks);
        write("atalaya.toml", &format!("[http]\ntoken = '{OPERATOR}'\n{settings}"));
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = free.expect("a port").port();
        let child = Command::new(env!("CARGO_BIN_EXE_atalaya"))
            .args(["run", "--checks", "checks.toml", "--listen", &format!("127.0.0.1:{port}")])
            .current_dir(directory.path())
            .env("ATALAYA_LOG", "error")
            .stdout(Stdio::null())
            .spawn()
            .expect("the program");
        Agent { port, child, _directory: directory }
    }

    /// Waits until each check has run.
    pub fn wait_until_ready(&self) {
        while !get(self.port, "/readyz", "").is_some_and(|answer| answer.starts_with(b"HTTP/1.0 200")) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What Prometheus would see.
    pub fn metrics(&self) -> String {
        let answer = get(self.port, "/metrics", "").expect("an answer");
        let text = String::from_utf8_lossy(&answer).into_owned();
        assert!(text.starts_with("HTTP/1.0 200"), "{text}");
        text
    }

    /// User and system time of the whole process: fields 14 and 15 of `/proc/PID/stat`, in hundredths of a second.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("a process");
        let fields: Vec<&str> = stat.rsplit_once(") ").expect("a name").1.split(' ').collect();
        let ticks: u64 = [11, 12].iter().map(|at| fields[*at].parse::<u64>().expect("ticks")).sum();
        Duration::from_millis(ticks * 10)
    }

    /// A size of `/proc/PID/status` in MiB: `VmRSS` is what it holds, `VmHWM` the most that it ever held.
    pub fn mib(&self, what: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a process");
        let line = status.lines().find(|line| line.starts_with(what)).expect("a size");
        let kib: f64 = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
        kib / 1024.0
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A whole answer with its head, as an operator gets it, or nothing where nobody answers. `headers` end with a line break
/// each.
pub fn get(port: u16, path: &str, headers: &str) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nAuthorization: Bearer {OPERATOR}\r\n{headers}\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(answer)
}

/// The sum over all series of a family.
pub fn sum(metrics: &str, family: &str) -> f64 {
    let of_family = |line: &&str| line.strip_prefix(family).is_some_and(|rest| rest.starts_with(['{', ' ']));
    let series = metrics.lines().filter(of_family);
    series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

/// A target that takes connections and closes them.
pub fn closing_target() -> SocketAddr {
    let target = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = target.local_addr().expect("an address");
    std::thread::spawn(move || target.incoming().for_each(drop));
    address
}

/// The cases of which a part of the name was given on the command line; all, where none was.
pub fn wanted(name: &str) -> bool {
    let mut wanted = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).peekable();
    wanted.peek().is_none() || wanted.any(|part| name.contains(&part))
}

pub fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}
