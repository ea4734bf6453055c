//! Numbers over time, with the bounds that they are held against.

use super::axis::{self, Axis};
use super::ink::{GRID, Ink, Sheet, dashed, series};
use super::{BOTTOM, LEFT, RIGHT, Range, TOP, Unit};
use plotters::chart::ChartBuilder;
use plotters::element::{PathElement, Rectangle};
use plotters::prelude::IntoDrawingArea;
use plotters::style::{Color, TRANSPARENT};

/// A chart of lines.
#[derive(Debug, Clone)]
pub struct Lines {
    pub range: Range,
    pub unit: Unit,
    pub lines: Vec<Line>,
    /// Bounds, with the number of the line that they belong to; 9 for none.
    pub bounds: Vec<(f64, u8)>,
    /// The chart reaches at least so high.
    pub top: f64,
    /// And at most so high: what is above runs along its edge.
    pub ceiling: f64,
}

/// One series. Where nothing was measured there is no line.
#[derive(Debug, Clone)]
pub struct Line {
    /// 1 to 4: its colour; 5 is that of failures.
    pub number: u8,
    /// Seconds since the epoch, and the value.
    pub points: Vec<(f64, Option<f64>)>,
}

impl Lines {
    /// The `svg` element; `label` tells what is in it to those who can't see it.
    pub fn svg(&self, label: &str) -> String {
        let mut sheet = Sheet::default();
        // A surface that is text in memory draws everything.
        self.draw(&mut sheet).ok();
        sheet.svg(label)
    }

    fn draw(&self, sheet: &mut Sheet) -> Result<(), Box<dyn std::error::Error + '_>> {
        let (from, to) = self.range.seconds();
        let values = self.lines.iter().flat_map(|line| &line.points).filter_map(|(_, value)| *value);
        let bounds = self.bounds.iter().map(|(bound, _)| *bound);
        let highest =
            values.clone().chain(bounds).fold(self.top, f64::max).min(self.ceiling).max(1e-9) * 1.08;
        let lowest = values.fold(0.0, f64::min);
        let lowest = if lowest < 0.0 { lowest * 1.08 } else { 0.0 };
        let area = Ink::new(sheet).into_drawing_area();
        let (unit, span) = (self.unit, to - from);
        let x = Axis::time(from, to);
        let y = Axis::value(lowest, highest);
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
            .y_label_formatter(&|value| axis::value_label(*value, unit))
            .draw()?;
        for (bound, number) in &self.bounds {
            let line = vec![(from, *bound), (to, *bound)];
            chart.draw_series(std::iter::once(PathElement::new(line, dashed(*number))))?;
        }
        for line in &self.lines {
            let pieces = line.points.split(|(_, value)| value.is_none()).filter(|piece| !piece.is_empty());
            for piece in pieces {
                let points: Vec<(f64, f64)> =
                    piece.iter().filter_map(|(at, value)| Some((*at, (*value)?.min(highest)))).collect();
                if let [(at, value)] = points.as_slice() {
                    let dot = Rectangle::new(
                        [(*at, *value), (*at + span / 400.0, *value)],
                        series(line.number).filled(),
                    );
                    chart.draw_series(std::iter::once(dot))?;
                } else {
                    chart.draw_series(std::iter::once(PathElement::new(points, series(line.number))))?;
                }
            }
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
    fn what_was_not_measured_is_a_gap_and_colours_are_classes() {
        let at = |seconds: i64| Timestamp::from_second(seconds).expect("a moment");
        let points =
            [(0.0, Some(0.1)), (60.0, Some(0.2)), (120.0, None), (180.0, Some(0.1)), (240.0, Some(0.3))];
        let lines = Lines {
            range: Range { from: at(0), to: at(300) },
            unit: Unit::Ratio,
            lines: vec![Line { number: 2, points: points.to_vec() }],
            bounds: vec![(0.5, 2)],
            top: 0.0,
            ceiling: f64::INFINITY,
        };
        let svg = lines.svg("shares & <bounds>");
        assert_eq!(svg.matches("class=\"line k2\"").count(), 2, "{svg}");
        assert_eq!(svg.matches("class=\"line dash k2\"").count(), 1, "{svg}");
        assert!(svg.contains("aria-label=\"shares &amp; &lt;bounds&gt;\""), "{svg}");
        assert!(svg.contains(">40 %</text>") && !svg.contains("style="), "{svg}");
    }

    #[test]
    fn a_bound_can_be_seen_beside_what_is_far_above_it() {
        let at = |seconds: i64| Timestamp::from_second(seconds).expect("a moment");
        let lines = Lines {
            range: Range { from: at(0), to: at(300) },
            unit: Unit::Times,
            lines: vec![Line { number: 1, points: vec![(0.0, Some(0.0)), (300.0, Some(1_000.0))] }],
            bounds: vec![(10.0, 5)],
            top: 1.0,
            ceiling: 40.0,
        };
        let svg = lines.svg("x");
        assert!(svg.contains("d=\"M52 207L745 16\"") && svg.contains(">40×</text>"), "{svg}");
        assert!(!svg.contains(">500×</text>"), "{svg}");
    }
}
