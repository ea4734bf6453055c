//! Performance data as the monitoring-plugins write it, read and written.
//!
//! `'label'=value[unit];[warn];[crit];[min];[max]`, separated by spaces, as the developer guidelines of the
//! Monitoring Plugins project say it. Real plugins bend the rules (no quotes, double spaces, decimal
//! commas, a stray word), so reading skips what it can't understand and counts it; writing keeps to the rules.

use std::fmt;

/// One number that a plugin measured, with what the plugin thinks of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Datum {
    pub label: String,
    /// `None` for `U`: the plugin could not tell.
    pub value: Option<f64>,
    /// As written: `s`, `ms`, `%`, `MB`, `c`, or nothing.
    pub unit: String,
    pub warn: Option<Range>,
    pub crit: Option<Range>,
    pub min: Option<f64>,
    pub max: Option<f64>,
}

/// When to alert: outside of `start..=end`, or inside of it where the range was written with `@`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    pub start: f64,
    pub end: f64,
    pub inside: bool,
}

impl Range {
    /// Whether the plugin's rules say to alert on `value`.
    pub fn alerts_on(&self, value: f64) -> bool {
        (self.start..=self.end).contains(&value) == self.inside
    }

    fn parse(text: &str) -> Option<Range> {
        let (inside, bounds) = match text.strip_prefix('@') {
            Some(bounds) => (true, bounds),
            None => (false, text),
        };
        let (start, end) = bounds.split_once(':').unwrap_or(("0", bounds));
        let start = match start {
            "~" => f64::NEG_INFINITY,
            "" => 0.0,
            start => number(start)?,
        };
        let end = if end.is_empty() { f64::INFINITY } else { number(end)? };
        (start <= end && !bounds.is_empty()).then_some(Range { start, end, inside })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.inside {
            f.write_str("@")?;
        }
        if self.start == f64::NEG_INFINITY {
            f.write_str("~:")?;
        } else if self.start != 0.0 || self.end == f64::INFINITY {
            write!(f, "{}:", self.start)?;
        }
        if self.end == f64::INFINITY { Ok(()) } else { self.end.fmt(f) }
    }
}

/// What was read from a plugin's output.
#[derive(Debug, Default, PartialEq)]
pub struct Perfdata {
    pub data: Vec<Datum>,
    /// How many words were no performance data.
    pub skipped: usize,
}

/// Reads all data of a text. Never fails: words that are no data are counted.
pub fn parse(text: &str) -> Perfdata {
    let mut found = Perfdata::default();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (word, after) = split_word(rest);
        match datum(word) {
            Some(datum) => found.data.push(datum),
            None => found.skipped += 1,
        }
        rest = after.trim_start();
    }
    found
}

/// Splits at the first white space outside of a quoted label.
fn split_word(text: &str) -> (&str, &str) {
    let mut quoted = text.starts_with('\'');
    let mut rest = text.char_indices().skip(usize::from(quoted)).peekable();
    while let Some((at, c)) = rest.next() {
        if quoted && c == '\'' && rest.next_if(|(_, next)| *next == '\'').is_none() {
            quoted = false;
        } else if !quoted && c.is_whitespace() {
            return text.split_at(at);
        }
    }
    // A quote that never closes must not swallow the data behind it.
    if quoted { text.split_at(text.find(char::is_whitespace).unwrap_or(text.len())) } else { (text, "") }
}

fn datum(word: &str) -> Option<Datum> {
    let (label, fields) = split_label(word)?;
    let mut fields = fields.split(';');
    let (value, unit) = split_value(fields.next()?)?;
    Some(Datum {
        label,
        value,
        unit: unit.to_owned(),
        warn: fields.next().and_then(Range::parse),
        crit: fields.next().and_then(Range::parse),
        min: fields.next().and_then(number),
        max: fields.next().and_then(number),
    })
}

fn split_label(word: &str) -> Option<(String, &str)> {
    if !word.starts_with('\'') {
        let (label, fields) = word.split_once('=')?;
        return (!label.is_empty()).then(|| (label.to_owned(), fields));
    }
    // The quote that ends a label is the one before `=`; those before it are doubled.
    let mut rest = word.char_indices().skip(1).peekable();
    while let Some((at, c)) = rest.next() {
        if c == '\'' && rest.next_if(|(_, next)| *next == '\'').is_none() {
            let label = word[1..at].replace("''", "'");
            let fields = word[at + 1..].strip_prefix('=')?;
            return (!label.is_empty()).then_some((label, fields));
        }
    }
    None
}

fn split_value(field: &str) -> Option<(Option<f64>, &str)> {
    if let Some(unit) = field.strip_prefix('U') {
        return unit.is_empty().then_some((None, ""));
    }
    let is_digit = |c: char| matches!(c, '0'..='9' | '.' | ',' | '-' | '+');
    let mut end = field.find(|c| !is_digit(c)).unwrap_or(field.len());
    if let Some(exponent) = field[end..].strip_prefix(['e', 'E']) {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        let length = digits.bytes().take_while(u8::is_ascii_digit).count();
        if length > 0 {
            end = field.len() - digits.len() + length;
        }
    }
    let unit = &field[end..];
    let is_unit = unit.chars().all(|c| c.is_alphabetic() || matches!(c, '%' | '°' | '/' | '_'));
    if is_unit { number(&field[..end]).map(|value| (Some(value), unit)) } else { None }
}

/// A finite decimal number; a comma stands for the point, as some locales print it.
fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b',' | b'-' | b'+' | b'e' | b'E'));
    plain.then(|| text.replace(',', ".").parse().ok()).flatten().filter(|n: &f64| n.is_finite())
}

