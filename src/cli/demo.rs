//! `atalaya demo`: a shop that breaks on purpose and the agent that watches it, in one process.
//!
//! The agent goes the same way as in `atalaya run`, with the checks that ship. Its variables are the simulated shop's
//! alone: whatever the environment holds, a demo never reaches a real shop.

use super::run::{Signals, Watch};
use super::{exit, fail, load_files, log, print};
use crate::app::Sources;
use crate::app::files::Origin;
use crate::app::home;
use crate::clock;
use crate::config::text::Variables;
use crate::config::{Plan, Skipped};
use crate::demo::Shop;
use crate::demo::switch::Switch;
use crate::demo::voice;
use crate::demo::watch_list::{self, past};
use crate::probe::net::Net;
use crate::store::inbox::Inbox;
use crate::store::{Store, StoreError};
use crate::view::past::DAYS;
use crate::web::access::gate::Pages;
use crate::web::access::token::Token;
use clap::Args;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// How often each check of the demo runs, and how long it may take: with both a fault is told within some fifteen
/// seconds, even one that hangs.
const EVERY_MAX: Duration = Duration::from_secs(10);
const TIMEOUT_MAX: Duration = Duration::from_secs(5);
const ATTEMPTS_MAX: u8 = 2;
const TICKET_WAIT: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub struct Options {
    /// Where pages and metrics are served
    #[arg(long, value_name = "ADDRESS:PORT", default_value = crate::config::plan::LISTEN)]
    listen: SocketAddr,
    /// Break this from the start; may be given several times (`--list` tells what can be broken)
    #[arg(long = "fault", value_name = "NAME")]
    faults: Vec<Switch>,
    /// Tell what can be broken, and end
    #[arg(long)]
    list: bool,
    /// A PostgreSQL server for the checks that look at the server itself
    #[arg(long, value_name = "URL", env = "ATALAYA_DEMO_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Another seed gives other customers
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

pub async fn main(options: Options) -> u8 {
    if options.list {
        let lines = Switch::all().map(|switch| format!("{:<28} {}\n", switch.name(), switch.title()));
        return print(&lines.collect::<String>(), exit::OK);
    }
    // A demo that is told to end while it opens its shop ends in order too.
    let signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => return fail(error),
    };
    log::start();
    match show(options, signals).await {
        Ok(()) => exit::OK,
        Err(code) => code,
    }
}

