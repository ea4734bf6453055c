//! Pages for operators: everything that is known, with names, reasons and what to do about it.
//!
//! Every page is whole without a script. What changes something is a form, and goes through the gate like every
//! other change.

mod agent;
mod alerts;
mod check;
mod checks;
mod forms;
mod now;
mod promise;
mod promises;
mod shop;
mod spark;
mod traffic;

use super::access::Operator;
use super::page;
use super::{Shared, stuck};
use crate::view::View;
use askama::Template;
use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::sync::Arc;

/// The pages; the gate lets operators in.
pub(super) fn pages() -> Router<Shared> {
    Router::new()
        .route("/ops", get(now::show))
        .route("/ops/checks", get(checks::show))
        .route("/ops/checks/{name}", get(check::show))
        .route("/ops/promises", get(promises::show))
        .route("/ops/promises/{name}", get(promise::show))
        .route("/ops/alerts", get(alerts::show))
        .route("/ops/shop", get(shop::show))
        .route("/ops/traffic", get(traffic::show))
        .route("/ops/agent", get(agent::show))
        .route("/ops/live", get(page::live::ops))
}

/// What changes something.
pub(super) fn changes() -> Router<Shared> {
    Router::new()
        .route("/ops/alerts/acknowledge", post(forms::acknowledge))
        .route("/ops/silences", post(forms::silence))
        .route("/ops/silences/{id}/end", post(forms::end_silence))
        .route("/ops/channels/{name}/test", post(forms::test_channel))
        .route("/ops/traffic/letters/{vendor}/again", post(forms::work_again))
        .route("/ops/traffic/letters/{vendor}/seen", post(forms::put_away))
}

/// What every operators' page has around it.
struct Frame {
    title: String,
    /// The path of the part of the menu that it belongs to.
    here: &'static str,
    /// Firing alerts, for the menu.
    firing: usize,
    shop: String,
    csrf: String,
    /// Who looks, where they said so.
    name: String,
}

/// The menu.
const MENU: [(&str, &str); 7] = [
    ("/ops", "Now"),
    ("/ops/checks", "Checks"),
    ("/ops/promises", "Promises"),
    ("/ops/alerts", "Alerts"),
    ("/ops/shop", "Shop"),
    ("/ops/traffic", "Traffic"),
    ("/ops/agent", "Agent"),
];

impl Frame {
    fn is_here(&self, path: &str) -> bool {
        self.here == path
    }

    fn new(view: &View, who: &Who, title: &str, here: &'static str) -> Frame {
        Frame {
            title: title.to_owned(),
            here,
            firing: view.alerts.iter().filter(|alert| alert.phase == crate::alert::Phase::Firing).count(),
            shop: view.left_out.page.title.clone().unwrap_or_else(|| "Atalaya".to_owned()),
            csrf: who.csrf.clone(),
            name: who.name.clone(),
        }
    }
}

/// Who looks at a page.
#[derive(Debug, Clone, Default)]
pub(super) struct Who {
    pub name: String,
    pub csrf: String,
}

impl FromRequestParts<Shared> for Who {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Who, Response> {
        let operator = Operator::from_request_parts(parts, shared).await?;
        Ok(Who { name: operator.name.clone().unwrap_or_default(), csrf: operator.csrf().to_owned() })
    }
}

/// Looks, and shows what `page` makes of it.
async fn shown<T: Template>(
    shared: &Shared,
    page: impl AsyncFnOnce(&Arc<View>) -> Result<T, Missing>,
) -> Response {
    let Some(view) = shared.eyes.look().await else { return stuck() };
    match page(&view).await {
        Ok(page) => page::html(page.render()),
        Err(Missing(what)) => {
            (StatusCode::NOT_FOUND, format!("{what}; see /ops for what there is\n")).into_response()
        }
    }
}

/// What was asked for is not there.
struct Missing(String);
