//! Queries with times: `$now`, `$ago_15m`, `$from`, `$start_of_day`, …
//!
//! Times come from the agent's clock and not from the database's, so that one query serves PostgreSQL
//! and SQLite and a test can set the time. They are filled in as quoted UTC literals with milliseconds,
//! `'2026-11-22 18:39:00.000'`: a `timestamp(3)` as Prisma makes it reads that, and SQLite compares
//! it as text with texts of the same form.

use super::token::{Dialect, Kind, Token, tokens};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Unit, Zoned, ZonedRound};
use std::time::Duration;

/// One query that reads, ready to be filled.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Sql(String),
    Time(Time),
}

/// A moment relative to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Time {
    Now,
    Ago(Duration),
    From,
    To,
    StartOfHour,
    StartOfDay,
}

/// What the placeholders are filled from.
#[derive(Debug, Clone)]
pub struct Moment {
    /// The run's time, which is `$now` and, until a cursor is kept, `$to`.
    pub now: Timestamp,
    /// `$to`.
    pub to: Timestamp,
    /// How far before `$to` the time `$from` is.
    pub window: Duration,
    /// Where days and hours begin.
    pub zone: TimeZone,
}

/// What is wrong with a query, and the way out.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong {
    pub text: String,
    pub hint: Option<String>,
}

const NAMES: [(&str, Time); 5] = [
    ("now", Time::Now),
    ("from", Time::From),
    ("to", Time::To),
    ("start_of_hour", Time::StartOfHour),
    ("start_of_day", Time::StartOfDay),
];

/// All of them, for hints.
const TIMES: &str = "`$now`, `$ago_15m`, `$from`, `$to`, `$start_of_hour`, `$start_of_day`";

/// The longest `$ago_…`: ten years, as a guard against a slip of the keys.
const LONGEST_AGO: Duration = Duration::from_hours(24 * 3660);

impl Template {
    /// Reads a query; everything that is wrong with it at once.
    pub fn parse(sql: &str, dialect: Dialect) -> Result<Template, Vec<Wrong>> {
        let tokens = match tokens(sql, dialect) {
            Ok(tokens) => tokens,
            Err(unclosed) => return Err(vec![wrong(unclosed, None)]),
        };
        let mut faults = Vec::new();
        // To a database the text would end there.
        if sql.contains('\0') {
            faults.push(wrong("the query holds a NUL character", None));
        }
        one_statement_that_reads(&tokens, &mut faults);
        let mut template = Template { parts: Vec::new() };
        for token in tokens {
            match token.kind {
                Kind::Semicolon => {}
                Kind::Placeholder => match time(&token.text[1..]) {
                    Ok(time) => template.parts.push(Part::Time(time)),
                    Err(fault) => faults.push(fault),
                },
                Kind::Binding => faults.push(wrong(
                    format!("`{}` is a binding, and nothing is bound", token.text),
                    Some(format!("times are {TIMES}")),
                )),
                _ => template.push(token.text),
            }
        }
        if template.asks_for(Time::From) && !template.asks_for(Time::To) {
            let text = "`$from` without `$to` would count events twice that happen while the query runs";
            faults.push(wrong(text, Some("add `and … < $to`".to_owned())));
        }
        if faults.is_empty() { Ok(template) } else { Err(faults) }
    }

    /// Whether the query counts what happened in a window.
    pub fn has_window(&self) -> bool {
        self.asks_for(Time::From)
    }

    /// Whether it asks where a day or an hour begins.
    pub fn has_zone(&self) -> bool {
        self.asks_for(Time::StartOfDay) || self.asks_for(Time::StartOfHour)
    }

    /// The SQL at a moment.
    pub fn fill(&self, moment: &Moment) -> String {
        let mut sql = String::new();
        for part in &self.parts {
            match part {
                Part::Sql(text) => sql.push_str(text),
                Part::Time(time) => sql.push_str(&literal(time.at(moment))),
            }
        }
        sql
    }

    fn asks_for(&self, time: Time) -> bool {
        self.parts.contains(&Part::Time(time))
    }

    fn push(&mut self, text: &str) {
        match self.parts.last_mut() {
            Some(Part::Sql(sql)) => sql.push_str(text),
            _ => self.parts.push(Part::Sql(text.to_owned())),
        }
    }
}

/// Whether `name` stands in the query as a name; so a column of its answer may have it.
pub fn names(sql: &str, name: &str) -> bool {
    // The dialect is known only when the address is: each that can read the query may answer.
    [Dialect::Postgres, Dialect::Sqlite].iter().any(|dialect| {
        let tokens = tokens(sql, *dialect).unwrap_or_default();
        tokens.iter().any(|token| match token.kind {
            Kind::Word => token.text.eq_ignore_ascii_case(name),
            Kind::Quoted => token.text.get(1..token.text.len() - 1) == Some(name),
            _ => false,
        })
    })
}