async fn show(options: Options, signals: Signals) -> Result<(), u8> {
    let directory = tempfile::Builder::new().prefix("atalaya-demo-").tempdir();
    let directory = directory.map_err(|error| fail(format!("can't make a temporary folder: {error}")))?;
    let mut shop = Shop::start(options.seed, directory.path()).await.map_err(fail)?;
    for fault in &options.faults {
        shop.faults.set(*fault, true).await.map_err(fail)?;
    }
    let mut variables = Variables::new(shop.variables.clone(), |path| std::fs::read_to_string(path));
    if let Some(url) = options.database {
        if !url.starts_with("postgres") {
            return Err(fail(
                "`--database` wants the address of a PostgreSQL server: `postgresql://user@host/name`",
            ));
        }
        variables.set("DIRECT_DATABASE_URL", url);
    }
    let origin = Origin {
        agent: PathBuf::new(),
        agent_required: false,
        checks: Vec::new(),
        alerts: None,
        embedded: Some(watch_list::files()),
    };
    let net = Arc::new(Net::new().map_err(fail)?);
    let (mut plan, files) = load_files(&origin, &variables, &net)?;
    hurry(&mut plan);
    let token = Token::new().map_err(fail)?;
    let more = Pages {
        private: shop.faults.list_router().merge(shop.inbox.clone()),
        changes: shop.faults.change_router(),
        ..Pages::default()
    };
    let left_out = left_out(&plan);
    let site = shop.site.clone();
    let store = directory.path().join(home::STORE);
    remember(&plan, options.seed, &shop, &store).await.map_err(fail)?;
    let client = net.api.clone();
    let sources = Sources { origin, variables: Arc::new(variables), net };
    let watch = Watch {
        plan,
        files,
        sources,
        address: options.listen,
        store: Some(store),
        token: token.digest(),
        // Whoever started the demo reads it below.
        made: None,
        more,
    };
    let mut switched = shop.faults.switched();
    let watching = watch.until_told(signals, |address, again| {
        shop.speak_to(address, client);
        tokio::spawn(async move {
            loop {
                match switched.recv().await {
                    Ok(checks) => again.look(checks),
                    // What was missed is found when its checks are due.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                }
            }
        });
        // The demo runs all the same: the pages can be read where standard output can't.
        print(&(welcome(address, &site, &token, &left_out) + "\n"), exit::OK);
    });
    watching.await.map_err(fail)
}

/// Gives the agent a past, which it finds when it opens its store.
async fn remember(plan: &Plan, seed: u64, shop: &Shop, store: &Path) -> Result<(), StoreError> {
    let now = clock::wall();
    let (payments, hours_ahead) = &shop.past;
    let heard = voice::past::heard(seed, &plan.http.ingest, payments, (now, *hours_ahead));
    let (mut inbox, _) = Inbox::open(Some(store)).await?;
    inbox.import(&heard).await?;
    inbox.close().await;
    let past = past::simulated(plan, DAYS, seed, now);
    let (store, _) = Store::open(store).await?;
    store.import(&past.runs, &past.days).await?;
    store.write(&past.episodes).await?;
    store.close().await;
    Ok(())
}

/// Somebody is looking: nobody waits five minutes to see a fault told. All else is as the definitions say.
fn hurry(plan: &mut Plan) {
    for check in plan.checks.iter_mut().filter_map(Arc::get_mut) {
        check.every = check.every.min(EVERY_MAX);
        check.timeout = check.timeout.min(TIMEOUT_MAX);
        check.alert.attempts = check.alert.attempts.min(ATTEMPTS_MAX);
    }
    if let Some(alerting) = Arc::get_mut(&mut plan.alerting) {
        alerting.policy.ticket.wait = TICKET_WAIT;
    }
}

/// What does not run in a demo, and what would make it run.
fn left_out(plan: &Plan) -> String {
    let of_postgres = |one: &&Skipped| one.kind == "postgres";
    let names = |skipped: Vec<&Skipped>| skipped.iter().map(|one| &*one.name).collect::<Vec<_>>().join(", ");
    let servers = names(plan.skipped.iter().filter(of_postgres).collect());
    let rest = names(plan.skipped.iter().filter(|one| !of_postgres(one)).collect());
    let mut text = String::new();
    if !servers.is_empty() {
        text += "  left out  ";
        text += &servers;
        text += ": a PostgreSQL server itself (`--database URL`)\n";
    }
    if !rest.is_empty() {
        text += "  left out  ";
        text += &rest;
        text += ": things that a demo does not have\n";
    }
    text
}

fn welcome(address: SocketAddr, site: &str, token: &Token, left_out: &str) -> String {
    format!(
        "Atalaya watches a simulated shop. The 90 days before this hour are made up, too.

  status    http://{address}/
  operators http://{address}/ops  (token {token})
  metrics   http://{address}/metrics
  report    http://{address}/api/v1/health
  promises  http://{address}/api/v1/objectives
  alerts    http://{address}/api/v1/alerts
  inbox     http://{address}/inbox
  the shop  {site}/
{left_out}

Break something: pages show it at once, and it is told within some fifteen seconds (http://{address}/faults lists what can break):

  curl -X POST   -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' -d '{{\"on\": true}}' http://{address}/faults/stuck-orders
  curl -X DELETE -H 'Authorization: Bearer {token}' http://{address}/faults/stuck-orders

Ctrl-C ends it.",
        token = token.expose(),
    )
}
