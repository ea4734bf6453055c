//! The boards that ship: made from the definitions as they are now, of the shape that Grafana takes, and every question of
//! every panel asked of a real Prometheus that has scraped a shop through a fault and its end.

use crate::support::agent::{Agent, PROGRAM};
use crate::support::http;
use crate::support::judge::python;
use crate::support::postgres;
use crate::support::prometheus::Prometheus;
use crate::support::redis::Redis;
use crate::support::server::{directory, wait_at_most, wait_until};
use regex::Regex;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All boards, by file.
fn boards() -> BTreeMap<String, Value> {
    let entries = std::fs::read_dir(root().join("dashboards")).expect("a folder");
    let files = entries.map(|entry| entry.expect("an entry").path());
    let boards =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).map(|path| {
            let text = std::fs::read_to_string(&path).expect("a file");
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, serde_json::from_str(&text).expect("JSON"))
        });
    let boards: BTreeMap<String, Value> = boards.collect();
    assert!(boards.len() >= 7, "{:?}", boards.keys());
    boards
}

fn list<'a>(value: &'a Value, what: &str) -> &'a [Value] {
    value[what].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, what: &str) -> &'a str {
    value[what].as_str().unwrap_or_default()
}

#[test]
fn what_ships_is_current() {
    let check = Command::new(PROGRAM).current_dir(root()).args(["export", "dashboards", "--check"]).output();
    let output = check.expect("the program");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n`cargo run -- export dashboards` makes them anew");
}

/// What holds for each board, whatever Grafana thinks of it.
#[test]
fn boards_are_whole() {
    let boards = boards();
    let uids: BTreeSet<&str> = boards.values().map(|board| text(board, "uid")).collect();
    assert_eq!(uids.len(), boards.len(), "each has a uid of its own");
    let chosen = Regex::new(r"\$\{?([a-z_]+)").expect("a pattern");
    let linked = Regex::new("/d/([a-z-]+)").expect("a pattern");
    for (file, board) in &boards {
        assert_eq!(text(board, "uid"), format!("atalaya-{}", file.trim_end_matches(".json")));
        assert!(text(board, "uid").len() <= 40 && !text(board, "description").is_empty(), "{file}");
        assert_eq!(board["schemaVersion"], 42);
        let variables: BTreeSet<&str> =
            list(&board["templating"], "list").iter().map(|one| text(one, "name")).collect();
        assert!(variables.contains("datasource") && variables.contains("instance"), "{file}");
        let marked: Vec<&str> =
            list(&board["annotations"], "list").iter().map(|one| text(one, "name")).collect();
        assert_eq!(marked, ["Alerts", "Alerts of Prometheus", "The agent began anew"], "{file}");
        let ways = list(board, "links");
        assert!(
            ways.iter().any(|way| way["tags"] == json!(["atalaya"]) && way["keepTime"] == true),
            "{file}"
        );
        let known = |name: &str| variables.contains(name) || name.starts_with("__");
        let mut taken: BTreeSet<(u64, u64)> = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for panel in list(board, "panels") {
            let title = format!("{file}: {}", text(panel, "title"));
            assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{title}: its id is taken");
            place(panel, &title, &mut taken);
            if text(panel, "type") == "row" {
                continue;
            }
            assert!(!text(panel, "title").is_empty(), "{title}: it has no title");
            assert!(text(panel, "description").len() > 10, "{title}: it does not say what it shows");
            assert!(!list(panel, "targets").is_empty(), "{title}: it asks nothing");
            assert!(!text(&panel["fieldConfig"]["defaults"], "unit").is_empty(), "{title}: it has no unit");
            let told = panel.to_string();
            for found in chosen.captures_iter(&told) {
                assert!(known(&found[1]), "{title}: there is no variable {}", &found[0]);
            }
            for found in linked.captures_iter(&told) {
                assert!(uids.contains(&found[1]), "{title}: there is no board {}", &found[1]);
            }
        }
    }
}

/// Inside of the grid, over nothing else.
fn place(panel: &Value, title: &str, taken: &mut BTreeSet<(u64, u64)>) {
    let of = |name: &str| panel["gridPos"][name].as_u64().expect("a number");
    assert!(of("x") + of("w") <= 24 && of("w") > 0 && of("h") > 0, "{title}: it is outside of the grid");
    for x in of("x")..of("x") + of("w") {
        for y in of("y")..of("y") + of("h") {
            assert!(taken.insert((x, y)), "{title}: it lies over another");
        }
    }
}

