//! The past, for pages: read from the store beside the loop, by a connection that can't write, and kept for whoever asks
//! next. However many look, each answer is read once in a while, and no check ever waits for it.
//!
//! What the loop has not handed to the store yet is missing here: up to two minutes. The view has the present.

use crate::alert::Severity;
use crate::clock;
use crate::config::alerting::Objective;
use crate::judge::rule::tier::tiers;
use crate::store::{Reader, StoreError};
use crate::view::past::{self, Burns, Days, Episode, HeatMap, Message, ObjectiveDays, Windows};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, timeout};

/// Whoever waits longer is told that it can't be known now.
const PATIENCE: Duration = Duration::from_secs(10);
/// What changes with the minute.
const MINUTE: Duration = Duration::from_secs(30);
/// What just happened and is looked for.
const SOON: Duration = Duration::from_secs(1);
/// What is long and hardly changes.
const LONG: Duration = Duration::from_mins(10);
/// Charts that are kept; the oldest goes.
const CHARTS_MAX: usize = 64;
/// A connection is opened anew now and then: the file may be another one.
const REOPEN: Duration = Duration::from_mins(10);
/// Of a chart of burn rates.
const POINTS: u32 = 240;

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
            Span::Day => (15, 96),
            Span::Week => (60, 168),
            Span::FourWeeks => (360, 112),
            Span::Quarter => (1440, 90),
        }
    }
}

/// Why the past can't be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread(pub String);

type Kept<T> = Option<(Instant, Arc<T>)>;

/// The past, kept.
#[derive(Clone)]
pub struct Almanac(Arc<Mutex<Shelf>>);

struct Shelf {
    path: Option<PathBuf>,
    reader: Option<(Instant, Reader)>,
    days: Kept<Days>,
    objective_days: Kept<ObjectiveDays>,
    windows: HashMap<Span, (Instant, Arc<Windows>)>,
    maps: HashMap<(Arc<str>, Span), (Instant, Arc<HeatMap>)>,
    burns: HashMap<(Arc<str>, Span), (Instant, Arc<Burns>)>,
    episodes: Kept<Vec<Episode>>,
    messages: Kept<Vec<Message>>,
}

fn fresh<T>(kept: Option<&(Instant, Arc<T>)>, age: Duration) -> Option<Arc<T>> {
    kept.filter(|(read, _)| read.elapsed() < age).map(|(_, value)| value.clone())
}

/// Keeps at most so many: the one that was read first goes.
fn keep<K: Clone + Eq + std::hash::Hash, T>(kept: &mut HashMap<K, (Instant, Arc<T>)>, key: K, value: Arc<T>) {
    if kept.len() >= CHARTS_MAX
        && let Some(oldest) = kept.iter().min_by_key(|(_, (read, _))| *read).map(|(key, _)| key.clone())
    {
        kept.remove(&oldest);
    }
    kept.insert(key, (clock::instant(), value));
}

impl Almanac {
    /// `path` is the file of the store; without one there is no past.
    pub fn new(path: Option<PathBuf>) -> Almanac {
        Almanac(Arc::new(Mutex::new(Shelf {
            path,
            reader: None,
            days: None,
            objective_days: None,
            windows: HashMap::new(),
            maps: HashMap::new(),
            burns: HashMap::new(),
            episodes: None,
            messages: None,
        })))
    }

    /// The last 90 days of all checks.
    pub async fn days(&self) -> Result<Arc<Days>, Unread> {
        let mut shelf = self.shelf().await?;
        if let Some(days) = fresh(shelf.days.as_ref(), MINUTE) {
            return Ok(days);
        }
        let before = shelf.days.as_ref().map(|(_, days)| days.clone());
        let read = async |reader: &mut Reader| reader.days(clock::wall(), before.as_deref()).await;
        let days = Arc::new(shelf.read(read).await?);
        shelf.days = Some((clock::instant(), days.clone()));
        Ok(days)
    }

    /// The last 90 days of these objectives (name and generation of the indicator).
    pub async fn objective_days(&self, objectives: &[(Arc<str>, u64)]) -> Result<Arc<ObjectiveDays>, Unread> {
        let mut shelf = self.shelf().await?;
        let known = fresh(shelf.objective_days.as_ref(), MINUTE);
        if let Some(days) =
            known.filter(|days| objectives.iter().all(|(name, _)| days.objectives.contains_key(name)))
        {
            return Ok(days);
        }
        let before = shelf.objective_days.as_ref().map(|(_, days)| days.clone());
        let read = async |reader: &mut Reader| {
            reader.objective_days(objectives, clock::wall(), before.as_deref()).await
        };
        let days = Arc::new(shelf.read(read).await?);
        shelf.objective_days = Some((clock::instant(), days.clone()));
        Ok(days)
    }

