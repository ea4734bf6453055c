//! Where definitions are on disk: `atalaya.toml` and the files and folders of checks that it names.

use crate::config::{Files, Source, plan};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What `${file:…}` names is a key or a password.
pub const SECRET_BYTES_MAX: u64 = 64 * 1024;
/// A definition file larger than this is a mistake.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Where to look.
#[derive(Debug, Clone)]
pub struct Origin {
    /// `atalaya.toml`; may be missing where nobody named it.
    pub agent: PathBuf,
    pub agent_required: bool,
    /// Files and folders of checks in place of those that `atalaya.toml` names.
    pub checks: Vec<PathBuf>,
    /// Files and folders of objectives and channels in place of those that `atalaya.toml` names.
    pub alerts: Option<Vec<PathBuf>>,
    /// Definitions that are part of the program, in place of all files.
    pub embedded: Option<Files>,
}

/// Why the files can't be read.
#[derive(Debug)]
pub struct Unreadable {
    pub path: PathBuf,
    pub error: io::Error,
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: can't read it: {}", self.path.display(), self.error)?;
        match self.error.kind() {
            io::ErrorKind::NotFound => f.write_str("\n  hint: write it, or name another place with --checks"),
            _ => Ok(()),
        }
    }
}

impl Origin {
    /// Reads everything; every file that can't be read is told.
    pub fn read(&self) -> Result<Files, Vec<Unreadable>> {
        if let Some(files) = &self.embedded {
            return Ok(files.clone());
        }
        let mut unreadable = Vec::new();
        let agent = match read_file(&self.agent) {
            Ok(source) => Some(source),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.agent_required => None,
            Err(error) => {
                unreadable.push(Unreadable { path: self.agent.clone(), error });
                None
            }
        };
        let mut checks = Vec::new();
        for path in self.paths(agent.as_ref(), "checks", self.given_checks()) {
            match check_files(&path) {
                Ok(files) => read_all(files, &mut checks, &mut unreadable),
                Err(error) => unreadable.push(Unreadable { path, error }),
            }
        }
        let alerts = self.alerts(agent.as_ref(), &mut unreadable);
        if unreadable.is_empty() { Ok(Files { agent, checks, alerts }) } else { Err(unreadable) }
    }

    /// The files and folders to watch for changes.
    pub fn watched(&self) -> Vec<PathBuf> {
        if self.embedded.is_some() {
            return Vec::new();
        }
        let agent = read_file(&self.agent).ok();
        let mut paths = self.paths(agent.as_ref(), "checks", self.given_checks());
        paths.extend(self.paths(agent.as_ref(), "alerts", self.alerts.as_deref()));
        paths.push(self.agent.clone());
        paths
    }

    /// Objectives and channels. A folder that nobody named need not be there: one can watch and tell nobody.
    fn alerts(&self, agent: Option<&Source>, unreadable: &mut Vec<Unreadable>) -> Vec<Source> {
        let mut alerts = Vec::new();
        let named = self.alerts.is_some() || plan::names_paths(agent, "alerts");
        for path in self.paths(agent, "alerts", self.alerts.as_deref()) {
            match check_files(&path) {
                Ok(files) => read_all(files, &mut alerts, unreadable),
                Err(error) if error.kind() == io::ErrorKind::NotFound && !named => {}
                Err(error) => unreadable.push(Unreadable { path, error }),
            }
        }
        alerts
    }

    fn given_checks(&self) -> Option<&[PathBuf]> {
        (!self.checks.is_empty()).then_some(&self.checks)
    }

    fn paths(&self, agent: Option<&Source>, key: &str, given: Option<&[PathBuf]>) -> Vec<PathBuf> {
        if let Some(given) = given {
            return given.to_vec();
        }
        let base = self.agent.parent().unwrap_or(Path::new(""));
        plan::paths(agent, key).into_iter().map(|path| base.join(path)).collect()
    }
}

fn read_all(files: Vec<PathBuf>, sources: &mut Vec<Source>, unreadable: &mut Vec<Unreadable>) {
    for path in files {
        match read_file(&path) {
            Ok(source) => sources.push(source),
            Err(error) => unreadable.push(Unreadable { path, error }),
        }
    }
}

/// The `*.toml` of a folder, by name; or the file itself.
fn check_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !std::fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.extension().is_some_and(|extension| extension == "toml") && !hidden {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read_file(path: &Path) -> io::Result<Source> {
    Ok(Source::new(&path.display().to_string(), read_text(path, FILE_BYTES_MAX)?))
}

/// The text of a regular file of at most `bytes_max`. A pipe or a device would be read for ever.
pub fn read_text(path: &Path, bytes_max: u64) -> io::Result<String> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut text = String::new();
    let read = File::open(path)?.take(bytes_max + 1).read_to_string(&mut text)?;
    if read as u64 > bytes_max {
        let why = format!("larger than {} KiB, which nothing of this kind is", bytes_max / 1024);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(text)
}