/// One statement, since another could end the read-only transaction; and one that can do nothing but read.
fn one_statement_that_reads(tokens: &[Token<'_>], faults: &mut Vec<Wrong>) {
    let mut code = tokens.iter().filter(|token| token.kind != Kind::Blank);
    let first = code.clone().find(|token| token.text != "(" && token.kind != Kind::Semicolon);
    match first {
        None => faults.push(wrong("the query is empty", None)),
        Some(first) if !READING.iter().any(|word| first.text.eq_ignore_ascii_case(word)) => {
            let begins = if first.kind == Kind::Word { first.text } else { "something else" };
            let text =
                format!("a query must read: it begins with {}, and not with `{begins}`", list(&READING));
            faults.push(wrong(text, None));
        }
        Some(_) => {}
    }
    let ended = code.by_ref().any(|token| token.kind == Kind::Semicolon);
    if ended && code.any(|token| token.kind != Kind::Semicolon) {
        let hint = "make it a check of its own, or join both with `with … as (…)`".to_owned();
        faults.push(wrong("the query holds more than one statement", Some(hint)));
    }
}

const READING: [&str; 4] = ["select", "with", "values", "table"];

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn wrong(text: impl Into<String>, hint: Option<String>) -> Wrong {
    Wrong { text: text.into(), hint }
}

fn time(name: &str) -> Result<Time, Wrong> {
    if let Some((_, time)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Ok(*time);
    }
    let Some(ago) = name.strip_prefix("ago_") else {
        let likeness = |known: &str| strsim::jaro_winkler(known, name);
        let known = NAMES.iter().map(|(known, _)| *known).chain(["ago_15m"]);
        let nearest = known.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let hint = match nearest.filter(|nearest| likeness(nearest) > 0.5) {
            Some(nearest) => format!("did you mean `${nearest}`?"),
            None => format!("times are {TIMES}"),
        };
        let hint = Some(hint);
        return Err(wrong(format!("`${name}` is not a time that can be filled in"), hint));
    };
    let hint = || Some("write a number and one of s, m, h, d, as in `$ago_15m`".to_owned());
    let (number, unit) = ago.split_at(ago.find(|c: char| !c.is_ascii_digit()).unwrap_or(ago.len()));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong(format!("`${name}` is not a time that can be filled in"), hint())),
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds)).map(Duration::from_secs) {
        Some(ago) if ago <= LONGEST_AGO => Ok(Time::Ago(ago)),
        _ => Err(wrong(format!("`${name}` is not a time within the last ten years"), hint())),
    }
}

impl Time {
    fn at(self, moment: &Moment) -> Timestamp {
        let before = |at: Timestamp, by: Duration| {
            let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
            at.saturating_sub(by).unwrap_or(Timestamp::MIN)
        };
        match self {
            Time::Now => moment.now,
            Time::To => moment.to,
            Time::Ago(by) => before(moment.now, by),
            Time::From => before(moment.to, moment.window),
            Time::StartOfHour => {
                start(moment, |local| local.round(ZonedRound::new().smallest(Unit::Hour).mode(TRUNCATE)))
            }
            Time::StartOfDay => start(moment, Zoned::start_of_day),
        }
    }
}

const TRUNCATE: jiff::RoundMode = jiff::RoundMode::Trunc;

/// Where the run's hour or day begins. Fails only at the ends of time, where `now` serves as well.
fn start(moment: &Moment, of: impl Fn(&Zoned) -> Result<Zoned, jiff::Error>) -> Timestamp {
    of(&moment.now.to_zoned(moment.zone.clone())).map_or(moment.now, |begin| begin.timestamp())
}

