//! `tcp`: whether a port takes connections, speaks TLS where it should, and greets as expected.

use super::expect::{Match, Pattern, Wanted};
use super::net::Net;
use super::net::connect::{self, is_own_trouble};
use super::net::stream::Stream;
use super::net::target::Target;
use super::net::tls::{self, Alpn, CERTIFICATE_EXPIRY, Peer, Tls};
use super::{Build, Context, Examine, Kind, MeasureInfo, Run};
use crate::config::text::Text;
use crate::config::value::Size;
use crate::outcome::{Class, Fault, Outcome};
use rustls_pki_types::ServerName;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A greeting is looked for in so much of what comes, and no further.
const READ_MAX: Size = Size::from_bytes(64 * 1024);

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tcp {
    /// `host:port`
    address: Text,
    /// Speak TLS, and how. `tls = {}` is enough.
    tls: Option<Tls>,
    /// What to send once connected, such as `"PING\r\n"`.
    send: Option<Text>,
    /// What must come from the other side.
    expect: Option<Banner>,
}

/// What must come. All that is given must hold of what was read together.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Banner {
    /// A text that must come.
    contains: Option<Text>,
    /// A regular expression that must match what comes.
    regex: Option<Pattern>,
}

struct Connect {
    net: Arc<Net>,
    target: Target,
    tls: Option<(tls::Client, ServerName<'static>)>,
    send: Option<SecretString>,
    expect: Option<Match>,
}

impl Kind for Tcp {
    fn name(&self) -> &'static str {
        "tcp"
    }

    fn measures(&self) -> &'static [MeasureInfo] {
        &[
            MeasureInfo { name: "response_bytes", help: "Bytes read until what came was as expected." },
            CERTIFICATE_EXPIRY,
        ]
    }

    fn may_yield(&self, measure: &str) -> bool {
        match measure {
            "response_bytes" => self.expect.is_some(),
            measure => measure == CERTIFICATE_EXPIRY.name && self.tls.is_some(),
        }
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Run>> {
        let target = build.text("address", &self.address).and_then(|address| {
            let shown = self.address.raw();
            let parsed = Target::parse(&address);
            parsed.map_err(|_| build.fault("address", format!("`{shown}` is not `host:port`"))).ok()
        });
        let tls = self.tls.as_ref().map(|table| tls::Client::build(build, Some(table), Alpn::None));
        let send = self.send.as_ref().map(|text| build.secret("send", text));
        let expect = self.expect.as_ref().map(|banner| banner.build(build));
        let target = target?;
        let tls = match whole(tls)? {
            None => None,
            Some(tls) => {
                let name = tls.server_name().cloned().map_or_else(|| target.server_name(), Ok);
                let name = name.map_err(|why| build.fault("address", why)).ok()?;
                Some((tls, name))
            }
        };
        Some(Box::new(Connect {
            net: build.net.clone(),
            target,
            tls,
            send: whole(send)?,
            expect: whole(expect)?,
        }))
    }
}

/// What was not asked for is whole as well.
#[allow(clippy::option_option, reason = "not asked for, asked for and broken, asked for and built")]
fn whole<T>(built: Option<Option<T>>) -> Option<Option<T>> {
    match built {
        None => Some(None),
        Some(built) => built.map(Some),
    }
}

impl Banner {
    fn build(&self, build: &mut Build<'_>) -> Option<Match> {
        if self.contains.is_none() && self.regex.is_none() {
            build.fault("expect", "nothing is expected here; say `contains` or `regex`");
            return None;
        }
        let contains = self.contains.as_ref().map(|text| Wanted::build(build, "expect.contains", text));
        Some(Match { equals: None, contains: whole(contains)?, regex: self.regex.clone() })
    }
}

impl Examine for Connect {
    async fn examine(&self, cx: &Context, outcome: &mut Outcome) -> Result<(), Fault> {
        let tcp = connect::connect(&self.net, cx, &self.target).await?;
        let mut stream = match &self.tls {
            None => Stream::Plain(tcp),
            Some((tls, name)) => {
                let peer = Peer { name, target: &self.target };
                Stream::Tls(Box::new(tls.handshake(cx, tcp, peer, outcome).await?.stream))
            }
        };
        if let Some(send) = &self.send {
            cx.phase("send");
            let sent = stream.write_all(send.expose_secret().as_bytes()).await;
            sent.map_err(|error| self.broken(&error, 0))?;
            stream.flush().await.map_err(|error| self.broken(&error, 0))?;
        }
        if let Some(expect) = &self.expect {
            cx.phase("banner");
            let length = self.read(&mut stream, expect).await?;
            outcome.measure("response_bytes", length as f64);
        }
        cx.phase_end();
        Ok(())
    }
}

impl Connect {
    /// Reads until what came is as expected; gives its length.
    async fn read(&self, stream: &mut Stream, expect: &Match) -> Result<usize, Fault> {
        let mut came = Vec::new();
        loop {
            let room = (READ_MAX.bytes() - came.len() as u64).min(4096);
            let read = (&mut *stream).take(room).read_buf(&mut came).await;
            let read = read.map_err(|error| self.broken(&error, came.len()))?;
            let Some(miss) = expect.miss(&came) else { return Ok(came.len()) };
            let length = came.len();
            if read == 0 {
                let text =
                    format!("{} closed the connection after {length} bytes; what came {miss}", self.target);
                let class = if length == 0 { Class::Connect } else { Class::Assertion };
                return Err(Fault::failed(class, text));
            }
            if length as u64 >= READ_MAX.bytes() {
                let text = format!("the first {READ_MAX} that {} sent: what came {miss}", self.target);
                return Err(Fault::failed(Class::Assertion, text));
            }
        }
    }

    fn broken(&self, error: &io::Error, length: usize) -> Fault {
        let target = &self.target;
        if is_own_trouble(error) {
            return Fault::internal(format!("{target}: {error}"));
        }
        if let Some(why) = tls::tls_error(error) {
            return Fault::failed(Class::Tls, tls::words(why, target));
        }
        let text = match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                format!("{target} reset the connection after {length} bytes")
            }
            _ => format!("{target}: {error} after {length} bytes"),
        };
        Fault::failed(Class::Connect, text)
    }
}
