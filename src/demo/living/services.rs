//! What the demo's shop stands on: its web site and Square, Upstash and Resend, each a local HTTP server that
//! answers as the real one does.

use crate::clock;
use crate::demo::order::Payment;
use crate::demo::resend::inbox::{self, ON_CALL};
use crate::demo::resend::{self, Resend};
use crate::demo::site::{Site, Trouble};
use crate::demo::square::{self, Booked, Discrepancy, Ending, Square};
use crate::demo::upstash::{self, Upstash};
use axum::Router;
use jiff::SignedDuration;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Square's checks let payments settle for some seconds before they count them.
const JUST_NOW: SignedDuration = SignedDuration::from_secs(30);
const FAILED_AT_ONCE: u32 = 4;
const OURS: Ending = Ending::Failed("PAYMENT_LIMIT_EXCEEDED");
/// Books are compared when webhooks have had their time.
const SETTLED: SignedDuration = SignedDuration::from_mins(40);
/// The id of the payment of which the shop does not know.
const UNKNOWN: &str = "FAULT-unknown-payment";
const MISSTATED_BY: i64 = 300;
const EMAILS_AT_ONCE: u32 = 20;

/// The prefixes under which the shop's rate limiters write.
const LIMITERS: [&str; 5] = ["webhook_rl", "checkout_rl", "orders_rl", "api_rl", "admin_rl"];

/// All of them.
#[derive(Clone)]
pub struct Services {
    site: Site,
    square: Arc<Square>,
    upstash: Arc<Upstash>,
    resend: Arc<Resend>,
}

impl Services {
    /// Opens each on a port that the system gives; they end with `tasks`. Also told are the variables by which
    /// the shipped checks find them.
    pub async fn open(tasks: &mut JoinSet<()>) -> io::Result<(Services, Vec<(String, String)>)> {
        let services = Services {
            site: Site::default(),
            square: Square::new(clock::wall),
            upstash: Upstash::new(clock::wall),
            resend: Resend::new(clock::wall),
        };
        let (door, site) = listen().await?;
        tasks.spawn(serve(services.site.door(door), services.site.router()));
        let (at, square) = listen().await?;
        tasks.spawn(serve(at, services.square.router()));
        let (at, upstash) = listen().await?;
        tasks.spawn(serve(at, services.upstash.router()));
        let (at, resend) = listen().await?;
        tasks.spawn(serve(at, services.resend.router()));
        let variables = [
            ("NEXT_PUBLIC_APP_URL", site),
            ("SQUARE_API_URL", square),
            ("SQUARE_ACCESS_TOKEN", Square::TOKEN.to_owned()),
            ("SQUARE_ENVIRONMENT", "production".to_owned()),
            ("SQUARE_LOCATION_ID", Square::MAIN_LOCATION.to_owned()),
            ("UPSTASH_REDIS_REST_URL", upstash),
            ("UPSTASH_REDIS_REST_TOKEN", Upstash::TOKEN.to_owned()),
            ("RESEND_API_URL", resend),
            ("RESEND_API_KEY", Resend::KEY.to_owned()),
            ("FROM_EMAIL", format!("Shop <orders@{}>", Resend::DOMAIN)),
            ("ALERT_EMAIL_FROM", format!("Atalaya <alerts@{}>", Resend::DOMAIN)),
            ("ALERT_EMAIL_TO", ON_CALL.to_owned()),
        ];
        Ok((services, variables.map(|(name, value)| (name.to_owned(), value)).into()))
    }

    /// What a payment leaves behind everywhere: money, requests that met the rate limiters, an email.
    pub fn pay(&self, payment: &Payment) {
        self.book(payment);
        if self.square.faults().contains(&square::Fault::OurFailures) {
            // The customer's first try, of which the shop has no row: it never came to a payment.
            self.square.pay(payment.at, payment.amount.0, OURS);
        }
        for prefix in LIMITERS {
            self.upstash.limit(prefix, "203.0.113.9", true);
        }
        if payment.declined.is_none() {
            self.resend.deliver("Your order");
        }
    }

    /// What Square knows of a payment.
    pub fn book(&self, payment: &Payment) {
        self.square.book(&Booked {
            id: &payment.id,
            order_id: &payment.order_id,
            at: payment.at,
            amount: payment.amount.0,
            ending: payment.declined.map_or(Ending::Paid, Ending::Declined),
            refunded: if payment.refunded { payment.amount.0 } else { 0 },
        });
    }

    /// Square does not know of a payment any more.
    pub fn forget(&self, payment: &Payment) {
        self.square.forget(&payment.id);
    }

    /// Makes Square's book differ from the shop's, or agree again.
    pub fn set_books(&self, discrepancy: Discrepancy, on: bool, changed: &mut Option<String>) {
        match (discrepancy, on) {
            (Discrepancy::UnknownPayment, true) => {
                let at = clock::wall() - SETTLED;
                self.square.book(&Booked {
                    id: UNKNOWN,
                    order_id: UNKNOWN,
                    at,
                    amount: 4_250,
                    ending: Ending::Paid,
                    refunded: 0,
                });
            }
            (Discrepancy::UnknownPayment, false) => self.square.forget(UNKNOWN),
            (Discrepancy::OtherAmount, true) => {
                *changed = self.square.newest_paid(clock::wall() - SETTLED);
                if let Some(id) = changed {
                    self.square.misstate(id, MISSTATED_BY);
                }
            }
            (Discrepancy::OtherAmount, false) => {
                if let Some(id) = changed.take() {
                    self.square.misstate(&id, -MISSTATED_BY);
                }
            }
        }
    }

    /// What the on-call person got.
    pub fn inbox(&self) -> Router {
        inbox::router(self.resend.clone())
    }

    pub fn set_site(&self, trouble: Trouble, on: bool) {
        self.site.set(trouble, on);
    }

    pub fn set_square(&self, fault: square::Fault, on: bool) {
        self.square.set(fault, on);
        if on && fault == square::Fault::OurFailures {
            // Those who were just paying; the next ones come by themselves.
            let now = clock::wall() - JUST_NOW;
            for _ in 0..FAILED_AT_ONCE {
                self.square.pay(now, 4_200, OURS);
            }
        }
    }

    pub fn set_upstash(&self, fault: upstash::Fault, on: bool) {
        self.upstash.set(fault, on);
    }

    pub fn set_resend(&self, fault: resend::Fault, on: bool) {
        self.resend.set(fault, on);
        if on && fault == resend::Fault::Bounces {
            (0..EMAILS_AT_ONCE).for_each(|_| self.resend.deliver("Your order"));
        }
    }
}

async fn listen() -> io::Result<(TcpListener, String)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    Ok((listener, format!("http://{address}")))
}

async fn serve<L: axum::serve::Listener>(listener: L, router: Router)
where
    L::Addr: std::fmt::Debug,
{
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "a server of the demo has ended");
    }
}
