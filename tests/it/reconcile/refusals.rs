//! Trouble of Square's and of the database's: whose it is, as the kinds `square` and `sql` say it, and no harm done.

use super::{Books, QUERY, look, look_within, table, watch};
use crate::support::postgres;
use crate::support::probe::verdict;
use crate::support::server::free_port;
use atalaya::demo::square::{Ending, Fault};
use std::time::Duration;

#[tokio::test]
async fn square_is_told_of_as_its_own_kind_tells() {
    let books = Books::open("reconcile_square").await;
    books.pay("lost", 3_600, 100, Ending::Paid);
    let said = |code| format!("Square answered {code} to GET /v2/payments: ");
    for (fault, expected) in [
        (
            Fault::Unauthorized,
            format!(
                "failed auth: {}the token is wrong for production; a token of the sandbox environment is the likely cause",
                said("401 AUTHENTICATION_ERROR UNAUTHORIZED")
            ),
        ),
        (
            Fault::ForbiddenScope,
            format!(
                "failed auth: {}the token may not do this; it needs PAYMENTS_READ",
                said("403 AUTHENTICATION_ERROR INSUFFICIENT_SCOPES")
            ),
        ),
        (
            Fault::RateLimited,
            format!(
                "degraded quota: {}too many calls with this token, the shop's own included",
                said("429 RATE_LIMIT_ERROR RATE_LIMITED")
            ),
        ),
        (
            Fault::Outage,
            format!(
                "failed protocol: {}Square, or a proxy before it, is in trouble",
                said("503 API_ERROR SERVICE_UNAVAILABLE")
            ),
        ),
    ] {
        books.square.set(fault, true);
        let look = books.look_with("").await;
        assert_eq!(verdict(&look), expected);
        assert!(super::found(&look).is_empty(), "{:?}", look.outcome);
        books.square.mend();
    }
}

#[tokio::test]
async fn square_is_left_alone_for_as_long_as_it_asks() {
    let books = Books::open("reconcile_pause").await;
    books.square.set(Fault::RateLimited, true);
    let run = watch(&books.table(&books.database_url, ""));
    look(&*run).await;
    assert_eq!(books.square.calls(), 1);
    let again = look(&*run).await;
    assert_eq!(books.square.calls(), 1);
    assert!(verdict(&again).starts_with("unknown quota: Square answered 429"), "{}", verdict(&again));
    assert!(verdict(&again).contains("not asked again for"), "{}", verdict(&again));
}

#[tokio::test]
async fn a_square_that_hangs_holds_no_connection_to_the_database() {
    let books = Books::open("reconcile_hang").await;
    books.square.set(Fault::Hang, true);
    let run = watch(&books.table(&books.database_url, ""));
    let hung = look_within(&*run, Duration::from_millis(600)).await;
    assert_eq!(verdict(&hung), "failed timeout: no end within 600ms; it hung in phase `payments`");
    let sessions =
        "select count(*) from pg_stat_activity where datname = 'reconcile_hang' and pid <> pg_backend_pid()";
    assert_eq!(postgres::query(&books.database_url, sessions), "0");
}

#[tokio::test]
async fn a_slow_square_is_waited_for() {
    let books = Books::open("reconcile_slow").await;
    books.square.set(Fault::Slow, true);
    books.pay("a", 3_600, 100, Ending::Paid);
    books.write(&[("a", 3_600, 100, "PAID")]);
    assert_eq!(verdict(&books.look_with("").await), "ok");
}

#[tokio::test]
async fn the_database_is_told_of_as_its_own_kind_tells() {
    let books = Books::open("reconcile_database").await;
    let port = free_port();
    let down = format!("postgresql://postgres:x@127.0.0.1:{port}/shop");
    let found = look(&*watch(&books.table(&down, ""))).await;
    let refused = format!("failed connect: connection refused by 127.0.0.1:{port}: no server listens there");
    assert_eq!(verdict(&found), refused);

    let wrong = postgres::with_role(&books.database_url, "postgres", "wrong");
    let found = look(&*watch(&books.table(&wrong, ""))).await;
    assert!(verdict(&found).contains("password authentication failed"), "{}", verdict(&found));

    books.write(&[("a", 3_600, 100, "PAID")]);
    for (query, expected) in [
        (
            QUERY.replace("payments", "paymnts"),
            "unknown protocol: relation \"paymnts\" does not exist (42P01)",
        ),
        (QUERY.replace("as cents", "/ 0 as cents"), "unknown protocol: division by zero (22012)"),
        (
            // What the query does before it gives rows is ended by the server.
            QUERY.replace("is not null", "is not null and pg_sleep(30) is not null"),
            "failed timeout: canceling statement due to statement timeout (57014)",
        ),
    ] {
        let run = watch(&table(&books.square_url, &books.database_url, &query, ""));
        let look = look_within(&*run, Duration::from_secs(2)).await;
        assert!(verdict(&look).starts_with(expected), "{query}: {}", verdict(&look));
    }
}

#[tokio::test]
async fn statuses_and_amounts_that_mean_nothing_are_unknown_and_not_shown() {
    let books = Books::open("reconcile_unreadable").await;
    books.write(&[("a", 3_600, 1_250, "PAID")]);
    // Its payment is not missing here: there is a row for it.
    books.pay("a", 3_600, 1_250, Ending::Paid);
    for (query, expected) in [
        (
            QUERY.replace("round(amount * 100)", "amount"),
            "unknown assertion: 1 rows have no whole number in `cents`; write `round(amount * 100) as cents`: they were not compared",
        ),
        (
            QUERY.replace(", status", ", email as status"),
            "unknown assertion: 1 rows have a status that means nothing here; map it with `case` in the query: they were not compared",
        ),
    ] {
        let run = watch(&table(&books.square_url, &books.database_url, &query, ""));
        assert_eq!(verdict(&look(&*run).await), expected);
    }
}
