//! `[http]`: who may ask for what, and the certificate with which it is served.
//!
//! The token is hashed as soon as it is read, so nothing that runs can give it away. A plain SHA-256 is enough: a
//! token is drawn at random from so many that nobody goes through them, which is what a slow hash is for where
//! people choose passwords.

use super::definition::HttpTable;
use super::fault::{Fault, Source};
use super::ingest::Ingest;
use super::read;
use super::text::{Text, Unresolved, Variables};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::ExposeSecret;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use toml::Spanned;
use toml::de::DeValue;

/// Fewer characters are a word that somebody thought of.
const TOKEN_LENGTH_MIN: usize = 16;
const HASH_MARK: &str = "sha256:";
const HASH_BYTES: usize = 32;

/// What `[http]` says beside the address; all of it takes effect at a reload, but for TLS being there at all.
#[derive(Debug, Clone, Default)]
pub struct Http {
    /// What an operator presents; none: made anew at each start.
    pub token: Option<Digest>,
    /// The names, in lowercase, under which it is reached beside those of this machine.
    pub hosts: Vec<String>,
    /// `hosts` is given: any other name is refused.
    pub only_hosts: bool,
    /// Those who look at it do so over TLS, whoever ends it.
    pub https: bool,
    /// Callers on this machine read without a token.
    pub open_to_loopback: bool,
    pub tls: Option<Tls>,
    /// Who may send what.
    pub ingest: Ingest,
}

impl Http {
    /// Takes in under which address people are told to look.
    pub(super) fn reached_at(&mut self, url: Option<&str>) {
        let Some(url) = url.and_then(|url| url::Url::parse(url).ok()) else { return };
        self.https |= url.scheme() == "https";
        self.hosts.extend(url.host_str().map(str::to_lowercase));
    }
}

/// The SHA-256 of a token. It is compared in constant time only; there is no `==` for it, and it can't be printed.
#[derive(Clone)]
pub struct Digest([u8; HASH_BYTES]);

impl Digest {
    pub fn of(token: &str) -> Digest {
        Digest(Sha256::digest(token.as_bytes()).into())
    }

    /// Whether both are of the same token.
    pub fn is(&self, other: &Digest) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// As it may stand in a definition.
    pub fn text(&self) -> String {
        format!("{HASH_MARK}{}", hex(&self.0))
    }

    fn from_hex(hex: &str) -> Option<Digest> {
        let digits = hex.len() == 2 * HASH_BYTES && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut bytes = [0; HASH_BYTES];
        for (byte, at) in bytes.iter_mut().zip((0..hex.len()).step_by(2)) {
            *byte = u8::from_str_radix(hex.get(at..at + 2).filter(|_| digits)?, 16).ok()?;
        }
        digits.then_some(Digest(bytes))
    }
}

/// Two digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to memory can't fail");
        text
    })
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digest")
    }
}

/// The files of the certificate with its chain, and of its key, both in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Which of the two files is wrong, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongPair {
    pub key: &'static str,
    pub why: String,
}

impl Tls {
    /// Reads the pair by `read`, and holds one against the other.
    pub fn pair(
        &self,
        read: impl Fn(&Path) -> std::io::Result<String>,
    ) -> Result<Arc<CertifiedKey>, WrongPair> {
        let wrong = |key, why| WrongPair { key, why };
        let text = |key, path: &Path| {
            read(path).map_err(|error| wrong(key, format!("can't read `{}`: {error}", path.display())))
        };
        let (certificate, private) = (text("certificate", &self.certificate)?, text("key", &self.key)?);
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(|| {
            wrong("certificate", format!("`{}` holds no certificate in PEM", self.certificate.display()))
        })?;
        let private = PrivateKeyDer::from_pem_slice(private.as_bytes())
            .map_err(|_| wrong("key", format!("`{}` holds no private key in PEM", self.key.display())))?;
        let provider = rustls::crypto::ring::default_provider();
        CertifiedKey::from_der(chain, private, &provider).map(Arc::new).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                wrong("key", format!("`{}` is not the key of the certificate", self.key.display()))
            }
            error => wrong("certificate", format!("the certificate can't be served: {error}")),
        })
    }
}

