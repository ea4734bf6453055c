//! Tells an outside dead man's switch (healthchecks.io and its like) every minute how the agent is: its address while
//! all is well, `/fail` below it with the reason while it is not, `/log` when it is stopped as planned. Whoever watches
//! the switch tells people when neither comes.
//!
//! The address is a secret as a whole: whoever knows it can say that all is well. So no text shows any of it, and of
//! what the other side says only the status. Its own failure is counted and told in one line of the log; an alert
//! would come through channels that this is here to do without.

use super::pace::{Came, Pace};
use super::vitals::{Vitals, Watcher};
use crate::app::{own, told_to_stop};
use crate::clock;
use crate::config::Alerting;
use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

const TIMEOUT: Duration = Duration::from_secs(10);
/// A stop does not wait for longer.
const FAREWELL_MAX: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    Well,
    Fail,
    Log,
}

impl Signal {
    const fn as_str(self) -> &'static str {
        match self {
            Signal::Well => "well",
            Signal::Fail => "fail",
            Signal::Log => "log",
        }
    }

    /// What is added to the address.
    const fn path(self) -> Option<&'static str> {
        match self {
            Signal::Well => None,
            Signal::Fail => Some("fail"),
            Signal::Log => Some("log"),
        }
    }
}

pub struct DeadMansSwitch {
    client: Client,
    vitals: Arc<Vitals>,
    alerting: watch::Receiver<Arc<Alerting>>,
    address: Option<SecretString>,
    pace: Pace,
    watcher: Watcher,
    /// The last try failed, and that was told.
    failing: bool,
}

impl DeadMansSwitch {
    /// `client` follows no redirect: it would take the reason to somebody who was not named.
    pub fn new(
        client: Client,
        vitals: Arc<Vitals>,
        alerting: watch::Receiver<Arc<Alerting>>,
    ) -> DeadMansSwitch {
        let now = clock::steady();
        let address = alerting.borrow().dead_mans_switch.clone();
        let (pace, watcher) = (Pace::new(now), Watcher::new(now));
        DeadMansSwitch { client, vitals, alerting, address, pace, watcher, failing: false }
    }

    /// Until told to stop; then says so.
    pub async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = told_to_stop(&mut stopped) => break,
                _ = tick.tick() => {}
            }
            tokio::select! {
                biased;
                () = told_to_stop(&mut stopped) => break,
                () = self.look() => {}
            }
        }
        self.farewell().await;
    }

    async fn look(&mut self) {
        self.follow();
        let now = clock::now();
        let wellness = self.watcher.look(&self.vitals, now);
        let well = wellness.is_well();
        let Some(address) = self.address.clone() else { return };
        if !self.pace.is_due(now.steady, well) {
            return;
        }
        let (signal, text) =
            if well { (Signal::Well, "well".to_owned()) } else { (Signal::Fail, wellness.reason()) };
        self.pace.begin(now.steady);
        let came = self.tell(&address, signal, text).await;
        self.pace.end(clock::steady(), well, came);
        // What lasted longer than the gap that is looked for was the other side, not a suspended machine.
        self.watcher = Watcher::new(clock::steady());
    }

    /// Definitions are read again while this goes on.
    fn follow(&mut self) {
        if !self.alerting.has_changed().unwrap_or(false) {
            return;
        }
        let address = self.alerting.borrow_and_update().dead_mans_switch.clone();
        let text =
            |address: &Option<SecretString>| address.as_ref().map(|one| one.expose_secret().to_owned());
        if text(&address) != text(&self.address) {
            self.address = address;
            self.failing = false;
            self.pace.begin_anew(clock::steady());
        }
    }

    async fn tell(&mut self, address: &SecretString, signal: Signal, text: String) -> Came {
        let (came, why) = match send(&self.client, address, signal, text).await {
            Ok(()) => (Came::Taken, String::new()),
            Err((came, why)) => (came, why),
        };
        own::dead_mans_switch(signal.as_str(), came == Came::Taken);
        match (came == Came::Taken, std::mem::replace(&mut self.failing, came != Came::Taken)) {
            (false, false) => {
                tracing::warn!(why, signal = signal.as_str(), "the dead man's switch does not take it");
            }
            (true, true) => tracing::info!("the dead man's switch takes it again"),
            _ => {}
        }
        came
    }

    /// A planned stop is no death. It is tried twice where there is time.
    async fn farewell(mut self) {
        self.follow();
        let Some(address) = self.address.take() else { return };
        let tell = async {
            if self.tell(&address, Signal::Log, "stopped as planned".to_owned()).await == Came::Failed {
                tokio::time::sleep(LOOK_EVERY).await;
                self.tell(&address, Signal::Log, "stopped as planned".to_owned()).await;
            }
        };
        if tokio::time::timeout(FAREWELL_MAX, tell).await.is_err() {
            tracing::warn!("the dead man's switch was not told of the stop in time");
        }
    }
}

/// One try. Errors say nothing of the address.
async fn send(
    client: &Client,
    address: &SecretString,
    signal: Signal,
    text: String,
) -> Result<(), (Came, String)> {
    let Some(url) = address_of(address, signal) else {
        let why = "the value of `dead_mans_switch` is no address that begins with `https://` or `http://`";
        return Err((Came::Refused, why.to_owned()));
    };
    let sent = client.post(url).timeout(TIMEOUT).body(text).send().await;
    let status = match sent {
        Ok(answer) => answer.status(),
        Err(error) => return Err((Came::Failed, why_unanswered(&error).to_owned())),
    };
    match status.as_u16() {
        200..=299 => Ok(()),
        429 => Err((Came::Failed, "it answered 429: it was asked too often".to_owned())),
        408 | 425 | 500..=599 => {
            Err((Came::Failed, format!("it answered {}: the trouble is on its side", status.as_u16())))
        }
        status => {
            Err((Came::Refused, format!("it answered {status}; check `dead_mans_switch` of `[alerting]`")))
        }
    }
}

/// In our own words: those of others quote names and certificates.
fn why_unanswered(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer within 10 s"
    } else if error.is_connect() {
        "no connection to it"
    } else {
        "it broke the connection off, or what it answered is no HTTP"
    }
}

/// The address that says it.
fn address_of(address: &SecretString, signal: Signal) -> Option<Url> {
    let mut url = parse(address)?;
    if let Some(path) = signal.path() {
        url.path_segments_mut().ok()?.pop_if_empty().push(path);
    }
    Some(url)
}

fn parse(address: &SecretString) -> Option<Url> {
    let url = Url::parse(address.expose_secret().trim()).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, expected: Option<[&str; 3]>) {
        let secret = SecretString::from(address);
        let found = [Signal::Well, Signal::Fail, Signal::Log].map(|signal| address_of(&secret, signal));
        let expected = expected.map_or([None, None, None], |all| all.map(|one| Some(one.to_owned())));
        assert_eq!(found.map(|url| url.map(String::from)), expected, "{address}");
    }

    #[test]
    fn what_is_said_is_added_to_the_path() {
        let all = ["https://hc-ping.com/u-u", "https://hc-ping.com/u-u/fail", "https://hc-ping.com/u-u/log"];
        check("https://hc-ping.com/u-u", Some(all));
        check(" https://hc-ping.com/u-u\n", Some(all));
        let slash = ["https://h/p/", "https://h/p/fail", "https://h/p/log"];
        check("https://h/p/", Some(slash));
        let query = ["https://h/p?rid=1", "https://h/p/fail?rid=1", "https://h/p/log?rid=1"];
        check("https://h/p?rid=1", Some(query));
        check("hc-ping.com/u-u", None);
        check("ftp://h/p", None);
    }
}
