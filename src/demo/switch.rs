//! Everything in the demo that can be broken, by one name each, and the HTTP control that does it.
//!
//! `GET /faults` lists them, `POST /faults/{name}` with `{"on": true}` breaks, `DELETE /faults/{name}` mends,
//! `DELETE /faults` mends all. Changes are the operators' only, as everything that changes something.

use super::fault::ShopFault;
use super::site::Trouble;
use super::voice::Said;
use super::{resend, square, upstash};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{broadcast, mpsc, oneshot};

/// One thing that can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Switch {
    Shop(ShopFault),
    Site(Trouble),
    Square(square::Fault),
    Books(square::Discrepancy),
    Upstash(upstash::Fault),
    Resend(resend::Fault),
    Said(Said),
}

impl Switch {
    /// All of them, in the order in which people see them.
    pub fn all() -> impl Iterator<Item = Switch> {
        let site = Trouble::ALL.into_iter().map(Switch::Site);
        // Declined cards are the customers' and come with the shop's own fault, in both books.
        let of_square = square::Fault::ALL.into_iter().filter(|fault| *fault != square::Fault::Declines);
        site.chain(ShopFault::all().map(Switch::Shop))
            .chain(of_square.map(Switch::Square))
            .chain(square::Discrepancy::ALL.map(Switch::Books))
            .chain(upstash::Fault::ALL.map(Switch::Upstash))
            .chain(resend::Fault::ALL.map(Switch::Resend))
            .chain(Said::ALL.map(Switch::Said))
    }

    /// The word on the command line and in the path of the control.
    pub fn name(self) -> Cow<'static, str> {
        match self {
            Switch::Shop(fault) => fault.name().into(),
            Switch::Site(trouble) => trouble.as_str().into(),
            Switch::Square(fault) => format!("square-{fault}").into(),
            Switch::Books(books) => books.name().into(),
            Switch::Upstash(fault) => format!("upstash-{fault}").into(),
            Switch::Resend(fault) => format!("resend-{fault}").into(),
            Switch::Said(said) => said.name().into(),
        }
    }

    /// What it is, for people.
    pub fn title(self) -> &'static str {
        match self {
            Switch::Shop(fault) => fault.title(),
            Switch::Site(trouble) => trouble.title(),
            Switch::Square(fault) => fault.about(),
            Switch::Books(books) => books.title(),
            Switch::Upstash(fault) => fault.about(),
            Switch::Resend(fault) => fault.about(),
            Switch::Said(said) => said.title(),
        }
    }

    /// The shipped checks that must tell of it.
    pub fn checks(self) -> &'static [&'static str] {
        match self {
            Switch::Shop(fault) => fault.checks(),
            Switch::Site(trouble) => trouble.checks(),
            Switch::Square(fault) if fault.leaves_the_list() => &["payments"],
            Switch::Square(_) => &["payments", "reconciliation"],
            Switch::Books(_) => &["reconciliation"],
            Switch::Upstash(upstash::Fault::LimiterUnused) => &["rate-limiting"],
            Switch::Upstash(upstash::Fault::StorageFull | upstash::Fault::Slow) => &["cache"],
            Switch::Upstash(_) => &["cache", "rate-limiting"],
            Switch::Resend(_) => &["email"],
            Switch::Said(said) => said.checks(),
        }
    }
}

impl FromStr for Switch {
    type Err = String;

    fn from_str(name: &str) -> Result<Switch, String> {
        Switch::all().find(|switch| switch.name() == name).ok_or_else(|| {
            let likeness = |known: &str| strsim::jaro_winkler(known, name);
            let names = Switch::all().map(Switch::name);
            let nearest = names.max_by(|a, b| likeness(a).total_cmp(&likeness(b))).unwrap_or_default();
            format!("there is no fault `{name}`; the nearest is `{nearest}`")
        })
    }
}

/// What is asked of the task that keeps the shop.
pub(super) struct Order {
    pub switch: Switch,
    pub on: bool,
    pub done: oneshot::Sender<Result<(), String>>,
}

