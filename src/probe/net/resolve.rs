//! Names to addresses, as this machine is told to find them: `/etc/hosts` first, then the name servers of
//! `/etc/resolv.conf` with its search list. Answers are never kept, so that the phase `resolve` is honest,
//! and all that was begun ends with the run. The two files are read again when they change, as an agent
//! outlives a change of networks.

use super::query;
use crate::clock;
use crate::outcome::{Class, Fault};
use crate::probe::Context;
use hickory_resolver::config::ResolverOpts;
use hickory_resolver::proto::op::{Message, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, system_conf};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// How often it is looked whether the system's files have changed.
const FRESH: Duration = Duration::from_secs(5);
const FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];
/// The C library asks no more of them either.
const SERVERS_MAX: usize = 3;
const SEARCH_MAX: usize = 6;

/// Names to addresses.
pub struct Resolver {
    state: Mutex<Option<State>>,
}

struct State {
    looked: Instant,
    changed: [Option<SystemTime>; 2],
    system: Arc<System>,
}

/// What the system's files said when they were last read.
struct System {
    hosts: Hosts,
    servers: Vec<SocketAddr>,
    search: Vec<Name>,
    /// A name with fewer dots is looked for in the search list first.
    dots: usize,
}

impl Resolver {
    #[allow(clippy::new_without_default, reason = "nothing about a resolver is a default")]
    pub fn new() -> Resolver {
        Resolver { state: Mutex::new(None) }
    }

    /// All addresses of a name, IPv6 and IPv4 in turn. At least one.
    pub async fn addresses(&self, cx: &Context, name: &str) -> Result<Vec<IpAddr>, Fault> {
        let system = self.system();
        let parsed = Name::from_str(name)
            .map_err(|error| Fault::failed(Class::Dns, format!("`{name}` is not a name: {error}")))?;
        let found = system.hosts_file(&parsed);
        if !found.is_empty() {
            return Ok(interleave(found));
        }
        let mut exists = false;
        for candidate in system.candidates(parsed) {
            match system.ask(cx, &candidate).await? {
                Found::Addresses(addresses) => return Ok(interleave(addresses)),
                Found::NoAddress => exists = true,
                Found::NoName => {}
            }
        }
        let text = if exists {
            format!("the name `{name}` exists and has no address (no A or AAAA record)")
        } else {
            format!("the name `{name}` does not exist (NXDOMAIN)")
        };
        Err(Fault::failed(Class::Dns, text))
    }

    /// The name servers of this machine, in their order. At least one.
    pub fn servers(&self) -> Vec<SocketAddr> {
        self.system().servers.clone()
    }

    fn system(&self) -> Arc<System> {
        let now = clock::instant();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = state.as_ref()
            && now.duration_since(state.looked) < FRESH
        {
            return state.system.clone();
        }
        let changed = FILES.map(|file| std::fs::metadata(file).and_then(|about| about.modified()).ok());
        let same = state.as_ref().filter(|state| state.changed == changed);
        let system = same.map_or_else(|| Arc::new(System::read()), |state| state.system.clone());
        *state = Some(State { looked: now, changed, system: system.clone() });
        system
    }
}

/// What the name servers know of a name.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Addresses(Vec<IpAddr>),
    NoAddress,
    NoName,
}

impl System {
    fn read() -> System {
        // Without a readable file or without a server in it, the C library asks the machine itself.
        let itself = SocketAddr::from((Ipv4Addr::LOCALHOST, 53));
        let hosts = Hosts::from_system().unwrap_or_default();
        let Ok((config, options)) = system_conf::read_system_conf() else {
            let dots = ResolverOpts::default().ndots;
            return System { hosts, servers: vec![itself], search: Vec::new(), dots };
        };
        let mut servers: Vec<_> =
            config.name_servers().iter().map(|server| SocketAddr::new(server.ip, 53)).collect();
        servers.dedup();
        servers.truncate(SERVERS_MAX);
        let search = config.search().iter().take(SEARCH_MAX).cloned().collect();
        System { hosts, servers, search, dots: options.ndots }
    }

