//! Channels against real receivers and against ones that misbehave.

mod mail;
