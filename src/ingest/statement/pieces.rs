//! SQL cut into pieces, of whatever database it is: what could hold a value, and the code around it.
//!
//! One pass, so that a statement of megabytes takes milliseconds. Where databases differ, the reading is taken that hides
//! more; where each of two could show a value, the rest is given up ([`Kind::Endless`]).

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A literal, a number or a placeholder.
    Value,
    /// `"…"` or `` `…` ``.
    Quoted,
    /// A keyword, a name, or one operator.
    Code,
    /// Something that begins and has no end, or none that is certain; the last piece.
    Endless,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// Blanks or comments stand before it.
    pub(super) is_apart: bool,
}

pub(super) struct Pieces<'a> {
    rest: &'a str,
    /// What was last is a name or a value: a `:` right behind it begins no placeholder.
    behind_operand: bool,
}

impl<'a> Pieces<'a> {
    pub(super) fn of(sql: &'a str) -> Pieces<'a> {
        Pieces { rest: sql, behind_operand: false }
    }

    /// The kind and length of the piece that the rest begins with; `None` without a certain end.
    fn measure(&self, first: char) -> Option<(Kind, usize)> {
        let rest = self.rest;
        let second = rest[first.len_utf8()..].chars().next();
        let is_placeholder = !self.behind_operand && second.is_some_and(|c| is_word(c) && c != '$');
        Some(match first {
            '\'' => (Kind::Value, literal(rest, false)?),
            '"' | '`' => (Kind::Quoted, quoted(rest, false)?),
            '$' => dollar(rest)?,
            '?' => (Kind::Value, 1 + length_while(&rest[1..], |c| c.is_ascii_digit())),
            ':' if second == Some(':') => (Kind::Code, 2),
            ':' | '@' if is_placeholder => (Kind::Value, 1 + length_while(&rest[1..], is_word)),
            '#' => (Kind::Code, 2),
            '.' if second.is_some_and(char::is_numeric) => (Kind::Value, number(rest)),
            c if c.is_numeric() => (Kind::Value, number(rest)),
            c if is_word(c) => word(rest)?,
            c => (Kind::Code, c.len_utf8()),
        })
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let blank = blanks(self.rest);
        let is_apart = blank != Some(0);
        self.rest = &self.rest[blank.unwrap_or_default()..];
        self.behind_operand &= !is_apart;
        let first = self.rest.chars().next()?;
        let found = blank.and_then(|_| self.measure(first));
        let (kind, length) = found.unwrap_or((Kind::Endless, self.rest.len()));
        let (text, rest) = self.rest.split_at(length);
        self.rest = rest;
        self.behind_operand = kind != Kind::Code || is_word(first) || matches!(first, ')' | ']');
        Some(Piece { kind, text, is_apart })
    }
}

/// The length of blanks and comments. What is not ASCII and neither letter nor digit is no code of any database; only the
/// mark of a cut stays.
fn blanks(text: &str) -> Option<usize> {
    let is_blank = |c: char| {
        c.is_ascii_whitespace() || c.is_ascii_control() || !c.is_ascii() && !c.is_alphanumeric() && c != '…'
    };
    let mut at = 0;
    loop {
        let rest = &text[at..];
        at += match rest.as_bytes() {
            // PostgreSQL's operators; all else begins a comment of MySQL's.
            [b'#', b'>' | b'-' | b'=', ..] => return Some(at),
            [b'-', b'-', ..] | [b'#', ..] => line_comment(rest)?,
            [b'/', b'*', ..] => comment(rest)?,
            _ => match length_while(rest, is_blank) {
                0 => return Some(at),
                length => length,
            },
        };
    }
}

/// To the end of the line. A carriage return ends it for PostgreSQL and doesn't for SQLite.
fn line_comment(text: &str) -> Option<usize> {
    let end = text.find(['\n', '\r']).unwrap_or(text.len());
    let is_certain = !text[end..].starts_with('\r') || text[end..].starts_with("\r\n");
    is_certain.then_some(end)
}

/// Comments lie in each other, as in PostgreSQL.
fn comment(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        match bytes.get(at..at + 2)? {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

/// A literal and those that go on with it behind blanks: in PostgreSQL they are one, and its escapes hold in all.
fn literal(text: &str, escapes: bool) -> Option<usize> {
    let mut end = quoted(text, escapes)?;
    loop {
        let next = end + blanks(&text[end..])?;
        if !text[next..].starts_with('\'') {
            return Some(end);
        }
        end = next + quoted(&text[next..], escapes)?;
    }
}

/// The length of what stands between two of the character that `text` begins with; two of them inside are one. A
/// backslash before it escapes it in MySQL and does not in PostgreSQL, unless `escapes` says so.
fn quoted(text: &str, escapes: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let quote = bytes[0];
    let mut behind_backslash = false;
    let mut at = 1;
    loop {
        let byte = *bytes.get(at)?;
        at += 1;
        if byte != quote {
            behind_backslash = byte == b'\\' && !behind_backslash;
        } else if behind_backslash {
            if !escapes {
                return None;
            }
            behind_backslash = false;
        } else if bytes.get(at) == Some(&quote) {
            at += 1;
        } else {
            return Some(at);
        }
    }
}

/// `$tag$…$tag$`, `$1` or `$name`.
fn dollar(text: &str) -> Option<(Kind, usize)> {
    let word = 1 + length_while(&text[1..], |c| is_word(c) && c != '$');
    let is_tag = !text[1..].starts_with(char::is_numeric) && text[word..].starts_with('$');
    if is_tag {
        let tag = &text[..=word];
        let end = text[tag.len()..].find(tag)?;
        return Some((Kind::Value, end + 2 * tag.len()));
    }
    Some((if word == 1 { Kind::Code } else { Kind::Value }, word))
}

/// Whatever hangs on a number belongs to it. A `$` does not: it begins a literal.
fn number(text: &str) -> usize {
    let is_part = |c: char| is_word(c) && c != '$' || c == '.';
    let mut end = length_while(text, is_part);
    while text[..end].ends_with(['e', 'E']) && text[end..].starts_with(['+', '-']) {
        let exponent = length_while(&text[end + 1..], is_part);
        if exponent == 0 {
            break;
        }
        end += 1 + exponent;
    }
    end
}

/// A keyword or a name, or a literal with a letter before it.
fn word(text: &str) -> Option<(Kind, usize)> {
    let length = length_while(text, is_word);
    if !text[length..].starts_with('\'') {
        return Some((Kind::Code, length));
    }
    match text[..length].to_ascii_lowercase().as_str() {
        "e" => Some((Kind::Value, length + literal(&text[length..], true)?)),
        "b" | "x" | "n" => Some((Kind::Value, length + literal(&text[length..], false)?)),
        // Oracle's `q'[…]'` ends by rules of its own.
        "q" | "nq" => None,
        _ => Some((Kind::Code, length)),
    }
}

fn length_while(text: &str, holds: impl Fn(char) -> bool) -> usize {
    text.find(|c| !holds(c)).unwrap_or(text.len())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}
