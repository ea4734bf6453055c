//! Checks by the names that the schedule uses, over all definitions that a process has.

use crate::config::{Alerting, Check, Plan, Skipped};
use crate::schedule::Id;
use std::collections::HashMap;
use std::sync::Arc;

/// Checks by the names that the schedule uses; an unchanged check keeps its own.
#[derive(Clone)]
pub struct Definitions {
    pub checks: Arc<[(Id, Arc<Check>)]>,
    pub skipped: Arc<[Skipped]>,
    pub alerting: Arc<Alerting>,
}

/// Gives every check a name for the schedule, once.
#[derive(Default)]
pub struct Ids {
    next: Id,
}

impl Ids {
    /// A check of the same name and kind keeps its id, and with it its history, its place and its runs under way.
    /// One whose definition and values are what they were keeps its probe too.
    pub fn assign(&mut self, plan: Plan, before: &HashMap<Arc<str>, (Id, Arc<Check>)>) -> Definitions {
        let checks = plan.checks.into_iter().map(|check| match before.get(&check.name) {
            Some((id, old)) if old.fingerprint == check.fingerprint => (*id, old.clone()),
            Some((id, old)) if old.kind == check.kind => (*id, check),
            _ => {
                self.next += 1;
                (self.next, check)
            }
        });
        Definitions { checks: checks.collect(), skipped: plan.skipped.into(), alerting: plan.alerting }
    }
}