    /// All checks over the last seven or twenty-eight days, today counted as one: merged histograms, at most ten minutes old.
    pub async fn windows(&self, span: Span) -> Result<Arc<Windows>, Unread> {
        let mut shelf = self.shelf().await?;
        if let Some(windows) = fresh(shelf.windows.get(&span), LONG) {
            return Ok(windows);
        }
        let days = u32::try_from(span.length().as_secs() / 86_400).unwrap_or(1);
        let read = async |reader: &mut Reader| reader.windows(clock::wall(), days).await;
        let windows = Arc::new(shelf.read(read).await?);
        shelf.windows.insert(span, (clock::instant(), windows.clone()));
        Ok(windows)
    }

    /// What the runs of a check took.
    pub async fn heat_map(&self, check: &Arc<str>, span: Span) -> Result<Arc<HeatMap>, Unread> {
        let mut shelf = self.shelf().await?;
        if let Some(map) = fresh(shelf.maps.get(&(check.clone(), span)), MINUTE) {
            return Ok(map);
        }
        let (step, count) = span.columns();
        let read = async |reader: &mut Reader| reader.heat_map(check, clock::wall(), step, count).await;
        let map = Arc::new(shelf.read(read).await?);
        keep(&mut shelf.maps, (check.clone(), span), map.clone());
        Ok(map)
    }

    /// How fast the budget of an objective burned, over all windows that it is judged by.
    pub async fn burns(&self, objective: &Objective, span: Span) -> Result<Arc<Burns>, Unread> {
        let mut shelf = self.shelf().await?;
        let key = (objective.name.clone(), span);
        if let Some(burns) = fresh(shelf.burns.get(&key), MINUTE) {
            return Ok(burns);
        }
        let to = clock::wall();
        let earlier = |at: Timestamp, by: Duration| {
            at.saturating_sub(SignedDuration::try_from(by).unwrap_or_default()).unwrap_or(Timestamp::MIN)
        };
        let from = earlier(to, span.length());
        let reach = (earlier(from, objective.window), to);
        let read =
            async |reader: &mut Reader| reader.minutes_of(&objective.name, objective.generation, reach).await;
        let minutes = shelf.read(read).await?;
        let (budget, whole) = (f64::from(objective.budget_ppm()) / 1e6, objective.window);
        let windows = windows_of(objective);
        let made = tokio::task::spawn_blocking(move || {
            past::burns(&minutes, (budget, whole), &windows, (from, to), POINTS)
        });
        let burns = Arc::new(made.await.map_err(|error| Unread(error.to_string()))?);
        keep(&mut shelf.burns, key, burns.clone());
        Ok(burns)
    }

    /// Alerts that fired within the last 90 days, the newest first.
    pub async fn episodes(&self) -> Result<Arc<Vec<Episode>>, Unread> {
        let mut shelf = self.shelf().await?;
        if let Some(episodes) = fresh(shelf.episodes.as_ref(), SOON) {
            return Ok(episodes);
        }
        let episodes = Arc::new(
            shelf.read(async |reader: &mut Reader| reader.recent_episodes(clock::wall()).await).await?,
        );
        shelf.episodes = Some((clock::instant(), episodes.clone()));
        Ok(episodes)
    }

    /// What was sent to whom and what waits, the newest first.
    pub async fn messages(&self) -> Result<Arc<Vec<Message>>, Unread> {
        let mut shelf = self.shelf().await?;
        if let Some(messages) = fresh(shelf.messages.as_ref(), SOON) {
            return Ok(messages);
        }
        let messages = Arc::new(shelf.read(async |reader: &mut Reader| reader.messages().await).await?);
        shelf.messages = Some((clock::instant(), messages.clone()));
        Ok(messages)
    }

    async fn shelf(&self) -> Result<MutexGuard<'_, Shelf>, Unread> {
        let waited = timeout(PATIENCE, self.0.lock()).await;
        waited.map_err(|_elapsed| Unread("the past is being read; try again".to_owned()))
    }
}

/// Windows that are judged, the shortest first.
fn windows_of(objective: &Objective) -> Vec<Duration> {
    let tiers = Severity::ALL.into_iter().flat_map(|severity| tiers(objective, severity));
    let mut minutes: Vec<u32> = tiers.flat_map(|tier| [tier.short, tier.long]).collect();
    minutes.sort_unstable();
    minutes.dedup();
    minutes.into_iter().map(|minutes| Duration::from_mins(minutes.into())).collect()
}

impl Shelf {
    /// Asks the store. After any error, and where it takes too long, the next one who asks opens it anew.
    async fn read<T>(
        &mut self,
        ask: impl AsyncFnOnce(&mut Reader) -> Result<T, StoreError>,
    ) -> Result<T, Unread> {
        let Some(path) = &self.path else {
            return Err(Unread("this agent keeps nothing: it was started without a store".to_owned()));
        };
        let asked = async {
            let mut reader = match self.reader.take().filter(|(opened, _)| opened.elapsed() < REOPEN) {
                Some(reader) => reader,
                None => (clock::instant(), Reader::open(path).await?),
            };
            let answer = ask(&mut reader.1).await?;
            self.reader = Some(reader);
            Ok::<_, StoreError>(answer)
        };
        match timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Unread(error.to_string())),
            Err(_elapsed) => Err(Unread("the store takes too long to answer".to_owned())),
        }
    }
}
