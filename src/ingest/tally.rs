//! What was received, added up by what it is of: counts, and how long things took.
//!
//! Names come from outside, so there may be any number of them: so many are told apart, and the rest is one of them,
//! [`OTHER`]. Which names are known outlives the process with the tallies themselves.

use super::{Arrival, Source, StatusClass, Sum};
use crate::record::cells::{Cells, Packed, Side};
use integer_encoding::VarInt;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Stands for every name that there was no room for.
pub const OTHER: &str = "(other)";

/// What one tally is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Series {
    pub source: Source,
    /// The route, the statement of a slow query (nothing for the others), the event, the measure.
    pub name: Arc<str>,
    /// Of requests; else unknown.
    pub class: StatusClass,
}

/// How often, and how long it took where it takes time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub count: u64,
    pub took: Cells,
}

/// Tallies by what they are of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tallies(pub BTreeMap<Series, Tally>);

impl Tallies {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn count(&mut self, source: Source, name: &Arc<str>, times: u64) {
        let series = Series { source, name: name.clone(), class: StatusClass::Unknown };
        self.0.entry(series).or_default().count += times;
    }

    pub fn merge(&mut self, other: &Tallies) {
        for (series, tally) in &other.0 {
            self.add(series, tally.count, &tally.took);
        }
    }

    pub fn add(&mut self, series: &Series, count: u64, took: &Cells) {
        match self.0.get_mut(series) {
            Some(tally) => {
                tally.count += count;
                tally.took.merge(took);
            }
            None => {
                self.0.insert(series.clone(), Tally { count, took: took.clone() });
            }
        }
    }

    /// Everything of one source as [`Sum`] has it.
    pub fn add_to(&self, source: Source, sum: &mut Sum) {
        for (series, tally) in self.0.iter().filter(|(series, _)| series.source == source) {
            sum.add(series, tally);
        }
    }
}

/// The names of what is counted of requests and queries, in [`Sum::counts`].
pub const REQUESTS: &str = "requests";
pub const REQUESTS_FAILED: &str = "requests_failed";
pub const QUERIES: &str = "queries";
pub const QUERIES_SLOW: &str = "queries_slow";

impl Sum {
    pub fn add(&mut self, series: &Series, tally: &Tally) {
        self.took.merge(&tally.took);
        match series.source {
            Source::Requests => {
                self.count_more(REQUESTS, tally.count);
                self.count_more(REQUESTS_FAILED, tally.took.count(Side::Failed));
                self.count_more(&format!("{REQUESTS}_{}", series.class.as_str()), tally.count);
            }
            Source::Queries => {
                self.count_more(QUERIES, tally.count);
                self.count_more(QUERIES_SLOW, if series.name.is_empty() { 0 } else { tally.count });
            }
            Source::Events | Source::Square | Source::Resend => self.count_more(&series.name, tally.count),
        }
    }

    fn count_more(&mut self, name: &str, more: u64) {
        match self.counts.get_mut(name) {
            Some(count) => *count += more,
            None => {
                self.counts.insert(name.into(), more);
            }
        }
    }

    /// How many did not fail and took at most so long, to within a cell of the histogram: 0.1 % of the duration.
    pub fn fast(&self, below: Duration) -> u64 {
        self.took.count_up_to(Side::Good, below)
    }
}

/// Which names are told apart.
#[derive(Debug)]
pub struct Names {
    names_max: usize,
    /// Events that are told apart however many others there are.
    counted: Arc<BTreeSet<String>>,
    /// By source; each with the minute in which it was last seen.
    known: HashMap<(Source, Arc<str>), u32>,
    /// How many there are of each source.
    numbers: [usize; Source::ALL.len()],
    /// From which minute on a name of each source may make room: names that find none cost no look at all the others.
    room_at: [u32; Source::ALL.len()],
    /// Those that have made room, until somebody asks.
    gone: Vec<(Source, Arc<str>)>,
    /// What was booked under [`OTHER`] since the process began.
    pub overflowed: u64,
}

/// A name that was not seen for so long makes room for a new one.
const UNUSED_MINUTES: u32 = 24 * 60;

impl Names {
    /// So many of each source.
    pub fn new(names_max: usize) -> Names {
        Names {
            names_max,
            counted: Arc::default(),
            known: HashMap::new(),
            numbers: [0; Source::ALL.len()],
            room_at: [0; Source::ALL.len()],
            gone: Vec::new(),
            overflowed: 0,
        }
    }

    /// Names that made room for others since this was asked last.
    pub fn take_gone(&mut self) -> Vec<(Source, Arc<str>)> {
        std::mem::take(&mut self.gone)
    }

    /// The definitions may be new; what is known stays.
    pub fn replan(&mut self, names_max: usize, counted: Arc<BTreeSet<String>>) {
        (self.names_max, self.counted) = (names_max, counted);
    }

