//! What is recorded of each objective, in sloth's names: ratios by window, the budget, how fast it burns, what is left.

use super::number::{decimal, quoted, share, slug, window};
use super::proof::Proof;
use super::rule::{Group, Labels, Record, labels};
use crate::alert::Severity;
use crate::config::alerting::{Indicator, Objective, Rule};
use crate::judge::rule::tier::{MEASURED, Tier, tiers};
use crate::judge::rule::{share as shares, whole};

/// Normal quantiles of the chances that the judge takes for none: once in 10,000 and once in 1,000.
const Z_PAGE: f64 = 3.719_016_485_455_68;
const Z_TICKET: f64 = 3.090_232_306_167_813;

/// An objective and what its series are called.
pub struct Promise<'a> {
    pub objective: &'a Objective,
    pub id: String,
    pub service: String,
}

impl Promise<'_> {
    pub fn new(objective: &Objective) -> Promise<'_> {
        let service = slug(&objective.section);
        Promise { id: format!("{service}-{}", objective.name), service, objective }
    }

    /// The labels of all its series.
    pub fn labels(&self) -> Labels {
        labels([
            ("sloth_id", &self.id),
            ("sloth_service", &self.service),
            ("sloth_slo", &self.objective.name),
        ])
    }

    /// A series of its own.
    pub fn series(&self, name: &str) -> String {
        format!("{name}{{sloth_id={}}}", quoted(&self.id))
    }

    /// How many events of a window there were, all or only the bad ones.
    pub fn events(&self, minutes: u32, bad: bool) -> String {
        let result = if bad { ", result=\"bad\"" } else { "" };
        let slo = quoted(&self.objective.name);
        format!("sum(atalaya_slo_window_events{{slo={slo}, window=\"{}\"{result}}})", window(minutes))
    }

    /// The share of a window in which was measured.
    pub fn coverage(&self, minutes: u32) -> String {
        let slo = quoted(&self.objective.name);
        format!("max(atalaya_slo_coverage_ratio{{slo={slo}, window=\"{}\"}})", window(minutes))
    }

    /// The series that an agent exports of a window, for tests.
    pub fn exported(&self, minutes: u32, result: &str) -> String {
        let (slo, section) = (quoted(&self.objective.name), quoted(&self.objective.section));
        let window = window(minutes);
        match result {
            "" => format!("atalaya_slo_coverage_ratio{{slo={slo},section={section},window=\"{window}\"}}"),
            _ => format!(
                "atalaya_slo_window_events{{slo={slo},section={section},result=\"{result}\",window=\"{window}\"}}"
            ),
        }
    }

    pub fn by_minutes(&self) -> bool {
        matches!(self.objective.indicator, Indicator::Availability { .. })
    }

    /// All windows, the shortest first.
    fn windows(&self) -> Vec<u32> {
        let mut windows = MEASURED.to_vec();
        windows.push(whole(self.objective));
        if self.objective.rule == Rule::Share {
            windows.extend(shares::windows(self.objective));
        }
        windows.sort_unstable();
        windows.dedup();
        windows
    }
}

/// How many bad ones of so many events chance does not make, as an expression of their number; and the same in numbers.
///
/// The quantile of the binomial distribution by Cornish and Fisher's expansion to the skewness: `n·b + z·√(n·b·(1−b)) +
/// (z²−1)·(1−2b)/6`.
pub struct Floor {
    budget: f64,
    z: f64,
    skewness: f64,
    variance: f64,
}

impl Floor {
    pub fn new(objective: &Objective, severity: Severity) -> Floor {
        let budget = f64::from(objective.budget_ppm()) / 1e6;
        let z = if severity == Severity::Page { Z_PAGE } else { Z_TICKET };
        let rounded = |value: f64| (value * 1e6).round() / 1e6;
        let ppm = u64::from(objective.budget_ppm());
        Floor {
            budget,
            z: rounded(z),
            skewness: rounded((z * z - 1.0) * (1.0 - 2.0 * budget) / 6.0),
            variance: (ppm * (1_000_000 - ppm)) as f64 / 1e12,
        }
    }

    pub fn expr(&self, events: &str) -> String {
        let (budget, z) = (decimal(self.budget), decimal(self.z));
        let (variance, skewness) = (decimal(self.variance), decimal(self.skewness));
        format!("{budget} * {events}\n+ {z} * sqrt({variance} * {events})\n+ {skewness}")
    }

    pub fn of(&self, events: f64) -> f64 {
        self.budget * events + self.z * (self.variance * events).sqrt() + self.skewness
    }
}

/// What tests feed: of each window so many good and bad events, half of it measured.
const GOOD: f64 = 95.0;
const BAD: f64 = 5.0;
const COVERED: f64 = 0.5;

fn proof(promise: &Promise<'_>) -> Proof {
    let of_window = |minutes: u32| {
        [("good", decimal(GOOD)), ("bad", decimal(BAD)), ("", decimal(COVERED))]
            .map(|(result, value)| (promise.exported(minutes, result), format!("{value}x5")))
    };
    Proof {
        series: promise.windows().into_iter().flat_map(of_window).collect(),
        fires: 4,
        ..Proof::default()
    }
}

/// The two groups that sloth has for what is recorded. A baseline promises no share, so nothing is recorded of it.
pub fn groups(promise: &Promise<'_>) -> Vec<Group> {
    let id = &promise.id;
    let group = |name: &str, records| Group {
        name: format!("sloth-slo-{name}-{id}"),
        records,
        alerts: Vec::new(),
        proof: Some(proof(promise)),
    };
    vec![group("sli-recordings", ratios(promise)), group("meta-recordings", meta(promise))]
}