impl fmt::Display for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'=", self.label.replace('\'', "''"))?;
        match self.value {
            Some(value) => write!(f, "{value}{}", self.unit)?,
            None => f.write_str("U")?,
        }
        let mut fields = [
            self.warn.map(|range| range.to_string()),
            self.crit.map(|range| range.to_string()),
            self.min.map(|bound| bound.to_string()),
            self.max.map(|bound| bound.to_string()),
        ]
        .map(Option::unwrap_or_default)
        .join(";");
        fields.truncate(fields.trim_end_matches(';').len());
        if fields.is_empty() { Ok(()) } else { write!(f, ";{fields}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &[&str], skipped: usize) {
        let found = parse(text);
        let data: Vec<_> = found.data.iter().map(Datum::to_string).collect();
        assert_eq!(
            (data, found.skipped),
            (expected.iter().map(ToString::to_string).collect(), skipped),
            "{text:?}"
        );
    }

    #[test]
    fn real_plugins_are_understood() {
        check(
            "load1=0.050;5.000;10.000;0; load5=0.270;4.000;8.000;0; ",
            &["'load1'=0.05;5;10;0", "'load5'=0.27;4;8;0"],
            0,
        );
        check(
            "/=22452109312B;243497277849;257024904396;0;270552530944",
            &["'/'=22452109312B;243497277849;257024904396;0;270552530944"],
            0,
        );
        check(
            "rta=0.086000ms;100.0;200.0;0.0 pl=0%;10;20;0;",
            &["'rta'=0.086ms;100;200;0", "'pl'=0%;10;20;0"],
            0,
        );
        check(" size=1411B;0;0;0", &["'size'=1411B;0;0;0"], 0);
        check("procs=76;;;0;", &["'procs'=76;;;0"], 0);
    }

    #[test]
    fn labels_may_hold_anything_when_quoted() {
        check("'two words'=1 'it''s'=2s", &["'two words'=1", "'it''s'=2s"], 0);
        check("'a=b'=1;;;", &["'a=b'=1"], 0);
        check("'C:\\ used'=3MB  'ä|ö'=4", &["'C:\\ used'=3MB", "'ä|ö'=4"], 0);
        check("''=1 =2 '=3", &[], 3);
        check("'never closed a=1 b=2", &["'a'=1", "'b'=2"], 2);
    }

    #[test]
    fn ranges_and_units() {
        check("a=1;10:;~:20 b=2;@10:20;5:6", &["'a'=1;10:;~:20", "'b'=2;@10:20;5:6"], 0);
        check("a=1;0:5;@0:5", &["'a'=1;5;@5"], 0);
        check("a=1;20:10;x;y;z", &["'a'=1"], 0);
        check("a=U b=U;1;2 c=Us", &["'a'=U", "'b'=U;1;2"], 1);
        check("a=1,5s b=-2e3c c=1e d=1.5e-3", &["'a'=1.5s", "'b'=-2000c", "'c'=1e", "'d'=0.0015"], 0);
        check("temp=23°C x=5req/s", &["'temp'=23°C", "'x'=5req/s"], 0);
    }

    #[test]
    fn what_is_no_data_is_counted_and_skipped() {
        check("", &[], 0);
        check(" | a=1", &["'a'=1"], 1);
        check("a=b c=--1 d= e=nan f=inf g=1e999 h=1", &["'h'=1"], 6);
        check("a=1s;2 seconds b=2", &["'a'=1s;2", "'b'=2"], 1);
    }

    #[test]
    fn a_range_alerts_outside_and_with_an_at_inside() {
        let alerts = |range: &str, value| Range::parse(range).expect("a range").alerts_on(value);
        assert!(alerts("10", 11.0) && alerts("10", -1.0) && !alerts("10", 10.0));
        assert!(alerts("10:", 9.9) && !alerts("10:", 1e9));
        assert!(alerts("~:10", 10.1) && !alerts("~:10", -1e9));
        assert!(alerts("@10:20", 10.0) && !alerts("@10:20", 9.9));
    }

    fn bounds() -> impl Strategy<Value = Option<Range>> {
        let start = prop_oneof![Just(f64::NEG_INFINITY), -1e6..1e6];
        let end = prop_oneof![Just(f64::INFINITY), 1e6..1e9];
        proptest::option::of((start, end, any::<bool>()).prop_map(|(start, end, inside)| Range {
            start,
            end,
            inside,
        }))
    }

    fn data() -> impl Strategy<Value = Datum> {
        let number = || proptest::option::of(-1e12..1e12);
        let unit = proptest::sample::select(vec!["", "s", "ms", "us", "%", "B", "KB", "TB", "c"]);
        let value = proptest::option::of((-1e12..1e12, unit));
        ("[^\r\n]{1,12}", value, bounds(), bounds(), number(), number()).prop_map(
            |(label, value, warn, crit, min, max)| {
                let (value, unit) = value.map_or((None, ""), |(value, unit)| (Some(value), unit));
                Datum { label, value, unit: unit.to_owned(), warn, crit, min, max }
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(data in proptest::collection::vec(data(), 0..6)) {
            let text = data.iter().map(Datum::to_string).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(parse(&text), Perfdata { data, skipped: 0 });
        }

        #[test]
        fn nothing_makes_the_reader_panic(text in "(?s)[ '=;:@~|U0-9a-e%.,äß\u{0}\n+-]{0,60}|.{0,60}") {
            let once = parse(&text);
            let written = once.data.iter().map(Datum::to_string).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(parse(&written).data, once.data);
        }
    }
}
