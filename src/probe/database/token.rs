//! SQL cut into the pieces that matter to a watcher: what is a literal or a comment and must be left as it is, what
//! is a name, what is a placeholder, where a statement ends.
//!
//! It knows as much of the grammars of PostgreSQL and SQLite as is needed to never take a piece of a
//! literal for code, and no more.

/// Whose rules apply where the two differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Postgres,
    Sqlite,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Spaces and comments.
    Blank,
    /// `'…'`, `$$…$$`, a number.
    Literal,
    /// A keyword or a name as it stands.
    Word,
    /// `"…"`, and in SQLite also `` `…` `` and `[…]`.
    Quoted,
    /// `$word`.
    Placeholder,
    /// `?`, `?1`, `:name`, `@name`: SQLite would silently take it for NULL.
    Binding,
    Semicolon,
    Other,
}

/// A piece and its text. The texts of all pieces together are the SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
}

/// The pieces of `sql`; `Err` names what was begun and never ended.
pub fn tokens(sql: &str, dialect: Dialect) -> Result<Vec<Token<'_>>, &'static str> {
    let mut tokens = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = next(rest, first, dialect)?;
        let (text, after) = rest.split_at(length);
        tokens.push(Token { kind, text });
        rest = after;
    }
    Ok(tokens)
}

/// The columns of the outermost `select`, by the names that they have in the answer. What is not known without asking
/// the database (`*`, an expression without an alias) is left out.
pub fn columns(sql: &str) -> Vec<String> {
    let tokens = tokens(sql, Dialect::Postgres).or_else(|_| tokens(sql, Dialect::Sqlite)).unwrap_or_default();
    let mut depth = 0_usize;
    let mut list: Option<Vec<Vec<Token<'_>>>> = None;
    for token in tokens.into_iter().filter(|token| token.kind != Kind::Blank) {
        match (token.text, &mut list) {
            ("(", _) => depth += 1,
            (")", _) => depth = depth.saturating_sub(1),
            (word, None) if depth == 0 && word.eq_ignore_ascii_case("select") => {
                list = Some(vec![Vec::new()]);
                continue;
            }
            (word, Some(_)) if depth == 0 && word.eq_ignore_ascii_case("from") => break,
            (",", Some(list)) if depth == 0 => {
                list.push(Vec::new());
                continue;
            }
            _ => {}
        }
        if let Some(column) = list.as_mut().and_then(|list| list.last_mut()) {
            column.push(token);
        }
    }
    list.unwrap_or_default().iter().filter_map(|column| name_of(column)).collect()
}

/// The name of a column of the answer: its alias, or the column that it is.
fn name_of(column: &[Token<'_>]) -> Option<String> {
    let (last, before) = column.split_last()?;
    let named = match before.last().map(|token| token.text) {
        None | Some("." | ")") => true,
        Some(word) => word.eq_ignore_ascii_case("as") || word.eq_ignore_ascii_case("end"),
    };
    match last.kind {
        Kind::Word if named && !last.text.eq_ignore_ascii_case("end") => Some(last.text.to_ascii_lowercase()),
        Kind::Quoted if named => Some(last.text[1..last.text.len() - 1].to_owned()),
        _ => None,
    }
}

/// The kind and the length of the piece that `rest` begins with.
fn next(rest: &str, first: char, dialect: Dialect) -> Result<(Kind, usize), &'static str> {
    let sqlite = dialect == Dialect::Sqlite;
    Ok(match first {
        c if is_blank(c) => (Kind::Blank, length_while(rest, is_blank)),
        '-' if rest.starts_with("--") => (Kind::Blank, line_comment(rest, sqlite)),
        '/' if rest.starts_with("/*") => (Kind::Blank, comment(rest, !sqlite)?),
        '\'' => (Kind::Literal, quoted(rest, '\'', false).ok_or("a `'` is never closed")?),
        'e' | 'E' if !sqlite && rest[1..].starts_with('\'') => {
            (Kind::Literal, 1 + escaped(&rest[1..]).ok_or("a `'` is never closed")?)
        }
        '"' => (Kind::Quoted, quoted(rest, '"', false).ok_or("a `\"` is never closed")?),
        '`' if sqlite => (Kind::Quoted, quoted(rest, '`', false).ok_or("a `` ` `` is never closed")?),
        '[' if sqlite => (Kind::Quoted, rest.find(']').ok_or("a `[` is never closed")? + 1),
        '$' => dollar(rest, sqlite)?,
        ':' if rest.starts_with("::") => (Kind::Other, 2),
        '?' | ':' | '@' if sqlite => (Kind::Binding, 1 + length_while(&rest[1..], is_word)),
        ';' => (Kind::Semicolon, 1),
        c if c.is_ascii_digit() => (Kind::Literal, length_while(rest, |c| is_word(c) || c == '.')),
        c if is_word(c) => (Kind::Word, length_while(rest, |c| is_word(c) || c == '$')),
        c => (Kind::Other, c.len_utf8()),
    })
}

