//! A message as a page: one column, large type, nothing from anywhere else, light and dark.
//!
//! Mail programs know little: styles stand at the elements, and a `<style>` of classes turns them dark where that is
//! wanted. The words and their order are those of the plain text.

use super::{Is, Message, Tone};
use askama::Template;

#[derive(Template)]
#[template(path = "notice.html")]
struct Page<'a> {
    message: &'a Message,
    light: Colours,
    dark: Colours,
}

/// Of what stands out. The words on each have a contrast of 4.5 at the least (WCAG AA).
#[derive(Debug, Clone, Copy)]
struct Colours {
    /// Behind the badge.
    badge: &'static str,
    /// The badge's words.
    on_badge: &'static str,
}

const fn colours(badge: &'static str, on_badge: &'static str) -> Colours {
    Colours { badge, on_badge }
}

impl Tone {
    const fn light(self) -> Colours {
        match self {
            Tone::Page => colours("#b3261e", "#ffffff"),
            Tone::Ticket => colours("#8a4b00", "#ffffff"),
            Tone::Info => colours("#0b57d0", "#ffffff"),
            Tone::Over => colours("#146c2e", "#ffffff"),
            Tone::Test => colours("#5b3fa8", "#ffffff"),
        }
    }

    const fn dark(self) -> Colours {
        match self {
            Tone::Page => colours("#ff897d", "#3b0502"),
            Tone::Ticket => colours("#ffb870", "#2f1500"),
            Tone::Info => colours("#a8c7fa", "#06204a"),
            Tone::Over => colours("#7fd99a", "#00300f"),
            Tone::Test => colours("#cfbcff", "#22005d"),
        }
    }
}

/// A number stays on one line with its percent sign.
fn kept_together(text: &str) -> String {
    text.replace(" %", "\u{a0}%")
}

pub fn render(message: &Message) -> String {
    let page = Page { message, light: message.tone.light(), dark: message.tone.dark() };
    page.render().expect("writing into a string can't fail, and the template calls nothing that can")
}
