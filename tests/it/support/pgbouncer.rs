//! A real pgbouncer in transaction mode before the PostgreSQL of [`super::postgres`].
//!
//! Each database gets a pool of three connections, so that a handful of clients is enough to show what
//! a shared connection does to them. It speaks no TLS.

use super::postgres::{self, PASSWORD, PASSWORD_IN_URL};
use super::server::{self, Start, directory, free_port, listens, wait_until};
use std::process::Child;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Connections to the server for each database.
pub const POOL_SIZE: usize = 3;

/// A running pooler.
pub struct Pooler {
    pub port: u16,
    child: Child,
}

static POOLER: LazyLock<Pooler> = LazyLock::new(|| Pooler::start(&[]));

/// The one pooler of this process.
pub fn pooler() -> &'static Pooler {
    &POOLER
}

impl Pooler {
    /// One more, with these settings beside the usual ones.
    pub fn start(settings: &[(&str, &str)]) -> Pooler {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let directory = directory(&format!("pgbouncer-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        let port = free_port();
        let users = directory.join("users.txt");
        postgres::write(&users, &format!("\"postgres\" \"{PASSWORD}\"\n"), 0o600);
        let mut ini = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = md5\nauth_file = {}\nadmin_users = postgres\n\
             pool_mode = transaction\ndefault_pool_size = {POOL_SIZE}\nmax_client_conn = 200\n",
            postgres::server().port,
            users.display(),
        );
        for &(name, value) in settings {
            ini.extend([name, " = ", value, "\n"]);
        }
        let ini = postgres::write(&directory.join("pgbouncer.ini"), &ini, 0o600);
        let child = server::start(Start {
            program: "/usr/sbin/pgbouncer",
            args: vec![ini],
            user: Some(postgres::USER),
            directory: &directory,
            environment: vec![],
        });
        wait_until("pgbouncer", Some(&directory.join("pgbouncer.log")), || listens(port));
        Pooler { port, child }
    }

    /// The address of a database through this pooler, as Prisma wants it.
    pub fn url(&self, database: &str) -> String {
        postgres::database(database);
        let address = format!("127.0.0.1:{}/{database}", self.port);
        format!(
            "postgresql://postgres:{PASSWORD_IN_URL}@{address}?pgbouncer=true&connection_limit=20&pool_timeout=20"
        )
    }

    /// The address of its own console.
    pub fn admin_url(&self) -> String {
        format!("postgresql://postgres:{PASSWORD_IN_URL}@127.0.0.1:{}/pgbouncer", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
