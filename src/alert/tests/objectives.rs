//! Alerts of objectives: how long they hold, what makes them silent, what freezes them.

use super::*;
use crate::config::Place;
use crate::config::alerting::{Indicator, Objective, Rule};
use crate::judge::{Condition, Standing, State};

fn objective() -> Objective {
    Objective {
        name: "uptime".into(),
        title: "The site answers".to_owned(),
        section: "shop".to_owned(),
        description: None,
        objective_ppm: 999_000,
        every: [("site".into(), Duration::from_secs(15))].into(),
        window: Duration::from_hours(28 * 24),
        indicator: Indicator::Availability { checks: vec!["site".into()] },
        instead: None,
        until_heard: None,
        rule: Rule::BurnRate,
        page: vec!["ops".into()],
        ticket: vec!["team".into()],
        info: vec!["team".into()],
        page_windows: vec![],
        ticket_windows: vec![],
        low_traffic: true,
        drought: false,
        excludes_maintenance: true,
        report: None,
        runbook: None,
        place: Place { file: "a.toml".into(), line: 1, column: 1 },
        generation: 1,
    }
}

fn world() -> World {
    let alerting = Alerting { objectives: vec![Arc::new(objective())], ..alerting() };
    World::new(vec![watched("site", 5, &[])], alerting)
}

fn severity(name: &str) -> Severity {
    match name {
        "page" => Severity::Page,
        "budget-50" => Severity::Info,
        _ => Severity::Ticket,
    }
}

/// `+page` holds, `-ticket` doesn't, `?page` is unknown.
fn standing(at: Timestamp, conditions: &str) -> Standing {
    let condition = |word: &str| {
        let (sign, name) = word.split_at(1);
        let known = ["page", "ticket", "budget-50", "gap"];
        let name = known.into_iter().find(|known| *known == name).expect("a condition");
        let verdict = match sign {
            "+" => Verdict::Firing,
            "-" => Verdict::Healthy,
            _ => Verdict::Unknown,
        };
        Condition {
            name,
            severity: severity(name),
            verdict,
            summary: format!("{name} burns"),
            evidence: vec![],
            cost: Some("10 % of the budget".to_owned()),
            keep_firing_for: None,
        }
    };
    Standing {
        at,
        good: 0,
        total: 0,
        raw_good: 0,
        raw_total: 0,
        coverage: 1.0,
        coverage_day: 1.0,
        consumed: None,
        burns: vec![],
        state: State::Met,
        notes: Vec::new(),
        conditions: conditions.split_whitespace().map(condition).collect(),
        baseline: None,
    }
}

impl World {
    /// Lines of `FROM-TO CONDITIONS`: judged every fifteen seconds, that long.
    fn judge(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (when, conditions) = line.split_once(' ').expect("a time and conditions");
            let (from, to) = when.split_once('-').expect("FROM-TO");
            let number = |text: &str| text.parse::<u32>().expect("a number");
            for second in (number(from)..=number(to)).step_by(15) {
                let at = moment(f64::from(second));
                self.wait_until(at);
                let standing = standing(at, conditions);
                self.engine.judged(at, &objective(), &standing);
                self.drain();
            }
        }
        self.wait_until(self.now + Duration::from_secs(1));
    }
}

fn check(script: &str, expected: &[&str]) {
    for always_killed in [false, true] {
        let mut world = world();
        world.always_killed = always_killed;
        world.judge(script);
        let of_slo = |notice: &String| notice.contains("slo/");
        let told: Vec<String> = world.told().into_iter().filter(of_slo).collect();
        assert_eq!(told, expected, "killed: {always_killed}\n{script}");
    }
}

#[test]
fn a_page_is_over_when_it_was_well_for_five_minutes() {
    check(
        "0-60 +page\n75-600 -page",
        &["0.5 ops firing page slo/uptime/page", "375.5 ops resolved page slo/uptime/page"],
    );
    check(
        "0-60 +page\n75-300 -page\n315-330 +page\n345-900 -page",
        &["0.5 ops firing page slo/uptime/page", "645.5 ops resolved page slo/uptime/page"],
    );
}

