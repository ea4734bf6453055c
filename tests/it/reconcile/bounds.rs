//! Many payments, and bounds: what was not seen is never called well, and never called missing.

use super::{Books, check, found, look, table, watch};
use crate::support::postgres;
use crate::support::probe::{measure, verdict};
use atalaya::demo::square::{Ending, Square};
use atalaya::outcome::Status;

/// So many payments within the last day, each with its row but for the one that is left out.
fn fill(books: &Books, count: i64, without: &str) {
    let names: Vec<String> = (0..count).map(|number| format!("p{number:04}")).collect();
    let mut rows = Vec::new();
    for (name, number) in names.iter().zip(0..) {
        // Many within one moment, so that pages have to part them.
        let seconds = 600 + number / 7 * 60;
        books.pay(name, seconds, 1_000 + number, Ending::Paid);
        if name != without {
            rows.push((name.as_str(), seconds - 5, 1_000 + number, "PAID"));
        }
    }
    books.write(&rows);
}

#[tokio::test]
async fn one_among_hundreds_is_found() {
    let books = Books::open("reconcile_many").await;
    fill(&books, 450, "p0123");
    let look = books.look().await;
    check(
        &look,
        "failed assertion: 1 payment is at Square and not here: p0123 11.23 USD; 11.23 USD at risk",
        &["payments_compared=450", "payments_missing_here=1", "money_at_risk_major_units=11.23"],
    );
    assert_eq!(measure(&look.outcome, "calls"), Some(5.0));
}

#[tokio::test]
async fn pages_that_were_not_read_are_said_and_their_rows_not_called_missing() {
    let books = Books::open("reconcile_pages").await;
    fill(&books, 450, "");
    let bounded = books.look_with("calls_max = 3").await;
    check(
        &bounded,
        "unknown internal: not all was compared: `calls_max` = 3 was reached after 300 payments; raise it or shorten `window`",
        &["payments_compared=300"],
    );
    // What is wrong among those that were seen is told all the same.
    postgres::query(&books.database_url, r#"delete from payments where "squarePaymentId" = 'p0449'"#);
    let worse = books.look_with("calls_max = 3").await;
    assert!(verdict(&worse).starts_with("failed assertion: 1 payment is at Square and not here: p0449"));
    assert_eq!(worse.outcome.faults.len(), 2);
}

#[tokio::test]
async fn rows_that_were_not_read_are_said() {
    let books = Books::open("reconcile_rows").await;
    fill(&books, 30, "");
    check(
        &books.look_with("rows_max = 29").await,
        "unknown internal: not all was compared: the query gave more than 29 rows; shorten `window` or raise `rows_max`",
        &[],
    );
    check(&books.look_with("rows_max = 30").await, "ok", &["payments_compared=30"]);
}

#[tokio::test]
async fn rows_that_were_not_asked_for_are_said_and_not_called_missing() {
    let books = Books::open("reconcile_unasked").await;
    let names: Vec<String> = (10..25).map(|number| format!("made-up-{number}")).collect();
    let rows: Vec<_> = names.iter().map(|name| (name.as_str(), 3_600, 100, "PAID")).collect();
    books.write(&rows);
    let look = books.look_with("").await;
    assert_eq!(
        verdict(&look),
        "failed assertion: 10 payments are here and not at Square: made-up-10 1.00 USD, made-up-11 1.00 USD, made-up-12 1.00 USD, \
         made-up-13 1.00 USD, made-up-14 1.00 USD, and 5 more; 10.00 USD at risk"
    );
    assert_eq!(
        found(&look),
        ["payments_compared=10", "payments_missing_there=10", "money_at_risk_major_units=10"]
    );
    let more = &look.outcome.faults[1];
    assert_eq!(more.status, Status::Unknown);
    assert!(more.text.starts_with("not all was compared: 5 more rows are paid"), "{}", more.text);
    assert_eq!(measure(&look.outcome, "calls"), Some(11.0));
}

#[tokio::test]
async fn without_a_name_all_locations_are_compared() {
    let books = Books::open("reconcile_locations").await;
    books.pay("main", 3_600, 100, Ending::Paid);
    let market = books.square.pay_at(Square::MARKET_LOCATION, super::ago(3_600), 200, Ending::Paid);
    books.write(&[("main", 3_600, 100, "PAID")]);
    let toml = table(&books.square_url, &books.database_url, super::QUERY, "");
    let all = toml.replace(&format!("locations = ['{}']", Square::MAIN_LOCATION), "locations = []");
    check(
        &look(&*watch(&all)).await,
        &format!(
            "failed assertion: 1 payment is at Square and not here: {market} 2.00 USD; 2.00 USD at risk"
        ),
        &["payments_compared=2", "payments_missing_here=1", "money_at_risk_major_units=2"],
    );
    check(&look(&*watch(&toml)).await, "ok", &["payments_compared=1"]);
}
