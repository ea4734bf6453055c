//! What the kinds that speak to a database share.
//!
//! Three rules hold for all of them. One connection for each run, closed in the run: the watcher never keeps
//! a connection that the shop needs. Only the simple protocol: behind a transaction-mode pooler the
//! extended one can give another client's rows, without an error. Read only, with deadlines that the server
//! itself keeps and that are shorter than the run's.

pub mod address;
pub mod answer;
pub mod ask;
pub mod cell;
pub(super) mod counting;
pub mod fault;
pub mod indexes;
pub mod pooler;
pub mod postgres;
#[cfg(test)]
mod properties;
pub mod pulse;
pub mod session;
pub mod sql;
pub mod statements;
pub mod template;
pub mod token;

use super::Build;
use crate::config::text::Text;
use address::{Address, Wrong};
use secrecy::ExposeSecret;
use std::path::PathBuf;

/// The address in the text at `key`, with the certificates of `ca` where given.
pub fn address(build: &mut Build<'_>, key: &str, url: &Text, ca: Option<&Text>) -> Option<Address> {
    let url = build.secret(key, url);
    let ca = match ca {
        Some(ca) => Some(PathBuf::from(build.text("ca", ca)?)),
        None => None,
    };
    let address = Address::parse(url?.expose_secret());
    let mut address = address.map_err(|wrong| report(build, key, wrong)).ok()?;
    match (&mut address, ca) {
        (Address::Postgres(server), Some(ca)) => {
            server.trust(ca).map_err(|wrong| report(build, "ca", wrong)).ok()?;
        }
        (Address::Sqlite(_), Some(_)) => {
            build.fault("ca", "the file of an embedded database is reached without TLS");
            return None;
        }
        (_, None) => {}
    }
    Some(address)
}

fn report(build: &mut Build<'_>, key: &str, wrong: Wrong) {
    match wrong.hint {
        Some(hint) => build.fault_with_hint(key, wrong.text, hint),
        None => build.fault(key, wrong.text),
    }
}
