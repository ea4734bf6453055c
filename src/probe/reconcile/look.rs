//! One comparison, step by step: Square's list, the shop's rows, and what needs a second look one by one.
//!
//! Square is asked before the database, so that what it tells has had all the time to be written down, and no connection is
//! held while Square is waited for.

use super::book::Book;
use super::compare::{Comparison, Kind, compare};
use super::rows::{self, Rows};
use super::words::{self, Money};
use crate::outcome::{Class, Fault, Outcome};
use crate::probe::database::address::Address;
use crate::probe::database::ask::Open;
use crate::probe::database::cell::Table;
use crate::probe::database::template::{Moment, Template};
use crate::probe::square::Window;
use crate::probe::square::client::{Calls, Client, Trouble};
use crate::probe::square::pages;
use crate::probe::square::patience::Patience;
use crate::probe::{Context, Run, Running, api};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::BTreeSet;
use std::time::Duration;

/// More than a few are no stragglers of the window's edge; then the books are not of the same shop.
const ASKED_SINGLY_MAX: usize = 10;

pub struct Reconciliation {
    pub client: Client,
    /// Empty: all that the account has.
    pub locations: Vec<String>,
    pub address: Address,
    pub template: Template,
    pub currency: String,
    pub window: Duration,
    pub lag: Duration,
    pub slack: Duration,
    pub failed_above_cents: u64,
    pub rows_max: usize,
    pub calls_max: u32,
    pub patience: Patience,
}

impl Run for Reconciliation {
    fn run<'a>(&'a self, cx: &'a Context) -> Running<'a> {
        Box::pin(async {
            let mut outcome = Outcome::ok();
            let mut calls = Calls::at_most(self.calls_max);
            if let Err(fault) = self.look(cx, &mut calls, &mut outcome).await {
                outcome.fault(fault);
            }
            cx.phase_end();
            outcome.measure("calls", f64::from(calls.made));
            api::redact(&mut outcome, &self.client.token);
            outcome
        })
    }
}

impl Reconciliation {
    async fn look(&self, cx: &Context, calls: &mut Calls, outcome: &mut Outcome) -> Result<(), Fault> {
        self.patience.open()?;
        let times =
            Times::of(self, cx.now).ok_or_else(|| Fault::internal("`window` begins before time does"))?;
        let mut book = Book::new(times.window, self.currency.clone());
        cx.phase("payments");
        let complete = self.gather(calls, times.listed, &mut book).await?;
        cx.phase_end();
        let mut rows = self.rows(cx, &times).await?;
        book.payments.retain(|id, _| !rows.unreadable.contains(id));
        rows.by_id.retain(|id, _| !book.is_aside(id));
        let first = compare(&book.payments, &rows.by_id);
        cx.phase("singly");
        let unasked = self.ask_singly(calls, &first, &mut book).await?;
        cx.phase_end();
        self.patience.answered();
        rows.by_id.retain(|id, _| !unasked.contains(id) && !book.is_aside(id));
        self.tell(&compare(&book.payments, &rows.by_id), outcome);
        rows.tell(outcome);
        book.tell(outcome);
        if !complete {
            let (calls, seen) = (self.calls_max, book.payments.len());
            outcome.fault(Fault::internal(format!(
                "not all was compared: `calls_max` = {calls} was reached after {seen} payments; raise it or shorten `window`"
            )));
        } else if !unasked.is_empty() {
            outcome.fault(Fault::internal(format!(
                "not all was compared: {} more rows are paid and not in Square's list, and no more than {ASKED_SINGLY_MAX} are asked for one by one; raise `slack` or `calls_max`",
                unasked.len()
            )));
        }
        Ok(())
    }

    /// All payments that could have a row in the window. Whether they were all seen.
    async fn gather(&self, calls: &mut Calls, listed: Window, book: &mut Book) -> Result<bool, Fault> {
        let found;
        let locations = if self.locations.is_empty() {
            let all = pages::locations(&self.client, calls).await.map_err(|trouble| self.fault(trouble))?;
            // One that was closed since has payments all the same.
            found = all.into_iter().filter_map(|location| location.id).collect::<Vec<_>>();
            &found
        } else {
            &self.locations
        };
        if locations.is_empty() {
            let text = "Square knows of no location for this token, so there is nothing to compare with";
            return Err(Fault::unknown(Class::Assertion, text));
        }
        let all = pages::gather(&self.client, calls, locations, listed, |payment| book.add(payment)).await;
        all.map_err(|trouble| self.fault(trouble))
    }

