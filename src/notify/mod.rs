//! Channels: ways to people and systems, one file a kind.
//!
//! A kind is a struct that mirrors its table in `alerts/*.toml` and implements [`Kind`]; building it fills the holes
//! of its texts and gives a [`Deliver`]. A new kind is one file and three lines here: `mod`, the variant (its name is
//! its name in the file), the arm in [`Channel::kind`].
//!
//! A channel says itself whether trying again can help ([`Delivery`]); when and how often is the outbox's business.

pub mod alertmanager;
mod chat;
pub mod courier;
pub mod desktop;
pub mod discord;
mod mailbox;
pub mod message;
pub mod outbox;
pub mod pagerduty;
mod post;
mod prometheus;
pub mod resend;
pub mod slack;
pub mod smtp;
mod trial;
pub mod webhook;

use crate::alert::Notice;
use crate::probe::Build;
use schemars::JsonSchema;
use serde::Deserialize;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Every kind of channel. The variant's name is its name in `alerts/*.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Alertmanager(Box<alertmanager::Alertmanager>),
    Desktop(desktop::Desktop),
    Discord(discord::Discord),
    #[serde(rename = "pagerduty")]
    PagerDuty(pagerduty::PagerDuty),
    Resend(Box<resend::Resend>),
    Slack(slack::Slack),
    Smtp(Box<smtp::Smtp>),
    Webhook(webhook::Webhook),
}

impl Channel {
    /// The one match: from the table of the file to what the kind can do.
    pub fn kind(&self) -> &dyn Kind {
        match self {
            Channel::Alertmanager(kind) => &**kind,
            Channel::Desktop(kind) => kind,
            Channel::Discord(kind) => kind,
            Channel::PagerDuty(kind) => kind,
            Channel::Resend(kind) => &**kind,
            Channel::Slack(kind) => kind,
            Channel::Smtp(kind) => &**kind,
            Channel::Webhook(kind) => kind,
        }
    }
}

/// A kind of channel, as its table in a definition says it.
pub trait Kind: Send + Sync {
    /// The name of the kind in `alerts/*.toml`.
    fn name(&self) -> &'static str;

    /// The most messages in an hour unless the definition says otherwise.
    fn hourly_max(&self) -> u32 {
        60
    }

    /// Fills holes and checks what only makes sense together. `None` where a fault or a missing variable was
    /// reported to `build`.
    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Deliver>>;
}

/// A try under way.
pub type Delivering<'a> = Pin<Box<dyn Future<Output = Delivery> + Send + 'a>>;

/// A channel that can deliver. Every try is ended from outside at the channel's `timeout` and is then a
/// [`Delivery::Retry`]; nothing here may assume that it comes to its end.
pub trait Deliver: Send + Sync {
    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> Delivering<'a>;

    /// Of a channel that is also to be shown everything that fires, all the time: what an [`alertmanager::Herald`] needs.
    fn mirror(&self) -> Option<&alertmanager::Mirror> {
        None
    }
}

/// One message for one channel, as the outbox keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Parcel {
    pub notice: Arc<Notice>,
    /// The same at every try: receivers that know it take the message once. 32 hexadecimal digits.
    pub key: String,
    /// The key of the message that began the thread of this episode on this channel; its own where it is the first.
    pub thread: String,
    /// Where people reach the agent; links begin with it.
    pub url: Option<String>,
    /// How many tries there were before this one.
    pub attempts: u32,
}

/// What became of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The other side has taken it.
    Delivered,
    /// Another try can help; not before `after` where the other side said so.
    Retry { after: Option<Duration>, why: String },
    /// Another try can't help until somebody mends something: a wrong key, a channel that is gone. Texts name the
    /// thing and the way out, never a secret.
    Refused { why: String },
    /// There is nobody here to tell, and nothing is wrong: a machine without a desktop. The next channel is used, and
    /// nothing is said about this one.
    Absent { why: String },
}

impl Delivery {
    /// The same for a reason in other words: without a secret that the other side repeated.
    pub fn reworded(self, reword: impl FnOnce(String) -> String) -> Delivery {
        match self {
            Delivery::Delivered => Delivery::Delivered,
            Delivery::Retry { after, why } => Delivery::Retry { after, why: reword(why) },
            Delivery::Refused { why } => Delivery::Refused { why: reword(why) },
            Delivery::Absent { why } => Delivery::Absent { why: reword(why) },
        }
    }
}
