//! A real name server with the records of a shop.

use super::server::{Start, directory, free_port, listens, start, wait_until};
use std::process::Child;
use std::sync::LazyLock;

/// `127.0.0.1:port` of the server, which knows the zone `shop.test` and nothing else.
pub fn address() -> String {
    format!("127.0.0.1:{}", SERVER.port)
}

struct Server {
    port: u16,
    _child: Child,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let (port, directory) = (free_port(), directory("dnsmasq"));
    let mut args: Vec<String> = [
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--pid-file=",
        "--user=",
        "--no-resolv",
        "--no-hosts",
        "--log-facility=-",
        "--listen-address=127.0.0.1",
        "--bind-interfaces",
        "--local=/shop.test/",
        "--local-ttl=300",
        "--host-record=shop.test,192.0.2.1,2001:db8::1",
        "--host-record=shop.test,192.0.2.2",
        "--cname=www.shop.test,shop.test",
        "--mx-host=shop.test,mail.shop.test,10",
        "--txt-record=shop.test,v=spf1 -all",
        "--srv-host=_db._tcp.shop.test,db.shop.test,5432,1,2",
        "--caa-record=shop.test,0,issue,letsencrypt.org",
        "--ptr-record=1.2.0.192.in-addr.arpa,shop.test",
    ]
    .map(str::to_owned)
    .to_vec();
    args.push(format!("--port={port}"));
    // Together more than fits into a datagram.
    args.extend((0..20).map(|at| format!("--txt-record=long.shop.test,{at} {}", "x".repeat(200))));
    let child = start(Start {
        program: "/usr/sbin/dnsmasq",
        args,
        user: None,
        directory: &directory,
        environment: Vec::new(),
    });
    wait_until("dnsmasq", Some(&directory.join("dnsmasq.log")), || listens(port));
    Server { port, _child: child }
});
