//! One objective in the mind, and which of the events that it is told of are new.

use crate::config::alerting::Objective;
use crate::fact::Counted;
use crate::judge::calendar::Month;
use crate::judge::{Standing, Tracker};
use crate::store::{Day, Slice};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// For so many minutes after it was counted a minute may still change.
const COUNTED_KEPT: u32 = 60;
/// One objective and what is known about it.
pub struct Promise {
    pub objective: Arc<Objective>,
    pub standing: Option<Arc<Standing>>,
    /// Good and bad events of minutes that are over, since the process began: counters never go down.
    pub events: (u64, u64),
    /// By calendar months, where the objective has a report; made anew every hour.
    pub months: Arc<[Month]>,
    /// Minutes that are not over yet.
    pub(super) open: BTreeMap<u32, Slice>,
    /// Good and bad ones of minutes that were counted lately: one that still changes counts what it gains.
    pub(super) counted: BTreeMap<u32, (u32, u32)>,
    pub(super) tracker: Tracker,
    pub(super) in_maintenance: bool,
}

impl Promise {
    /// `slices` and `days`: what was remembered of it.
    pub(super) fn new(
        objective: Arc<Objective>,
        slices: impl IntoIterator<Item = Slice>,
        days: impl IntoIterator<Item = Day>,
    ) -> Promise {
        Promise {
            tracker: Tracker::new(objective.clone(), slices, days),
            objective,
            standing: None,
            events: (0, 0),
            months: Arc::default(),
            open: BTreeMap::new(),
            counted: BTreeMap::new(),
            in_maintenance: false,
        }
    }

    /// A minute may turn from good to bad while it lasts; it counts when it is over.
    pub(super) fn count(&mut self, now: i64, changed: &[Slice]) {
        self.open.extend(changed.iter().map(|slice| (slice.minute, *slice)));
        // One minute more than it takes: runs that began in it may end in the next.
        let over = u32::try_from(now).unwrap_or(u32::MAX).saturating_sub(1);
        let still_open = self.open.split_off(&over);
        for slice in std::mem::replace(&mut self.open, still_open).into_values() {
            let (good, bad) = self.counted.insert(slice.minute, (slice.good, slice.bad)).unwrap_or_default();
            self.events.0 += u64::from(slice.good.saturating_sub(good));
            self.events.1 += u64::from(slice.bad.saturating_sub(bad));
        }
        self.counted = self.counted.split_off(&over.saturating_sub(COUNTED_KEPT));
    }
}

/// The parts that were not counted yet, in one row from the cursor on: two runs may have counted the same, and what does
/// not follow on what is counted is for the next run.
pub(super) fn new_parts(counted: &[Counted], cursor: Option<Timestamp>) -> Vec<Counted> {
    let mut cursor = cursor;
    let mut new = Vec::new();
    for part in counted.iter().filter(|part| part.to > part.from) {
        match cursor {
            Some(cursor) if part.to <= cursor => continue,
            Some(cursor) if part.from != cursor => break,
            _ => {}
        }
        cursor = Some(part.to);
        new.push(part.clone());
    }
    new
}
