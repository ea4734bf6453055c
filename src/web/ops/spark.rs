//! The last hour of a check in a line: how long its runs took, minute by minute, and where they failed.

use crate::record::windows::Minute;
use std::fmt::Write;

const WIDTH: usize = 60;
const HEIGHT: f64 = 20.0;

/// The `svg` element; nothing where nothing was measured.
pub fn svg(minutes: &[Minute]) -> String {
    let mut slots = [None; WIDTH];
    for minute in minutes {
        if let Some(slot) = WIDTH.checked_sub(1 + usize::from(minute.ago)).and_then(|at| slots.get_mut(at)) {
            *slot = Some(*minute);
        }
    }
    let known = || slots.iter().flatten();
    if known().next().is_none() {
        return String::new();
    }
    let longest = known().map(|minute| minute.mean_seconds).fold(1e-6, f64::max);
    let failed = known().filter(|minute| minute.failed > 0).count();
    let label = match failed {
        0 => "the last hour: no failed run".to_owned(),
        1 => "the last hour: failed runs in one minute".to_owned(),
        failed => format!("the last hour: failed runs in {failed} minutes"),
    };
    let mut svg = format!(
        "<svg class=\"spark\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{label}\">"
    );
    let mut path = String::new();
    let mut pen = 'M';
    for (x, slot) in slots.iter().enumerate() {
        let Some(minute) = slot else {
            pen = 'M';
            continue;
        };
        let y = HEIGHT - 1.0 - minute.mean_seconds / longest * (HEIGHT - 3.0);
        // Writing to a string can't fail.
        let _ = write!(path, "{pen}{x} {y:.1}");
        if minute.failed > 0 {
            let _ = write!(svg, "<rect x=\"{x}\" y=\"0\" width=\"1\" height=\"{HEIGHT}\"/>");
        }
        pen = 'L';
    }
    let _ = write!(svg, "<path d=\"{path}h.5\"/></svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_that_was_not_measured_is_a_gap() {
        let minute = |ago, failed| Minute { ago, failed, mean_seconds: 0.1 };
        let svg = svg(&[minute(3, 0), minute(2, 1), minute(0, 0)]);
        assert!(svg.contains("d=\"M56 2.0L57 2.0M59 2.0h.5\""), "{svg}");
        assert!(svg.contains("<rect x=\"57\"") && svg.contains("failed runs in one minute"), "{svg}");
        assert_eq!(super::svg(&[]), "");
    }
}
