//! Every way for a connection not to come about, and what is said then.

use super::{postgres, sql};
use crate::support::pgbouncer::{self, Pooler};
use crate::support::postgres::{self as server, PASSWORD_IN_URL};
use crate::support::probe::{build, build_faults, look, look_with, parse_error, verdict};
use crate::support::server::free_port;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

/// Both kinds say the same of a connection.
async fn check(url: &str, expected: &str) {
    for toml in [sql(url, "select 1 as a"), postgres(url, "")] {
        let found = verdict(&look(&toml).await);
        assert_eq!(found, expected, "{toml}");
        assert!(!found.contains("marked-secret"), "{found}");
    }
}

/// Accepts, reads, answers once, and closes.
fn answering(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a client");
            let mut buffer = [0; 1024];
            let read = stream.read(&mut buffer).unwrap_or_default();
            assert!(read > 0, "the client speaks first");
            stream.write_all(answer).ok();
        }
    });
    port
}

#[tokio::test]
async fn who_is_not_let_in_is_told_what_to_correct() {
    let url = server::database("connection");
    let place = format!("127.0.0.1:{}", server::server().port);
    check(
        &server::with_role(&url, "postgres", "marked-secret"),
        &format!("failed auth: {place}/connection refuses `postgres`: password authentication failed for user \"postgres\" (28P01); check user and password in the address"),
    )
    .await;
    check(
        &server::server().url("nowhere"),
        &format!("failed assertion: {place}/nowhere refuses `postgres`: database \"nowhere\" does not exist (3D000); check the database's name in the address"),
    )
    .await;
    let closed = server::database("connection_closed");
    server::query(&url, "create role \"shop.reader\" login password 'a@b'");
    server::query(&url, "revoke connect on database connection_closed from public");
    check(
        &server::with_role(&closed, "shop.reader", "a%40b"),
        &format!("failed auth: {place}/connection_closed refuses `shop.reader`: permission denied for database \"connection_closed\" (42501); grant it to the role of the check"),
    )
    .await;
    let dotted = look(&sql(&server::with_role(&url, "shop.reader", "a%40b"), "select 1 as a")).await;
    assert_eq!(verdict(&dotted), "ok");
}

#[tokio::test]
async fn a_full_server_is_a_quota_and_no_wrong_password() {
    let url = server::database("connection_full");
    server::query(&url, "create role full_reader login password 'p' connection limit 0");
    let place = format!("127.0.0.1:{}/connection_full", server::server().port);
    check(
        &server::with_role(&url, "full_reader", "p"),
        &format!("failed quota: {place} refuses `full_reader`: too many connections for role \"full_reader\" (53300); no connection is left: look for idle ones, or raise the limit"),
    )
    .await;
}

#[tokio::test]
async fn where_nobody_listens_or_nobody_answers_is_said() {
    let port = free_port();
    let url = |port: u16| format!("postgresql://u:marked-secret@127.0.0.1:{port}/shop");
    check(
        &url(port),
        &format!("failed connect: connection refused by 127.0.0.1:{port}: no server listens there"),
    )
    .await;
    let port = answering(b"");
    check(
        &url(port),
        &format!("failed connect: 127.0.0.1:{port} closed the connection before the login was done"),
    )
    .await;
    let port = answering(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let other = format!(
        "failed protocol: what answers at 127.0.0.1:{port} does not speak PostgreSQL's protocol; check host and port"
    );
    check(&url(port), &other).await;
    // A length of four gigabytes, and then nothing.
    let port = answering(b"NR\xff\xff\xff\xff\0\0\0\0");
    let broken = look(&sql(&url(port), "select 1 as a")).await;
    assert!(verdict(&broken).starts_with("failed connect: "), "{}", verdict(&broken));
    let named = look(&sql("postgresql://u:marked-secret@no-such-host.invalid/shop", "select 1 as a")).await;
    let found = verdict(&named);
    assert!(
        found.starts_with("failed dns: the name in no-such-host.invalid:5432 can't be resolved: "),
        "{found}"
    );
}

#[tokio::test]
async fn a_server_that_never_answers_costs_the_deadline_and_no_more() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let url = format!("postgresql://u:p@127.0.0.1:{port}/shop");
    let limit = Duration::from_millis(500);
    let asked = look_with(&sql(&url, "select 1 as a"), &[], limit).await;
    assert_eq!(verdict(&asked), "failed timeout: no end within 500ms; it hung in phase `connect`");
    let seen = look_with(&postgres(&url, ""), &[], limit).await;
    let expected =
        format!("failed timeout: no answer from 127.0.0.1:{port}/shop in time; it hung in phase `connect`");
    assert_eq!(verdict(&seen), expected);
    assert!(asked.took < limit * 2 && seen.took < limit, "{:?} {:?}", asked.took, seen.took);
}

