//! Tells systemd, where it asks: that the agent is ready, how it is, that it reads its definitions again, that it stops,
//! and that it is alive.
//!
//! The crate `sd-notify` knows the words. The sending is our own: the socket may be an abstract one, and a service
//! manager that does not read must not hold up the loop that judges, from which the watchdog is fed.

use crate::clock::Steady;
use sd_notify::NotifyState;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Between two turns of the loop that feeds.
const TURN_MAX: Duration = Duration::from_secs(1);

/// The way to the service manager; none where nobody asks.
#[derive(Debug, Default)]
pub struct Systemd {
    socket: Option<UnixDatagram>,
}

impl Systemd {
    /// As `NOTIFY_SOCKET` says.
    pub fn from_environment() -> Systemd {
        let Some(path) = std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()) else {
            return Systemd::default();
        };
        match Systemd::at(&path) {
            Ok(systemd) => systemd,
            Err(error) => {
                tracing::warn!(%error, "can't reach the socket in NOTIFY_SOCKET; the service manager hears nothing");
                Systemd::default()
            }
        }
    }

    /// `path` as it stands in the variable.
    pub(super) fn at(path: &OsStr) -> io::Result<Systemd> {
        Ok(Systemd { socket: Some(connect(path)?) })
    }

    /// It serves.
    pub fn ready(&self, status: &str) {
        self.tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    pub fn status(&self, status: &str) {
        self.tell(&[NotifyState::Status(status)]);
    }

    /// [`Systemd::reloaded`] must follow.
    pub fn reloading(&self) {
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            self.tell(&[NotifyState::Reloading, now]);
        }
    }

    pub fn reloaded(&self) {
        self.tell(&[NotifyState::Ready]);
    }

    pub fn stopping(&self) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        let Some(socket) = &self.socket else { return };
        let lines: Vec<String> = states.iter().map(ToString::to_string).collect();
        if let Err(error) = socket.send(lines.join("\n").as_bytes()) {
            tracing::debug!(%error, "the service manager was not told");
        }
    }
}

fn connect(path: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(path)?,
    };
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The watchdog of systemd, which restarts who does not feed it.
#[derive(Debug)]
pub struct Watchdog {
    every: Duration,
    fed: Option<Steady>,
}

impl Watchdog {
    /// As `WATCHDOG_USEC` says, where it is for this process.
    pub fn from_environment() -> Option<Watchdog> {
        sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()).map(Watchdog::new)
    }

    /// Fed twice in the time that it allows, a turn early: the next may be too late.
    pub(super) fn new(limit: Duration) -> Watchdog {
        Watchdog { every: (limit / 2).saturating_sub(TURN_MAX), fed: None }
    }

    /// Whether it is time.
    pub fn is_due(&self, now: Steady) -> bool {
        self.fed.is_none_or(|fed| now.saturating_sub(fed) >= self.every)
    }

    /// To be called from the loop that must not stop, when it has turned and all that it answers for turns.
    pub fn feed(&mut self, systemd: &Systemd, now: Steady) {
        self.fed = Some(now);
        systemd.tell(&[NotifyState::Watchdog]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often it is fed in a minute by a loop that turns once a second.
    fn check(limit: u64, expected: u32) {
        let mut watchdog = Watchdog::new(Duration::from_secs(limit));
        let mut fed = 0;
        for second in (0..60).map(Duration::from_secs) {
            if watchdog.is_due(second) {
                watchdog.feed(&Systemd::default(), second);
                fed += 1;
            }
        }
        assert_eq!(fed, expected, "{limit} s");
    }

    #[test]
    fn it_is_fed_within_half_of_what_it_allows() {
        check(60, 3);
        check(30, 5);
        check(10, 15);
        check(4, 60);
        check(1, 60);
    }

    #[test]
    fn an_abstract_socket_is_reached() {
        let name = format!("atalaya-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("an address");
        let server = UnixDatagram::bind_addr(&address).expect("a socket");
        let systemd = Systemd::at(OsStr::new(&format!("@{name}"))).expect("a socket");
        systemd.ready("watching 2 checks");
        let mut buffer = [0; 256];
        let length = server.recv(&mut buffer).expect("a message");
        assert_eq!(std::str::from_utf8(&buffer[..length]), Ok("READY=1\nSTATUS=watching 2 checks"));
    }

    #[test]
    fn one_that_does_not_read_holds_nobody_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let _server = UnixDatagram::bind(&path).expect("a socket");
        let systemd = Systemd::at(path.as_os_str()).expect("a socket");
        for _ in 0..10_000 {
            systemd.status("still here");
        }
    }
}
