//! One binary for everything that needs a real server or the real program.

#![allow(clippy::disallowed_methods, reason = "tests measure real time")]

mod alerts;
mod api;
mod boards;
mod channels;
mod check;
mod command;
mod courier;
mod database;
mod demo;
mod demo_command;
mod dns;
mod foreign;
mod gate;
mod health;
mod http;
mod ingest;
mod log;
mod once;
mod pages;
mod readme;
mod reconcile;
mod redis;
mod resend;
mod rules;
mod run;
mod self_watch;
mod shipped;
mod shop;
mod signatures;
mod slo_prometheus;
mod square;
mod steering;
mod store;
mod support;
mod tcp;
mod tidy;
mod traffic;
mod upstash;
