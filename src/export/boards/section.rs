//! A board for each section of the watch list: how its checks are, what they measure with its limits, how long they take.

use super::board::Board;
use super::measure;
use super::panel::Panel;
use super::status::{durations, tiles, timeline};
use crate::config::{Check, Plan};
use crate::export::rules::{any_of, quoted, slug};
use std::sync::Arc;

/// Sections that share a board; all others have their own. The agent's own is on the agent's board.
const TOGETHER: [(&str, &[&str]); 1] = [("cache-and-email", &["cache", "email"])];
pub const AGENT: &str = "agent";

/// The boards there are: the name, the sections on it. In the order in which the definitions name them.
pub fn boards(plan: &Plan) -> Vec<(String, Vec<String>)> {
    let mut boards: Vec<(String, Vec<String>)> = Vec::new();
    for section in plan.checks.iter().map(|check| &check.section).filter(|section| *section != AGENT) {
        let name = name_of(section);
        match boards.iter_mut().find(|(other, _)| *other == name) {
            Some((_, sections)) if sections.contains(section) => {}
            Some((_, sections)) => sections.push(section.clone()),
            None => boards.push((name, vec![section.clone()])),
        }
    }
    boards
}

/// The board on which a section is.
pub fn name_of(section: &str) -> String {
    let shared = TOGETHER.iter().find(|(_, sections)| sections.contains(&section));
    match (shared, slug(section)) {
        (Some((name, _)), _) => (*name).to_owned(),
        // These are boards of their own.
        (None, name) if ["overview", "objectives"].contains(&name.as_str()) => format!("{name}-section"),
        (None, name) => name,
    }
}

/// `cache-and-email`  →  `Cache and email`
fn title_of(name: &str) -> String {
    let mut title = name.replace('-', " ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

pub fn board(plan: &Plan, name: &str, sections: &[String]) -> Board {
    let title = title_of(name);
    let description = format!(
        "{title}: whether it works, what is measured of it with its limits, and how long it takes. Made by `atalaya export dashboards` from checks/*.toml."
    );
    let mut board = Board::new(name, &format!("Atalaya: {}", title.to_lowercase()), &description);
    let which = format!("section=~{}, ", quoted(&any_of(sections.iter().map(String::as_str))));
    let checks: Vec<&Arc<Check>> =
        plan.checks.iter().filter(|check| sections.contains(&check.section)).collect();
    let rows = checks.len().div_ceil(6).max(1) as u32;
    board.row(
        "How it stands",
        vec![
            tiles("Checks", &which).sized(12, 3 + 2 * rows),
            timeline("What was wrong, and when", &which).sized(12, 3 + 2 * rows),
        ],
    );
    let numbers: Vec<Panel> = measure::panels(&checks, &plan.alerting.objectives);
    board.row("What is measured", numbers);
    let query = format!("label_values(atalaya_check_info{{{which}instance=\"$instance\"}}, check)");
    board.choices.push(("check", "Check", query));
    board.row("How long $check takes", durations("$check"));
    board
}