    /// The system's file says all about a name that it names, as with the C library: the name servers
    /// aren't asked for the other family.
    fn hosts_file(&self, name: &Name) -> Vec<IpAddr> {
        [RecordType::A, RecordType::AAAA]
            .into_iter()
            .filter_map(|family| self.hosts.lookup_static_host(&Query::query(name.clone(), family)))
            .flat_map(|found| found.answers().iter().filter_map(|one| one.data.ip_addr()).collect::<Vec<_>>())
            .collect()
    }

    /// The whole names that a name may stand for, in the order in which they are asked for.
    fn candidates(&self, name: Name) -> Vec<Name> {
        if name.is_fqdn() {
            return vec![name];
        }
        let dots = usize::from(name.num_labels().saturating_sub(1));
        let searched = self.search.iter().filter_map(|domain| name.clone().append_domain(domain).ok());
        let mut candidates: Vec<Name> = searched.collect();
        let mut whole = name;
        whole.set_fqdn(true);
        let at = if dots >= self.dots { 0 } else { candidates.len() };
        candidates.insert(at, whole);
        candidates
    }

    /// Both families at once. One that fails matters only where the other has no address.
    async fn ask(&self, cx: &Context, name: &Name) -> Result<Found, Fault> {
        let of = |family| query::ask(&self.servers, name, family, cx.remaining());
        let (v4, v6) = futures_util::future::join(of(RecordType::A), of(RecordType::AAAA)).await;
        let addresses: Vec<IpAddr> =
            [&v6, &v4].into_iter().flatten().flat_map(|(_, answer)| addresses(answer)).collect();
        if !addresses.is_empty() {
            return Ok(Found::Addresses(addresses));
        }
        let nowhere =
            [v4?, v6?].iter().all(|(_, answer)| answer.metadata.response_code == ResponseCode::NXDomain);
        Ok(if nowhere { Found::NoName } else { Found::NoAddress })
    }
}

fn addresses(answer: &Message) -> impl Iterator<Item = IpAddr> {
    answer.answers.iter().filter_map(|record| record.data.ip_addr())
}