    /// A name from before the start.
    pub fn remember(&mut self, source: Source, name: &Arc<str>, minute: u32) {
        self.room_at[source as usize] = 0;
        if !self.known.contains_key(&(source, name.clone())) && self.numbers[source as usize] < self.names_max
        {
            self.numbers[source as usize] += 1;
            self.known.insert((source, name.clone()), minute);
        }
    }

    /// The name under which it is booked.
    fn admit(&mut self, source: Source, name: &str, minute: u32) -> Arc<str> {
        let key = (source, Arc::<str>::from(name));
        if let Some(seen) = self.known.get_mut(&key) {
            *seen = minute;
            return key.1;
        }
        let is_counted = source == Source::Events && self.counted.contains(name);
        if self.numbers[source as usize] >= self.names_max && !is_counted && !self.make_room(source, minute) {
            self.overflowed += 1;
            return OTHER.into();
        }
        self.numbers[source as usize] += 1;
        self.known.insert(key.clone(), minute);
        key.1
    }

    fn make_room(&mut self, source: Source, minute: u32) -> bool {
        if minute < self.room_at[source as usize] {
            return false;
        }
        let is_counted = |name: &str| source == Source::Events && self.counted.contains(name);
        let of_source = self.known.iter().filter(|((of, name), _)| *of == source && !is_counted(name));
        let oldest = of_source.min_by_key(|(_, seen)| **seen).map(|(key, seen)| (key.clone(), *seen));
        let Some((key, seen)) = oldest else { return false };
        // No later than a day from now, whatever a clock said that was ahead.
        self.room_at[source as usize] = seen.min(minute).saturating_add(UNUSED_MINUTES);
        if self.room_at[source as usize] > minute {
            return false;
        }
        self.numbers[source as usize] -= 1;
        self.known.remove(&key);
        self.gone.push(key);
        true
    }

    /// What an arrival adds, with names that are told apart. A query that took longer than `slow` is told by its statement.
    /// Letters are counted when they are worked through.
    pub fn tally(&mut self, arrival: &Arrival, slow: Duration, minute: u32) -> Tallies {
        let mut tallies = Tallies::default();
        // Spans of one route come together: the last name is most often the next.
        let mut last: Option<(&str, Arc<str>)> = None;
        for request in &arrival.requests {
            let name = match &last {
                Some((route, name)) if *route == request.route => name.clone(),
                _ => self.admit(Source::Requests, &request.route, minute),
            };
            last = Some((&request.route, name.clone()));
            let series = Series { source: Source::Requests, name, class: request.class };
            let tally = tallies.0.entry(series).or_default();
            tally.count += 1;
            tally.took.add(if request.failed { Side::Failed } else { Side::Good }, request.took);
        }
        for query in &arrival.queries {
            let name = match &query.text {
                Some(text) if query.took > slow => self.admit(Source::Queries, text, minute),
                None if query.took > slow => OTHER.into(),
                _ => "".into(),
            };
            let series = Series { source: Source::Queries, name, class: StatusClass::Unknown };
            let tally = tallies.0.entry(series).or_default();
            tally.count += 1;
            tally.took.add(Side::Good, query.took);
        }
        for happened in &arrival.happened {
            let name = self.admit(Source::Events, &happened.name, minute);
            tallies.count(Source::Events, &name, happened.times);
        }
        tallies
    }
}

/// Tallies as bytes, each by the number of its series.
pub fn encode<'a>(tallies: impl Iterator<Item = (i64, &'a Tally)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, tally) in tallies {
        let packed = tally.took.pack();
        bytes.extend(number.encode_var_vec());
        bytes.extend(tally.count.encode_var_vec());
        bytes.extend((packed.as_bytes().len() as u64).encode_var_vec());
        bytes.extend_from_slice(packed.as_bytes());
    }
    bytes
}

