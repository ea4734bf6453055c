//! The token that a process makes when the definitions give none.

use crate::config::http::{Digest, hex};
use secrecy::{ExposeSecret, SecretString};

/// A token in the clear, for as long as it takes to tell it to whom it is for.
pub struct Token(SecretString);

impl Token {
    /// 128 bits from the system's source of randomness.
    pub fn new() -> Result<Token, String> {
        random::<16>().map(|bytes| Token(hex(&bytes).into()))
    }

    /// For the one who may know it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is enough to know it again.
    pub fn digest(&self) -> Digest {
        Digest::of(self.expose())
    }
}

/// From the system's source of randomness.
pub(super) fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| format!("the system gives no random numbers: {error}"))?;
    Ok(bytes)
}
