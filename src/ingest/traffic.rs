//! What was received since the process began, as Prometheus takes it: counters, cumulative histograms, and for each bucket
//! a trace in which it can be seen (an exemplar).

use super::tally::{OTHER, Tallies};
use super::{Arrival, Source, StatusClass};
use crate::record::{BUCKETS, Buckets};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// A request in which a bucket can be seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exemplar {
    /// W3C trace id.
    pub trace: [u8; 16],
    pub took: Duration,
    pub at: Timestamp,
}

/// One route.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Route {
    pub classes: [u64; StatusClass::ALL.len()],
    pub failed: u64,
    pub took: Buckets,
    /// The newest of each bucket.
    pub exemplars: [Option<Exemplar>; BUCKETS.len() + 1],
}

/// Everything since the process began.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Traffic {
    pub routes: BTreeMap<Arc<str>, Route>,
    pub queries: Buckets,
    pub slow_queries: u64,
    /// Events by name, and what vendors told by the names of what is counted.
    pub counts: BTreeMap<(Source, Arc<str>), u64>,
}

impl Traffic {
    /// Takes in what was written down at this moment. `tallies` are those of the arrival: they say which routes are told
    /// apart.
    pub fn take(&mut self, arrival: &Arrival, tallies: &Tallies, slow: Duration, at: Timestamp) {
        let requests = tallies.0.keys().filter(|series| series.source == Source::Requests);
        let names: HashMap<&str, &Arc<str>> = requests.map(|series| (&*series.name, &series.name)).collect();
        let other: Arc<str> = OTHER.into();
        for request in &arrival.requests {
            let name = names.get(request.route.as_str()).copied().unwrap_or(&other);
            if !self.routes.contains_key(name) {
                self.routes.insert(name.clone(), Route::default());
            }
            let Some(route) = self.routes.get_mut(name) else { continue };
            route.classes[request.class as usize] += 1;
            route.failed += u64::from(request.failed);
            let bucket = route.took.add(request.took);
            if let Some(trace) = request.trace {
                route.exemplars[bucket] = Some(Exemplar { trace, took: request.took, at });
            }
        }
        for query in &arrival.queries {
            self.queries.add(query.took);
            self.slow_queries += u64::from(query.took > slow);
        }
        self.count(tallies);
    }

    /// Names that are not told apart any more: what they had counted ends, or metrics would grow as long as the process
    /// lives.
    pub fn forget(&mut self, gone: Vec<(Source, Arc<str>)>) {
        for (source, name) in gone {
            if source == Source::Requests {
                self.routes.remove(&name);
            }
            self.counts.remove(&(source, name));
        }
    }

    /// Takes in what has no duration.
    pub fn count(&mut self, tallies: &Tallies) {
        let counted = tallies.0.iter().filter(|(series, _)| series.source.is_counted());
        for (series, tally) in counted {
            *self.counts.entry((series.source, series.name.clone())).or_default() += tally.count;
        }
    }
}

impl Source {
    /// Only how often, by names.
    pub const fn is_counted(self) -> bool {
        matches!(self, Source::Events | Source::Square | Source::Resend)
    }
}
