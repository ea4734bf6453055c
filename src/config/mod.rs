//! Text in, checked values out: `checks/*.toml` and `atalaya.toml` become a [`plan::Plan`], or all their faults at once.

pub mod alerting;
pub mod check;
pub mod definition;
pub mod fault;
mod graph;
pub mod http;
pub mod ingest;
pub mod plan;
pub mod read;
pub mod share;
pub mod text;
pub mod value;
pub mod zone;

#[cfg(test)]
mod tests;

pub use alerting::Alerting;
pub use check::{Check, Limit, Skipped};
pub use fault::{Fault, Place, Source};
pub use http::Http;
pub use ingest::Ingest;
pub use plan::{Agent, Files, Plan, load, load_as_written};
