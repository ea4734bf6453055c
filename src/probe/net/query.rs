//! One DNS question to one of some servers, without a cache and with the answer as it came: by UDP, twice
//! each, and by TCP where the answer is too long for that.

use crate::outcome::{Class, Fault};
use crate::probe::net::connect::is_own_trouble;
use hickory_resolver::proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

/// What fits through every network without being cut up (DNS flag day 2020).
const PAYLOAD_MAX: u16 = 1232;
/// A server is asked so often by UDP, as datagrams get lost.
const ATTEMPTS: u32 = 2;
const PATIENCE_MAX: Duration = Duration::from_secs(2);
const PATIENCE_MIN: Duration = Duration::from_millis(50);

/// Why a server gave no answer that can be used.
enum Failure {
    Silence,
    /// Something came, and it was no answer to this question.
    Nonsense,
    Io(io::Error),
    Refused(ResponseCode),
}

/// The first answer of one of the servers, which take turns. `remaining` bounds it all.
pub async fn ask(
    servers: &[SocketAddr],
    name: &Name,
    record: RecordType,
    remaining: Duration,
) -> Result<(SocketAddr, Message), Fault> {
    let turns = ATTEMPTS * u32::try_from(servers.len()).unwrap_or(u32::MAX).max(1) + 1;
    let patience = (remaining / turns).clamp(PATIENCE_MIN, PATIENCE_MAX);
    let mut failures: Vec<_> = servers.iter().map(|server| (*server, Failure::Silence)).collect();
    for attempt in 0..ATTEMPTS {
        for (server, failure) in failures.iter_mut().filter(|(_, failure)| failure.may_pass()) {
            // Old servers and some firewalls don't know the extension; the last attempt does without.
            let query = question(name, record, attempt + 1 < ATTEMPTS);
            match ask_once(*server, &query, patience).await {
                Ok(answer) => return Ok((*server, answer)),
                Err(Failure::Silence) => {}
                Err(other) => *failure = other,
            }
        }
    }
    Err(fault(name, &failures))
}

async fn ask_once(server: SocketAddr, query: &Message, patience: Duration) -> Result<Message, Failure> {
    let mut answer = timeout(patience, by_udp(server, query)).await??;
    if answer.metadata.truncation {
        answer = timeout(patience, by_tcp(server, query)).await??;
    }
    match answer.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => Ok(answer),
        code => Err(Failure::Refused(code)),
    }
}

fn question(name: &Name, record: RecordType, extended: bool) -> Message {
    let mut query = Message::query();
    query.metadata.recursion_desired = true;
    query.add_query(Query::query(name.clone(), record));
    if extended {
        let mut edns = Edns::new();
        edns.set_max_payload(PAYLOAD_MAX);
        query.set_edns(edns);
    }
    query
}

async fn by_udp(server: SocketAddr, query: &Message) -> Result<Message, Failure> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    // Takes datagrams of this server only, and hears when nobody listens there.
    socket.connect(server).await?;
    socket.send(&encode(query)?).await?;
    let mut buffer = vec![0; 4096];
    let length = socket.recv(&mut buffer).await?;
    decode(&buffer[..length], query)
}

async fn by_tcp(server: SocketAddr, query: &Message) -> Result<Message, Failure> {
    let mut stream = TcpStream::connect(server).await?;
    let message = encode(query)?;
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], &message].concat()).await?;
    let length = stream.read_u16().await?;
    let mut buffer = vec![0; usize::from(length)];
    stream.read_exact(&mut buffer).await?;
    decode(&buffer, query)
}

fn encode(query: &Message) -> Result<Vec<u8>, Failure> {
    query.to_vec().map_err(|error| Failure::Io(io::Error::other(error)))
}

fn decode(bytes: &[u8], query: &Message) -> Result<Message, Failure> {
    let answer = Message::from_vec(bytes).map_err(|_| Failure::Nonsense)?;
    let fits = answer.metadata.id == query.metadata.id
        && answer.metadata.message_type == MessageType::Response
        // A server that can't read the question may leave it out.
        && (answer.queries.is_empty() || answer.queries == query.queries);
    if fits { Ok(answer) } else { Err(Failure::Nonsense) }
}

impl Failure {
    /// Whether asking once more can help.
    fn may_pass(&self) -> bool {
        match self {
            Failure::Silence | Failure::Nonsense | Failure::Io(_) => true,
            Failure::Refused(code) => matches!(code, ResponseCode::FormErr | ResponseCode::NotImp),
        }
    }
}

impl From<Elapsed> for Failure {
    fn from(_: Elapsed) -> Failure {
        Failure::Silence
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Io(error)
    }
}

fn fault(name: &Name, failures: &[(SocketAddr, Failure)]) -> Fault {
    let all = |of: fn(&Failure) -> bool| failures.iter().all(|(_, failure)| of(failure));
    let class = match () {
        () if all(|failure| matches!(failure, Failure::Io(error) if is_own_trouble(error))) => {
            Class::Internal
        }
        () if all(|failure| matches!(failure, Failure::Silence)) => Class::Timeout,
        () if all(|failure| matches!(failure, Failure::Io(_))) => Class::Connect,
        () if all(|failure| matches!(failure, Failure::Nonsense)) => Class::Protocol,
        () => Class::Dns,
    };
    let said: Vec<String> = failures.iter().map(|(server, failure)| words(*server, failure)).collect();
    Fault::failed(class, format!("`{}`: {}", plain(name), said.join("; ")))
}

fn words(server: SocketAddr, failure: &Failure) -> String {
    match failure {
        Failure::Silence => format!("{server} does not answer"),
        Failure::Nonsense => format!("{server} sends something that is no answer to the question"),
        Failure::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            format!("nothing listens at {server}")
        }
        Failure::Io(error) => format!("{server}: {error}"),
        Failure::Refused(code) => format!("{server} answers {}", code_word(*code)),
    }
}

/// The word by which administrators know a code.
fn code_word(code: ResponseCode) -> String {
    match code {
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        other => format!("code {}", u16::from(other)),
    }
}

/// A name as people write it, without the dot of the root at its end.
pub fn plain(name: &Name) -> String {
    let text = name.to_ascii();
    if text == "." { text } else { text.trim_end_matches('.').to_owned() }
}
