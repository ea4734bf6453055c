//! `discord`: a webhook of Discord.
//!
//! Asked to wait, Discord answers when it has stored the message, and not only when it has read it. It takes no key
//! for a message, so where the first may have arrived, a repeat waits.
//! <https://docs.discord.com/developers/resources/webhook#execute-webhook>

use super::chat;
use super::message::{Link, Message, Part};
use super::post::{self, Answer, Post};
use super::{Deliver, Delivering, Delivery, Kind, Parcel};
use crate::config::text::Text;
use crate::probe::Build;
use reqwest::header::HeaderMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

const WAY_OUT: &str = "make a new webhook in Discord and put its address into `url` of the channel";

const CONTENT_UNITS_MAX: usize = 2000;
const TITLE_UNITS_MAX: usize = 256;
const DESCRIPTION_UNITS_MAX: usize = 2000;
const FIELD_NAME_UNITS_MAX: usize = 256;
const FIELD_UNITS_MAX: usize = 1024;
const FIELDS_MAX: usize = 25;
const FOOTER_UNITS_MAX: usize = 256;
/// Of all texts of all embeds together Discord takes 6000; the links need theirs.
const EMBED_UNITS_MAX: usize = 6000 - FIELD_UNITS_MAX - READ_ON.len();
/// Of one alert among several, so that all of them are told.
const PART_UNITS_MAX: usize = 200;

const READ_ON: &str = "Read on";

/// Writes into a channel of Discord through a webhook.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Discord {
    /// The address of the webhook; a secret as a whole: `"${DISCORD_WEBHOOK_URL}"`.
    url: Text,
}

struct Write {
    post: Post,
}

impl Kind for Discord {
    fn name(&self) -> &'static str {
        "discord"
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Deliver>> {
        let mut post = Post::build(build, "url", &self.url, "Discord", WAY_OUT)?;
        post.ask("wait", "true");
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
        match (answer.status.as_u16(), self.post.judge(answer)) {
            (200 | 204, _) => Delivery::Delivered,
            // To the millisecond in the body, where its own limits are meant and not those of what stands before it.
            (429, Delivery::Retry { after, why }) => {
                Delivery::Retry { after: retry_after(&answer.body).or(after), why }
            }
            (_, delivery) => delivery,
        }
    }
}

fn retry_after(body: &[u8]) -> Option<Duration> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Duration::try_from_secs_f64(body.get("retry_after")?.as_f64()?).ok().map(post::bounded)
}

fn render(message: &Message) -> Value {
    let mut left = EMBED_UNITS_MAX;
    let mut spend = |text: &str, units_max: usize| {
        let text = escape(text, units_max.min(left));
        left -= chat::units(&text);
        text
    };
    let headline = format!("{} {}", chat::symbol(message.tone), message.headline);
    let title = spend(&headline, TITLE_UNITS_MAX);
    let footer = spend(&message.closing, FOOTER_UNITS_MAX);
    let lead: Vec<_> = message.backup.iter().chain(&message.lead).map(String::as_str).collect();
    let description = spend(&lead.join("\n"), DESCRIPTION_UNITS_MAX);
    let mut fields = Vec::new();
    for (name, value) in fields_of(message).iter().take(FIELDS_MAX - 1) {
        let (name, value) = (spend(name, FIELD_NAME_UNITS_MAX), spend(value, FIELD_UNITS_MAX));
        // A field without a name or a value is refused, and the message with it.
        if name.is_empty() || value.is_empty() {
            break;
        }
        fields.push(json!({ "name": name, "value": value }));
    }
    let links = chat::join(message.links.iter().map(link), " · ", FIELD_UNITS_MAX);
    if !links.is_empty() {
        fields.push(json!({ "name": READ_ON, "value": links }));
    }
    json!({
        "username": "Atalaya",
        // What a telephone shows.
        "content": escape(&message.short, CONTENT_UNITS_MAX),
        "allowed_mentions": { "parse": [] },
        "embeds": [{
            "title": title,
            "description": description,
            "color": chat::colour(message.tone),
            "fields": fields,
            "footer": { "text": footer },
        }],
    })
}

/// The facts of a single alert; of several a field for each.
fn fields_of(message: &Message) -> Vec<(String, String)> {
    let several = |part: &Part| part.title.is_some();
    let mut fields: Vec<_> = if message.parts.iter().any(several) {
        message.parts.iter().map(field_of_part).collect()
    } else {
        let rows = message.parts.iter().flat_map(|part| &part.facts);
        rows.map(|row| (row.label.to_owned(), row.values.join("\n"))).collect()
    };
    if message.more > 0 {
        fields.push((format!("{} more", message.more), "not told one by one".to_owned()));
    }
    fields
}

fn field_of_part(part: &Part) -> (String, String) {
    let since = part.facts.first().map(|row| format!("{}: {}", row.label, row.values.join("; ")));
    let value: Vec<_> = part.summary.clone().into_iter().chain(since).collect();
    let short = chat::fit(&value.join("\n"), PART_UNITS_MAX, |c, out| out.push(c));
    (part.title.clone().unwrap_or_default(), short)
}

fn link(link: &Link) -> String {
    let url = link.url.replace('(', "%28").replace(')', "%29");
    format!("[{}](<{url}>)", escape(&link.text, FIELD_NAME_UNITS_MAX))
}

/// Nothing in a text from elsewhere becomes a mention, a link or a style.
fn escape(text: &str, units_max: usize) -> String {
    chat::fit(text, units_max, |c, out| {
        if "\\*_~`|[]<>#@".contains(c) {
            out.push('\\');
        }
        out.push(c);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_a_mention_or_a_link() {
        let text = escape("@everyone <@1> [x](http://y) *b*", 100);
        assert_eq!(text, r"\@everyone \<\@1\> \[x\](http://y) \*b\*");
    }

    #[test]
    fn the_wait_is_read_from_the_body_and_bounded() {
        let check = |body: &str, expected| assert_eq!(retry_after(body.as_bytes()), expected, "{body}");
        check(r#"{"retry_after": 0.25}"#, Some(Duration::from_millis(250)));
        check(r#"{"retry_after": 1e9}"#, Some(Duration::from_hours(1)));
        for none in [r#"{"retry_after": -1}"#, r#"{"retry_after": "1"}"#, "{}", "<html>", "1"] {
            check(none, None);
        }
    }
}
