//! The invariants of `src/lib.rs`, held by reading the sources.

use std::path::{Path, PathBuf};

const LINES_MAX: usize = 400;
const NAMES_MAX: usize = 16;
/// The root is the map of the house and is read as one: its modules in the order of the work.
const MODULES_MAX: usize = 22;

/// Every source file as (path below `src`, text without its tests).
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    let text = |path: &PathBuf| std::fs::read_to_string(path).expect("a source");
    let name = |path: &PathBuf| path.strip_prefix(&root).expect("below src").display().to_string();
    found.iter().map(|path| (name(path), text(path))).collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    let allowed = if folder.ends_with("src") { MODULES_MAX } else { NAMES_MAX } + 1;
    assert!(entries.len() <= allowed, "{} shows {} names", folder.display(), entries.len());
    for path in entries {
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The code above `#[cfg(test)] mod tests`, without comments.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_file_says_why_it_is_and_has_one_idea() {
    for (file, text) in sources() {
        assert!(text.starts_with("//! "), "{file} does not open with `//!`");
        assert!(text.lines().count() <= LINES_MAX, "{file} has more than {LINES_MAX} lines");
    }
}

#[test]
fn what_thinks_does_no_input_and_reads_no_clock() {
    let pure = [
        "config/",
        "outcome.rs",
        "fact.rs",
        "record/",
        "judge/",
        "alert/",
        "mind/",
        "export/",
        "ingest/",
        "schedule.rs",
        "view.rs",
        "notify/outbox/",
    ];
    let forbidden = [
        "std::fs",
        "tokio::",
        "std::process",
        "clock::wall",
        "clock::now",
        "clock::instant",
        "clock::steady",
    ];
    for (file, text) in sources() {
        let tests = file == "config/tests.rs" || file.starts_with("notify/outbox/tests/");
        if pure.iter().any(|start| file.starts_with(start)) && !tests {
            for word in forbidden {
                assert!(!code(&text).contains(word), "{file} uses {word}");
            }
        }
    }
}

#[test]
fn each_foreign_thing_is_known_in_one_place() {
    let places: [(&str, &[&str]); 7] = [
        ("axum", &["web/", "demo/"]),
        ("sqlx", &["probe/database/", "demo/living", "store/"]),
        ("lettre", &["notify/smtp"]),
        ("notify_rust", &["notify/desktop"]),
        ("::redis", &["probe/redis/", "probe/upstash/"]),
        ("metrics_exporter_prometheus", &["app/"]),
        ("clap", &["cli/", "once/mod.rs"]),
    ];
    for (file, text) in sources() {
        for (word, allowed) in &places {
            let uses = code(&text).contains(&format!("{word}::"));
            assert!(!uses || allowed.iter().any(|start| file.starts_with(start)), "{file} uses {word}");
        }
    }
}