fn ratios(promise: &Promise<'_>) -> Vec<Record> {
    let mut records: Vec<Record> =
        promise.windows().into_iter().map(|minutes| ratio(promise, minutes)).collect();
    if promise.objective.low_traffic {
        for severity in [Severity::Page, Severity::Ticket] {
            for tier in tiers(promise.objective, severity) {
                records.push(at_least(promise, &tier));
                records.push(above_floor(promise, &tier, severity));
            }
        }
    }
    records
}

fn with_window(promise: &Promise<'_>, minutes: u32) -> Labels {
    let mut all = promise.labels();
    all.insert("sloth_window".to_owned(), window(minutes));
    all
}

fn ratio(promise: &Promise<'_>, minutes: u32) -> Record {
    Record {
        name: format!("slo:sli_error:ratio_rate{}", window(minutes)),
        expr: format!("{}\n/ ({} > 0)", promise.events(minutes, true), promise.events(minutes, false)),
        labels: with_window(promise, minutes),
        expected: BAD / (BAD + GOOD),
    }
}

fn at_least(promise: &Promise<'_>, tier: &Tier) -> Record {
    let minutes = tier.long;
    Record {
        name: format!("slo:sli_error_at_least:ratio_rate{}", window(minutes)),
        expr: format!("{}\n* on () {}", ratio(promise, minutes).expr, promise.coverage(minutes)),
        labels: with_window(promise, minutes),
        expected: BAD / (BAD + GOOD) * COVERED,
    }
}

fn above_floor(promise: &Promise<'_>, tier: &Tier, severity: Severity) -> Record {
    let minutes = tier.long;
    let bad = promise.events(minutes, true);
    let (expr, expected) = if promise.by_minutes() {
        (format!("{bad} - {}", tier.bad_minutes_min), BAD - tier.bad_minutes_min as f64)
    } else {
        let floor = Floor::new(promise.objective, severity);
        let chance = floor.expr(&promise.events(minutes, false)).replace('\n', "\n    ");
        (format!("{bad}\n- clamp_min(\n    {chance},\n    3\n  )"), BAD - floor.of(BAD + GOOD).max(3.0))
    };
    let name = format!("slo:sli_bad_events:above_floor{}", window(minutes));
    Record { name, expr, labels: with_window(promise, minutes), expected }
}

fn meta(promise: &Promise<'_>) -> Vec<Record> {
    let objective = promise.objective;
    let minutes = whole(objective);
    let (kept, budget) = (share(objective.objective_ppm), share(objective.budget_ppm()));
    let ratio = BAD / (BAD + GOOD);
    let allowed = f64::from(objective.budget_ppm()) / 1e6;
    let record = |name: &str, expr: String, expected: f64| Record {
        name: name.to_owned(),
        expr,
        labels: promise.labels(),
        expected,
    };
    let burn = |window: &str| {
        let of = promise.series(&format!("slo:sli_error:ratio_rate{window}"));
        let budget = promise.series("slo:error_budget:ratio");
        format!("{of}\n/ on (sloth_id, sloth_service, sloth_slo)\n{budget}")
    };
    let left = format!(
        "1 - {} * on () group_left () {}",
        promise.series("slo:period_burn_rate:ratio"),
        promise.coverage(minutes)
    );
    let mut info = record("sloth_slo_info", "vector(1)".to_owned(), 1.0);
    info.labels.extend(labels([
        ("sloth_mode", "cli-gen-prom"),
        ("sloth_objective", &decimal(f64::from(objective.objective_ppm) / 1e4)),
        ("sloth_spec", "atalaya/v1"),
        ("sloth_version", "atalaya"),
    ]));
    let holds =
        format!("{budget} * {}\n/ on () ({} > 0)", promise.events(minutes, false), promise.coverage(minutes));
    vec![
        record("slo:error_budget:events", holds, allowed * (BAD + GOOD) / COVERED),
        record("slo:objective:ratio", format!("vector({kept})"), f64::from(objective.objective_ppm) / 1e6),
        record("slo:error_budget:ratio", format!("vector({budget})"), allowed),
        record("slo:time_period:days", format!("vector({})", minutes / 1440), f64::from(minutes / 1440)),
        record("slo:current_burn_rate:ratio", burn("5m"), ratio / allowed),
        record("slo:period_burn_rate:ratio", burn(&window(minutes)), ratio / allowed),
        record("slo:period_error_budget_remaining:ratio", left, 1.0 - ratio / allowed * COVERED),
        info,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::chance::tail;
    use crate::judge::tests::objective;

    /// The judge's own threshold against the floor that stands in for it.
    #[test]
    fn the_floor_is_right_to_within_one_event() {
        let mut compared = 0;
        for promise in [70.0, 85.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.9, 99.99] {
            let objective = objective("counts", promise, 28);
            let budget = f64::from(objective.budget_ppm()) / 1e6;
            for (severity, alpha) in [(Severity::Page, 1e-4), (Severity::Ticket, 1e-3)] {
                let floor = Floor::new(&objective, severity);
                for events in [3_u32, 5, 8, 10, 15, 20, 35, 50, 100, 200, 500, 1000, 5000, 20_000] {
                    let judged =
                        (3..=u64::from(events)).find(|bad| tail(*bad, events.into(), budget) <= alpha);
                    let approximate = floor.of(f64::from(events)).max(3.0).ceil();
                    if let Some(judged) = judged {
                        let off = approximate - judged as f64;
                        assert!(
                            off.abs() <= 1.0,
                            "{promise} % of {events}, {severity}: {approximate}, not {judged}"
                        );
                        compared += 1;
                    } else {
                        assert!(approximate >= f64::from(events), "{promise} % of {events}, {severity}");
                    }
                }
            }
        }
        assert!(compared > 200, "{compared}");
    }
}