/// What [`encode`] made; `None` where it is something else.
pub fn decode(mut bytes: &[u8]) -> Option<Vec<(i64, Tally)>> {
    let mut tallies = Vec::new();
    while !bytes.is_empty() {
        let (number, length) = i64::decode_var(bytes)?;
        bytes = &bytes[length..];
        let (count, length) = u64::decode_var(bytes)?;
        bytes = &bytes[length..];
        let (size, length) = u64::decode_var(bytes)?;
        bytes = &bytes[length..];
        let (packed, rest) = bytes.split_at_checked(usize::try_from(size).ok()?)?;
        bytes = rest;
        tallies.push((number, Tally { count, took: Packed::read(packed)?.unpack() }));
    }
    Some(tallies)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{Happened, Query, Request};
    use proptest::prelude::*;

    fn request(route: &str, status: u16, ms: u64) -> Request {
        let class = StatusClass::of(status);
        let failed = class == StatusClass::ServerError;
        Request { route: route.to_owned(), class, failed, took: Duration::from_millis(ms), trace: None }
    }

    fn query(text: Option<&str>, ms: u64) -> Query {
        Query { text: text.map(str::to_owned), took: Duration::from_millis(ms) }
    }

    fn sum(tallies: &Tallies, source: Source) -> Sum {
        let mut sum = Sum::default();
        tallies.add_to(source, &mut sum);
        sum
    }

    const SLOW: Duration = Duration::from_millis(100);

    #[test]
    fn requests_are_counted_by_class_and_those_that_failed_apart() {
        let requests = vec![
            request("GET /", 200, 20),
            request("GET /", 200, 700),
            request("GET /", 404, 5),
            request("POST /api/checkout", 503, 30),
        ];
        let arrival = Arrival { requests, ..Arrival::default() };
        let tallies = Names::new(10).tally(&arrival, SLOW, 0);
        let sum = sum(&tallies, Source::Requests);
        let counts: Vec<_> = sum.counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
        assert_eq!(
            counts,
            ["requests 4", "requests_2xx 2", "requests_4xx 1", "requests_5xx 1", "requests_failed 1"]
        );
        assert_eq!(sum.fast(Duration::from_millis(500)), 2, "one was slow, one failed");
    }

    #[test]
    fn a_slow_query_is_told_by_its_statement_and_a_fast_one_is_counted() {
        let queries = vec![
            query(Some("select ?"), 100),
            query(Some("select ?"), 101),
            query(Some("select ?"), 250),
            query(None, 120),
        ];
        let arrival = Arrival { queries, ..Arrival::default() };
        let tallies = Names::new(10).tally(&arrival, SLOW, 0);
        let told: Vec<_> = tallies.0.iter().map(|(series, tally)| (&*series.name, tally.count)).collect();
        assert_eq!(told, [("", 1), (OTHER, 1), ("select ?", 2)]);
        let sum = sum(&tallies, Source::Queries);
        assert_eq!((sum.count(QUERIES), sum.count(QUERIES_SLOW)), (4, 3));
    }

    #[test]
    fn what_there_is_no_room_for_is_one_name_and_unused_names_make_room() {
        let arrival = |name: &str| {
            let happened = vec![Happened { name: name.to_owned(), times: 2 }];
            Arrival { happened, ..Arrival::default() }
        };
        let mut names = Names::new(2);
        let mut booked = |name: &str, minute| {
            let tallies = names.tally(&arrival(name), SLOW, minute);
            let told = tallies.0.keys().map(|series| series.name.to_string()).collect::<Vec<_>>();
            told.concat()
        };
        assert_eq!([booked("a", 0), booked("b", 9), booked("c", 10)], ["a", "b", OTHER]);
        assert_eq!(booked("a", UNUSED_MINUTES), "a", "it is in use");
        assert_eq!(booked("c", UNUSED_MINUTES + 9), "c", "nobody has seen b for a day");
        assert_eq!(booked("b", UNUSED_MINUTES + 10), OTHER);
        assert_eq!(booked("d", UNUSED_MINUTES * 2 - 1), OTHER);
        assert_eq!(booked("d", UNUSED_MINUTES * 2), "d", "nobody has seen a for a day");
        assert_eq!(names.overflowed, 3);
        let gone = names.take_gone();
        assert_eq!(gone.iter().map(|(_, name)| &**name).collect::<Vec<_>>(), ["b", "a"]);
    }

    #[test]
    fn what_a_check_counts_has_room_whatever_else_is_said() {
        let mut names = Names::new(1);
        names.replan(1, Arc::new(["order".to_owned()].into()));
        for (name, expected) in [("noise", "noise"), ("more noise", OTHER), ("order", "order")] {
            let happened = vec![Happened { name: name.to_owned(), times: 1 }];
            let tallies = names.tally(&Arrival { happened, ..Arrival::default() }, SLOW, 0);
            assert!(tallies.0.keys().all(|series| &*series.name == expected), "{name}");
        }
        // However rarely it comes, it makes room for nobody.
        let happened = vec![Happened { name: "late".to_owned(), times: 1 }];
        names.tally(&Arrival { happened, ..Arrival::default() }, SLOW, UNUSED_MINUTES * 2);
        assert_eq!(names.take_gone(), [(Source::Events, Arc::from("noise"))]);
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            tallies in prop::collection::vec((any::<i64>(), any::<u64>(), prop::collection::vec(0..4_000_000_000u64, 0..40)), 0..20)
        ) {
            let tally = |(number, count, took): &(i64, u64, Vec<u64>)| {
                let mut cells = Cells::default();
                for us in took {
                    cells.add(Side::Good, Duration::from_micros(*us));
                }
                (*number, Tally { count: *count, took: cells })
            };
            let tallies: Vec<_> = tallies.iter().map(tally).collect();
            let bytes = encode(tallies.iter().map(|(number, tally)| (*number, tally)));
            prop_assert_eq!(decode(&bytes), Some(tallies));
        }

        #[test]
        fn bytes_of_a_broken_disk_are_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            decode(&bytes);
        }
    }
}