    /// The rows of the window, and around it those that explain payments. Asked twice over one connection, since the
    /// query need not tell when a row was written.
    async fn rows(&self, cx: &Context, times: &Times) -> Result<Rows, Fault> {
        let mut open = Open::at(&self.address, cx).await?;
        let inside = self.ask(cx, &mut open, &times.inside).await;
        let around = match &inside {
            Ok(_) => self.ask(cx, &mut open, &times.around).await,
            Err(_) => Ok(Table::default()),
        };
        open.close().await;
        let (inside, around) = (inside?, around?);
        Rows::read(&around, &rows::ids(&inside)?)
    }

    async fn ask(&self, cx: &Context, open: &mut Open<'_>, moment: &Moment) -> Result<Table, Fault> {
        let table = open.ask(cx, self.template.fill(moment), self.rows_max).await?;
        if table.more {
            let text = format!(
                "not all was compared: the query gave more than {} rows; shorten `window` or raise `rows_max`",
                self.rows_max
            );
            return Err(Fault::internal(text));
        }
        Ok(table)
    }

    /// A second look at what seems wrong with a row, as Square knows it now: lists of it lag some seconds, and a
    /// payment may have been made long before its row. Gives the ids for which there were no calls.
    async fn ask_singly(
        &self,
        calls: &mut Calls,
        first: &Comparison,
        book: &mut Book,
    ) -> Result<BTreeSet<String>, Fault> {
        let mut unasked = BTreeSet::new();
        let mut asked = 0;
        let doubtful = first.discrepancies.iter().filter(|one| one.kind != Kind::MissingHere);
        // What can't be an id is not asked for, and Square can't have it.
        for one in doubtful.filter(|one| pages::is_id(&one.id)) {
            if asked < ASKED_SINGLY_MAX && calls.left() > 0 {
                asked += 1;
                let found = pages::one(&self.client, calls, &one.id).await;
                if let Some(payment) = found.map_err(|trouble| self.fault(trouble))? {
                    book.add(&payment);
                }
            } else if one.kind == Kind::MissingThere {
                unasked.insert(one.id.clone());
            }
        }
        Ok(unasked)
    }

    fn tell(&self, found: &Comparison, outcome: &mut Outcome) {
        let money = Money { currency: &self.currency };
        let count = |kind| found.of(kind).len() as f64;
        let at_risk = found.cents_at_risk();
        outcome.measure("payments_compared", found.compared as f64);
        outcome.measure("payments_missing_here", count(Kind::MissingHere));
        outcome.measure("payments_missing_there", count(Kind::MissingThere));
        outcome.measure("payment_amounts_different", count(Kind::Amount));
        outcome.measure("payment_statuses_different", count(Kind::Status));
        outcome.measure("money_at_risk_major_units", money.units(at_risk));
        if !found.discrepancies.is_empty() {
            let text = words::reason(found, &money);
            let is_much = at_risk > i128::from(self.failed_above_cents);
            let fault = if is_much { Fault::failed } else { Fault::degraded };
            outcome.fault(fault(Class::Assertion, text));
        }
    }

    /// Keeps Square's wish for a pause.
    fn fault(&self, trouble: Trouble) -> Fault {
        match trouble {
            Trouble::NoCallsLeft => Fault::internal(format!(
                "`calls_max` = {} was reached before all was looked at",
                self.calls_max
            )),
            Trouble::Refused(refusal) => {
                self.patience.refused(&refusal);
                if !refusal.wants_a_pause() {
                    self.patience.answered();
                }
                refusal.fault
            }
        }
    }
}

/// The times of one run.
struct Times {
    /// Payments made in it must have a row.
    window: Window,
    /// Payments that may explain a row of the window.
    listed: Window,
    /// Rows written in the window must have a payment.
    inside: Moment,
    /// Rows that may explain a payment of the window.
    around: Moment,
}

impl Times {
    fn of(run: &Reconciliation, now: Timestamp) -> Option<Times> {
        let to = now.checked_sub(run.lag).ok()?;
        let from = to.checked_sub(run.window).ok()?;
        let moment = |to, window| Moment { now, to, window, zone: TimeZone::UTC };
        let around = run.window + run.lag + run.slack * 2;
        Some(Times {
            window: Window { from, to },
            listed: Window { from: from.checked_sub(run.slack).ok()?, to: now },
            inside: moment(to, run.window),
            around: moment(now.checked_add(run.slack).ok()?, around),
        })
    }
}
