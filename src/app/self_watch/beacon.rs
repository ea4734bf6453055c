//! What the loop that judges gives off as it turns: that it turns and judges, food for systemd's watchdog, and the alerts
//! that Alertmanagers are shown. All of it comes from the loop itself: whoever is not heard of any more is stuck.

use super::showing::Showing;
use super::systemd::{Systemd, Watchdog};
use super::vitals::{Vitals, Watcher};
use crate::app::own;
use crate::clock::{Now, Steady};
use crate::config::Alerting;
use crate::mind::Mind;
use crate::notify::alertmanager::Feed;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// In a storm what changes within this is shown at once.
const SHOW_EVERY: Duration = Duration::from_millis(250);

pub struct Beacon {
    vitals: Arc<Vitals>,
    systemd: Arc<Systemd>,
    watchdog: Option<Watchdog>,
    watcher: Watcher,
    feed: watch::Sender<Feed>,
    showing: Showing,
    /// Whether there is somebody to be shown anything.
    watched: bool,
    url: Option<Arc<str>>,
    /// When objectives were last evaluated.
    judged: Option<Timestamp>,
    /// Something changed that is not shown.
    news: bool,
    shown: Steady,
}

impl Beacon {
    pub fn new(vitals: Arc<Vitals>, systemd: Arc<Systemd>, feed: watch::Sender<Feed>, now: Now) -> Beacon {
        Beacon {
            vitals,
            systemd,
            watchdog: Watchdog::from_environment(),
            watcher: Watcher::new(now.steady),
            feed,
            showing: Showing::default(),
            watched: false,
            url: None,
            judged: None,
            news: false,
            shown: Duration::ZERO,
        }
    }

    /// New definitions; the first ones too.
    pub fn replan(&mut self, alerting: &Alerting) {
        self.watched = alerting.channels.values().any(|channel| channel.deliver.mirror().is_some());
        self.url = alerting.policy.url.as_deref().map(Arc::from);
        self.news = true;
    }

    /// The loop has turned; `changed` says whether alerts did.
    pub fn turned(&mut self, now: Now, mind: &Mind, changed: bool) {
        self.watcher.wake(&self.vitals, now.steady);
        self.vitals.judge_turned(now.steady);
        if mind.evaluated() != self.judged {
            self.judged = mind.evaluated();
            self.vitals.judged(now.steady);
            own::evaluated(now.wall.as_millisecond() as f64 / 1e3);
            self.news = true;
        }
        self.news |= changed;
        self.feed_watchdog(now);
        if self.news && self.watched && now.steady.saturating_sub(self.shown) >= SHOW_EVERY {
            self.show(now, mind);
        }
    }

    fn feed_watchdog(&mut self, now: Now) {
        if let Some(watchdog) = &mut self.watchdog
            && watchdog.is_due(now.steady)
            && self.vitals.wellness(now).process_is_well()
        {
            watchdog.feed(&self.systemd, now.steady);
        }
    }

    fn show(&mut self, now: Now, mind: &Mind) {
        self.news = false;
        self.shown = now.steady;
        self.feed.send_replace(Feed {
            judged: self.vitals.last_judged(),
            well: self.vitals.wellness(now).is_well(),
            alerts: Arc::new(self.showing.show(mind.alerts(), now.wall)),
            url: self.url.clone(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{Fact, What};
    use crate::notify::outbox::Health;
    use crate::store::Remembered;
    use std::os::unix::net::UnixDatagram;

    /// What the service manager hears of a loop that turns for a minute; `runner` says in which seconds the runner of
    /// checks turns, and `judges` in which objectives are evaluated.
    fn fed(runner: impl Fn(u64) -> bool, judges: impl Fn(u64) -> bool) -> Vec<u64> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let server = UnixDatagram::bind(&path).expect("a socket");
        server.set_nonblocking(true).expect("a socket");
        let start = Timestamp::from_second(1_795_300_000).expect("a time");
        let at = |second: u64| Now {
            wall: start + jiff::SignedDuration::from_secs(second.cast_signed()),
            steady: Duration::from_secs(1000 + second),
        };
        let vitals = Arc::new(Vitals::new(at(0).steady));
        let systemd = Arc::new(Systemd::at(path.as_os_str()).expect("a socket"));
        let (feed, _fed) = watch::channel(Feed::default());
        let mut beacon = Beacon::new(vitals.clone(), systemd, feed, at(0));
        beacon.watchdog = Some(Watchdog::new(Duration::from_secs(4)));
        let (mut mind, _) = Mind::new(std::iter::empty(), Arc::default(), &mut Remembered::default(), start);
        let mut fed = Vec::new();
        for second in 0..60 {
            if runner(second) {
                vitals.runner_turned(at(second).steady);
            }
            vitals.hear_courier(at(second).steady, Health { channels: Vec::new(), oldest_page: None });
            if judges(second) {
                mind.apply(&Fact { at: at(second).wall, what: What::Tick });
            }
            beacon.turned(at(second), &mind, false);
            let mut buffer = [0; 64];
            while let Ok(length) = server.recv(&mut buffer) {
                assert_eq!(&buffer[..length], b"WATCHDOG=1");
                fed.push(second);
            }
        }
        fed
    }

    #[test]
    fn the_watchdog_is_fed_only_while_runner_and_judgement_go_on() {
        let all: Vec<u64> = (0..60).collect();
        assert_eq!(fed(|_| true, |_| true), all);
        let until = |end: u64| (0..end).collect::<Vec<_>>();
        assert_eq!(fed(|second| second <= 20, |_| true), until(30));
        // Evaluated at 0 and at 15.
        assert_eq!(fed(|_| true, |second| second < 20), until(45));
        let back: Vec<u64> = (0..30).chain(40..60).collect();
        assert_eq!(fed(|second| !(21..40).contains(&second), |_| true), back);
    }
}
