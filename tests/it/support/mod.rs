//! What tests stand on: servers that are started when first needed and end with this process.

pub mod agent;
pub mod alertmanager;
pub mod channel;
pub mod dnsmasq;
pub mod door;
pub mod hang;
pub mod http;
pub mod inbox;
pub mod judge;
pub mod mail;
pub mod pgbouncer;
pub mod postgres;
pub mod probe;
pub mod prometheus;
pub mod receiver;
pub mod redis;
pub mod server;
pub mod shop;
pub mod target;
pub mod vendor;
pub mod web;
