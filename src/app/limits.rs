//! How much may be under way at once, by what the system allows.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Files that are not connections of runs: the listener, its clients, the watcher, standard streams.
const FILES_KEPT: u64 = 256;
const RUNS_DEFAULT: u64 = 4096;

/// Runs that may be under way at once. Raises the limit on open files as far as that goes without rights.
pub fn runs_max(wanted: Option<u32>) -> usize {
    let wanted = wanted.map_or(RUNS_DEFAULT, u64::from);
    let allowed = open_files().saturating_sub(FILES_KEPT).max(16);
    if wanted > allowed {
        tracing::warn!(
            wanted,
            allowed,
            "the limit on open files allows fewer runs at once (see `ulimit -n`)"
        );
    }
    usize::try_from(wanted.min(allowed)).unwrap_or(usize::MAX)
}

fn open_files() -> u64 {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() => hard,
        Ok((soft, _)) => soft,
        Err(_) => 1024,
    }
}
