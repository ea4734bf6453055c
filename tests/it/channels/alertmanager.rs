//! A real Alertmanager: what it is told, again and again, and what becomes of it when nobody tells it any more.

use crate::support::alertmanager::Alertmanager;
use crate::support::channel::{build_within, channel, notice, parcel};
use crate::support::receiver::{Receiver, answer, until};
use crate::support::server::free_port;
use atalaya::alert::{Kind, Snapshot};
use atalaya::clock;
use atalaya::notify::alertmanager::{Feed, Herald};
use atalaya::notify::{Deliver, Delivery};
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:1";

fn of(urls: &[&str], more: &str) -> Box<dyn Deliver> {
    let toml = format!("to.alertmanager = {{ urls = {urls:?}{more} }}");
    build_within(Duration::from_secs(2), &toml, &[]).unwrap_or_else(|found| panic!("{toml}: {found:?}"))
}

/// An alert that fires since a minute ago.
fn alert(check: &str) -> Snapshot {
    let fired = clock::wall() - jiff::SignedDuration::from_mins(1);
    let mut alert = notice(Kind::Firing).alerts.remove(0);
    alert.episode = format!("check/{check}@{}", fired.as_millisecond());
    alert.labels.insert("check".to_owned(), check.to_owned());
    Snapshot { began: fired, fired, ..alert }
}

fn feed(alerts: &[Snapshot]) -> Feed {
    let url = Some("https://watch.shop.example".into());
    Feed { judged: clock::steady(), well: true, alerts: Arc::new(alerts.to_vec()), url }
}

fn herald(channel: &dyn Deliver, alerts: &[Snapshot]) -> (Herald, watch::Sender<Feed>) {
    let (sender, receiver) = watch::channel(Feed::default());
    let mirror = channel.mirror().expect("a mirror").clone();
    let herald = Herald::start([("alertmanager".into(), mirror)], &receiver);
    sender.send_replace(feed(alerts));
    (herald, sender)
}

fn moment(alert: &Value, name: &str) -> Timestamp {
    alert[name].as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no {name}: {alert}"))
}

/// For how long an alert is to last.
fn left(alert: &Value) -> i64 {
    moment(alert, "endsAt").duration_since(clock::wall()).as_secs()
}

#[tokio::test]
async fn an_alert_fires_is_told_again_and_is_resolved() {
    let manager = Alertmanager::start("am-life", NOBODY);
    let channel = of(&[&manager.url], ", every = '1s', labels = { agent = 'one' }");
    let site = alert("site");
    let (herald, sender) = herald(&*channel, std::slice::from_ref(&site));
    until("the alert", || manager.firing() == ["Watchdog", "site"]).await;
    let first = manager.alert("site").expect("it fires");
    let label = |name: &str| first["labels"][name].as_str().map(str::to_owned);
    assert_eq!(label("agent").as_deref(), Some("one"));
    assert_eq!(label("severity").as_deref(), Some("page"));
    assert_eq!(first["annotations"]["runbook_url"], "https://wiki.shop.example/runbooks/square");
    assert_eq!(first["generatorURL"], "https://watch.shop.example/alerts/check/square");
    assert_eq!(moment(&first, "startsAt").as_millisecond(), site.fired.as_millisecond());
    assert!((0..=4).contains(&left(&first)), "{first}");
    until("it to be told again", || {
        manager.alert("site").is_some_and(|now| moment(&now, "endsAt") > moment(&first, "endsAt"))
    })
    .await;
    let health = herald.health();
    assert!(health[0].told.is_some() && health[0].trouble.is_none(), "{health:?}");
    sender.send_replace(feed(&[Snapshot { ended: Some(clock::wall()), ..site }]));
    until("its end", || manager.firing() == ["Watchdog"]).await;
}

#[tokio::test]
async fn what_fires_is_over_some_rounds_after_the_agent_is_gone() {
    let manager = Alertmanager::start("am-gone", NOBODY);
    let usual = of(&[&manager.url], "");
    let (usual_herald, _sender) = herald(&*usual, &[alert("usual")]);
    let hasty = of(&[&manager.url], ", every = '500ms', watchdog = false");
    let (hasty_herald, _other) = herald(&*hasty, &[alert("hasty")]);
    until("both", || manager.firing() == ["Watchdog", "hasty", "usual"]).await;
    drop((usual_herald, hasty_herald));
    until("the end of what was told twice a second", || manager.firing() == ["Watchdog", "usual"]).await;
    for name in ["usual", "Watchdog"] {
        let left = left(&manager.alert(name).expect("it fires"));
        assert!((220..=240).contains(&left), "{name} lasts {left} s");
    }
}

