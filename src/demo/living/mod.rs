//! A shop that goes on: customers buy by the second, in an embedded database, with a web site and a Square of its own.
//!
//! Everything listens on loopback, on ports that the system gives. One task owns the database and is the only one that
//! writes; switches are orders to it, so that a fault and the trade that goes on never meet half-way.

mod services;

use crate::clock;
use crate::demo::fault::ShopFault;
use crate::demo::order::Payment;
use crate::demo::schema::{self, Dialect};
use crate::demo::switch::{Faults, Order, Switch};
use crate::demo::trade::{PAST, Trade};
use crate::demo::voice::speak::{self, SAYINGS_MAX, Secrets};
use crate::demo::voice::{Saying, Voice};
use axum::Router;
use jiff::{SignedDuration, Timestamp};
use services::Services;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// Customers come this many times as often as in the past, so that someone who looks sees them come: every
/// quarter of a minute at noon.
const PACE: f64 = 20.0;
const TICK: Duration = Duration::from_secs(1);
const ORDERS_WAITING_MAX: usize = 16;
/// As much of the past as Square's checks look at.
const SQUARES_PAST: SignedDuration = SignedDuration::from_hours(48);
/// The hour of the shop's day at which the demo begins.
const LUNCH: i64 = 12;

/// A living shop. It ends when this is dropped.
pub struct Shop {
    /// What the shipped checks need to watch it: names and values.
    pub variables: Vec<(String, String)>,
    pub faults: Faults,
    /// The web shop, to look at.
    pub site: String,
    tasks: JoinSet<()>,
    /// Pages with what the on-call person got.
    pub inbox: Router,
    /// What customers paid in the last two days, and how many hours its day is ahead of UTC.
    pub past: (Vec<Payment>, i64),
    /// What it says, until there is somebody to say it to.
    sayings: Option<mpsc::Receiver<Saying>>,
    secrets: Arc<Secrets>,
}

/// Why the shop can't be opened.
#[derive(Debug)]
pub enum Error {
    Listen(std::io::Error),
    Remove(PathBuf, std::io::Error),
    Database(PathBuf, sqlx::Error),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Listen(error) => write!(f, "can't listen on loopback for the demo's shop: {error}"),
            Error::Remove(path, error) => {
                write!(f, "can't remove the last demo's {}: {error}", path.display())
            }
            Error::Database(path, error) => {
                write!(f, "can't fill the demo's database {}: {error}", path.display())
            }
        }
    }
}

impl std::error::Error for Error {}

impl Shop {
    /// Opens a shop with ten weeks of past; its database is a new file `shop.db` in `directory`.
    pub async fn start(seed: u64, directory: &Path) -> Result<Shop, Error> {
        let now = clock::wall();
        let file = directory.join("shop.db");
        let mut tasks = JoinSet::new();
        let (services, mut variables) = Services::open(&mut tasks).await.map_err(Error::Listen)?;
        variables.push(("DATABASE_URL".to_owned(), format!("sqlite:{}", file.display())));
        let hours_ahead = hours_ahead(now);
        variables.push(("SHOP_TIME_ZONE".to_owned(), zone(hours_ahead)));
        let inbox = services.inbox();
        let secrets = Arc::new(Secrets::new());
        variables.extend(secrets.variables().map(|(name, value)| (name.to_owned(), value)));
        let (says, sayings) = mpsc::channel(SAYINGS_MAX);
        let on = Arc::new(Mutex::new(BTreeSet::new()));
        let (orders, waiting) = mpsc::channel(ORDERS_WAITING_MAX);
        let mut keeper = Keeper {
            database: open(&file).await?,
            trade: Trade::new(seed, now - PAST).with_hours_ahead(hours_ahead),
            services,
            on: Arc::clone(&on),
            misstated: None,
            voice: Voice::new(seed),
            says,
        };
        let begun = keeper.begin(now).await;
        let payments = begun.map_err(|error| Error::Database(file.clone(), error))?;

        tasks.spawn(keeper.keep(waiting));
        let site = variables.iter().find(|(name, _)| name == "NEXT_PUBLIC_APP_URL");
        let site = site.map(|(_, address)| address.clone()).unwrap_or_default();
        Ok(Shop {
            variables,
            faults: Faults { orders, on, told: broadcast::Sender::new(ORDERS_WAITING_MAX) },
            site,
            inbox,
            tasks,
            past: (payments, hours_ahead),
            sayings: Some(sayings),
            secrets,
        })
    }

    /// From now on the agent at this address hears what the shop and its vendors say.
    pub fn speak_to(&mut self, agent: SocketAddr, client: reqwest::Client) {
        if let Some(sayings) = self.sayings.take() {
            self.tasks.spawn(speak::speak(sayings, agent, client, self.secrets.clone()));
        }
    }
}

/// Whoever starts a demo at night wants to see a shop at noon.
fn hours_ahead(now: Timestamp) -> i64 {
    LUNCH - now.as_second().div_euclid(3600).rem_euclid(24)
}

