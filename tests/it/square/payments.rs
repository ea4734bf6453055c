//! What is counted: payments by what became of them, over pages, locations and the edges of the window.

use super::{
    DECLINED, FAILED, NOW, ago, check_values, labelled, look_at, look_with, simulated, value, watch,
};
use crate::support::probe::verdict;
use atalaya::demo::square::{Ending, Fault, Square};
use jiff::SignedDuration;

#[tokio::test]
async fn payments_are_counted_by_what_became_of_them() {
    let (square, url) = simulated().await;
    let good_or_bad = [Ending::Paid, Ending::Paid, Ending::Authorized, DECLINED, FAILED];
    let others = [Ending::Pending, Ending::Cancelled];
    let odd = [Ending::Failed("TEMPORARY_ERROR"), Ending::Declined("BRAND_NEW_CODE")];
    for (second, ending) in (600..).zip(good_or_bad.into_iter().chain(others).chain(odd)) {
        square.pay(ago(second), 1_000, ending);
    }
    let look = look_at(&url, "webhooks = true").await;
    assert_eq!(verdict(&look), "ok");
    check_values(
        &look,
        &[
            ("payments_attempted", 7.0),
            ("payments_succeeded", 3.0),
            ("payments_declined", 2.0),
            ("payments_failed", 2.0),
            ("payments_pending", 1.0),
            ("payments_cancelled", 1.0),
            ("payments_unrecognized", 0.0),
            ("payments_complete", 1.0),
            ("newest_payment_age_seconds", 600.0),
            ("locations_active", 2.0),
            ("locations_taking_cards", 2.0),
            ("webhook_subscriptions_enabled", 1.0),
            ("webhook_subscriptions_disabled", 0.0),
            ("calls", 5.0),
        ],
    );
    assert_eq!(labelled(&look, "payments_value_minor_units", "USD"), Some(3_000.0));
    for code in ["CVV_FAILURE", "PAYMENT_LIMIT_EXCEEDED", "TEMPORARY_ERROR", "OTHER"] {
        assert_eq!(labelled(&look, "payment_errors", code), Some(1.0), "{code}");
    }
    assert_eq!(value(&look, "token_expiry_seconds"), None, "this token never expires");
    let phases: Vec<_> = look.phases.iter().map(|phase| phase.name).collect();
    assert_eq!(phases, ["token", "locations", "webhooks", "payments"]);
}

#[tokio::test]
async fn many_payments_over_pages_and_locations_are_all_seen_once() {
    let (square, url) = simulated().await;
    for number in 0..250 {
        // Many within one moment, so that pages have to part them.
        square.pay(ago(100 + number / 60), 100, Ending::Paid);
    }
    for number in 0..130 {
        square.pay_at(
            Square::MARKET_LOCATION,
            ago(100 + number),
            10,
            if number < 30 { DECLINED } else { Ending::Paid },
        );
    }
    let look = look_at(&url, "").await;
    assert_eq!(verdict(&look), "ok");
    check_values(
        &look,
        &[
            ("payments_attempted", 380.0),
            ("payments_succeeded", 350.0),
            ("payments_declined", 30.0),
            ("calls", 7.0),
        ],
    );
    assert_eq!(labelled(&look, "payments_value_minor_units", "USD"), Some(26_000.0));
    assert_eq!(square.calls(), 7);
}

#[tokio::test]
async fn the_window_is_half_open_and_ends_when_square_has_settled() {
    let (square, url) = simulated().await;
    square.pay(ago(9), 1, DECLINED);
    square.pay(ago(10), 1, DECLINED);
    square.pay(ago(11), 1, Ending::Paid);
    square.pay(ago(70), 1, Ending::Paid);
    square.pay(ago(71), 1, DECLINED);
    let look = look_at(&url, "window = \"1m\", settling = \"10s\"").await;
    check_values(
        &look,
        &[("payments_attempted", 2.0), ("payments_succeeded", 2.0), ("newest_payment_age_seconds", 11.0)],
    );
}

#[tokio::test]
async fn calls_are_never_more_than_stated_and_counts_are_then_marked() {
    let (square, url) = simulated().await;
    for number in 0..900 {
        square.pay(ago(100 + number), 1, Ending::Paid);
    }
    square.pay_at(Square::MARKET_LOCATION, ago(50), 1, DECLINED);
    let look = look_at(&url, "calls_max = 6").await;
    assert_eq!(
        verdict(&look),
        "unknown internal: counts are incomplete: `calls_max` = 6 was reached after 301 payments; raise it or shorten `window`"
    );
    check_values(
        &look,
        // The small location was not starved by the busy one.
        &[
            ("payments_complete", 0.0),
            ("payments_attempted", 301.0),
            ("payments_declined", 1.0),
            ("calls", 6.0),
        ],
    );
    assert_eq!(square.calls(), 6);
}

#[tokio::test]
async fn the_newest_payment_is_known_beyond_the_window_and_asked_for_once() {
    let (square, url) = simulated().await;
    square.pay_at(Square::MARKET_LOCATION, ago(7_200), 1, Ending::Paid);
    square.pay(ago(90_000), 1, Ending::Paid);
    let run = watch(&url, "window = \"10m\"");
    let first = look_with(&*run, NOW).await;
    check_values(
        &first,
        &[("payments_attempted", 0.0), ("newest_payment_age_seconds", 7_200.0), ("calls", 6.0)],
    );
    let later = NOW + SignedDuration::from_secs(60);
    let second = look_with(&*run, later).await;
    check_values(&second, &[("newest_payment_age_seconds", 7_260.0), ("calls", 4.0)]);
    // After a gap longer than the window something may have been missed.
    let third = look_with(&*run, later + SignedDuration::from_secs(700)).await;
    check_values(&third, &[("newest_payment_age_seconds", 7_960.0), ("calls", 6.0)]);
}

#[tokio::test]
async fn a_shop_without_payments_is_fine() {
    let (_square, url) = simulated().await;
    let look = look_at(&url, "").await;
    assert_eq!(verdict(&look), "ok");
    assert_eq!(value(&look, "newest_payment_age_seconds"), None);
    assert_eq!(look.outcome.notes, ["Square knows of no payment within the last year"]);
}

#[tokio::test]
async fn no_share_of_declined_cards_is_a_fault_of_the_probe() {
    let (square, url) = simulated().await;
    for number in 0..10 {
        square.pay(ago(60 + number), 1, DECLINED);
    }
    let look = look_at(&url, "").await;
    assert_eq!(verdict(&look), "ok");
    check_values(&look, &[("payments_attempted", 10.0), ("payments_declined", 10.0)]);
}

#[tokio::test]
async fn faults_of_payments_strike_their_share() {
    let (square, url) = simulated().await;
    square.set(Fault::OurFailures, true);
    for number in 0..20 {
        square.pay(ago(60 + number), 1, Ending::Paid);
    }
    square.mend();
    square.set(Fault::Declines, true);
    square.set_share(0.3);
    for number in 0..20 {
        square.pay(ago(60 + number), 1, Ending::Paid);
    }
    let look = look_at(&url, "").await;
    check_values(
        &look,
        &[("payments_succeeded", 24.0), ("payments_failed", 10.0), ("payments_declined", 6.0)],
    );
}
