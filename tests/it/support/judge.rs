//! Programs that nobody here wrote, which read what Atalaya writes: they are harder to please than our own tests.
//!
//! Packages are pinned and installed once into `target/judges`; whoever comes second waits for the first.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// What Python's judges import.
const PYTHON: &[&str] = &[
    "aiosmtpd==1.4.6",
    "feedparser==6.0.14",
    "hdrhistogram==0.10.8",
    "jsonschema==4.25.1",
    "junitparser==4.0.2",
    "opentelemetry-exporter-otlp-proto-http==1.45.2",
    "opentelemetry-sdk==1.45.2",
    "prometheus_client==0.26.0",
    "schemathesis==4.32.5",
    "pyyaml==6.0.2",
];

/// Runs a Python program with `input` on its stdin. What it printed; what it complained of otherwise.
pub fn python(program: &str, input: &str) -> Result<String, String> {
    answer(Command::new(interpreter()).args(["-c", program]), input)
}

/// The Python that has what its judges import.
pub fn interpreter() -> &'static Path {
    static INTERPRETER: LazyLock<PathBuf> = LazyLock::new(|| {
        let home = install("python", PYTHON, |home| {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(home));
            let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
            run(Command::new(home.join("bin/python")).args(pip).args(PYTHON));
        });
        home.join("bin/python")
    });
    &INTERPRETER
}

/// Runs a script of `tests/it/judges/` with npm packages, each `name@version`. What it printed; what it complained
/// of otherwise. The script finds its packages from where it runs: `createRequire(process.cwd() + '/')`.
pub fn node(script: &str, packages: &[&str], args: &[&str]) -> Result<String, String> {
    let name = script.strip_suffix(".mjs").expect("an ES module");
    let home = install(&format!("node-{name}"), packages, |home| {
        fs::remove_dir_all(home).ok();
        fs::create_dir_all(home).expect("a directory");
        fs::write(home.join("package.json"), r#"{"private":true}"#).expect("a package.json");
        let npm = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
        run(Command::new("npm").current_dir(home).args(npm).args(packages));
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/judges").join(script);
    answer(Command::new("node").current_dir(home).arg(script).args(args), "")
}

/// What a program prints when it is given `input`; what it complained of where it is not pleased.
pub fn answer(command: &mut Command, input: &str) -> Result<String, String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("a pipe");
    let output = std::thread::scope(|scope| {
        // One that does not read to the end is no fault of the input.
        scope.spawn(move || stdin.write_all(input.as_bytes()).ok());
        child.wait_with_output().expect("its output")
    });
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!("{}: {}{}", output.status, text(&output.stdout), text(&output.stderr)))
    }
}

/// The home of some packages below `target/judges`. `fill` is called when it does not hold just these.
pub fn install(name: &str, packages: &[&str], fill: impl FnOnce(&Path)) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("judges");
    fs::create_dir_all(&root).expect("a directory");
    let lock = File::create(root.join(format!("{name}.lock"))).expect("a lock file");
    lock.lock().expect("the lock");
    let (home, stamp) = (root.join(name), root.join(format!("{name}.installed")));
    let wanted = packages.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) && home.exists() {
        return home;
    }
    fs::remove_file(&stamp).ok();
    fill(&home);
    fs::write(stamp, wanted).expect("the stamp");
    home
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
