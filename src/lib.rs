//! Atalaya: a watchtower for online shops.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod export;
pub mod judge;
pub mod once;
pub mod outcome;
pub mod plain;
pub mod probe;
pub mod record;
pub mod schedule;
pub mod view;
pub mod web;
