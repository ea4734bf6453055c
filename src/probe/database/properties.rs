//! What holds of every query: only a time in the code is filled, and nothing breaks the reader.

use super::template::{Moment, Template, names};
use super::token::Dialect;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use std::time::Duration;

fn moment(now: &str) -> Moment {
    let now = now.parse().expect("a time");
    Moment { now, to: now, window: Duration::from_mins(1), zone: TimeZone::UTC }
}

/// A piece of SQL and what becomes of it; `None` for what stays as it is.
fn piece(dialect: Dialect) -> impl Strategy<Value = (String, Option<&'static str>)> {
    let stays = move |text: String| (text, None);
    let inner = "( |\\$now|\\$ago_15m|;|é|\\$|a|--|/|\u{a0}){0,5}";
    let quoted = inner.prop_map(move |inner| stays(format!("'{inner}''{inner}'")));
    let named = inner.prop_map(move |inner| stays(format!("\"{inner}\"\"{inner}\"")));
    let comment = inner.prop_map(move |inner| stays(format!("/* {inner} */")));
    let line = inner.prop_map(move |inner| stays(format!("--{inner}\n")));
    let of_its_own = inner.prop_map(move |inner| match dialect {
        Dialect::Postgres => {
            stays(format!("$tag$'{inner}\"$tag$ E'\\'{inner}'\n'\\'{inner}' /* /* {inner} */ {inner} */"))
        }
        Dialect::Sqlite => stays(format!("`{inner}` [{inner}]")),
    });
    let code = prop::sample::select(vec![
        "a",
        "count(*)",
        "x$now",
        "a::int",
        "1.5",
        "<",
        "é$now",
        "(",
        "\u{a0}$now",
    ]);
    let times = [("$now", "2026-11-22 18:39:07.421"), ("$ago_15m", "2026-11-22 18:24:07.421")];
    let time = prop::sample::select(times.to_vec());
    prop_oneof![
        quoted,
        named,
        comment,
        line,
        of_its_own,
        code.prop_map(move |code| stays(code.to_owned())),
        time.prop_map(|(name, time)| (name.to_owned(), Some(time))),
    ]
}

fn pieces() -> impl Strategy<Value = (Dialect, Vec<(String, Option<&'static str>)>)> {
    prop::sample::select(vec![Dialect::Postgres, Dialect::Sqlite])
        .prop_flat_map(|dialect| (Just(dialect), prop::collection::vec(piece(dialect), 0..12)))
}

proptest! {
    #[test]
    fn only_a_time_in_the_code_is_filled((dialect, pieces) in pieces()) {
        let (mut sql, mut expected) = ("select ".to_owned(), "select ".to_owned());
        for (text, time) in pieces {
            sql.push_str(&text);
            sql.push(' ');
            expected.push_str(&time.map_or(text, |time| format!("'{time}'")));
            expected.push(' ');
        }
        let template = Template::parse(&sql, dialect);
        let template = template.map_err(|faults| TestCaseError::fail(format!("{sql}\n{faults:?}")))?;
        let filled = template.fill(&moment("2026-11-22T18:39:07.4215Z"));
        prop_assert_eq!(filled, expected);
    }

    #[test]
    fn nothing_makes_the_reader_panic(sql in "(?s)(select |\\$|now|ago_|9{1,20}d|'|\"|--|/\\*|\\*/|E'|;|\\\\|\n|\r|é|\0|`|\\[|\\]|\\?|:|.){0,20}", sqlite: bool) {
        let dialect = if sqlite { Dialect::Sqlite } else { Dialect::Postgres };
        names(&sql, "a");
        match Template::parse(&sql, dialect) {
            Ok(template) => prop_assert!(!template.fill(&moment("2026-11-22T18:39:07Z")).contains('\0')),
            Err(faults) => prop_assert!(!faults.is_empty()),
        }
    }
}
