//! A port that can be closed and opened again, so that nobody else can have it meanwhile.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

type Serve = Arc<dyn Fn(TcpStream) + Send + Sync>;

/// Listens on a loopback address of its own: a port that is closed for a while is not given to another test.
pub struct Door {
    address: SocketAddr,
    serve: Serve,
    open: Mutex<Option<TcpListener>>,
}

impl Door {
    /// Open. Each connection is served in a thread of its own.
    pub fn new(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Door {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let of_process = 64 + (std::process::id() % 128) as u8;
        let ip = Ipv4Addr::new(127, of_process, (number / 250) as u8, (number % 250 + 1) as u8);
        let listener = listen(SocketAddr::from((ip, 0)));
        let address = listener.local_addr().expect("an address");
        let door = Door { address, serve: Arc::new(serve), open: Mutex::new(None) };
        door.listen(listener);
        door
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on connections are refused; those that are open stay.
    pub fn close(&self) {
        if let Some(listener) = self.open.lock().expect("the door").take() {
            // Ends the thread that accepts, and the listening, at once.
            socket2::SockRef::from(&listener).shutdown(std::net::Shutdown::Both).expect("it listens");
        }
    }

    pub fn open(&self) {
        if self.open.lock().expect("the door").is_none() {
            self.listen(listen(self.address));
        }
    }

    fn listen(&self, listener: TcpListener) {
        let accepting = listener.try_clone().expect("a socket");
        *self.open.lock().expect("the door") = Some(listener);
        let serve = self.serve.clone();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = accepting.accept() {
                let serve = serve.clone();
                std::thread::spawn(move || serve(stream));
            }
        });
    }
}

/// With room for hundreds that connect at once: a standard listener's room is a hundred or so, and who finds none tries
/// again after a second.
fn listen(address: SocketAddr) -> TcpListener {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("a socket");
    socket.bind(&address.into()).expect("an address of its own");
    socket.listen(4096).expect("a socket");
    socket.into()
}

impl Drop for Door {
    fn drop(&mut self) {
        self.close();
    }
}
