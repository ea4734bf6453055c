//! Where the agent keeps what is its own: the file of the store, and the token beside it.

use crate::config::http::Digest;
use crate::config::{Agent, Http};
use crate::web::access::token::Token;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The name of the store's file where nobody names one.
pub const STORE: &str = "atalaya.db";

/// The file of the store: as given, or as the agent's file says (relative to it), or in the state directory that
/// systemd names, or else beside the agent's file.
pub fn store_path(given: Option<&Path>, agent: &Agent, agent_file: &Path) -> PathBuf {
    if let Some(path) = given {
        return path.to_owned();
    }
    let beside = agent_file.parent().unwrap_or(Path::new(""));
    match &agent.store {
        Some(path) => beside.join(path),
        // systemd may name several, divided by colons.
        None => {
            match std::env::var("STATE_DIRECTORY").ok().as_deref().and_then(|all| all.split(':').next()) {
                Some(directory) if !directory.is_empty() => Path::new(directory).join(STORE),
                _ => beside.join(STORE),
            }
        }
    }
}

/// Where the token is kept for the commands of the same user on the same machine.
pub fn token_path(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".token");
    name.into()
}

/// What operators present: the token that the definitions give, or else one that is made now and comes along in the clear.
pub fn token(http: &Http) -> Result<(Digest, Option<Token>), String> {
    match &http.token {
        Some(given) => Ok((given.clone(), None)),
        None => Token::new().map(|made| (made.digest(), Some(made))),
    }
}

/// Keeps a token that was made now beside the store, readable by this user only. Once this agent has the port and the
/// store: another one that runs keeps its own. One that can't be kept serves all the same, and is known to nobody.
pub fn keep_token(token: &Token, store: &Path) {
    let path = token_path(store);
    if let Err(error) = keep(&path, token) {
        tracing::warn!(file = %path.display(), %error, "can't keep the token for `atalaya ack` and `atalaya silence`");
    }
}

/// In a new file that then takes the place of the old one: nobody reads half a token, and no old mode stays.
fn keep(path: &Path, token: &Token) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    std::fs::remove_file(&new).ok();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(token.expose().as_bytes())?;
    std::fs::rename(new, path)
}
