//! Silences: told not to notify, until they end. What matches is judged and recorded all the same.

use crate::fact::{Is, Matcher, Silence};
use jiff::{SignedDuration, Timestamp};
use regex::{Regex, RegexBuilder};
use std::collections::BTreeMap;

/// Longer than that nobody remembers why.
const LASTS_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);
/// A pattern comes from whoever has the token; what it may cost is bounded.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// Silences with their patterns compiled.
#[derive(Debug, Default)]
pub(super) struct Silences {
    silences: Vec<Silence>,
    /// Of each, of each matcher: the pattern, where it has one that can be read.
    patterns: Vec<Vec<Option<Regex>>>,
}

impl Silences {
    pub(super) fn all(&self) -> &[Silence] {
        &self.silences
    }

    /// One of the same id is replaced.
    pub(super) fn set(&mut self, silence: Silence) {
        self.remove(&silence.id);
        let pattern = |matcher: &Matcher| match matcher.is {
            Is::Like | Is::NotLike => pattern(&matcher.value).ok(),
            Is::Equal | Is::NotEqual => None,
        };
        self.patterns.push(silence.matchers.iter().map(pattern).collect());
        self.silences.push(silence);
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Silence> {
        let place = self.silences.iter().position(|silence| silence.id == id)?;
        self.patterns.remove(place);
        Some(self.silences.remove(place))
    }

    /// Forgets those that are over, and says whether there were any.
    pub(super) fn prune(&mut self, at: Timestamp) -> bool {
        let over: Vec<String> = self
            .silences
            .iter()
            .filter(|silence| silence.until <= at)
            .map(|silence| silence.id.clone())
            .collect();
        for id in &over {
            self.remove(id);
        }
        !over.is_empty()
    }

    pub(super) fn shift(&mut self, by: impl Fn(&mut Timestamp)) {
        for silence in &mut self.silences {
            by(&mut silence.from);
            by(&mut silence.until);
        }
    }

    /// The silence that holds now and ends last among those that match all the labels.
    pub(super) fn matching(&self, at: Timestamp, labels: &Labels<'_>) -> Option<&Silence> {
        let holds = |silence: &&Silence| silence.from <= at && at < silence.until;
        let zipped = self.silences.iter().zip(&self.patterns);
        let matching = zipped.filter(|(silence, _)| holds(silence)).filter(|(silence, patterns)| {
            let mut pairs = silence.matchers.iter().zip(*patterns);
            !silence.matchers.is_empty()
                && pairs.all(|(matcher, pattern)| labels.fit(matcher, pattern.as_ref()))
        });
        matching.map(|(silence, _)| silence).max_by(|a, b| (a.until, &a.id).cmp(&(b.until, &b.id)))
    }
}

/// The labels of an alert, with the severity that it has now in place of the one that it began with.
pub(super) struct Labels<'a> {
    pub(super) labels: &'a BTreeMap<String, String>,
    pub(super) severity: &'static str,
}

impl Labels<'_> {
    fn fit(&self, matcher: &Matcher, pattern: Option<&Regex>) -> bool {
        let value = match matcher.label.as_str() {
            "severity" => self.severity,
            label => self.labels.get(label).map_or("", String::as_str),
        };
        match matcher.is {
            Is::Equal => value == matcher.value,
            Is::NotEqual => value != matcher.value,
            // A pattern that can't be read silences nothing, whichever way round it was meant.
            Is::Like => pattern.is_some_and(|pattern| pattern.is_match(value)),
            Is::NotLike => pattern.is_some_and(|pattern| !pattern.is_match(value)),
        }
    }
}

/// The whole value must match.
fn pattern(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&format!("^(?:{text})$")).size_limit(PATTERN_BYTES_MAX).build()
}

/// What is wrong with a silence that somebody asks for.
pub fn validate(silence: &Silence) -> Result<(), String> {
    if silence.matchers.is_empty() {
        return Err("a silence needs at least one matcher such as `check=site`; \
                    `severity=~page|ticket|info` is everything"
            .to_owned());
    }
    for matcher in &silence.matchers {
        if matches!(matcher.is, Is::Like | Is::NotLike) {
            pattern(&matcher.value).map_err(|error| {
                let text = error.to_string();
                let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
                format!("`{}` is not a regular expression: {why}", matcher.value)
            })?;
        }
    }
    if silence.until <= silence.from {
        return Err(format!("the silence would end ({}) before it begins ({})", silence.until, silence.from));
    }
    if silence.until.duration_since(silence.from) > LASTS_MAX {
        return Err("a silence lasts at most 30 days; for what comes again and again there is \
                    `[[maintenance]]`"
            .to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silence(is: Is, value: &str) -> Silence {
        let matchers = vec![Matcher { label: "section".to_owned(), is, value: value.to_owned() }];
        let (from, until) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(60).expect("a moment"));
        Silence { id: "1".to_owned(), matchers, from, until, by: "ana".to_owned(), comment: String::new() }
    }

    fn check(is: Is, value: &str, expected: bool) {
        let mut silences = Silences::default();
        silences.set(silence(is, value));
        let labels = BTreeMap::from([("section".to_owned(), "orders".to_owned())]);
        let labels = Labels { labels: &labels, severity: "page" };
        let matches = |second| silences.matching(Timestamp::from_second(second).expect("a moment"), &labels);
        assert_eq!(matches(0).is_some(), expected, "{is:?} {value}");
        assert!(matches(60).is_none() && matches(-1).is_none(), "outside of its time");
    }

    #[test]
    fn the_whole_value_must_match() {
        check(Is::Equal, "orders", true);
        check(Is::Equal, "order", false);
        check(Is::NotEqual, "order", true);
        check(Is::Like, "order", false);
        check(Is::Like, "site|orders", true);
        check(Is::NotLike, "order|s", true);
        check(Is::NotLike, "o.*", false);
        check(Is::Like, "(", false);
        check(Is::NotLike, "(", false);
    }

    #[test]
    fn the_severity_is_the_one_of_now_and_a_label_that_is_not_there_is_empty() {
        let labels = BTreeMap::from([("severity".to_owned(), "ticket".to_owned())]);
        let labels = Labels { labels: &labels, severity: "page" };
        let fit = |label: &str, value: &str| {
            labels.fit(&Matcher { label: label.to_owned(), is: Is::Equal, value: value.to_owned() }, None)
        };
        assert!(fit("severity", "page") && !fit("severity", "ticket") && fit("check", ""));
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_way_out() {
        let refused = |silence: &Silence| validate(silence).expect_err("refused");
        assert_eq!(validate(&silence(Is::Like, "a|b")), Ok(()));
        assert!(
            refused(&silence(Is::Like, "a(")).starts_with("`a(` is not a regular expression: unclosed group")
        );
        assert!(refused(&Silence { matchers: vec![], ..silence(Is::Equal, "a") }).contains("`check=site`"));
        let long = Timestamp::from_second(31 * 86_400).expect("a moment");
        assert!(refused(&Silence { until: long, ..silence(Is::Equal, "a") }).contains("30 days"));
        assert!(
            refused(&Silence { until: Timestamp::UNIX_EPOCH, ..silence(Is::Equal, "a") })
                .contains("would end")
        );
    }
}