/// A handle on all switches of one living shop.
#[derive(Debug, Clone)]
pub struct Faults {
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) on: Arc<Mutex<BTreeSet<Switch>>>,
    pub(super) told: broadcast::Sender<&'static [&'static str]>,
}

/// A switch, as the control tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    pub name: Cow<'static, str>,
    pub title: &'static str,
    /// The checks that must tell of it.
    pub checks: &'static [&'static str],
    pub on: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    on: bool,
}

type Answer = Result<Json<Vec<Listed>>, (StatusCode, Json<serde_json::Value>)>;

impl Faults {
    /// Every switch and how it stands.
    pub fn list(&self) -> Vec<Listed> {
        let on = self.on.lock().unwrap_or_else(PoisonError::into_inner);
        let listed = |switch: Switch| Listed {
            name: switch.name(),
            title: switch.title(),
            checks: switch.checks(),
            on: on.contains(&switch),
        };
        Switch::all().map(listed).collect()
    }

    /// Switches, and comes back when the shop is as it was told to be.
    pub async fn set(&self, switch: Switch, on: bool) -> Result<(), String> {
        let (done, answer) = oneshot::channel();
        let gone = |_| "the demo's shop has ended".to_owned();
        self.orders.send(Order { switch, on, done }).await.map_err(|error| gone(error.to_string()))?;
        answer.await.map_err(|error| gone(error.to_string()))??;
        // Nobody need listen.
        self.told.send(switch.checks()).ok();
        Ok(())
    }

    /// The checks that find something else from now on, at every switch.
    pub fn switched(&self) -> broadcast::Receiver<&'static [&'static str]> {
        self.told.subscribe()
    }

    /// Mends everything that is broken.
    pub async fn mend(&self) -> Result<(), String> {
        let on = self.on.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for switch in on {
            self.set(switch, false).await?;
        }
        Ok(())
    }

    /// How everything stands.
    pub fn list_router(&self) -> Router {
        Router::new().route("/faults", get(list)).with_state(self.clone())
    }

    /// The control. Whoever serves it says who may.
    pub fn change_router(&self) -> Router {
        Router::new()
            .route("/faults", delete(mend))
            .route("/faults/{name}", post(set).delete(clear))
            .with_state(self.clone())
    }
}

async fn list(State(faults): State<Faults>) -> Json<Vec<Listed>> {
    Json(faults.list())
}

async fn set(State(faults): State<Faults>, Path(name): Path<String>, Json(wanted): Json<Wanted>) -> Answer {
    switched(faults, &name, wanted.on).await
}

async fn clear(State(faults): State<Faults>, Path(name): Path<String>) -> Answer {
    switched(faults, &name, false).await
}

async fn mend(State(faults): State<Faults>) -> Answer {
    faults.mend().await.map_err(|why| refused(StatusCode::INTERNAL_SERVER_ERROR, why))?;
    Ok(Json(faults.list()))
}

async fn switched(faults: Faults, name: &str, on: bool) -> Answer {
    let switch: Switch = name.parse().map_err(|why| refused(StatusCode::NOT_FOUND, why))?;
    faults.set(switch, on).await.map_err(|why| refused(StatusCode::INTERNAL_SERVER_ERROR, why))?;
    Ok(Json(faults.list()))
}

fn refused(status: StatusCode, why: String) -> (StatusCode, Json<serde_json::Value>) {
    (status, Json(serde_json::json!({ "error": why })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_switch_has_one_name_and_a_check_that_tells() {
        let names: BTreeSet<_> = Switch::all().map(Switch::name).collect();
        assert_eq!(names.len(), Switch::all().count());
        for switch in Switch::all() {
            assert_eq!(switch.name().parse(), Ok(switch));
            assert!(!switch.checks().is_empty() && !switch.title().is_empty(), "{switch:?}");
        }
        let wrong = "stuck-order".parse::<Switch>();
        assert_eq!(wrong, Err("there is no fault `stuck-order`; the nearest is `stuck-orders`".to_owned()));
    }
}
