//! Windows looked at from inside, for charts: the slices that they are made of.

use super::{Counts, Total, Window, Windows};
use crate::clock::Steady;
use crate::record::cells::Cells;

/// One minute of the last hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Minute {
    pub ago: u8,
    pub failed: u64,
    pub mean_seconds: f64,
}

/// One stretch of a window, for charts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stretch {
    /// When it begins.
    pub from: Steady,
    pub counts: Counts,
    pub cells: Cells,
    /// Of all durations in microseconds.
    pub sum_us: u64,
}

impl Windows {
    /// The stretches in which something happened, the oldest first: minutes of the hour, quarters of an hour of the day.
    pub fn stretches(&self, window: Window) -> impl Iterator<Item = Stretch> + '_ {
        let ring = if window == Window::Day { &self.quarters } else { &self.minutes };
        let begins = |index: u64| ring.length * u32::try_from(index).unwrap_or(u32::MAX);
        let over = ring.over.iter().map(move |slice| Stretch {
            from: begins(u64::from(slice.index)),
            counts: slice.counts(),
            cells: slice.cells.unpack(),
            sum_us: slice.sum_us,
        });
        let now = (ring.current != Total::default()).then(|| Stretch {
            from: begins(ring.index),
            counts: ring.current.counts,
            cells: ring.current.cells.clone(),
            sum_us: ring.current.sum_us,
        });
        over.chain(now)
    }

    /// Each minute of the last hour in which something happened: how many minutes ago, how often it ran, how often it failed,
    /// and the mean duration in seconds.
    pub fn minutes(&self) -> impl Iterator<Item = Minute> + '_ {
        let newest = self.minutes.index;
        let over =
            self.minutes.over.iter().map(|slice| (u64::from(slice.index), slice.counts(), slice.sum_us));
        let current = &self.minutes.current;
        over.chain(std::iter::once((newest, current.counts, current.sum_us))).filter_map(
            move |(index, counts, sum_us)| {
                let known = counts.known();
                Some(Minute {
                    ago: u8::try_from(newest - index).ok()?,
                    failed: counts.failed,
                    mean_seconds: (known > 0).then(|| sum_us as f64 / 1e6 / known as f64)?,
                })
            },
        )
    }
}
