//! New definitions without a stop: parse, check, build, and only then swap. A bad file changes nothing.
//!
//! The folders are watched, not the files: editors and config maps replace files, and a watch on a file
//! that was replaced sees nothing any more. What counts is whether the texts differ, and that is looked at
//! now and then in any case: file systems of other machines and swapped folders tell nobody.

use super::files::Origin;
use super::runner::Order;
use super::self_watch::Systemd;
use super::{Definitions, Event, Ids, Sources, own, told_to_stop};
use crate::clock;
use crate::config::{self, Agent, Alerting, Check, Files, Http, Plan};
use crate::ingest::Source;
use crate::notify::courier;
use notify::event::{EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, watch};

/// Writers write in several steps; the files are read once they have been quiet for this long …
const QUIET: Duration = Duration::from_millis(200);
/// … or when something has gone on for this long.
const QUIET_MAX: Duration = Duration::from_secs(2);
/// How long a change may go unseen where no watch tells of it.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// What the files say, or that they can't be read: equal where nothing changed.
pub type Texts = Vec<(String, String)>;

/// Who is told of new definitions.
pub struct Outlets {
    pub orders: mpsc::Sender<Order>,
    pub events: mpsc::Sender<Event>,
    pub courier: mpsc::Sender<courier::Order>,
    /// Of who watches the agent itself.
    pub alerting: watch::Sender<Arc<Alerting>>,
    /// Of who may ask for what.
    pub http: watch::Sender<Arc<Http>>,
    /// Of what anything was received until now: objectives may be judged by something else because of it.
    pub heard: watch::Receiver<BTreeSet<Source>>,
    pub systemd: Arc<Systemd>,
}

pub struct Reload {
    sources: Sources,
    ids: Ids,
    current: Definitions,
    /// Alerting as it is written, whatever was heard.
    meant: Arc<Alerting>,
    agent: Agent,
    outlets: Outlets,
    /// Watches for as long as it is kept.
    watcher: Option<RecommendedWatcher>,
}

impl Reload {
    /// `current` with alerting as it is written.
    pub fn new(
        sources: Sources,
        ids: Ids,
        (current, meant): (Definitions, Arc<Alerting>),
        agent: Agent,
        outlets: Outlets,
    ) -> Reload {
        Reload { sources, ids, current, meant, agent, outlets, watcher: None }
    }

    /// `texts` is what the definitions in force were read from.
    pub async fn run(mut self, mut texts: Texts, mut hangup: Signal, mut stopped: watch::Receiver<bool>) {
        own::loaded(clock::wall().as_millisecond() as f64 / 1e3);
        let (changed, mut changes) = mpsc::channel(1);
        self.watcher = watch_folders(&self.sources.origin, &changed);
        // What changed between reading and watching is seen at once.
        changed.try_send(()).ok();
        loop {
            let forced = tokio::select! {
                () = told_to_stop(&mut stopped) => return,
                _ = hangup.recv() => true,
                Ok(()) = self.outlets.heard.changed() => {
                    self.hear().await;
                    continue;
                }
                () = tokio::time::sleep(LOOK_EVERY) => false,
                _ = changes.recv() => {
                    let quiet = async { while tokio::time::timeout(QUIET, changes.recv()).await.is_ok() {} };
                    tokio::select! {
                        () = told_to_stop(&mut stopped) => return,
                        _ = tokio::time::timeout(QUIET_MAX, quiet) => false,
                    }
                }
            };
            let origin = self.sources.origin.clone();
            // Files may lie on a disk that hangs; no run waits for it.
            let Ok(read) = tokio::task::spawn_blocking(move || origin.read()).await else { continue };
            let now = read.as_ref().map_or_else(
                |unreadable| unreadable.iter().map(|one| (one.to_string(), String::new())).collect(),
                self::texts,
            );
            if !forced && now == texts {
                continue;
            }
            texts = now;
            self.outlets.systemd.reloading();
            match read {
                Ok(files) => self.reload(files, forced).await,
                Err(unreadable) => {
                    for one in unreadable {
                        tracing::error!(fault = %one, "definitions can't be read; those in force stay");
                    }
                    own::reloaded(None);
                }
            }
            // Also after what was refused: the agent goes on with what it had.
            self.outlets.systemd.reloaded();
            self.watcher = watch_folders(&self.sources.origin, &changed);
        }
    }