/// Grafana's own schemas, where they are: beside the clone, or where `GRAFANA_SCHEMAS` says.
fn schemas() -> Option<PathBuf> {
    let named = std::env::var_os("GRAFANA_SCHEMAS").map(PathBuf::from);
    let beside = ["../shared/data/grafana", "../../shared/data/grafana"].map(|path| root().join(path));
    named.into_iter().chain(beside).find(|path| path.join("dashboard.json").is_file())
}

const VALIDATE: &str = r"
import json, pathlib, sys
from jsonschema import Draft7Validator as Validator

given = json.load(sys.stdin)
folder = pathlib.Path(given['schemas'])

def schema(file, definition):
    whole = json.loads((folder / file).read_text())
    if definition not in whole['definitions']:
        return None
    whole['$ref'] = '#/definitions/' + definition
    # `any` of Grafana's own definition has become an object there, though a series is matched by its name, a text.
    for kind, key in [('MatcherConfig', 'options'), ('DynamicConfigValue', 'value')]:
        if kind in whole['definitions']:
            whole['definitions'][kind]['properties'][key] = {}
    return Validator(whole)

def hold(validator, value, what):
    for error in validator.iter_errors(value) if validator else []:
        print(what, error.json_path, error.message[:300])

board_schema, query = schema('dashboard.json', 'Dashboard'), schema('prometheus.json', 'Dataquery')
for name, board in given['boards'].items():
    hold(board_schema, board, name)
    for panel in board['panels']:
        if panel['type'] == 'row':
            continue
        what = name + ': ' + panel['title']
        file = panel['type'].replace('-', '') + '.json'
        hold(schema(file, 'Options'), panel['options'], what + ' options')
        hold(schema(file, 'FieldConfig'), panel['fieldConfig']['defaults']['custom'], what + ' custom')
        for target in panel['targets']:
            hold(query, target, what + ' ' + target['refId'])
";

#[test]
fn grafana_takes_the_boards() {
    let Some(schemas) = schemas() else {
        eprintln!(
            "NOT HELD against Grafana's schemas: there are none in ../shared/data/grafana; name their folder in GRAFANA_SCHEMAS"
        );
        return;
    };
    let input = json!({ "schemas": schemas, "boards": boards() }).to_string();
    assert_eq!(python(VALIDATE, &input), Ok(String::new()));
}

const WIRED: &str = r"
import json, pathlib, sys, yaml

folder = pathlib.Path(sys.stdin.read())
read = lambda name: yaml.safe_load((folder / name).read_text())
compose, services = read('compose.yaml'), ['atalaya', 'prometheus', 'grafana', 'alertmanager']
assert list(compose['services']) == services, compose
for service in compose['services'].values():
    for mount in service.get('volumes', []):
        source = mount.split(':')[0]
        if source.startswith('.'):
            assert (folder / source).exists(), mount
        else:
            assert source in compose['volumes'], mount
build = compose['services']['atalaya']['build']
assert (folder / build['context'] / build['dockerfile']).is_file(), build
provider = read('provisioning/dashboards/atalaya.yaml')['providers'][0]['options']['path']
assert '.:' + provider + ':ro' in compose['services']['grafana']['volumes'], provider
source = read('provisioning/datasources/prometheus.yaml')['datasources'][0]
# Prometheus shares the agent's network, where callers need no token, and is reached by its name.
assert compose['services']['prometheus']['network_mode'] == 'service:atalaya'
assert source['url'] == 'http://atalaya:9090', source
scraped = read('prometheus.yml')['scrape_configs'][0]['static_configs'][0]['targets']
assert scraped == ['127.0.0.1:9760'] and compose['services']['atalaya']['command'][-1].endswith(':9760'), scraped
";