/// `$word`, or in PostgreSQL a literal between two `$tag$`.
fn dollar(rest: &str, sqlite: bool) -> Result<(Kind, usize), &'static str> {
    let word = 1 + length_while(&rest[1..], is_word);
    if !sqlite && rest[word..].starts_with('$') {
        let tag = &rest[..=word];
        let end = rest[tag.len()..].find(tag).ok_or("a `$…$` is never closed")?;
        return Ok((Kind::Literal, end + 2 * tag.len()));
    }
    Ok(if word == 1 { (Kind::Other, 1) } else { (Kind::Placeholder, word) })
}

/// The length of a quoted piece, in which a doubled quote is one; with `escapes` also a backslash and what follows.
fn quoted(rest: &str, quote: char, escapes: bool) -> Option<usize> {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if escapes && c == '\\' {
            characters.next();
        } else if c == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return Some(at + 1);
        }
    }
    None
}

/// The length of an `E'…'` behind its `E`. PostgreSQL goes on with it in a further `'…'` on another line, where a
/// backslash escapes as well.
fn escaped(rest: &str) -> Option<usize> {
    let mut length = quoted(rest, '\'', true)?;
    while let Some(more) = continued(&rest[length..]) {
        length += more + quoted(&rest[length + more..], '\'', true)?;
    }
    Some(length)
}

/// How far it is to the quote that goes on with a literal: over blanks and comments with a new line among them.
fn continued(rest: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        let blank = length_while(&rest[at..], is_blank);
        let comment =
            if rest[at + blank..].starts_with("--") { line_comment(&rest[at + blank..], false) } else { 0 };
        at += blank + comment;
        if blank + comment == 0 {
            return (rest[at..].starts_with('\'') && rest[..at].contains(['\n', '\r'])).then_some(at);
        }
    }
}

/// The length of a comment to the end of its line, which for PostgreSQL a carriage return is too.
fn line_comment(rest: &str, sqlite: bool) -> usize {
    rest.find(|c| c == '\n' || c == '\r' && !sqlite).unwrap_or(rest.len())
}

/// The length of a comment. PostgreSQL nests them, SQLite doesn't.
fn comment(rest: &str, nests: bool) -> Result<usize, &'static str> {
    let mut depth = 1;
    let mut at = 2;
    while depth > 0 {
        let end = rest[at..].find("*/").ok_or("a `/*` is never closed")?;
        let begin = rest[at..].find("/*").filter(|begin| nests && *begin < end);
        (depth, at) = begin.map_or((depth - 1, at + end + 2), |begin| (depth + 1, at + begin + 2));
    }
    Ok(at)
}

fn length_while(text: &str, holds: impl Fn(char) -> bool) -> usize {
    text.find(|c| !holds(c)).unwrap_or(text.len())
}

/// As both databases have it: whatever is not ASCII may be in a name, a no-break space too.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

