//! `atalaya token`: a token that nobody guesses, and what of it stands in the agent's file.

use super::{exit, fail, print};
use crate::web::access::token::Token;

pub fn main() -> u8 {
    match Token::new() {
        Ok(token) => print(
            &format!(
                "For whoever operates the agent, shown once and kept nowhere:\n\n  {}\n\n\
                 For atalaya.toml, which then holds nothing that opens anything:\n\n  [http]\n  token = \"{}\"\n",
                token.expose(),
                token.digest().text()
            ),
            exit::OK,
        ),
        Err(error) => fail(error),
    }
}