#[tokio::test]
async fn the_watchdog_is_silent_when_nobody_judges_or_the_agent_is_ill() {
    let receiver = Receiver::start(|_| answer(200, "", "")).await;
    let channel = of(&[&format!("http://{}", receiver.address)], ", every = '50ms'");
    let (_herald, sender) = herald(&*channel, &[alert("site")]);
    let names = |body: &Value| {
        let names = body.as_array().expect("alerts").iter();
        names
            .map(|alert| alert["labels"]["alertname"].as_str().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    let mut last = Vec::new();
    let mut heard = |expected: &[&str]| {
        last.extend(receiver.take().last().map(|request| names(&request.json())));
        last.last().is_some_and(|last| last == expected)
    };
    until("the watchdog", || heard(&["CheckFailed", "Watchdog"])).await;
    let long_ago = clock::steady().saturating_sub(Duration::from_secs(61));
    sender.send_modify(|feed| feed.judged = long_ago);
    until("its silence", || heard(&["CheckFailed"])).await;
    sender.send_replace(feed(&[alert("site")]));
    until("the watchdog again", || heard(&["CheckFailed", "Watchdog"])).await;
    sender.send_modify(|feed| feed.well = false);
    until("its silence while the agent is ill", || heard(&["CheckFailed"])).await;
}

#[tokio::test]
async fn one_that_hangs_delays_no_other_and_hears_all_when_it_is_back() {
    let port = free_port();
    let back = format!("http://127.0.0.1:{port}/am");
    let silent = crate::support::target::Silent::start();
    let silent = format!("http://{}", silent.address());
    let manager = Alertmanager::start("am-well", NOBODY);
    let channel = of(&[&silent, &back, &manager.url], ", every = '1s'");
    let (herald, _sender) = herald(&*channel, &[alert("site")]);
    until("the alert where all is well", || manager.firing() == ["Watchdog", "site"]).await;
    until("trouble with the others", || {
        herald.health().iter().map(|health| health.trouble.is_some()).eq([true, true, false])
    })
    .await;
    // A notice is delivered by the one that takes it.
    let parcel = parcel(1, notice(Kind::Firing));
    assert_eq!(channel.deliver(&parcel).await, Delivery::Delivered);
    let late = Alertmanager::start_at("am-late", NOBODY, port);
    until("the alert where all is well again", || late.firing() == ["Watchdog", "site"]).await;
    until("no more trouble", || herald.health()[1].trouble.is_none()).await;
}

#[tokio::test]
async fn nobody_is_told_when_no_instance_takes_it() {
    let receiver = Receiver::start(|_| answer(401, "", "")).await;
    let refuses = format!("http://{}", receiver.address);
    let parcel = parcel(1, notice(Kind::Firing));
    let delivery = of(&[NOBODY, &refuses], "").deliver(&parcel).await;
    assert!(matches!(delivery, Delivery::Retry { .. }), "{delivery:?}");
    let delivery = of(&[&refuses, &refuses], "").deliver(&parcel).await;
    assert!(matches!(delivery, Delivery::Refused { .. }), "{delivery:?}");
}

#[tokio::test]
async fn notices_of_five_hundred_alerts_are_taken() {
    let manager = Alertmanager::start("am-storm", NOBODY);
    let channel = of(&[&manager.url], "");
    let alerts: Vec<_> = (0..500).map(|number| alert(&format!("site-{number}"))).collect();
    let mut storm = notice(Kind::Firing);
    storm.alerts = alerts;
    assert_eq!(channel.deliver(&parcel(1, storm.clone())).await, Delivery::Delivered);
    assert_eq!(manager.firing().len(), 500);
    storm.kind = Kind::Resolved;
    storm.at = clock::wall();
    assert_eq!(channel.deliver(&parcel(2, storm)).await, Delivery::Delivered);
    until("all to be over", || manager.firing().is_empty()).await;
}

/// What our webhook sends and what a real Alertmanager sends of the same alert are the same, but for what is newer
/// than this Alertmanager (`notification_reason`, `routeLabels`) and for when a firing alert is to end.
#[tokio::test]
async fn our_webhook_says_what_alertmanager_says() {
    let receiver = Receiver::start(|_| answer(200, "", "")).await;
    let url = format!("http://{}/hook", receiver.address);
    let manager = Alertmanager::start("am-webhook", &url);
    let theirs = of(&[&manager.url], "");
    let ours = channel("to.webhook = { url = '${URL}' }", &[("URL", &url)]);
    let mut told = notice(Kind::Firing);
    told.alerts = vec![alert("sité \"quoted\" \\ back")];
    told.at = clock::wall();
    for kind in [Kind::Firing, Kind::Resolved] {
        told.kind = kind;
        told.alerts[0].ended = (kind == Kind::Resolved).then(clock::wall);
        receiver.take();
        let parcel = parcel(1, told.clone());
        assert_eq!(theirs.deliver(&parcel).await, Delivery::Delivered);
        let mut from = Vec::new();
        until("Alertmanager to tell", || {
            from.extend(receiver.take());
            !from.is_empty()
        })
        .await;
        let expected = from[0].json();
        assert_eq!(ours.deliver(&parcel).await, Delivery::Delivered);
        let mut sent = receiver.take();
        let mut sent = sent.remove(0).json();
        let object = sent.as_object_mut().expect("an object");
        assert!(object.remove("notification_reason").is_some_and(|reason| reason.is_string()));
        assert_eq!(object.remove("routeLabels"), Some(serde_json::json!({})));
        assert_eq!(sent, expected, "{kind:?}");
    }
}