#[tokio::test]
async fn tls_is_as_the_address_asks_for() {
    let url = server::database("connection_tls");
    let encrypted = "select ssl::int as encrypted from pg_stat_ssl where pid = pg_backend_pid()";
    let ca = server::authority().display().to_string();
    let untrusted = "invalid peer certificate: UnknownIssuer; name its authority's certificate in `ca`";
    for (parameters, more, expected) in [
        ("", String::new(), "1"),
        ("?sslmode=disable", String::new(), "0"),
        ("?sslmode=prefer", String::new(), "1"),
        ("?sslmode=require", String::new(), "1"),
        ("?sslmode=require", format!(", ca = '{ca}'"), "1"),
        ("?sslmode=verify-ca", format!(", ca = '{ca}'"), "1"),
        ("", format!(", ca = '{ca}'"), "1"),
        ("?sslmode=verify-full", String::new(), untrusted),
        ("?sslaccept=strict", String::new(), untrusted),
        (
            "",
            ", ca = '/nowhere.pem'".to_owned(),
            "can't read the certificates in /nowhere.pem: No such file or directory",
        ),
    ] {
        let toml = format!("probe.sql = {{ url = '{url}{parameters}', query = '{encrypted}'{more} }}");
        let look = look(&toml).await;
        let found = match look.outcome.measures.first() {
            Some(measure) => measure.value.to_string(),
            None => verdict(&look),
        };
        assert!(found.contains(expected), "{toml}\n{found}");
    }
    // The certificate is for localhost and 127.0.0.1; the server also listens on 127.0.0.2.
    let other = url.replace("127.0.0.1", "127.0.0.2");
    for (parameters, expected) in
        [("", "it is for another name than the address has"), ("?sslmode=verify-ca", "ok")]
    {
        let toml =
            format!("probe.sql = {{ url = '{other}{parameters}', ca = '{ca}', query = 'select 1 as a' }}");
        let found = verdict(&look(&toml).await);
        assert!(found.ends_with(expected), "{found}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told_from_one_that_is_down() {
    let pooler = pgbouncer::pooler();
    let url = pooler.url("connection_plain");
    let port = pooler.port;
    check(
        &format!("{url}&sslmode=require"),
        &format!("failed tls: 127.0.0.1:{port} does not take TLS connections; the address demands one with its `sslmode`"),
    )
    .await;
    check(&format!("{url}&sslmode=prefer"), "ok").await;
    server::query(&server::database("connection_plain"), "select 1");
}

#[tokio::test]
async fn what_a_pooler_says_is_told_from_what_the_server_says() {
    let pooler = Pooler::start(&[("max_client_conn", "1"), ("query_wait_timeout", "1")]);
    let port = pooler.port;
    let url = pooler.url("connection_pooler");
    check(
        &url.replace(PASSWORD_IN_URL, "marked-secret"),
        &format!("failed auth: 127.0.0.1:{port}/connection_pooler refuses `postgres`: password authentication failed (08P01); check user and password in the address"),
    )
    .await;
    let mut holder = server::Session::open(url.split_once('?').expect("parameters").0);
    holder.send("begin; select 1;");
    let begun = "select count(*) from pg_stat_activity where datname = 'connection_pooler' and state = 'idle in transaction'";
    crate::support::server::wait_until("the transaction", None, || {
        server::query(&server::server().url("postgres"), begun) == "1"
    });
    check(
        &url,
        &format!("failed quota: 127.0.0.1:{port}/connection_pooler refuses `postgres`: no more connections allowed (max_client_conn) (08P01); the pooler takes no more clients (`max_client_conn`)"),
    )
    .await;
    let pooler = Pooler::start(&[]);
    let found = verdict(
        &look(&sql(
            &pooler.url("connection_pooler").replace("/connection_pooler", "/nowhere"),
            "select 1 as a",
        ))
        .await,
    );
    assert!(
        found.contains("database \"nowhere\" does not exist") || found.contains("no such database: nowhere"),
        "{found}"
    );
    assert!(found.starts_with("failed assertion: "), "{found}");
}

#[test]
fn a_file_is_nothing_for_the_kind_that_looks_at_servers() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let text = "url: the file of an embedded database has no server to look at";
    assert_eq!(build_faults("probe.postgres = { url = 'sqlite:/shop.db' }"), [text]);
    let hint = build("probe.postgres = { url = 'sqlite:/shop.db' }", &[])
        .err()
        .expect("refused")
        .faults
        .remove(0)
        .hint;
    assert_eq!(hint.as_deref(), Some("ask it questions with `probe.sql`"));
    let of_variable = build("probe.postgres = { url = '${URL}' }", &[("URL", "sqlite:/shop.db")]);
    let why = of_variable.err().expect("left out").left_out.expect("a reason");
    assert_eq!(why, "it needs a PostgreSQL server, and the address is that of an embedded database");
    let admin = "probe.postgres = { url = 'postgres://u@h/d', pooler_admin_url = 'postgres://u:marked-secret@h:x/d' }";
    assert_eq!(build_faults(admin), ["pooler_admin_url: the port is not a number between 1 and 65535"]);
    assert!(
        parse_error("probe.postgres = { url = 'postgres://u@h/d', indexes = ['a.b.\"c'] }")
            .contains("is not the name of an index")
    );
    let unset = build("probe.postgres = { url = '${DATABASE_URL}' }", &[]).err().expect("not built");
    assert!(unset.faults.is_empty() && unset.unset.contains("DATABASE_URL"));
}
