//! `atalaya run`: watch until told to stop.

use super::{Definitions, exit, fail, load, log_to_stderr, variables};
use crate::app::{App, Sources, own};
use crate::config::Plan;
use crate::probe::net::Net;
use crate::web::{self, Router, Server};
use clap::Args;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    definitions: Definitions,
    /// Where pages and metrics are served, in place of what the agent's file says
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

pub async fn main(options: Options) -> u8 {
    log_to_stderr();
    let net = match Net::new() {
        Ok(net) => Arc::new(net),
        Err(error) => return fail(error),
    };
    let origin = options.definitions.origin();
    let variables = Arc::new(variables());
    let plan = match load(&origin, &variables, &net) {
        Ok(plan) => plan,
        Err(code) => return code,
    };
    let sources = Sources { origin, variables, net };
    let address = options.listen.unwrap_or(plan.agent.listen);
    match watch(plan, sources, address, Router::new(), |_| {}).await {
        Ok(()) => exit::OK,
        Err(error) => fail(error),
    }
}

/// Runs an agent until SIGTERM or SIGINT. `more` is served beside its pages; `started` is told where it listens.
pub async fn watch(
    plan: Plan,
    sources: Sources,
    address: SocketAddr,
    more: Router,
    started: impl FnOnce(SocketAddr),
) -> Result<(), String> {
    // First of all, so that a signal that comes early is not lost.
    let mut terminated =
        signal(SignalKind::terminate()).map_err(|error| format!("can't listen for SIGTERM: {error}"))?;
    let mut interrupted =
        signal(SignalKind::interrupt()).map_err(|error| format!("can't listen for SIGINT: {error}"))?;
    let listener = web::bind(address).await?;
    let address = listener.local_addr().map_err(|error| format!("can't tell the port: {error}"))?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "serving beyond this machine: whoever reaches the port can read the metrics");
    }
    let handle = own::install()?;
    let upkeep = tokio::spawn(own::upkeep(handle.clone()));
    let (checks, skipped) = (plan.checks.len(), plan.skipped.len());
    for one in &plan.skipped {
        tracing::warn!(check = &*one.name, reason = one.why, "check skipped");
    }
    if checks == 0 {
        tracing::warn!(skipped, "nothing is watched: no check can run");
    }
    let app = App::start(plan, sources, handle);
    let server = Server::start(listener, web::router(app.eyes.clone()).merge(more));
    tracing::info!(%address, checks, skipped, "watching");
    started(address);
    let why = tokio::select! {
        _ = terminated.recv() => "SIGTERM",
        _ = interrupted.recv() => "SIGINT",
    };
    tracing::info!(signal = why, grace = ?app.agent().grace, "stopping");
    server.stop().await;
    upkeep.abort();
    app.stop().await;
    tracing::info!("stopped");
    Ok(())
}
