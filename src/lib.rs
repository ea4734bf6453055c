//! Atalaya: a watchtower for online shops.

pub mod clock;
pub mod config;
pub mod judge;
pub mod outcome;
pub mod probe;
pub mod record;
