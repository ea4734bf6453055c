//! What is wrong in a definition, and where: `checks/site.toml:12:9: …` with a `hint:` where we know the way out.

use std::fmt;
use std::sync::Arc;

/// A place in a file. Lines and columns count from 1; columns count characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub file: Arc<str>,
    pub line: u32,
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One fault of the user's files. Never shows a filled value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    pub place: Place,
    pub text: String,
    pub hint: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// The text of one file, with its name as people know it.
#[derive(Debug, Clone)]
pub struct Source {
    pub file: Arc<str>,
    pub text: String,
    /// Where each line begins: every check has a place, and a file may hold thousands.
    lines: Vec<usize>,
}

impl Source {
    pub fn new(file: &str, text: impl Into<String>) -> Source {
        let text = text.into();
        let lines = [0].into_iter().chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Source { file: file.into(), text, lines }
    }

    /// The place of a byte offset.
    pub fn place(&self, offset: usize) -> Place {
        let offset = offset.min(self.text.len());
        let line = self.lines.partition_point(|begin| *begin <= offset);
        let begin = self.lines[line - 1];
        let before = self.text.get(begin..offset).unwrap_or_default();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place { file: self.file.clone(), line: count(line), column: count(before.chars().count() + 1) }
    }

    pub fn fault(&self, offset: usize, text: impl Into<String>) -> Fault {
        Fault { place: self.place(offset), text: text.into(), hint: None }
    }
}

/// The allowed word that is nearest to what was written, where one is near enough to be meant.
pub fn nearest<'a>(word: &str, allowed: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    allowed
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean …?`, where something is near.
pub fn did_you_mean<'a>(word: &str, allowed: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, allowed).map(|candidate| format!("did you mean `{candidate}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters() {
        let source = Source::new("a.toml", "á = 1\nbé = 2\n");
        let at = |needle| source.place(source.text.find(needle).expect("there")).to_string();
        assert_eq!((at("á"), at("2")), ("a.toml:1:1".to_owned(), "a.toml:2:6".to_owned()));
        assert_eq!(source.place(9999).line, 3);
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        let keys = ["name", "timeout", "every", "connections_used_ratio"];
        assert_eq!(nearest("timout", keys), Some("timeout"));
        assert_eq!(nearest("connection_used_ratio", keys), Some("connections_used_ratio"));
        assert_eq!(nearest("colour", keys), None);
    }
}
