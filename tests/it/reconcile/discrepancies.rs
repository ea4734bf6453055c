//! What is found: each way in which the books can differ, and nothing where they agree.

use super::{Books, QUERY, check, look, table, watch};
use crate::support::probe::measure;
use crate::support::server;
use atalaya::demo::square::Ending;
use sqlx::{ConnectOptions, Executor};

const HOUR: i64 = 3_600;

#[tokio::test]
async fn books_that_agree_are_well() {
    let books = Books::open("reconcile_agree").await;
    books.pay("a", HOUR, 1_299, Ending::Paid);
    books.pay("b", 2 * HOUR, 500, Ending::Paid);
    books.pay_back("c", 3 * HOUR, 700, 700);
    books.pay_back("d", 3 * HOUR, 800, 100);
    books.pay("e", 4 * HOUR, 900, Ending::Declined("CVV_FAILURE"));
    books.pay("f", 4 * HOUR, 900, Ending::Cancelled);
    books.write(&[
        ("a", HOUR - 5, 1_299, "PAID"),
        ("b", 2 * HOUR - 5, 500, "COMPLETED"),
        ("c", 3 * HOUR - 5, 700, "REFUNDED"),
        ("d", 3 * HOUR - 5, 800, "PAID"),
        ("e", 4 * HOUR - 5, 900, "FAILED"),
        ("tried", HOUR, 900, "FAILED"),
    ]);
    let found = books.look().await;
    check(&found, "ok", &["payments_compared=4"]);
    assert_eq!(measure(&found.outcome, "money_at_risk_major_units"), Some(0.0));
    assert_eq!(measure(&found.outcome, "calls"), Some(1.0));
    let phases: Vec<_> = found.phases.iter().map(|phase| phase.name).collect();
    assert_eq!(phases, ["payments", "connect", "query", "singly"]);
}

#[tokio::test]
async fn each_way_to_differ_is_found_and_told() {
    let books = Books::open("reconcile_differ").await;
    books.pay("same", HOUR, 100, Ending::Paid);
    books.pay("lost1", HOUR, 1_299, Ending::Paid);
    books.pay("lost2", 2 * HOUR, 2_599, Ending::Paid);
    books.pay("amount", HOUR, 1_000, Ending::Paid);
    books.pay("unpaid", HOUR, 400, Ending::Paid);
    books.pay("refused", HOUR, 300, Ending::Failed("PAYMENT_LIMIT_EXCEEDED"));
    books.pay("kept", HOUR, 200, Ending::Paid);
    books.write(&[
        ("same", HOUR, 100, "PAID"),
        ("made-up", HOUR, 5_000, "PAID"),
        ("amount", HOUR, 100, "PAID"),
        ("unpaid", HOUR, 400, "PENDING"),
        ("refused", HOUR, 300, "COMPLETED"),
        ("kept", HOUR, 200, "REFUNDED"),
    ]);
    let look = books.look().await;
    check(
        &look,
        "failed assertion: 2 payments are at Square and not here: lost2 25.99 USD, lost1 12.99 USD; 1 payment is here \
         and not at Square: made-up 50.00 USD; 1 amount differs: amount 10.00 USD at Square and 1.00 USD here; \
         3 statuses differ: unpaid 4.00 USD COMPLETED at Square and PENDING here, refused 3.00 USD FAILED at Square and \
         PAID here, kept 2.00 USD COMPLETED at Square and REFUNDED here; 106.98 USD at risk",
        &[
            "payments_compared=8",
            "payments_missing_here=2",
            "payments_missing_there=1",
            "payment_amounts_different=1",
            "payment_statuses_different=3",
            "money_at_risk_major_units=106.98",
        ],
    );
    // A page, four rows and their second look.
    assert_eq!(measure(&look.outcome, "calls"), Some(6.0));
}

#[tokio::test]
async fn little_money_is_degraded_where_the_definition_says_so() {
    let books = Books::open("reconcile_little").await;
    books.pay("lost", HOUR, 20_000, Ending::Paid);
    let reason = "1 payment is at Square and not here: lost 200.00 USD; 200.00 USD at risk";
    let measures = ["payments_compared=1", "payments_missing_here=1", "money_at_risk_major_units=200"];
    check(
        &books.look_with("failed_above_cents = 20_000").await,
        &format!("degraded assertion: {reason}"),
        &measures,
    );
    check(
        &books.look_with("failed_above_cents = 19_999").await,
        &format!("failed assertion: {reason}"),
        &measures,
    );
}

#[tokio::test]
async fn an_embedded_database_says_the_same() {
    let books = Books::open("reconcile_sqlite").await;
    books.pay("a", HOUR, 1_299, Ending::Paid);
    books.pay("b", HOUR, 2_001, Ending::Paid);
    books.pay("lost", HOUR, 1, Ending::Paid);
    let file = server::directory("reconcile").join("shop.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let mut database = options.connect().await.expect("a database");
    let sql = r#"create table payments ("squarePaymentId" text, amount numeric(10,2), status text, "createdAt" text);
        insert into payments values ('a', 12.99, 'PAID', '2026-03-04 11:00:00.000'),
          ('b', 20.00, 'PAID', '2026-03-04 11:00:00.000'), (null, 5, 'PAID', '2026-03-04 11:00:00.000')"#;
    database.execute(sqlx::raw_sql(sql)).await.expect("rows");
    let toml = table(&books.square_url, &format!("sqlite:{}", file.display()), QUERY, "");
    check(
        &look(&*watch(&toml)).await,
        "failed assertion: 1 payment is at Square and not here: lost 0.01 USD; 1 amount differs: b 20.01 USD at Square and \
         20.00 USD here; 0.02 USD at risk",
        &[
            "payments_compared=3",
            "payments_missing_here=1",
            "payment_amounts_different=1",
            "money_at_risk_major_units=0.02",
        ],
    );
}

#[tokio::test]
async fn what_is_no_id_is_neither_shown_nor_asked_for() {
    let books = Books::open("reconcile_odd").await;
    books.write(&[
        ("jane@example.org", HOUR, 100, "PAID"),
        ("../locations", HOUR, 100, "PAID"),
        ("4111111111111111", HOUR, 100, "PAID"),
    ]);
    check(
        &books.look_with("").await,
        "failed assertion: 3 payments are here and not at Square: (unreadable) 1.00 USD, (unreadable) 1.00 USD, \
         (unreadable) 1.00 USD; 3.00 USD at risk",
        &["payments_compared=3", "payments_missing_there=3", "money_at_risk_major_units=3"],
    );
    let calls = books.square.recent_calls();
    assert!(calls.iter().all(|call| call.starts_with("GET /v2/payments?")), "{calls:?}");
}
