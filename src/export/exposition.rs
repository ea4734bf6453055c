//! The two text formats of Prometheus, line by line.
//!
//! Sources: the exposition formats page of Prometheus (text 0.0.4) and the OpenMetrics specification 1.0.
//! Both get the same series under the same names: `le` and `quantile` are written as OpenMetrics demands
//! (`1.0`, not `1`), so that a server that changes its mind about the format keeps its series.

use std::io::Write as _;

/// Which text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4.
    Text,
    OpenMetrics,
}

impl Format {
    /// What the `Accept` header of a scrape asks for; plain text where it asks for nothing we have.
    pub fn negotiate(accept: &str) -> Format {
        let quality = |kind: &str| {
            accept
                .split(',')
                .map(str::trim)
                .filter(|range| range.starts_with(kind))
                .map(quality_of)
                .fold(0.0, f64::max)
        };
        if quality("application/openmetrics-text") > quality("text/plain") {
            Format::OpenMetrics
        } else {
            Format::Text
        }
    }

    pub const fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

fn quality_of(range: &str) -> f64 {
    let quality = range.split(';').find_map(|parameter| parameter.trim().strip_prefix("q="));
    quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0))
}

/// The type of a metric family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// The family's name ends in `_total`.
    Counter,
    Gauge,
    Histogram,
    /// Always 1; the family's name ends in `_info`.
    Info,
}

/// The text so far.
#[derive(Debug)]
pub struct Writer {
    pub out: Vec<u8>,
    format: Format,
}

impl Writer {
    pub fn new(format: Format) -> Writer {
        Writer { out: Vec::new(), format }
    }

    /// The lines above a family. `name` is the name of its series, with `_total` or `_info`.
    pub fn family(&mut self, name: &str, kind: Type, help: &str) {
        let family = match (self.format, kind) {
            (Format::OpenMetrics, Type::Counter) => name.strip_suffix("_total").unwrap_or(name),
            (Format::OpenMetrics, Type::Info) => name.strip_suffix("_info").unwrap_or(name),
            _ => name,
        };
        let word = match (self.format, kind) {
            (_, Type::Counter) => "counter",
            (_, Type::Histogram) => "histogram",
            (Format::OpenMetrics, Type::Info) => "info",
            (_, Type::Gauge | Type::Info) => "gauge",
        };
        self.text(&format!("# HELP {family} {}\n# TYPE {family} {word}\n", escape_help(help)));
        if self.format == Format::OpenMetrics
            && let Some(unit) =
                ["seconds", "bytes", "ratio"].iter().find(|unit| family.ends_with(&format!("_{unit}")))
        {
            self.text(&format!("# UNIT {family} {unit}\n"));
        }
    }

    /// One series. `labels` is escaped already and may be empty; `more` too.
    pub fn sample(&mut self, name: &str, labels: &str, more: &str, value: Value) {
        self.series(name, labels, more, value);
        self.out.push(b'\n');
    }

    /// As [`Writer::sample`], with an event in which it can be seen: its labels, its value, its moment in seconds. Only
    /// OpenMetrics has them.
    pub fn sample_seen_in(
        &mut self,
        (name, labels, more): (&str, &str, &str),
        value: Value,
        (seen_in, seen, at): (&str, f64, f64),
    ) {
        self.series(name, labels, more, value);
        if self.format == Format::OpenMetrics {
            self.text(&format!(" # {{{seen_in}}} {seen} {at}"));
        }
        self.out.push(b'\n');
    }

    fn series(&mut self, name: &str, labels: &str, more: &str, value: Value) {
        let out = &mut self.out;
        out.extend_from_slice(name.as_bytes());
        if !labels.is_empty() || !more.is_empty() {
            out.push(b'{');
            out.extend_from_slice(labels.as_bytes());
            if !labels.is_empty() && !more.is_empty() {
                out.push(b',');
            }
            out.extend_from_slice(more.as_bytes());
            out.push(b'}');
        }
        out.push(b' ');
        match value {
            Value::Integer(value) => write!(out, "{value}"),
            Value::Float(value) => write!(out, "{value}"),
        }
        .expect("writing to memory can't fail");
    }

    /// The end of the exposition.
    pub fn end(&mut self) {
        if self.format == Format::OpenMetrics {
            self.text("# EOF\n");
        }
    }

    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}

/// The value of a series. Integers stay integers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    Integer(u64),
    Float(f64),
}

/// `name="value"`, escaped.
pub fn label(name: &str, value: &str) -> String {
    let escaped = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    format!("{name}=\"{escaped}\"")
}

fn escape_help(help: &str) -> String {
    help.replace('\\', r"\\").replace('\n', r"\n")
}

/// A name that Prometheus allows: anything else becomes `_`.
pub fn metric_name(text: &str) -> String {
    let mut name: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        name.insert(0, '_');
    }
    name
}

/// A label's name that is allowed and not taken: as Prometheus itself does, a second `check` is `exported_check`.
pub fn label_name(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut name = metric_name(name);
    // Prometheus keeps these for itself.
    while name.starts_with("__") {
        name.remove(0);
    }
    while taken(&name) {
        name.insert_str(0, "exported_");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_that_is_asked_for_most_is_given() {
        let prometheus_2_42 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, expected) in [
            (prometheus_2_42, Format::OpenMetrics),
            ("text/plain;version=0.0.4", Format::Text),
            ("application/openmetrics-text;q=0.3, text/plain;q=0.9", Format::Text),
            ("*/*", Format::Text),
            ("", Format::Text),
        ] {
            assert_eq!(Format::negotiate(accept), expected, "{accept}");
        }
    }

    #[test]
    fn foreign_text_cannot_break_a_line() {
        assert_eq!(label("check", "a\\\"\nb"), r#"check="a\\\"\nb""#);
        assert_eq!(metric_name("1 größe/used"), "_1_gr__e_used");
    }
}
