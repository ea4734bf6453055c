//! A real PostgreSQL 15: one server for all tests of this process, a database for each of them.
//!
//! It takes TLS (certificates in [`authority`]) and demands a password, as a hosted one does; it has
//! `pg_stat_statements` loaded. The `psql` that comes with it is the second client: what it shows is
//! not seen through our own eyes.

use super::server::{self, Start, directory, free_port, is_root, wait_until};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

pub const BIN: &str = "/usr/lib/postgresql/15/bin";

/// Holds what has to be escaped in a URL, as the passwords of hosted databases do.
pub const PASSWORD: &str = "tower/p@ss#1";
pub const PASSWORD_IN_URL: &str = "tower%2Fp%40ss%231";

/// The user that servers run as where this process is root.
pub const USER: &str = "postgres";

/// A running server.
pub struct Server {
    pub port: u16,
    pub directory: PathBuf,
    child: Mutex<Child>,
}

impl Server {
    /// Starts on a data directory with these settings beside the usual ones.
    pub fn start(directory: &Path, settings: &[(&str, String)]) -> Server {
        let port = free_port();
        let mut args = vec!["-D".to_owned(), directory.join("data").display().to_string()];
        let usual = [
            ("port", port.to_string()),
            ("listen_addresses", "127.0.0.1,127.0.0.2".to_owned()),
            ("unix_socket_directories", directory.display().to_string()),
            ("fsync", "off".to_owned()),
            ("shared_buffers", "32MB".to_owned()),
            ("max_connections", "100".to_owned()),
            ("shared_preload_libraries", "pg_stat_statements".to_owned()),
        ];
        for (name, value) in usual.iter().chain(settings) {
            args.extend(["-c".to_owned(), format!("{name}={value}")]);
        }
        let program = format!("{BIN}/postgres");
        let child = server::start(Start {
            program: &program,
            args,
            user: Some(USER),
            directory,
            environment: vec![],
        });
        let server = Server { port, directory: directory.to_owned(), child: Mutex::new(child) };
        let log = directory.join("postgres.log");
        wait_until("postgres", Some(&log), || try_query(&server.url("postgres"), "select 1").is_ok());
        server
    }

    /// As the superuser, with the password.
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://postgres:{PASSWORD_IN_URL}@127.0.0.1:{}/{database}", self.port)
    }

    /// Ends it at once.
    pub fn kill(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        child.kill().expect("the server runs");
        child.wait().expect("the server ends");
    }
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let directory = directory("postgres");
    initialise(&directory);
    let (certificate, key) = certificates(&directory);
    let settings = [("ssl", "on".to_owned()), ("ssl_cert_file", certificate), ("ssl_key_file", key)];
    Server::start(&directory, &settings)
});

/// The one server of this process.
pub fn server() -> &'static Server {
    &SERVER
}

/// An empty database of this name, created when first asked for; its address as the superuser.
pub fn database(name: &str) -> String {
    static CREATED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut created = CREATED.lock().unwrap_or_else(PoisonError::into_inner);
    if created.insert(name.to_owned()) {
        query(&SERVER.url("postgres"), &format!("create database \"{name}\""));
    }
    SERVER.url(name)
}

/// The address with another role: `user` with `password` (as it stands in a URL).
pub fn with_role(url: &str, user: &str, password: &str) -> String {
    let (_, rest) = url.split_once('@').expect("an address with a role");
    format!("postgresql://{user}:{password}@{rest}")
}

/// The certificate that signed the server's.
pub fn authority() -> PathBuf {
    SERVER.directory.join("ca.pem")
}

/// Creates a data directory in `directory`.
pub fn initialise(directory: &Path) {
    let password = directory.join("password");
    std::fs::write(&password, PASSWORD).expect("a password file");
    let data = directory.join("data").display().to_string();
    let args = ["-D", &data, "-U", "postgres", "-A", "scram-sha-256", "--pwfile"].map(str::to_owned);
    let mut args = Vec::from(args);
    args.push(password.display().to_string());
    args.extend(["-N", "-E", "UTF8", "--locale=C.UTF-8"].map(str::to_owned));
    run_to_end(&format!("{BIN}/initdb"), args, directory, vec![]);
}

/// Runs one of the server's programs as the server's user.
pub fn run_to_end(program: &str, args: Vec<String>, directory: &Path, environment: Vec<(&str, String)>) {
    let mut child = server::start(Start { program, args, user: Some(USER), directory, environment });
    let status = child.wait().expect("it ends");
    let name = Path::new(program).file_name().expect("a program").to_string_lossy().into_owned();
    let log = std::fs::read_to_string(directory.join(format!("{name}.log"))).unwrap_or_default();
    assert!(status.success(), "{program}: {status}\n{log}");
}

/// Runs SQL with `psql` and gives what it prints: a line for each row, columns divided by `|`.
pub fn query(url: &str, sql: &str) -> String {
    try_query(url, sql).unwrap_or_else(|error| panic!("{sql}\n{error}"))
}

pub fn try_query(url: &str, sql: &str) -> Result<String, String> {
    let output = psql(url).args(["-c", sql]).output().expect("psql runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim_end().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn psql(url: &str) -> Command {
    let mut command = Command::new(format!("{BIN}/psql"));
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url]);
    command.env("PGCONNECT_TIMEOUT", "5");
    command
}

/// A session of somebody else that stays open: for locks and transactions that are left open.
pub struct Session(Child);

impl Session {
    pub fn open(url: &str) -> Session {
        let mut command = psql(url);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Session(command.spawn().expect("psql runs"))
    }

    /// Sends SQL and does not wait for an answer.
    pub fn send(&mut self, sql: &str) {
        let stdin = self.0.stdin.as_mut().expect("psql listens");
        writeln!(stdin, "{sql}").and_then(|()| stdin.flush()).expect("psql listens");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A certificate for `localhost` and 127.0.0.1 from an authority of our own, in files that the server accepts.
fn certificates(directory: &Path) -> (String, String) {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let leaf = CertificateParams::new(names).expect("names").signed_by(&key, &authority).expect("signed");
    write(&directory.join("ca.pem"), &authority.pem(), 0o644);
    (
        write(&directory.join("server.pem"), &leaf.pem(), 0o644),
        write(&directory.join("server.key"), &key.serialize_pem(), 0o600),
    )
}

/// Writes a file that belongs to the server's user.
pub fn write(path: &Path, content: &str, mode: u32) -> String {
    use std::os::unix::fs::{PermissionsExt, chown};
    std::fs::write(path, content).expect("a file");
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("permissions");
    if is_root() {
        let user = nix::unistd::User::from_name(USER).expect("users").expect("the server's user");
        chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("an owner");
    }
    path.display().to_string()
}
