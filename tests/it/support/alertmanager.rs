//! A real Alertmanager, alone or with a receiver of its webhooks.

use super::server::{Start, directory, free_port, listens, start, wait_until};
use serde_json::Value;
use std::process::{Child, Command};

pub struct Alertmanager {
    child: Child,
    pub url: String,
}

impl Alertmanager {
    /// Each alert is a group of its own, told to `webhook` at once.
    pub fn start(name: &str, webhook: &str) -> Alertmanager {
        Alertmanager::start_at(name, webhook, free_port())
    }

    pub fn start_at(name: &str, webhook: &str, port: u16) -> Alertmanager {
        let directory = directory(name);
        let config = format!(
            "route:\n  receiver: on-call\n  group_by: ['...']\n  group_wait: 0s\n  group_interval: 1s\n\
             receivers:\n  - name: on-call\n    webhook_configs:\n      - url: {webhook}\n"
        );
        std::fs::write(directory.join("alertmanager.yml"), config).expect("a file");
        let args = [
            "--config.file=alertmanager.yml".to_owned(),
            "--storage.path=data".to_owned(),
            "--cluster.listen-address=".to_owned(),
            "--web.external-url=https://watch.shop.example".to_owned(),
            "--web.route-prefix=/am".to_owned(),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ];
        let child = start(Start {
            program: "prometheus-alertmanager",
            args: args.to_vec(),
            user: None,
            directory: &directory,
            environment: Vec::new(),
        });
        let log = directory.join("prometheus-alertmanager.log");
        wait_until("Alertmanager to listen", Some(&log), || listens(port));
        Alertmanager { child, url: format!("http://127.0.0.1:{port}/am/") }
    }

    /// What fires, as its own command tells it.
    pub fn alerts(&self) -> Vec<Value> {
        let url = format!("--alertmanager.url={}", self.url);
        let output = Command::new("amtool").args([&url, "alert", "query", "--output=json"]).output();
        let output = output.expect("amtool");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The names of what fires, sorted: the label `check`, or `alertname` where there is none.
    pub fn firing(&self) -> Vec<String> {
        let name = |alert: &Value| {
            let labels = &alert["labels"];
            labels["check"].as_str().or(labels["alertname"].as_str()).expect("a name").to_owned()
        };
        let mut names: Vec<_> = self.alerts().iter().map(name).collect();
        names.sort();
        names
    }

    pub fn alert(&self, name: &str) -> Option<Value> {
        let found = |alert: &Value| alert["labels"]["check"] == name || alert["labels"]["alertname"] == name;
        self.alerts().into_iter().find(found)
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
