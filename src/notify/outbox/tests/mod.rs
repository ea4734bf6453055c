//! Timelines of the outbox with channels that do as told: no clock, no tasks, the same every time.

mod failover;
mod joining;
mod limits;
mod pace;
mod properties;
mod replanning;
mod world;

use world::{Mood, World, firing, page, ticket};