/// As far as it can be told without starting containers.
#[test]
fn what_is_wired_beside_the_boards_is_well_formed() {
    let folder = root().join("dashboards");
    assert_eq!(python(WIRED, &folder.display().to_string()), Ok(String::new()));
    for (program, args) in [
        ("promtool", ["check", "config", "--syntax-only", "prometheus.yml"].as_slice()),
        ("amtool", ["check-config", "alertmanager.yml"].as_slice()),
    ] {
        let output = Command::new(program).current_dir(&folder).args(args).output().expect("the program");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// What may have no answer in a test of half a minute: a pattern in the question, and why.
const MAY_BE_EMPTY: [(&str, &str); 24] = [
    ("atalaya_alertmanager_up", "nobody tells an Alertmanager here"),
    ("atalaya_dead_mans_switch_pings_total", "there is no dead man's switch here"),
    ("atalaya_alert_muted", "nothing is silenced"),
    (r#"atalaya_alert_state\{alert="slo/"#, "no objective fires within half a minute"),
    (r"atalaya_check_explained\{check=", "not all that checks need has failed"),
    ("atalaya_slo_baseline", "a baseline takes five weeks"),
    ("offset 1d", "nobody watched a day ago"),
    (
        r#"slo:sli_error(_at_least)?:ratio_rate([1-7]d|[0-9]+[mh])\{sloth_id="(business|payments)-"#,
        "what is counted is made up for from four weeks ago on, which reaches today after some minutes",
    ),
    ("atalaya_dns_ttl_seconds", "the demo has no name server"),
    ("certificate_expiry_seconds", "servers here speak plain HTTP and plain Redis"),
    ("atalaya_postgres_dead_tuples_ratio", "the database has no tables"),
    ("atalaya_postgres_pooler_clients_waiting", "there is no pooler"),
    ("atalaya_postgres_replication_lag_seconds", "there is no replica"),
    ("atalaya_resend_daily_quota_used_ratio", "the simulated account has no daily quota"),
    ("atalaya_square_token_expiry_seconds", "the simulated token does not expire"),
    ("atalaya_upstash_rate_limit_blocked_ratio", "only a paid plan of Upstash tells it"),
    ("shop_bad_webhook_signatures_ratio", "under five deliveries an hour there is no share"),
    ("shop_oldest_pending_(webhook|order)_age_seconds", "none may wait just now"),
    ("shop_oldest_write_job_age_seconds", "no job waits"),
    ("shop_recent_payment_failure_ratio", "few customers pay within a quarter of an hour"),
    (r#"source=~"square\|resend""#, "a customer may pay only once within a minute, which is no rate"),
    (
        r#"sloth_id="email-email-delivery""#,
        "an email is counted when its minute is over, and one may pass without any",
    ),
    (r#"check="(domain|mail-server)""#, "there is neither a name server nor a mail server"),
    (r#"check=~?"payments-catalog""#, "the demo has one Square account"),
];

/// Does something at its end, a panic too.
struct Finally<F: Fn()>(F);

impl<F: Fn()> Drop for Finally<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

struct Demo {
    child: Child,
    port: u16,
    token: String,
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Demo {
    fn start(database: &str) -> Demo {
        let home = directory("boards-demo");
        let file = |name: &str| std::fs::File::create(home.join(name)).expect("a file");
        let child = Command::new(PROGRAM)
            .args(["demo", "--listen", "127.0.0.1:0", "--database", database])
            .env("TMPDIR", &home)
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("log"))
            .spawn()
            .expect("the program");
        let mut demo = Demo { child, port: 0, token: String::new() };
        let printed = || std::fs::read_to_string(home.join("out")).unwrap_or_default();
        wait_until("the welcome", Some(&home.join("log")), || printed().contains("Ctrl-C ends it."));
        let welcome = printed();
        let after =
            |mark: &str| welcome.split(mark).nth(1).and_then(|rest| rest.split(['/', '\'', '\n']).next());
        demo.port = after("http://127.0.0.1:").and_then(|port| port.parse().ok()).expect("a port");
        after("Bearer ").expect("a token").clone_into(&mut demo.token);
        demo
    }

    fn switch(&self, fault: &str, on: bool) {
        let headers = format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n", self.token);
        let body = json!({ "on": on }).to_string();
        let answer = http::send(self.port, "POST", &format!("/faults/{fault}"), &headers, &body);
        assert_eq!(answer.status, 200, "{fault}: {answer:?}");
    }
}

/// Agents, and the Prometheus that has seen them.
struct World {
    prometheus: Prometheus,
    /// The demo first.
    instances: Vec<String>,
    began: i64,
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs().cast_signed()
}

impl World {
    /// Whether there was an answer at any time since it began, for any agent.
    fn answers(&self, expr: &str) -> bool {
        self.instances.iter().any(|instance| {
            let expr = expr
                .replace("$instance", instance)
                .replace("$__rate_interval", "30s")
                .replace("$__range", "5m");
            self.prometheus.has_data(&expr, self.began, now(), 1)
        })
    }
}

/// Every question as (where it stands, the question), each once.
fn questions() -> BTreeMap<String, String> {
    let mut questions = BTreeMap::new();
    let label_values = Regex::new(r"^label_values\((.*), ([a-z_]+)\)$").expect("a pattern");
    for (file, board) in boards() {
        let mut ask = |expr: &str, place: String| {
            questions.entry(expr.to_owned()).or_insert(place);
        };
        for panel in list(&board, "panels") {
            for target in list(panel, "targets") {
                ask(text(target, "expr"), format!("{file}: {}", text(panel, "title")));
            }
        }
        for annotation in list(&board["annotations"], "list") {
            ask(text(annotation, "expr"), format!("{file}: annotation {}", text(annotation, "name")));
        }
        for variable in list(&board["templating"], "list").iter().filter(|one| text(one, "type") == "query") {
            let definition = text(variable, "definition");
            let found = label_values.captures(definition).expect("label_values");
            ask(
                &format!("count by ({}) ({})", &found[2], &found[1]),
                format!("{file}: ${}", text(variable, "name")),
            );
        }
    }
    questions
}

/// The checks for which the demo has no server.
fn servers(database: &str, redis: &Redis) -> Agent {
    let hurried = |file: &str| {
        let text = std::fs::read_to_string(root().join("checks").join(file)).expect("a file");
        let every = Regex::new("every = \"[0-9]+[smh]\"").expect("a pattern");
        every.replace_all(&text, "every = \"5s\"").replace("timeout = \"10s\"", "timeout = \"4s\"")
    };
    let files = [
        ("database", hurried("database.toml")),
        ("cache", hurried("cache.toml")),
        ("network", hurried("network.toml")),
        (
            "jobs",
            std::fs::read_to_string(root().join("checks/jobs.toml"))
                .expect("a file")
                .replace("\"1m\"", "\"5s\""),
        ),
        ("traffic", hurried("traffic.toml")),
    ];
    let environment = [
        ("DATABASE_URL", database.to_owned()),
        ("DIRECT_DATABASE_URL", database.to_owned()),
        ("REDIS_URL", redis.url("", "")),
        ("ATALAYA_INGEST_TOKEN", "of-whoever-tells-of-the-shop".to_owned()),
        ("MONITORING_PLUGINS", "/usr/lib/nagios/plugins".to_owned()),
    ];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let promises = std::fs::read_to_string(root().join("alerts/promises.toml")).expect("a file");
    let mine =
        promises.split("[[slo]]").find(|one| one.contains("\"database-response-time\"")).expect("a promise");
    Agent::start_alerting("boards-servers", &files, &format!("[[slo]]{mine}"), &environment)
}

impl World {
    fn sees(&self, expr: &str) -> bool {
        self.prometheus.query(expr).is_some()
    }

    /// What a shop says by itself, told to this agent: each second, so that there are rates.
    fn tell(servers: &Agent) {
        let headers = "Authorization: Bearer of-whoever-tells-of-the-shop\r\n";
        let lines = [
            r#"{"event":"api_call","method":"GET","route":"/","status":200,"duration_ms":12}"#,
            r#"{"event":"api_call","method":"POST","route":"/api/checkout","status":503,"duration_ms":900}"#,
            r#"{"event":"db_query","query":"select * from orders where id = 5","duration_ms":150}"#,
            r#"{"event":"order_completed"}"#,
        ];
        let answer = http::send(servers.port, "POST", "/api/v1/events", headers, &lines.join("\n"));
        assert_eq!(answer.status, 202, "{answer:?}");
    }

    /// A fault, told by the agents and by Prometheus, and its end.
    fn suffer(&self, demo: &Demo) {
        wait_until("the shop to be seen", None, || self.sees("atalaya_check_up{check=\"site\"} == 1"));
        for fault in ["site-down", "inventory-out", "requests-fail"] {
            demo.switch(fault, true);
        }
        wait_until("the agent to tell", None, || {
            self.sees("atalaya_alert_state{alert=\"check/site\",state=\"firing\"}")
        });
        wait_until("Prometheus to tell", None, || {
            self.sees("ALERTS{alertstate=\"firing\",check=\"inventory\"}")
        });
        // What customers meet is counted when its minute is over.
        wait_at_most(120, "the budget to burn", None, || {
            self.sees("atalaya_slo_burn_rate{slo=\"error-rate\",window=\"1h\"} > 0")
        });
        for fault in ["site-down", "inventory-out", "requests-fail"] {
            demo.switch(fault, false);
        }
        wait_until("the shop to be well again", None, || self.sees("atalaya_check_up{check=\"site\"} == 1"));
    }

    /// What Prometheus records is what the agent says of itself.
    fn records_agree(&self) {
        for (record, own) in [
            (
                "slo:period_error_budget_remaining:ratio",
                "atalaya_slo_error_budget_remaining_ratio{slo=\"SLO\"}",
            ),
            ("slo:current_burn_rate:ratio", "atalaya_slo_burn_rate{slo=\"SLO\",window=\"5m\"}"),
            ("slo:period_burn_rate:ratio", "atalaya_slo_burn_rate{slo=\"SLO\",window=\"28d\"}"),
        ] {
            for slo in ["error-rate", "response-time"] {
                let own = own.replace("SLO", slo);
                let same = format!("abs(sum({record}{{sloth_slo=\"{slo}\"}}) - sum({own})) < 1e-9");
                wait_until(&same, None, || self.sees(&same));
            }
        }
    }
}

/// What rules are made from, each series once; and no rule may have an error.
fn of_rules(world: &World) -> BTreeMap<String, String> {
    let rules = world.prometheus.rules();
    assert!(rules.len() > 300, "only {} rules", rules.len());
    let selector =
        Regex::new(r"[a-z_:]+[a-z0-9_:]*\{[^}]*\}( offset 1d)?|\b(atalaya|process)_[a-z_]+\b( offset 1d)?")
            .expect("a pattern");
    let mut parts = BTreeMap::new();
    for (query, error) in &rules {
        assert_eq!(error, "", "{query}");
        for part in selector.find_iter(query) {
            parts.insert(part.as_str().to_owned(), format!("a rule: {query}"));
        }
    }
    parts
}

#[test]
fn every_question_has_an_answer() {
    let database = postgres::database("boards");
    postgres::query(&database, "create extension if not exists pg_stat_statements");
    let redis = Redis::start(&["--maxmemory", "100mb"]);
    let demo = Demo::start(&database);
    let servers = servers(&database, &redis);
    let began = now();
    let rules = root().join("alerts/prometheus");
    let prometheus = Prometheus::with_rules("boards-prometheus", &[demo.port, servers.port], &rules);
    let instances = [demo.port, servers.port].map(|port| format!("127.0.0.1:{port}"));
    let world = World { prometheus, instances: instances.into(), began };
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                World::tell(&servers);
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        // Whatever becomes of it, nobody waits for ever for who tells.
        let _end = Finally(|| done.store(true, Ordering::Relaxed));
        world.suffer(&demo);
        world.records_agree();
    });

    let mut questions = questions();
    questions.extend(of_rules(&world));
    let may_be_empty = MAY_BE_EMPTY
        .map(|(pattern, why)| (Regex::new(pattern).unwrap_or_else(|error| panic!("{error}")), why));
    let mut silent = Vec::new();
    for (expr, place) in &questions {
        // A board shows one check and one objective at a time: these have what there can be.
        let checks = "check=~\"site|database|payments|cache|email|sales\"";
        let filled = expr.replace("check=\"$check\"", checks).replace("$slo", "error-rate");
        if !world.answers(&filled) && !may_be_empty.iter().any(|(pattern, _)| pattern.is_match(expr)) {
            silent.push(format!("{place}\n    {}", expr.replace('\n', "\n    ")));
        }
    }
    assert!(silent.is_empty(), "{} questions without an answer:\n{}", silent.len(), silent.join("\n"));
    for (pattern, why) in &may_be_empty {
        assert!(
            questions.keys().any(|expr| pattern.is_match(expr)),
            "nobody asks {pattern} any more ({why})"
        );
    }
}
