//! What is counted of what vendors tell: each thing once, however often, in whatever order, and however late it is told.
//!
//! A thing (a payment, an email) keeps the set of what was counted of it. A letter says what is true of the thing; what is
//! true and not yet in the set is counted now and put into it. So the totals are those of the union of all letters, which
//! no order and no repetition changes, and nothing that was counted is ever taken back.
//!
//! Hence what holds of a thing that first went well and then did not: both are counted, once each.
//! - An email that was delivered and then bounced, or of whose recipients one bounced, is in `emails_delivered` and in
//!   `emails_bounced`, and once in `emails_attempted`. An objective that counts the bad ones (`emails_undelivered`) sees it.
//! - A payment that was approved and then failed to be captured is in `payments_succeeded`, since the customer did pay,
//!   and in `payments_failed`, since the shop got nothing. All others are in exactly one of succeeded, declined and failed.
//!
//! Words mean what they mean in the probes: see `probe/square/payments.rs`.

use super::{About, Vendor};
use crate::probe::MeasureInfo;
use crate::probe::square::reason::{self, Whose};

/// What is known of a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Of the latest state; see [`About::version`].
    pub version: i64,
    /// The latest state.
    pub state: String,
    /// What was counted of it: bit n stands for the nth of [`measures`].
    pub counted: u32,
}

const fn info(name: &'static str, help: &'static str) -> MeasureInfo {
    MeasureInfo { name, help }
}

/// What is counted of a vendor's letters. The place of each is kept with every thing, so a new one goes to the end.
pub const fn measures(vendor: Vendor) -> &'static [MeasureInfo] {
    match vendor {
        Vendor::Square => SQUARE,
        Vendor::Resend => RESEND,
    }
}

const SQUARE: &[MeasureInfo] = &[
    info("payments_attempted", "Payments that succeeded, were declined or failed."),
    info("payments_succeeded", "Payments that were approved or completed."),
    info("payments_declined", "Payments that failed for reasons of the customer, the card or its issuer."),
    info(
        "payments_failed",
        "Payments that failed for reasons of the shop or of Square, or for none that was named.",
    ),
    info("payments_cancelled", "Payments that were cancelled: neither good nor bad."),
    info("payments_unrecognized", "Payments with a status that is not known."),
    info("refunds_created", "Refunds that were begun."),
    info("refunds_completed", "Refunds that came through."),
    info("refunds_failed", "Refunds that failed or were rejected."),
    info("refunds_unrecognized", "Refunds with a status that is not known."),
    info("refunds_value_minor_units", "What was refunded, in cents or the like, over all currencies."),
    info("disputes_opened", "Disputes, from the first inquiry on."),
    info("disputes_won", "Disputes that the shop won."),
    info("disputes_lost", "Disputes that the shop lost or accepted."),
    info("disputes_unrecognized", "Disputes with a state that is not known."),
    info("disputes_value_minor_units", "What was disputed, in cents or the like, over all currencies."),
    info("orders_created", "Orders that are more than a draft."),
    info("orders_completed", "Orders that were completed."),
    info("orders_cancelled", "Orders that were cancelled."),
    info("orders_unrecognized", "Orders with a state that is not known."),
];

const RESEND: &[MeasureInfo] = &[
    info("emails_sent", "Emails that Resend took."),
    info("emails_attempted", "Emails that were delivered, bounced, failed or were suppressed."),
    info("emails_delivered", "Emails that a recipient's server took."),
    info("emails_bounced", "Emails that came back, at once or later."),
    info("emails_failed", "Emails that Resend could not send."),
    info(
        "emails_suppressed",
        "Emails that Resend did not send, since their recipient bounced or complained before.",
    ),
    info("emails_undelivered", "Emails that bounced, failed or were suppressed."),
    info("emails_complained", "Emails that were marked as spam."),
    info("emails_delayed", "Emails whose delivery was delayed."),
    info("emails_unrecognized", "Emails of which something was told that is not known."),
];

