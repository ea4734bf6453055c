//! A real Prometheus: one that scrapes every second, or one that is given a history.

use super::http;
use super::server::{Start, directory, free_port, listens, start, wait_until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command};

pub struct Prometheus {
    child: Child,
    port: u16,
}

impl Prometheus {
    /// Scrapes `/metrics` of a port of the loopback interface.
    pub fn scraping(name: &str, target: u16) -> Prometheus {
        let config = format!(
            "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nscrape_configs:\n  - job_name: atalaya\n    \
             static_configs:\n      - targets: ['127.0.0.1:{target}']\n"
        );
        Prometheus::started(&directory(name), &config)
    }

    /// Scrapes these ports every second, and evaluates all rules of a folder as often.
    pub fn with_rules(name: &str, targets: &[u16], rules: &Path) -> Prometheus {
        let targets: Vec<String> = targets.iter().map(|port| format!("'127.0.0.1:{port}'")).collect();
        let config = format!(
            "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  evaluation_interval: 1s\nrule_files: ['{}/*.rules.yml']\n\
             scrape_configs:\n  - job_name: atalaya\n    static_configs:\n      - targets: [{}]\n",
            rules.display(),
            targets.join(", ")
        );
        Prometheus::started(&directory(name), &config)
    }

    /// Whether an expression had an answer at any of these times; it must be one that Prometheus understands.
    pub fn has_data(&self, expression: &str, from: i64, to: i64, step: i64) -> bool {
        let encoded: String = url::form_urlencoded::byte_serialize(expression.as_bytes()).collect();
        let answer =
            self.api(&format!("/api/v1/query_range?query={encoded}&start={from}&end={to}&step={step}"));
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        let series = answer["data"]["result"].as_array().expect("a result");
        let numbers = |series: &Value| {
            series["values"].as_array().is_some_and(|all| all.iter().any(|one| one[1] != "NaN"))
        };
        series.iter().any(numbers)
    }

    /// Every rule that it evaluates: its question, and what went wrong with it, if anything.
    pub fn rules(&self) -> Vec<(String, String)> {
        let groups = self.api("/api/v1/rules");
        let groups = groups["data"]["groups"].as_array().expect("groups").iter();
        let rules = groups.flat_map(|group| group["rules"].as_array().expect("rules"));
        let text = |rule: &Value, key: &str| rule[key].as_str().unwrap_or_default().to_owned();
        rules.map(|rule| (text(rule, "query"), text(rule, "lastError"))).collect()
    }

    /// Knows what a text in the OpenMetrics format says, with its timestamps, and scrapes nothing.
    pub fn remembering(name: &str, history: &str) -> Prometheus {
        let directory = directory(name);
        std::fs::write(directory.join("history.om"), history).expect("a file");
        let made = Command::new("promtool")
            .current_dir(&directory)
            .args(["tsdb", "create-blocks-from", "openmetrics", "--quiet", "history.om", "data"])
            .output()
            .expect("promtool");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Prometheus::started(&directory, "global: {}\n")
    }

    fn started(directory: &Path, config: &str) -> Prometheus {
        std::fs::write(directory.join("prometheus.yml"), config).expect("a file");
        let port = free_port();
        let args = [
            "--config.file=prometheus.yml".to_owned(),
            "--storage.tsdb.path=data".to_owned(),
            "--storage.tsdb.retention.time=20y".to_owned(),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ];
        let child = start(Start {
            program: "prometheus",
            args: args.to_vec(),
            user: None,
            directory,
            environment: Vec::new(),
        });
        // It listens before it has read what it remembers, and refuses until then.
        let ready = || listens(port) && http::get(port, "/-/ready").status == 200;
        wait_until("Prometheus to be ready", Some(&directory.join("prometheus.log")), ready);
        Prometheus { child, port }
    }

    /// The values of an expression that gives at most one series, by seconds since the epoch.
    pub fn range(&self, expression: &str, from: i64, to: i64, step: i64) -> BTreeMap<i64, f64> {
        let encoded: String = url::form_urlencoded::byte_serialize(expression.as_bytes()).collect();
        // No more than so many steps are answered at once.
        let part = step * 4000;
        let parts = (from..=to).step_by(part as usize).map(|from| (from, (from + part - step).min(to)));
        let mut found = BTreeMap::new();
        for (from, to) in parts {
            let answer =
                self.api(&format!("/api/v1/query_range?query={encoded}&start={from}&end={to}&step={step}"));
            assert_eq!(answer["status"], "success", "{expression}: {answer}");
            let result = answer["data"]["result"].as_array().expect("a result");
            assert!(result.len() <= 1, "{expression} gives {} series", result.len());
            for value in result.iter().flat_map(|series| series["values"].as_array().expect("values")) {
                let number = value[1].as_str().and_then(|text| text.parse().ok());
                found.insert(value[0].as_i64().expect("a time"), number.expect("a number"));
            }
        }
        found
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
        let answer = http::get(self.port, path);
        serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
