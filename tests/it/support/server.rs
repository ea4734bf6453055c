//! Starting real servers: on a free port, in a temporary directory, not as root, and never
//! outliving this test process.
//!
//! Every child gets a parent-death signal through `setpriv`. The kernel sends it when the *thread*
//! that started the child ends, and a test's thread ends with its test; so one thread of this
//! process, which never ends, starts them all.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

type Job = (Command, SyncSender<std::io::Result<Child>>);

static KEEPER: LazyLock<Mutex<SyncSender<Job>>> = LazyLock::new(|| {
    let (jobs, todo) = sync_channel::<Job>(16);
    std::thread::spawn(move || {
        for (mut command, answer) in todo {
            answer.send(command.spawn()).expect("who asked for a server waits for it");
        }
    });
    Mutex::new(jobs)
});

/// How a server is started.
pub struct Start<'a> {
    pub program: &'a str,
    pub args: Vec<String>,
    /// The user to run as where this process is root and the server refuses root.
    pub user: Option<&'a str>,
    /// Where it runs and where `NAME.log` is written.
    pub directory: &'a Path,
    pub environment: Vec<(&'a str, String)>,
}

/// Starts a server. It is killed when this process ends, in whatever way.
pub fn start(start: Start<'_>) -> Child {
    let name = Path::new(start.program).file_name().expect("a program").to_string_lossy().into_owned();
    let log = std::fs::File::create(start.directory.join(format!("{name}.log"))).expect("a log file");
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if let Some(user) = start.user.filter(|_| is_root()) {
        command.args(["--reuid", user, "--regid", user, "--init-groups"]);
    }
    command.arg("--").arg(start.program).args(&start.args);
    command.current_dir(start.directory).envs(start.environment);
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log file")).stderr(log);
    let (answer, child) = sync_channel(1);
    KEEPER.lock().expect("the keeper").send((command, answer)).expect("the keeper runs");
    child.recv().expect("the keeper answers").unwrap_or_else(|error| panic!("can't start {name}: {error}"))
}

pub fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

/// A port of the loopback interface that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Asks `ready` until it says yes; fails the test after 30 s, with the log where there is one.
pub fn wait_until(what: &str, log: Option<&Path>, ready: impl FnMut() -> bool) {
    wait_at_most(30, what, log, ready);
}

/// As [`wait_until`], for what takes longer by its nature: what is counted when its minute is over.
pub fn wait_at_most(seconds: u64, what: &str, log: Option<&Path>, mut ready: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !ready() {
        if begun.elapsed() > Duration::from_secs(seconds) {
            let log = log.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
            panic!("waited {seconds} s for {what}\n{log}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether something listens on a port of the loopback interface.
pub fn listens(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), Duration::from_millis(200)).is_ok()
}

/// A directory below one that belongs to this process. It is readable for a server's user, and goes when
/// the next run of the tests finds that its process is gone.
pub fn directory(name: &str) -> PathBuf {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        remove_left_over();
        open_directory(std::env::temp_dir().join(format!("{PREFIX}{}", std::process::id())))
    });
    open_directory(ROOT.join(name))
}

const PREFIX: &str = "atalaya-it-";

fn open_directory(path: PathBuf) -> PathBuf {
    std::fs::create_dir_all(&path).expect("a temporary directory");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).expect("permissions");
    path
}

fn remove_left_over() {
    for entry in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            std::fs::remove_dir_all(entry.path()).ok();
        }
    }
}
