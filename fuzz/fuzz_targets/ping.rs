//! Any text as the address of a heartbeat: a name is a name, and a run's id is one.

#![no_main]

use atalaya::ingest::ping::{is_name, read};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|address: &str| {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let tail: Vec<&str> = path.split('/').collect();
    if let Ok((name, ping)) = read(&tail, query, Timestamp::UNIX_EPOCH) {
        assert!(is_name(&name));
        assert!(ping.run.is_none_or(|run| (1..=64).contains(&run.len()) && run.is_ascii()));
    }
});
