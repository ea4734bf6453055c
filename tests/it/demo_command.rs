//! `atalaya demo`, the real program: it says where to look, breaks when told to, tells it, and leaves nothing behind.

use crate::support::agent::PROGRAM;
use crate::support::http;
use crate::support::server::{directory, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Sends a request without a body, or with a JSON one; the status.
fn send(port: u16, method: &str, path: &str, token: &str, body: &str) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the demo listens");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

#[test]
fn a_fault_is_switched_told_and_mended() {
    let home = directory("demo-command");
    let out = std::fs::File::create(home.join("out")).expect("a file");
    let log = std::fs::File::create(home.join("log")).expect("a file");
    let child = Command::new(PROGRAM)
        .args(["demo", "--listen", "127.0.0.1:0", "--fault", "stuck-orders"])
        .env("TMPDIR", &home)
        // A demo never reaches a real shop, whatever the environment names.
        .env("DATABASE_URL", "postgresql://marked-secret@127.0.0.1:1/real")
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(log)
        .spawn()
        .expect("the program");
    let mut demo = Demo(child);
    let printed = || std::fs::read_to_string(home.join("out")).unwrap_or_default();
    wait_until("the welcome", Some(&home.join("log")), || printed().contains("Ctrl-C ends it."));
    let welcome = printed();
    assert!(
        !welcome.contains("marked-secret")
            && welcome.contains(
                "left out  database, database-direct, database-indexes: a PostgreSQL server itself"
            )
    );
    let after = |mark: &str| welcome.split(mark).nth(1).and_then(|rest| rest.split(['/', '\'', '\n']).next());
    let port = after("http://127.0.0.1:").and_then(|port| port.parse().ok()).expect("a port");
    let token = after("Bearer ").expect("a token").to_owned();

    let told = |check: &str, status: &str| {
        let overview = http::get_with(port, "/api/v1/checks", "Accept: text/plain\r\n").body;
        overview.lines().any(|line| line.starts_with(status) && line.contains(&format!(" {check} ")))
    };
    wait_until("the fault of the start", None, || told("stuck-orders", "failed"));
    wait_until("the site to be well", None, || told("site", "ok"));
    let on = r#"{"on": true}"#;
    assert_eq!(send(port, "POST", "/faults/site-down", "", on), 401);
    for path in ["/faults", "/inbox", "/inbox/x", "/metrics"] {
        assert_eq!(http::get_with(port, path, "X-Forwarded-For: 203.0.113.9\r\n").status, 401, "{path}");
    }
    assert_eq!(send(port, "POST", "/faults/site-down", &token, on), 200);
    wait_until("the site to be down", None, || told("site", "failed"));
    assert_eq!(send(port, "DELETE", "/faults", &token, ""), 200);
    wait_until("the site to be well again", None, || told("site", "ok") && told("stuck-orders", "ok"));
    // What the shop says is heard as it is said.
    for check in
        ["requests", "queries", "webhook-queue-job", "square-letters", "email-letters", "webhooks-logged"]
    {
        wait_until("what the shop says", None, || told(check, "ok"));
    }
    for (switch, check) in [("job-fails", "webhook-queue-job"), ("requests-fail", "requests")] {
        assert_eq!(send(port, "POST", &format!("/faults/{switch}"), &token, on), 200);
        wait_until("what is said to be told", None, || told(check, "failed") || told(check, "degraded"));
        assert_eq!(send(port, "DELETE", &format!("/faults/{switch}"), &token, ""), 200);
    }
    wait_until("the job to be well", None, || told("webhook-queue-job", "ok"));

    kill(Pid::from_raw(demo.0.id().cast_signed()), Signal::SIGINT).expect("it runs");
    assert_eq!(demo.0.wait().expect("a child").code(), Some(0));
    let left: Vec<_> =
        std::fs::read_dir(Path::new(&home)).expect("a folder").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left.len(), 2, "nothing but what this test wrote is left: {left:?}");
}
