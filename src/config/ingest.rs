//! `[ingest]`: who may send what, and how much of it is told apart.
//!
//! Every key has a default that reads a variable under the name that the shop has for it, so that a file without the
//! table takes what the shop is set up to send. What has no key or token is not taken.

use super::definition::{IngestTable, SquareHookTable};
use super::fault::{Fault, Source};
use super::http::{self, Digest};
use super::read;
use super::text::{Text, Unresolved, Variables};
use super::value::Period;
use crate::ingest::standard_webhooks::Key;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

const TOKEN: &str = "${ATALAYA_INGEST_TOKEN:-}";
const PING_KEY: &str = "${ATALAYA_PING_KEY:-}";
const RESEND_SECRET: &str = "${RESEND_WEBHOOK_SECRET:-}";
/// The accounts that Square has for everybody. Each subscription has a key of its own: this agent's, and those of the shop,
/// which may hand on what it gets.
const SQUARE_KEYS: [(&str, &str); 5] = [
    ("production", "${ATALAYA_SQUARE_WEBHOOK_KEY:-}"),
    ("production", "${SQUARE_WEBHOOK_SECRET:-}"),
    ("production", "${SQUARE_WEBHOOK_SIGNATURE_KEY:-}"),
    ("sandbox", "${ATALAYA_SQUARE_WEBHOOK_KEY_SANDBOX:-}"),
    ("sandbox", "${SQUARE_WEBHOOK_SECRET_SANDBOX:-}"),
];
const SQUARE_COUNTS: &str = "${SQUARE_ENVIRONMENT:-production}";
const SQUARE_PATH: &str = "/ingest/square";

const NAMES_MAX: u16 = 200;
/// What is told apart is a series of Prometheus, and a row of a table.
const NAMES_MAX_MAX: u16 = 5_000;
const SLOW_QUERY: Duration = Duration::from_millis(100);

/// Resend has one account.
const RESEND_ACCOUNT: &str = "production";

/// Checked.
#[derive(Debug, Clone)]
pub struct Ingest {
    pub token: Option<Digest>,
    pub ping_key: Option<Digest>,
    pub names_max: usize,
    /// Events that checks count: told apart however many others there are.
    pub counted: Arc<BTreeSet<String>>,
    pub slow_query: Duration,
    /// None: no key is there.
    pub square: Option<SquareHook>,
    /// The key of Resend's signatures, by its name.
    pub resend: Option<Keys>,
}

/// Keys of Standard Webhooks by their names.
pub type Keys = Arc<[(Arc<str>, Key)]>;

/// How Square's letters are known.
#[derive(Debug, Clone)]
pub struct SquareHook {
    /// The address that is signed; none: nobody said where this agent is reached.
    pub url: Option<String>,
    /// By the names of the accounts.
    pub keys: Vec<(Arc<str>, SecretString)>,
    /// The account whose trade is counted.
    pub counts: Arc<str>,
}

impl Default for Ingest {
    fn default() -> Ingest {
        Ingest {
            token: None,
            ping_key: None,
            names_max: NAMES_MAX.into(),
            counted: Arc::default(),
            slow_query: SLOW_QUERY,
            square: None,
            resend: None,
        }
    }
}

/// A fault at a key below `[ingest]`.
pub(super) struct Wrong {
    key: String,
    text: String,
    hint: Option<&'static str>,
}

impl Wrong {
    pub fn at(self, source: &Source, table: &Spanned<DeValue<'_>>) -> Fault {
        let place = source.place(read::offset_of(table, &format!("ingest.{}", self.key)));
        Fault { place, text: self.text, hint: self.hint.map(str::to_owned) }
    }

    /// Where there is no file.
    pub fn of_the_environment(self) -> Fault {
        let place = Source::new("the environment", "").place(0);
        Fault { place, text: self.text, hint: self.hint.map(str::to_owned) }
    }
}

impl Ingest {
    /// Takes in under which address people are told to look.
    pub(super) fn reached_at(&mut self, url: Option<&str>) {
        if let (Some(square), Some(url)) = (&mut self.square, url)
            && square.url.is_none()
        {
            square.url = Some(format!("{}{SQUARE_PATH}", url.trim_end_matches('/')));
        }
    }

    /// What is wrong is said and left out.
    pub(super) fn read(raw: &IngestTable, variables: &Variables) -> (Ingest, Vec<Wrong>) {
        let mut reader = Reader { variables, wrong: Vec::new() };
        let ingest = Ingest {
            token: reader.token("token", raw.token.as_ref(), TOKEN),
            ping_key: reader.token("ping_key", raw.ping_key.as_ref(), PING_KEY),
            names_max: reader.names_max(raw.names_max).into(),
            counted: Arc::default(),
            slow_query: raw.slow_query.map_or(SLOW_QUERY, Period::get),
            square: reader.square(&raw.square),
            resend: reader.resend(raw.resend.secret.as_ref()),
        };
        (ingest, reader.wrong)
    }
}

