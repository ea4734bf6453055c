//! `atalaya store check|compact|export`: looking into the file, beside a running agent where that is possible.

use super::{exit, fail, print};
use crate::store::{Look, Reader, Store, StoreError, Trouble};
use clap::{Args, Subcommand};
use comfy_table::{CellAlignment, Table, presets};
use jiff::Timestamp;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// The file is damaged.
const DAMAGED: u8 = 2;

#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Read all of it: is it whole, what is in it, how large is it. Ends with 0, or 2 when it is damaged
    Check(File),
    /// Give the room that it does not need back to the disk; only while no agent uses it
    Compact(File),
    /// Write what it holds to standard output, as lines of JSON
    Export(Export),
}

#[derive(Debug, Args)]
struct File {
    /// The store's file
    #[arg(long, value_name = "FILE", env = "ATALAYA_STORE", default_value = "atalaya.db")]
    store: PathBuf,
}

#[derive(Debug, Args)]
struct Export {
    #[command(flatten)]
    file: File,
    #[command(flatten)]
    what: What,
    /// Facts from this moment on, as `2026-11-22T08:00:00Z`
    #[arg(long, value_name = "TIME", requires = "events")]
    from: Option<Timestamp>,
    /// Facts before this moment
    #[arg(long, value_name = "TIME", requires = "events")]
    to: Option<Timestamp>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct What {
    /// What happened, as `atalaya replay` takes it
    #[arg(long)]
    events: bool,
    /// What runs took: HdrHistogram V2, compressed, in base64
    #[arg(long)]
    histograms: bool,
    /// Episodes of alerts
    #[arg(long)]
    alerts: bool,
    /// Good and bad events of each objective in each minute
    #[arg(long)]
    slices: bool,
}

pub async fn main(options: Options) -> u8 {
    let done = match options.action {
        Action::Check(file) => check(file).await,
        Action::Compact(file) => compact(file).await,
        Action::Export(options) => export(options).await,
    };
    done.unwrap_or_else(|error| match error.trouble {
        Trouble::Corrupt => {
            fail(error);
            DAMAGED
        }
        _ => fail(error),
    })
}

async fn check(file: File) -> Result<u8, StoreError> {
    let look = Reader::open(&file.store).await?.look().await?;
    let code = if look.damage.is_empty() { exit::OK } else { DAMAGED };
    Ok(print(&show(&file, &look), code))
}

fn show(file: &File, look: &Look) -> String {
    let mut text = String::new();
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let (size, free) = (mib(look.size_bytes), mib(look.free_bytes));
    // Writing to a string can't fail.
    let _ = writeln!(text, "{}: schema {}, {size}, of it {free} free", file.store.display(), look.schema);
    if !look.tables.is_empty() {
        let _ = writeln!(text, "{}", table(look));
    }
    for damage in &look.damage {
        let _ = writeln!(text, "damaged: {damage}");
    }
    if look.damage.is_empty() {
        text.push_str("it is whole\n");
    } else {
        text.push_str(
            "it is damaged; an agent that starts on it puts it aside and takes over what can be read\n",
        );
    }
    text
}

fn table(look: &Look) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["table", "rows", "KiB", "oldest", "newest"]);
    for one in &look.tables {
        let moments = one.span.map(|(oldest, newest)| (moment(oldest), moment(newest)));
        let (oldest, newest) = moments.unwrap_or_default();
        let cells = [one.name.clone(), one.rows.to_string(), (one.bytes / 1024).to_string(), oldest, newest];
        table.add_row(cells);
    }
    for column in [1, 2] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// `2026-11-22 08:00:00Z`
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

async fn compact(file: File) -> Result<u8, StoreError> {
    // Opening would make one where there is none.
    Reader::open(&file.store).await?;
    let (store, remembered) = Store::open(&file.store).await?;
    let before = store.size_bytes();
    store.compact().await?;
    let after = store.size_bytes();
    store.close().await;
    let mut text =
        format!("{}: {} KiB before, {} KiB now\n", file.store.display(), before / 1024, after / 1024);
    if let Some(damage) = remembered.damage {
        let _ = writeln!(text, "{damage}");
        return Ok(print(&text, DAMAGED));
    }
    Ok(print(&text, exit::OK))
}

async fn export(options: Export) -> Result<u8, StoreError> {
    let mut reader = Reader::open(&options.file.store).await?;
    let mut out = Out { out: BufWriter::new(io::stdout().lock()), result: Ok(()) };
    let mut write = |line: &str| out.line(line);
    let What { events, histograms, alerts, .. } = options.what;
    if events {
        let (from, to) = (options.from.unwrap_or(Timestamp::MIN), options.to.unwrap_or(Timestamp::MAX));
        reader.facts(from, to, &mut write).await?;
    } else if histograms {
        reader.histograms(&mut write).await?;
    } else if alerts {
        reader.episodes(&mut write).await?;
    } else {
        reader.slices(&mut write).await?;
    }
    let Out { mut out, result } = out;
    Ok(super::after(result.and_then(|()| out.flush()), exit::OK))
}

/// Standard output, until it takes no more.
struct Out<'o> {
    out: BufWriter<io::StdoutLock<'o>>,
    result: io::Result<()>,
}

impl Out<'_> {
    fn line(&mut self, line: &str) -> bool {
        self.result = self.out.write_all(line.as_bytes()).and_then(|()| self.out.write_all(b"\n"));
        self.result.is_ok()
    }
}
