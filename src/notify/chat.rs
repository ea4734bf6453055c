//! What chats have in common: texts with limits, marks to escape, a colour and a symbol for how a message feels.

use super::message::Tone;

/// A text whose characters `write` writes in the chat's way; at most so many units of UTF-16, which is the most that
/// anybody counts. No character and no escape is cut in two; what was cut is shown as `…`.
pub fn fit(text: &str, units_max: usize, write: impl Fn(char, &mut String)) -> String {
    let (mut written, mut one) = (String::new(), String::new());
    let mut left = units_max;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        one.clear();
        write(c, &mut one);
        let units = units(&one);
        // The last place is for the mark, unless nothing comes after.
        if units > left || units == left && !rest.as_str().is_empty() {
            return if left > 0 { written + "…" } else { written };
        }
        left -= units;
        written.push_str(&one);
    }
    written
}

/// Those of the texts that fit, one after the other.
pub fn join(texts: impl Iterator<Item = String>, separator: &str, units_max: usize) -> String {
    texts.fold(String::new(), |joined, text| match joined.as_str() {
        "" if units(&text) <= units_max => text,
        before if units(before) + units(separator) + units(&text) <= units_max => {
            format!("{before}{separator}{text}")
        }
        _ => joined,
    })
}

/// The length as JavaScript and Java count it: an emoji has two.
pub fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// As `0xRRGGBB`.
pub const fn colour(tone: Tone) -> u32 {
    match tone {
        Tone::Page => 0x00d0_0000,
        Tone::Ticket => 0x00e8_a000,
        Tone::Info => 0x0030_70c0,
        Tone::Over => 0x0020_a050,
        Tone::Test => 0x0080_8080,
    }
}

/// Colour alone is not seen by everybody, and not in a notification.
pub const fn symbol(tone: Tone) -> &'static str {
    match tone {
        Tone::Page => "🔴",
        Tone::Ticket => "🟠",
        Tone::Info => "🔵",
        Tone::Over => "✅",
        Tone::Test => "⚪",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, units_max: usize, expected: &str) {
        let stars = |c: char, out: &mut String| {
            if c == '*' {
                out.push('\\');
            }
            out.push(c);
        };
        assert_eq!(fit(text, units_max, stars), expected);
    }

    #[test]
    fn texts_are_cut_between_what_belongs_together() {
        check("abc", 3, "abc");
        check("abcd", 3, "ab…");
        check("a*b", 4, "a\\*b");
        check("a*bc", 4, "a\\*…");
        check("a*bc", 3, "a…");
        check("a*", 3, "a\\*");
        check("🛒🛒", 4, "🛒🛒");
        check("🛒🛒", 3, "🛒…");
        check("abc", 0, "");
    }

    #[test]
    fn what_does_not_fit_is_left_out_whole() {
        let texts = ["ab", "cdefgh", "ij"].map(str::to_owned);
        assert_eq!(join(texts.into_iter(), ", ", 6), "ab, ij");
    }
}
