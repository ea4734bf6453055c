//! `discord`: a webhook of Discord.
//!
//! Asked to wait, Discord answers when it has stored the message, and not only when it has read it. It takes no key
//! for a message, so where the first may have arrived, a repeat waits.
//! <https://docs.discord.com/developers/resources/webhook#execute-webhook>

use super::message::{Link, Message, Part, Tone};
use super::post::{self, Answer, Post};
use super::{Deliver, Delivering, Delivery, Kind, Parcel};
use crate::config::text::Text;
use crate::plain;
use crate::probe::Build;
use reqwest::header::HeaderMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

const WAY_OUT: &str = "make a new webhook in Discord and put its address into `url` of the channel";

const CONTENT_CHARS_MAX: usize = 2000;
const TITLE_CHARS_MAX: usize = 256;
const DESCRIPTION_CHARS_MAX: usize = 2000;
const FIELD_NAME_CHARS_MAX: usize = 256;
const FIELD_CHARS_MAX: usize = 1024;
const FIELDS_MAX: usize = 25;
const FOOTER_CHARS_MAX: usize = 256;
/// Of all texts of all embeds together.
const EMBED_CHARS_MAX: usize = 6000;

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
    let mut left = EMBED_CHARS_MAX;
    let mut spend = |text: String, chars_max: usize| {
        let text = cut(text, chars_max.min(left));
        left -= text.chars().count();
        text
    };
    let title = spend(plain::line(&message.headline, TITLE_CHARS_MAX), TITLE_CHARS_MAX);
    let footer = spend(message.closing.clone(), FOOTER_CHARS_MAX);
    let links = spend(message.links.iter().map(link).collect::<Vec<_>>().join(" · "), FIELD_CHARS_MAX);
    let lead = message.backup.iter().chain(&message.lead).map(|text| escape(text));
    let description = spend(lead.collect::<Vec<_>>().join("\n"), DESCRIPTION_CHARS_MAX);
    let mut fields = Vec::new();
    let all = fields_of(message);
    for (name, value) in &all {
        let name = spend(name.clone(), FIELD_NAME_CHARS_MAX);
        let value = spend(value.clone(), FIELD_CHARS_MAX);
        if name.is_empty() || value.is_empty() || fields.len() + 1 == FIELDS_MAX {
            break;
        }
        fields.push(json!({ "name": name, "value": value }));
    }
    if !links.is_empty() {
        fields.push(json!({ "name": "Read on", "value": links }));
    }
    json!({
        "username": "Atalaya",
        // What a telephone shows.
        "content": cut(escape(&message.short), CONTENT_CHARS_MAX),
        "allowed_mentions": { "parse": [] },
        "embeds": [{
            "title": title,
            "description": description,
            "color": colour(message.tone),
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
        rows.map(|row| (row.label.to_owned(), escape(&row.values.join("\n")))).collect()
    };
    if message.more > 0 {
        fields.push((format!("{} more", message.more), "not told one by one".to_owned()));
    }
    fields
}

fn field_of_part(part: &Part) -> (String, String) {
    let summary = part.summary.as_deref().map(escape);
    let since = part.facts.first().map(|row| format!("{}: {}", row.label, escape(&row.values.join("; "))));
    let value: Vec<_> = summary.into_iter().chain(since).map(|text| cut(text, 300)).collect();
    (part.title.clone().unwrap_or_default(), value.join("\n"))
}

fn link(link: &Link) -> String {
    let url = link.url.replace('(', "%28").replace(')', "%29");
    format!("[{}](<{url}>)", escape(&link.text))
}

/// Nothing in a text from elsewhere becomes a mention, a link or a style.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if "\\*_~`|[]<>#@".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// At most so many characters, with no escape cut in two.
fn cut(text: String, chars_max: usize) -> String {
    let Some((at, _)) = text.char_indices().nth(chars_max) else { return text };
    let at = text[..at].char_indices().next_back().map_or(0, |(at, _)| at);
    let kept = &text[..at];
    let escapes = kept.len() - kept.trim_end_matches('\\').len();
    let kept = if escapes % 2 == 1 { &kept[..kept.len() - 1] } else { kept };
    if chars_max == 0 { String::new() } else { format!("{kept}…") }
}

const fn colour(tone: Tone) -> u32 {
    match tone {
        Tone::Page => 0x00d0_0000,
        Tone::Ticket => 0x00e8_a000,
        Tone::Info => 0x0030_70c0,
        Tone::Over => 0x0020_a050,
        Tone::Test => 0x0080_8080,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_escape_is_cut_in_two() {
        let check = |text: &str, chars_max, expected: &str| {
            assert_eq!(cut(escape(text), chars_max), expected);
        };
        check("a*b", 10, "a\\*b");
        check("a*b", 4, "a\\*b");
        check("a*b", 3, "a…");
        check("a*bc", 4, "a\\*…");
        check("\\\\", 3, "\\\\…");
        check("ab", 0, "");
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
