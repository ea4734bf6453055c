//! A process that can't outstay its welcome: it and all it starts end together, whatever it does.
//!
//! It is the leader of its own process group, and the group is killed when the leader has ended, when the
//! deadline is over, when it writes without end, and when nobody waits any more (the guard's `Drop`). The
//! group is always killed *before* its leader is reaped: until then the kernel gives its number to nobody
//! else, so that the signal can't reach a stranger. A process that left the group by `setsid`, as a
//! daemon does on purpose, is on its own.

use crate::config::value::Size;
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use tokio::net::unix::pipe::Receiver;
use tokio::process::{ChildStderr, ChildStdout, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

/// What is kept of the error output: enough for the sentence that says what is missing.
const ERRORS_MAX: usize = 4 * 1024;

/// Whoever writes more than this is ended: reading on would only burn the processor.
pub const WRITTEN_MAX: Size = Size::from_bytes(16 * 1024 * 1024);

/// How a process ended and what it wrote.
#[derive(Debug)]
pub struct Ended {
    pub end: End,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Whether it wrote more to `stdout` than was kept.
    pub is_cut: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// It ended by itself, with this code.
    Code(i32),
    /// A signal that was not ours ended it.
    Signal(i32),
    /// It was still there at the deadline.
    Deadline,
    /// It wrote more than anybody would read.
    Flood,
}

/// Runs a command to its end or to the deadline. Keeps the first `output_max` bytes of what it writes.
pub async fn run(mut command: Command, deadline: Instant, output_max: usize) -> io::Result<Ended> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    // Listening begins before the process does, so that its end can't be missed.
    let mut exits = signal(SignalKind::child())?;
    let mut child = command.spawn()?;
    let leader = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let mut group = Group(leader);
    let mut stdout = Output::new(child.stdout.take().map(ChildStdout::into_owned_fd), output_max)?;
    let mut stderr = Output::new(child.stderr.take().map(ChildStderr::into_owned_fd), ERRORS_MAX)?;
    let ended = tokio::select! {
        exited = exited(leader, &mut exits) => exited.map(|()| None)?,
        () = stdout.flood() => Some(End::Flood),
        () = stderr.flood() => Some(End::Flood),
        () = tokio::time::sleep_until(deadline) => Some(End::Deadline),
    };
    group.kill();
    stdout.take_what_is_there();
    stderr.take_what_is_there();
    let end = match ended {
        Some(end) => end,
        None => End::from(child.wait().await?),
    };
    let is_cut = stdout.read > stdout.kept.len() as u64;
    Ok(Ended { end, is_cut, stdout: stdout.kept, stderr: stderr.kept })
}

impl From<ExitStatus> for End {
    fn from(status: ExitStatus) -> End {
        match status.code() {
            Some(code) => End::Code(code),
            None => End::Signal(status.signal().unwrap_or_default()),
        }
    }
}

/// Waits until the leader has ended, and leaves it to be reaped.
async fn exited(leader: Option<Pid>, exits: &mut tokio::signal::unix::Signal) -> io::Result<()> {
    let Some(leader) = leader else { return Ok(()) };
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    loop {
        match waitid(Id::Pid(leader), look) {
            Ok(WaitStatus::StillAlive) => {
                exits.recv().await;
            }
            Err(Errno::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The process group of a child that is not reaped yet. Dropping it kills what is in it.
struct Group(Option<Pid>);

impl Group {
    fn kill(&mut self) {
        if let Some(leader) = self.0.take() {
            // `ESRCH`: all of them have ended. There is nobody to tell of anything else.
            killpg(leader, Signal::SIGKILL).ok();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One pipe: what was read of it, to a bound.
struct Output {
    pipe: Option<Receiver>,
    kept: Vec<u8>,
    kept_max: usize,
    read: u64,
}

impl Output {
    fn new(pipe: Option<io::Result<OwnedFd>>, kept_max: usize) -> io::Result<Output> {
        let pipe = pipe.transpose()?.map(Receiver::from_owned_fd).transpose()?;
        Ok(Output { pipe, kept: Vec::new(), kept_max, read: 0 })
    }

    /// Reads until there is too much. A pipe that is closed is no end: a process may go on without.
    async fn flood(&mut self) {
        while self.read <= WRITTEN_MAX.bytes() {
            match &self.pipe {
                Some(pipe) if pipe.readable().await.is_ok() => self.take_some(Receiver::try_read),
                _ => std::future::pending().await,
            };
        }
    }

    /// Takes what is in the pipe, and waits for nothing: whoever inherited it may hold it open for ever.
    /// Asks the kernel, since the runtime may not have heard yet that there is something.
    fn take_what_is_there(&mut self) {
        while self.read <= WRITTEN_MAX.bytes()
            && self.take_some(|pipe, buffer| Ok(nix::unistd::read(pipe, buffer)?))
        {}
    }

    /// Whether there may be more right now.
    fn take_some(&mut self, read: fn(&Receiver, &mut [u8]) -> io::Result<usize>) -> bool {
        let Some(pipe) = &self.pipe else { return false };
        let mut buffer = [0; 16 * 1024];
        match read(pipe, &mut buffer) {
            Ok(0) => self.pipe = None,
            Ok(length) => {
                let wanted = self.kept_max.saturating_sub(self.kept.len()).min(length);
                self.kept.extend_from_slice(&buffer[..wanted]);
                self.read += length as u64;
                return true;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.pipe = None,
        }
        false
    }
}
