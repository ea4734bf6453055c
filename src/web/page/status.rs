//! The status page: is everything all right, what is not, since when, and how were the last 90 days.

use super::words::{self, percent};
use crate::config::alerting::Page;
use crate::view::status::{DayStatus, Incident, Level, PartStatus, Status};
use askama::Template;
use jiff::{SignedDuration, Timestamp};

/// What is older is in the feed and the API.
const INCIDENTS: SignedDuration = SignedDuration::from_hours(14 * 24);

#[derive(Template)]
#[template(path = "status.html")]
struct StatusPage<'a> {
    status: &'a Status,
    page: &'a Page,
    incidents: Vec<&'a Incident>,
}

/// The page as HTML. Its text changes with the minute, and whenever something does.
pub fn render(status: &Status, page: &Page) -> String {
    let since = status.at.saturating_sub(INCIDENTS).unwrap_or(Timestamp::MIN);
    let incidents = status.incidents.iter().filter(|one| one.to.is_none_or(|to| to > since)).collect();
    let page = StatusPage { status, page, incidents };
    // The template writes to memory and asks for nothing that can fail.
    page.render().unwrap_or_default()
}

impl StatusPage<'_> {
    /// Where an end needs no date. In the reader's own zone the two may lie on both sides of a midnight, and be understood.
    fn is_same_day(from: &Timestamp, to: &Timestamp) -> bool {
        from.strftime("%F").to_string() == to.strftime("%F").to_string()
    }

    /// Days in words, for those who can't see the bars.
    fn days_in_words(part: &PartStatus) -> String {
        let count = |level: Level| part.days.iter().filter(|day| day.level == level).count();
        let (bad, marked, none) = (count(Level::Bad), count(Level::Marked), count(Level::Unmeasured));
        let seen = match (bad, marked) {
            (0, 0) => "no trouble".to_owned(),
            (0, marked) => format!("{marked} with some trouble"),
            (bad, 0) => format!("{bad} bad"),
            (bad, marked) => format!("{bad} bad, {marked} with some trouble"),
        };
        let none = if none > 0 { format!(", {none} not measured") } else { String::new() };
        format!("The last {} days: {seen}{none}", part.days.len())
    }

    fn day_in_words(day: &DayStatus) -> String {
        let date = day.date.strftime("%-d %B %Y");
        match day.good_ratio {
            None => format!("{date}: not measured"),
            Some(good) if day.measured_ratio < 0.9 => {
                format!(
                    "{date}: {} good, {} of the day measured",
                    percent(&good),
                    percent(&day.measured_ratio)
                )
            }
            Some(good) => format!("{date}: {} good", percent(&good)),
        }
    }
}
