//! `redis`: whether a Redis or Valkey answers, takes writes, and how full and how busy it is.
//!
//! Each run has a connection of its own, so that a new client's way in is what is looked at, and closes it.

mod address;
pub mod info;
pub mod refusal;
mod wire;

use super::net::Net;
use super::net::connect::connect;
use super::net::stream::Stream;
use super::net::tls::{self, Alpn, CERTIFICATE_EXPIRY, Peer, Tls};
use super::{Build, Context, Examine, Kind, MeasureInfo, Run};
use crate::config::text::Text;
use crate::outcome::{Class, Fault, Outcome};
use ::redis::{Value, cmd};
use address::Address;
use rustls_pki_types::ServerName;
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Deserialize;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use wire::{Reply, Wire};

/// How long a key of ours lives where it could not be deleted.
const KEY_SECONDS: u32 = 60;

static MEASURES: LazyLock<Vec<MeasureInfo>> =
    LazyLock::new(|| [info::MEASURES, &[CERTIFICATE_EXPIRY]].concat());

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// `redis://`, `rediss://` (TLS) or `valkey://`, then `user:password@host:port/database`.
    url: Text,
    /// How TLS is spoken, for `rediss://`.
    tls: Option<Box<Tls>>,
    /// Also write, read and delete a key of its own (`atalaya:probe:…`, which expires after a minute).
    #[serde(default)]
    write: bool,
    /// Also ask for memory, clients, evictions and the like (`INFO`).
    #[serde(default = "yes")]
    info: bool,
}

fn yes() -> bool {
    true
}

struct Look {
    net: Arc<Net>,
    address: Address,
    tls: Option<(tls::Client, ServerName<'static>)>,
    write: bool,
    info: bool,
    counts: Mutex<Counts>,
}

/// Lookups that a server had counted when it was last looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    before: Option<(f64, f64)>,
}

impl Counts {
    /// The share of hits since then. A server that counts less than before was started anew.
    pub fn hit_ratio(&self, hits: f64, misses: f64) -> Option<f64> {
        let (hits_before, misses_before) = self.before?;
        let anew = hits < hits_before || misses < misses_before;
        let (hits, misses) = if anew { (hits, misses) } else { (hits - hits_before, misses - misses_before) };
        (hits + misses > 0.0).then(|| hits / (hits + misses))
    }

    /// Remembers what `outcome` says.
    pub fn keep(&mut self, outcome: &Outcome) {
        let of = |name: &str| outcome.measures.iter().find(|one| one.name == name).map(|one| one.value);
        self.before = of("keyspace_hits_total").zip(of("keyspace_misses_total")).or(self.before);
    }
}

impl Kind for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn measures(&self) -> &'static [MeasureInfo] {
        &MEASURES
    }

    fn may_yield(&self, measure: &str) -> bool {
        let expiry = measure == CERTIFICATE_EXPIRY.name;
        expiry || self.info && info::MEASURES.iter().any(|info| info.name == measure)
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Run>> {
        let url = build.secret("url", &self.url)?;
        let address = Address::build(build, &url)?;
        if !address.tls && self.tls.is_some() {
            build.fault_with_hint("tls", "the address is one without TLS", "write `rediss://`");
            return None;
        }
        let tls = if address.tls {
            let tls = tls::Client::build(build, self.tls.as_deref(), Alpn::None)?;
            let name = tls.server_name().cloned().map_or_else(|| address.target.server_name(), Ok);
            let name = name.map_err(|why| build.fault("url", why)).ok()?;
            Some((tls, name))
        } else {
            None
        };
        let counts = Mutex::default();
        let net = Arc::clone(build.net);
        Some(Box::new(Look { net, address, tls, write: self.write, info: self.info, counts }))
    }
}

impl Examine for Look {
    async fn examine(&self, cx: &Context, outcome: &mut Outcome) -> Result<(), Fault> {
        let target = &self.address.target;
        let tcp = connect(&self.net, cx, target).await?;
        let stream = if let Some((tls, name)) = &self.tls {
            let peer = Peer { name, target };
            Stream::Tls(Box::new(tls.handshake(cx, tcp, peer, outcome).await?.stream))
        } else {
            tcp.set_nodelay(true)
                .map_err(|error| Fault::internal(format!("can't set up the connection: {error}")))?;
            Stream::Plain(tcp)
        };
        let (wire, driver) = wire::open(stream, target, &self.address.password).await?;
        let asking = self.ask(cx, wire, outcome);
        tokio::pin!(asking);
        tokio::select! {
            biased;
            done = &mut asking => done,
            // The connection has ended: what is still asked is told so.
            () = driver => asking.await,
        }
    }
}

