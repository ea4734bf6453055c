//! One look at Square, step by step, and what is remembered from look to look.

use super::answer::{Locations, PaymentPage, Subscriptions, TokenStatus};
use super::client::{Ask, Calls, Client, Refusal, Trouble};
use super::judge;
use super::payments::{Payments, Window};
use super::time;
use super::wait;
use crate::outcome::{Class, Fault, Outcome, Status};
use crate::probe::api::{self, Gate};
use crate::probe::{Context, Run, Running};
use jiff::Timestamp;
use reqwest::Method;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub struct Watch {
    pub client: Client,
    /// Empty where the definition names none.
    pub application_id: String,
    pub locations: Vec<String>,
    pub window: Duration,
    pub settling: Duration,
    pub webhooks: bool,
    pub calls_max: u32,
    /// The check's period.
    pub every: Duration,
    /// Closed while Square wants to be left alone.
    pub gate: Gate,
    pub memory: Mutex<Memory>,
}

/// What outlives a run.
#[derive(Debug, Default)]
pub struct Memory {
    /// Refusals in a row for which Square wants to be left alone.
    refusals: u32,
    newest: Option<Newest>,
}

/// The newest payment, where there is any, and until when none was missed.
#[derive(Debug, Clone, Copy)]
struct Newest {
    payment: Option<Timestamp>,
    seen_until: Timestamp,
}

/// The run can't go on; why is in the outcome.
struct Stopped;

type Step<T> = Result<T, Stopped>;

impl Run for Watch {
    fn run<'a>(&'a self, cx: &'a Context) -> Running<'a> {
        Box::pin(async {
            let mut outcome = self.look(cx).await;
            api::redact(&mut outcome, &self.client.token);
            outcome
        })
    }
}

impl Watch {
    async fn look(&self, cx: &Context) -> Outcome {
        let mut outcome = Outcome::ok();
        if let Err(fault) = self.gate.open() {
            outcome.measure("calls", 0.0);
            outcome.fault(fault);
            return outcome;
        }
        let calls = Calls::at_most(self.calls_max);
        let mut look = Look { watch: self, cx, calls, outcome, wants_a_pause: false };
        // Where it stopped early, the outcome says why.
        look.all().await.ok();
        cx.phase_end();
        if !look.wants_a_pause {
            self.memory().refusals = 0;
        }
        look.outcome.measure("calls", f64::from(look.calls.made));
        look.outcome
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Look<'a> {
    watch: &'a Watch,
    cx: &'a Context,
    calls: Calls,
    outcome: Outcome,
    wants_a_pause: bool,
}

impl Look<'_> {
    async fn all(&mut self) -> Step<()> {
        self.cx.phase("token");
        self.token().await?;
        self.cx.phase("locations");
        let locations = self.locations().await?;
        if self.watch.webhooks {
            self.cx.phase("webhooks");
            self.webhooks().await?;
        }
        self.cx.phase("payments");
        self.payments(locations).await
    }

    async fn token(&mut self) -> Step<()> {
        let ask =
            Ask { method: Method::POST, path: "/oauth2/token/status", query: &[], permission: "to be alive" };
        let token = match self.watch.client.call::<TokenStatus>(&mut self.calls, &ask).await {
            Ok(token) => token,
            Err(trouble) => return self.of_this_call_only(trouble),
        };
        let expected = self.watch.client.environment;
        judge::token(&token, expected, self.cx.now, &mut self.outcome);
        if !self.watch.application_id.is_empty() {
            judge::application(&self.watch.application_id, &token, expected, &mut self.outcome);
        }
        Ok(())
    }

    /// The ids of the locations over which payments are counted.
    async fn locations(&mut self) -> Step<Vec<String>> {
        let ask = Ask {
            method: Method::GET,
            path: "/v2/locations",
            query: &[],
            permission: "MERCHANT_PROFILE_READ",
        };
        let answer = self.watch.client.call::<Locations>(&mut self.calls, &ask).await;
        let all = answer.map_err(|trouble| self.stop(trouble))?.locations.unwrap_or_default();
        Ok(judge::locations(&self.watch.locations, &all, &mut self.outcome))
    }

    async fn webhooks(&mut self) -> Step<()> {
        let ask = Ask {
            method: Method::GET,
            path: "/v2/webhooks/subscriptions",
            query: &[("include_disabled", "true"), ("limit", "100")],
            permission: "to be the application's own personal token",
        };
        match self.watch.client.call::<Subscriptions>(&mut self.calls, &ask).await {
            Ok(answer) => {
                if answer.cursor.is_some_and(|cursor| !cursor.is_empty()) {
                    self.outcome.note("only the first 100 webhook subscriptions were looked at");
                }
                judge::subscriptions(&answer.subscriptions.unwrap_or_default(), &mut self.outcome);
                Ok(())
            }
            // The token did for the locations, so it is only this that it may not see.
            Err(Trouble::Refused(refusal))
                if refusal.fault.class == Class::Auth && refusal.asked.is_none() =>
            {
                self.outcome.note(
                    "this token may not see webhook subscriptions; only the application's own personal token may",
                );
                Ok(())
            }
            Err(trouble) => self.of_this_call_only(trouble),
        }
    }

