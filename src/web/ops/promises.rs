//! Every promise in a row: how it stands, what is left of its budget, how fast that burns.

use super::{Frame, Shared, Who, shown};
use crate::export::window_word;
use crate::judge::State;
use crate::view::ObjectiveView;
use crate::web::page::{figure, words};
use askama::Template;
use axum::extract::State as Of;
use axum::response::Response;

#[derive(Template)]
#[template(path = "ops/promises.html")]
struct Promises {
    frame: Frame,
    promises: Vec<Row>,
    left_out: Vec<(String, String)>,
}

/// One promise.
pub struct Row {
    pub name: String,
    pub title: String,
    pub state: &'static str,
    pub class: &'static str,
    pub icon: &'static str,
    pub promised: String,
    pub now: String,
    /// In percent, between 0 and 100, for the meter.
    pub left: Option<f64>,
    pub left_text: String,
    /// The fastest burn of all windows but the whole.
    pub burn: String,
}

pub async fn show(Of(shared): Of<Shared>, who: Who) -> Response {
    shown(&shared, async |view| {
        let left_out = view.left_out.skipped.iter().filter(|one| one.what == "objective");
        Ok(Promises {
            frame: Frame::new(view, &who, "Promises", "/ops/promises"),
            promises: view.objectives.iter().map(Row::new).collect(),
            left_out: left_out.map(|one| (one.name.to_string(), one.why.clone())).collect(),
        })
    })
    .await
}

impl Row {
    pub fn new(view: &ObjectiveView) -> Row {
        let (objective, standing) = (&view.objective, view.standing.as_deref());
        let state = standing.map_or(State::Unknown, |standing| standing.state);
        let ratio =
            standing.filter(|standing| standing.total > 0).map(|one| one.good as f64 / one.total as f64);
        let baseline = standing.and_then(|standing| standing.baseline);
        let left = standing.and_then(|standing| standing.consumed).map(|consumed| 1.0 - consumed);
        let burns = standing.iter().flat_map(|standing| &standing.burns);
        let short = burns
            .filter(|burn| burn.window < objective.window)
            .filter_map(|burn| Some((burn.rate?, burn.window)));
        let fastest = short.max_by(|a, b| a.0.total_cmp(&b.0));
        let window = window_word(objective.window);
        Row {
            name: objective.name.to_string(),
            title: objective.title.clone(),
            state: state.as_str(),
            class: class(state),
            icon: icon(state),
            promised: match objective.objective_ppm {
                0 => "as usual".to_owned(),
                ppm => format!("{} over {window}", share(ppm)),
            },
            now: match (baseline, ratio) {
                (Some(baseline), _) => {
                    format!("{} (usual {})", figure::plain(baseline.value), figure::plain(baseline.usual))
                }
                (None, Some(ratio)) => words::percent(&ratio),
                (None, None) => "–".to_owned(),
            },
            left: left.map(|left| left.clamp(0.0, 1.0) * 100.0),
            left_text: left.map_or_else(
                || "–".to_owned(),
                |left| format!("{} %", figure::plain((left * 1_000.0).floor() / 10.0)),
            ),
            burn: fastest.map_or_else(
                || "–".to_owned(),
                |(rate, window)| format!("{}× over {}", figure::plain(rate), window_word(window)),
            ),
        }
    }
}

/// `99.9 %`
pub fn share(ppm: u32) -> String {
    format!("{} %", figure::plain(f64::from(ppm) / 1e4))
}

pub const fn class(state: State) -> &'static str {
    match state {
        State::AtRisk => "at-risk",
        other => other.as_str(),
    }
}

pub const fn icon(state: State) -> &'static str {
    match state {
        State::Met => "well",
        State::AtRisk => "impaired",
        State::Broken => "down",
        State::Unknown | State::Learning => "unknown",
    }
}
