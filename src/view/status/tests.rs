//! What the status page says of a part of the shop, and of its past.

use super::*;
use crate::alert::{AlertView, Key, Snapshot};
use crate::config::alerting::Begins;
use crate::outcome::{Class, Fault, Outcome};
use crate::record::windows::Counts;
use crate::view::tests::{at, refused, run, tcp, view};
use std::collections::{BTreeMap, HashMap};

fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a moment")
}

fn alert(check: &str, severity: Severity, phase: Phase) -> AlertView {
    let now = Snapshot {
        key: Key(format!("check/{check}").into()),
        episode: "e".to_owned(),
        severity,
        title: "Site".to_owned(),
        section: "site".to_owned(),
        summary: "127.0.0.1:1 refused the connection".to_owned(),
        evidence: Vec::new(),
        cost: None,
        cause: None,
        runbook: None,
        began: moment(1),
        fired: moment(2),
        ended: None,
        acknowledged_by: None,
        flaps: 0,
        labels: BTreeMap::new(),
    };
    AlertView { phase, now, told: Vec::new(), held: None, acknowledged: None, flapping: false }
}

/// A part of one check of each name, each with the outcome that its name says.
fn part(checks: &[&str], change: impl FnOnce(&mut View)) -> PartStatus {
    let definitions: String = checks
        .iter()
        .map(|name| {
            let told =
                if name.contains("quiet") { "alert = { failed = 'none', degraded = 'none' }" } else { "" };
            tcp(name, &format!("section = 'shop'\n{told}"))
        })
        .collect();
    let mut seen = view(&definitions, |name, record| {
        let outcome = match name.split('-').next() {
            Some("failed") => refused().into(),
            Some("blind") => Outcome::from(Fault::internal("no file descriptor left")),
            Some("slow") => Outcome::from(Fault::degraded(Class::Assertion, "it is slow")),
            Some("new") => return,
            _ => Outcome::ok(),
        };
        record.run(at(9), run(9, outcome));
    });
    change(&mut seen);
    let status = Status::new(&seen, Past::default());
    assert_eq!(status.parts.len(), 1, "every section is a part");
    assert_eq!(status.word, status.parts[0].word);
    status.parts.into_iter().next().expect("a part")
}

#[test]
fn a_part_is_as_the_worst_of_its_checks() {
    let check =
        |checks: &[&str], expected: Word| assert_eq!(part(checks, |_| ()).word, expected, "{checks:?}");
    check(&["ok-a", "ok-b"], Word::Well);
    // What nobody can tell, and what has not run yet, is never shown as well.
    check(&["ok-a", "blind-b"], Word::Unknown);
    check(&["ok-a", "new-b"], Word::Unknown);
    check(&["blind-a", "slow-b"], Word::Impaired);
    // Nobody is being woken yet.
    check(&["ok-a", "failed-b"], Word::Impaired);
    check(&["ok-a", "failed-quiet"], Word::Well);
    check(&["ok-a", "slow-quiet"], Word::Well);
}

#[test]
fn a_part_is_down_when_somebody_is_being_woken() {
    let with = |severity, phase| {
        part(&["ok-a", "failed-b"], |view| view.alerts.push(alert("failed-b", severity, phase)))
    };
    let down = with(Severity::Page, Phase::Firing);
    assert_eq!((down.word, down.since), (Word::Down, Some(moment(9))));
    assert_eq!(with(Severity::Page, Phase::Pending).word, Word::Impaired);
    assert_eq!(with(Severity::Ticket, Phase::Firing).word, Word::Impaired);
    // Another check's alert is not its own.
    let other = part(&["failed-b"], |view| view.alerts.push(alert("failed", Severity::Page, Phase::Firing)));
    assert_eq!(other.word, Word::Impaired);
    let over = part(&["ok-a"], |view| view.alerts.push(alert("ok-a", Severity::Page, Phase::Resolving)));
    assert_eq!(over.word, Word::Well);
}

fn maintained(from: i64, to: i64) -> Status {
    let mut seen = view(&(tcp("site", "section = 'shop'") + &tcp("mail", "")), |_, record| {
        record.run(at(9), run(9, refused()));
    });
    let maintenance = Maintenance {
        name: "server".into(),
        title: "A new server".to_owned(),
        begins: Begins::Once(moment(from)),
        lasts: Duration::from_secs(to.abs_diff(from)),
        zone: jiff::tz::TimeZone::UTC,
        of: Vec::new(),
        sections: vec!["shop".to_owned()],
    };
    Arc::get_mut(&mut seen.left_out).expect("nobody shares it").maintenance.push(maintenance);
    Status::new(&seen, Past::default())
}