/// What is known after a letter, and what it adds to which measure.
pub fn apply(vendor: Vendor, about: &About, before: Option<&Known>) -> (Known, Vec<(&'static str, u64)>) {
    let mut counted = before.map_or(0, |known| known.counted);
    let mut now = Vec::new();
    for (name, times) in tells(vendor, about) {
        let place = measures(vendor).iter().position(|info| info.name == name);
        let bit = 1 << place.expect("whatever is told is in the list of measures");
        if counted & bit == 0 && times > 0 {
            counted |= bit;
            now.push((name, times));
        }
    }
    // Two states of one version happen where a vendor's clock is coarse; which of them stays must not hang on the order.
    let newer =
        before.filter(|known| (known.version, known.state.as_str()) > (about.version, about.state.as_str()));
    let (version, state) = match newer {
        Some(known) => (known.version, known.state.clone()),
        None => (about.version, about.state.clone()),
    };
    (Known { version, state, counted }, now)
}

/// What is true of the thing of a letter, whatever else is known of it.
fn tells(vendor: Vendor, about: &About) -> Vec<(&'static str, u64)> {
    let state = about.state.as_str();
    let value = about.amount.and_then(|amount| u64::try_from(amount).ok()).unwrap_or_default();
    let names: &[&'static str] = match (vendor, about.thing) {
        (Vendor::Square, "payment") => payment(state, about.reason.as_deref()),
        (Vendor::Square, "refund") => match state {
            "pending" => &["refunds_created"],
            "completed" => {
                return vec![
                    ("refunds_created", 1),
                    ("refunds_completed", 1),
                    ("refunds_value_minor_units", value),
                ];
            }
            "failed" | "rejected" => &["refunds_created", "refunds_failed"],
            _ => &["refunds_created", "refunds_unrecognized"],
        },
        (Vendor::Square, "dispute") => {
            let opened = [("disputes_opened", 1), ("disputes_value_minor_units", value)];
            return opened.into_iter().chain(dispute(state).map(|name| (name, 1))).collect();
        }
        (Vendor::Square, "order") => match state {
            "draft" => &[],
            "open" => &["orders_created"],
            "completed" => &["orders_created", "orders_completed"],
            "canceled" => &["orders_created", "orders_cancelled"],
            _ => &["orders_unrecognized"],
        },
        (Vendor::Resend, "email") => email(state),
        _ => &[],
    };
    names.iter().map(|name| (*name, 1)).collect()
}

fn payment(state: &str, reason: Option<&str>) -> &'static [&'static str] {
    match state {
        "approved" | "completed" => &["payments_attempted", "payments_succeeded"],
        "failed" => match reason::whose_by(reason) {
            Whose::Customer => &["payments_attempted", "payments_declined"],
            Whose::Ours => &["payments_attempted", "payments_failed"],
        },
        "pending" => &[],
        // Voided by the shop, or never captured.
        "canceled" => &["payments_cancelled"],
        _ => &["payments_unrecognized"],
    }
}

fn dispute(state: &str) -> Option<&'static str> {
    match state {
        "won" => Some("disputes_won"),
        "lost" | "accepted" => Some("disputes_lost"),
        "inquiry_evidence_required"
        | "inquiry_processing"
        | "inquiry_closed"
        | "evidence_required"
        | "processing"
        | "waiting_third_party" => None,
        _ => Some("disputes_unrecognized"),
    }
}

