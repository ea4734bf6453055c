//! The certificate with which it is served. It is read anew when its files change, as they do when it is renewed: whoever
//! renews it need not tell, and no connection ends for it.

use crate::config::Http;
use crate::config::http::{Tls, WrongPair};
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What reads the text of a file.
pub type Read = fn(&Path) -> io::Result<String>;

/// The certificate in force.
#[derive(Debug)]
pub struct Certificate(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Certificate {
    pub fn read(tls: &Tls, read: Read) -> Result<Arc<Certificate>, String> {
        let pair = tls.pair(read).map_err(|WrongPair { key, why }| format!("[http] {key}: {why}"))?;
        Ok(Arc::new(Certificate(RwLock::new(pair))))
    }

    /// TLS 1.2 and 1.3, and HTTP/1.1 in it.
    pub(super) fn acceptor(self: Arc<Certificate>) -> Result<TlsAcceptor, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| format!("can't set up TLS: {error}"))?;
        let mut config = config.with_no_client_auth().with_cert_resolver(self);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Takes what the files hold where that can be served; otherwise the one in force stays.
    fn renew(&self, tls: &Tls, read: Read) {
        match tls.pair(read) {
            Ok(new) => {
                let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
                if current.cert != new.cert {
                    tracing::info!(file = %tls.certificate.display(), "the certificate is new");
                }
                *current = new;
            }
            Err(WrongPair { key, why }) => {
                tracing::error!(key, why, "the new certificate can't be served; the one in force stays");
            }
        }
    }

    /// Looks at the files now and then, and when the definitions were read again.
    pub async fn follow(self: Arc<Certificate>, read: Read, mut http: watch::Receiver<Arc<Http>>) {
        let mut seen = None;
        loop {
            let told = tokio::time::timeout(LOOK_EVERY, http.changed()).await;
            let forced = match told {
                Ok(Ok(())) => true,
                Ok(Err(_gone)) => return,
                Err(_) => false,
            };
            let Some(tls) = http.borrow_and_update().tls.clone() else { continue };
            let (this, before) = (self.clone(), seen.clone());
            // Files may lie on a disk that hangs.
            let looked = tokio::task::spawn_blocking(move || {
                let now = [look(&tls.certificate), look(&tls.key)];
                if forced || before.as_ref() != Some(&now) {
                    this.renew(&tls, read);
                }
                now
            });
            seen = looked.await.ok();
        }
    }
}

/// What tells one content of a file from another without reading it; nothing where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look(Option<(u64, u64, i64, i64)>);

fn look(path: &Path) -> Look {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).ok();
    Look(metadata.map(|file| (file.ino(), file.size(), file.mtime(), file.mtime_nsec())))
}
