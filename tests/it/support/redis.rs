//! Real Redis servers, each with the configuration that a test is about.

use super::server::{self, Start};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use redis::{Cmd, Connection, FromRedisValue};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A server of one test; it ends with it.
pub struct Redis {
    pub port: u16,
    child: std::process::Child,
}

impl Redis {
    /// Without anything on disk, and with `args` as redis-server takes them.
    pub fn start(args: &[&str]) -> Redis {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let directory = server::directory(&format!("redis-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        let port = server::free_port();
        let own = format!("--port {port} --bind 127.0.0.1 --save  --appendonly no --databases 16");
        let mut all: Vec<String> = own.split(' ').map(str::to_owned).collect();
        all.extend(args.iter().map(|&arg| arg.to_owned()));
        let log = directory.join("redis-server.log");
        let start = Start {
            program: "redis-server",
            args: all,
            user: Some("redis"),
            directory: &directory,
            environment: vec![],
        };
        let child = server::start(start);
        server::wait_until("redis-server", Some(&log), || server::listens(port));
        Redis { port, child }
    }

    pub fn url(&self, user_and_password: &str, rest: &str) -> String {
        let at = if user_and_password.is_empty() { "" } else { "@" };
        format!("redis://{user_and_password}{at}127.0.0.1:{}{rest}", self.port)
    }

    /// A second client, which is not ours.
    pub fn client(&self) -> Connection {
        let client = redis::Client::open(self.url("", "")).expect("an address");
        client.get_connection_with_timeout(Duration::from_secs(5)).expect("a connection")
    }

    /// Asks through a connection of its own.
    pub fn ask<T: FromRedisValue>(&self, command: &str) -> T {
        let mut parts = command.split(' ');
        let mut asked = Cmd::new();
        asked.arg(parts.by_ref().collect::<Vec<_>>());
        asked.query(&mut self.client()).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// One line of INFO.
    pub fn info(&self, key: &str) -> String {
        let info: redis::InfoDict = self.ask("INFO everything");
        info.get(key).unwrap_or_else(|| panic!("no {key} in INFO"))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Files in PEM: an authority, and a certificate from it for 127.0.0.1.
pub struct Certificates {
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

pub static CERTIFICATES: LazyLock<Certificates> = LazyLock::new(|| {
    let directory = server::directory("redis-certificates");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "authority of Redis");
    let issuer =
        CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    let file = |name: &str, content: String| {
        let path = directory.join(name);
        std::fs::write(&path, content).expect("a file");
        path
    };
    Certificates {
        authority: file("authority.pem", issuer.pem()),
        certificate: file("certificate.pem", certificate.pem()),
        key: file("key.pem", key.serialize_pem()),
    }
});
