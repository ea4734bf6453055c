//! TLS as the probes that look at it need it: the table of a definition, the settings made once, and a
//! handshake that says what is wrong in words and yields the certificate's expiry whatever happens.

use super::certificate::{self, REFUSED, Refused, Verifier};
use super::target::Target;
use crate::config::text::Text;
use crate::outcome::{Class, Fault, Outcome};
use crate::probe::{Build, Context, MeasureInfo};
use jiff::Timestamp;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{AlertDescription, ClientConfig, Error, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use schemars::JsonSchema;
use serde::Deserialize;
use std::cell::RefCell;
use std::io;
use std::io::Read;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub const CERTIFICATE_EXPIRY: MeasureInfo = MeasureInfo {
    name: "certificate_expiry_seconds",
    help: "Time left until the first certificate of the chain expires; negative when it has. Also known when the certificate is not trusted.",
};

/// A bundle of all public authorities has some 220 kB.
const PEM_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How TLS is spoken.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file with the authorities to trust, in place of the system's.
    ca: Option<Text>,
    /// Take any certificate. What is wrong with it is then a note, and its expiry is still measured.
    #[serde(default)]
    insecure: bool,
    /// The name to ask for and to find in the certificate, in place of the host that is connected to.
    server_name: Option<Text>,
    /// PEM file with the client's certificate chain; needs `key`.
    certificate: Option<Text>,
    /// PEM file with the client's private key; needs `certificate`.
    key: Option<Text>,
}

/// The protocols that are offered inside of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alpn {
    None,
    Http1,
    Http2,
    Either,
}

impl Alpn {
    const ALL: [Alpn; 4] = [Alpn::None, Alpn::Http1, Alpn::Http2, Alpn::Either];

    fn protocols(self) -> Vec<Vec<u8>> {
        let of = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect();
        match self {
            Alpn::None => Vec::new(),
            Alpn::Http1 => of(&["http/1.1"]),
            Alpn::Http2 => of(&["h2"]),
            Alpn::Either => of(&["h2", "http/1.1"]),
        }
    }
}

/// The settings of all checks without their own, one for each offer.
pub struct Shared([Arc<ClientConfig>; 4]);

impl Shared {
    pub fn new(config: ClientConfig) -> Shared {
        Shared(Alpn::ALL.map(|alpn| Arc::new(offering(config.clone(), alpn))))
    }

    pub fn get(&self, alpn: Alpn) -> Arc<ClientConfig> {
        self.0[alpn as usize].clone()
    }
}

/// What one check needs for its handshakes.
pub struct Client {
    config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
    insecure: bool,
}

/// The other side of a handshake: where it is, and the name that its certificate must carry.
#[derive(Clone, Copy)]
pub struct Peer<'a> {
    pub name: &'a ServerName<'static>,
    pub target: &'a Target,
}

/// A connection after its handshake.
pub struct Secured {
    pub stream: TlsStream<TcpStream>,
    pub expires: Option<i64>,
}

impl Secured {
    pub fn speaks_http2(&self) -> bool {
        self.stream.get_ref().1.alpn_protocol() == Some(b"h2")
    }
}

impl Client {
    /// `table` is the sub-table `tls` of a probe's table, where it is given.
    pub fn build(build: &mut Build<'_>, table: Option<&Tls>, alpn: Alpn) -> Option<Client> {
        let Some(table) = table else {
            return Some(Client {
                config: build.net.client_config(alpn),
                server_name: None,
                insecure: false,
            });
        };
        let server_name = match &table.server_name {
            None => None,
            Some(text) => {
                let name = build.text("tls.server_name", text)?;
                let parsed = ServerName::try_from(name);
                if parsed.is_err() {
                    build.fault("tls.server_name", format!("`{}` is not a host name", text.raw()));
                }
                Some(parsed.ok()?)
            }
        };
        let own = table.ca.is_some() || table.insecure || table.certificate.is_some() || table.key.is_some();
        let config = if own {
            Arc::new(offering(own_config(build, table)?, alpn))
        } else {
            build.net.client_config(alpn)
        };
        Some(Client { config, server_name, insecure: table.insecure })
    }

    /// For a definition that says no more of TLS than whom to trust: the authorities of a PEM file, else the system's.
    pub fn trusting(build: &mut Build<'_>, ca: Option<&Text>) -> Option<Client> {
        let table = ca.map(|ca| Tls { ca: Some(ca.clone()), ..Tls::default() });
        Client::build(build, table.as_ref(), Alpn::None)
    }

    /// The name that the definition wants in place of the host's.
    pub fn server_name(&self) -> Option<&ServerName<'static>> {
        self.server_name.as_ref()
    }

    /// Phase `tls`. The certificate's expiry goes into the outcome also where the handshake fails.
    pub async fn handshake(
        &self,
        cx: &Context,
        tcp: TcpStream,
        peer: Peer<'_>,
        outcome: &mut Outcome,
    ) -> Result<Secured, Fault> {
        cx.phase("tls");
        let Peer { name, target } = peer;
        let shown = name.to_str();
        // Each side speaks several times in turn: waiting for more to send would cost 40 ms.
        tcp.set_nodelay(true)
            .map_err(|error| Fault::internal(format!("can't set up the connection: {error}")))?;
        let connector = TlsConnector::from(self.config.clone());
        let handshake = async {
            let result = connector.connect(name.clone(), tcp).await;
            (result, REFUSED.with(RefCell::take))
        };
        let (result, refused) = REFUSED.scope(RefCell::new(None), handshake).await;
        let chain = result.as_ref().ok().and_then(|stream| stream.get_ref().1.peer_certificates());
        let expires = match (chain, &refused) {
            (Some(chain), _) => certificate::earliest_expiry(chain),
            (None, refused) => refused.as_ref().and_then(|refused| refused.expires),
        };
        if let Some(expires) = expires {
            outcome.measure(CERTIFICATE_EXPIRY.name, certificate::seconds_left(expires, cx.now));
        }
        if self.insecure {
            outcome.note(unverified(refused.as_ref(), &shown, cx.now));
        }
        match result {
            Ok(stream) => Ok(Secured { stream, expires }),
            Err(error) => Err(match refused {
                Some(refused) => Fault::failed(Class::Tls, refused.words(&shown, cx.now)),
                None => fault(&error, target),
            }),
        }
    }
}

