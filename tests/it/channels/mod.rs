//! Channels against real receivers and against ones that misbehave.

mod alertmanager;
mod contract;
mod desktop;
mod mail;
mod requests;
mod resend;
