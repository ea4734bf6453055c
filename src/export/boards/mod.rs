//! Boards for Grafana, made from the definitions: what is watched and promised is drawn with its own limits, titles and
//! reasons, so a check that is added is on a board.
//!
//! Each is about one agent: quantiles of several can't be added up or averaged, and two agents that watch the same would
//! be counted twice. Whoever wants another one chooses it above.

mod agent;
mod board;
mod business;
mod measure;
mod objectives;
mod overview;
mod panel;
mod section;
mod status;
mod traffic;
mod words;

use super::File;
use crate::config::Plan;
use board::Board;

/// A file for each board.
pub fn files(plan: &Plan) -> Vec<File> {
    let mut boards = vec![overview::board(plan)];
    if !plan.alerting.objectives.is_empty() {
        boards.push(objectives::board(plan));
    }
    for (name, sections) in section::boards(plan) {
        let mut board = section::board(plan, &name, &sections);
        if name == "business" {
            let tiles = business::headlines(plan, 8);
            if !tiles.is_empty() {
                board.rows.insert(0, board::Row { title: "How business goes".to_owned(), panels: tiles });
            }
        }
        boards.push(board);
    }
    boards.push(traffic::board());
    boards.push(agent::board(plan));
    let file = |board: Board| File { path: format!("{}.json", board.name).into(), text: board.text() };
    boards.into_iter().map(file).collect()
}
