//! A drawing surface for `plotters` that writes SVG with classes.
//!
//! Colours are numbers of classes: green is the kind (0 a line, 1 a dashed one, 2 a cell of a heat map), blue which one.

use super::{LEFT, RIGHT, SIZE};
use plotters_backend::text_anchor::HPos;
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};
use std::fmt::{self, Write};

/// Of a letter of the labels, in the units of the drawing: `plotters` leaves out what would overlap.
const LETTER: f64 = 6.1;
const LINE: u32 = 11;

/// The class of a series.
pub const fn series(number: u8) -> plotters::style::RGBColor {
    plotters::style::RGBColor(0, 0, number)
}

/// The class of a series that is a bound and no measurement.
pub const fn dashed(number: u8) -> plotters::style::RGBColor {
    plotters::style::RGBColor(0, 1, number)
}

/// The class of a cell, from 0 (hardly anything) to 7.
pub const fn cell(depth: u8) -> plotters::style::RGBColor {
    plotters::style::RGBColor(0, 2, depth)
}

/// Lines of the grid.
pub const GRID: plotters::style::RGBColor = series(0);

/// What was drawn: shapes are stretched to the room that the page has, labels keep their size.
#[derive(Debug, Default)]
pub struct Sheet {
    shapes: String,
    labels: String,
    /// Labels of moments so far.
    moments: u32,
}

impl Sheet {
    /// The `svg` element; `label` tells what is in it to those who can't see it.
    pub fn svg(&self, label: &str) -> String {
        let mut svg = "<svg class=\"plot\" role=\"img\" aria-label=\"".to_owned();
        escape(label, &mut svg);
        let (width, height) = (SIZE.0 - LEFT - RIGHT, SIZE.1);
        // Writing to a string can't fail.
        let _ = write!(
            svg,
            "\"><svg viewBox=\"{LEFT} 0 {width} {height}\" preserveAspectRatio=\"none\">{}</svg>{}</svg>",
            self.shapes, self.labels
        );
        svg
    }
}

/// Text as it may stand in an element or an attribute.
pub fn escape(text: &str, svg: &mut String) {
    for c in text.chars() {
        match c {
            '<' => svg.push_str("&lt;"),
            '>' => svg.push_str("&gt;"),
            '&' => svg.push_str("&amp;"),
            '"' => svg.push_str("&quot;"),
            c => svg.push(c),
        }
    }
}

/// Writes what it is told to draw.
pub struct Ink<'a>(&'a mut Sheet);

type Done = Result<(), DrawingErrorKind<fmt::Error>>;

impl<'a> Ink<'a> {
    pub fn new(sheet: &'a mut Sheet) -> Ink<'a> {
        Ink(sheet)
    }

    fn write(&mut self, what: fmt::Arguments<'_>) -> Done {
        self.0.shapes.write_fmt(what).map_err(DrawingErrorKind::DrawingError)
    }
}

fn stroke(color: BackendColor) -> String {
    match color.rgb {
        (_, 1, number) => format!("line dash k{number}"),
        (_, _, 0) => "k0".to_owned(),
        (_, _, number) => format!("line k{number}"),
    }
}

fn fill(color: BackendColor) -> String {
    match color.rgb {
        (_, 2, depth) => format!("h{depth}"),
        (_, _, number) => format!("f{number}"),
    }
}

impl DrawingBackend for Ink<'_> {
    type ErrorType = fmt::Error;

    fn get_size(&self) -> (u32, u32) {
        SIZE
    }

    fn ensure_prepared(&mut self) -> Done {
        Ok(())
    }

    fn present(&mut self) -> Done {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Done {
        self.write(format_args!(
            "<rect class=\"{}\" x=\"{x}\" y=\"{y}\" width=\"1\" height=\"1\"/>",
            fill(color)
        ))
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Done {
        if style.color().alpha == 0.0 {
            return Ok(());
        }
        let ((x, y), (x2, y2)) = (from, to);
        self.write(format_args!("<path class=\"{}\" d=\"M{x} {y}L{x2} {y2}\"/>", stroke(style.color())))
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (x, y): BackendCoord,
        (x2, y2): BackendCoord,
        style: &S,
        filled: bool,
    ) -> Done {
        if style.color().alpha == 0.0 {
            return Ok(());
        }
        let class = if filled { fill(style.color()) } else { stroke(style.color()) };
        let (width, height) = ((x2 - x).max(1), (y2 - y).max(1));
        self.write(format_args!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"
        ))
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Done {
        if style.color().alpha == 0.0 {
            return Ok(());
        }
        self.write(format_args!("<path class=\"{}\" d=\"", stroke(style.color())))?;
        for (number, (x, y)) in path.into_iter().enumerate() {
            self.write(format_args!("{}{x} {y}", if number == 0 { 'M' } else { 'L' }))?;
        }
        self.write(format_args!("\"/>"))
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        (x, y): BackendCoord,
        radius: u32,
        style: &S,
        filled: bool,
    ) -> Done {
        let class = if filled { fill(style.color()) } else { stroke(style.color()) };
        self.write(format_args!("<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"/>"))
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Done {
        self.write(format_args!("<polygon class=\"{}\" points=\"", fill(style.color())))?;
        for (x, y) in corners {
            self.write(format_args!("{x},{y} "))?;
        }
        self.write(format_args!("\"/>"))
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Done {
        let share = |at: f64, of: u32| at / f64::from(of) * 100.0;
        let down = share(f64::from(y), SIZE.1);
        let labels = &mut self.0.labels;
        let written = if matches!(style.anchor().h_pos, HPos::Right) {
            // A value: upon its line, where the plot begins.
            write!(labels, "<text y=\"{down:.1}%\" dy=\"-4\">")
        } else {
            // A moment: below the plot. Where there is little room every second one is left out.
            let along = share(f64::from(x) - f64::from(LEFT), SIZE.0 - LEFT - RIGHT);
            let class = if self.0.moments % 2 == 1 { "at between" } else { "at" };
            self.0.moments += 1;
            write!(labels, "<text class=\"{class}\" x=\"{along:.2}%\" y=\"{down:.1}%\" dy=\"10\">")
        };
        written.map_err(DrawingErrorKind::DrawingError)?;
        escape(text, labels);
        labels.push_str("</text>");
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        _style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<fmt::Error>> {
        Ok(((text.chars().count() as f64 * LETTER).ceil() as u32, LINE))
    }
}
