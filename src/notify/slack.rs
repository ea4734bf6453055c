//! `slack`: an incoming webhook of Slack.
//!
//! It takes no key for a message, so a repeat is a second message: where the first may have arrived, a repeat waits.
//! Success is 200 with the body `ok`; whatever else comes with 200 was not Slack.
//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>,
//! <https://docs.slack.dev/reference/block-kit/blocks>

use super::chat;
use super::message::{Link, Message, Part};
use super::post::{Answer, Post, REPEAT_AFTER};
use super::{Deliver, Delivering, Delivery, Kind, Parcel};
use crate::config::text::Text;
use crate::probe::Build;
use reqwest::header::HeaderMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

const WAY_OUT: &str = "make a new incoming webhook in Slack and put its address into `url` of the channel";

const HEADER_UNITS_MAX: usize = 150;
/// Of a section. What `escape` makes of a text is counted.
const SECTION_UNITS_MAX: usize = 3000;
const FIELD_UNITS_MAX: usize = 2000;
const FIELDS_MAX: usize = 10;
/// Slack takes 50 blocks; a message that long is not read.
const PARTS_MAX: usize = 10;
/// A line each, after those that are told in full.
const LINES_MAX: usize = 20;
/// A line in a list.
const LINE_UNITS_MAX: usize = 200;

/// Writes into a channel of Slack through an incoming webhook.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slack {
    /// The address of the webhook; a secret as a whole: `"${SLACK_WEBHOOK_URL}"`.
    url: Text,
}

struct Write {
    post: Post,
}

impl Kind for Slack {
    fn name(&self) -> &'static str {
        "slack"
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Deliver>> {
        let post = Post::build(build, "url", &self.url, "Slack", WAY_OUT)?;
        Some(Box::new(Write { post }))
    }
}

impl Deliver for Write {
    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> Delivering<'a> {
        Box::pin(async move {
            match self.post.send(&render(&Message::of(parcel)), HeaderMap::new()).await {
                Ok(answer) => self.judge(&answer),
                Err(unanswered) => unanswered.once(),
            }
        })
    }
}

impl Write {
    fn judge(&self, answer: &Answer) -> Delivery {
        match answer.status.as_u16() {
            200 if answer.body.trim_ascii() == b"ok" => Delivery::Delivered,
            // It may have been taken: the other half of the answer is missing.
            200 if !answer.whole => {
                Delivery::Retry { after: Some(REPEAT_AFTER), why: "Slack broke its answer off".to_owned() }
            }
            _ => self.post.judge(answer),
        }
    }
}

fn render(message: &Message) -> Value {
    let mut blocks = Vec::new();
    let lead: Vec<_> = message.backup.iter().chain(&message.lead).map(String::as_str).collect();
    blocks.extend(section(&escape(&lead.join("\n"), SECTION_UNITS_MAX)));
    for part in message.parts.iter().take(PARTS_MAX) {
        blocks.extend(part_block(part));
    }
    blocks.extend(section(&rest(message)));
    let links = chat::join(message.links.iter().map(link), "  ·  ", SECTION_UNITS_MAX);
    blocks.extend(section(&links));
    let closing = escape(&message.closing, FIELD_UNITS_MAX);
    blocks.push(json!({ "type": "context", "elements": [mrkdwn(&closing)] }));
    let headline = format!("{} {}", chat::symbol(message.tone), message.headline);
    json!({
        "text": escape(&message.short, SECTION_UNITS_MAX),
        "blocks": [{
            "type": "header",
            "text": { "type": "plain_text", "emoji": false, "text": chat::fit(&headline, HEADER_UNITS_MAX, |c, out| out.push(c)) },
        }],
        "attachments": [{ "color": format!("#{:06x}", chat::colour(message.tone)), "blocks": blocks }],
    })
}

/// One alert: its name and summary as far as the head has not said them, and its facts beside each other.
fn part_block(part: &Part) -> Option<Value> {
    let title = part.title.as_ref().map(|title| format!("*{}*", escape(title, LINE_UNITS_MAX)));
    let summary = part.summary.as_ref().map(|summary| escape(summary, SECTION_UNITS_MAX / 2));
    let text: Vec<_> = title.into_iter().chain(summary).collect();
    let field = |label: &str, values: &[String]| {
        let value = escape(&values.join("\n"), FIELD_UNITS_MAX - label.len() - 3);
        mrkdwn(&format!("*{label}*\n{value}"))
    };
    let fields: Vec<_> =
        part.facts.iter().take(FIELDS_MAX).map(|row| field(row.label, &row.values)).collect();
    let mut block =
        section(&text.join("\n")).or_else(|| (!fields.is_empty()).then(|| json!({ "type": "section" })))?;
    if !fields.is_empty() {
        block["fields"] = fields.into();
    }
    Some(block)
}

/// What is not told in full: a line each, then a number.
fn rest(message: &Message) -> String {
    let parts = message.parts.iter().skip(PARTS_MAX);
    let line = |part: &Part| {
        let text = [part.title.as_deref(), part.summary.as_deref()].into_iter().flatten();
        format!("• {}", escape(&text.collect::<Vec<_>>().join(": "), SECTION_UNITS_MAX / LINES_MAX - 4))
    };
    let mut lines: Vec<_> = parts.take(LINES_MAX - 1).map(line).collect();
    let told = message.parts.len().min(PARTS_MAX) + lines.len();
    let more = message.parts.len() - told + message.more as usize;
    if more > 0 {
        lines.push(format!("… and {more} more"));
    }
    lines.join("\n")
}

fn section(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| json!({ "type": "section", "text": mrkdwn(text) }))
}

/// Taken as it is: no address, channel or person in it becomes a link by itself.
fn mrkdwn(text: &str) -> Value {
    json!({ "type": "mrkdwn", "verbatim": true, "text": text })
}

fn link(link: &Link) -> String {
    let url = link.url.replace('|', "%7C").replace('<', "%3C").replace('>', "%3E").replace('&', "&amp;");
    format!("<{url}|{}>", escape(&link.text, LINE_UNITS_MAX))
}

/// What Slack would read as a mention or a link is shown as it is.
fn escape(text: &str, units_max: usize) -> String {
    chat::fit(text, units_max, |c, out| match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        c => out.push(c),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_counted_and_never_cut() {
        let check = |text: &str, units_max, expected: &str| assert_eq!(escape(text, units_max), expected);
        check("<!channel> & co", 100, "&lt;!channel&gt; &amp; co");
        check("a<b", 5, "a…");
        check("a<b", 6, "a&lt;b");
        check("a&", 5, "a…");
    }
}
