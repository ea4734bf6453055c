//! The courier on real sockets: channels that answer, hang, end and panic, and a keeper that is slow.

use atalaya::alert::{Key, Kind, Notice, Severity, Snapshot};
use atalaya::clock;
use atalaya::config::Place;
use atalaya::config::alerting::{Alerting, ChannelPlan, Contact};
use atalaya::notify::courier::{Courier, Order, PartHealth};
use atalaya::notify::outbox::{Health, Outbox, rows};
use atalaya::notify::{Deliver, Delivering, Delivery, Parcel};
use atalaya::store::{Batch, OutboxRow, RowState};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};

const DEADLINE: Duration = Duration::from_secs(10);
const CHANNELS: [&str; 4] = ["mail", "slack", "pager", "hook"];

/// A provider: takes a line with a key and answers, or never does.
struct Provider {
    address: SocketAddr,
    silent: AtomicBool,
    taken: Mutex<Vec<String>>,
}

impl Provider {
    async fn start() -> Arc<Provider> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let provider =
            Arc::new(Provider { address, silent: AtomicBool::new(false), taken: Mutex::default() });
        let own = provider.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(own.clone().serve(stream));
            }
        });
        provider
    }

    async fn serve(self: Arc<Provider>, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let mut key = String::new();
        stream.read_line(&mut key).await.ok();
        self.taken.lock().expect("the list").push(key.trim().to_owned());
        if self.silent.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        stream.write_all(b"ok\n").await.ok();
    }

    fn taken(&self) -> Vec<String> {
        self.taken.lock().expect("the list").clone()
    }
}

/// A channel to a provider; without one it panics.
struct Wire(Option<SocketAddr>);

impl Deliver for Wire {
    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> Delivering<'a> {
        Box::pin(async move {
            let address = self.0.expect("a channel with a bug, as this test wants it");
            match say(address, &parcel.key).await {
                Ok(()) => Delivery::Delivered,
                Err(error) => Delivery::Retry { after: None, why: error.to_string() },
            }
        })
    }
}

