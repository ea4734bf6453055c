//! From nothing to a connection on which a message can be sent: TCP, TLS, greeting, log-in.

use super::trouble::{Hidden, Trouble};
use super::wire::Wire;
use crate::outcome::Outcome;
use crate::probe::Context;
use crate::probe::net::Net;
use crate::probe::net::connect::connect;
use crate::probe::net::stream::Stream;
use crate::probe::net::target::Target;
use crate::probe::net::tls::{Client, Peer};
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use rustls_pki_types::ServerName;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A server with more to say before TLS says too much.
const REPLY_LINES_MAX: usize = 100;

/// The mail server of a channel.
pub struct Server {
    pub net: Arc<Net>,
    pub target: Target,
    /// The name that its certificate must carry; known wherever there is TLS.
    pub name: Option<ServerName<'static>>,
    pub security: Security,
    pub credentials: Option<Credentials>,
}

/// How a connection is protected.
pub enum Security {
    None,
    Starttls(Client),
    Implicit(Client),
}

impl Server {
    /// Phases `resolve`, `connect`, `tls`, `greeting`, `starttls`, `login`.
    pub async fn open(&self, cx: &Context, hidden: &Hidden) -> Result<AsyncSmtpConnection, Trouble> {
        let tcp = connect(&self.net, cx, &self.target).await?;
        let broken = |error: io::Error| Trouble::later(format!("the connection to the mail server: {error}"));
        let (own, peer) = (tcp.local_addr().map_err(broken)?, tcp.peer_addr().map_err(broken)?);
        tcp.set_nodelay(true).map_err(broken)?;
        let hello = own_name(own);
        let wire = match &self.security {
            Security::None => Wire::new(Stream::Plain(tcp), peer),
            Security::Implicit(client) => Wire::new(self.handshake(cx, client, tcp).await?, peer),
            Security::Starttls(client) => {
                let tcp = start_tls(cx, tcp, peer, &hello).await?;
                Wire::greeted(self.handshake(cx, client, tcp).await?, peer)
            }
        };
        cx.phase("greeting");
        let mut connection = AsyncSmtpConnection::connect_with_transport(Box::new(wire), &hello)
            .await
            .map_err(|error| hidden.trouble("the connection", &error))?;
        if let Some(credentials) = &self.credentials {
            cx.phase("login");
            let info = connection.server_info();
            if info.get_auth_mechanism(DEFAULT_MECHANISMS).is_none() {
                return Err(Trouble::never(
                    "the mail server offers no log-in with a password (PLAIN or LOGIN); leave `user` and `password` empty or use another port",
                ));
            }
            let answer = connection.auth(DEFAULT_MECHANISMS, credentials).await;
            answer.map_err(|error| hidden.trouble("the log-in", &error))?;
        }
        cx.phase_end();
        Ok(connection)
    }

    async fn handshake(&self, cx: &Context, client: &Client, tcp: TcpStream) -> Result<Stream, Trouble> {
        let Some(name) = &self.name else {
            return Err(Trouble::never("the host is not a name that a certificate can carry"));
        };
        let peer = Peer { name, target: &self.target };
        let secured = client.handshake(cx, tcp, peer, &mut Outcome::ok()).await?;
        Ok(Stream::Tls(Box::new(secured.stream)))
    }
}

/// The part of the dialogue that is held in clear, up to where TLS begins. By hand, since whatever came with the
/// answer to STARTTLS was not protected and must not be taken for an answer to what is said afterwards.
async fn start_tls(
    cx: &Context,
    tcp: TcpStream,
    peer: SocketAddr,
    hello: &ClientId,
) -> Result<TcpStream, Trouble> {
    cx.phase("greeting");
    let mut wire = BufReader::new(Wire::new(Stream::Plain(tcp), peer));
    expect(&mut wire, "220").await?;
    say(&mut wire, &format!("EHLO {hello}\r\n")).await?;
    let offers = expect(&mut wire, "250").await?;
    cx.phase("starttls");
    if !offers.iter().any(|offer| offer.trim().eq_ignore_ascii_case("STARTTLS")) {
        return Err(Trouble::later(
            "the mail server does not offer STARTTLS here; try `tls = \"implicit\"` with its port, usually 465",
        ));
    }
    say(&mut wire, "STARTTLS\r\n").await?;
    expect(&mut wire, "220").await?;
    if !wire.buffer().is_empty() {
        return Err(Trouble::later("something was said in clear after STARTTLS, as an intruder would"));
    }
    match wire.into_inner().stream {
        Stream::Plain(tcp) => Ok(tcp),
        Stream::Tls(_) => Err(Trouble::never("TLS had begun before STARTTLS; this is a bug in atalaya")),
    }
}

async fn say(wire: &mut BufReader<Wire>, command: &str) -> Result<(), Trouble> {
    let sent = async {
        wire.get_mut().write_all(command.as_bytes()).await?;
        wire.get_mut().flush().await
    };
    sent.await.map_err(|error| Trouble::broken(&error))
}

/// The lines of a reply whose code is `code`, without it. Others are told by their code: what was said in clear is
/// not worth more.
async fn expect(wire: &mut BufReader<Wire>, code: &str) -> Result<Vec<String>, Trouble> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        let length = wire.read_until(b'\n', &mut line).await.map_err(|error| Trouble::broken(&error))?;
        if length == 0 {
            return Err(Trouble::closed());
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let (given, rest) = (line.get(..3).unwrap_or(""), line.get(3..).unwrap_or(""));
        if given.len() != 3
            || !given.bytes().all(|byte| byte.is_ascii_digit())
            || lines.len() >= REPLY_LINES_MAX
        {
            return Err(Trouble::no_smtp());
        }
        let more = rest.starts_with('-');
        lines.push(rest.get(1..).unwrap_or("").to_owned());
        if more {
            continue;
        }
        if given == code {
            return Ok(lines);
        }
        return Err(Trouble::reply("the connection", given, &lines.join(" ")));
    }
}

/// Who greets: this machine's name where it is a full one, else its address, which servers take more gladly than
/// the name of a container.
fn own_name(own: SocketAddr) -> ClientId {
    match ClientId::default() {
        ClientId::Domain(name) if name.contains('.') && name.is_ascii() => ClientId::Domain(name),
        _ => match own.ip().to_canonical() {
            IpAddr::V4(ip) => ClientId::Ipv4(ip),
            IpAddr::V6(ip) => ClientId::Ipv6(ip),
        },
    }
}
