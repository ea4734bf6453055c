//! Names to addresses, as this machine is told to find them: `/etc/hosts` first, then the name servers of
//! `/etc/resolv.conf` with its search list. Answers are never kept, so that the phase `resolve` is honest;
//! the two files are read again when they change, as an agent outlives a change of networks.

use crate::clock;
use crate::outcome::{Class, Fault};
use hickory_resolver::config::{
    LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts, ServerOrderingStrategy,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, TokioResolver, system_conf};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// One server's answer is waited for so long, and then it is asked once more.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked whether the system's files have changed.
const FRESH: Duration = Duration::from_secs(5);
const FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

/// Names to addresses.
pub struct Resolver {
    state: Mutex<Option<State>>,
}

struct State {
    looked: Instant,
    changed: [Option<SystemTime>; 2],
    system: Result<Arc<System>, String>,
}

/// What the system's files said when they were last read.
pub struct System {
    resolver: TokioResolver,
    hosts: Hosts,
    servers: Vec<SocketAddr>,
}

impl Resolver {
    #[allow(clippy::new_without_default, reason = "nothing about a resolver is a default")]
    pub fn new() -> Resolver {
        Resolver { state: Mutex::new(None) }
    }

    /// All addresses of a name, IPv6 and IPv4 in turn. At least one.
    pub async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Fault> {
        let system = self.system()?;
        let found = system.hosts_file(name);
        if !found.is_empty() {
            return Ok(interleave(found));
        }
        let found = system.resolver.lookup_ip(name).await.map_err(|error| fault(name, &error))?;
        let found: Vec<IpAddr> = found.iter().collect();
        if found.is_empty() {
            return Err(no_address(name));
        }
        Ok(interleave(found))
    }

    /// The name servers of this machine, in their order.
    pub fn servers(&self) -> Result<Vec<SocketAddr>, Fault> {
        Ok(self.system()?.servers.clone())
    }

    fn system(&self) -> Result<Arc<System>, Fault> {
        let now = clock::instant();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = state.as_ref().is_some_and(|state| now.duration_since(state.looked) < FRESH);
        if !fresh {
            let changed = FILES.map(|file| std::fs::metadata(file).and_then(|about| about.modified()).ok());
            match state.as_mut().filter(|state| state.changed == changed) {
                Some(state) => state.looked = now,
                None => *state = Some(State { looked: now, changed, system: System::read().map(Arc::new) }),
            }
        }
        let system = state.as_ref().map(|state| state.system.clone());
        system.unwrap_or_else(|| Err("nothing was read".to_owned())).map_err(|why| {
            Fault::internal(format!("can't set up the resolver of names from {}: {why}", FILES[0]))
        })
    }
}

impl System {
    fn read() -> Result<System, String> {
        // Without a readable file or without a server in it, the C library asks the machine itself.
        let (config, options) = system_conf::read_system_conf().unwrap_or_else(|_| {
            let itself = NameServerConfig::udp_and_tcp(IpAddr::V4(Ipv4Addr::LOCALHOST));
            (ResolverConfig::from_name_servers(vec![itself]), ResolverOpts::default())
        });
        let servers = config
            .name_servers()
            .iter()
            .map(|server| SocketAddr::new(server.ip, server.connections.first().map_or(53, |one| one.port)))
            .collect();
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = bounded(options);
        let resolver = builder.build().map_err(|error| error.to_string())?;
        Ok(System { resolver, hosts: Hosts::from_system().unwrap_or_default(), servers })
    }

    /// The system's file says all about a name that it names, as with the C library: the name servers
    /// aren't asked for the other family.
    fn hosts_file(&self, name: &str) -> Vec<IpAddr> {
        let Ok(name) = Name::from_str(name) else { return Vec::new() };
        [RecordType::A, RecordType::AAAA]
            .into_iter()
            .filter_map(|family| self.hosts.lookup_static_host(&Query::query(name.clone(), family)))
            .flat_map(|found| found.answers().iter().filter_map(|one| one.data.ip_addr()).collect::<Vec<_>>())
            .collect()
    }
}

