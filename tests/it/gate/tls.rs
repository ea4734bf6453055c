//! TLS, judged by OpenSSL, curl and our own command.

use super::{FORM, STRANGER, TOKEN};
use crate::support::agent::{Agent, PROGRAM};
use crate::support::judge::answer;
use crate::support::server::directory;
use crate::support::web::{Authority, Identity};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const DEFINITION: &str =
    "[http]\ntoken = 'a-token-of-our-own-kX81'\ncertificate = 'tls/chain.pem'\nkey = 'tls/key.pem'\n";

fn prepare(name: &str) -> PathBuf {
    let directory = directory(name);
    for folder in ["checks", "tls"] {
        std::fs::create_dir_all(directory.join(folder)).expect("a folder");
    }
    std::fs::write(directory.join("atalaya.toml"), DEFINITION).expect("a file");
    directory
}

fn chain(identity: &Identity) -> String {
    let pem = |der: &[u8]| {
        let text = STANDARD.encode(der);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    };
    identity.chain.iter().map(|certificate| pem(certificate)).collect()
}

fn put(directory: &Path, chain: &str, key: &str) {
    // As those who renew do it: a new file in the place of the old one.
    for (name, text) in [("chain.pem", chain), ("key.pem", key)] {
        let new = directory.join("tls").join(format!("{name}.new"));
        std::fs::write(&new, text).expect("a file");
        std::fs::rename(new, directory.join("tls").join(name)).expect("a file");
    }
}

/// The fingerprint of the certificate that is served.
fn served(port: u16) -> String {
    let command = format!(
        "openssl s_client -connect 127.0.0.1:{port} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256"
    );
    answer(Command::new("sh").args(["-c", &command]), "").unwrap_or_default()
}

fn s_client(port: u16, ca: &str, more: &[&str]) -> Result<String, String> {
    let address = format!("127.0.0.1:{port}");
    let mut command = Command::new("openssl");
    command.args([
        "s_client",
        "-connect",
        &address,
        "-CAfile",
        ca,
        "-verify_return_error",
        "-servername",
        "localhost",
    ]);
    answer(command.args(["-verify_hostname", "localhost"]).args(more), "")
}

