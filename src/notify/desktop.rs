//! `desktop`: a notification of the desktop on which the agent runs.

use super::{Deliver, Delivering, Delivery, Kind, Parcel};
use crate::probe::Build;
use schemars::JsonSchema;
use serde::Deserialize;

/// Shows a notification on the desktop of this machine. Where there is no desktop, it is quietly absent.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Desktop {}

impl Kind for Desktop {
    fn name(&self) -> &'static str {
        "desktop"
    }

    fn build(&self, _build: &mut Build<'_>) -> Option<Box<dyn Deliver>> {
        Some(Box::new(Show))
    }
}

struct Show;

impl Deliver for Show {
    fn deliver<'a>(&'a self, _parcel: &'a Parcel) -> Delivering<'a> {
        Box::pin(async { Delivery::Refused { why: "no desktop".to_owned() } })
    }
}
