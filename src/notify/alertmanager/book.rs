//! What one Alertmanager is to be told: what fires, and what has ended, for a while. Pure.

use super::identity;
use crate::alert::Snapshot;
use crate::notify::prometheus::Labels;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How long an end is told again, as Prometheus does it: an Alertmanager that was away for less hears of it.
const ENDED_FOR: SignedDuration = SignedDuration::from_mins(15);

#[derive(Debug, Default)]
pub struct Book {
    rows: BTreeMap<Labels, Row>,
}

#[derive(Debug)]
pub struct Row {
    pub alert: Snapshot,
    pub ended: Option<Timestamp>,
    /// Not told since it began or ended.
    news: bool,
}

impl Book {
    /// Takes over everything that fires now. What fired before and is not among it has ended, even where nobody says so.
    pub fn take(&mut self, alerts: &[Snapshot], now: Timestamp) {
        let named = |alert| (identity(alert), alert);
        let firing: BTreeMap<Labels, &Snapshot> =
            alerts.iter().filter(|alert| alert.ended.is_none()).map(named).collect();
        for (alert, ended) in alerts.iter().filter_map(|alert| Some((alert, alert.ended?))) {
            let labels = identity(alert);
            // An episode that is over says nothing of the next one.
            if !firing.contains_key(&labels) {
                self.end(labels, alert, ended, now);
            }
        }
        for (labels, row) in &mut self.rows {
            if row.ended.is_none() && !firing.contains_key(labels) {
                row.ended = Some(now);
                row.news = true;
            }
        }
        for (labels, alert) in firing {
            let known = self.rows.get(&labels);
            let same = known.filter(|row| row.ended.is_none() && row.alert.episode == alert.episode);
            let news = same.is_none_or(|row| row.news);
            self.rows.insert(labels, Row { alert: alert.clone(), ended: None, news });
        }
        self.rows.retain(|_, row| row.ended.is_none_or(|ended| now.duration_since(ended) <= ENDED_FOR));
    }

    fn end(&mut self, labels: Labels, alert: &Snapshot, ended: Timestamp, now: Timestamp) {
        let known = self.rows.get(&labels);
        let told = known.is_some_and(|row| row.ended.is_some() && row.alert.episode == alert.episode);
        if !told && now.duration_since(ended) <= ENDED_FOR {
            self.rows.insert(labels, Row { alert: alert.clone(), ended: Some(ended), news: true });
        }
    }

    /// Whether something has begun or ended that was not told yet.
    pub fn has_news(&self) -> bool {
        self.rows.values().any(|row| row.news)
    }

    /// What has begun or ended and was not told yet; or everything.
    pub fn rows(&self, all: bool) -> impl Iterator<Item = &Row> {
        self.rows.values().filter(move |row| all || row.news)
    }

    /// All that was in it is told.
    pub fn told(&mut self) {
        for row in self.rows.values_mut() {
            row.news = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Key, Severity};

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + minute * 60).expect("a time")
    }

    fn alert(check: &str, began: i64) -> Snapshot {
        let labels = [("alertname", "Down"), ("check", check), ("severity", "ticket")];
        Snapshot {
            key: Key(format!("check/{check}").into()),
            episode: format!("check/{check}@{began}"),
            severity: Severity::Page,
            title: check.to_owned(),
            section: "site".to_owned(),
            summary: "refused".to_owned(),
            evidence: Vec::new(),
            cost: None,
            cause: None,
            runbook: None,
            began: at(began),
            fired: at(began),
            ended: None,
            acknowledged_by: None,
            flaps: 0,
            labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        }
    }

    fn ended(check: &str, began: i64, ended: i64) -> Snapshot {
        Snapshot { ended: Some(at(ended)), ..alert(check, began) }
    }

    /// What is told, as `check` or `check ended MINUTE`.
    fn check(book: &Book, all: bool, expected: &[&str]) {
        let minute = |ended: Timestamp| ended.duration_since(at(0)).as_secs() / 60;
        let shown = |row: &Row| match row.ended {
            Some(ended) => format!("{} ended {}", row.alert.title, minute(ended)),
            None => row.alert.title.clone(),
        };
        assert_eq!(book.rows(all).map(shown).collect::<Vec<_>>(), expected);
        assert_eq!(book.has_news(), book.rows(false).next().is_some());
    }

    #[test]
    fn news_are_told_once_and_everything_again() {
        let mut book = Book::default();
        book.take(&[alert("site", 0)], at(0));
        check(&book, false, &["site"]);
        book.told();
        book.take(&[alert("site", 0), alert("shop", 1)], at(1));
        check(&book, false, &["shop"]);
        check(&book, true, &["shop", "site"]);
        book.told();
        book.take(&[alert("shop", 1), ended("site", 0, 2)], at(2));
        check(&book, false, &["site ended 2"]);
        book.told();
        book.take(&[alert("shop", 1)], at(3));
        check(&book, false, &[]);
        check(&book, true, &["shop", "site ended 2"]);
        book.take(&[alert("shop", 1)], at(17));
        check(&book, true, &["shop", "site ended 2"]);
        book.take(&[alert("shop", 1)], at(18));
        check(&book, true, &["shop"]);
    }

    #[test]
    fn what_is_gone_has_ended() {
        let mut book = Book::default();
        book.take(&[alert("site", 0)], at(0));
        book.told();
        book.take(&[], at(5));
        check(&book, false, &["site ended 5"]);
    }

    #[test]
    fn one_that_begins_again_is_told_though_its_end_still_is() {
        let mut book = Book::default();
        book.take(&[alert("site", 0)], at(0));
        book.take(&[ended("site", 0, 1)], at(1));
        book.told();
        book.take(&[ended("site", 0, 1), alert("site", 3)], at(3));
        check(&book, false, &["site"]);
        book.told();
        book.take(&[ended("site", 0, 1), alert("site", 3)], at(4));
        check(&book, false, &[]);
        check(&book, true, &["site"]);
    }

    #[test]
    fn an_end_from_before_the_start_is_told_while_it_is_recent() {
        let mut book = Book::default();
        book.take(&[ended("site", 0, 1), ended("shop", 0, 15)], at(20));
        check(&book, true, &["shop ended 15"]);
    }

    #[test]
    fn one_that_matters_more_is_another_and_the_former_is_over() {
        let mut book = Book::default();
        let ticket = Snapshot { severity: Severity::Ticket, ..alert("site", 0) };
        book.take(&[ticket], at(0));
        book.told();
        book.take(&[alert("site", 0)], at(1));
        check(&book, false, &["site", "site ended 1"]);
    }
}