/// Reads `[http]` but for the address.
pub(super) struct Reader<'a> {
    pub variables: &'a Variables,
    pub source: &'a Source,
    pub table: &'a Spanned<DeValue<'a>>,
    pub faults: &'a mut Vec<Fault>,
}

impl Reader<'_> {
    pub fn read(&mut self, raw: &HttpTable) -> Http {
        let mut http = Http { open_to_loopback: raw.open_to_loopback.unwrap_or(true), ..Http::default() };
        http.token = raw.token.as_ref().and_then(|text| self.token(text));
        http.only_hosts = raw.hosts.is_some();
        for text in raw.hosts.iter().flatten() {
            http.hosts.extend(self.host(text));
        }
        http.tls = self.tls(raw);
        http.https = http.tls.is_some();
        http
    }

    fn fault(&mut self, key: &str, text: String, hint: Option<&str>) {
        let place = self.source.place(read::offset_of(self.table, &format!("http.{key}")));
        self.faults.push(Fault { place, text, hint: hint.map(str::to_owned) });
    }

    fn token(&mut self, text: &Text) -> Option<Digest> {
        token("token", text, self.variables).unwrap_or_else(|(text, hint)| {
            self.fault("token", text, Some(hint));
            None
        })
    }

    fn host(&mut self, text: &Text) -> Option<String> {
        let name = text.resolve(self.variables).ok()?.expose_secret().trim_end_matches('.').to_lowercase();
        let valid = !name.is_empty()
            && name.len() <= 253
            && name.split('.').all(|label| {
                let edge = label.starts_with('-') || label.ends_with('-');
                let known = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
                !label.is_empty() && !edge && label.chars().all(known)
            });
        if !valid {
            let text = format!("`hosts`: `{}` is no name of a host", text.raw());
            self.fault("hosts", text, Some("write the name alone: \"status.shop.example\""));
        }
        valid.then_some(name)
    }

    /// Relative to the agent's file, as the store is.
    fn tls(&mut self, raw: &HttpTable) -> Option<Tls> {
        let (certificate, key) = match (&raw.certificate, &raw.key) {
            (Some(certificate), Some(key)) => (certificate, key),
            (None, None) => return None,
            (given, _) => {
                let (there, wanted) =
                    if given.is_some() { ("certificate", "key") } else { ("key", "certificate") };
                self.fault(there, format!("`{there}` needs `{wanted}` beside it"), None);
                return None;
            }
        };
        let tls = Tls { certificate: self.path("certificate", certificate)?, key: self.path("key", key)? };
        match tls.pair(|path| self.variables.read_file(path)) {
            Ok(_) => Some(tls),
            Err(WrongPair { key, why }) => {
                self.fault(key, format!("`{key}`: {why}"), None);
                None
            }
        }
    }

    /// A variable that is not set must not leave a server without the TLS that was meant.
    fn path(&mut self, key: &str, text: &Text) -> Option<PathBuf> {
        let beside = Path::new(&*self.source.file).parent().unwrap_or(Path::new("")).to_owned();
        match text.resolve(self.variables) {
            Ok(path) if !path.expose_secret().is_empty() => Some(beside.join(path.expose_secret())),
            _ => {
                let text = format!("`{key}`: `{}` names no file: a variable in it is not set", text.raw());
                self.fault(key, text, None);
                None
            }
        }
    }
}

