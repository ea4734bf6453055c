//! Targets in this process that take connections and do little.

use std::net::{SocketAddr, TcpListener};

/// A port that takes connections and never says a word. The kernel takes them; nobody accepts.
pub struct Silent(TcpListener);

impl Silent {
    pub fn start() -> Silent {
        Silent(TcpListener::bind("127.0.0.1:0").expect("a free port"))
    }

    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("an address")
    }
}
