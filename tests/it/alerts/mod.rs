//! What becomes of an alert in the real program: one who watches, what is watched, and who is told; each of them can
//! fail. Whatever happens, an outage is told once and its end is told once.

mod cases;
mod hang;
mod kills;
mod latency;
mod storm;

use crate::support::agent::Agent;
use crate::support::door::Door;
use crate::support::inbox::{Inbox, Message, Mode, Protocol};
use sqlx::Connection;
use std::fmt::Write;

/// How often checks run here. The cases have five seconds; a tenth of that fits into a test.
const EVERY: &str = "500ms";

/// How long pages wait for others unless somebody says otherwise.
const WAIT: &str = "500ms";

/// Runs in which something told twice would show.
const MORE_RUNS: f64 = 6.0;

/// A check that connects to a door.
fn tcp(name: &str, every: &str, door: &Door, more: &str) -> String {
    format!(
        "[[check]]\nname = '{name}'\ntitle = '{name}'\nsection = 'site'\nevery = '{every}'\ntimeout = '{every}'\n\
         probe.tcp = {{ address = '{}' }}\n{more}\n",
        door.address()
    )
}

fn doors(number: usize) -> Vec<Door> {
    (0..number).map(|_| Door::new(drop)).collect()
}

fn site(number: usize) -> String {
    format!("site-{}", char::from(b'a' + number as u8))
}

/// Whom all alerts are told, through the channels in this order.
fn contact(wait: &str, channels: &[String]) -> String {
    let names: Vec<String> = (0..channels.len()).map(|number| format!("'way-{number}'")).collect();
    let mut text = format!("[alerting]\npage = {{ to = ['on-call'], wait = '{wait}' }}\n");
    text += "[[contact]]\nname = 'on-call'\nchannels = [";
    writeln!(text, "{}]", names.join(", ")).expect("a text");
    text + &channels.concat()
}

/// Targets that die, and who is told of it.
struct World {
    agent: Agent,
    /// What is checked by `site-a`, `site-b`, …
    targets: Vec<Door>,
    inbox: Inbox,
}

impl World {
    /// One check of one target, found well once.
    fn new(name: &str, protocol: Protocol) -> World {
        World::with_targets(1, name, protocol, ("", WAIT))
    }

    /// So many, since one that dies often is flapping; with `more` in each check, and so long a wait for company.
    fn with_targets(number: usize, name: &str, protocol: Protocol, (more, wait): (&str, &str)) -> World {
        let (targets, inbox) = (doors(number), Inbox::new(protocol));
        let checks: String =
            targets.iter().enumerate().map(|(at, target)| tcp(&site(at), EVERY, target, more)).collect();
        let alerts = contact(wait, &[inbox.channel("way-0", "2s")]);
        let name = format!("alerts-{name}-{protocol:?}").to_lowercase();
        let agent = Agent::start_alerting(&name, &[("a", &checks)], &alerts, &[]);
        agent.wait_until_ready();
        World { agent, targets, inbox }
    }

    fn target(&self) -> &Door {
        &self.targets[0]
    }

    fn wait_for(&self, what: &str, ready: impl Fn(&World) -> bool) {
        self.agent.wait_for(what, |_| ready(self));
    }

    /// Waits until so many messages are with who is told, and then until something told twice would show.
    fn is_told(&self, expected: &[&str]) {
        self.wait_for(&format!("{expected:?}"), |world| world.inbox.taken().len() >= expected.len());
        self.says_no_more_than(expected);
    }

    fn says_no_more_than(&self, expected: &[&str]) {
        let before = runs(&self.agent, "site-a");
        self.wait_for("more runs", |world| runs(&world.agent, "site-a") >= before + MORE_RUNS);
        assert_eq!(told(&self.inbox.taken()), expected, "{:#?}", self.agent.log());
    }

    /// Tries that came to nothing.
    fn wait_for_failures(&self, kind: &str, number: f64) {
        let series =
            format!("atalaya_notifications_total{{channel=\"way-0\",kind=\"{kind}\",result=\"retried\"}}");
        self.wait_for("a try to fail", |world| {
            world.agent.metric(&series).is_some_and(|count| count >= number)
        });
    }