/// The zone in which that is so. In these names, west is plus.
fn zone(hours_ahead: i64) -> String {
    format!("Etc/GMT{:+}", -hours_ahead)
}

/// A new file: what a demo before left would be another shop's past.
async fn open(file: &Path) -> Result<SqliteConnection, Error> {
    for ending in ["", "-wal", "-shm"] {
        let mut path = file.as_os_str().to_owned();
        path.push(ending);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::Remove(path.into(), error));
            }
            _ => {}
        }
    }
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        // Checks read while customers write; and what a crash loses is not worth a wait.
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Off)
        .busy_timeout(Duration::from_secs(5))
        .disable_statement_logging();
    options.connect().await.map_err(|error| Error::Database(file.to_owned(), error))
}

/// The task that owns the shop's data.
struct Keeper {
    database: SqliteConnection,
    trade: Trade,
    services: Services,
    on: Arc<Mutex<BTreeSet<Switch>>>,
    /// The id of the payment whose amount at Square is not the shop's.
    misstated: Option<String>,
    voice: Voice,
    says: mpsc::Sender<Saying>,
}

impl Keeper {
    /// Gives what was paid in the last two days.
    async fn begin(&mut self, now: Timestamp) -> Result<Vec<Payment>, sqlx::Error> {
        let mut statements = schema::statements(Dialect::Sqlite);
        statements.extend(self.trade.advance(now));
        self.execute(statements).await?;
        let payments = self.trade.take_payments(now);
        let recent: Vec<Payment> =
            payments.into_iter().filter(|payment| payment.at >= now - SQUARES_PAST).collect();
        for payment in &recent {
            self.services.pay(payment);
        }
        self.trade.set_pace(PACE);
        Ok(recent)
    }

    async fn keep(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order { switch, on, done }) => {
                        let result = self.switch(switch, on).await;
                        // Who asked may have gone; the switch is set all the same.
                        let _ = done.send(result);
                    }
                    None => return,
                },
                _ = tick.tick() => self.go_on(clock::wall()).await,
            }
        }
    }

    async fn go_on(&mut self, now: Timestamp) {
        let statements = self.trade.advance(now);
        if let Err(error) = self.execute(statements).await {
            tracing::error!(%error, "the demo's shop could not write down its trade");
        }
        let payments = self.trade.take_payments(now);
        for payment in &payments {
            self.services.pay(payment);
        }
        let said = self.voice.say(now, &payments);
        self.say(said);
    }

    /// What nobody listens to is forgotten.
    fn say(&self, said: Vec<Saying>) {
        for saying in said {
            self.says.try_send(saying).ok();
        }
    }

    async fn switch(&mut self, switch: Switch, on: bool) -> Result<(), String> {
        if self.on.lock().unwrap_or_else(PoisonError::into_inner).contains(&switch) == on {
            return Ok(());
        }
        match switch {
            Switch::Site(trouble) => self.services.set_site(trouble, on),
            Switch::Square(fault) => self.services.set_square(fault, on),
            Switch::Books(books) => self.services.set_books(books, on, &mut self.misstated),
            Switch::Upstash(fault) => self.services.set_upstash(fault, on),
            Switch::Resend(fault) => self.services.set_resend(fault, on),
            Switch::Said(said) => {
                let said = self.voice.set(said, on);
                self.say(said);
            }
            Switch::Shop(fault) => self.switch_shop(fault, on).await?,
        }
        let mut all = self.on.lock().unwrap_or_else(PoisonError::into_inner);
        if on {
            all.insert(switch)
        } else {
            all.remove(&switch)
        };
        Ok(())
    }

    async fn switch_shop(&mut self, fault: ShopFault, on: bool) -> Result<(), String> {
        let now = clock::wall();
        let statements = if on { fault.inject(now) } else { fault.clear(now) };
        let failed = |error| format!("the demo's database refused the fault: {error}");
        self.execute(statements).await.map_err(failed)?;
        // In both books: what the shop does wrong by itself is no discrepancy.
        for payment in fault.payments(now) {
            self.services.forget(&payment);
            if on {
                self.services.book(&payment);
            }
        }
        self.trade.set_broken(fault, on);
        Ok(())
    }

    /// All of them or none.
    async fn execute(&mut self, statements: Vec<String>) -> Result<(), sqlx::Error> {
        if statements.is_empty() {
            return Ok(());
        }
        let mut transaction = self.database.begin().await?;
        for sql in statements {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    #[test]
    fn a_demo_begins_at_noon_of_the_shops_own_day() {
        for hour in 0..24 {
            let now: Timestamp = format!("2026-03-01T{hour:02}:37:00Z").parse().expect("a time");
            let zone = TimeZone::get(&zone(hours_ahead(now))).expect("a zone");
            assert_eq!(now.to_zoned(zone).datetime().to_string(), "2026-03-01T12:37:00", "{hour}");
        }
    }
}
