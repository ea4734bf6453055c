//! Who sends and who receives emails, as definitions write them. For all channels that send emails.

use crate::config::text::Text;
use crate::probe::Build;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;

/// More are refused by vendors, and are a mailing list's work.
const RECIPIENTS_MAX: usize = 50;

/// `"ann@shop.example, Bob <bob@shop.example>"`, or a list of such texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipients(Vec<Text>);

/// A name, which may be empty, and an address whose domain is in ASCII.
#[derive(Clone, PartialEq, Eq)]
pub struct Mailbox {
    pub name: String,
    pub user: String,
    pub domain: String,
}

impl Recipients {
    /// At least one; all that are wrong are reported.
    pub fn build(&self, build: &mut Build<'_>) -> Option<Vec<Mailbox>> {
        let filled: Vec<_> = self.0.iter().map(|text| Some((build.text("to", text)?, text.raw()))).collect();
        let mut mailboxes: Vec<Mailbox> = Vec::new();
        for (filled, raw) in filled.into_iter().collect::<Option<Vec<_>>>()? {
            for one in split(&filled) {
                match Mailbox::parse(one) {
                    Some(mailbox) if mailboxes.iter().any(|known| known.same_place(&mailbox)) => {}
                    Some(mailbox) => mailboxes.push(mailbox),
                    None => {
                        build.fault("to", format!("`{raw}` holds what is no email address{}", whole(raw)));
                        return None;
                    }
                }
            }
        }
        if mailboxes.is_empty() || mailboxes.len() > RECIPIENTS_MAX {
            let text = format!("{} recipients; 1 to {RECIPIENTS_MAX} can be told", mailboxes.len());
            build.fault("to", text);
            return None;
        }
        Some(mailboxes)
    }
}

/// The sender of a definition.
pub fn sender(build: &mut Build<'_>, text: &Text) -> Option<Mailbox> {
    let filled = build.text("from", text)?;
    let mailbox = Mailbox::parse(filled.trim());
    if mailbox.is_none() {
        let raw = text.raw();
        build.fault("from", format!("`{raw}` is no email address{}", whole(raw)));
    }
    mailbox
}

fn whole(raw: &str) -> &'static str {
    if raw.contains("${") { " with the value that the variable has" } else { "" }
}

impl Mailbox {
    /// `ann@shop.example` or `Ann <ann@shop.example>`. Addresses with quotes or letters beyond ASCII before the `@`
    /// are not taken: few servers do.
    fn parse(text: &str) -> Option<Mailbox> {
        let (name, address) = match text.strip_suffix('>') {
            Some(rest) => rest.rsplit_once('<')?,
            None => ("", text),
        };
        let (user, domain) = address.trim().rsplit_once('@')?;
        let is_atom = |atom: &str| {
            !atom.is_empty()
                && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&b))
        };
        let name = name.trim();
        let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
        let fits = user.len() <= 64
            && domain.len() <= 253
            && !name.chars().any(|c| c.is_control() || "<>\"\\".contains(c));
        if !fits || !user.split('.').all(is_atom) {
            return None;
        }
        let url::Host::Domain(domain) = url::Host::parse(domain).ok()? else { return None };
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        domain.split('.').all(is_label).then(|| Mailbox {
            name: name.to_owned(),
            user: user.to_owned(),
            domain,
        })
    }

    pub fn address(&self) -> String {
        format!("{}@{}", self.user, self.domain)
    }

    fn same_place(&self, other: &Mailbox) -> bool {
        self.user == other.user && self.domain == other.domain
    }
}

/// As it stands in a header or in a vendor's JSON; the name is quoted, since it may hold a comma.
impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            return f.write_str(&self.address());
        }
        write!(f, "\"{}\" <{}>", self.name, self.address())
    }
}

/// Somebody's address is shown to nobody but to whom it must be.
impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mailbox(…)")
    }
}

/// At commas that are outside of quotes; what is empty falls away.
fn split(text: &str) -> Vec<&str> {
    let mut quoted = false;
    let parts = text.split(|c: char| {
        quoted ^= c == '"';
        (c == ',' || c == '\n') && !quoted
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).collect()
}

impl<'de> Deserialize<'de> for Recipients {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Recipients, D::Error> {
        struct OneOrMore;

        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Recipients;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("email addresses: a text with commas or a list of texts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Recipients, E> {
                Text::try_from(text.to_owned()).map(|text| Recipients(vec![text])).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Recipients, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(Recipients(texts))
            }
        }

        deserializer.deserialize_any(OneOrMore)
    }
}

impl JsonSchema for Recipients {
    fn schema_name() -> Cow<'static, str> {
        "Recipients".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "array"], "items": { "type": "string" }, "examples": ["${ALERT_EMAIL_TO}"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let found = Mailbox::parse(text).map(|mailbox| mailbox.to_string());
        assert_eq!(found.as_deref(), expected, "{text}");
    }

    #[test]
    fn addresses_are_read_and_written() {
        check("ann@shop.example", Some("ann@shop.example"));
        check("Ann Lee <ann.lee+night@Shop.Example>", Some("\"Ann Lee\" <ann.lee+night@shop.example>"));
        check("\"Lee, Ann\" <ann@shop.example>", Some("\"Lee, Ann\" <ann@shop.example>"));
        check("Größe <a@bücher.example>", Some("\"Größe\" <a@xn--bcher-kva.example>"));
        check("root@localhost", Some("root@localhost"));
        for wrong in [
            "",
            "ann",
            "@shop.example",
            "ann@",
            "ann@shop..example",
            ".ann@shop.example",
            "ann@shop.example>",
            "a b@shop.example",
            "größe@shop.example",
            "\"a\"@shop.example",
            "ann@shop.example\r\nBcc: x@y.example",
            "Ann\nBcc: x <ann@shop.example>",
            "Ann <ann@shop.example",
            "ann@[127.0.0.1]",
            "ann@127.0.0.1",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_text_is_split_at_commas_outside_of_quotes() {
        assert_eq!(split("a@x, \"b, c\" <b@x>,\n d@x,"), ["a@x", "\"b, c\" <b@x>", "d@x"]);
        assert_eq!(split(" , "), Vec::<&str>::new());
    }
}
