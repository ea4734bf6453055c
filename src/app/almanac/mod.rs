//! The past, for pages: read from the store beside the loop, by a connection that can't write, and kept for whoever asks
//! next. However many look, each answer is read once in a while, and no check ever waits for it.
//!
//! What is kept is given at once, even while something else is being read; what has grown a little old is given too, and
//! read anew behind whoever asked. What the loop has not handed to the store yet is missing here: up to two minutes. The
//! view has the present.

mod question;
mod shelf;

use crate::clock;
use crate::config::Alerting;
use crate::config::alerting::Objective;
use crate::store::{Reader, StoreError};
use crate::view::past::{Burns, Days, Episode, HeatMap, Message, ObjectiveDays, Windows};
use question::{OfBurns, OfDays, OfEpisodes, OfHeatMap, OfMessages, OfObjectives, OfWindows, Question};
use shelf::Shelf;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Whoever waits longer is told that it can't be known now.
const PATIENCE: Duration = Duration::from_secs(10);
/// A connection is opened anew now and then: the file may be another one.
const REOPEN: Duration = Duration::from_mins(10);

/// How far back a chart reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Span {
    SixHours,
    Day,
    Week,
    FourWeeks,
    Quarter,
}

impl Span {
    pub const ALL: [Span; 5] = [Span::SixHours, Span::Day, Span::Week, Span::FourWeeks, Span::Quarter];

    /// The word in addresses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Span::SixHours => "6h",
            Span::Day => "24h",
            Span::Week => "7d",
            Span::FourWeeks => "28d",
            Span::Quarter => "90d",
        }
    }

    pub const fn length(self) -> Duration {
        match self {
            Span::SixHours => Duration::from_hours(6),
            Span::Day => Duration::from_hours(24),
            Span::Week => Duration::from_hours(7 * 24),
            Span::FourWeeks => Duration::from_hours(28 * 24),
            Span::Quarter => Duration::from_hours(90 * 24),
        }
    }

    /// Minutes of a column of a heat map, and how many there are.
    const fn columns(self) -> (u32, u32) {
        match self {
            Span::SixHours => (5, 72),
            Span::Day => (60, 24),
            Span::Week => (60, 168),
            Span::FourWeeks => (360, 112),
            Span::Quarter => (1440, 90),
        }
    }
}

/// Why the past can't be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread(pub String);

impl From<StoreError> for Unread {
    fn from(error: StoreError) -> Unread {
        Unread(error.to_string())
    }
}

/// The past, kept.
#[derive(Clone)]
pub struct Almanac(Arc<House>);

struct House {
    /// The file of the store.
    path: Option<PathBuf>,
    /// Held for moments only.
    shelf: std::sync::Mutex<Shelf>,
    /// Held while it reads.
    reader: tokio::sync::Mutex<Option<(Instant, Reader)>>,
}

impl Almanac {
    /// `path` is the file of the store; without one there is no past.
    pub fn new(path: Option<PathBuf>) -> Almanac {
        Almanac(Arc::new(House {
            path,
            shelf: std::sync::Mutex::default(),
            reader: tokio::sync::Mutex::default(),
        }))
    }

    /// Begins to read what the status page stands on, so that the first who looks need not wait for it.
    pub fn prepare(&self, alerting: Arc<Alerting>) {
        if self.0.path.is_none() {
            return;
        }
        let almanac = self.clone();
        tokio::spawn(async move {
            let days = almanac.days().await.err();
            let objectives = almanac.objective_days(alerting.promised_by_parts()).await.err();
            if let Some(Unread(why)) = days.or(objectives) {
                tracing::warn!(why, "the past can't be read");
            }
        });
    }

    /// The last 90 days of all checks.
    pub async fn days(&self) -> Result<Arc<Days>, Unread> {
        self.ask(OfDays).await
    }