/// IPv6 and IPv4 in turn, so that one broken family costs one attempt, not all of them.
fn interleave(found: Vec<IpAddr>) -> Vec<IpAddr> {
    let (v6, v4): (Vec<IpAddr>, Vec<IpAddr>) = found.into_iter().partition(IpAddr::is_ipv6);
    let longer = v6.len().max(v4.len());
    (0..longer).flat_map(|at| [v6.get(at), v4.get(at)]).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::net::query::plain;
    use hickory_resolver::proto::rr::rdata::{A, AAAA};
    use hickory_resolver::proto::rr::{RData, Record};
    use jiff::Timestamp;
    use tokio::net::UdpSocket;

    fn system(search: &[&str], dots: usize, servers: Vec<SocketAddr>) -> System {
        let search = search.iter().map(|domain| Name::from_str(domain).expect("a name")).collect();
        System { hosts: Hosts::default(), servers, search, dots }
    }

    #[test]
    fn families_take_turns() {
        let addresses = ["1.1.1.1", "2.2.2.2", "::1", "3.3.3.3"].map(|one| one.parse().expect("an address"));
        let order: Vec<_> = interleave(addresses.to_vec()).iter().map(IpAddr::to_string).collect();
        assert_eq!(order, ["::1", "1.1.1.1", "2.2.2.2", "3.3.3.3"]);
    }

    #[test]
    fn this_machine_knows_itself_without_a_name_server() {
        let system = System::read();
        let name = |text| Name::from_str(text).expect("a name");
        assert!(system.hosts_file(&name("localhost")).contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert!(system.hosts_file(&name("shop.invalid")).is_empty());
        assert!(!system.servers.is_empty());
    }

    fn check(system: &System, name: &str, expected: &[&str]) {
        let candidates = system.candidates(Name::from_str(name).expect("a name"));
        assert_eq!(candidates.iter().map(plain).collect::<Vec<_>>(), expected, "{name}");
    }

    #[test]
    fn the_search_list_comes_first_for_names_with_few_dots() {
        let cluster = system(&["shop.svc", "svc"], 2, Vec::new());
        check(&cluster, "db", &["db.shop.svc", "db.svc", "db"]);
        check(&cluster, "db.shop", &["db.shop.shop.svc", "db.shop.svc", "db.shop"]);
        check(&cluster, "a.b.c", &["a.b.c", "a.b.c.shop.svc", "a.b.c.svc"]);
        check(&cluster, "db.", &["db"]);
        check(&system(&[], 1, Vec::new()), "db", &["db"]);
    }

    /// A name server of this process with one answer for each family.
    async fn server(v4: Result<&str, ResponseCode>, v6: Result<&str, ResponseCode>) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("an address");
        let v4 = v4.map(|ip| ip.parse().ok().map(|ip| RData::A(A(ip))));
        let v6 = v6.map(|ip| ip.parse().ok().map(|ip| RData::AAAA(AAAA(ip))));
        tokio::spawn(async move {
            let mut buffer = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let mut answer = Message::from_vec(&buffer[..length]).expect("a question").into_response();
                let query = answer.queries[0].clone();
                match if query.query_type() == RecordType::A { &v4 } else { &v6 } {
                    Err(code) => answer.metadata.response_code = *code,
                    Ok(data) => {
                        let name = query.name().clone();
                        answer.answers.extend(data.clone().map(|data| Record::from_rdata(name, 60, data)));
                    }
                }
                socket.send_to(&answer.to_vec().expect("an answer"), from).await.ok();
            }
        });
        address
    }

    /// What `shop.example` is by a server's answers, `""` being none.
    async fn found(v4: Result<&str, ResponseCode>, v6: Result<&str, ResponseCode>) -> Result<Found, String> {
        let server = server(v4, v6).await;
        let cx = Context::new(Timestamp::UNIX_EPOCH, Duration::from_secs(2));
        let name = Name::from_str("shop.example.").expect("a name");
        let found = system(&[], 1, vec![server]).ask(&cx, &name).await;
        found.map_err(|fault| {
            format!("{}: {}", fault.class, fault.text.replace(&server.to_string(), "SERVER"))
        })
    }

    #[tokio::test]
    async fn one_family_is_enough_and_a_failure_is_no_absence() {
        let (nowhere, failing) = (ResponseCode::NXDomain, ResponseCode::ServFail);
        let of = |ips: &[&str]| {
            Ok(Found::Addresses(ips.iter().map(|ip| ip.parse().expect("an address")).collect()))
        };
        assert_eq!(found(Ok("192.0.2.1"), Ok("::1")).await, of(&["::1", "192.0.2.1"]));
        assert_eq!(found(Ok("192.0.2.1"), Err(failing)).await, of(&["192.0.2.1"]));
        assert_eq!(found(Ok(""), Ok("")).await, Ok(Found::NoAddress));
        assert_eq!(found(Err(nowhere), Err(nowhere)).await, Ok(Found::NoName));
        let fault = Err("dns: `shop.example`: SERVER answers SERVFAIL".to_owned());
        assert_eq!(found(Err(failing), Ok("")).await, fault);
        assert_eq!(found(Err(failing), Err(failing)).await, fault);
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_told_from_no_name() {
        let check = async |answer: Result<&'static str, ResponseCode>, expected: Result<&str, &str>| {
            let system = Arc::new(system(&["svc"], 1, vec![server(answer, answer).await]));
            let state = State { looked: clock::instant(), changed: [None; 2], system };
            let resolver = Resolver { state: Mutex::new(Some(state)) };
            let cx = Context::new(Timestamp::UNIX_EPOCH, Duration::from_secs(2));
            let found = resolver.addresses(&cx, "db").await;
            let found = found.map(|ips| ips[0].to_string()).map_err(|fault| fault.text);
            assert_eq!(found.as_deref().map_err(String::as_str), expected);
        };
        check(Ok("192.0.2.1"), Ok("192.0.2.1")).await;
        check(Err(ResponseCode::NXDomain), Err("the name `db` does not exist (NXDOMAIN)")).await;
        check(Ok(""), Err("the name `db` exists and has no address (no A or AAAA record)")).await;
    }
}