/// What is presented under `key`, hashed; a fault and the way out where it can be guessed. One that a variable should give
/// and does not is none; a file that can't be read is a fault.
pub(super) fn token(
    key: &str,
    text: &Text,
    variables: &Variables,
) -> Result<Option<Digest>, (String, &'static str)> {
    let token = match text.resolve(variables) {
        Ok(token) => token,
        Err(missing) => {
            let hint = "let the agent's user read it";
            return Unresolved::unreadable(&missing, key).map_or(Ok(None), |text| Err((text, hint)));
        }
    };
    let token = token.expose_secret().trim();
    if token.is_empty() {
        return Ok(None);
    }
    if let Some(hex) = token.strip_prefix(HASH_MARK) {
        return Digest::from_hex(hex).map(Some).ok_or_else(|| {
            let text = format!("`{key}`: what follows `{HASH_MARK}` is no SHA-256 of 64 hexadecimal digits");
            (text, "`atalaya token` makes a token and its hash")
        });
    }
    let length = token.chars().count();
    if length < TOKEN_LENGTH_MIN {
        let text = format!("`{key}` has {length} characters; {TOKEN_LENGTH_MIN} is the least");
        return Err((text, "`atalaya token` makes one that nobody guesses"));
    }
    Ok(Some(Digest::of(token)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Files, load};
    use crate::probe::net::Net;

    const TOKEN: &str = "correct-horse-battery";
    /// What `printf %s correct-horse-battery | sha256sum` prints.
    const HASH: &str = "62249369389075490555a758353aec61500c6218fa597252d52dc4bd0148f12d";

    fn http(text: &str) -> Result<Http, Vec<String>> {
        let variables = Variables::new([("TOKEN", TOKEN), ("SHORT", "fifteen-letters")], |_| {
            Err(std::io::Error::from(std::io::ErrorKind::NotFound))
        });
        let agent = Some(Source::new("conf/atalaya.toml", format!("[http]\n{text}")));
        let plan =
            load(&Files { agent, ..Files::default() }, &variables, &Arc::new(Net::new().expect("a net")));
        plan.map(|plan| (*plan.http).clone())
            .map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(http(text).map(|_| ()), Err(vec![expected.to_owned()]), "{text}");
    }

    #[test]
    fn a_token_or_its_hash_is_known_by_its_hash() {
        for token in [
            "'${TOKEN}'",
            &format!("'{TOKEN}'"),
            &format!("'{HASH_MARK}{HASH}'"),
            &format!("'{HASH_MARK}{}'", HASH.to_uppercase()),
        ] {
            let http = http(&format!("token = {token}")).expect("valid");
            let digest = http.token.as_ref().expect("a token");
            assert!(digest.is(&Digest::of(TOKEN)) && !digest.is(&Digest::of("another")), "{token}");
            let shown = format!("{http:?}");
            assert!(!shown.contains(TOKEN) && !shown.to_lowercase().contains(HASH), "{shown}");
        }
        for none in ["", "token = ''", "token = '${NOT_SET}'"] {
            assert!(http(none).expect("valid").token.is_none(), "{none}");
        }
    }

    #[test]
    fn what_can_be_guessed_is_no_token() {
        let hint = "\n  hint: `atalaya token` makes one that nobody guesses";
        let short = format!("conf/atalaya.toml:2:9: `token` has 15 characters; 16 is the least{hint}");
        check("token = '${SHORT}'", &short);
        let hint = "\n  hint: `atalaya token` makes a token and its hash";
        for hash in
            ["sha256:", "sha256:abc", &format!("sha256:{}", "g".repeat(64)), &format!("sha256:{HASH}0")]
        {
            let text = "conf/atalaya.toml:2:9: `token`: what follows `sha256:` is no SHA-256 of 64 hexadecimal digits";
            check(&format!("token = '{hash}'"), &format!("{text}{hint}"));
        }
    }

    #[test]
    fn hosts_are_names() {
        let http = http("hosts = ['Status.Shop.example.', 'a-b']").expect("valid");
        assert_eq!(
            (http.hosts.as_slice(), http.only_hosts),
            (&["status.shop.example".to_owned(), "a-b".to_owned()][..], true)
        );
        for wrong in ["https://a", "a:80", "a/b", "", "-a", "a..b", "*"] {
            let hint = "write the name alone: \"status.shop.example\"";
            let text =
                format!("conf/atalaya.toml:2:9: `hosts`: `{wrong}` is no name of a host\n  hint: {hint}");
            check(&format!("hosts = ['{wrong}']"), &text);
        }
    }

    #[test]
    fn a_certificate_comes_with_its_key() {
        check("certificate = 'a.pem'", "conf/atalaya.toml:2:15: `certificate` needs `key` beside it");
        check("key = 'a.pem'", "conf/atalaya.toml:2:7: `key` needs `certificate` beside it");
        check(
            "certificate = 'a.pem'\nkey = '/b.pem'",
            "conf/atalaya.toml:2:15: `certificate`: can't read `conf/a.pem`: entity not found",
        );
        check(
            "certificate = '${NOT_SET}'\nkey = 'b.pem'",
            "conf/atalaya.toml:2:15: `certificate`: `${NOT_SET}` names no file: a variable in it is not set",
        );
    }
}
