//! New definitions without a stop: parse, check, build, and only then swap. A bad file changes nothing.
//!
//! The folders are watched, not the files: editors and config maps replace files, and a watch on a file
//! that was replaced sees nothing any more. What counts is whether the texts differ.

use super::{Definitions, Event, Ids, Sources, own, told_to_stop};
use crate::clock;
use crate::config;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

/// Writers write in several steps; the files are read once they have been quiet for this long.
const QUIET: Duration = Duration::from_millis(200);

pub struct Reload {
    pub sources: Sources,
    pub ids: Ids,
    pub current: Definitions,
    pub commands: mpsc::Sender<Definitions>,
    pub events: mpsc::Sender<Event>,
    /// Watches for as long as it is kept.
    pub watcher: Option<RecommendedWatcher>,
}

impl Reload {
    pub async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        own::loaded(clock::wall().as_millisecond() as f64 / 1e3);
        let (changed, mut changes) = mpsc::channel(1);
        let mut hangups = match signal(SignalKind::hangup()) {
            Ok(hangups) => hangups,
            Err(error) => {
                tracing::error!(%error, "can't listen for SIGHUP; definitions are not read again");
                return;
            }
        };
        let mut texts = self.texts();
        self.watcher = watch_folders(&self.sources, &changed);
        loop {
            let forced = tokio::select! {
                () = told_to_stop(&mut stopped) => return,
                _ = hangups.recv() => true,
                _ = changes.recv() => {
                    while tokio::time::timeout(QUIET, changes.recv()).await.is_ok() {}
                    false
                }
            };
            let now = self.texts();
            if forced || now != texts {
                texts = now;
                self.reload().await;
                self.watcher = watch_folders(&self.sources, &changed);
            }
        }
    }

    /// What the files say, or that they can't be read.
    fn texts(&self) -> Vec<(String, String)> {
        match self.sources.origin.read() {
            Ok(files) => {
                let sources = files.agent.iter().chain(&files.checks);
                sources.map(|source| (source.file.to_string(), source.text.clone())).collect()
            }
            Err(unreadable) => unreadable.iter().map(|one| (one.to_string(), String::new())).collect(),
        }
    }

    async fn reload(&mut self) {
        let files = match self.sources.origin.read() {
            Ok(files) => files,
            Err(unreadable) => {
                for one in unreadable {
                    tracing::error!(fault = %one, "definitions can't be read; those in force stay");
                }
                return own::reloaded(None);
            }
        };
        let plan = match config::load(&files, &self.sources.variables, &self.sources.net) {
            Ok(plan) => plan,
            Err(faults) => {
                for fault in &faults {
                    tracing::error!(%fault, "definition is wrong; those in force stay");
                }
                return own::reloaded(None);
            }
        };
        let before = self.current.checks.iter().map(|(id, check)| (check.name.clone(), (*id, check.clone())));
        let before: HashMap<_, _> = before.collect();
        let definitions = self.ids.assign(plan, &before);
        let kept =
            definitions.checks.iter().filter(|(id, _)| before.values().any(|(old, _)| old == id)).count();
        self.current = definitions.clone();
        // The loop first: it must know a check before its first run ends.
        self.events.send(Event::Replanned(definitions.clone())).await.ok();
        self.commands.send(definitions.clone()).await.ok();
        own::reloaded(Some(clock::wall().as_millisecond() as f64 / 1e3));
        let (checks, skipped) = (definitions.checks.len(), definitions.skipped.len());
        tracing::info!(checks, unchanged = kept, skipped, "definitions read again");
    }
}

/// Watches the folders in which the definitions are. Without a watcher SIGHUP still works.
fn watch_folders(sources: &Sources, changed: &mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let changed = changed.clone();
    let told = move |event: notify::Result<notify::Event>| {
        let touches = |event: notify::Event| !event.kind.is_access();
        if event.is_ok_and(touches) {
            // A full queue holds a change already.
            changed.try_send(()).ok();
        }
    };
    let mut watcher = match notify::recommended_watcher(told) {
        Ok(watcher) => watcher,
        Err(error) => {
            tracing::warn!(%error, "can't watch the definitions; send SIGHUP after a change");
            return None;
        }
    };
    for path in sources.origin.watched() {
        let folder = folder_of(&path);
        if let Err(error) = watcher.watch(&folder, RecursiveMode::NonRecursive) {
            tracing::warn!(folder = %folder.display(), %error, "can't watch a folder; send SIGHUP after a change");
        }
    }
    Some(watcher)
}

fn folder_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.to_owned();
    }
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
