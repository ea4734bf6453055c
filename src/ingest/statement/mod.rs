//! SQL without what fills it: the text under which queries that are the same are told together.
//!
//! `select * from orders where email = 'ana@example.com' and id in (1, 2, 3)` becomes
//! `select * from orders where email = ? and id in (?)`. What a literal, a number or a comment holds may be a customer's (tracing
//! writes values into comments too) and never stays; where it is not certain how far a literal goes (a statement that was cut,
//! a `\'` that PostgreSQL and MySQL read differently) nothing behind it stays either, and `…` says so.
//!
//! The tokens of `probe::database` are not for this: they read definitions, which are known to be PostgreSQL's or SQLite's
//! and are refused where they are wrong. Here comes whatever an exporter sent, of any length, in one pass.

mod pieces;
#[cfg(test)]
mod tests;

use pieces::{Kind, Pieces};

/// Long enough to know a statement by, short enough to be shown and kept for each.
const CHARS_MAX: usize = 500;
/// So much is put together before it is cut, since lists and rows get shorter once they are closed.
const BYTES_MAX: usize = 8_000;
/// PostgreSQL cuts names at 63 bytes; longer ones are no names.
const NAME_MAX: usize = 128;

const CUT: &str = "…";

/// What `"…"` is to a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoubleQuoted {
    /// As SQL has it.
    Name,
    /// MySQL and MariaDB.
    Literal,
}

/// The statement without literals, comments and the length of its lists, of at most 500 characters. The same for its own
/// result.
pub fn normalise(sql: &str, double_quoted: DoubleQuoted) -> String {
    let is_name =
        |quoted: &str| is_name(quoted) && (double_quoted == DoubleQuoted::Name || !quoted.starts_with('"'));
    let mut text = Text::default();
    let mut is_cut = false;
    for piece in Pieces::of(sql) {
        match piece.kind {
            Kind::Endless => is_cut = true,
            Kind::Value => text.push("?", piece.is_apart),
            Kind::Quoted if !is_name(piece.text) => text.push("?", piece.is_apart),
            Kind::Code if piece.text.len() > NAME_MAX => is_cut = true,
            Kind::Quoted | Kind::Code => text.push(piece.text, piece.is_apart),
        }
        if is_cut || text.bytes > BYTES_MAX {
            is_cut = true;
            break;
        }
    }
    text.finish(is_cut)
}

/// Of whom it is not known whose statement it is may be MySQL, and SQLite takes `"…"` for a literal where nothing has that
/// name: only what looks like a name is one.
fn is_name(quoted: &str) -> bool {
    let name = &quoted[1..quoted.len() - 1];
    let starts = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    starts
        && name.len() <= NAME_MAX
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '-' | '.'))
}

/// What is left of a statement, put together piece by piece.
#[derive(Default)]
struct Text<'a> {
    words: Vec<Word<'a>>,
    /// Where the parentheses that are open begin.
    open: Vec<usize>,
    bytes: usize,
}

struct Word<'a> {
    text: &'a str,
    /// A space stands before it.
    is_apart: bool,
    /// For a `)`: where its parenthesis begins.
    begins: usize,
}

impl Word<'_> {
    fn chars(&self) -> usize {
        self.text.chars().count() + usize::from(self.is_apart)
    }
}

impl<'a> Text<'a> {
    fn push(&mut self, text: &'a str, is_apart: bool) {
        if !text.starts_with(':') {
            while self.fold_value() {}
        }
        let is_apart = is_apart || text == "?" && self.drop_sign();
        let before = self.words.last().map(|word| word.text);
        let is_apart = match (before, text) {
            (None | Some("(" | "["), _) | (_, ")" | "]" | ",") => false,
            (Some(","), _) => true,
            _ => is_apart,
        };
        let mut begins = 0;
        match text {
            "(" => self.open.push(self.words.len()),
            ")" => begins = self.open.pop().unwrap_or(self.words.len()),
            _ => {}
        }
        self.bytes += text.len() + usize::from(is_apart);
        self.words.push(Word { text, is_apart, begins });
        if text == ")" {
            self.fold_row();
        }
    }

    /// `?, ?` is `?`, and `?::uuid, ?::uuid` is `?::uuid`.
    fn fold_value(&mut self) -> bool {
        let ends = |words: &[Word<'_>], texts: &[&str]| {
            words.len() >= texts.len()
                && words[words.len() - texts.len()..].iter().zip(texts).all(|(word, text)| word.text == *text)
        };
        let count = self.words.len();
        let extra = if ends(&self.words, &["?", ",", "?"]) {
            2
        } else if count >= 7
            && ends(&self.words[..count - 1], &["?", "::", self.words[count - 5].text, ",", "?", "::"])
            && self.words[count - 5].text == self.words[count - 1].text
        {
            4
        } else {
            return false;
        };
        self.truncate(count - extra);
        true
    }

    /// `(?, now()), (?, now())` is `(?, now())`.
    fn fold_row(&mut self) {
        let Some(row) = self.words.last().map(|word| word.begins) else { return };
        let Some([before, comma]) = row.checked_sub(2).map(|from| &self.words[from..row]) else { return };
        if before.text != ")" || comma.text != "," {
            return;
        }
        let same = self.words[before.begins..row - 1].iter().map(|word| word.text);
        if same.eq(self.words[row..].iter().map(|word| word.text)) {
            self.truncate(row - 1);
        }
    }

    /// The sign of a number belongs to it; that of a difference stays. Whether the sign was apart.
    fn drop_sign(&mut self) -> bool {
        if let [.., before, sign] = &self.words[..]
            && matches!(sign.text, "-" | "+")
            && matches!(before.text, "(" | "[" | "," | "=" | "<" | ">")
        {
            let is_apart = sign.is_apart;
            self.truncate(self.words.len() - 1);
            return is_apart;
        }
        false
    }

    fn truncate(&mut self, count: usize) {
        for word in &self.words[count..] {
            self.bytes -= word.text.len() + usize::from(word.is_apart);
        }
        self.words.truncate(count);
    }

    fn chars(&self) -> usize {
        self.words.iter().map(Word::chars).sum()
    }

    fn finish(mut self, mut is_cut: bool) -> String {
        while self.fold_value() {}
        while !is_cut && self.words.last().is_some_and(|word| word.text == ";") {
            self.truncate(self.words.len() - 1);
        }
        if self.chars() + 2 * usize::from(is_cut) > CHARS_MAX {
            is_cut = true;
            let mut chars = 2;
            let fits = |word: &&Word<'_>| {
                chars += word.chars();
                chars <= CHARS_MAX
            };
            let count = self.words.iter().take_while(fits).count();
            self.truncate(count);
        }
        if is_cut && self.words.last().is_none_or(|word| word.text != CUT) {
            self.push(CUT, true);
        }
        let mut text = String::with_capacity(self.bytes);
        for word in &self.words {
            if word.is_apart {
                text.push(' ');
            }
            text.push_str(word.text);
        }
        text
    }
}
