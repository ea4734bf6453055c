//! What all probes share of the network: trusted roots, one HTTP client for the vendors' APIs.

use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// Built once per process and handed to every probe that is built.
pub struct Net {
    /// Trusts the system's roots (Mozilla's where the system has none).
    pub tls: Arc<ClientConfig>,
    /// For the vendors' APIs. Follows no redirect; each call sets its own deadline.
    pub api: reqwest::Client,
}

impl Net {
    pub fn new() -> Result<Net, String> {
        let tls = Arc::new(client_config(roots())?);
        let api = reqwest::Client::builder()
            .tls_backend_preconfigured((*tls).clone())
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("atalaya/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("can't build the HTTP client: {error}"))?;
        Ok(Net { tls, api })
    }
}

fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn client_config(roots: RootCertStore) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("can't set up TLS: {error}"))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
