//! From a definition's table to something that runs: where its holes are filled from, and where its faults go.

use super::net::Net;
use crate::config::text::{Text, Unresolved, Variables};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

/// What turns a definition into something that runs: where holes are filled from, and where faults go.
pub struct Build<'a> {
    pub variables: &'a Variables,
    /// How often the check runs and how long a run may take.
    pub every: Duration,
    pub timeout: Duration,
    pub net: &'a Arc<Net>,
    pub found: Found,
}

/// What was found wrong while building.
#[derive(Debug, Default)]
pub struct Found {
    pub faults: Vec<BuildFault>,
    /// Names of variables that are not set: the check is skipped.
    pub unset: BTreeSet<String>,
    /// Why the check can't run with the values that the variables have, and is skipped.
    pub left_out: Option<String>,
    /// A digest of every filled value and of every file read, so that a reload sees a changed secret. It never leaves the process.
    pub values: u64,
}

/// A fault at a key of the probe's table.
#[derive(Debug, PartialEq, Eq)]
pub struct BuildFault {
    /// The key inside the probe's table, dotted where nested; empty for the table itself.
    pub key: String,
    /// What is wrong and what is allowed. Never shows a filled value.
    pub text: String,
    pub hint: Option<String>,
}

impl Build<'_> {
    /// The filled text, which may be a secret.
    pub fn secret(&mut self, key: &str, text: &Text) -> Option<SecretString> {
        match text.resolve(self.variables) {
            Ok(filled) => {
                self.digest(key.as_bytes());
                self.digest(filled.expose_secret().as_bytes());
                Some(filled)
            }
            Err(missing) => {
                for one in missing {
                    match one {
                        Unresolved::Unset(name) => {
                            self.found.unset.insert(name);
                        }
                        Unresolved::File { path, why } => {
                            self.fault(key, format!("can't read `${{file:{path}}}`: {why}"));
                        }
                    }
                }
                None
            }
        }
    }

    /// The filled text, where it is known not to be a secret.
    pub fn text(&mut self, key: &str, text: &Text) -> Option<String> {
        self.secret(key, text).map(|filled| filled.expose_secret().to_owned())
    }

    /// Makes the content of a file that was read part of what a reload compares: who has other content is another check.
    pub fn digest(&mut self, content: &[u8]) {
        let mut hasher = DefaultHasher::new();
        (self.found.values, content).hash(&mut hasher);
        self.found.values = hasher.finish();
    }

    /// Skips the check: its definition is right, but the values of its variables are for something else.
    pub fn leave_out(&mut self, why: impl Into<String>) {
        self.found.left_out = Some(why.into());
    }

    /// Reports a fault at a key of the probe's table.
    pub fn fault(&mut self, key: &str, text: impl Into<String>) {
        self.found.faults.push(BuildFault { key: key.to_owned(), text: text.into(), hint: None });
    }

    /// As [`Build::fault`], with the way out.
    pub fn fault_with_hint(&mut self, key: &str, text: impl Into<String>, hint: impl Into<String>) {
        let hint = Some(hint.into());
        self.found.faults.push(BuildFault { key: key.to_owned(), text: text.into(), hint });
    }
}
