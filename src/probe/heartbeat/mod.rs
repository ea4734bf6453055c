//! `heartbeat`: whether a job of the shop's does its work, from what the job tells by itself.
//!
//! Nobody can look at a backup or a cron route from outside; its silence is the failure. The job tells at `/heartbeat/JOB`
//! (see `ingest/ping.rs`); here is looked at what was heard, so a run asks nobody but the agent's own store. Only an agent
//! that runs hears anything: a one-shot look skips these checks and says so.

mod judge;
mod runs;
mod schedule;

use super::{Build, Context, Kind, MeasureInfo, Run, Running};
use crate::config::text::Text;
use crate::config::value::Period;
use crate::config::zone::Zone;
use crate::ingest::ping;
use crate::outcome::{Fault, Outcome};
use judge::Expected;
use schedule::Schedule;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// A job that tells that it ran: at `schedule` or `every` so often, and is late after `grace`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// Its name in the address that it calls: `/heartbeat/JOB`, and `/heartbeat/JOB/start`, `/fail` and the like.
    job: String,
    /// When it is due, as a cron expression: "0 3 * * 1".
    schedule: Option<String>,
    /// The zone of `schedule`: UTC unless given.
    time_zone: Option<Zone>,
    /// Or how long after its last success it is due again.
    every: Option<Period>,
    /// How long after that its success may come. Without `longest` this holds the whole run.
    grace: Period,
    /// How long a run may take from its start to its end; while it does, the job is not late. Without it until the next
    /// is due.
    longest: Option<Period>,
    /// What whoever calls shows, such as `"${ATALAYA_INGEST_TOKEN}"`: the check is skipped where it is not set, since
    /// nobody can call then. Nothing is compared with it here.
    sent_with: Option<Text>,
}

impl Kind for Heartbeat {
    fn name(&self) -> &'static str {
        "heartbeat"
    }

    fn measures(&self) -> &'static [MeasureInfo] {
        judge::MEASURES
    }

    fn is_heard(&self) -> bool {
        true
    }

    fn hears(&self) -> Option<&str> {
        Some(&self.job)
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Run>> {
        if !ping::is_name(&self.job) {
            let text = format!(
                "`{}` is no name of a job, which is 1 to 64 of a-z, 0-9, `_` and `-`, with a letter or digit first",
                self.job
            );
            build.fault("job", text);
        }
        let schedule = self.schedule(build)?;
        let longest = self.longest.map(Period::get);
        if let Some(longest) = self.longest
            && longest.get() > schedule.gap()
        {
            let gap = humantime::format_duration(schedule.gap());
            let text = format!("{longest} is longer than the time from one run to the next, which is {gap}");
            build.fault("longest", text);
        }
        let can_come = self.sent_with.as_ref().is_none_or(|text| build.secret("sent_with", text).is_some());
        if !can_come || !build.found.faults.is_empty() {
            return None;
        }
        let expected = Expected { schedule, grace: self.grace.get(), longest };
        Some(Box::new(Listener { job: self.job.as_str().into(), expected }))
    }
}

impl Heartbeat {
    fn schedule(&self, build: &mut Build<'_>) -> Option<Schedule> {
        if self.time_zone.is_some() && self.schedule.is_none() {
            build.fault("time_zone", "only a `schedule` has a time zone");
        }
        match (&self.schedule, self.every) {
            (Some(cron), None) => {
                let zone = self.time_zone.as_ref().map_or(jiff::tz::TimeZone::UTC, |zone| zone.0.clone());
                Schedule::cron(cron, zone).map_err(|why| build.fault("schedule", why)).ok()
            }
            (None, Some(every)) => Schedule::every(every).map_err(|why| build.fault("every", why)).ok(),
            _ => {
                build.fault("", "a heartbeat needs exactly one of `schedule` and `every`");
                None
            }
        }
    }
}

/// A heartbeat to look for.
struct Listener {
    job: Arc<str>,
    expected: Expected,
}

