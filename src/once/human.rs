//! For people: what is wrong is seen at one glance, with colour and without.
//!
//! Every status has a sign and a word beside its colour. Evidence stands under its check behind a bar,
//! so that no line of the report can begin with what a target wrote (`::error::…` is a command to GitHub).

use super::judged::{Item, Judged};
use super::{Verdict, duration, put, shown};
use crate::outcome::Status;
use anstyle::{AnsiColor, Effects, Style};

/// What the report is looked at with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// In characters.
    pub width: usize,
    pub colour: bool,
}

/// Narrower than this, columns make no sense; wider, the eye loses the line.
const WIDTH: (usize, usize) = (50, 110);
const NAME_WIDTH_MAX: usize = 28;
/// Sign, word and the spaces around them.
const STATUS_WIDTH: usize = 14;
const TIME_WIDTH: usize = 9;
const EVIDENCE: &str = "    │ ";

pub fn text(judged: &Judged, screen: Screen) -> String {
    let items = judged.items();
    let longest = |width: fn(&Item<'_>) -> usize| items.iter().map(width).max().unwrap_or(0);
    let width = screen.width.clamp(WIDTH.0, WIDTH.1);
    let name_width = longest(|item| item.name().chars().count()).min(NAME_WIDTH_MAX);
    let title_width = longest(|item| title(*item).chars().count());
    let mut page = Page {
        out: String::new(),
        width,
        name_width,
        title_width: title_width.min(width.saturating_sub(STATUS_WIDTH + name_width + 2 + TIME_WIDTH)),
        colour: screen.colour,
    };
    for (section, items) in judged.sections() {
        page.section(section);
        for item in items {
            page.item(item);
        }
        page.out.push('\n');
    }
    page.summary(judged);
    page.out
}

struct Page {
    out: String,
    width: usize,
    name_width: usize,
    title_width: usize,
    colour: bool,
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().effects(Effects::DIMMED);
const PLAIN: Style = Style::new();

/// The sign, the word and the colour of an item.
fn look(item: Item<'_>) -> (char, &'static str, Style) {
    match item {
        Item::Ran(result) => {
            let (sign, style) = look_of(result.status());
            (sign, result.status().as_str(), style)
        }
        Item::Skipped(_) => ('○', "skipped", AnsiColor::Cyan.on_default()),
    }
}

fn look_of(status: Status) -> (char, Style) {
    match status {
        Status::Ok => ('✔', AnsiColor::Green.on_default()),
        Status::Degraded => ('▲', AnsiColor::Yellow.on_default().bold()),
        Status::Failed => ('✖', AnsiColor::Red.on_default().bold()),
        Status::Unknown => ('?', AnsiColor::Magenta.on_default().bold()),
    }
}

/// What people call it; nothing where that only repeats the name.
fn title(item: Item<'_>) -> String {
    if item.title() == item.name() { String::new() } else { shown(item.title()) }
}

impl Page {
    fn section(&mut self, section: &str) {
        self.put(BOLD, &shown(section));
        self.out.push('\n');
    }

    fn item(&mut self, item: Item<'_>) {
        let (sign, word, style) = look(item);
        self.out.push_str("  ");
        self.put(style, &format!("{sign} {word:<width$}", width = STATUS_WIDTH - 4));
        let name = fit(item.name(), self.name_width);
        self.put(if word == "ok" { PLAIN } else { BOLD }, &name);
        let title = title(item);
        self.out.push_str("  ");
        match item {
            Item::Ran(result) => {
                self.put(DIM, &fit(&title, self.title_width));
                put(&mut self.out, format_args!("{:>TIME_WIDTH$}", duration(result.took)));
            }
            Item::Skipped(_) => self.put(DIM, fit(&title, self.title_width).trim_end()),
        }
        self.out.push('\n');
        match item {
            Item::Ran(_) => self.evidence(item),
            Item::Skipped(skipped) => self.lines(PLAIN, &skipped.why),
        }
    }

    /// Faults, what explains them, notes; and for what is not well, where the time went and where it is defined.
    fn evidence(&mut self, item: Item<'_>) {
        let Item::Ran(result) = item else { return };
        for fault in &result.outcome.faults {
            self.lines(PLAIN, &fault.text);
        }
        if let Some(parent) = &result.explained_by {
            self.lines(PLAIN, &format!("it needs {parent}, which failed"));
        }
        for note in &result.outcome.notes {
            self.lines(DIM, &format!("note: {note}"));
        }
        if result.status() == Status::Ok {
            return;
        }
        let phases: Vec<_> =
            result.phases.iter().map(|phase| format!("{} {}", phase.name, duration(phase.took))).collect();
        if phases.len() > 1 {
            self.lines(DIM, &phases.join(" · "));
        }
        let place = item.place();
        self.lines(DIM, &format!("{}:{}", place.file, place.line));
    }

    fn lines(&mut self, style: Style, text: &str) {
        for line in wrap(&shown(text), self.width.saturating_sub(EVIDENCE.chars().count())) {
            self.put(DIM, EVIDENCE);
            self.put(style, &line);
            self.out.push('\n');
        }
    }

    fn summary(&mut self, judged: &Judged) {
        let style = match judged.verdict() {
            Verdict::Ok => look_of(Status::Ok).1.bold(),
            Verdict::Degraded => look_of(Status::Degraded).1,
            Verdict::Failed => look_of(Status::Failed).1,
            Verdict::Unknown | Verdict::Interrupted => look_of(Status::Unknown).1,
        };
        self.put(style, &judged.verdict().as_str().to_uppercase());
        let rest = format!("{} ({})", judged.headline(), duration(judged.report.took));
        let indent = judged.verdict().as_str().len() + 2;
        for (nth, line) in wrap(&rest, self.width.saturating_sub(indent)).iter().enumerate() {
            let indent = if nth == 0 { 2 } else { indent };
            put(&mut self.out, format_args!("{:indent$}{line}\n", ""));
        }
    }

    fn put(&mut self, style: Style, text: &str) {
        if self.colour && style != PLAIN && !text.trim().is_empty() {
            put(&mut self.out, format_args!("{style}{text}{style:#}"));
        } else {
            self.out.push_str(text);
        }
    }
}

/// Exactly `width` characters: filled with spaces, or cut with `…`.
fn fit(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return format!("{text:<width$}");
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// Lines of at most `width` characters, broken at spaces where there are any.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut rest: Vec<char> = word.chars().collect();
        if used > 0 && used + 1 + rest.len() > width {
            lines.push(String::new());
            used = 0;
        }
        while !rest.is_empty() {
            let line = lines.last_mut().expect("there is one line from the start");
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            let part: Vec<char> = rest.drain(..rest.len().min(width - used)).collect();
            line.extend(&part);
            used += part.len();
            if !rest.is_empty() {
                lines.push(String::new());
                used = 0;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Sample, report, rich};
    use super::*;

    const SCREEN: Screen = Screen { width: 70, colour: false };

    #[test]
    fn what_is_wrong_is_seen_at_a_glance() {
        let expected = "\
shop
  ✔ ok        site      The site      12.0 ms
  ○ skipped   payments  The payments
    │ variable TOKEN is not set
  ▲ degraded  cache     The cache     60.0 ms
    │ slow
    │ checks/shop.toml:13
  ? unknown   disk      The disk      72.0 ms
    │ no file descriptor left
    │ checks/shop.toml:16

database
  ✖ failed    database  The database  24.0 ms
    │ connection refused by 127.0.0.1:5432 ::error::50%, <&> |#[x]
    │ second fault
    │ note: lacks pg_monitor
    │ connect 3.00 ms · query 20.0 ms
    │ checks/shop.toml:4
  ✖ failed    orders    The orders    36.0 ms
    │ connection refused
    │ it needs database, which failed
    │ checks/shop.toml:7

FAILED  2 of 6 failed: database, 1 that needs what failed; 1 degraded:
        cache; 1 unknown: disk; 1 ok; 1 skipped (1.24 s)
";
        assert_eq!(text(&rich().judge(false), SCREEN), expected);
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let judged = rich().judge(false);
        let coloured = text(&judged, Screen { colour: true, ..SCREEN });
        assert!(coloured.contains("\u{1b}[1m\u{1b}[31m✖ failed"), "{coloured:?}");
        let stripped = anstream::adapter::strip_str(&coloured).to_string();
        assert_eq!(stripped, text(&judged, SCREEN));
    }

    #[test]
    fn every_line_fits_the_screen() {
        let mut report = rich();
        report.results[1].outcome.faults[0].text = "many words and one ".repeat(9) + &"x".repeat(200);
        let judged = report.judge(false);
        for width in [0, 50, 63, 80, 110, 400] {
            for line in text(&judged, Screen { width, colour: false }).lines() {
                let length = line.chars().count();
                assert!(length <= width.clamp(WIDTH.0, WIDTH.1), "{length} of {width}: {line}");
            }
        }
    }

    #[test]
    fn no_line_begins_with_what_a_target_wrote() {
        let mut report = report(&[Sample::Failed("a")]);
        report.results[0].outcome.faults[0].text =
            format!("{} ::stop-commands::x ##vso[x] ###[y]", "x".repeat(60));
        let text = text(&report.judge(false), SCREEN);
        assert!(text.contains("::stop-commands::"), "{text}");
        assert!(text.lines().all(|line| !line.trim_start().starts_with("::")), "{text}");
        assert!(!text.contains("##"), "{text}");
    }

    #[test]
    fn nothing_checked_is_said() {
        assert_eq!(text(&report(&[]).judge(false), SCREEN), "UNKNOWN  nothing was checked (1.24 s)\n");
    }
}
