//! Durations over time as a heat map: how many runs took how long, with the percentile lines over it.
//!
//! The cells are those of the HDR histograms themselves, joined to rows of equal height on a logarithmic scale, so
//! nothing is averaged: two crowds of runs show as two bands, where a line of any percentile would show one of them.

use super::axis::{self, Axis};
use super::ink::{GRID, Ink, Sheet, cell, series};
use super::{BOTTOM, LEFT, RIGHT, Range, TOP, Unit};
use plotters::chart::ChartBuilder;
use plotters::element::{PathElement, Rectangle};
use plotters::prelude::IntoDrawingArea;
use plotters::style::{Color, TRANSPARENT};

/// A heat map.
#[derive(Debug, Clone)]
pub struct Heat {
    pub range: Range,
    /// Of a column, in seconds.
    pub step: f64,
    pub columns: Vec<Column>,
}

/// What happened in one stretch of time.
#[derive(Debug, Clone, Default)]
pub struct Column {
    /// From (seconds), to, and how many runs took as long.
    pub cells: Vec<(f64, f64, u64)>,
    /// P50, P95, P99 in seconds.
    pub quantiles: Option<[f64; 3]>,
    /// The share of failed runs.
    pub failed_ratio: f64,
}

impl Heat {
    pub fn svg(&self, label: &str) -> String {
        let mut sheet = Sheet::default();
        // A surface that is text in memory draws everything.
        self.draw(&mut sheet).ok();
        sheet.svg(label)
    }

    /// From the shortest to the longest of all, with some room.
    fn durations(&self) -> (f64, f64) {
        let cells = self.columns.iter().flat_map(|column| &column.cells);
        let (mut low, mut high) = (f64::INFINITY, 0_f64);
        for (from, to, _) in cells {
            (low, high) = (low.min(*from), high.max(*to));
        }
        if high == 0.0 {
            return (0.001, 1.0);
        }
        let low = low.max(1e-5).min(high / 4.0);
        (low * 0.9, high * 1.1)
    }

    fn draw(&self, sheet: &mut Sheet) -> Result<(), Box<dyn std::error::Error + '_>> {
        let (from, to) = self.range.seconds();
        let (low, high) = self.durations();
        let most = self.columns.iter().flat_map(|column| &column.cells).map(|(_, _, count)| *count).max();
        let most = (most.unwrap_or(1) as f64).ln_1p();
        let area = Ink::new(sheet).into_drawing_area();
        let span = to - from;
        let x = Axis::time(from, to);
        let y = Axis::log(low, high);
        let mut chart = ChartBuilder::on(&area)
            .margin_top(TOP)
            .margin_right(RIGHT)
            .x_label_area_size(BOTTOM)
            .y_label_area_size(LEFT)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(GRID)
            .label_style(("sans-serif", 11))
            .x_label_formatter(&|at| axis::time_label(*at, span))
            .y_label_formatter(&|value| axis::value_label(*value, Unit::Seconds))
            .draw()?;
        let starts = || (0_u32..).map(|number| from + f64::from(number) * self.step);
        let cells = starts().zip(&self.columns).flat_map(|(at, column)| {
            column.cells.iter().map(move |(shortest, longest, count)| {
                let depth = ((*count as f64).ln_1p() / most * 7.0).round().clamp(0.0, 7.0) as u8;
                let corners = [(at, longest.min(high)), (at + self.step, shortest.max(low))];
                Rectangle::new(corners, cell(depth).filled())
            })
        });
        chart.draw_series(cells)?;
        let failed = starts().zip(&self.columns).filter(|(_, column)| column.failed_ratio > 0.0);
        let base = low * (high / low).powf(0.02);
        let failed =
            failed.map(|(at, _)| Rectangle::new([(at, base), (at + self.step, low)], series(5).filled()));
        chart.draw_series(failed)?;
        for (which, number) in [(0, 4), (1, 2), (2, 3)] {
            let mut line = Vec::new();
            for (at, column) in starts().zip(&self.columns) {
                match column.quantiles {
                    Some(quantiles) => line.push((at + self.step / 2.0, quantiles[which].clamp(low, high))),
                    None => chart
                        .draw_series(std::iter::once(PathElement::new(
                            std::mem::take(&mut line),
                            series(number),
                        )))
                        .map(drop)?,
                }
            }
            chart.draw_series(std::iter::once(PathElement::new(line, series(number))))?;
        }
        area.present()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn every_cell_is_drawn_and_unmeasured_time_is_empty() {
        let at = |seconds: i64| Timestamp::from_second(seconds).expect("a moment");
        let full = Column {
            cells: vec![(0.001, 0.002, 10), (0.1, 0.2, 1)],
            quantiles: Some([0.0015, 0.1, 0.19]),
            failed_ratio: 0.1,
        };
        let columns = vec![full.clone(), Column::default(), full.clone(), full];
        let heat = Heat { range: Range { from: at(0), to: at(240) }, step: 60.0, columns };
        let svg = heat.svg("x");
        assert_eq!(svg.matches("class=\"h").count(), 6, "{svg}");
        assert_eq!(svg.matches("class=\"f5\"").count(), 3, "{svg}");
        assert_eq!(svg.matches("class=\"h7\"").count(), 3, "the most frequent are darkest: {svg}");
    }
}