fn is_blank(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\u{b}'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The pieces that are no blanks, as `kind:text`.
    fn check(sql: &str, dialect: Dialect, expected: &str) {
        let found = match tokens(sql, dialect) {
            Ok(tokens) => {
                let tokens = tokens.iter().filter(|token| token.kind != Kind::Blank);
                tokens.map(|token| format!("{:?}:{}", token.kind, token.text)).collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_owned(),
        };
        assert_eq!(found, expected, "{sql}");
    }

    #[test]
    fn literals_and_comments_are_never_code() {
        use Dialect::{Postgres, Sqlite};
        check("a'$now;''$x'b", Postgres, "Word:a Literal:'$now;''$x' Word:b");
        check("E'it\\'s $now' $now", Postgres, "Literal:E'it\\'s $now' Placeholder:$now");
        check("'a\\' $now", Postgres, "Literal:'a\\' Placeholder:$now");
        check("-- $now; '\n$to", Postgres, "Placeholder:$to");
        check("/* /* ' */ $now; */ $to", Postgres, "Placeholder:$to");
        check("/* /* ' */ $now", Sqlite, "Placeholder:$now");
        check("$$ $now; $$ $a$ $$ ; $a$ x", Postgres, "Literal:$$ $now; $$ Literal:$a$ $$ ; $a$ Word:x");
        check("\"a\"\"$now\" as b$c", Postgres, "Quoted:\"a\"\"$now\" Word:as Word:b$c");
        check("[a;$b] `c;` a[1]", Sqlite, "Quoted:[a;$b] Quoted:`c;` Word:a Quoted:[1]");
        check("a[1]::int ? b", Postgres, "Word:a Other:[ Literal:1 Other:] Other::: Word:int Other:? Word:b");
        check("?1 :now @x", Sqlite, "Binding:?1 Binding::now Binding:@x");
        check("1.5e3;", Postgres, "Literal:1.5e3 Semicolon:;");
    }

    #[test]
    fn what_is_not_ascii_is_part_of_a_name() {
        check("\u{a0}$now €$a$ x", Dialect::Postgres, "Word:\u{a0}$now Word:€$a$ Word:x");
    }

    #[test]
    fn a_literal_with_escapes_goes_on_in_the_next_line() {
        use Dialect::{Postgres, Sqlite};
        check("E'a'\n -- b\n '\\', '; x", Postgres, "Literal:E'a'\n -- b\n '\\', ' Semicolon:; Word:x");
        check("E'a' '\\' x", Postgres, "Literal:E'a' Literal:'\\' Word:x");
        check("'a'\n'\\' x", Postgres, "Literal:'a' Literal:'\\' Word:x");
        check("E'a'\n'\\' x", Sqlite, "Word:E Literal:'a' Literal:'\\' Word:x");
    }

    #[test]
    fn a_comment_ends_where_the_database_ends_it() {
        use Dialect::{Postgres, Sqlite};
        check("-- a\r$now", Postgres, "Placeholder:$now");
        check("-- a\r$now", Sqlite, "");
    }

    #[test]
    fn columns_have_the_names_of_the_answer() {
        let check = |sql: &str, expected: &[&str]| assert_eq!(columns(sql), expected, "{sql}");
        check(
            "select count(*) as orders, min(a) oldest_seconds, o.total, \"Sum\" from orders o",
            &["orders", "oldest_seconds", "total", "Sum"],
        );
        check(
            "with a as (select 1 as b) SELECT case when c > 1 then d end as share_ratio, count(*) from a",
            &["share_ratio"],
        );
        check(
            "select extract(epoch from max(x)) as age_seconds, case when a then 1 end from y",
            &["age_seconds"],
        );
        check("select (select count(*) as inner from a) as outer_ones, * from b", &["outer_ones"]);
        check("delete from a", &[]);
    }

    #[test]
    fn what_is_never_closed_is_said() {
        use Dialect::{Postgres, Sqlite};
        check("select 'a", Postgres, "a `'` is never closed");
        check("select \"a", Postgres, "a `\"` is never closed");
        check("select /* /* */", Postgres, "a `/*` is never closed");
        check("select $a$ $b$", Postgres, "a `$…$` is never closed");
        check("select [a", Sqlite, "a `[` is never closed");
    }

    proptest! {
        #[test]
        fn no_piece_is_lost(sql in "[a-z$'\"/*;\\-\\[\\] ?:é\\\\]{0,40}", sqlite: bool) {
            let dialect = if sqlite { Dialect::Sqlite } else { Dialect::Postgres };
            if let Ok(tokens) = tokens(&sql, dialect) {
                prop_assert_eq!(tokens.iter().map(|token| token.text).collect::<String>(), sql);
            }
        }
    }
}
