//! A real Prometheus that scrapes every second.

use super::http;
use super::server::{Start, directory, free_port, listens, start, wait_until};
use serde_json::Value;
use std::process::Child;

pub struct Prometheus {
    child: Child,
    port: u16,
}

impl Prometheus {
    /// Scrapes `/metrics` of a port of the loopback interface.
    pub fn scraping(name: &str, target: u16) -> Prometheus {
        let directory = directory(name);
        let config = format!(
            "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nscrape_configs:\n  - job_name: atalaya\n    \
             static_configs:\n      - targets: ['127.0.0.1:{target}']\n"
        );
        std::fs::write(directory.join("prometheus.yml"), config).expect("a file");
        let port = free_port();
        let args = [
            "--config.file=prometheus.yml".to_owned(),
            "--storage.tsdb.path=data".to_owned(),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ];
        let child = start(Start {
            program: "prometheus",
            args: args.to_vec(),
            user: None,
            directory: &directory,
            environment: Vec::new(),
        });
        wait_until("Prometheus to listen", Some(&directory.join("prometheus.log")), || listens(port));
        Prometheus { child, port }
    }

    /// The value of an expression that gives one series.
    pub fn query(&self, expression: &str) -> Option<f64> {
        let encoded: String = url::form_urlencoded::byte_serialize(expression.as_bytes()).collect();
        let answer: Value = self.api(&format!("/api/v1/query?query={encoded}"));
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }

    /// What it says of its one target.
    pub fn target(&self) -> Value {
        self.api("/api/v1/targets")["data"]["activeTargets"][0].clone()
    }

    fn api(&self, path: &str) -> Value {
        serde_json::from_str(&http::get(self.port, path).body).unwrap_or(Value::Null)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
