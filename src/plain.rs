//! Makes text that came from outside fit to be shown: one line, bounded, nothing that a terminal,
//! an XML parser or a log would take for more than text.
//!
//! A plugin's output or a server's answer may hold escape sequences that rewrite a terminal, control
//! characters that no XML may contain, or marks that turn the reading direction. None of them survives.

use std::iter::Peekable;
use std::str::Chars;

/// One line of at most `chars_max` characters. What was cut is shown as `…`.
pub fn line(text: &str, chars_max: usize) -> String {
    let mut shown = String::new();
    let mut count = 0;
    let mut gap = false;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => skip_escape(&mut rest),
            c if c.is_whitespace() || c.is_control() => gap = true,
            c if is_invisible(c) => {}
            c => {
                let needed = 1 + usize::from(gap && count > 0);
                if count + needed > chars_max {
                    return cut(shown, chars_max);
                }
                if needed == 2 {
                    shown.push(' ');
                }
                shown.push(c);
                count += needed;
                gap = false;
            }
        }
    }
    shown
}

/// Replaces each value by what it is called, the longest first, so that no part of one is left over.
/// Values of fewer than four characters are left alone: they are no secrets, and `5` is everywhere.
pub fn redact<'a>(text: &str, values: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut values: Vec<_> = values.into_iter().filter(|(_, value)| value.chars().count() >= 4).collect();
    values.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(value, name))
}

fn cut(mut shown: String, chars_max: usize) -> String {
    let keep = chars_max.saturating_sub(1);
    if let Some((at, _)) = shown.char_indices().nth(keep) {
        shown.truncate(at);
    }
    let end = shown.trim_end().len();
    shown.truncate(end);
    shown.push('…');
    shown
}

/// Skips what follows an escape character: a control sequence (`[ … letter`), a string for the terminal
/// (`] … BEL`, `P … ESC \`), or one character.
fn skip_escape(rest: &mut Peekable<Chars<'_>>) {
    match rest.next() {
        Some('[') => while rest.next_if(|c| !('@'..='~').contains(c) && !c.is_control()).is_some() {},
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while rest.next_if(|c| !matches!(c, '\u{7}' | '\u{1b}' | '\n')).is_some() {}
            if rest.next_if_eq(&'\u{1b}').is_none() {
                return;
            }
        }
        _ => return,
    }
    rest.next_if(|c| !c.is_control());
}

/// Marks that turn the reading direction, byte order marks, and code points that are no characters.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(c, '\u{fdd0}'..='\u{fdef}')
        || u32::from(c) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(line(text, 20), expected, "{text:?}");
    }

    #[test]
    fn nothing_but_text_is_left() {
        check("DISK OK", "DISK OK");
        check("  two\t\tlines\r\n here ", "two lines here");
        check("\u{1b}[31;1mred\u{1b}[0m", "red");
        check("\u{1b}]0;title\u{7}text", "text");
        check("\u{1b}]8;;http://evil\u{1b}\\link", "link");
        check("\u{1b}(Bplain", "Bplain");
        check("\u{1b}[2J\u{1b}[Hgone", "gone");
        check("\u{9b}31mC1", "31mC1");
        check("a\0b\u{7f}c", "a b c");
        check("\u{202e}evil\u{feff}\u{ffff}", "evil");
        check("größe 80 %", "größe 80 %");
        check("\u{1b}[", "");
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        check("12345678901234567890", "12345678901234567890");
        check("123456789012345678901", "1234567890123456789…");
        check("123456789012345678 0123", "123456789012345678…");
        check("ääääääääääääääääääääää", "äääääääääääääääääää…");
    }

    #[test]
    fn values_are_shown_by_their_names() {
        let values = [("${HOST}", "db.internal"), ("${URL}", "tcp://db.internal"), ("${WARN}", "5")];
        assert_eq!(redact("refused by tcp://db.internal: 5", values), "refused by ${URL}: 5");
        assert_eq!(redact("no db.internal", values), "no ${HOST}");
    }

    proptest! {
        #[test]
        fn a_line_is_short_and_plain(text in "(?s).{0,80}", chars_max in 1_usize..40) {
            let shown = line(&text, chars_max);
            prop_assert!(shown.chars().count() <= chars_max);
            prop_assert!(!shown.chars().any(char::is_control));
            prop_assert_eq!(shown.trim(), shown.as_str());
            prop_assert_eq!(line(&shown, chars_max), shown);
        }
    }
}