struct Reader<'a> {
    variables: &'a Variables,
    wrong: Vec<Wrong>,
}

impl Reader<'_> {
    fn wrong(&mut self, key: &str, text: String, hint: Option<&'static str>) {
        self.wrong.push(Wrong { key: key.to_owned(), text, hint });
    }

    fn token(&mut self, key: &str, text: Option<&Text>, default: &str) -> Option<Digest> {
        let default = ours(default);
        http::token(key, text.unwrap_or(&default), self.variables).unwrap_or_else(|(text, hint)| {
            self.wrong(key, text, Some(hint));
            None
        })
    }

    /// The value, where there is one.
    fn filled(&mut self, key: &str, text: &Text) -> Option<SecretString> {
        let filled = match text.resolve(self.variables) {
            Ok(filled) => filled,
            Err(missing) => {
                let name = key.rsplit('.').next().unwrap_or(key);
                if let Some(text) = Unresolved::unreadable(&missing, name) {
                    self.wrong(key, text, Some("let the agent's user read it"));
                }
                return None;
            }
        };
        let trimmed = filled.expose_secret().trim();
        (!trimmed.is_empty()).then(|| SecretString::from(trimmed))
    }

    fn names_max(&mut self, given: Option<u16>) -> u16 {
        let names_max = given.unwrap_or(NAMES_MAX);
        if !(1..=NAMES_MAX_MAX).contains(&names_max) {
            let text = format!("`names_max`: `{names_max}` is not between 1 and {NAMES_MAX_MAX}");
            self.wrong("names_max", text, None);
            return NAMES_MAX;
        }
        names_max
    }

    fn square(&mut self, raw: &SquareHookTable) -> Option<SquareHook> {
        let mut key = |name: &str, text: &Text| {
            Some((Arc::from(name), self.filled(&format!("square.keys.{name}"), text)?))
        };
        let keys: Vec<(Arc<str>, SecretString)> = match &raw.keys {
            Some(keys) => keys.iter().filter_map(|(name, text)| key(name, text)).collect(),
            None => SQUARE_KEYS.iter().filter_map(|(name, text)| key(name, &ours(text))).collect(),
        };
        if let Some(name) = raw.keys.iter().flatten().map(|(name, _)| name).find(|name| !is_word(name)) {
            let text =
                format!("`keys`: `{name}` is no name of an account: lowercase letters, digits and `_`");
            self.wrong(&format!("square.keys.{name}"), text, None);
        }
        let counts = self.filled("square.counts", raw.counts.as_ref().unwrap_or(&ours(SQUARE_COUNTS)));
        let counts = counts.map_or("production".to_owned(), |counts| counts.expose_secret().to_lowercase());
        // Of the shop's own variables any may be set for the shop's sake; who names keys means them.
        let is_known = keys.iter().any(|(name, _)| **name == *counts)
            || raw.keys.is_none() && SQUARE_KEYS.iter().any(|(name, _)| *name == counts);
        if !keys.is_empty() && !is_known {
            let text = format!("`counts`: no key is there for `{counts}`, so that nothing would count");
            self.wrong(
                "square.counts",
                text,
                Some("it is the name of one of `keys`, such as \"production\""),
            );
        }
        let url = raw.url.as_ref().and_then(|url| self.filled("square.url", url));
        if url.as_ref().is_some_and(|url| url::Url::parse(url.expose_secret()).is_err()) {
            let hint = "write it as it stands at Square: \"https://…/ingest/square\"";
            self.wrong("square.url", "`url` is no address".to_owned(), Some(hint));
        }
        let url = url.map(|url| url.expose_secret().to_owned());
        (!keys.is_empty()).then(|| SquareHook { url, keys, counts: counts.into() })
    }

    fn resend(&mut self, text: Option<&Text>) -> Option<Keys> {
        let secret = self.filled("resend.secret", text.unwrap_or(&ours(RESEND_SECRET)))?;
        let key = Key::new(secret.expose_secret());
        if key.is_none() {
            let hint = "it begins with `whsec_` and stands beside the webhook at resend.com";
            self.wrong("resend.secret", "`secret` is no signing secret".to_owned(), Some(hint));
        }
        key.map(|key| Arc::from([(Arc::from(RESEND_ACCOUNT), key)]))
    }
}

/// A text of this file.
fn ours(text: &str) -> Text {
    Text::try_from(text.to_owned()).expect("the texts of this file are well-formed, as a test shows")
}