#[test]
fn foreign_clients_take_it_and_old_protocols_are_not_spoken() {
    let (authority, directory) = (Authority::new(), prepare("gate-tls"));
    let identity = authority.identity("localhost", |_| {});
    put(&directory, &chain(&identity), &identity.key.serialize_pem());
    let agent = Agent::start_in(directory, &[]);
    let (port, ca) = (agent.port, authority.file());

    for version in ["-tls1_2", "-tls1_3"] {
        let said = s_client(port, &ca, &[version, "-alpn", "h2,http/1.1"]).expect("a handshake");
        assert!(
            said.contains("Verify return code: 0 (ok)") && said.contains("ALPN protocol: http/1.1"),
            "{said}"
        );
    }
    for old in ["-tls1", "-tls1_1"] {
        s_client(port, &ca, &[old, "-cipher", "ALL:@SECLEVEL=0"]).expect_err("an old protocol");
    }
    let curl = |more: &[&str]| {
        let url = format!("https://localhost:{port}");
        let mut command = Command::new("curl");
        command.args(["-sS", "-i", "--cacert", &ca, "--noproxy", "*"]);
        let args: Vec<_> = more.iter().map(|arg| arg.replace("URL", &url)).collect();
        answer(command.args(args), "").expect("curl is pleased")
    };
    let metrics = curl(&["URL/metrics"]);
    assert!(metrics.starts_with("HTTP/1.1 200") && metrics.contains("\natalaya_build_info"), "{metrics}");
    assert!(metrics.to_lowercase().contains("strict-transport-security: max-age="), "{metrics}");
    let login = curl(&["-H", FORM, "-d", &format!("token={TOKEN}"), "URL/login"]);
    assert!(
        login.contains("set-cookie: __Host-atalaya=") && login.contains("Path=/; Max-Age=43200; Secure"),
        "{login}"
    );
    assert!(curl(&["-H", STRANGER, "URL/metrics"]).starts_with("HTTP/1.1 401"));
    assert!(
        curl(&["-H", STRANGER, "-u", &format!("ana:{TOKEN}"), "URL/metrics"]).starts_with("HTTP/1.1 200")
    );

    // Our own command, and what it says to who does not know the authority.
    let command = |more: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(["alerts", "--json", "--agent", &format!("https://localhost:{port}")]);
        let output = command.args(more).output().expect("the program");
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    assert_eq!(command(&["--ca", &ca]), (Some(0), "[]\n".to_owned()));
    let (code, said) = command(&[]);
    assert!(code == Some(78) && said.contains("UnknownIssuer") && said.contains("--ca"), "{said}");

    // Who does not speak TLS, or stops in the middle of it, is hung up on.
    let plain = TcpStream::connect(("127.0.0.1", port)).expect("a listener");
    let not_tls = crate::support::http::raw(plain, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(not_tls.is_ok_and(|answer| answer.status == 0 || answer.head.starts_with('\u{15}')));
    let mut half = TcpStream::connect(("127.0.0.1", port)).expect("a listener");
    half.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
    half.write_all(&[22, 3, 1, 2, 0, 1]).expect("it takes it");
    let begun = Instant::now();
    assert_eq!(half.read(&mut [0; 64]).unwrap_or(0), 0);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn a_renewed_certificate_is_served_without_a_restart_and_a_wrong_one_is_not() {
    let (authority, directory) = (Authority::new(), prepare("gate-renewal"));
    let identity = || authority.identity("localhost", |_| {});
    let (first, second, third) = (identity(), identity(), identity());
    put(&directory, &chain(&first), &first.key.serialize_pem());
    let agent = Agent::start_in(directory.clone(), &[]);
    let before = served(agent.port);
    assert!(before.contains("Fingerprint"), "{before}");
    put(&directory, &chain(&second), &second.key.serialize_pem());
    agent.wait_for("the new certificate", |agent| served(agent.port) != before);
    let now = served(agent.port);

    let told = |agent: &Agent, words: &str| agent.log().iter().any(|line| line.to_string().contains(words));
    put(&directory, &chain(&third), &first.key.serialize_pem());
    agent.wait_for("the fault to be told", |agent| told(agent, "is not the key of the certificate"));
    assert_eq!(served(agent.port), now);
    put(&directory, "nothing", "");
    agent.wait_for("the other fault to be told", |agent| told(agent, "holds no certificate in PEM"));
    assert_eq!(served(agent.port), now);
    put(&directory, &chain(&third), &third.key.serialize_pem());
    agent.wait_for("the third certificate", |agent| served(agent.port) != now);
}

#[test]
fn a_wrong_pair_is_told_with_its_place_and_nothing_starts() {
    let (authority, directory) = (Authority::new(), prepare("gate-wrong-pair"));
    let identity = || authority.identity("localhost", |_| {});
    let (one, other) = (identity(), identity());
    let check = |chain: &str, key: &str, expected: &str| {
        put(&directory, chain, key);
        for command in [&["run", "--listen", "127.0.0.1:0"][..], &["validate"]] {
            let output =
                Command::new(PROGRAM).args(command).current_dir(&directory).output().expect("the program");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(78), "{said}");
            assert!(said.contains(expected), "{said}");
        }
    };
    let key = one.key.serialize_pem();
    check(
        &chain(&one),
        &other.key.serialize_pem(),
        "atalaya.toml:4:7: `key`: `tls/key.pem` is not the key of the certificate",
    );
    check("", &key, "atalaya.toml:3:15: `certificate`: `tls/chain.pem` holds no certificate in PEM");
    check(&chain(&one), &chain(&one), "atalaya.toml:4:7: `key`: `tls/key.pem` holds no private key in PEM");
    std::fs::remove_file(directory.join("tls/key.pem")).expect("a file");
    let output = Command::new(PROGRAM).arg("validate").current_dir(&directory).output().expect("the program");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("atalaya.toml:4:7: `key`: can't read `tls/key.pem`: No such file"), "{said}");
}