#[test]
fn maintenance_is_announced_and_shown_for_what_it_is_about() {
    let words = |status: &Status| status.parts.iter().map(|part| part.word).collect::<Vec<_>>();
    let open = maintained(30, 90);
    assert_eq!(words(&open), [Word::Maintenance, Word::Impaired]);
    assert_eq!(open.planned.len(), 1);
    assert_eq!((open.planned[0].open, open.planned[0].parts.as_slice()), (true, &["Shop".to_owned()][..]));
    let soon = maintained(3_600, 7_200);
    assert_eq!(words(&soon), [Word::Impaired, Word::Impaired]);
    assert!(!soon.planned[0].open);
    assert!(maintained(30 * 86_400, 31 * 86_400).planned.is_empty(), "too far away to be announced");
    assert!(maintained(0, 30).planned.is_empty(), "it is over");
}

fn episode(alert: &str, severity: Severity, fired: i64, ended: Option<i64>) -> Episode {
    Episode {
        episode: format!("{alert}@{fired}"),
        alert: alert.to_owned(),
        severity,
        title: "Site".to_owned(),
        summary: "refused".to_owned(),
        fired: moment(fired),
        ended: ended.map(moment),
    }
}

#[test]
fn what_follows_closely_is_one_incident() {
    let seen = view(&(tcp("site", "section = 'shop'") + &tcp("mail", "section = 'mail'")), |_, record| {
        record.run(at(9), run(9, Outcome::ok()));
    });
    let page = Severity::Page;
    let episodes = [
        episode("check/site", page, 10_000, None),
        episode("check/site", page, 1_000, Some(2_000)),
        episode("check/site", page, 1_500, Some(1_600)),
        episode("check/site", page, 2_200, Some(2_500)),
        episode("check/site", page, 4_000, Some(4_100)),
        episode("check/site", Severity::Ticket, 5_000, Some(9_000)),
        episode("check/gone", page, 5_000, Some(9_000)),
        episode("check/mail", page, 4_050, Some(4_060)),
    ];
    let status = Status::new(&seen, Past { episodes: &episodes, ..Past::default() });
    let found: Vec<_> = status
        .incidents
        .iter()
        .map(|one| (&*one.part.name, one.from.as_second(), one.to.map(Timestamp::as_second)))
        .collect();
    let expected = [
        ("shop", 10_000, None),
        ("mail", 4_050, Some(4_060)),
        ("shop", 4_000, Some(4_100)),
        ("shop", 1_000, Some(2_500)),
    ];
    assert_eq!(found, expected);
}

/// The part of a check that runs every 30 seconds, at noon of a day; what it saw on the day before.
fn on_a_day(seen: Option<Counts>) -> (PartStatus, DayStatus) {
    const TODAY: u32 = 20_000;
    let mut shown = view(&tcp("site", "every = '30s'"), |_, record| record.run(at(9), run(9, Outcome::ok())));
    shown.at.wall = moment(i64::from(TODAY) * 86_400 + 43_200);
    let mut all = vec![None; DAYS as usize];
    all[DAYS as usize - 2] = seen;
    let days = Days { first: TODAY + 1 - DAYS, checks: HashMap::from([("site".into(), all)]) };
    let status = Status::new(&shown, Past { days: Some(&days), ..Past::default() });
    let part = status.parts.into_iter().next().expect("a part");
    let day = part.days[DAYS as usize - 2];
    assert_eq!((part.days.len(), day.date), (DAYS as usize, jiff::civil::date(2024, 10, 3)));
    (part, day)
}

#[test]
fn a_day_is_drawn_by_what_was_bad_of_what_was_measured() {
    let seen = |ok: u64, failed: u64, unknown: u64| Some(Counts { ok, failed, unknown, ..Counts::default() });
    let level = |counts: Option<Counts>| on_a_day(counts).1.level;
    assert_eq!(level(seen(2_880, 0, 0)), Level::Good);
    assert_eq!(level(seen(2_878, 2, 0)), Level::Good, "less than a minute and a half");
    assert_eq!(level(seen(2_870, 10, 0)), Level::Marked);
    assert_eq!(level(seen(2_800, 80, 0)), Level::Bad);
    assert_eq!(level(None), Level::Unmeasured);
    assert_eq!(level(seen(0, 0, 2_880)), Level::Unmeasured, "unknown is not good");
    let (part, day) = on_a_day(seen(1_400, 40, 1_440));
    assert!((day.measured_ratio - 0.5).abs() < 1e-9, "{day:?}");
    assert!(part.good_ratio.is_some_and(|good| (good - 1_400.0 / 1_440.0).abs() < 1e-9), "{part:?}");
    assert!((part.measured_ratio - 0.5 / f64::from(DAYS)).abs() < 1e-9, "of the other days nothing is known");
    assert_eq!(on_a_day(None).0.good_ratio, None);
}
