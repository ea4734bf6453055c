//! The real program, running.

use super::http::{self, Answer};
use super::server::{Start, directory, start, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_atalaya");

/// `atalaya run` in a directory of its own, on a port that the system chose.
pub struct Agent {
    child: Child,
    pub port: u16,
    pub directory: PathBuf,
    environment: Vec<(&'static str, String)>,
}

impl Agent {
    /// Writes `checks/NAME.toml` for each (name, text) and starts.
    pub fn start(name: &str, checks: &[(&str, &str)]) -> Agent {
        Agent::start_with(name, checks, &[])
    }

    pub fn start_with(name: &str, checks: &[(&str, &str)], environment: &[(&'static str, String)]) -> Agent {
        Agent::start_alerting(name, checks, "", environment)
    }

    /// As [`Agent::start_with`], with `alerts/all.toml`.
    pub fn start_alerting(
        name: &str,
        checks: &[(&str, &str)],
        alerts: &str,
        environment: &[(&'static str, String)],
    ) -> Agent {
        let directory = directory(name);
        std::fs::create_dir_all(directory.join("checks")).expect("a folder");
        for (name, text) in checks {
            write_checks(&directory, name, text);
        }
        if !alerts.is_empty() {
            std::fs::create_dir_all(directory.join("alerts")).expect("a folder");
            std::fs::write(directory.join("alerts/all.toml"), alerts).expect("a file");
        }
        Agent::start_in(directory, environment)
    }

    /// In a directory that is filled already, maybe by an agent before.
    pub fn start_in(directory: PathBuf, environment: &[(&'static str, String)]) -> Agent {
        let environment = environment.to_vec();
        let mut agent = Agent { child: spawn(&directory, &environment), port: 0, directory, environment };
        agent.wait_until_it_listens();
        agent
    }

    /// Starts it anew in its directory, with what it kept there. It must have ended.
    pub fn restart(&mut self) {
        self.begin_restart();
        self.wait_until_it_listens();
    }

    /// As [`Agent::restart`], without waiting: for who kills it before it listens.
    pub fn begin_restart(&mut self) {
        self.child = spawn(&self.directory, &self.environment);
    }

    fn wait_until_it_listens(&mut self) {
        let log = self.log_path();
        wait_until("the agent to listen", Some(&log), || match self.address() {
            Some(port) => {
                self.port = port;
                true
            }
            None => false,
        });
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child that may have ended");
        self.child.wait().expect("a child");
    }

    /// Waits for the end of one whom somebody else kills.
    pub fn wait_until_killed(&mut self) {
        let log = self.log_path();
        wait_until("somebody to kill the agent", Some(&log), || {
            self.child.try_wait().expect("a child").is_some()
        });
    }

    fn address(&self) -> Option<u16> {
        let line = self.log().into_iter().find(|line| line["message"] == "watching")?;
        line["address"].as_str()?.rsplit_once(':')?.1.parse().ok()
    }

    fn log_path(&self) -> PathBuf {
        self.directory.join("atalaya.log")
    }

    /// The lines of the log, each a JSON object.
    pub fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.log_path()).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The line of a head that an operator's program shows.
    pub fn operator(&self) -> String {
        let token = std::fs::read_to_string(self.directory.join("atalaya.db.token")).expect("a token");
        format!("Authorization: Bearer {}\r\n", token.trim())
    }

    pub fn get(&self, path: &str) -> Answer {
        http::get(self.port, path)
    }

    /// Series by name and labels, as they stand in the text format.
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        let body = self.get("/metrics").body;
        let series = body.lines().filter(|line| !line.starts_with('#'));
        series
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(series, value)| (series.to_owned(), value.parse().expect("a number")))
            .collect()
    }

    /// The one series whose text begins so.
    pub fn metric(&self, series: &str) -> Option<f64> {
        self.metrics().iter().find(|(name, _)| name.starts_with(series)).map(|(_, value)| *value)
    }

    pub fn wait_for(&self, what: &str, mut ready: impl FnMut(&Agent) -> bool) {
        wait_until(what, Some(&self.log_path()), || ready(self));
    }

    pub fn wait_until_ready(&self) {
        self.wait_for("every check to have run once", |agent| agent.get("/readyz").status == 200);
    }

    pub fn write_checks(&self, name: &str, text: &str) {
        write_checks(&self.directory, name, text);
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("a running agent");
    }

    pub fn write_alerts(&self, text: &str) {
        std::fs::write(self.directory.join("alerts/alerts.toml"), text).expect("a file");
    }

    /// A command of the same program in the agent's directory, which asks this agent.
    pub fn command(&self, args: &[&str]) -> Output {
        let mut command = self.command_to_run();
        command.args(args).output().expect("the program")
    }

    /// As [`Agent::command`], to be changed before it runs.
    pub fn command_to_run(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.current_dir(&self.directory).env_remove("ATALAYA_TOKEN");
        command.env("ATALAYA_AGENT", format!("http://127.0.0.1:{}", self.port));
        command
    }

    /// SIGKILL: nothing is put in order. Where it ran.
    pub fn kill_for_good(mut self) -> PathBuf {
        self.child.kill().expect("a running agent");
        self.child.wait().expect("a child");
        self.directory.clone()
    }

    /// SIGTERM, and how it ended.
    pub fn stop(mut self) -> ExitStatus {
        self.terminate()
    }

    /// As [`Agent::stop`], for one that is started again.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.child.wait().expect("a child")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn spawn(directory: &std::path::Path, environment: &[(&'static str, String)]) -> Child {
    start(Start {
        program: PROGRAM,
        args: ["run", "--listen", "127.0.0.1:0"].map(str::to_owned).to_vec(),
        user: None,
        directory,
        environment: environment.to_vec(),
    })
}

fn write_checks(directory: &std::path::Path, name: &str, text: &str) {
    std::fs::write(directory.join("checks").join(format!("{name}.toml")), text).expect("a file");
}