fn literal(at: Timestamp) -> String {
    let utc: DateTime = TimeZone::UTC.to_datetime(at);
    utc.strftime("'%Y-%m-%d %H:%M:%S.%3f'").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(now: &str, zone: &str) -> Moment {
        let zone = TimeZone::get(zone).expect("a zone");
        let now = now.parse().expect("a time");
        Moment { now, to: now, window: Duration::from_mins(1), zone }
    }

    fn check(sql: &str, expected: &str) {
        let template = Template::parse(sql, Dialect::Postgres).expect(sql);
        assert_eq!(template.fill(&moment("2026-11-22T18:39:07.4215Z", "Europe/Berlin")), expected);
    }

    fn refused(sql: &str, dialect: Dialect, expected: &str) {
        let faults = Template::parse(sql, dialect).expect_err(sql);
        let shown = |Wrong { text, hint }| format!("{text} ({})", hint.unwrap_or_default());
        assert_eq!(faults.into_iter().map(shown).collect::<Vec<_>>().join("; "), expected);
    }

    #[test]
    fn times_are_filled_from_one_clock() {
        check("select $now", "select '2026-11-22 18:39:07.421'");
        check("select $ago_15m, $ago_30s", "select '2026-11-22 18:24:07.421', '2026-11-22 18:38:37.421'");
        check("select $ago_24h,$ago_7d", "select '2026-11-21 18:39:07.421','2026-11-15 18:39:07.421'");
        check("select $from, $to", "select '2026-11-22 18:38:07.421', '2026-11-22 18:39:07.421'");
        check(
            "select $start_of_hour, $start_of_day",
            "select '2026-11-22 18:00:00.000', '2026-11-21 23:00:00.000'",
        );
        check("select '$now' -- $now\n;", "select '$now' -- $now\n");
        check("(select 1) ; ;", "(select 1)  ");
    }

    #[test]
    fn a_day_begins_where_the_shop_is() {
        for (now, zone, day, hour) in [
            ("2026-03-29T12:00:00Z", "Europe/Berlin", "2026-03-28 23:00:00.000", "2026-03-29 12:00:00.000"),
            ("2026-03-30T12:00:00Z", "Europe/Berlin", "2026-03-29 22:00:00.000", "2026-03-30 12:00:00.000"),
            (
                "2026-11-22T03:10:00Z",
                "America/Los_Angeles",
                "2026-11-21 08:00:00.000",
                "2026-11-22 03:00:00.000",
            ),
            ("2026-11-22T03:10:00Z", "Asia/Kolkata", "2026-11-21 18:30:00.000", "2026-11-22 02:30:00.000"),
        ] {
            let template =
                Template::parse("select $start_of_day, $start_of_hour", Dialect::Sqlite).expect("valid");
            assert_eq!(template.fill(&moment(now, zone)), format!("select '{day}', '{hour}'"));
        }
    }

    #[test]
    fn what_would_do_harm_or_nothing_is_refused() {
        use Dialect::{Postgres, Sqlite};
        refused("select $nwo", Postgres, "`$nwo` is not a time that can be filled in (did you mean `$now`?)");
        refused(
            "select $ago",
            Postgres,
            "`$ago` is not a time that can be filled in (did you mean `$ago_15m`?)",
        );
        refused(
            "select $strt_of_day",
            Sqlite,
            "`$strt_of_day` is not a time that can be filled in (did you mean `$start_of_day`?)",
        );
        let units = "(write a number and one of s, m, h, d, as in `$ago_15m`)";
        refused(
            "select $ago_15min",
            Sqlite,
            &format!("`$ago_15min` is not a time that can be filled in {units}"),
        );
        refused(
            "select $ago_9999d",
            Postgres,
            &format!("`$ago_9999d` is not a time within the last ten years {units}"),
        );
        refused(
            "select $1",
            Postgres,
            &format!("`$1` is not a time that can be filled in (times are {TIMES})"),
        );
        refused(
            "select 1 where a > $from",
            Postgres,
            "`$from` without `$to` would count events twice that happen while the query runs (add `and … < $to`)",
        );
        let more = "the query holds more than one statement (make it a check of its own, or join both with `with … as (…)`)";
        refused("select 1; commit; drop table x", Postgres, more);
        refused("select 1 /* ; */ ; select 2", Sqlite, more);
        let reading = "a query must read: it begins with `select`, `with`, `values`, `table`, and not with";
        refused("delete from orders", Postgres, &format!("{reading} `delete` ()"));
        refused("'x'", Postgres, &format!("{reading} `something else` ()"));
        refused(" -- nothing", Postgres, "the query is empty ()");
        refused(";", Postgres, "the query is empty ()");
        refused(
            "select :now",
            Sqlite,
            &format!("`:now` is a binding, and nothing is bound (times are {TIMES})"),
        );
        refused("select 'a", Sqlite, "a `'` is never closed ()");
    }

    #[test]
    fn a_character_that_ends_the_text_is_refused() {
        refused("select 1 \0 from a", Dialect::Sqlite, "the query holds a NUL character ()");
    }

    #[test]
    fn the_names_of_a_query_are_known_before_it_runs() {
        let sql = "select count(*) as stuck_orders, 'pending' as \"a_quoted\" -- total\n from orders";
        for (name, expected) in [
            ("stuck_orders", true),
            ("a_quoted", true),
            ("orders", true),
            ("pending", false),
            ("total", false),
            ("stuck", false),
        ] {
            assert_eq!(names(sql, name), expected, "{name}");
        }
        assert!(names("select 1 as [from_sqlite]", "from_sqlite"));
    }
}