async fn say(address: SocketAddr, key: &str) -> std::io::Result<()> {
    let mut stream = BufReader::new(TcpStream::connect(address).await?);
    stream.write_all(format!("{key}\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_line(&mut answer).await?;
    if answer == "ok\n" { Ok(()) } else { Err(std::io::Error::other("it did not say ok")) }
}

/// Each channel has a contact of its name; "on-call" has them all.
fn alerting(providers: &[(&str, Option<&Provider>)], timeout: Duration) -> Arc<Alerting> {
    let plan = |(name, provider): &(&str, Option<&Provider>)| ChannelPlan {
        name: (*name).into(),
        kind: "webhook",
        timeout,
        hourly_max: 100_000,
        place: Place { file: "alerts/channels.toml".into(), line: 1, column: 1 },
        fingerprint: 1,
        deliver: Box::new(Wire(provider.map(|provider| provider.address))),
    };
    let names: Vec<Arc<str>> = providers.iter().map(|(name, _)| (*name).into()).collect();
    let contact = |name: &Arc<str>, channels: Vec<Arc<str>>| {
        (name.clone(), Contact { name: name.clone(), channels, escalate: Vec::new() })
    };
    let mut contacts: BTreeMap<_, _> = names.iter().map(|name| contact(name, vec![name.clone()])).collect();
    contacts.extend([contact(&"on-call".into(), names.clone())]);
    let channels = providers.iter().map(|one| (one.0.into(), Arc::new(plan(one)))).collect();
    Arc::new(Alerting { contacts, channels, ..Alerting::default() })
}

fn page(episode: &str, contact: &str) -> Notice {
    let at = clock::wall();
    let alert = Snapshot {
        key: Key(format!("check/{episode}").into()),
        episode: episode.to_owned(),
        severity: Severity::Page,
        title: episode.to_owned(),
        section: "site".to_owned(),
        summary: "it does not answer".to_owned(),
        evidence: Vec::new(),
        cost: None,
        cause: None,
        runbook: None,
        began: at,
        fired: at,
        ended: None,
        acknowledged_by: None,
        flaps: 0,
        labels: BTreeMap::new(),
    };
    let id = format!("firing/{episode}");
    Notice {
        thread: id.clone(),
        id,
        kind: Kind::Firing,
        at,
        severity: Severity::Page,
        contact: contact.to_owned(),
        alerts: vec![alert],
        more: 0,
        merged: false,
        backup: None,
    }
}

/// A courier at work, and the ends of its queues.
struct Office {
    alerting: Arc<Alerting>,
    orders: mpsc::Sender<Order>,
    batches: mpsc::Receiver<Batch>,
    told: mpsc::Receiver<PartHealth>,
    health: watch::Receiver<Health>,
    task: tokio::task::JoinHandle<()>,
    rows: BTreeMap<String, OutboxRow>,
}

impl Office {
    fn open(alerting: Arc<Alerting>, remembered: Vec<OutboxRow>) -> Office {
        let (orders, inbox) = mpsc::channel(64);
        let (keeper, batches) = mpsc::channel(1);
        let (teller, told) = mpsc::channel(1);
        let outbox = Outbox::new(remembered, alerting.clone());
        let courier = Courier::new(outbox, alerting.clone(), keeper, teller, Duration::from_secs(2));
        let health = courier.health();
        let task = tokio::spawn(courier.run(inbox));
        Office { alerting, orders, batches, told, health, task, rows: BTreeMap::new() }
    }

    async fn tell(&mut self, notices: impl IntoIterator<Item = Notice>) {
        for notice in notices {
            let rows = rows(notice, &self.alerting, "agent");
            self.rows.extend(rows.iter().map(|row| (row.key.clone(), row.clone())));
            self.orders.send(Order::Rows(rows)).await.expect("the courier runs");
        }
    }

    /// What the store holds; the keeper takes what there is.
    fn keep(&mut self) {
        while let Ok(batch) = self.batches.try_recv() {
            self.rows.extend(batch.outbox.into_iter().map(|row| (row.key.clone(), row)));
        }
    }

    fn stored(&mut self, state: RowState) -> usize {
        self.keep();
        self.rows.values().filter(|row| row.state == state).count()
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < DEADLINE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn providers() -> BTreeMap<&'static str, Arc<Provider>> {
    let mut providers = BTreeMap::new();
    for channel in CHANNELS {
        providers.insert(channel, Provider::start().await);
    }
    providers
}

fn all<'a>(providers: &'a BTreeMap<&'static str, Arc<Provider>>) -> Vec<(&'a str, Option<&'a Provider>)> {
    CHANNELS.iter().map(|channel| (*channel, Some(&*providers[channel]))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_hangs_for_ever_delays_no_other() {
    let providers = providers().await;
    providers["mail"].silent.store(true, Ordering::Relaxed);
    let mut office = Office::open(alerting(&all(&providers), Duration::from_mins(10)), Vec::new());
    let begun = Instant::now();
    for number in 0..50 {
        office.tell(CHANNELS.map(|channel| page(&format!("e{number}"), channel))).await;
    }
    until("the others deliver", || {
        CHANNELS[1..].iter().all(|channel| providers[channel].taken().len() == 50)
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(providers["mail"].taken().len(), 1, "one at a time");
    until("it is written", || office.stored(RowState::Delivered) == 150).await;
    assert_eq!(office.stored(RowState::Pending), 50);
    let health = office.health.borrow().clone();
    assert!(health.oldest_page.is_some(), "{health:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_try_ends_at_the_timeout_of_its_channel_and_is_repeated() {
    let providers = providers().await;
    providers["mail"].silent.store(true, Ordering::Relaxed);
    let mut office = Office::open(alerting(&all(&providers)[..1], Duration::from_millis(100)), Vec::new());
    office.tell([page("e", "mail")]).await;
    until("the try has failed", || {
        office.keep();
        office.rows.values().any(|row| row.attempts == 1 && row.state == RowState::Pending)
    })
    .await;
    let error = office.rows.values().find_map(|row| row.error.clone());
    assert_eq!(error.as_deref(), Some("no answer within 100ms"));
    providers["mail"].silent.store(false, Ordering::Relaxed);
    until("it is delivered", || office.stored(RowState::Delivered) == 1).await;
    let taken = providers["mail"].taken();
    assert_eq!(taken.len(), 2);
    assert_eq!(taken[0], taken[1], "with the same key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keeper_that_does_not_take_rows_stops_no_delivery() {
    let providers = providers().await;
    let mut office = Office::open(alerting(&all(&providers), DEADLINE), Vec::new());
    for number in 0..100 {
        office.tell([page(&format!("e{number}"), "mail")]).await;
    }
    until("all are delivered", || providers["mail"].taken().len() == 100).await;
    until("the newest of all rows is written in the end", || office.stored(RowState::Delivered) == 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_cut_off_by_a_kill_is_sent_again_with_the_same_key() {
    let providers = providers().await;
    providers["mail"].silent.store(true, Ordering::Relaxed);
    let mut office = Office::open(alerting(&all(&providers), DEADLINE), Vec::new());
    office.tell([page("e", "mail")]).await;
    until("a try is under way", || providers["mail"].taken().len() == 1).await;
    office.task.abort();
    office.keep();
    providers["mail"].silent.store(false, Ordering::Relaxed);
    let remembered = office.rows.into_values().collect();
    let mut office = Office::open(office.alerting, remembered);
    until("it is delivered", || office.stored(RowState::Delivered) == 1).await;
    let taken = providers["mail"].taken();
    assert_eq!(taken.len(), 2);
    assert_eq!(taken[0], taken[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_stop_what_is_under_way_may_end_and_the_rest_stays() {
    let providers = providers().await;
    providers["mail"].silent.store(true, Ordering::Relaxed);
    providers["slack"].silent.store(true, Ordering::Relaxed);
    let mut office = Office::open(alerting(&all(&providers), Duration::from_millis(800)), Vec::new());
    office.tell([page("e", "mail"), page("f", "mail"), page("e", "slack")]).await;
    until("tries are under way", || {
        providers["mail"].taken().len() == 1 && providers["slack"].taken().len() == 1
    })
    .await;
    let begun = Instant::now();
    let (closed, _) = mpsc::channel(1);
    drop(std::mem::replace(&mut office.orders, closed));
    until("the courier stops", || {
        office.keep();
        office.task.is_finished()
    })
    .await;
    office.keep();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(office.stored(RowState::Pending), 3);
    assert_eq!(
        office.rows.values().filter(|row| row.attempts == 1).count(),
        2,
        "what they came to is written"
    );
    assert_eq!(providers["mail"].taken().len(), 1, "nothing new is begun");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_no_longer_than_it_may() {
    let providers = providers().await;
    providers["mail"].silent.store(true, Ordering::Relaxed);
    let mut office = Office::open(alerting(&all(&providers), Duration::from_mins(10)), Vec::new());
    office.tell([page("e", "mail")]).await;
    until("a try is under way", || providers["mail"].taken().len() == 1).await;
    let begun = Instant::now();
    let (closed, _) = mpsc::channel(1);
    drop(std::mem::replace(&mut office.orders, closed));
    until("the courier stops", || office.task.is_finished()).await;
    assert!((2..5).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    assert_eq!(office.stored(RowState::Pending), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_with_a_bug_stops_no_other_and_is_told() {
    let provider = Provider::start().await;
    let channels = [("broken", None), ("slack", Some(&*provider))];
    let mut office = Office::open(alerting(&channels, DEADLINE), Vec::new());
    for number in 0..3 {
        office.tell([page(&format!("e{number}"), "broken")]).await;
    }
    until("three tries have failed", || {
        office.keep();
        office.rows.values().filter(|row| row.attempts >= 1).count() == 3
    })
    .await;
    let health = tokio::time::timeout(DEADLINE, office.told.recv()).await.expect("in time").expect("health");
    assert_eq!((&*health.part, health.well), ("channel/broken", false));
    assert!(health.why.contains("bug"), "{}", health.why);
    office.tell([page("other", "slack")]).await;
    until("others are delivered", || provider.taken().len() == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_says_what_became_of_it_and_leaves_no_row() {
    let providers = providers().await;
    let mut office = Office::open(alerting(&all(&providers), Duration::from_millis(200)), Vec::new());
    let test = async |channel: &str| {
        let (reply, answer) = oneshot::channel();
        let channel = channel.to_owned();
        office.orders.send(Order::Test { channel, reply }).await.expect("the courier runs");
        tokio::time::timeout(DEADLINE, answer).await.expect("in time").expect("an answer")
    };
    assert_eq!(test("mail").await, Ok(Delivery::Delivered));
    assert_eq!(test("mail").await, Ok(Delivery::Delivered));
    providers["slack"].silent.store(true, Ordering::Relaxed);
    let why = "no answer within 200ms".to_owned();
    assert_eq!(test("slack").await, Ok(Delivery::Retry { after: None, why }));
    let why = "there is no channel \"mial\"; there are hook, mail, pager, slack".to_owned();
    assert_eq!(test("mial").await, Err(why));
    let taken = providers["mail"].taken();
    assert_ne!(taken[0], taken[1], "each test is another message");
    office.keep();
    assert!(office.rows.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_definitions_hold_at_once() {
    let providers = providers().await;
    providers["mail"].silent.store(true, Ordering::Relaxed);
    let mut office = Office::open(alerting(&all(&providers), Duration::from_millis(300)), Vec::new());
    office.tell([page("e", "on-call")]).await;
    until("a try is under way", || providers["mail"].taken().len() == 1).await;
    let without = alerting(&all(&providers)[1..], DEADLINE);
    office.orders.send(Order::Replan(without)).await.expect("the courier runs");
    until("the next channel has it", || providers["slack"].taken().len() == 1).await;
    until("it is written", || office.stored(RowState::Delivered) == 1).await;
    let backup = office.rows.values().find(|row| row.state == RowState::Delivered).expect("the row");
    assert_eq!(&*backup.channel, "slack");
    let told = tokio::time::timeout(DEADLINE, office.told.recv()).await.expect("in time").expect("health");
    assert!(told.well, "an alert about a channel that is gone would never end: {told:?}");
}
