//! Channels against receivers of every kind, good and bad.

mod alertmanager;
mod contract;
mod desktop;
mod mail;
mod requests;
mod resend;
