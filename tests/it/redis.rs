//! `redis` against real servers, in health and in each way of failing that one can be brought to.

use crate::support::probe::{build, build_faults, look, look_with, measure, verdict};
use crate::support::redis::{CERTIFICATES, Redis};
use crate::support::server::wait_until;
use atalaya::outcome::Class;
use atalaya::probe::{self, Look};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

const SECRET: &str = "marked-secret";

fn definition(url: &str, more: &str) -> String {
    format!("probe.redis = {{ url = \"{url}\"{more} }}")
}

/// One look whose outcome begins so; it must not show the secret.
async fn check(url: &str, more: &str, expected: &str) -> Look {
    let found = look(&definition(url, more)).await;
    assert!(verdict(&found).starts_with(expected), "{url}{more}: {}\n{:?}", verdict(&found), found.outcome);
    let shown = format!("{:?}", found.outcome);
    assert!(!shown.contains(SECRET), "{shown}");
    found
}

fn phases(look: &Look) -> Vec<&'static str> {
    look.phases.iter().map(|phase| phase.name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_server_is_measured() {
    let redis = Redis::start(&["--maxmemory", "100mb"]);
    redis.ask::<()>("SET one 1 EX 100");
    redis.ask::<()>("SET two 2");
    let run = build(&definition(&redis.url("", ""), ""), &[]).expect("built");
    let now = atalaya::clock::wall;
    let first = probe::look(&*run, now(), Duration::from_secs(10)).await;
    assert_eq!(verdict(&first), "ok");
    assert_eq!(phases(&first), ["connect", "ping", "info"]);
    let of = |look: &Look, name: &str| measure(&look.outcome, name);
    assert_eq!(of(&first, "keys"), Some(2.0));
    assert_eq!(of(&first, "keys_with_expiry"), Some(1.0));
    assert_eq!(of(&first, "memory_limit_bytes"), Some(104_857_600.0));
    let ratio = of(&first, "used_memory_bytes").expect("memory") / 104_857_600.0;
    assert_eq!(of(&first, "memory_used_ratio"), Some(ratio));
    assert_eq!(of(&first, "clients"), Some(1.0));
    assert_eq!(of(&first, "evicted_keys_total"), Some(0.0));
    assert_eq!(of(&first, "replication_link_up"), None);
    assert_eq!(of(&first, "hit_ratio"), None);
    for key in ["one", "two", "none", "none"] {
        redis.ask::<redis::Value>(&format!("GET {key}"));
    }
    let second = probe::look(&*run, now(), Duration::from_secs(10)).await;
    assert_eq!(of(&second, "hit_ratio"), Some(0.5));
    assert_eq!(second.outcome.notes, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_memory_limit_there_is_no_ratio() {
    let redis = Redis::start(&[]);
    let look = check(&redis.url("", ""), "", "ok").await;
    assert_eq!(measure(&look.outcome, "memory_used_ratio"), None);
    let silent = check(&redis.url("", ""), ", info = false", "ok").await;
    assert!(silent.outcome.measures.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_written_read_and_deleted_in_the_database_that_is_named() {
    let redis = Redis::start(&[]);
    let look = check(&redis.url("", "/3"), ", write = true", "ok").await;
    assert_eq!(phases(&look), ["connect", "ping", "write", "info"]);
    for command in ["select", "set", "get", "del"] {
        assert!(redis.info(&format!("cmdstat_{command}")).starts_with("calls=1,"), "{command}");
    }
    assert_eq!(measure(&look.outcome, "keys"), Some(0.0));
    check(&redis.url("", "/99"), "", "failed assertion: 127.0.0.1:").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_verified() {
    let files = &*CERTIFICATES;
    let port = crate::support::server::free_port().to_string();
    let path = |path: &std::path::Path| path.to_str().expect("UTF-8").to_owned();
    let (authority, certificate, key) = (path(&files.authority), path(&files.certificate), path(&files.key));
    let redis = Redis::start(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &authority,
        "--tls-auth-clients",
        "no",
    ]);
    let secure = format!("rediss://127.0.0.1:{port}");
    let trusted = format!(", tls = {{ ca = \"{authority}\" }}");
    let look = check(&secure, &trusted, "ok").await;
    assert_eq!(phases(&look), ["connect", "tls", "ping", "info"]);
    assert!(measure(&look.outcome, "certificate_expiry_seconds").is_some_and(|left| left > 0.0));
    check(&secure, "", "failed tls: ").await;
    check(&secure, ", tls = { insecure = true }", "ok").await;
    // A server without TLS takes the handshake for the beginning of a command and waits for its end.
    let deaf = definition(&redis.url("", "").replace("redis:", "rediss:"), &trusted);
    let deaf = look_with(&deaf, &[], Duration::from_millis(300)).await;
    assert_eq!(verdict(&deaf), "failed timeout: no end within 300ms; it hung in phase `tls`");
    let plain = check(&secure.replace("rediss:", "redis:"), "", "failed ").await;
    assert!(
        verdict(&plain).contains("rediss://")
            || plain.outcome.reason().is_some_and(|f| f.class == Class::Protocol)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_few_rights_sees_little_and_is_no_failure() {
    let redis = Redis::start(&["--user", "watch", "on", ">marked-secret", "+ping", "+info"]);
    let (user, plain) = (format!("watch:{SECRET}"), redis.url("", ""));
    let look = check(&redis.url(&user, ""), "", "ok").await;
    assert_eq!(phases(&look), ["connect", "auth", "ping", "info"]);
    assert!(measure(&look.outcome, "clients").is_some());
    check(&redis.url(&user, ""), ", write = true", "failed auth: 127.0.0.1:").await;
    check(&redis.url(&user, "/1"), "", "failed auth: 127.0.0.1:").await;
    check(&redis.url(&format!("watch:wrong-{SECRET}"), ""), "", "failed auth: 127.0.0.1:").await;
    redis.ask::<()>("ACL SETUSER watch -info");
    let look = check(&redis.url(&user, ""), "", "ok").await;
    assert!(look.outcome.measures.is_empty());
    assert_eq!(look.outcome.notes.len(), 1, "{:?}", look.outcome.notes);
    redis.ask::<()>("ACL SETUSER watch -ping");
    let look = check(&redis.url(&user, ""), "", "ok").await;
    assert_eq!(look.outcome.notes.len(), 2, "{:?}", look.outcome.notes);
    let needless = check(&redis.url(&format!(":{SECRET}"), ""), "", "failed auth: ").await;
    assert!(verdict(&needless).contains("leave it out"), "{}", verdict(&needless));
    redis.ask::<()>("CONFIG SET requirepass other");
    let bare = check(&plain, "", "failed auth: ").await;
    assert!(verdict(&bare).contains("none was given"), "{}", verdict(&bare));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_costs_no_connection() {
    let redis = Redis::start(&[]);
    let mut control = redis.client();
    redis::cmd("CLIENT").arg("PAUSE").arg(1500).arg("ALL").exec(&mut control).expect("paused");
    for _ in 0..5 {
        let found = look_with(&definition(&redis.url("", ""), ""), &[], Duration::from_millis(100)).await;
        assert_eq!(verdict(&found), "failed timeout: no end within 100ms; it hung in phase `ping`");
    }
    let clients = || {
        let info: redis::InfoDict = redis::cmd("INFO").arg("clients").query(&mut control).expect("INFO");
        info.get::<u32>("connected_clients")
    };
    let mut clients = clients;
    wait_until("the connections to be closed", None, || clients() == Some(1));
    for _ in 0..20 {
        check(&redis.url("", ""), "", "ok").await;
    }
    wait_until("the connections to be closed", None, || clients() == Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_refuses_writes_and_is_still_measured() {
    let redis = Redis::start(&["--maxmemory", "1", "--maxmemory-policy", "noeviction"]);
    check(&redis.url("", ""), "", "ok").await;
    let look = check(&redis.url("", ""), ", write = true", "failed quota: 127.0.0.1:").await;
    assert!(verdict(&look).contains("maxmemory-policy"), "{}", verdict(&look));
    assert!(measure(&look.outcome, "memory_used_ratio").is_some_and(|ratio| ratio > 1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_room_for_a_client_says_so_each_time() {
    let redis = Redis::start(&["--maxclients", "2"]);
    let held = [redis.client(), redis.client()];
    for _ in 0..20 {
        let look = check(&redis.url("", ""), "", "failed quota: 127.0.0.1:").await;
        assert!(verdict(&look).contains("maxclients"), "{}", verdict(&look));
    }
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_without_its_primary_is_degraded_and_takes_no_writes() {
    let primary = Redis::start(&[]);
    let redis = Redis::start(&["--replicaof", "127.0.0.1", &primary.port.to_string()]);
    wait_until("the replica to be in step", None, || redis.info("master_link_status") == "up");
    let look = check(&redis.url("", ""), "", "ok").await;
    assert_eq!(measure(&look.outcome, "replication_link_up"), Some(1.0));
    let look = check(&primary.url("", ""), "", "ok").await;
    assert_eq!(measure(&look.outcome, "replicas"), Some(1.0));
    let look = check(&redis.url("", ""), ", write = true", "failed assertion: ").await;
    assert!(verdict(&look).contains("name the primary"), "{}", verdict(&look));
    drop(primary);
    wait_until("the replica to lose its primary", None, || redis.info("master_link_status") == "down");
    let look = check(&redis.url("", ""), "", "degraded connect: this replica ").await;
    assert_eq!(measure(&look.outcome, "replication_link_up"), Some(0.0));
    redis.ask::<()>("CONFIG SET replica-serve-stale-data no");
    check(&redis.url("", ""), "", "failed protocol: ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_without_its_slots_is_down_for_writes() {
    let redis = Redis::start(&["--cluster-enabled", "yes"]);
    check(&redis.url("", ""), ", write = true", "failed protocol: 127.0.0.1:").await;
}

/// A server that says `answer` to whatever comes, again and again as long as it is read.
async fn saying(answer: &'static [u8], again: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.readable().await.ok();
            while stream.write_all(answer).await.is_ok() && again {}
        }
    });
    format!("redis://127.0.0.1:{port}")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_instead_of_pong_is_understood() {
    let cases: [(&'static [u8], &str); 9] = [
        (b"-LOADING Redis is loading the dataset in memory\r\n", "failed protocol: 127.0.0.1:"),
        (b"-NOAUTH Authentication required.\r\n", "failed auth: 127.0.0.1:"),
        (b"-DENIED Redis is running in protected mode\r\n", "failed auth: 127.0.0.1:"),
        (b"-ERR max daily request limit exceeded. Limit: 10000\r\n", "failed quota: 127.0.0.1:"),
        (b"-BUSY Redis is busy running a script.\r\n", "failed protocol: 127.0.0.1:"),
        (b"+HELLO\r\n", "failed protocol: 127.0.0.1:"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "failed protocol: 127.0.0.1:"),
        (b"\0\x01\x02\x03", "failed protocol: 127.0.0.1:"),
        (b"", "failed connect: 127.0.0.1:"),
    ];
    for (answer, expected) in cases {
        check(&saying(answer, false).await, "", expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_end_is_cut_off() {
    // A string of ten gigabytes is announced, and its bytes keep coming.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        stream.write_all(b"$10000000000\r\n").await.expect("taken");
        while stream.write_all(&[b'x'; 8_192]).await.is_ok() {}
    });
    let url = format!("redis://127.0.0.1:{port}");
    let look = check(&url, "", "failed protocol: 127.0.0.1:").await;
    assert!(verdict(&look).contains("4194304 bytes"), "{}", verdict(&look));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there() {
    let port = crate::support::server::free_port();
    let expected = format!("failed connect: 127.0.0.1:{port} refused the connection");
    check(&format!("redis://:{SECRET}@127.0.0.1:{port}"), "", &expected).await;
}

#[tokio::test]
async fn a_definition_that_makes_no_sense_is_refused() {
    let faults = |url: &str, more: &str| {
        let faults = build_faults(&definition(url, more)).join("; ");
        assert!(!faults.contains(SECRET), "{faults}");
        faults
    };
    assert!(faults(&format!("redis://:{SECRET}#@host"), "").starts_with("url: "));
    assert!(faults(&format!("https://{SECRET}.upstash.io"), "").starts_with("url: this is a web address"));
    assert!(
        faults("redis://host", ", tls = { insecure = true }").starts_with("tls: the address is one without")
    );
    assert!(faults("rediss://host", ", tls = { ca = \"/none\" }").starts_with("tls.ca: can't read"));
}