    async fn reload(&mut self, files: Files, forced: bool) {
        let Some(plan) = self.plan(files).await else { return own::reloaded(None) };
        let had = self.current.checks.len() + self.current.skipped.len();
        if plan.checks.is_empty() && plan.skipped.is_empty() && had > 0 && !forced {
            tracing::error!(
                in_force = had,
                "no check is defined any more; those in force stay until SIGHUP says that this is meant"
            );
            return own::reloaded(None);
        }
        if plan.agent != self.agent {
            tracing::warn!("[agent], [store] or `listen` changed; that takes effect at the next start");
        }
        if plan.http.tls.is_some() != self.outlets.http.borrow().tls.is_some() {
            tracing::warn!("TLS is switched on or off at the next start");
        }
        let http = plan.http.clone();
        self.meant = plan.alerting.clone();
        let before = self.current.checks.iter().map(|(id, check)| (check.name.clone(), (*id, check.clone())));
        let before: HashMap<_, _> = before.collect();
        let alerting = Arc::new(plan.alerting.having_heard(&self.outlets.heard.borrow()));
        let definitions = self.ids.assign(Plan { alerting, ..plan }, &before);
        let is_unchanged =
            |check: &Arc<Check>| before.get(&check.name).is_some_and(|(_, old)| Arc::ptr_eq(old, check));
        let unchanged = definitions.checks.iter().filter(|(_, check)| is_unchanged(check)).count();
        let (checks, skipped) = (definitions.checks.len(), definitions.skipped.len());
        self.outlets.http.send_replace(http);
        self.put_in_force(definitions).await;
        own::reloaded(Some(clock::wall().as_millisecond() as f64 / 1e3));
        tracing::info!(checks, unchanged, skipped, "definitions read again");
    }

    /// The shop, or a vendor, said something for the first time: what is made of that is judged from now on.
    async fn hear(&mut self) {
        let alerting = self.meant.having_heard(&self.outlets.heard.borrow_and_update());
        if alerting.objectives != self.current.alerting.objectives {
            tracing::info!("objectives are judged by what was heard now for the first time");
            self.put_in_force(Definitions { alerting: Arc::new(alerting), ..self.current.clone() }).await;
        }
    }

    async fn put_in_force(&mut self, definitions: Definitions) {
        self.current = definitions.clone();
        // The loop first: it must know a check before its first run ends.
        self.outlets.events.send(Event::Replanned(definitions.clone())).await.ok();
        self.outlets.courier.send(courier::Order::Replan(definitions.alerting.clone())).await.ok();
        self.outlets.alerting.send_replace(definitions.alerting.clone());
        self.outlets.orders.send(Order::Replan(definitions)).await.ok();
    }

    /// Reads and builds away from the threads on which runs go on. Every fault is told.
    async fn plan(&self, files: Files) -> Option<Plan> {
        let (variables, net) = (self.sources.variables.clone(), self.sources.net.clone());
        let loaded = tokio::task::spawn_blocking(move || config::load(&files, &variables, &net)).await;
        match loaded {
            Ok(Ok(plan)) => Some(plan),
            Ok(Err(faults)) => {
                for fault in &faults {
                    tracing::error!(%fault, "definition is wrong; those in force stay");
                }
                None
            }
            Err(_panic) => {
                tracing::error!(
                    "reading the definitions panicked; this is a bug in atalaya; those in force stay"
                );
                None
            }
        }
    }
}

/// What these files say.
pub fn texts(files: &Files) -> Texts {
    let sources = files.agent.iter().chain(&files.checks).chain(&files.alerts);
    sources.map(|source| (source.file.to_string(), source.text.clone())).collect()
}

/// Watches the folders in which the definitions are. Without a watcher they are looked at now and then.
fn watch_folders(origin: &Origin, changed: &mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let changed = changed.clone();
    let told = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| touches(&event)) {
            // A full queue holds a change already.
            changed.try_send(()).ok();
        }
    };
    let mut watcher = match notify::recommended_watcher(told) {
        Ok(watcher) => watcher,
        Err(error) => {
            tracing::warn!(%error, "can't watch the definitions; changes are seen within half a minute");
            return None;
        }
    };
    for path in origin.watched() {
        let folder = folder_of(&path);
        if let Err(error) = watcher.watch(&folder, RecursiveMode::NonRecursive) {
            tracing::warn!(folder = %folder.display(), %error, "can't watch a folder; changes are seen within half a minute");
        }
    }
    Some(watcher)
}

/// Whether definitions may have changed: a log that grows in the same folder is nothing to read files for.
fn touches(event: &notify::Event) -> bool {
    let is_definition = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "toml");
    match event.kind {
        EventKind::Access(_) => false,
        EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_)) => {
            event.paths.iter().any(is_definition)
        }
        _ => true,
    }
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