#[test]
fn what_nobody_knows_stops_the_clock() {
    check(
        "0-60 +page\n75-225 -page\n240-3600 ?page\n3615-3750 -page\n3765-3900 -page",
        // 165 s were known to be well before, so 135 s more.
        &["0.5 ops firing page slo/uptime/page", "3750.5 ops resolved page slo/uptime/page"],
    );
    check("0-600 ?page\n615-630 -page", &[]);
}

#[test]
fn a_page_is_told_in_place_of_the_ticket_and_that_in_place_of_half_the_budget() {
    check(
        "0-120 +page +ticket +budget-50\n135-600 -page +ticket +budget-50\n615-2500 -page -ticket +budget-50",
        &[
            "0.5 ops firing page slo/uptime/page",
            "435.5 ops resolved page slo/uptime/page",
            "495 team firing ticket slo/uptime/ticket",
            "2475 team firing info slo/uptime/budget-50",
            "2475 team resolved ticket slo/uptime/ticket",
        ],
    );
    check(
        "0-120 +page +ticket\n135-2400 -page -ticket",
        &["0.5 ops firing page slo/uptime/page", "435.5 ops resolved page slo/uptime/page"],
    );
}

#[test]
fn what_is_not_judged_any_more_ends() {
    let mut world = world();
    world.judge("0-60 +page\n75-90 +gap");
    assert_eq!(
        world.told(),
        ["0.5 ops firing page slo/uptime/page", "75.5 ops resolved page slo/uptime/page"]
    );
}

#[test]
fn a_check_that_is_told_explains_the_objective_until_it_is_well_and_the_windows_forget() {
    let run = |script: &str| {
        let mut world = world();
        world.run("0-45/5 site failed");
        world.judge("60-75 +page");
        let explained = world.view("slo/uptime/page");
        let cause = "Site (which this is made of) has failed since 10:00:00 UTC";
        assert_eq!(explained.now.cause.as_deref(), Some(cause));
        world.run("80-85/5 site ok");
        world.judge(script);
        let told = world.told();
        assert_eq!(
            told[..2],
            ["10.5 ops firing page check/site", "85.5 ops resolved page check/site"],
            "{told:?}"
        );
        told.into_iter().filter(|notice| notice.contains("slo/")).collect::<Vec<_>>()
    };
    assert_eq!(run("90-330 +page\n345-900 -page"), Vec::<String>::new(), "told by the check alone");
    assert_eq!(
        run("90-450 +page\n465-900 -page"),
        ["385.5 ops firing page slo/uptime/page", "765.5 ops resolved page slo/uptime/page"],
        "it has a reason of its own"
    );
}

#[test]
fn a_check_that_matters_less_or_is_silenced_explains_nothing() {
    let mut alerting = Alerting { objectives: vec![Arc::new(objective())], ..alerting() };
    let mut site = watched("site", 5, &[]);
    site.alert.failed = Some(Severity::Ticket);
    let mut world = World::new(vec![site], Alerting { ..alerting });
    world.run("0-20/5 site failed");
    world.judge("30-45 +page");
    assert_eq!(world.told(), ["30.5 ops firing page slo/uptime/page"]);

    alerting = Alerting { objectives: vec![Arc::new(objective())], ..super::alerting() };
    world = World::new(vec![watched("site", 5, &[])], alerting);
    world.fact(0.0, What::Silenced(super::quiet::silence("check=site", 0.0, 3600.0)));
    world.run("0-20/5 site failed");
    world.judge("30-45 +page");
    assert_eq!(world.told(), ["30.5 ops firing page slo/uptime/page"]);
}

#[test]
fn what_it_says_is_what_was_judged() {
    let mut world = world();
    world.judge("0-15 +page");
    let alert = &world.notices[0].alerts[0];
    assert_eq!((alert.title.as_str(), alert.summary.as_str()), ("The site answers", "page burns"));
    assert_eq!(alert.cost.as_deref(), Some("10 % of the budget"));
    assert_eq!(alert.labels.get("slo").map(String::as_str), Some("uptime"));
    assert_eq!(alert.labels.get("alertname").map(String::as_str), Some("ErrorBudgetBurn"));
    assert_eq!(world.view("slo/uptime/page").phase, Phase::Firing);
    world.judge("30-45 -page");
    assert_eq!(world.view("slo/uptime/page").phase, Phase::Resolving);
}
