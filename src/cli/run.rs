//! `atalaya run`: watch until told to stop.

use super::{Definitions, exit, fail, load_files, log, variables};
use crate::app::files::{SECRET_BYTES_MAX, read_text};
use crate::app::intake::Opening;
use crate::app::{Again, App, Sources, Start, home, own};
use crate::config::http::Digest;
use crate::config::{Files, Http, Plan};
use crate::probe::net::Net;
use crate::store::{Store, Trouble};
use crate::web::access::Access;
use crate::web::access::gate::Pages;
use crate::web::access::token::Token;
use crate::web::{self, Certificate, Server};
use clap::Args;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    definitions: Definitions,
    /// Where pages and metrics are served, in place of what the agent's file says
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// The file of the store, in place of what the agent's file says; `none` forgets everything when it ends
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
}

pub async fn main(options: Options) -> u8 {
    // First of all, so that a signal that comes early is not lost and does not kill.
    let signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => return fail(error),
    };
    log::start();
    let net = match Net::new() {
        Ok(net) => Arc::new(net),
        Err(error) => return fail(error),
    };
    let origin = options.definitions.origin();
    let variables = Arc::new(variables());
    let (plan, files) = match load_files(&origin, &variables, &net) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let sources = Sources { origin, variables, net };
    let address = options.listen.unwrap_or(plan.agent.listen);
    let store = match options.store.as_deref() {
        Some(none) if none == Path::new("none") => None,
        given => Some(home::store_path(given, &plan.agent, &sources.origin.agent)),
    };
    let (token, made) = match home::token(&plan.http) {
        Ok(token) => token,
        Err(error) => return fail(error),
    };
    let more = Pages::default();
    let watch = Watch { plan, files, sources, address, store, token, made, more };
    match watch.until_told(signals, |_, _| {}).await {
        Ok(()) => exit::OK,
        Err(error) => fail(error),
    }
}

/// The signals that an agent listens to.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    pub fn install() -> Result<Signals, String> {
        let listen = |kind, name| signal(kind).map_err(|error| format!("can't listen for {name}: {error}"));
        Ok(Signals {
            terminate: listen(SignalKind::terminate(), "SIGTERM")?,
            interrupt: listen(SignalKind::interrupt(), "SIGINT")?,
            hangup: listen(SignalKind::hangup(), "SIGHUP")?,
        })
    }
}

/// An agent about to run.
pub struct Watch {
    pub plan: Plan,
    /// What the plan was read from.
    pub files: Files,
    pub sources: Sources,
    pub address: SocketAddr,
    /// The file of the store; none: everything is forgotten when it ends.
    pub store: Option<PathBuf>,
    /// What operators present.
    pub token: Digest,
    /// The token in the clear, where it was made now and is to be kept beside the store.
    pub made: Option<Token>,
    /// Served beside the agent's own pages.
    pub more: Pages,
}

