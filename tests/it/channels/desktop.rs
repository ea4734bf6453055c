//! The desktop: a session bus with a notification service of ours on it, one without any, and no bus at all.
//!
//! Where the bus is stands in the environment of a process, so each test runs itself again in one that has the right
//! environment.

use crate::support::channel::{build_within, notice, parcel, reply, verdict};
use atalaya::alert::Kind;
use atalaya::notify::{Deliver, Delivery};
use std::collections::HashMap;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use zbus::OwnedVariant;

const INSIDE: &str = "ATALAYA_INSIDE_SESSION";

/// Runs the test of this name again, inside a session; whether it still has to be run here.
fn is_inside(test: &str, session: &[&str]) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let program = std::env::current_exe().expect("this test's program");
    let (first, rest) = session.split_first().expect("a command");
    let nowhere = std::env::temp_dir().join(format!("atalaya-no-bus-{}", std::process::id()));
    let output = Command::new(first)
        .args(rest)
        .arg(program)
        .args(["--exact", &format!("channels::desktop::{test}"), "--nocapture"])
        .env(INSIDE, "1")
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .env_remove("DISPLAY")
        .env("XDG_RUNTIME_DIR", nowhere)
        .output()
        .expect("a session");
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    false
}

fn desktop() -> Box<dyn Deliver> {
    build_within(Duration::from_secs(2), "to.desktop = {}", &[]).expect("a channel")
}

/// A call of `Notify`.
#[derive(Debug, Clone)]
struct Shown {
    app: String,
    replaces: u32,
    icon: String,
    summary: String,
    body: String,
    actions: Vec<String>,
    urgency: u8,
    timeout: i32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mood {
    Shows,
    Hangs,
    Refuses,
}

/// What shows notifications on a desktop, as far as this needs it.
struct Service {
    shown: Arc<Mutex<Vec<Shown>>>,
    mood: Arc<Mutex<Mood>>,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Service {
    #[expect(clippy::too_many_arguments, reason = "the protocol has so many")]
    async fn notify(
        &self,
        app: String,
        replaces: u32,
        icon: String,
        summary: String,
        body: String,
        actions: Vec<String>,
        hints: HashMap<String, OwnedVariant>,
        timeout: i32,
    ) -> zbus::fdo::Result<u32> {
        let mood = *self.mood.lock().expect("the mood");
        match mood {
            Mood::Hangs => std::future::pending().await,
            Mood::Refuses => return Err(zbus::fdo::Error::LimitsExceeded("too many".to_owned())),
            Mood::Shows => {}
        }
        let urgency = hints.get("urgency").and_then(|hint| u8::try_from(hint).ok()).expect("an urgency");
        let mut shown = self.shown.lock().expect("what is shown");
        shown.push(Shown { app, replaces, icon, summary, body, actions, urgency, timeout });
        Ok(if replaces > 0 { replaces } else { 40 + shown.len() as u32 })
    }
}

#[tokio::test]
async fn a_desktop_shows_it_and_the_end_takes_its_place() {
    if !is_inside("a_desktop_shows_it_and_the_end_takes_its_place", &["dbus-run-session", "--"]) {
        return;
    }
    let (shown, mood) = (Arc::default(), Arc::new(Mutex::new(Mood::Shows)));
    let service = Service { shown: Arc::clone(&shown), mood: Arc::clone(&mood) };
    let _connection = zbus::connection::Builder::session()
        .name("org.freedesktop.Notifications")
        .serve_at("/org/freedesktop/Notifications", service)
        .build()
        .await
        .expect("a bus");
    let desktop = desktop();
    let first = parcel(1, notice(Kind::Firing));
    assert_eq!(desktop.deliver(&first).await, Delivery::Delivered);
    assert_eq!(desktop.deliver(&parcel(2, notice(Kind::Firing))).await, Delivery::Delivered);
    assert_eq!(desktop.deliver(&reply(3, &first, notice(Kind::Resolved))).await, Delivery::Delivered);
    let seen: Vec<Shown> = shown.lock().expect("what is shown").clone();
    assert_eq!(seen[0].app, "Atalaya");
    assert_eq!(seen[0].summary, "Square needs attention");
    assert!(
        seen[0].body.starts_with("größer als 5 s: no answer from &lt;Square&gt; &amp; Co.\nSince: "),
        "{seen:?}"
    );
    assert!(seen.iter().all(|shown| shown.actions.is_empty()));
    // Critical, and it stays; its end is usual, and goes as the desktop likes.
    assert_eq!((seen[0].urgency, seen[0].timeout, seen[0].icon.as_str()), (2, 0, "dialog-error"));
    assert_eq!((seen[2].urgency, seen[2].timeout), (1, -1));
    assert_eq!(seen.iter().map(|shown| shown.replaces).collect::<Vec<_>>(), [0, 0, 41]);

    *mood.lock().expect("the mood") = Mood::Refuses;
    let delivery = desktop.deliver(&first).await;
    assert!(matches!(&delivery, Delivery::Absent { why } if why.contains("too many")), "{delivery:?}");
    *mood.lock().expect("the mood") = Mood::Hangs;
    let begun = Instant::now();
    let expected = "retry: the desktop's notification service gave no answer within 1s 800ms";
    assert_eq!(verdict(&desktop.deliver(&first).await), expected);
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn on_a_bus_without_a_desktop_it_is_quietly_absent() {
    if is_inside("on_a_bus_without_a_desktop_it_is_quietly_absent", &["dbus-run-session", "--"]) {
        let delivery = desktop().deliver(&parcel(1, notice(Kind::Firing))).await;
        assert!(
            matches!(&delivery, Delivery::Absent { why } if why.starts_with("there is no desktop here")),
            "{delivery:?}"
        );
    }
}

#[tokio::test]
async fn without_a_bus_it_is_quietly_absent() {
    if is_inside("without_a_bus_it_is_quietly_absent", &["env"]) {
        let delivery = desktop().deliver(&parcel(1, notice(Kind::Firing))).await;
        assert!(matches!(&delivery, Delivery::Absent { .. }), "{delivery:?}");
    }
}
