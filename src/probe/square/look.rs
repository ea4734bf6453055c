//! One look at Square, step by step, and what is remembered from look to look.

use super::answer::{Subscriptions, TokenStatus};
use super::client::{Ask, Calls, Client, Trouble};
use super::patience::Patience;
use super::payments::{Payments, Window};
use super::{judge, pages, time};
use crate::outcome::{Class, Fault, Outcome, Status};
use crate::probe::api;
use crate::probe::{Context, Run, Running};
use jiff::Timestamp;
use reqwest::Method;
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
    pub patience: Patience,
    pub newest: Mutex<Option<Newest>>,
}

/// The newest payment, where there is any, and until when none was missed.
#[derive(Debug, Clone, Copy)]
pub struct Newest {
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
        if let Err(fault) = self.patience.open() {
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
            self.patience.answered();
        }
        look.outcome.measure("calls", f64::from(look.calls.made));
        look.outcome
    }

    fn newest(&self) -> MutexGuard<'_, Option<Newest>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
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
        let all = pages::locations(&self.watch.client, &mut self.calls).await;
        let all = all.map_err(|trouble| self.stop(trouble))?;
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
        let add = |payment: &_| payments.add(payment, window);
        let complete = pages::gather(&self.watch.client, &mut self.calls, &locations, window, add).await;
        let complete = complete.map_err(|trouble| self.stop(trouble))?;
        payments.tell(complete, &mut self.outcome);
        if complete {
            return self.newest_payment(&locations, window, payments.newest()).await;
        }
        let (calls, seen) = (self.watch.calls_max, payments.number());
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

    /// How long ago the newest payment was made. Square is asked only where the window has none and the runs
    /// before left a gap.
    async fn newest_payment(
        &mut self,
        locations: &[String],
        window: Window,
        in_window: Option<Timestamp>,
    ) -> Step<()> {
        let known = self.watch.newest().filter(|known| known.seen_until >= window.from);
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
        *self.watch.newest() = Some(Newest { payment, seen_until: window.to });
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
            let query = [("location_id", location.as_str()), ("sort_order", "DESC"), ("limit", "1")];
            let page = pages::page(&self.watch.client, &mut self.calls, &query).await;
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
                self.wants_a_pause |= refusal.wants_a_pause();
                self.watch.patience.refused(&refusal);
                self.outcome.fault(refusal.fault);
            }
        }
        Stopped
    }
}