impl Run for Listener {
    fn run<'a>(&'a self, cx: &'a Context) -> Running<'a> {
        Box::pin(async {
            let Some(received) = &cx.received else {
                return Fault::internal("nobody listens here: heartbeats are heard by an agent that runs")
                    .into();
            };
            match received.pings(&self.job, self.expected.since(cx.now)).await {
                Ok(pings) => judge::judge(cx.now, &self.job, &pings, &self.expected),
                Err(why) => Outcome::from(Fault::internal(format!("can't read what was heard: {why}"))),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::text::Variables;
    use crate::outcome::Status;
    use crate::probe::net::Net;
    use crate::probe::{Found, look};
    use jiff::Timestamp;
    use std::time::Duration;

    /// Keys, and what is wrong at each.
    type Faults = Vec<(String, String)>;

    fn built(table: &str) -> Result<Option<Box<dyn Run>>, Faults> {
        let heartbeat: Heartbeat =
            toml::from_str(table).map_err(|error| vec![(String::new(), error.message().to_owned())])?;
        let variables = Variables::new(Vec::<(&str, &str)>::new(), |_| unreachable!("no files"));
        let (every, timeout) = (Duration::from_mins(1), Duration::from_secs(10));
        let net = Arc::new(Net::new().expect("a network"));
        let mut build = Build { variables: &variables, every, timeout, net: &net, found: Found::default() };
        let run = heartbeat.build(&mut build);
        let faults: Vec<_> = build.found.faults.into_iter().map(|fault| (fault.key, fault.text)).collect();
        if faults.is_empty() { Ok(run) } else { Err(faults) }
    }

    fn check(table: &str, expected: &[(&str, &str)]) {
        let found = built(table).err().unwrap_or_default();
        let found: Vec<_> = found.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
        assert_eq!(found, expected, "{table}");
    }

    #[tokio::test]
    async fn nonsense_is_told_at_its_key() {
        check(
            "job = 'backup'\nschedule = '0 3 * * 1'\ntime_zone = 'America/Los_Angeles'\ngrace = '2h'\nlongest = '1h'",
            &[],
        );
        check("job = 'queue'\nevery = '30m'\ngrace = '5m'\nlongest = '30m'", &[]);
        let one_of = ("", "a heartbeat needs exactly one of `schedule` and `every`");
        check("job = 'a'\ngrace = '1m'", &[one_of]);
        check("job = 'a'\ngrace = '1m'\nevery = '1h'\nschedule = '0 3 * * *'", &[one_of]);
        check(
            "job = 'a'\ngrace = '1m'\ntime_zone = 'UTC'",
            &[("time_zone", "only a `schedule` has a time zone"), one_of],
        );
        check(
            "job = 'The Backup'\ngrace = '1m'\nevery = '1h'",
            &[(
                "job",
                "`The Backup` is no name of a job, which is 1 to 64 of a-z, 0-9, `_` and `-`, with a letter or digit first",
            )],
        );
        check(
            "job = 'a'\ngrace = '1m'\nevery = '10ms'",
            &[("every", "10ms is too often for a job; the shortest is 1s")],
        );
        check(
            "job = 'a'\ngrace = '1m'\nschedule = '0 0 30 2 *'",
            &[(
                "schedule",
                "`0 0 30 2 *` names a day that no year has; the fields are minute, hour, day of the month, month, weekday",
            )],
        );
        check(
            "job = 'a'\ngrace = '1m'\nevery = '1h'\nlongest = '61m'",
            &[("longest", "1h 1m is longer than the time from one run to the next, which is 1h")],
        );
        check(
            "job = 'a'\ngrace = '1m'\nschedule = '*/10 9-17 * * 1-5'\nlongest = '11m'",
            &[("longest", "11m is longer than the time from one run to the next, which is 10m")],
        );
        for (key, table) in [
            ("", "job = 'a'\ngrace = '0s'\nevery = '1h'"),
            ("", "job = 'a'\nevery = '1h'"),
            ("", "job = 'a'\ngrace = '1m'\nevery = '1h'\nlongst = '1h'"),
            ("", "job = 'a'\ngrace = '1m'\nschedule = '0 3 * * *'\ntime_zone = 'Mars'"),
            ("schedule", "job = 'a'\ngrace = '1m'\nschedule = '61 3 * * *'"),
            ("schedule", "job = 'a'\ngrace = '1m'\nschedule = 'daily'"),
        ] {
            let faults = built(table).err().expect("a fault");
            assert_eq!(faults[0].0, key, "{table}");
        }
    }

    #[tokio::test]
    async fn where_nobody_listens_nobody_knows() {
        let run = built("job = 'a'\ngrace = '1m'\nevery = '1h'").ok().flatten().expect("a probe");
        let outcome = look(&*run, Timestamp::UNIX_EPOCH, Duration::from_secs(1)).await.outcome;
        assert_eq!(outcome.status(), Status::Unknown);
    }
}
