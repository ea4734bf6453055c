//! What a server's certificates say: when the first of them expires, and why they are not trusted. Both
//! must be known also when verification fails, and then rustls keeps nothing; so the verifier leaves a
//! note for the handshake that it belongs to.

use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::cell::RefCell;
use std::sync::Arc;
use x509_parser::certificate::X509CertificateParser;
use x509_parser::nom::Parser;

tokio::task_local! {
    /// What the verifier of the handshake under way did not like.
    pub(super) static REFUSED: RefCell<Option<Refused>>;
}

/// A chain that was not trusted, and why.
#[derive(Debug, Clone)]
pub struct Refused {
    pub why: Error,
    pub expires: Option<i64>,
    self_signed: bool,
    sent: usize,
}

/// Verifies as rustls does and notes what was refused; when told so, takes it all the same.
#[derive(Debug)]
pub struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    takes_all: bool,
}

impl Verifier {
    pub fn strict(inner: Arc<WebPkiServerVerifier>) -> Verifier {
        Verifier { inner, takes_all: false }
    }

    pub fn insecure(inner: Arc<WebPkiServerVerifier>) -> Verifier {
        Verifier { inner, takes_all: true }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.inner.verify_server_cert(leaf, others, name, ocsp, now).or_else(|why| {
            // Outside of a handshake of ours nobody asks for the note.
            REFUSED.try_with(|note| note.replace(Some(Refused::new(why.clone(), leaf, others)))).ok();
            if self.takes_all { Ok(ServerCertVerified::assertion()) } else { Err(why) }
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

impl Refused {
    fn new(why: Error, leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Refused {
        Refused {
            why,
            expires: earliest_expiry(std::iter::once(leaf).chain(others)),
            self_signed: is_self_signed(leaf),
            sent: 1 + others.len(),
        }
    }

    /// Why the certificate for `name` is not trusted, in words.
    pub fn words(&self, name: &str, now: Timestamp) -> String {
        match &self.why {
            Error::InvalidCertificate(CertificateError::UnknownIssuer) if self.self_signed => {
                format!("the certificate of `{name}` is self-signed and not among those trusted")
            }
            Error::InvalidCertificate(CertificateError::Other(_)) if self.self_signed => format!(
                "the certificate of `{name}` is an authority's own (self-signed), not a server's; \
                 give the server one that the authority signed"
            ),
            Error::InvalidCertificate(CertificateError::UnknownIssuer) if self.sent == 1 => format!(
                "the certificate of `{name}` has an unknown issuer; the server sent no other certificate, \
                 so an intermediate one may be missing"
            ),
            why => words(why, name, now),
        }
    }
}

/// Why the certificate for `name` is not trusted, where only rustls' own error is known.
fn words(why: &Error, name: &str, now: Timestamp) -> String {
    let Error::InvalidCertificate(why) = why else {
        return format!("the certificate of `{name}` is not trusted: {why}");
    };
    match why {
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the certificate of `{name}` expired {} ago", age(now, *not_after))
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("the certificate of `{name}` is not valid before {}", moment(*not_before))
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            format!("the certificate is not for `{name}`; it is for {}", names(presented))
        }
        CertificateError::UnknownIssuer => format!("the certificate of `{name}` has an unknown issuer"),
        // What is inside is for programmers.
        CertificateError::Other(_) => format!("the certificate of `{name}` is not one that a server may use"),
        why => format!("the certificate of `{name}` is not trusted: {why}"),
    }
}

/// The moment (Unix seconds) at which the first of these certificates expires.
pub fn earliest_expiry<'a>(chain: impl IntoIterator<Item = &'a CertificateDer<'a>>) -> Option<i64> {
    chain
        .into_iter()
        .filter_map(|der| {
            let parsed = X509CertificateParser::new().with_deep_parse_extensions(false).parse(der);
            parsed.ok().map(|(_, certificate)| certificate.validity().not_after.timestamp())
        })
        .min()
}

/// What `certificate_expiry_seconds` shows: negative when it is over.
pub fn seconds_left(expires: i64, now: Timestamp) -> f64 {
    (expires - now.as_second()) as f64
}

fn is_self_signed(leaf: &CertificateDer<'_>) -> bool {
    let parsed = X509CertificateParser::new().with_deep_parse_extensions(false).parse(leaf);
    parsed.is_ok_and(|(_, certificate)| certificate.subject() == certificate.issuer())
}

fn age(now: Timestamp, moment: UnixTime) -> String {
    let seconds = now.as_second().saturating_sub_unsigned(moment.as_secs()).max(0).unsigned_abs();
    match seconds {
        0..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn moment(moment: UnixTime) -> String {
    let seconds = i64::try_from(moment.as_secs()).ok();
    let moment = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    moment.map_or_else(|| "a time out of range".to_owned(), |moment| moment.to_string())
}

fn names(presented: &[String]) -> String {
    const SHOWN_MAX: usize = 4;
    if presented.is_empty() {
        return "no name at all".to_owned();
    }
    // rustls gives names as they are written in debug output: `DnsName("shop.example")`.
    let shown = presented.iter().take(SHOWN_MAX).map(|name| {
        let bare = name.split('"').nth(1).unwrap_or(name);
        format!("`{}`", bare.chars().filter(char::is_ascii_graphic).take(80).collect::<String>())
    });
    let more = presented.len().saturating_sub(SHOWN_MAX);
    let shown = shown.collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn check(why: CertificateError, text: &str) {
        let now = Timestamp::from_second(1_000_000).expect("in range");
        assert_eq!(words(&Error::InvalidCertificate(why), "shop.example", now), text);
    }

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn each_reason_has_its_words() {
        let expired = |after| CertificateError::ExpiredContext { time: at(1_000_000), not_after: at(after) };
        check(expired(999_000), "the certificate of `shop.example` expired 16 minutes ago");
        check(expired(900_000), "the certificate of `shop.example` expired 27 hours ago");
        check(expired(0), "the certificate of `shop.example` expired 11 days ago");
        check(
            CertificateError::NotValidYetContext { time: at(1_000_000), not_before: at(2_000_000) },
            "the certificate of `shop.example` is not valid before 1970-01-24T03:33:20Z",
        );
        let other = |presented: &[&str]| CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("shop.example").expect("a name"),
            presented: presented.iter().map(|&name| name.to_owned()).collect(),
        };
        check(
            other(&["DnsName(\"a.example\")", "b.example", "c", "d", "e", "f"]),
            "the certificate is not for `shop.example`; it is for `a.example`, `b.example`, `c`, `d` and 2 more",
        );
        check(other(&[]), "the certificate is not for `shop.example`; it is for no name at all");
    }

    #[test]
    fn the_first_of_a_chain_to_expire_counts() {
        let made = [2030, 2027, 2040].map(|year| {
            let mut params = rcgen::CertificateParams::new(vec!["shop.example".to_owned()]).expect("a name");
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
            let key = rcgen::KeyPair::generate().expect("a key");
            params.self_signed(&key).expect("a certificate").der().clone()
        });
        let expires = earliest_expiry(&made).expect("three certificates");
        assert_eq!(Timestamp::from_second(expires).expect("in range").to_string(), "2027-01-01T00:00:00Z");
        assert!(is_self_signed(&made[0]));
        assert_eq!(earliest_expiry(&[CertificateDer::from(vec![1, 2, 3])]), None);
        let later = Timestamp::from_second(expires + 5).expect("in range");
        assert!((seconds_left(expires, later) + 5.0).abs() < f64::EPSILON);
    }
}
