//! Where the window begins and ends, and what moves while it is looked at: nothing there is called missing.

use super::{Books, NOW, check, found, look, watch};
use crate::support::probe::{measure, verdict};
use crate::support::vendor::{Scripted, json};
use atalaya::demo::square::Ending;

/// An hour that ends two minutes ago, with ten minutes of slack.
const HOUR: &str = "window = '1h', lag = '2m', slack = '10m'";
const LAG: i64 = 120;
const BEGIN: i64 = LAG + 3_600;
const SLACK: i64 = 600;

#[tokio::test]
async fn at_its_edges_nothing_is_called_missing_that_is_there() {
    let books = Books::open("reconcile_edges").await;
    for (number, (paid, written, is_compared)) in [
        // Both sides of the window's end: the payment before it, the row after; and the other way round.
        (LAG + 1, LAG - 100, true),
        (LAG - 100, LAG + 1, false),
        (LAG + 1, 0, true),
        // Both sides of its beginning.
        (BEGIN, BEGIN + SLACK, true),
        (BEGIN + SLACK, BEGIN, true),
        (BEGIN + 1, BEGIN - 1, true),
        (BEGIN - 1, BEGIN + 1, true),
        // Out of it on both sides.
        (BEGIN + 2, BEGIN + 1, false),
        (LAG, LAG, false),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("p{number}");
        books.pay(&id, paid, 100, Ending::Paid);
        books.write(&[(&id, written, 100, "PAID")]);
        let look = books.look_with(HOUR).await;
        assert_eq!(verdict(&look), "ok", "paid {paid} s ago, written {written} s ago");
        let compared = measure(&look.outcome, "payments_compared");
        assert_eq!(compared, Some(f64::from(u8::from(is_compared))), "{paid} {written}");
        books.square.forget(&id);
        crate::support::postgres::query(&books.database_url, "truncate payments");
    }
}

#[tokio::test]
async fn what_only_one_side_has_is_missing_inside_of_the_window_alone() {
    let books = Books::open("reconcile_half_open").await;
    for (id, seconds) in [("late", LAG), ("last", LAG + 1), ("first", BEGIN), ("early", BEGIN + 1)] {
        books.pay(id, seconds, 100, Ending::Paid);
        books.write(&[(&format!("row-{id}"), seconds, 100, "PAID")]);
    }
    check(
        &books.look_with(HOUR).await,
        "failed assertion: 2 payments are at Square and not here: first 1.00 USD, last 1.00 USD; 2 payments are here and not \
         at Square: row-first 1.00 USD, row-last 1.00 USD; 4.00 USD at risk",
        &[
            "payments_compared=4",
            "payments_missing_here=2",
            "payments_missing_there=2",
            "money_at_risk_major_units=4",
        ],
    );
}

#[tokio::test]
async fn seconds_that_square_lags_are_no_discrepancy() {
    let books = Books::open("reconcile_lag").await;
    books.pay("just-paid", 30, 100, Ending::Paid);
    books.write(&[("just-written", 30, 100, "PAID")]);
    check(&books.look().await, "ok", &[]);
}

#[tokio::test]
async fn a_payment_long_before_its_row_is_asked_for_and_found() {
    let books = Books::open("reconcile_singly").await;
    books.pay("by-hand", BEGIN + SLACK + 1, 100, Ending::Paid);
    books.write(&[("by-hand", 600, 100, "PAID")]);
    let look = books.look_with(HOUR).await;
    check(&look, "ok", &["payments_compared=1"]);
    assert_eq!(measure(&look.outcome, "calls"), Some(2.0));
    let calls = books.square.recent_calls();
    assert_eq!(calls.last().map(String::as_str), Some("GET /v2/payments/by-hand"));
}

fn payment(state: &str) -> String {
    format!(
        r#"{{"id":"a","created_at":"2026-03-04T11:00:00Z","total_money":{{"amount":100,"currency":"USD"}},{state}}}"#
    )
}

/// What Square's list says beside what it says of the payment itself, and a row.
async fn lagging(name: &str, list: &str, one: &str, status: &str) -> super::Look {
    let books = Books::open(name).await;
    books.write(&[("a", 3_600, 100, status)]);
    let (list, one) = (payment(list), payment(one));
    let scripted = Scripted::start(move |_, path| {
        json(if path == "/v2/payments" {
            format!(r#"{{"payments":[{list}]}}"#)
        } else {
            format!(r#"{{"payment":{one}}}"#)
        })
    })
    .await;
    let toml = super::table(&scripted.url, &books.database_url, super::QUERY, "");
    let look = look(&*watch(&toml)).await;
    assert!(!scripted.calls().is_empty());
    look
}

#[tokio::test]
async fn a_list_that_lags_is_put_right_by_a_second_look() {
    let completed = r#""status":"COMPLETED""#;
    let refunded = r#""status":"COMPLETED","refund_ids":["r"]"#;
    let back = lagging("reconcile_refund", completed, refunded, "REFUNDED").await;
    check(&back, "ok", &["payments_compared=1"]);
    let captured = lagging("reconcile_capture", r#""status":"APPROVED""#, completed, "PAID").await;
    check(&captured, "ok", &["payments_compared=1"]);
    // Captured a moment ago: the shop has not heard yet.
    let now = format!(r#""status":"COMPLETED","updated_at":"{NOW}""#);
    let moving = lagging("reconcile_moving", &now, &now, "PENDING").await;
    check(&moving, "ok", &[]);
    let before = r#""status":"COMPLETED","updated_at":"2026-03-04T11:57:59Z""#;
    let still = lagging("reconcile_still", before, before, "PENDING").await;
    assert_eq!(found(&still)[1], "payment_statuses_different=1");
}
