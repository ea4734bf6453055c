//! The demo's shop, watched by the shipped checks: it lives, it breaks by name, and it is whole again.

use crate::support::server::{self, wait_until};
use crate::support::shop::{Found, look, shipped};
use atalaya::clock;
use atalaya::demo::Shop;
use atalaya::demo::switch::Switch;
use atalaya::demo::{resend, square};
use atalaya::outcome::Status;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

async fn open(name: &str) -> Shop {
    let directory = server::directory("demo").join(name);
    std::fs::create_dir_all(&directory).expect("a directory");
    Shop::start(7, &directory).await.expect("a shop")
}

/// The shipped checks of these kinds look once, each as if for the first time.
async fn watch(shop: &Shop, kinds: &[&str]) -> BTreeMap<String, Found> {
    let variables = shop.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    look(&shipped(kinds, variables).checks, clock::wall()).await
}

fn troubled(found: &BTreeMap<String, Found>) -> BTreeMap<&str, &str> {
    let bad = found.iter().filter(|(_, found)| found.status != Status::Ok);
    bad.map(|(name, found)| (name.as_str(), found.reason.as_str())).collect()
}

#[tokio::test]
async fn every_switch_is_told_by_its_checks_and_mended() {
    let shop = open("switches").await;
    let services = ["http", "square", "reconcile", "upstash", "resend"];
    let all = [&services[..], &["sql"]].concat();
    assert_eq!(troubled(&watch(&shop, &all).await), BTreeMap::new());
    // What the shop says is heard by an agent that runs, and by none of these looks.
    let seen = |switch: &Switch| !STAY.contains(switch) && !matches!(switch, Switch::Said(_));
    for switch in Switch::all().filter(seen) {
        shop.faults.set(switch, true).await.expect("it breaks");
        let listed = shop.faults.list();
        let on: Vec<_> = listed.iter().filter(|listed| listed.on).map(|listed| &*listed.name).collect();
        assert_eq!(on, [switch.name()]);
        // The tables have a test of their own, which shows that no other check tells.
        let kinds: &[&str] =
            if matches!(switch, Switch::Shop(_)) { &["sql", "reconcile"] } else { &services };
        let found = watch(&shop, kinds).await;
        let troubled = troubled(&found);
        assert_eq!(troubled.keys().copied().collect::<Vec<_>>(), switch.checks(), "{switch:?} {troubled:?}");
        shop.faults.set(switch, false).await.expect("it is mended");
    }
    assert_eq!(troubled(&watch(&shop, &all).await), BTreeMap::new());
}

/// Payments that failed stay in Square's books for an hour, and emails that bounced in Resend's for a day.
const STAY: [Switch; 2] =
    [Switch::Square(square::Fault::OurFailures), Switch::Resend(resend::Fault::Bounces)];

#[tokio::test]
async fn payments_that_fail_for_our_reasons_are_told_at_once() {
    let shop = open("failures").await;
    shop.faults.set(STAY[0], true).await.expect("it breaks");
    let found = watch(&shop, &["square"]).await;
    let reason = "payments_failed is 4, which passes the limit > 2";
    assert_eq!(troubled(&found), BTreeMap::from([("payments", reason)]));
}

/// A provider knows of a bounce some seconds after it took the email.
#[tokio::test]
async fn emails_that_bounce_are_told() {
    let shop = open("bounces").await;
    shop.faults.set(STAY[1], true).await.expect("it breaks");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !troubled(&watch(&shop, &["resend"]).await).contains_key("email") {
        assert!(Instant::now() < deadline, "nobody tells of bounces");
    }
}

/// Customers come while nobody does anything.
#[tokio::test]
async fn the_shop_lives() {
    let shop = open("lives").await;
    let found = watch(&shop, &["sql", "square"]).await;
    assert!(found["payments"].measures["payments_attempted"] > 0.0, "Square knows the last hour");
    let orders = |found: &BTreeMap<String, Found>| found["orders-by-status"].measures.values().sum::<f64>();
    let (begun, deadline) = (orders(&found), Instant::now() + Duration::from_mins(2));
    while orders(&watch(&shop, &["sql"]).await) <= begun {
        assert!(Instant::now() < deadline, "nobody bought anything");
    }
}

#[tokio::test]
async fn the_control_lists_breaks_and_mends() {
    let shop = open("control").await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let router = shop.faults.list_router().merge(shop.faults.change_router());
    tokio::spawn(async { axum::serve(listener, router).await });
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = reqwest::Client::builder().tls_certs_only([]).build().expect("a client");
    let ask = async |request: reqwest::RequestBuilder| {
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap_or_default())
    };
    let on = |list: &Value| {
        let all = list.as_array().expect("a list").iter();
        all.filter(|one| one["on"] == true).map(|one| one["name"].to_string()).collect::<Vec<_>>()
    };

    let (status, list) = ask(client.get(format!("{base}/faults"))).await;
    assert_eq!((status, on(&list)), (200, vec![]));
    let stuck = list.as_array().expect("a list").iter().find(|one| one["name"] == "stuck-orders");
    let expected = json!({
        "name": "stuck-orders", "title": "Orders are paid and don't move", "checks": ["stuck-orders"], "on": false
    });
    assert_eq!(stuck, Some(&expected));

    for name in ["site-down", "stuck-orders"] {
        let (status, _) =
            ask(client.post(format!("{base}/faults/{name}")).json(&json!({ "on": true }))).await;
        assert_eq!(status, 200);
    }
    assert!(client.get(&shop.site).send().await.is_err(), "the site hangs up");
    let (_, list) = ask(client.delete(format!("{base}/faults/site-down"))).await;
    assert_eq!(on(&list), ["\"stuck-orders\""]);
    assert_eq!(client.get(&shop.site).send().await.expect("an answer").status(), 200);
    let (_, list) = ask(client.delete(format!("{base}/faults"))).await;
    assert_eq!(on(&list), Vec::<String>::new());

    let (status, answer) =
        ask(client.post(format!("{base}/faults/site-dwon")).json(&json!({ "on": true }))).await;
    let why = "there is no fault `site-dwon`; the nearest is `site-down`";
    assert_eq!((status, answer), (404, json!({ "error": why })));
    // What a page in a browser can send without asking changes nothing.
    for body in ["", "{\"on\": true}", "on=true"] {
        let (status, _) = ask(client.post(format!("{base}/faults/site-down")).body(body)).await;
        assert_eq!(status, 415, "{body}");
    }
    assert_eq!(troubled(&watch(&shop, &["http", "square"]).await), BTreeMap::new());
}

/// A demo after another in the same directory is a new shop, and its servers end with it.
#[tokio::test]
async fn a_second_demo_starts_anew() {
    let first = open("again").await;
    let site = first.site.trim_start_matches("http://").to_owned();
    first.faults.set("stuck-orders".parse().expect("a fault"), true).await.expect("it breaks");
    drop(first);
    let second = open("again").await;
    assert_eq!(troubled(&watch(&second, &["sql"]).await), BTreeMap::new());
    let port = site.rsplit_once(':').expect("a port").1.parse().expect("a port");
    tokio::task::spawn_blocking(move || wait_until("the end", None, || !server::listens(port)))
        .await
        .expect("it ends");
}