    /// The alert is over, whoever knows of it.
    fn wait_until_well(&self) {
        self.wait_for("the alert to be over", |world| world.agent.get("/api/v1/alerts").body == "[]");
    }

    /// Until it is booked that it was told.
    fn break_and_be_told(&self) {
        self.target().close();
        self.wait_for("the outage to be told", |world| !world.inbox.taken().is_empty());
        let before = runs(&self.agent, "site-a");
        self.wait_for("more runs", |world| runs(&world.agent, "site-a") >= before + 2.0);
    }

    fn kill_and_restart(&mut self) {
        self.agent.kill();
        self.agent.restart();
    }

    /// Stops it and looks at what it leaves: nothing that is still to be told, and ends in the thread of beginnings.
    fn end(mut self) {
        self.leave_nothing();
        let taken = self.inbox.taken();
        for pair in taken.windows(2).filter(|pair| !pair[0].over && pair[1].over) {
            match self.inbox.protocol {
                Protocol::Mail => assert_eq!(pair[1].in_reply_to.as_ref(), Some(&pair[0].key)),
                Protocol::Webhook => assert_eq!(pair[1].alerts, pair[0].alerts, "the same episode"),
            }
        }
    }

    /// Stops it: nothing is still to be told, and no episode is open.
    fn leave_nothing(&mut self) {
        assert_eq!(self.agent.terminate().code(), Some(0));
        let store = Store::of(&self.agent);
        assert_eq!(store.pending, 0, "messages that nobody was told");
        assert!(store.episodes.iter().all(|(_, over)| *over), "{:?}", store.episodes);
    }
}

/// Each message as `down site-a` or `well site-a`.
fn told(messages: &[Message]) -> Vec<String> {
    let say = |message: &Message| {
        let names: Vec<&str> = message.names.iter().map(String::as_str).collect();
        format!("{} {}", if message.over { "well" } else { "down" }, names.join(" "))
    };
    messages.iter().map(say).collect()
}

/// How often a check has run since the agent began.
fn runs(agent: &Agent, check: &str) -> f64 {
    let prefix = format!("atalaya_check_runs_total{{check=\"{check}\"");
    let metrics = agent.metrics();
    metrics.iter().filter(|(name, _)| name.starts_with(&prefix)).map(|(_, value)| value).sum()
}

/// Runs that were due and did not happen.
fn dropped(agent: &Agent) -> f64 {
    let metrics = agent.metrics();
    let dropped = metrics.iter().filter(|(name, _)| name.starts_with("atalaya_check_dropped_runs_total"));
    dropped.map(|(_, value)| value).sum()
}

/// What the file of an agent that has ended says.
struct Store {
    /// Messages that are still to be delivered.
    pending: usize,
    /// Each episode as `check since when`, and whether it has ended.
    episodes: Vec<(String, bool)>,
}

impl Store {
    fn of(agent: &Agent) -> Store {
        let path = agent.directory.join("atalaya.db");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let url = format!("sqlite://{}", path.display());
            let mut store = sqlx::SqliteConnection::connect(&url).await.expect("the store");
            let pending: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox WHERE state = 'pending'")
                .fetch_one(&mut store)
                .await
                .expect("the outbox");
            let rows: Vec<(String, i64, Option<i64>)> =
                sqlx::query_as("SELECT alert, fired, ended FROM episode ORDER BY id")
                    .fetch_all(&mut store)
                    .await
                    .expect("the episodes");
            let episode = |(alert, fired, ended): (String, i64, Option<i64>)| {
                let check = alert.strip_prefix("check/")?.to_owned();
                let fired = jiff::Timestamp::from_nanosecond(fired.into()).expect("a moment");
                Some((format!("{check} {fired}"), ended.is_some()))
            };
            Store {
                pending: usize::try_from(pending).expect("a count"),
                episodes: rows.into_iter().filter_map(episode).collect(),
            }
        })
    }
}

/// Plays a case with a webhook and with mail, at once.
fn with_both(case: impl Fn(Protocol) + Sync) {
    std::thread::scope(|scope| {
        let case = &case;
        for protocol in [Protocol::Webhook, Protocol::Mail] {
            scope.spawn(move || case(protocol));
        }
    });
}
