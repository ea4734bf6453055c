//! A TCP connection to one of a target's addresses, tried in turn: the next one starts when the one
//! before has failed or has said nothing for a while (RFC 8305), and all that were tried are named.

use super::Net;
use super::target::{Host, Target};
use crate::outcome::{Class, Fault};
use crate::probe::Context;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;

/// The pause between two attempts that RFC 8305 recommends.
const NEXT_AFTER: Duration = Duration::from_millis(250);
/// A name with more addresses is not tried to the end: the reason must stay readable.
const ADDRESSES_MAX: usize = 8;

/// The part of what is left until the deadline that may go into connecting.
const SHARE: f64 = 0.95;

type Failure = (SocketAddr, io::Error);

/// Connects, with the phases `resolve` (names only) and `connect`.
pub async fn connect(net: &Net, cx: &Context, target: &Target) -> Result<TcpStream, Fault> {
    match &target.host {
        Host::Ip(ip) => {
            cx.phase("connect");
            let address = SocketAddr::new(*ip, target.port);
            TcpStream::connect(address).await.map_err(|error| fault(None, &[(address, error)]))
        }
        Host::Name(name) => {
            cx.phase("resolve");
            let addresses = net.resolver.addresses(cx, name).await?;
            cx.phase("connect");
            race(addresses, target.port, cx).await.map_err(|failures| fault(Some(name), &failures))
        }
    }
}

/// Ends a little before the deadline, so that the reason can name what was tried.
async fn race(addresses: Vec<IpAddr>, port: u16, cx: &Context) -> Result<TcpStream, Vec<Failure>> {
    let mut waiting = addresses.into_iter().take(ADDRESSES_MAX).map(|ip| SocketAddr::new(ip, port));
    let mut trying = FuturesUnordered::new();
    let (mut tried, mut failures) = (Vec::new(), Vec::<Failure>::new());
    let end = tokio::time::sleep(cx.remaining().mul_f64(SHARE));
    tokio::pin!(end);
    loop {
        if let Some(address) = waiting.next() {
            tried.push(address);
            trying.push(async move { TcpStream::connect(address).await.map_err(|error| (address, error)) });
        } else if trying.is_empty() {
            return Err(failures);
        }
        let more = waiting.len() > 0;
        tokio::select! {
            Some(result) = trying.next() => match result {
                Ok(stream) => return Ok(stream),
                Err(failure) => failures.push(failure),
            },
            () = tokio::time::sleep(NEXT_AFTER), if more => {}
            () = &mut end => {
                tried.retain(|address| failures.iter().all(|(failed, _)| failed != address));
                failures.extend(tried.into_iter().map(|address| (address, io::ErrorKind::TimedOut.into())));
                return Err(failures);
            }
        }
    }
}

fn fault(name: Option<&str>, failures: &[Failure]) -> Fault {
    let all = |of: fn(&io::Error) -> bool| failures.iter().all(|(_, error)| of(error));
    let class = match () {
        () if all(is_own_trouble) => Class::Internal,
        () if all(|error| error.kind() == io::ErrorKind::TimedOut) => Class::Timeout,
        () => Class::Connect,
    };
    let tried: Vec<String> = failures.iter().map(|(address, error)| words(*address, error)).collect();
    let tried = tried.join("; ");
    Fault::failed(class, name.map_or_else(|| tried.clone(), |name| format!("`{name}`: {tried}")))
}

fn words(address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("{address} refused the connection"),
        io::ErrorKind::ConnectionReset => format!("{address} reset the connection"),
        io::ErrorKind::TimedOut => format!("{address} did not answer"),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            format!("{address} can't be reached from here: {error}")
        }
        _ => format!("{address}: {error}"),
    }
}

/// Whether the agent ran out of something of its own, which says nothing about the target.
pub fn is_own_trouble(error: &io::Error) -> bool {
    use nix::errno::Errno;
    let own = [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM, Errno::EADDRNOTAVAIL];
    error.raw_os_error().is_some_and(|code| own.contains(&Errno::from_raw(code)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Status;
    use tokio::net::{TcpListener, TcpSocket};
    use tokio::time::timeout;

    fn check(name: Option<&str>, failures: &[(&str, i32)], status: Status, text: &str) {
        let failures: Vec<Failure> = failures
            .iter()
            .map(|(address, code)| {
                (address.parse().expect("an address"), io::Error::from_raw_os_error(*code))
            })
            .collect();
        let fault = fault(name, &failures);
        assert_eq!((fault.status, fault.text.as_str()), (status, text));
    }

    #[test]
    fn all_that_was_tried_is_named() {
        let refused = nix::libc::ECONNREFUSED;
        check(None, &[("127.0.0.1:1", refused)], Status::Failed, "127.0.0.1:1 refused the connection");
        check(
            Some("shop"),
            &[("[::1]:1", refused), ("127.0.0.1:1", nix::libc::ETIMEDOUT)],
            Status::Failed,
            "`shop`: [::1]:1 refused the connection; 127.0.0.1:1 did not answer",
        );
    }

    #[test]
    fn running_out_of_descriptors_says_nothing_about_the_target() {
        check(
            None,
            &[("127.0.0.1:1", nix::libc::EMFILE)],
            Status::Unknown,
            "127.0.0.1:1: Too many open files (os error 24)",
        );
    }

    fn context(timeout: Duration) -> Context {
        Context::new(jiff::Timestamp::UNIX_EPOCH, timeout)
    }

    #[tokio::test]
    async fn an_address_that_refuses_gives_way_to_the_next() {
        let cx = context(Duration::from_secs(5));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let addresses = ["::1", "127.0.0.1"].map(|one| one.parse().expect("an address"));
        let stream = race(addresses.to_vec(), port, &cx).await.expect("the second address listens");
        assert_eq!(stream.peer_addr().expect("a peer").port(), port);
        drop(listener);
        let failures = race(addresses.to_vec(), port, &cx).await.expect_err("nobody listens now");
        assert_eq!(failures.len(), 2);
    }

    /// A port whose queue is full, so that the kernel drops whoever comes: a black hole.
    async fn black_hole() -> (TcpListener, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.2:0".parse().expect("an address")).expect("a port");
        let listener = socket.listen(1).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let mut queue = Vec::new();
        while let Ok(stream) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
            queue.push(stream.expect("a connection"));
        }
        (listener, queue)
    }

    #[tokio::test]
    async fn an_address_that_is_silent_gives_way_and_is_named() {
        let (hole, _queue) = black_hole().await;
        let port = hole.local_addr().expect("an address").port();
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the same port elsewhere");
        let addresses = ["127.0.0.2", "127.0.0.1"].map(|one| one.parse().expect("an address"));
        let stream = race(addresses.to_vec(), port, &context(Duration::from_secs(5))).await;
        let peer = stream.expect("the second address listens").peer_addr().expect("a peer");
        assert_eq!(peer, listener.local_addr().expect("an address"));
        drop(listener);
        let failures = race(addresses.to_vec(), port, &context(Duration::from_secs(1))).await;
        let fault = fault(Some("shop"), &failures.expect_err("nobody answers now"));
        let text =
            format!("`shop`: 127.0.0.1:{port} refused the connection; 127.0.0.2:{port} did not answer");
        assert_eq!((fault.class, fault.text), (Class::Connect, text));
    }
}
