//! What all probes share of the network: names to addresses, connections, TLS, and one HTTP client for
//! the vendors' APIs.

pub mod certificate;
pub mod connect;
pub mod query;
pub mod resolve;
pub mod stream;
pub mod target;
pub mod tls;

use certificate::Verifier;
use resolve::Resolver;
use rustls::ClientConfig;
use rustls::client::{Resumption, WebPkiServerVerifier};
use std::sync::Arc;
use std::time::Duration;
use tls::{Alpn, Shared};

/// Load balancers drop a quiet connection after a minute, at the very moment when a check that runs every
/// minute would use it again, and that would look like the vendor's failure.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// Built once per process and handed to every probe that is built.
pub struct Net {
    /// Trusts the system's roots (Mozilla's where the system has none).
    pub tls: Arc<ClientConfig>,
    /// For the vendors' APIs. Follows no redirect; each call sets its own deadline.
    pub api: reqwest::Client,
    /// Names to addresses, as this machine is told to find them.
    pub resolver: Resolver,
    /// For the probes that look at TLS itself: never resumes a session, so that each run sees the
    /// whole handshake and the certificate of today.
    pub(super) shared: Shared,
}

impl Net {
    pub fn new() -> Result<Net, String> {
        let verifier = tls::verifier(tls::system_roots())?;
        let tls = Arc::new(client_config(verifier.clone())?);
        let api = reqwest::Client::builder()
            .tls_backend_preconfigured((*tls).clone())
            .redirect(reqwest::redirect::Policy::none())
            .pool_idle_timeout(IDLE_MAX)
            .user_agent(concat!("atalaya/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("can't build the HTTP client: {error}"))?;
        let honest = tls::config(Verifier::strict(verifier), None)?;
        Ok(Net { tls, api, resolver: Resolver::new(), shared: Shared::new(honest) })
    }

    pub(super) fn client_config(&self, alpn: Alpn) -> Arc<ClientConfig> {
        self.shared.get(alpn)
    }
}

fn client_config(verifier: Arc<WebPkiServerVerifier>) -> Result<ClientConfig, String> {
    let mut config = tls::config(Verifier::strict(verifier), None)?;
    config.resumption = Resumption::default();
    Ok(config)
}