fn bounded(system: ResolverOpts) -> ResolverOpts {
    let mut options = system;
    options.timeout = options.timeout.min(PATIENCE);
    options.attempts = 1;
    options.cache_size = 0;
    options.positive_max_ttl = Some(Duration::ZERO);
    options.negative_max_ttl = Some(Duration::ZERO);
    options.use_hosts_file = ResolveHosts::Never;
    options.ip_strategy = LookupIpStrategy::Ipv6AndIpv4;
    options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
    options.num_concurrent_reqs = 1;
    options
}

/// IPv6 and IPv4 in turn, so that one broken family costs one attempt, not all of them.
fn interleave(found: Vec<IpAddr>) -> Vec<IpAddr> {
    let (v6, v4): (Vec<IpAddr>, Vec<IpAddr>) = found.into_iter().partition(IpAddr::is_ipv6);
    let longer = v6.len().max(v4.len());
    (0..longer).flat_map(|at| [v6.get(at), v4.get(at)]).flatten().copied().collect()
}

fn no_address(name: &str) -> Fault {
    Fault::failed(Class::Dns, format!("the name `{name}` exists and has no address (no A or AAAA record)"))
}

fn fault(name: &str, error: &NetError) -> Fault {
    let text = match error {
        error if error.is_nx_domain() => format!("the name `{name}` does not exist (NXDOMAIN)"),
        NetError::Dns(DnsError::NoRecordsFound(none)) if none.response_code == ResponseCode::NoError => {
            return no_address(name);
        }
        NetError::Dns(DnsError::NoRecordsFound(none)) => answered(name, none.response_code),
        NetError::Dns(DnsError::ResponseCode(code)) => answered(name, *code),
        NetError::Timeout => format!("no answer from the name servers for `{name}`"),
        NetError::NoConnections => format!("no name server can be reached for `{name}`"),
        NetError::Io(error) => format!("no name server can be reached for `{name}`: {error}"),
        error => format!("the name servers' answer for `{name}` makes no sense: {error}"),
    };
    Fault::failed(Class::Dns, text)
}

fn answered(name: &str, code: ResponseCode) -> String {
    format!("the name servers can't say what `{name}` is ({})", code_word(code))
}

/// The word by which administrators know a code.
pub fn code_word(code: ResponseCode) -> String {
    match code {
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::NXDomain => "NXDOMAIN".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        other => format!("code {}", u16::from(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_resolver::net::NoRecords;

    #[test]
    fn families_take_turns() {
        let addresses = ["1.1.1.1", "2.2.2.2", "::1", "3.3.3.3"].map(|one| one.parse().expect("an address"));
        let order: Vec<_> = interleave(addresses.to_vec()).iter().map(IpAddr::to_string).collect();
        assert_eq!(order, ["::1", "1.1.1.1", "2.2.2.2", "3.3.3.3"]);
    }

    fn check(error: NetError, text: &str) {
        let fault = fault("shop.example", &error);
        assert_eq!((fault.class, fault.text.as_str()), (Class::Dns, text));
    }

    #[test]
    fn each_way_to_have_no_address_has_its_words() {
        let none = |code| NetError::from(NoRecords::new(Query::new(), code));
        check(none(ResponseCode::NXDomain), "the name `shop.example` does not exist (NXDOMAIN)");
        check(
            none(ResponseCode::NoError),
            "the name `shop.example` exists and has no address (no A or AAAA record)",
        );
        check(
            NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail)),
            "the name servers can't say what `shop.example` is (SERVFAIL)",
        );
        check(NetError::Timeout, "no answer from the name servers for `shop.example`");
    }

    #[test]
    fn this_machine_knows_itself_without_a_name_server() {
        let system = System::read().expect("a resolver");
        assert!(system.hosts_file("localhost").contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert!(system.hosts_file("shop.invalid").is_empty());
    }
}