/// Who opens an email, clicks in it or complains of it has got it, even if nobody told of the delivery.
fn email(state: &str) -> &'static [&'static str] {
    match state {
        "sent" => &["emails_sent"],
        "delivered" | "opened" | "clicked" => &["emails_attempted", "emails_delivered"],
        "complained" => &["emails_attempted", "emails_delivered", "emails_complained"],
        "bounced" => &["emails_attempted", "emails_bounced", "emails_undelivered"],
        "failed" => &["emails_attempted", "emails_failed", "emails_undelivered"],
        "suppressed" => &["emails_attempted", "emails_suppressed", "emails_undelivered"],
        "delivery_delayed" => &["emails_delayed"],
        "scheduled" | "queued" | "canceled" => &[],
        _ => &["emails_unrecognized"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};
    use std::collections::{BTreeMap, HashMap};

    fn about(thing: &'static str, version: i64, state: &str) -> About {
        let (state, reason) = match state.split_once(' ') {
            Some((state, reason)) => (state.to_owned(), Some(reason.to_owned())),
            None => (state.to_owned(), None),
        };
        let (amount, currency) = (Some(250), Some("USD".to_owned()));
        About { thing, id: "x".to_owned(), version, state, reason, amount, currency }
    }

    type Totals = BTreeMap<&'static str, u64>;

    /// What the letters come to, and the state in which each thing is then.
    fn totals(letters: &[(Vendor, About)]) -> (Totals, BTreeMap<String, String>) {
        let mut known: HashMap<String, Known> = HashMap::new();
        let mut totals = Totals::new();
        for (vendor, about) in letters {
            let key = format!("{}/{}/{}", vendor.as_str(), about.thing, about.id);
            let (after, now) = apply(*vendor, about, known.get(&key));
            known.insert(key, after);
            for (name, times) in now {
                *totals.entry(name).or_default() += times;
            }
        }
        (totals, known.into_iter().map(|(key, known)| (key, known.state)).collect())
    }

    /// The states of one thing in the order in which they come, with their versions; what is counted at each.
    fn check(vendor: Vendor, thing: &'static str, course: &[(i64, &str, &[&str])]) {
        let mut known: Option<Known> = None;
        for (version, state, expected) in course {
            let (after, now) = apply(vendor, &about(thing, *version, state), known.as_ref());
            let found: Vec<String> = now
                .into_iter()
                .map(|(name, times)| if times == 1 { name.to_owned() } else { format!("{name} {times}") })
                .collect();
            assert_eq!(found, *expected, "{state}");
            assert_eq!(after.version, known.map_or(*version, |before| before.version.max(*version)));
            known = Some(after);
        }
    }

    #[test]
    fn payments() {
        let check = |course: &[(i64, &str, &[&str])]| check(Vendor::Square, "payment", course);
        let paid: &[&str] = &["payments_attempted", "payments_succeeded"];
        check(&[(1, "pending", &[]), (2, "approved", paid), (3, "completed", &[]), (3, "completed", &[])]);
        check(&[(3, "completed", paid), (2, "approved", &[]), (1, "pending", &[])]);
        check(&[
            (1, "pending", &[]),
            (2, "failed CVV_FAILURE", &["payments_attempted", "payments_declined"]),
        ]);
        check(&[
            (2, "failed PAYMENT_METHOD_ERROR", &["payments_attempted", "payments_declined"]),
            (1, "pending", &[]),
        ]);
        check(&[(1, "failed INVALID_LOCATION", &["payments_attempted", "payments_failed"])]);
        check(&[(1, "failed TEMPORARY_ERROR", &["payments_attempted", "payments_failed"])]);
        check(&[(1, "failed OTHER", &["payments_attempted", "payments_failed"])]);
        check(&[(1, "failed", &["payments_attempted", "payments_failed"])]);
        check(&[(1, "pending", &[]), (2, "canceled", &["payments_cancelled"])]);
        // Authorised and voided: the customer was able to pay.
        check(&[(2, "canceled", &["payments_cancelled"]), (1, "approved", paid)]);
        // Authorised, and the capture failed: both are true.
        check(&[(1, "approved", paid), (2, "failed", &["payments_failed"])]);
        check(&[
            (2, "failed", &["payments_attempted", "payments_failed"]),
            (1, "approved", &["payments_succeeded"]),
        ]);
        check(&[(1, "held", &["payments_unrecognized"]), (2, "completed", paid)]);
    }

    #[test]
    fn refunds_disputes_and_orders() {
        let square = |thing, course: &[(i64, &str, &[&str])]| check(Vendor::Square, thing, course);
        square(
            "refund",
            &[
                (1, "pending", &["refunds_created"]),
                (2, "completed", &["refunds_completed", "refunds_value_minor_units 250"]),
            ],
        );
        square("refund", &[(2, "rejected", &["refunds_created", "refunds_failed"]), (1, "pending", &[])]);
        square("refund", &[(1, "held", &["refunds_created", "refunds_unrecognized"])]);
        let opened: &[&str] = &["disputes_opened", "disputes_value_minor_units 250"];
        square(
            "dispute",
            &[(1, "evidence_required", opened), (2, "processing", &[]), (6, "won", &["disputes_won"])],
        );
        square(
            "dispute",
            &[
                (1, "inquiry_evidence_required", opened),
                (2, "accepted", &["disputes_lost"]),
                (3, "lost", &[]),
            ],
        );
        square(
            "order",
            &[(1, "draft", &[]), (2, "open", &["orders_created"]), (3, "completed", &["orders_completed"])],
        );
        square("order", &[(9, "canceled", &["orders_created", "orders_cancelled"]), (1, "open", &[])]);
        square("invoice", &[(1, "paid", &[])]);
    }

    #[test]
    fn emails() {
        let check = |course: &[(i64, &str, &[&str])]| check(Vendor::Resend, "email", course);
        let delivered: &[&str] = &["emails_attempted", "emails_delivered"];
        check(&[
            (1, "sent", &["emails_sent"]),
            (2, "delivery_delayed", &["emails_delayed"]),
            (3, "delivery_delayed", &[]),
            (4, "delivered", delivered),
            (5, "opened", &[]),
            (6, "clicked", &[]),
        ]);
        check(&[(5, "opened", delivered), (4, "delivered", &[])]);
        check(&[
            (4, "delivered", delivered),
            (9, "bounced Permanent", &["emails_bounced", "emails_undelivered"]),
        ]);
        check(&[(4, "delivered", delivered), (9, "complained", &["emails_complained"])]);
        check(&[(
            1,
            "failed reached_daily_quota",
            &["emails_attempted", "emails_failed", "emails_undelivered"],
        )]);
        check(&[(1, "suppressed", &["emails_attempted", "emails_suppressed", "emails_undelivered"])]);
        check(&[(1, "scheduled", &[]), (2, "made_up", &["emails_unrecognized"])]);
    }

    #[test]
    fn the_set_has_a_place_for_each_measure() {
        for vendor in Vendor::ALL {
            assert!(measures(vendor).len() <= u32::BITS as usize);
        }
    }

    fn letter() -> impl Strategy<Value = (Vendor, About)> {
        let things = select(vec![
            (
                Vendor::Square,
                "payment",
                vec!["pending", "approved", "completed", "canceled", "failed", "failed CVV_FAILURE", "held"],
            ),
            (Vendor::Square, "refund", vec!["pending", "completed", "failed", "rejected", "held"]),
            (Vendor::Square, "dispute", vec!["evidence_required", "won", "lost", "accepted", "held"]),
            (Vendor::Square, "order", vec!["draft", "open", "completed", "canceled", "held"]),
            (
                Vendor::Resend,
                "email",
                vec![
                    "sent",
                    "delivered",
                    "bounced",
                    "complained",
                    "delivery_delayed",
                    "failed",
                    "suppressed",
                    "opened",
                    "held",
                ],
            ),
        ]);
        (things, any::<Index>(), 0..4_i64, 0..3_u8).prop_map(|((vendor, thing, states), at, version, id)| {
            let id = id.to_string();
            (vendor, About { id, ..about(thing, version, at.get::<&str>(&states)) })
        })
    }

    proptest! {
        #[test]
        fn neither_order_nor_repetition_changes_the_totals(
            (letters, again) in prop::collection::vec(letter(), 0..40).prop_flat_map(|letters| {
                let again = [letters.clone(), letters.clone()].concat();
                (Just(letters), Just(again).prop_shuffle())
            })
        ) {
            prop_assert_eq!(totals(&letters), totals(&again));
        }

        /// As payments go at Square: at most one end, and no failure after an approval.
        #[test]
        fn of_each_payment_exactly_one_end_is_counted(
            ends in prop::collection::vec(select(vec!["approved,completed", "approved", "completed", "failed", "failed CVV_FAILURE"]), 1..20)
        ) {
            let letters: Vec<(Vendor, About)> = ends
                .iter()
                .enumerate()
                .flat_map(|(id, course)| {
                    let states = std::iter::once("pending").chain(course.split(','));
                    states.zip(1..).map(move |(state, version)| (Vendor::Square, About { id: id.to_string(), ..about("payment", version, state) }))
                })
                .collect();
            let (totals, _) = totals(&letters);
            let of = |name| totals.get(name).copied().unwrap_or_default();
            prop_assert_eq!(of("payments_attempted"), ends.len() as u64);
            prop_assert_eq!(of("payments_succeeded") + of("payments_declined") + of("payments_failed"), ends.len() as u64);
        }
    }
}
