//! What the program tells on standard error, without ever waiting for whoever reads it.
//!
//! A log that is full, closed or not read must neither end the agent nor hold it up. So lines go through a queue with
//! a bound to one thread that writes; what finds no place, or can't be written, is counted and gone. What is in the
//! queue when a command ends is written first, for as long as a second.

use crate::app::own;
use crate::clock;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

const LINES_MAX: usize = 4096;
/// How long the end of a command waits for its last lines to be written.
const FLUSH: Duration = Duration::from_secs(1);
/// How often a full queue is tried again then.
const FLUSH_STEP: Duration = Duration::from_millis(10);

enum Message {
    Line(Vec<u8>),
    /// All before it is written; says so.
    Flush(SyncSender<()>),
}

static QUEUE: OnceLock<SyncSender<Message>> = OnceLock::new();

/// Logs for people on a terminal, JSON otherwise. `ATALAYA_LOG` sets what is told (`debug`, `atalaya=trace`).
pub fn start() {
    let (sender, receiver) = sync_channel(LINES_MAX);
    let writer = std::thread::Builder::new().name("log".to_owned());
    if writer.spawn(move || write(&receiver)).is_ok() {
        QUEUE.get_or_init(|| sender);
    }
    let wanted =
        std::env::var("ATALAYA_LOG").unwrap_or_else(|_| "info,sqlx=error,hickory_proto=error".to_owned());
    let mut filter = tracing_subscriber::EnvFilter::new(wanted);
    // This one writes the parameters of connection strings into the log, values included.
    if let Ok(directive) = "sqlx_postgres::options::parse=off".parse() {
        filter = filter.add_directive(directive);
    }
    // What can't be logged can't be logged: the library would print that, and panic where it can't.
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(Lines).log_internal_errors(false);
    if io::stderr().is_terminal() {
        builder.with_target(false).init();
    } else {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
    }
}

/// Tells the user a line, in order with the log where there is one.
pub fn tell(text: impl std::fmt::Display) {
    let line = format!("{text}\n").into_bytes();
    match QUEUE.get() {
        Some(queue) => send(queue, line),
        // Nobody is left to be told that nothing can be told.
        None => drop(anstream::stderr().write_all(&line)),
    }
}

/// Waits until what was told is written, but not for ever.
pub fn flush() {
    let Some(queue) = QUEUE.get() else { return };
    let deadline = clock::instant() + FLUSH;
    let (done, written) = sync_channel(1);
    let mut message = Message::Flush(done);
    while let Err(TrySendError::Full(again)) = queue.try_send(message) {
        if clock::instant() >= deadline {
            return;
        }
        message = again;
        std::thread::sleep(FLUSH_STEP);
    }
    // An error means that it took too long, which is why there is a deadline.
    written.recv_timeout(deadline.saturating_duration_since(clock::instant())).ok();
}

fn send(queue: &SyncSender<Message>, line: Vec<u8>) {
    if queue.try_send(Message::Line(line)).is_err() {
        own::log_line_dropped();
    }
}

fn write(queue: &Receiver<Message>) {
    let mut out = anstream::stderr();
    for message in queue {
        match message {
            Message::Line(line) => {
                if out.write_all(&line).is_err() {
                    own::log_line_dropped();
                }
            }
            Message::Flush(done) => {
                // Who asked may have stopped waiting.
                done.try_send(()).ok();
            }
        }
    }
}

/// Gives a place in the queue to each event.
struct Lines;

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line
    }
}

/// One event: the formatter writes it whole.
struct Line;

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match QUEUE.get() {
            Some(queue) => send(queue, line.to_vec()),
            None => own::log_line_dropped(),
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
