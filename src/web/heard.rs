//! What pages and the API show of what the shop says: gathered once for all who look, since a week of it is much to add up.

use super::Shared;
use super::server::Peer;
use crate::app::Eyes;
use crate::app::intake::Intake;
use crate::clock;
use crate::ingest::{PingWord, Received};
use crate::outcome::Measure;
use crate::view::heard::{Heard, Span};
use crate::view::{CheckView, View};
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use jiff::Timestamp;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// What is to be known by then is not known.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was heard of each span, and when it was gathered.
#[derive(Default)]
pub struct Ear {
    spans: [Mutex<Option<Gathered>>; Span::ALL.len()],
}

/// When, and what.
type Gathered = (Instant, Arc<Heard>);

/// For so long what was gathered is good enough: a small part of a column of the chart.
const fn fresh(span: Span) -> Duration {
    Duration::from_secs(match span {
        Span::Hour => 1,
        Span::Day => 15,
        Span::Week => 60,
    })
}

impl Ear {
    /// Whoever comes while it is gathered waits for the same.
    pub async fn heard(&self, intake: &Intake, span: Span) -> Result<Arc<Heard>, String> {
        let gather = async {
            let mut last = self.spans[span as usize].lock().await;
            if let Some((at, heard)) = last.as_ref()
                && clock::instant().saturating_duration_since(*at) < fresh(span)
            {
                return Ok(heard.clone());
            }
            let heard = Arc::new(intake.heard(span, clock::wall()).await?);
            *last = Some((clock::instant(), heard.clone()));
            Ok(heard)
        };
        timeout(PATIENCE, gather).await.unwrap_or_else(|_| {
            Err("what was received can't be read now: too much comes, or the disk is slow".to_owned())
        })
    }
}

/// A job that tells of itself, and the check that listens.
pub struct Beat {
    pub check: Arc<CheckView>,
    pub job: String,
    pub start: Option<Timestamp>,
    pub success: Option<Timestamp>,
    pub fail: Option<Timestamp>,
    pub code: Option<u8>,
}

impl Beat {
    fn measure(&self, name: &str) -> Option<f64> {
        let of_that_name = |measure: &&Measure| measure.name == name;
        let last = self.check.last.as_ref()?;
        last.run.outcome.measures.iter().find(of_that_name).map(|measure| measure.value)
    }

    /// How long its last success took, where anybody can tell.
    pub fn took(&self) -> Option<f64> {
        self.measure("last_duration_seconds")
    }

    pub fn is_running(&self) -> Option<bool> {
        self.measure("running").map(|running| running > 0.0)
    }
}

/// All of them, in the order of the definitions.
pub async fn beats(eyes: &Eyes, view: &View) -> Result<Vec<Beat>, String> {
    let mut beats = Vec::new();
    for check in &view.checks {
        let Some(job) = check.check.definition.kind().hears() else { continue };
        // The newest of each word, and nothing else.
        let asked = timeout(PATIENCE, eyes.intake.pings(job, Timestamp::MAX)).await;
        let pings = asked.unwrap_or_else(|_| Err("what was heard can't be read now".to_owned()))?.pings;
        let mut beat = Beat {
            check: check.clone(),
            job: job.to_owned(),
            start: None,
            success: None,
            fail: None,
            code: None,
        };
        for ping in pings {
            match ping.word {
                PingWord::Start => beat.start = Some(ping.at),
                PingWord::Success => beat.success = Some(ping.at),
                PingWord::Fail(code) => (beat.fail, beat.code) = (Some(ping.at), code),
                PingWord::Log => {}
            }
        }
        beats.push(beat);
    }
    Ok(beats)
}

/// Under which address this agent was asked.
pub struct Asked(String);

impl Asked {
    /// Where others reach it: as the definitions say, or else as it was asked.
    pub fn reached(self, view: &View) -> String {
        view.left_out.policy.url.clone().unwrap_or(self.0)
    }
}

impl FromRequestParts<Shared> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Asked, Infallible> {
        let scheme =
            if parts.extensions.get::<Peer>().is_some_and(|peer| peer.tls) { "https" } else { "http" };
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        Ok(Asked(format!("{scheme}://{}", host.unwrap_or("localhost"))))
    }
}