fn unverified(refused: Option<&Refused>, name: &str, now: Timestamp) -> String {
    match refused {
        None => "the certificate would be trusted, so `insecure` is not needed".to_owned(),
        Some(refused) => format!("`insecure`: {}", refused.words(name, now)),
    }
}

fn fault(error: &io::Error, target: &Target) -> Fault {
    if let Some(why) = tls_error(error) {
        return Fault::failed(Class::Tls, words(why, target));
    }
    let text = match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            format!("{target} closed the connection during the TLS handshake")
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            format!("{target} reset the connection during the TLS handshake")
        }
        _ => format!("TLS handshake with {target}: {error}"),
    };
    Fault::failed(Class::Tls, text)
}

/// The TLS error inside of an error of input or output.
pub fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref::<Error>())
}

/// A TLS error in words.
pub fn words(error: &Error, target: &Target) -> String {
    match error {
        Error::InvalidMessage(_) => format!("{target} does not speak TLS"),
        Error::AlertReceived(AlertDescription::NoApplicationProtocol) | Error::NoApplicationProtocol => {
            format!("{target} speaks none of the protocols that were offered (ALPN)")
        }
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            format!("{target} wants a client certificate (`tls.certificate` and `tls.key`)")
        }
        Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            format!("{target} knows no such name (alert `UnrecognisedName`)")
        }
        Error::AlertReceived(alert) => format!("{target} refused the TLS handshake (alert `{alert:?}`)"),
        Error::PeerIncompatible(why) => {
            format!("{target} and atalaya have no TLS version or cipher in common: {why:?}")
        }
        error => format!("TLS with {target}: {error}"),
    }
}

fn own_config(build: &mut Build<'_>, table: &Tls) -> Option<ClientConfig> {
    let roots = match &table.ca {
        None => Some(system_roots()),
        Some(text) => own_roots(build, text),
    };
    let identity = match (&table.certificate, &table.key) {
        (None, None) => Some(None),
        (Some(certificate), Some(key)) => identity(build, certificate, key).map(Some),
        (Some(_), None) => {
            build.fault("tls.certificate", "a client certificate needs its `key`");
            None
        }
        (None, Some(_)) => {
            build.fault("tls.key", "a client's key needs its `certificate`");
            None
        }
    };
    let (roots, identity) = (roots?, identity?);
    let made = verifier(roots).and_then(|inner| {
        let strict = if table.insecure { Verifier::insecure(inner) } else { Verifier::strict(inner) };
        config(strict, identity)
    });
    match made {
        Ok(config) => Some(config),
        Err(why) => {
            build.fault("tls", why);
            None
        }
    }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn own_roots(build: &mut Build<'_>, text: &Text) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let certificates = certificates(build, "tls.ca", text)?;
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        build.fault("tls.ca", format!("`{}` holds no certificate that can be used", text.raw()));
        return None;
    }
    Some(roots)
}

fn identity(build: &mut Build<'_>, certificate: &Text, key: &Text) -> Option<Identity> {
    let chain = certificates(build, "tls.certificate", certificate);
    let pem = read(build, "tls.key", key)?;
    let Ok(private) = PrivateKeyDer::from_pem_slice(&pem) else {
        build.fault("tls.key", format!("`{}` holds no private key in PEM", key.raw()));
        return None;
    };
    Some((chain?, private))
}

fn certificates(build: &mut Build<'_>, key: &str, text: &Text) -> Option<Vec<CertificateDer<'static>>> {
    let pem = read(build, key, text)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect();
    if certificates.is_empty() {
        build.fault(key, format!("`{}` holds no certificate in PEM", text.raw()));
        return None;
    }
    Some(certificates)
}

fn read(build: &mut Build<'_>, key: &str, text: &Text) -> Option<Vec<u8>> {
    let path = build.text(key, text)?;
    let mut content = Vec::new();
    let read =
        std::fs::File::open(path).and_then(|file| file.take(PEM_BYTES_MAX + 1).read_to_end(&mut content));
    match read {
        Ok(length) if length as u64 <= PEM_BYTES_MAX => {
            build.digest(&content);
            Some(content)
        }
        Ok(_) => {
            build.fault(key, format!("`{}` has more than {PEM_BYTES_MAX} bytes", text.raw()));
            None
        }
        Err(error) => {
            build.fault(key, format!("can't read `{}`: {error}", text.raw()));
            None
        }
    }
}

fn offering(mut config: ClientConfig, alpn: Alpn) -> ClientConfig {
    config.alpn_protocols = alpn.protocols();
    config
}

/// The authorities that this machine trusts, Mozilla's where it says nothing.
pub fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

pub fn verifier(roots: RootCertStore) -> Result<Arc<WebPkiServerVerifier>, String> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| format!("can't set up TLS: {error}"))
}

/// Settings without resumption and without an offer of protocols.
pub fn config(verifier: Verifier, identity: Option<Identity>) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("can't set up TLS: {error}"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| format!("the client certificate and its key don't go together: {error}"))?,
    };
    config.resumption = Resumption::disabled();
    Ok(config)
}