    /// The last 90 days of these objectives (name and generation of the indicator).
    pub async fn objective_days(
        &self,
        objectives: Vec<(Arc<str>, u64)>,
    ) -> Result<Arc<ObjectiveDays>, Unread> {
        self.ask(OfObjectives(objectives.into())).await
    }

    /// All checks over the last seven or twenty-eight days, today counted as one: merged histograms. They are read anew
    /// every ten minutes as long as somebody asks.
    pub async fn windows(&self, span: Span) -> Result<Arc<Windows>, Unread> {
        self.ask(OfWindows(span)).await
    }

    /// What the runs of a check took.
    pub async fn heat_map(&self, check: &Arc<str>, span: Span) -> Result<Arc<HeatMap>, Unread> {
        self.ask(OfHeatMap(check.clone(), span)).await
    }

    /// How fast the budget of an objective burned, over all windows that it is judged by.
    pub async fn burns(&self, objective: &Arc<Objective>, span: Span) -> Result<Arc<Burns>, Unread> {
        self.ask(OfBurns(objective.clone(), span)).await
    }

    /// Alerts that fired within the last 90 days, the newest first.
    pub async fn episodes(&self) -> Result<Arc<Vec<Episode>>, Unread> {
        self.ask(OfEpisodes).await
    }

    /// What was sent to whom and what waits, the newest first.
    pub async fn messages(&self) -> Result<Arc<Vec<Message>>, Unread> {
        self.ask(OfMessages).await
    }

    async fn ask<Q: Question>(&self, question: Q) -> Result<Arc<Q::Answer>, Unread> {
        let (known, is_old) = self.with_shelf(|shelf| {
            let kept = question.place(shelf);
            let is_old = kept.within(Q::FRESH).is_none() && !kept.is_read_anew;
            let known = kept.within(Q::USABLE);
            kept.is_read_anew |= is_old && known.is_some();
            (known, is_old)
        });
        let Some(known) = known else { return self.read(&question).await };
        if is_old {
            let almanac = self.clone();
            tokio::spawn(async move {
                // Whoever asks when it has become too old is told why it could not be read.
                almanac.read(&question).await.ok();
                almanac.with_shelf(|shelf| question.place(shelf).is_read_anew = false);
            });
        }
        Ok(known)
    }

    /// Asks the store. After any error, and where it takes too long, the next one who asks opens it anew.
    async fn read<Q: Question>(&self, question: &Q) -> Result<Arc<Q::Answer>, Unread> {
        let Some(path) = &self.0.path else {
            return Err(Unread("this agent keeps nothing: it was started without a store".to_owned()));
        };
        let waited = timeout(PATIENCE, self.0.reader.lock()).await;
        let mut kept_reader = waited.map_err(|_| Unread("the past is being read; try again".to_owned()))?;
        // Whoever waited may find that another has read it meanwhile.
        let (fresh, before) = self.with_shelf(|shelf| {
            let kept = question.place(shelf);
            (kept.within(Q::FRESH), kept.within(Duration::MAX))
        });
        if let Some(fresh) = fresh {
            return Ok(fresh);
        }
        let asked = async {
            let mut reader = match kept_reader.take().filter(|(opened, _)| opened.elapsed() < REOPEN) {
                Some(reader) => reader,
                None => (clock::instant(), Reader::open(path).await?),
            };
            let answer = question.read(&mut reader.1, before.as_deref()).await?;
            *kept_reader = Some(reader);
            Ok::<_, Unread>(Arc::new(answer))
        };
        let answer = timeout(PATIENCE, asked).await;
        let answer = answer.map_err(|_| Unread("the store takes too long to answer".to_owned()))??;
        self.with_shelf(|shelf| question.place(shelf).put(answer.clone()));
        Ok(answer)
    }

    fn with_shelf<T>(&self, look: impl FnOnce(&mut Shelf) -> T) -> T {
        // What is on it is whole whatever happened to whoever held it.
        look(&mut self.0.shelf.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}
