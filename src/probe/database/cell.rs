//! One value of an answer, whichever database gave it.
//!
//! The simple protocol gives every value as text in the form that the server prints; the type of
//! its column says how to read it.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Null,
    Number(f64),
    /// A length of time in seconds.
    Seconds(f64),
    Moment(Timestamp),
    Text(String),
    /// A value of a type that is neither number, time nor text; its type in words.
    Other(String),
}

/// A few rows under their columns' names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
    /// There were more rows than asked for.
    pub more: bool,
}

impl Cell {
    /// Reads what PostgreSQL printed for a column of the type that sqlx calls `kind`. A number or time without a
    /// finite value (`NaN`, `infinity`) is [`Cell::Null`].
    pub fn from_postgres(kind: &str, text: &str) -> Cell {
        let number = || text.parse().ok().filter(|number: &f64| number.is_finite()).map(Cell::Number);
        let cell = match kind {
            "INT2" | "INT4" | "INT8" | "OID" | "FLOAT4" | "FLOAT8" | "NUMERIC" => number(),
            "BOOL" => Some(Cell::Number(f64::from(u8::from(text == "t")))),
            "TIMESTAMP" | "TIMESTAMPTZ" | "DATE" => moment(text).map(Cell::Moment),
            "INTERVAL" => interval_seconds(text).map(Cell::Seconds),
            // `?` is a type that the database itself has defined; an enum prints as text.
            "TEXT" | "VARCHAR" | "CHAR" | "\"CHAR\"" | "NAME" | "UUID" | "UNKNOWN" | "CITEXT" | "?" => {
                Some(Cell::Text(text.to_owned()))
            }
            other => Some(Cell::Other(other.to_ascii_lowercase())),
        };
        cell.unwrap_or(Cell::Null)
    }

    /// The moment that a text names. SQLite has no type for times and keeps them as text.
    pub fn moment_in_text(&self) -> Option<Timestamp> {
        match self {
            // A bare date is this long; and no number is taken for a year.
            Cell::Text(text) if text.len() >= 10 && text.as_bytes()[4] == b'-' => moment(text),
            _ => None,
        }
    }
}

impl Table {
    /// The value of a column in a row.
    pub fn cell(&self, row: usize, column: &str) -> Option<&Cell> {
        let at = self.columns.iter().position(|name| name == column)?;
        self.rows.get(row)?.get(at)
    }

    /// The number in a column of a row; `None` also for NULL.
    pub fn number(&self, row: usize, column: &str) -> Option<f64> {
        match self.cell(row, column)? {
            Cell::Number(number) | Cell::Seconds(number) => Some(*number),
            // Consoles of poolers print their numbers as text.
            Cell::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub fn is_true(&self, row: usize, column: &str) -> bool {
        self.number(row, column) == Some(1.0)
    }

    pub fn text(&self, row: usize, column: &str) -> Option<&str> {
        match self.cell(row, column)? {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// `2026-11-22`, `2026-11-22 18:39:00.123`, `2026-11-22T18:39:00Z`, `2026-11-22 18:39:00+01:30`; without an offset it is UTC.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp);
    }
    let local: DateTime = text.parse().ok()?;
    TimeZone::UTC.to_timestamp(local).ok()
}

/// `1 year 2 mons -3 days +04:05:06.5`, as PostgreSQL prints it. A month has 30 days and a year 365.25, as in its own
/// `extract(epoch from …)`.
fn interval_seconds(text: &str) -> Option<f64> {
    const DAY: f64 = 86_400.0;
    let mut seconds = 0.0;
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        if word.contains(':') {
            seconds += clock_seconds(word)?;
            continue;
        }
        let number: f64 = word.parse().ok()?;
        let unit = match words.next()?.trim_end_matches('s') {
            "year" => 365.25 * DAY,
            "mon" => 30.0 * DAY,
            "day" => DAY,
            _ => return None,
        };
        seconds += number * unit;
    }
    Some(seconds)
}

/// `[+-]HH:MM:SS[.fraction]`
fn clock_seconds(text: &str) -> Option<f64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut seconds = 0.0;
    for part in digits.split(':') {
        seconds = seconds * 60.0 + part.parse::<f64>().ok()?;
    }
    Some(sign * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: &str, text: &str, expected: Cell) {
        assert_eq!(Cell::from_postgres(kind, text), expected, "{kind} {text}");
    }

    fn at(text: &str) -> Cell {
        Cell::Moment(text.parse().expect("a time"))
    }

    #[test]
    fn what_postgres_prints_is_read() {
        check("INT8", "-9007199254740993", Cell::Number(-9_007_199_254_740_992.0));
        check("NUMERIC", "1234.50", Cell::Number(1234.5));
        check("NUMERIC", "NaN", Cell::Null);
        check("FLOAT8", "Infinity", Cell::Null);
        check("FLOAT8", "1e-7", Cell::Number(1e-7));
        check("BOOL", "t", Cell::Number(1.0));
        check("BOOL", "f", Cell::Number(0.0));
        check("TIMESTAMP", "2026-11-22 18:39:00.123", at("2026-11-22T18:39:00.123Z"));
        check("TIMESTAMPTZ", "2026-11-22 18:39:00+00", at("2026-11-22T18:39:00Z"));
        check("TIMESTAMPTZ", "2026-11-22 18:39:00.5-03:30", at("2026-11-22T22:09:00.5Z"));
        check("DATE", "2026-11-22", at("2026-11-22T00:00:00Z"));
        check("TIMESTAMP", "infinity", Cell::Null);
        check("?", "PENDING", Cell::Text("PENDING".to_owned()));
        check("JSONB", "{}", Cell::Other("jsonb".to_owned()));
        check("MONEY", "$1.00", Cell::Other("money".to_owned()));
    }

    #[test]
    fn a_length_of_time_is_read_as_the_server_would() {
        check("INTERVAL", "00:15:00", Cell::Seconds(900.0));
        check("INTERVAL", "1 day 02:03:04.5", Cell::Seconds(93_784.5));
        check("INTERVAL", "-1 days +01:00:00", Cell::Seconds(-82_800.0));
        check("INTERVAL", "1 year 2 mons 3 days", Cell::Seconds(31_557_600.0 + 5_184_000.0 + 259_200.0));
        check("INTERVAL", "-00:00:00.25", Cell::Seconds(-0.25));
        check("INTERVAL", "nonsense", Cell::Null);
    }

    #[test]
    fn a_text_of_sqlite_is_a_time_where_it_looks_like_one() {
        for (text, expected) in [
            ("2026-11-22 18:39:00.000", Some("2026-11-22T18:39:00Z")),
            ("2026-11-22T18:39:00.000Z", Some("2026-11-22T18:39:00Z")),
            ("2026-11-22", Some("2026-11-22T00:00:00Z")),
            ("2026-13-22", None),
            ("1234-56", None),
            ("1234-56-78", None),
            ("ünïcödé-x", None),
            ("12.5", None),
        ] {
            let expected = expected.map(|text| text.parse().expect("a time"));
            assert_eq!(Cell::Text(text.to_owned()).moment_in_text(), expected, "{text}");
        }
    }
}
