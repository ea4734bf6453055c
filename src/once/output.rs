//! Where a report goes: a file that is there whole or not at all.
//!
//! node_exporter and CI systems may read at any moment, and a disk may be full: so the text is written
//! beside its place, synced, and then moved there. What stood there before stays until the new one is whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes `text` to `path`. The error names the path and what is wrong.
pub fn save(path: &Path, text: &str) -> Result<(), String> {
    let saved = match fs::metadata(path) {
        // A device or a pipe can't be replaced, and must not be.
        Ok(found) if !found.is_file() => {
            File::options().write(true).open(path).and_then(|file| write(file, text))
        }
        Ok(_) => path.canonicalize().and_then(|path| replace(&path, text)),
        Err(_) => replace(path, text),
    };
    saved.map_err(|error| format!("can't write the report to `{}`: {error}", path.display()))
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let beside = beside(path)?;
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    if written.is_err() {
        // Half a report is of no use; if it can't be removed either, the first error says more.
        fs::remove_file(&beside).ok();
    }
    written
}

fn write(mut file: File, text: &str) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.flush()
}

/// A hidden name of our own in the same directory, which no collector takes for a report.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::other("it names no file"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.tmp", std::process::id()));
    Ok(path.with_file_name(hidden))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_replaces_the_one_before() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("atalaya.prom");
        save(&path, "first, and longer").expect("written");
        save(&path, "second").expect("written");
        assert_eq!(fs::read_to_string(&path).expect("there"), "second");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        save(&link, "third").expect("written");
        assert_eq!(fs::read_to_string(&path).expect("there"), "third");
        assert!(link.is_symlink());
        assert_eq!(
            fs::read_dir(directory.path()).expect("a directory").count(),
            2,
            "nothing is left beside it"
        );
    }

    #[test]
    fn what_can_not_be_written_is_said() {
        let check = |path: &str, expected: &str| {
            let error = save(Path::new(path), "text").expect_err(path);
            assert_eq!(error, format!("can't write the report to `{path}`: {expected}"));
        };
        check("/dev/full", "No space left on device (os error 28)");
        check("/nowhere/report.xml", "No such file or directory (os error 2)");
        check("/", "Is a directory (os error 21)");
        check("", "it names no file");
        save(Path::new("/dev/null"), "text").expect("a device takes it");
    }
}
