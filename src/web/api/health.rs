//! The comprehensive health report, in the names that the shop's operators know: four check sections, a
//! `business` and a `performance` section. What is not measured is `null`, and `notMeasured` says why.

use crate::outcome::Status;
use crate::view::{CheckView, View};
use serde_json::{Map, Value, json};

/// The sections that are always there.
const SECTIONS: [&str; 4] = ["database", "payments", "cache", "email"];

/// The names of the report and the measures that hold them.
const BUSINESS: [(&str, &str); 3] = [
    ("pendingOrders", "pending_orders"),
    ("failedPayments", "failed_payments"),
    ("activeCart", "active_carts"),
];

/// The parts of the database's connection pool and the measures that hold them.
const POOL: [(&str, &str); 6] = [
    ("used", "connections_used"),
    ("max", "connections_max"),
    ("usedRatio", "connections_used_ratio"),
    ("idleInTransaction", "connections_idle_in_transaction"),
    ("clientsWaiting", "pooler_clients_waiting"),
    ("maxWaitSeconds", "pooler_maxwait_seconds"),
];

/// The report of one moment.
pub fn report(view: &View) -> Value {
    let mut not_measured = Map::new();
    let mut checks = Map::new();
    for section in SECTIONS {
        checks.insert(section.to_owned(), section_report(view, section, &mut not_measured));
    }
    let business = business(view, &mut not_measured);
    let performance = performance(view, &mut not_measured);
    let worst = view.checks.iter().map(|check| check.status()).max().unwrap_or(Status::Unknown);
    json!({
        "status": worst,
        "timestamp": view.at.wall.to_string(),
        "uptimeSeconds": view.at.steady.saturating_sub(view.started.steady).as_secs(),
        "version": env!("CARGO_PKG_VERSION"),
        "checks": checks,
        "business": business,
        "performance": performance,
        "skipped": view.skipped.iter().map(|one| json!({ "check": &*one.name, "section": one.section, "reason": one.why })).collect::<Vec<_>>(),
        "notMeasured": not_measured,
    })
}

fn of_section<'a>(view: &'a View, section: &'a str) -> impl Iterator<Item = &'a CheckView> {
    view.checks.iter().map(|check| &**check).filter(move |check| check.check.section == section)
}

fn section_report(view: &View, section: &str, not_measured: &mut Map<String, Value>) -> Value {
    let checks: Vec<&CheckView> = of_section(view, section).collect();
    let skipped: Vec<&str> =
        view.skipped.iter().filter(|one| one.section == section).map(|one| one.why.as_str()).collect();
    let status = checks.iter().map(|check| check.status()).max();
    let slowest = checks.iter().filter_map(|check| check.last.as_ref()).map(|last| last.run.took).max();
    if checks.is_empty() {
        let why = match skipped.first() {
            Some(why) => format!("skipped: {why}"),
            None => "no check is defined for it".to_owned(),
        };
        not_measured.insert(format!("checks.{section}"), why.into());
    }
    let mut report = json!({
        "status": status.unwrap_or(Status::Unknown),
        "responseTime": slowest.map(|took| milliseconds(took.as_secs_f64())),
        "checks": checks.iter().map(|check| check_report(view, check)).collect::<Vec<_>>(),
    });
    if section == "database" {
        report["connectionPool"] = pool(&checks, not_measured);
    }
    report
}

fn check_report(view: &View, check: &CheckView) -> Value {
    let reason = check.reason();
    json!({
        "name": &*check.check.name,
        "title": check.check.title,
        "status": check.status(),
        "since": check.since.map(|at| at.to_string()),
        "lastRun": check.last.as_ref().map(|last| last.at.to_string()),
        "responseTime": check.last.as_ref().map(|last| milliseconds(last.run.took.as_secs_f64())),
        "class": reason.map(|fault| fault.class),
        "reason": match (&check.last, reason) {
            (None, None) => Some("it has not run yet"),
            (_, fault) => fault.map(|fault| fault.text.as_str()),
        },
        "notes": check.last.as_ref().map(|last| &last.run.outcome.notes),
        "explainedBy": view.explained_by(check).map(|parent| &*parent.check.name),
    })
}