impl Look {
    async fn ask(&self, cx: &Context, mut wire: Wire<'_>, outcome: &mut Outcome) -> Result<(), Fault> {
        self.enter(cx, &mut wire).await?;
        cx.phase("ping");
        match wire.ask(&cmd("PING")).await? {
            Reply::Value(value) if wire::text(&value).as_deref() == Some("PONG") => {}
            Reply::Value(_) => {
                let text = format!("{} answers PING with something else than PONG", self.address.target);
                return Err(Fault::failed(Class::Protocol, text));
            }
            Reply::Error(line) if refusal::is_no_permission(&line) => {
                outcome.note("the user may not PING; allow it with `+ping`");
            }
            Reply::Error(line) => return Err(wire.refused("PING", &line)),
        }
        if self.write {
            cx.phase("write");
            if let Err(fault) = self.write(&mut wire).await {
                outcome.fault(fault);
            }
        }
        if self.info {
            cx.phase("info");
            self.info(&mut wire, outcome).await?;
        }
        cx.phase_end();
        Ok(())
    }

    /// Says who we are and chooses the database.
    async fn enter(&self, cx: &Context, wire: &mut Wire<'_>) -> Result<(), Fault> {
        let password = self.address.password.expose_secret();
        if self.address.user.is_some() || !password.is_empty() {
            cx.phase("auth");
            let mut auth = cmd("AUTH");
            if let Some(user) = &self.address.user {
                auth.arg(user);
            }
            wire.demand("AUTH", auth.arg(password)).await?;
        }
        if self.address.database != 0 {
            let what = format!("SELECT {}", self.address.database);
            wire.demand(&what, cmd("SELECT").arg(self.address.database)).await?;
        }
        Ok(())
    }

    async fn write(&self, wire: &mut Wire<'_>) -> Result<(), Fault> {
        let value = format!("{:016x}", fastrand::u64(..));
        let key = format!("atalaya:probe:{value}");
        wire.demand("writing", cmd("SET").arg(&key).arg(&value).arg("EX").arg(KEY_SECONDS)).await?;
        let read = wire.demand("reading", cmd("GET").arg(&key)).await;
        // Ours goes even where it could not be read.
        wire.demand("deleting", cmd("DEL").arg(&key)).await?;
        let found = match read? {
            Value::Nil => "nothing",
            read if wire::text(&read).as_deref() == Some(&value) => return Ok(()),
            _ => "something else",
        };
        let text = format!("{}: a key was written and {found} was read back", self.address.target);
        Err(Fault::failed(Class::Assertion, text))
    }

    async fn info(&self, wire: &mut Wire<'_>, outcome: &mut Outcome) -> Result<(), Fault> {
        match wire.ask(&cmd("INFO")).await? {
            Reply::Value(value) => match wire::text(&value) {
                Some(text) => {
                    let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
                    info::measure(&text, &counts, outcome);
                    counts.keep(outcome);
                }
                None => outcome.note("INFO answers something that is no text: no measures"),
            },
            Reply::Error(line) if refusal::is_no_permission(&line) => {
                outcome.note(
                    "the user may not ask INFO: no measures; allow it with `+info`, or set `info = false`",
                );
            }
            Reply::Error(_) => outcome.note("the server has no INFO: no measures; set `info = false`"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hit_ratio_is_that_of_the_time_between_two_looks() {
        let mut counts = Counts::default();
        let mut seen = |hits: f64, misses: f64| {
            let ratio = counts.hit_ratio(hits, misses);
            let mut outcome = Outcome::ok();
            outcome.measure("keyspace_hits_total", hits);
            outcome.measure("keyspace_misses_total", misses);
            counts.keep(&outcome);
            ratio
        };
        assert_eq!(seen(900.0, 100.0), None);
        assert_eq!(seen(900.0, 100.0), None);
        assert_eq!(seen(901.0, 103.0), Some(0.25));
        assert_eq!(seen(1.0, 1.0), Some(0.5), "started anew");
    }
}