impl Watch {
    /// Runs until SIGTERM or SIGINT; a second one ends it at once. `started` is told where it listens, and how to have
    /// checks run at once.
    pub async fn until_told(
        self,
        signals: Signals,
        started: impl FnOnce(SocketAddr, Again),
    ) -> Result<(), String> {
        let Watch { plan, files, sources, address, store, token, made, more } = self;
        let Signals { mut terminate, mut interrupt, hangup } = signals;
        let access = Access::new(token, plan.http.clone())?;
        let certificate = plan.http.tls.as_ref().map(|tls| Certificate::read(tls, read_pem)).transpose()?;
        let listener = web::bind(address).await?;
        let address = listener.local_addr().map_err(|error| format!("can't tell the port: {error}"))?;
        let handle = own::install()?;
        let upkeep = tokio::spawn(own::upkeep(handle.clone()));
        tell(&plan, address);
        let (checks, skipped) = (plan.checks.len(), plan.skipped.len());
        let store = match store {
            Some(path) => {
                let opened = Store::open(&path).await;
                match &opened {
                    // Two agents with one memory would tell everything twice; and a file that is not ours is not to be touched.
                    Err(error) if matches!(error.trouble, Trouble::InUse | Trouble::Foreign) => {
                        return Err(format!("{error}\n  hint: name another file with --store"));
                    }
                    _ => made.iter().for_each(|made| home::keep_token(made, &path)),
                }
                Some((path, opened))
            }
            None => None,
        };
        let before = Opening::begin(store.as_ref().map(|(path, _)| path.clone())).await;
        let mut app = App::start(Start { plan, files, sources, hangup, own: handle, store, before });
        let pages = web::router(app.eyes.clone(), &access, more);
        let scheme = if certificate.is_some() { "https" } else { "http" };
        let server = Server::start(listener, pages, certificate.clone())?;
        let follows = follow(access, certificate, app.http.clone());
        tracing::info!(%address, scheme, checks, skipped, "watching");
        app.ready(&format!("watching {checks} checks, {skipped} skipped; {scheme}://{address}"));
        started(address, app.eyes.again());
        let why = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
            part = app.broken() => return Err(format!("{part} ended by itself; this is a bug in atalaya")),
        };
        tracing::info!(signal = why, grace = ?app.agent().grace, "stopping");
        upkeep.abort();
        follows.abort();
        // No new runs from this moment on; pages are served until their answers are out.
        app.begin_stop();
        tokio::select! {
            ((), ()) = async { tokio::join!(server.stop(), app.stop()) } => tracing::info!("stopped"),
            _ = terminate.recv() => tracing::warn!("told again: ended at once"),
            _ = interrupt.recv() => tracing::warn!("told again: ended at once"),
        }
        Ok(())
    }
}

fn read_pem(path: &Path) -> io::Result<String> {
    read_text(path, SECRET_BYTES_MAX)
}

/// Takes over what the definitions say of who may ask, and the certificate, whenever they are read again.
fn follow(
    access: Access,
    certificate: Option<Arc<Certificate>>,
    http: watch::Receiver<Arc<Http>>,
) -> JoinHandle<()> {
    let mut changes = http.clone();
    tokio::spawn(async move {
        let terms = async {
            while changes.changed().await.is_ok() {
                let now = changes.borrow_and_update().clone();
                access.renew(now);
            }
        };
        match certificate {
            Some(certificate) => {
                tokio::join!(terms, certificate.follow(read_pem, http));
            }
            None => terms.await,
        }
    })
}

fn tell(plan: &Plan, address: SocketAddr) {
    if !address.ip().is_loopback() {
        tracing::info!(%address, "serving beyond this machine: whoever reaches the port sees the status page; metrics and all else take the token there");
        if plan.http.tls.is_none() && !plan.http.https {
            tracing::warn!(%address, "no TLS: whoever listens on the way reads the token; give `certificate` and `key` in [http], or a proxy in front");
        }
    }
    let by_name = plan.http.hosts.iter().find(|host| !web::access::is_loopback_name(host));
    if let Some(host) = by_name.filter(|_| address.ip().is_loopback() && plan.http.open_to_loopback) {
        tracing::info!(
            host,
            "reached through a proxy on this machine, as it seems: it must send X-Forwarded-For, or strangers are taken for callers on this machine; else say `open_to_loopback = false` in [http]"
        );
    }
    for one in &plan.skipped {
        tracing::warn!(check = &*one.name, reason = one.why, "check skipped");
    }
    for one in &plan.alerting.skipped {
        tracing::warn!(name = &*one.name, reason = one.why, "{} left out", one.what);
    }
    if plan.alerting.channels.is_empty() {
        tracing::warn!("nobody is told of alerts: no channel is defined that works");
    }
    if plan.checks.is_empty() {
        tracing::warn!(skipped = plan.skipped.len(), "nothing is watched: no check can run");
    }
}
