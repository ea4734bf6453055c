//! A shop that breaks on purpose: what `atalaya demo` watches, and what tests hold the shipped checks against.
//!
//! One shop serves both databases. [`schema`] has the tables, [`sql`] writes statements that PostgreSQL and SQLite
//! both take, [`trade`] lets seeded customers buy, and [`fault`] breaks what has really broken in such shops. All
//! of that is pure: time and seed are arguments, so the same arguments give the same shop. [`living`] is the rim: it
//! keeps a shop going in an embedded database, with what it stands on as local HTTP servers that
//! answer as the real ones do; [`switch`] breaks and mends all of them by name.

pub mod catalog;
pub mod fault;
mod harm;
pub mod living;
pub mod order;
pub mod resend;
pub mod row;
pub mod schema;
pub mod site;
pub mod sql;
pub mod square;
pub mod switch;
pub mod trade;
pub mod upstash;
pub mod voice;
pub mod watch_list;

pub use living::Shop;