fn pool(checks: &[&CheckView], not_measured: &mut Map<String, Value>) -> Value {
    let mut pool = Map::new();
    for (name, measure) in POOL {
        if let Some(value) = checks.iter().find_map(|check| check.measure(measure)) {
            pool.insert(name.to_owned(), number(value));
        }
    }
    if pool.is_empty() {
        let why = trouble(checks.iter().copied(), "database", &POOL.map(|(_, measure)| measure))
            .unwrap_or_else(|| "no check of the database yields connection numbers yet".to_owned());
        not_measured.insert("checks.database.connectionPool".to_owned(), why.into());
        return Value::Null;
    }
    pool.into()
}

fn business(view: &View, not_measured: &mut Map<String, Value>) -> Value {
    let mut business = Map::new();
    for (name, measure) in BUSINESS {
        let value = view.checks.iter().find_map(|check| check.measure(measure));
        if value.is_none() {
            let why = match name {
                "activeCart" => {
                    "carts live in the browser; they are known when the shop sends events".to_owned()
                }
                _ => trouble(view.checks.iter().map(|check| &**check), "business", &[measure])
                    .unwrap_or_else(|| "no check has yielded it yet".to_owned()),
            };
            not_measured.insert(format!("business.{name}"), why.into());
        }
        business.insert(name.to_owned(), value.map_or(Value::Null, number));
    }
    business.into()
}

/// Why none of these measures is there: the check that would yield one and can't now. That is one whose kind
/// declares such a measure or, as the names in a definition's own SQL or command are not known before they
/// come, any of the section where they belong.
fn trouble<'a>(
    checks: impl Iterator<Item = &'a CheckView>,
    section: &str,
    measures: &[&str],
) -> Option<String> {
    let declares = |check: &CheckView| check.check.measures.iter().any(|info| measures.contains(&info.name));
    let mut unwell: Vec<_> = checks
        .filter(|check| matches!(check.status(), Status::Failed | Status::Unknown))
        .filter(|check| check.check.section == section || declares(check))
        .collect();
    unwell.sort_by_key(|check| (!declares(check), std::cmp::Reverse(check.status())));
    let check = unwell.first()?;
    let name = &check.check.name;
    Some(match (check.status(), check.reason()) {
        (Status::Failed, Some(fault)) => format!("the check `{name}` failed: {}", fault.text),
        (_, Some(fault)) => format!("the check `{name}` can't tell: {}", fault.text),
        (_, None) => format!("the check `{name}` has not run yet"),
    })
}

/// From the requests of customers where the shop tells of them, else from the checks of the site over five minutes.
fn performance(view: &View, not_measured: &mut Map<String, Value>) -> Value {
    of_customers(view).unwrap_or_else(|| of_checks(view, not_measured))
}

/// `None` where no check hears of requests, and where none came: what the agent does by itself says more then.
fn of_customers(view: &View) -> Option<Value> {
    let check =
        view.checks.iter().find(|check| check.measure("requests").is_some_and(|requests| requests > 0.0))?;
    let measured = |name: &str| check.measure(name);
    Some(json!({
        "avgResponseTime": measured("mean_seconds").map(milliseconds),
        "p95ResponseTime": measured("p95_seconds").map(milliseconds),
        "errorRate": measured("requests_failed_ratio"),
        "throughput": measured("requests_per_second"),
        "source": "requests",
        "check": &*check.check.name,
        "runs": null,
    }))
}

fn of_checks(view: &View, not_measured: &mut Map<String, Value>) -> Value {
    let site: Vec<&CheckView> =
        of_section(view, "site").filter(|check| !check.check.definition.kind().is_heard()).collect();
    let (mut weighted, mut runs, mut failed) = (0.0, 0, 0);
    for window in site.iter().map(|check| &check.windows[0]) {
        let known = window.counts.known();
        weighted += window.mean_seconds.unwrap_or_default() * known as f64;
        runs += known;
        failed += window.counts.failed;
    }
    let mean = (runs > 0).then(|| milliseconds(weighted / runs as f64));
    let error_rate = (runs > 0).then(|| failed as f64 / runs as f64);
    if runs == 0 {
        let why = "no check of the section `site` has run in the last five minutes";
        not_measured.insert("performance.avgResponseTime".to_owned(), why.into());
        not_measured.insert("performance.errorRate".to_owned(), why.into());
    }
    let why = "requests of customers are known when the shop sends spans or events";
    not_measured.insert("performance.throughput".to_owned(), why.into());
    not_measured.insert("performance.p95ResponseTime".to_owned(), why.into());
    json!({
        "avgResponseTime": mean,
        "p95ResponseTime": null,
        "errorRate": error_rate,
        "throughput": null,
        "source": if runs > 0 { Some("checks") } else { None },
        "window": "5m",
        "runs": runs,
    })
}

