//! What an operator sees first: what is wrong, and everything else at a glance.

use super::alerts::AlertCard;
use super::promises::Row as PromiseRow;
use super::shop::{self, Tile};
use super::{Frame, Shared, Who, shown};
use crate::outcome::Status;
use crate::view::View;
use crate::web::page::words;
use askama::Template;
use axum::extract::State;
use axum::response::Response;

#[derive(Template)]
#[template(path = "ops/now.html")]
struct Now {
    frame: Frame,
    alerts: Vec<AlertCard>,
    sections: Vec<Section>,
    promises: Vec<PromiseRow>,
    tiles: Vec<Tile>,
    counts: [(Status, usize); 4],
    skipped: usize,
}

/// One section with its checks as small marks.
struct Section {
    name: String,
    marks: Vec<Mark>,
}

struct Mark {
    name: String,
    title: String,
    status: &'static str,
    icon: &'static str,
    reason: String,
}

pub async fn show(State(shared): State<Shared>, who: Who) -> Response {
    shown(&shared, async |view| {
        let status = |one: Status| (one, view.checks.iter().filter(|check| check.status() == one).count());
        Ok(Now {
            frame: Frame::new(view, &who, "Now", "/ops"),
            alerts: view.alerts.iter().map(|alert| AlertCard::new(view, alert)).collect(),
            sections: sections(view),
            promises: view.objectives.iter().map(PromiseRow::new).collect(),
            tiles: shop::tiles(view),
            counts: [Status::Failed, Status::Degraded, Status::Unknown, Status::Ok].map(status),
            skipped: view.skipped.len(),
        })
    })
    .await
}

fn sections(view: &View) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for check in &view.checks {
        let section = &check.check.section;
        let mark = Mark {
            name: check.check.name.to_string(),
            title: check.check.title.clone(),
            status: super::checks::word(check),
            icon: super::checks::icon(check.status()),
            reason: check.reason().map(|fault| fault.text.clone()).unwrap_or_default(),
        };
        match sections.iter_mut().find(|one| one.name == *section) {
            Some(known) => known.marks.push(mark),
            None => sections.push(Section { name: section.clone(), marks: vec![mark] }),
        }
    }
    sections
}
