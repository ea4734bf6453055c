//! Charts as SVG inside the page: there without a script, and in the colours of the page, light or dark.
//!
//! `plotters` lays them out (axes, ticks, labels, series); what it draws goes through [`ink`], which writes classes of the
//! style sheet in place of colours, since a page whose policy forbids inline styles can't colour anything itself.
//!
//! A chart is as wide as there is room, and its letters are as large as those around it: shapes are stretched, labels
//! stand beside them at shares of the width and height.

mod axis;
pub mod columns;
pub mod heat;
mod ink;
pub mod lines;

use jiff::Timestamp;

/// Units of the drawing; the page stretches it to the room that there is.
const SIZE: (u32, u32) = (760, 230);
/// Units around the plot. `plotters` draws no labels where it has no room for them; the left one is cut off, since labels
/// of values stand inside, upon their lines.
const LEFT: u32 = 52;
const TOP: u32 = 16;
const RIGHT: u32 = 14;
const BOTTOM: u32 = 22;

/// What the numbers of an axis are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Seconds,
    /// 1 is 100 %.
    Ratio,
    /// How many times as much: burn rates.
    Times,
    Plain,
}

/// From when to when a chart tells.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Range {
    fn seconds(self) -> (f64, f64) {
        let from = self.from.as_second() as f64;
        (from, (self.to.as_second() as f64).max(from + 60.0))
    }
}