    async fn payments(&mut self, locations: Vec<String>) -> Step<()> {
        if locations.is_empty() {
            return Ok(());
        }
        let Some(window) = self.window() else {
            self.outcome.fault(Fault::internal("`window` begins before time does"));
            return Ok(());
        };
        let mut payments = Payments::default();
        let complete = self.gather(&locations, window, &mut payments).await?;
        payments.tell(complete, &mut self.outcome);
        if complete {
            return self.newest_payment(&locations, window, payments.newest()).await;
        }
        let (calls, seen) = (self.watch.calls_max, payments.len());
        self.outcome.fault(Fault::internal(format!(
            "counts are incomplete: `calls_max` = {calls} was reached after {seen} payments; raise it or shorten `window`"
        )));
        Ok(())
    }

    fn window(&self) -> Option<Window> {
        let to = self.cx.now.checked_sub(self.watch.settling).ok()?;
        let from = to.checked_sub(self.watch.window).ok()?;
        Some(Window { from, to })
    }

    /// All pages of all locations, in turns so that a busy location leaves calls to the others. Whether they
    /// were all seen.
    async fn gather(&mut self, locations: &[String], window: Window, payments: &mut Payments) -> Step<bool> {
        let (from, to) = (window.from.to_string(), window.to.to_string());
        let mut todo: VecDeque<(&str, Option<String>)> =
            locations.iter().map(|id| (id.as_str(), None)).collect();
        while let Some((location, cursor)) = todo.pop_front() {
            let mut query = vec![
                ("location_id", location),
                ("begin_time", from.as_str()),
                ("end_time", to.as_str()),
                ("sort_order", "ASC"),
                ("limit", "100"),
            ];
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page = match self.page(&query).await {
                Ok(page) => page,
                Err(Trouble::NoCallsLeft) => return Ok(false),
                Err(trouble) => return Err(self.stop(trouble)),
            };
            page.payments.iter().flatten().for_each(|payment| payments.add(payment, window));
            let next = page.cursor.filter(|next| !next.is_empty());
            if next.is_some() && next == cursor {
                let text = "Square gave the same cursor twice: the pages of payments have no end";
                self.outcome.fault(Fault::failed(Class::Protocol, text));
                return Err(Stopped);
            }
            todo.extend(next.map(|next| (location, Some(next))));
        }
        Ok(true)
    }

    async fn page(&mut self, query: &[(&'static str, &str)]) -> Result<PaymentPage, Trouble> {
        let ask = Ask { method: Method::GET, path: "/v2/payments", query, permission: "PAYMENTS_READ" };
        self.watch.client.call(&mut self.calls, &ask).await
    }

    /// How long ago the newest payment was made. Square is asked only where the window has none and the runs
    /// before left a gap.
    async fn newest_payment(
        &mut self,
        locations: &[String],
        window: Window,
        in_window: Option<Timestamp>,
    ) -> Step<()> {
        let known = self.watch.memory().newest.filter(|known| known.seen_until >= window.from);
        let payment = match (in_window, known) {
            (Some(newest), _) => Some(newest),
            (None, Some(known)) => known.payment,
            (None, None) if self.calls.left() as usize >= locations.len() => {
                self.newest_of(locations).await?
            }
            (None, None) => {
                self.outcome
                    .note("the age of the newest payment is not known: `calls_max` leaves no call for it");
                return Ok(());
            }
        };
        self.watch.memory().newest = Some(Newest { payment, seen_until: window.to });
        match payment {
            Some(newest) => {
                let age = self.cx.now.duration_since(newest).as_secs_f64().max(0.0);
                self.outcome.measure("newest_payment_age_seconds", age);
            }
            None => self.outcome.note("Square knows of no payment within the last year"),
        }
        Ok(())
    }

    /// The newest payment over all locations.
    async fn newest_of(&mut self, locations: &[String]) -> Step<Option<Timestamp>> {
        let mut newest = None;
        for location in locations {
            let page = self.page(&[("location_id", location), ("sort_order", "DESC"), ("limit", "1")]).await;
            let page = page.map_err(|trouble| self.stop(trouble))?;
            let created =
                page.payments.iter().flatten().filter_map(|one| time::parse(one.created_at.as_deref()?));
            newest = newest.max(created.max());
        }
        Ok(newest)
    }

    /// Where only one call is the matter the rest of Square may work, and is looked at.
    fn of_this_call_only(&mut self, trouble: Trouble) -> Step<()> {
        match trouble {
            Trouble::Refused(refusal) if refusal.is_of_this_call_only() => {
                self.outcome.fault(Fault { status: Status::Degraded, ..refusal.fault });
                Ok(())
            }
            trouble => Err(self.stop(trouble)),
        }
    }

    /// Puts the trouble into the outcome, and keeps Square's wish for a pause.
    fn stop(&mut self, trouble: Trouble) -> Stopped {
        match trouble {
            Trouble::NoCallsLeft => self.outcome.fault(Fault::internal(format!(
                "`calls_max` = {} was reached before all was looked at",
                self.watch.calls_max
            ))),
            Trouble::Refused(refusal) => {
                self.keep_pause(&refusal);
                self.outcome.fault(refusal.fault);
            }
        }
        Stopped
    }

    fn keep_pause(&mut self, refusal: &Refusal) {
        if refusal.wants_a_pause() {
            self.wants_a_pause = true;
            let mut memory = self.watch.memory();
            memory.refusals = memory.refusals.saturating_add(1);
            let chosen = wait::chosen(memory.refusals, self.watch.every, fastrand::f64());
            self.watch.gate.close(refusal.asked.unwrap_or(chosen), &refusal.fault);
        }
    }
}
