//! What the API answers, as types: the JSON and its description come from the same place and can't differ.
//!
//! Names are in camelCase and end with their units. What is not known is `null`.

mod alert;
mod check;
mod objective;
mod status;
mod traffic;

pub use alert::{AlertShape, EpisodeShape};
pub use check::{CheckShape, ChecksShape};
pub use objective::ObjectiveShape;
pub use status::StatusShape;
pub use traffic::{HeartbeatShape, LettersShape, TrafficShape};

use schemars::JsonSchema;
use serde::Serialize;

/// What came of a request that changes something: what it was done to.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DoneShape {
    /// Keys of alerts.
    Acknowledged(Vec<String>),
    /// Ids of silences.
    Ended(Vec<String>),
    /// What the channel said.
    Result(Vec<String>),
}
