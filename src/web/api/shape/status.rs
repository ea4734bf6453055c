//! What anybody may know.

use crate::view::status::{DayStatus, Incident, PartStatus, Planned, Word};
use schemars::JsonSchema;
use serde::Serialize;

/// What anybody may know.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StatusShape {
    at: String,
    state: Word,
    headline: String,
    parts: Vec<PartShape>,
    incidents: Vec<IncidentShape>,
    maintenance: Vec<PlannedShape>,
}

/// One part of the shop.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartShape {
    name: String,
    title: String,
    state: Word,
    since: Option<String>,
    /// Over the last 90 days, of what was measured.
    good_ratio: Option<f64>,
    measured_ratio: f64,
    /// The oldest first, today last; empty where the past is not known.
    days: Vec<DayShape>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DayShape {
    /// In UTC.
    date: String,
    /// `null`: not measured.
    good_ratio: Option<f64>,
    measured_ratio: f64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct IncidentShape {
    id: String,
    part: String,
    from: String,
    /// `null` while it goes on.
    to: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct PlannedShape {
    title: String,
    parts: Vec<String>,
    from: String,
    to: String,
    open: bool,
}

impl StatusShape {
    pub fn new(status: &crate::view::status::Status) -> StatusShape {
        let day = |day: &DayStatus| DayShape {
            date: day.date.to_string(),
            good_ratio: day.good_ratio,
            measured_ratio: day.measured_ratio,
        };
        let part = |part: &PartStatus| PartShape {
            name: part.part.name.to_string(),
            title: part.part.title.clone(),
            state: part.word,
            since: part.since.map(|at| at.to_string()),
            good_ratio: part.good_ratio,
            measured_ratio: part.measured_ratio,
            days: part.days.iter().map(day).collect(),
        };
        let incident = |one: &Incident| IncidentShape {
            id: one.id(),
            part: one.part.name.to_string(),
            from: one.from.to_string(),
            to: one.to.map(|at| at.to_string()),
        };
        let planned = |one: &Planned| PlannedShape {
            title: one.title.clone(),
            parts: one.parts.clone(),
            from: one.from.to_string(),
            to: one.to.to_string(),
            open: one.open,
        };
        StatusShape {
            at: status.at.to_string(),
            state: status.word,
            headline: status.headline(),
            parts: status.parts.iter().map(part).collect(),
            incidents: status.incidents.iter().map(incident).collect(),
            maintenance: status.planned.iter().map(planned).collect(),
        }
    }
}
