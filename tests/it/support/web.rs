//! Servers that misbehave on purpose: plain ones that say exactly what they are told, and ones with TLS.

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Serves each connection with `serve`; ends with the runtime of the test.
pub async fn serve<F, S>(serve: S) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
    S: Fn(TcpStream) -> F + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// Answers every request with `answer`, byte by byte as given, and closes.
pub async fn saying(answer: impl Into<Vec<u8>>) -> SocketAddr {
    let answer: Arc<[u8]> = answer.into().into();
    serve(move |mut stream| {
        let answer = answer.clone();
        async move {
            request(&mut stream).await;
            say(&mut stream, &answer).await;
        }
    })
    .await
}

/// Reads to the end of a request's header, and gives it.
pub async fn request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).expect("a header in ASCII")
}

/// Writes as far as the other side takes it, and waits for its end: closing with something unread would
/// be a reset.
pub async fn say(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), bytes: &[u8]) {
    if stream.write_all(bytes).await.is_ok() {
        stream.shutdown().await.ok();
        tokio::io::copy(stream, &mut tokio::io::sink()).await.ok();
    }
}

/// An authority of a test, and certificates from it.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: tempfile::TempDir,
}

/// A certificate with its chain and key.
pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: KeyPair,
}

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        // A name of its own: two authorities with one name would be taken for one with two keys.
        let name = format!("authority {:?}", &key.public_key_raw()[..8]);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        Authority { issuer, directory: tempfile::tempdir().expect("a directory") }
    }

    /// The path of the authority's certificate.
    pub fn file(&self) -> String {
        self.write("ca.pem", &self.issuer.pem())
    }

    pub fn write(&self, name: &str, content: &str) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path.into_os_string().into_string().expect("a path in UTF-8")
    }

    /// A certificate for `name`, changed by `change` before it is signed.
    pub fn identity(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Identity { chain: vec![certificate.der().clone(), self.issuer.der().clone()], key }
    }

    fn roots(&self) -> rustls::RootCertStore {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("an authority");
        roots
    }
}

/// Whom a TLS server lets in and what it offers.
#[derive(Default)]
pub struct TlsServer<'a> {
    pub protocols: &'a [&'a str],
    /// Wants a client certificate from this authority.
    pub clients: Option<&'a Authority>,
}

impl TlsServer<'_> {
    pub fn acceptor(&self, identity: Identity) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = match self.clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let roots = Arc::new(authority.roots());
                let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(roots, provider);
                builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
            }
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key.serialize_der()));
        let mut config = builder.with_single_cert(identity.chain, key).expect("a certificate");
        config.alpn_protocols = self.protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// As [`saying`], inside of TLS.
pub async fn saying_in_tls(acceptor: TlsAcceptor, answer: impl Into<Vec<u8>>) -> SocketAddr {
    let answer: Arc<[u8]> = answer.into().into();
    serve(move |stream| {
        let (acceptor, answer) = (acceptor.clone(), answer.clone());
        async move {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                request(&mut stream).await;
                say(&mut stream, &answer).await;
            }
        }
    })
    .await
}