fn is_word(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 32
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Files, load};
    use crate::probe::net::Net;

    const TOKEN_VALUE: &str = "correct-horse-battery";

    fn ingest(text: &str, variables: &[(&str, &str)]) -> Result<Ingest, Vec<String>> {
        let none = |_: &std::path::Path| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
        let variables = Variables::new(variables.iter().copied(), none);
        let agent = Some(Source::new("atalaya.toml", text));
        let files = Files { agent, ..Files::default() };
        let plan = load(&files, &variables, &Arc::new(Net::new().expect("a net")));
        plan.map(|plan| plan.http.ingest.clone())
            .map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_shops_own_variables_are_enough() {
        let variables = [
            ("ATALAYA_INGEST_TOKEN", TOKEN_VALUE),
            ("ATALAYA_SQUARE_WEBHOOK_KEY", "key-of-production"),
            ("SQUARE_WEBHOOK_SECRET_SANDBOX", "key-of-sandbox"),
            ("SQUARE_ENVIRONMENT", "Sandbox"),
            ("RESEND_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ];
        let ingest = ingest("", &variables).expect("valid");
        assert!(ingest.token.as_ref().is_some_and(|token| token.is(&Digest::of(TOKEN_VALUE))));
        assert!(ingest.ping_key.is_none());
        let square = ingest.square.as_ref().expect("keys");
        let names: Vec<_> = square.keys.iter().map(|(name, _)| &**name).collect();
        assert_eq!((names, &*square.counts, &square.url), (vec!["production", "sandbox"], "sandbox", &None));
        assert_eq!(ingest.resend.as_ref().expect("a key")[0].1.bytes(), 24);
        let shown = format!("{ingest:?}");
        for (_, secret) in variables.iter().filter(|(name, _)| *name != "SQUARE_ENVIRONMENT") {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn without_keys_nothing_is_taken() {
        let ingest = ingest("", &[]).expect("valid");
        assert!(ingest.token.is_none() && ingest.square.is_none() && ingest.resend.is_none());
        assert_eq!((ingest.names_max, ingest.slow_query), (200, Duration::from_millis(100)));
    }

    #[test]
    fn what_is_wrong_with_a_variable_is_said_without_a_file() {
        let none = |_: &std::path::Path| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
        let variables = Variables::new([("ATALAYA_INGEST_TOKEN", "short")], none);
        let faults = load(&Files::default(), &variables, &Arc::new(Net::new().expect("a net")));
        let faults: Vec<_> = faults.expect_err("a fault").iter().map(ToString::to_string).collect();
        let expected = "the environment:1:1: `token` has 5 characters; 16 is the least\n  hint: `atalaya token` makes one that nobody guesses";
        assert_eq!(faults, [expected]);
    }

    #[test]
    fn what_is_wrong_is_said_at_its_place() {
        let check = |text: &str, expected: &str| {
            let faults = ingest(text, &[("SHORT", "short")]).expect_err("faults");
            assert_eq!(faults, [expected]);
        };
        check(
            "[ingest]\ntoken = '${SHORT}'",
            "atalaya.toml:2:9: `token` has 5 characters; 16 is the least\n  hint: `atalaya token` makes one that nobody guesses",
        );
        check("[ingest]\nnames_max = 0", "atalaya.toml:2:13: `names_max`: `0` is not between 1 and 5000");
        check(
            "[ingest.resend]\nsecret = 'whsec_%'",
            "atalaya.toml:2:10: `secret` is no signing secret\n  hint: it begins with `whsec_` and stands beside the webhook at resend.com",
        );
        check(
            "[ingest.square]\nurl = 'here'",
            "atalaya.toml:2:7: `url` is no address\n  hint: write it as it stands at Square: \"https://…/ingest/square\"",
        );
        check(
            "[ingest]\ntoken = '${file:/run/secrets/ingest}'",
            "atalaya.toml:2:9: `token`: can't read `/run/secrets/ingest`: entity not found\n  hint: let the agent's user read it",
        );
        check(
            "[ingest.resend]\nsecret = '${file:/run/secrets/resend}'",
            "atalaya.toml:2:10: `secret`: can't read `/run/secrets/resend`: entity not found\n  hint: let the agent's user read it",
        );
        check(
            "[ingest.square]\ncounts = 'live'\nkeys = { production = 'x' }",
            "atalaya.toml:2:10: `counts`: no key is there for `live`, so that nothing would count\n  hint: it is the name of one of `keys`, such as \"production\"",
        );
        check(
            "[ingest.square.keys]\nSandbox = 'x'\nproduction = 'y'",
            "atalaya.toml:2:11: `keys`: `Sandbox` is no name of an account: lowercase letters, digits and `_`",
        );
    }
}
