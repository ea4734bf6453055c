//! The shop in numbers: what the checks of the business measured, as tiles, tables and columns.
//!
//! A measure without labels is a tile, measures with labels are rows of a table, and where the only label is a day they
//! are columns over time. What a customer is called or where they live is in none of them: the queries don't ask for it.

use super::{Frame, Shared, Who, shown};
use crate::judge::limits::DURATION;
use crate::outcome::Measure;
use crate::view::{CheckView, View};
use crate::web::chart::columns;
use crate::web::page::figure;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use std::sync::Arc;

/// Sections whose measures are about the business and not about machines.
const SECTIONS: [&str; 3] = ["business", "orders", "payments"];
/// What an operator of the shop looks at first, in this order.
const FIRST: [&str; 10] = [
    "revenue_today_dollars",
    "orders_today",
    "average_order_today_dollars",
    "conversion_last_day_ratio",
    "revenue_last_week_dollars",
    "last_order_age_seconds",
    "pending_orders",
    "stuck_orders",
    "failed_payments",
    "products_running_out",
];

#[derive(Template)]
#[template(path = "ops/shop.html")]
struct ShopPage {
    frame: Frame,
    tiles: Vec<Tile>,
    rest: Vec<Tile>,
    tables: Vec<Table>,
    missing: Vec<(String, String)>,
}

/// One number.
pub struct Tile {
    pub check: String,
    pub name: String,
    pub value: String,
}

/// A value as it is shown, and its share of the highest one in percent.
type Shown = (String, f64);

/// Labels, and a value for each measure that has these labels.
type Labelled<'a> = (&'a Vec<(String, String)>, Vec<Option<f64>>);

/// The labelled measures of one check.
struct Table {
    id: String,
    title: String,
    description: Option<String>,
    head: Vec<String>,
    /// How many columns of it are labels.
    labels: usize,
    /// Texts of the labels, then values with their share of the highest one in percent.
    rows: Vec<(Vec<String>, Vec<Shown>)>,
    columns: Option<String>,
}

pub async fn show(State(shared): State<Shared>, who: Who) -> Response {
    shown(&shared, async |view| {
        let (tiles, rest) = all_tiles(view);
        let business = of_business(view);
        let missing = business.iter().filter(|check| measures(check).next().is_none());
        Ok(ShopPage {
            frame: Frame::new(view, &who, "The shop", "/ops/shop"),
            tiles,
            rest,
            missing: missing
                .map(|check| {
                    let why = check
                        .reason()
                        .map_or_else(|| "it has not run yet".to_owned(), |one| one.text.clone());
                    (check.check.title.clone(), why)
                })
                .collect(),
            tables: tables(&business),
        })
    })
    .await
}

/// Days first, then tables, then what has a single row.
fn tables(business: &[&Arc<CheckView>]) -> Vec<Table> {
    let mut tables: Vec<Table> = business.iter().filter_map(|check| table(check)).collect();
    tables.sort_by_key(|table| (table.columns.is_none(), table.rows.len() == 1));
    tables
}

/// Those that ask the shop's own tables or its vendors, and don't count events.
fn of_business(view: &View) -> Vec<&Arc<CheckView>> {
    view.checks
        .iter()
        .filter(|check| SECTIONS.contains(&check.check.section.as_str()) && !check.check.counts)
        .collect()
}

/// The numbers that matter most.
pub fn tiles(view: &View) -> Vec<Tile> {
    all_tiles(view).0
}

/// What is looked at first, and the rest.
fn all_tiles(view: &View) -> (Vec<Tile>, Vec<Tile>) {
    let mut tiles: Vec<(usize, Tile)> = Vec::new();
    for check in of_business(view) {
        for measure in measures(check).filter(|measure| measure.labels.is_empty() && measure.name != DURATION)
        {
            let rank = FIRST.iter().position(|first| *first == measure.name).unwrap_or(FIRST.len());
            let tile = Tile {
                check: check.check.name.to_string(),
                name: figure::name(&measure.name),
                value: figure::value(&measure.name, measure.value),
            };
            tiles.push((rank, tile));
        }
    }
    tiles.sort_by_key(|(rank, _)| *rank);
    let border = tiles.partition_point(|(rank, _)| *rank < FIRST.len());
    let mut tiles: Vec<Tile> = tiles.into_iter().map(|(_, tile)| tile).collect();
    let rest = tiles.split_off(border);
    (tiles, rest)
}

fn measures(check: &CheckView) -> impl Iterator<Item = &Measure> {
    let fresh = check.last.as_ref().filter(|_| !check.stale);
    fresh.into_iter().flat_map(|last| &last.run.outcome.measures)
}

fn table(check: &Arc<CheckView>) -> Option<Table> {
    let labelled: Vec<&Measure> = measures(check).filter(|measure| !measure.labels.is_empty()).collect();
    let first = labelled.first()?;
    let mut names: Vec<&str> = Vec::new();
    let mut rows: Vec<Labelled<'_>> = Vec::new();
    for measure in &labelled {
        let column = names.iter().position(|name| *name == measure.name).unwrap_or_else(|| {
            names.push(&measure.name);
            names.len() - 1
        });
        let row = rows.iter().position(|(labels, _)| **labels == measure.labels).unwrap_or_else(|| {
            rows.push((&measure.labels, Vec::new()));
            rows.len() - 1
        });
        let values = &mut rows[row].1;
        values.resize(values.len().max(column + 1), None);
        values[column] = Some(measure.value);
    }
    let days = first.labels.len() == 1 && rows.iter().all(|(labels, _)| is_day(&labels[0].1));
    let highest = |column: usize| {
        rows.iter().filter_map(|(_, values)| values.get(column).copied().flatten()).fold(0.0, f64::max)
    };
    let highest: Vec<f64> = (0..names.len()).map(highest).collect();
    let shown = rows.iter().map(|(labels, values)| {
        let labels = labels.iter().map(|(_, value)| value.clone()).collect();
        let value = |column: usize| {
            let value = values.get(column).copied().flatten();
            let share =
                value.map_or(0.0, |value| (value / highest[column].max(1e-9) * 100.0).clamp(0.0, 100.0));
            (value.map_or_else(|| "–".to_owned(), |value| figure::value(names[column], value)), share)
        };
        (labels, (0..names.len()).map(value).collect())
    });
    let labels = first.labels.iter().map(|(label, _)| label.replace('_', " "));
    Some(Table {
        id: check.check.name.to_string(),
        title: check.check.title.clone(),
        description: check.check.description.clone(),
        labels: first.labels.len(),
        head: labels.chain(names.iter().map(|name| figure::name(name))).collect(),
        rows: shown.collect(),
        columns: days.then(|| by_day(&check.check.title, &names, &rows)),
    })
}

fn is_day(text: &str) -> bool {
    text.parse::<jiff::civil::Date>().is_ok()
}

/// One column a day for the measure in money, or else the first.
fn by_day(title: &str, names: &[&str], rows: &[Labelled<'_>]) -> String {
    let which = names.iter().position(|name| name.ends_with("_dollars")).unwrap_or_default();
    let value = |values: &Vec<Option<f64>>| values.get(which).copied().flatten().unwrap_or_default();
    let mut days: Vec<(&str, f64)> =
        rows.iter().map(|(labels, values)| (labels[0].1.as_str(), value(values))).collect();
    days.sort_by(|a, b| a.0.cmp(b.0));
    let name = figure::name(names[which]);
    let days = days.into_iter().map(|(day, value)| (day, value, figure::value(names[which], value)));
    columns::svg(&format!("{title}: {name} by day"), &days.collect::<Vec<_>>())
}
