//! Queries with times: `$now`, `$ago_15m`, `$from`, `$start_of_day`, …
//!
//! Times come from the agent's clock and not from the database's, so that one query serves PostgreSQL
//! and SQLite and a test can set the time. They are filled in as quoted UTC literals with milliseconds,
//! `'2026-11-22 18:39:00.000'`: a `timestamp(3)` as Prisma makes it reads that, and SQLite compares
//! it as text with texts of the same form.

mod time;

use super::token::{Dialect, Kind, Token, tokens};
pub use time::Moment;
use time::{TIMES, Time};

/// One query that reads, ready to be filled.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
    dialect: Dialect,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Sql(String),
    Time(Time),
}

/// What is wrong with a query, and the way out.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong {
    pub text: String,
    pub hint: Option<String>,
}

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
        let mut template = Template { parts: Vec::new(), dialect };
        for token in tokens {
            match token.kind {
                Kind::Semicolon => {}
                Kind::Placeholder => match Time::named(&token.text[1..]) {
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
        self.parts.iter().any(|part| matches!(part, Part::Time(time) if time.has_zone()))
    }

    /// The SQL at a moment.
    pub fn fill(&self, moment: &Moment) -> String {
        let mut sql = String::new();
        for part in &self.parts {
            match part {
                Part::Sql(text) => sql.push_str(text),
                Part::Time(time) => sql.push_str(&time.literal(moment, self.dialect)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use std::time::Duration;

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