/// Whole numbers without a point.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 { json!(value as i64) } else { json!(value) }
}

/// Milliseconds with microseconds behind the point.
fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Fault, Outcome};
    use crate::record::Record;
    use crate::view::tests::{at, refused, run, view};

    const CHECKS: &str = "[[check]]\nname = 'orders'\nsection = 'business'\nprobe.command = { argv = ['x'] }\n\
                          [[check]]\nname = 'port'\nsection = 'database'\nprobe.tcp = { address = '127.0.0.1:1' }\n\
                          [[check]]\nname = 'shop'\nsection = 'database'\n\
                          probe.postgres = { url = 'postgres://a:b@127.0.0.1:1/shop' }\n";

    /// Why `business.pendingOrders` and the connection pool are null, where they are.
    fn check(book: impl Fn(&str, &mut Record), orders: Option<&str>, pool: Option<&str>) {
        let report = report(&view(CHECKS, book));
        let why = |name: &str| report["notMeasured"][name].as_str();
        assert_eq!((why("business.pendingOrders"), why("checks.database.connectionPool")), (orders, pool));
        assert_eq!(report["business"]["pendingOrders"].is_null(), orders.is_some());
        assert_eq!(report["checks"]["database"]["connectionPool"].is_null(), pool.is_some());
    }

    fn measured() -> Outcome {
        let mut outcome = Outcome::ok();
        outcome.measure("pending_orders", 3.0);
        outcome.measure("connections_used", 7.0);
        outcome
    }

    #[test]
    fn what_is_null_says_which_check_is_at_fault() {
        let waiting = (Some("the check `orders` has not run yet"), Some("the check `shop` has not run yet"));
        check(|_, _| {}, waiting.0, waiting.1);
        check(|_, record| record.run(at(1), run(1, measured())), None, None);
        check(
            |_, record| record.run(at(1), run(1, Outcome::ok())),
            Some("no check has yielded it yet"),
            Some("no check of the database yields connection numbers yet"),
        );
        let later_refused = |_: &str, record: &mut Record| {
            record.run(at(1), run(1, measured()));
            record.run(at(11), run(11, refused()));
        };
        let failed = "the check `shop` failed: connection refused";
        check(later_refused, Some("the check `orders` failed: connection refused"), Some(failed));
        let blind = |_: &str, record: &mut Record| {
            record.run(at(1), run(1, Fault::internal("no file descriptor left")));
        };
        let unknown = "the check `orders` can't tell: no file descriptor left";
        check(blind, Some(unknown), Some("the check `shop` can't tell: no file descriptor left"));
        let dropped = |_: &str, record: &mut Record| {
            record.run(at(1), run(1, measured()));
            record.dropped(at(11), 1);
        };
        let not_run = "the check `orders` can't tell: it was due and did not run";
        check(dropped, Some(not_run), Some("the check `shop` can't tell: it was due and did not run"));
    }

    #[test]
    fn performance_is_of_customers_where_the_shop_tells_of_them() {
        const TOLD: &str = "[[check]]\nname = 'site'\nsection = 'site'\nprobe.tcp = { address = '127.0.0.1:1' }\n\
                            [[check]]\nname = 'requests'\nsection = 'site'\nprobe.received = { source = 'requests' }\n";
        let performance = |requests: f64| {
            let view = view(TOLD, |name, record| {
                let mut outcome = Outcome::ok();
                if name == "requests" {
                    outcome.measure("requests", requests);
                    outcome.measure("mean_seconds", 0.25);
                    outcome.measure("requests_failed_ratio", 0.02);
                    outcome.measure("requests_per_second", 1.5);
                }
                record.run(at(1), run(1, outcome));
            });
            let report = report(&view);
            let of = &report["performance"];
            (of["source"].clone(), of["avgResponseTime"].clone(), of["throughput"].clone())
        };
        assert_eq!(performance(90.0), (json!("requests"), json!(250.0), json!(1.5)));
        assert_eq!(performance(0.0), (json!("checks"), json!(3.0), Value::Null));
    }

    #[test]
    fn a_wall_clock_that_is_set_back_leaves_the_uptime() {
        let mut view = view(CHECKS, |_, _| {});
        view.at.wall = jiff::Timestamp::UNIX_EPOCH - jiff::SignedDuration::from_hours(1);
        assert_eq!(report(&view)["uptimeSeconds"], 60);
    }
}
