//! Atalaya: a watchtower for online shops. This is the map; the modules stand in the order of the work.
//!
//! | module | what it is |
//! |---|---|
//! | [`config`] | text in, checked values out; all faults at once |
//! | [`schedule`] | when each check is due; late and missed are facts |
//! | [`probe`] | what can be looked at, one file or folder a kind |
//! | [`ingest`] | what the shop and its vendors say by themselves, read |
//! | [`outcome`] | what one run found |
//! | [`judge`] | what the numbers mean: limits, objectives, budgets, burn rates |
//! | [`fact`] | everything that alerts are concluded from, as it happened |
//! | [`alert`] | the life of an alert: told once, and its end told once |
//! | [`mind`] | judgement and alerts together: facts in, what follows out |
//! | [`notify`] | channels, the outbox, the words |
//! | [`store`] | what outlives the process: an embedded SQLite file, and one beside it for what others say |
//! | [`record`] | what the runs add up to: counts, HDR windows |
//! | [`view`] | everything at one moment, for whoever reads |
//! | [`export`] | Prometheus' two text formats; rule files and boards, made from the definitions |
//! | [`app`] | one running agent: the loop, the runner, the intake of what others say, reload |
//! | [`web`] | what is served over HTTP: the status page, operators' pages, the API, and the gate before them |
//! | [`once`] | one look at everything: the report and its formats |
//! | [`demo`] | a shop that breaks on purpose, and simulators of the vendors |
//! | [`cli`] | the command line |
//! | [`clock`], [`plain`] | the one source of time; text from outside, fit to be shown |
//!
//! What holds everywhere (`tests/it/tidy.rs` reads the sources and holds it):
//!
//! - `config`, `outcome`, `fact`, `record`, `judge`, `alert`, `mind`, `export`, `ingest`, `schedule`, `view` and
//!   `notify::outbox` do no I/O and read no clock: `now` is an argument. Doing is at the rim.
//! - One loop (`app::pipeline`) owns the state; whoever reads gets a [`view::View`]. So nothing needs a lock,
//!   and nothing in the way of checking waits for a disk, a scrape or a browser. What others say has a task and a file of
//!   its own (`app::intake`); checks ask it, so that it is judged as everything else.
//! - The web framework is known in `web` and `demo` only, each third party in its own probe only.
//! - Time comes from [`clock`]; every queue has a bound; both by lint.
//! - A secret is a type that can't be printed, and no text ever shows what fills a hole.

pub mod alert;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod export;
pub mod fact;
pub mod ingest;
pub mod judge;
pub mod mind;
pub mod notify;
pub mod once;
pub mod outcome;
pub mod plain;
pub mod probe;
pub mod record;
pub mod schedule;
pub mod store;
pub mod view;
pub mod web;
