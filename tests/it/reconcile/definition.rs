//! What a definition may say.

use super::{QUERY, table};
use crate::support::probe::{build, build_faults, parse_error};

const DATABASE: &str = "postgresql://a:b@127.0.0.1/shop";

fn check(query: &str, more: &str, expected: &[&str]) {
    let toml = table("http://127.0.0.1:1", DATABASE, query, more);
    assert_eq!(build_faults(&toml), expected, "{query} {more}");
}

#[tokio::test]
async fn what_is_wrong_is_said_with_its_key() {
    check(
        &QUERY.replace(", status", ", status, email"),
        "",
        &["query: the query names `email`, and only `id`, `cents` and `status` are read"],
    );
    check(
        "select id, cents, status from payments",
        "",
        &["query: the query has no `$from` and `$to`, so it would read the whole table"],
    );
    check(
        "delete from payments",
        "",
        &[
            "query: a query must read: it begins with `select`, `with`, `values`, `table`, and not with `delete`",
        ],
    );
    check(
        QUERY,
        "currency = 'dollars'",
        &["currency: `dollars` is not the code of a currency such as \"USD\""],
    );
    check(
        QUERY,
        "calls_max = 2, rows_max = 0",
        &[
            "calls_max: 2 is not between 3, which one look needs, and 500",
            "rows_max: `0` is not between 1 and 20000",
        ],
    );
    let square = "{ token = 'a b', environment = 'test', api_url = 'x' }";
    let toml =
        format!("probe.reconcile = {{ square = {square}, url = 'mysql://a', query = '{}' }}", "select 1");
    let faults = build_faults(&toml);
    assert!(faults[0].starts_with("square.token: `a b` is empty, or holds a space"), "{faults:?}");
    assert_eq!(faults[1], "square.environment: `test` is neither \"production\" nor \"sandbox\"");
    assert!(faults[2].starts_with("url: "), "{faults:?}");
}

#[tokio::test]
async fn what_is_not_known_is_refused_and_what_is_not_set_skips() {
    let toml = table("http://127.0.0.1:1", DATABASE, QUERY, "windw = '1h'");
    assert!(parse_error(&toml).contains("unknown field `windw`"));
    let toml =
        toml.replace("windw", "window").replace("environment = 'production'", "environment = '${PLACE}'");
    let found = build(&toml.replace(DATABASE, "${DATABASE_URL}"), &[]).err().expect("it is skipped");
    assert_eq!(found.unset.iter().map(String::as_str).collect::<Vec<_>>(), ["DATABASE_URL", "PLACE"]);
    assert!(found.faults.is_empty());
}
