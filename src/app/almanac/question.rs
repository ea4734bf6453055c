//! What is asked of the store: where the answer is kept, for how long, and how it is read.

use super::shelf::{Kept, Promised, Shelf};
use super::{Span, Unread};
use crate::alert::Severity;
use crate::clock;
use crate::config::alerting::Objective;
use crate::judge::rule::tier::tiers;
use crate::store::Reader;
use crate::view::past::{self, Burns, Days, Episode, HeatMap, Message, ObjectiveDays, Windows};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// What changes with the minute.
const MINUTE: Duration = Duration::from_secs(30);
/// What just happened and is looked for.
const SOON: Duration = Duration::from_secs(1);
/// What is long and hardly changes.
const LONG: Duration = Duration::from_mins(10);
/// Of a chart of burn rates.
const POINTS: u32 = 240;

pub(super) trait Question: Send + Sync + 'static {
    type Answer: Send + Sync + 'static;
    /// For so long an answer is as good as a new one.
    const FRESH: Duration;
    /// For so long it is given, while a new one is read behind whoever asked.
    const USABLE: Duration = Self::FRESH;

    fn place<'s>(&self, shelf: &'s mut Shelf) -> &'s mut Kept<Self::Answer>;

    /// Reads it; `before` is what was read before, however old.
    fn read(
        &self,
        reader: &mut Reader,
        before: Option<&Self::Answer>,
    ) -> impl Future<Output = Result<Self::Answer, Unread>> + Send;
}

pub(super) struct OfDays;

impl Question for OfDays {
    type Answer = Days;
    const FRESH: Duration = MINUTE;
    const USABLE: Duration = LONG;

    fn place<'s>(&self, shelf: &'s mut Shelf) -> &'s mut Kept<Days> {
        &mut shelf.days
    }

    async fn read(&self, reader: &mut Reader, before: Option<&Days>) -> Result<Days, Unread> {
        Ok(reader.days(clock::wall(), before).await?)
    }
}

pub(super) struct OfObjectives(pub Promised);

impl Question for OfObjectives {
    type Answer = ObjectiveDays;
    const FRESH: Duration = MINUTE;
    const USABLE: Duration = LONG;

    fn place<'s>(&self, shelf: &'s mut Shelf) -> &'s mut Kept<ObjectiveDays> {
        // Of other objectives, or of the same with another indicator, nothing is known yet.
        if shelf.promised != self.0 {
            shelf.promised = self.0.clone();
            shelf.objective_days = Kept::default();
        }
        &mut shelf.objective_days
    }

    async fn read(
        &self,
        reader: &mut Reader,
        before: Option<&ObjectiveDays>,
    ) -> Result<ObjectiveDays, Unread> {
        Ok(reader.objective_days(&self.0, clock::wall(), before).await?)
    }
}

pub(super) struct OfWindows(pub Span);

impl Question for OfWindows {
    type Answer = Windows;
    const FRESH: Duration = LONG;
    const USABLE: Duration = Duration::from_hours(1);

    fn place<'s>(&self, shelf: &'s mut Shelf) -> &'s mut Kept<Windows> {
        shelf.windows.entry(self.0).or_default()
    }

    async fn read(&self, reader: &mut Reader, _: Option<&Windows>) -> Result<Windows, Unread> {
        let days = u32::try_from(self.0.length().as_secs() / 86_400).unwrap_or(1);
        Ok(reader.windows(clock::wall(), days).await?)
    }
}

pub(super) struct OfHeatMap(pub Arc<str>, pub Span);

impl Question for OfHeatMap {
    type Answer = HeatMap;
    const FRESH: Duration = MINUTE;

    fn place<'s>(&self, shelf: &'s mut Shelf) -> &'s mut Kept<HeatMap> {
        shelf.maps.place(&(self.0.clone(), self.1))
    }

    async fn read(&self, reader: &mut Reader, _: Option<&HeatMap>) -> Result<HeatMap, Unread> {
        let (step, count) = self.1.columns();
        Ok(reader.heat_map(&self.0, clock::wall(), step, count).await?)
    }
}

pub(super) struct OfBurns(pub Arc<Objective>, pub Span);

impl Question for OfBurns {
    type Answer = Burns;
    const FRESH: Duration = MINUTE;

    fn place<'s>(&self, shelf: &'s mut Shelf) -> &'s mut Kept<Burns> {
        shelf.burns.place(&(self.0.name.clone(), self.0.generation, self.1))
    }

    async fn read(&self, reader: &mut Reader, _: Option<&Burns>) -> Result<Burns, Unread> {
        let objective = &self.0;
        let to = clock::wall();
        let earlier = |at: Timestamp, by: Duration| {
            at.saturating_sub(SignedDuration::try_from(by).unwrap_or_default()).unwrap_or(Timestamp::MIN)
        };
        let from = earlier(to, self.1.length());
        let reach = (earlier(from, objective.window), to);
        let minutes = reader.minutes_of(&objective.name, objective.generation, reach).await?;
        let (budget, whole) = (f64::from(objective.budget_ppm()) / 1e6, objective.window);
        let windows = windows_of(objective);
        let made = tokio::task::spawn_blocking(move || {
            past::burns(&minutes, (budget, whole), &windows, (from, to), POINTS)
        });
        made.await.map_err(|error| Unread(error.to_string()))
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

pub(super) struct OfEpisodes;

impl Question for OfEpisodes {
    type Answer = Vec<Episode>;
    const FRESH: Duration = SOON;

    fn place<'s>(&self, shelf: &'s mut Shelf) -> &'s mut Kept<Vec<Episode>> {
        &mut shelf.episodes
    }

    async fn read(&self, reader: &mut Reader, _: Option<&Vec<Episode>>) -> Result<Vec<Episode>, Unread> {
        Ok(reader.recent_episodes(clock::wall()).await?)
    }
}

pub(super) struct OfMessages;

impl Question for OfMessages {
    type Answer = Vec<Message>;
    const FRESH: Duration = SOON;

    fn place<'s>(&self, shelf: &'s mut Shelf) -> &'s mut Kept<Vec<Message>> {
        &mut shelf.messages
    }

    async fn read(&self, reader: &mut Reader, _: Option<&Vec<Message>>) -> Result<Vec<Message>, Unread> {
        Ok(reader.messages().await?)
    }
}
