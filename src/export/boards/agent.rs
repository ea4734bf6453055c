//! The agent itself: whether it looks, judges, remembers and tells, and what it costs.

use super::board::Board;
use super::measure;
use super::panel::{Kind, Panel};
use super::section::AGENT;
use super::status::timeline;
use crate::config::Plan;

const MINE: &str = "instance=\"$instance\"";

pub fn board(plan: &Plan) -> Board {
    let description = "Who watches the watcher: whether the agent looks, judges, remembers and tells. Made by `atalaya export dashboards`.";
    let mut board = Board::new(AGENT, "Atalaya: the agent itself", description);
    board.row("Is it well", well());
    board.row("Does it look", looks());
    board.row("Does it tell", tells());
    board.row("Does it remember", remembers());
    let mine: Vec<_> = plan.checks.iter().filter(|check| check.section == AGENT).collect();
    let own = measure::panels(&mine, &plan.alerting.objectives);
    let mut machine = vec![];
    if !mine.is_empty() {
        machine.push(timeline("Its machine", &format!("section=\"{AGENT}\", ")));
    }
    machine.extend(own);
    machine.extend(costs());
    board.row("What it costs", machine);
    board
}

fn well() -> Vec<Panel> {
    let parts = [(0.0, "not well", "red"), (1.0, "well", "green")];
    let stat = |title: &str, description: &str, unit: &'static str, expr: &str| {
        Panel::stat(title, description)
            .unit(unit)
            .ask(format!("{expr}{{{MINE}}}"), title)
            .thresholds([(None, "text")])
    };
    vec![
        Panel::tiles("Parts", "What it says of itself; the dead man's switch is told when all are well.")
            .sized(8, 5)
            .ask_now(format!("atalaya_self_well{{{MINE}}}"), "{{part}}")
            .mapped(&parts)
            .thresholds([(None, "red"), (Some(1.0), "green")])
            .or_else("no agent answers"),
        Panel::tiles("Judged", "How long ago it judged last; it does so every 15 s.")
            .sized(4, 5)
            .unit("s")
            .ask_now(format!("time() - atalaya_last_evaluation_timestamp_seconds{{{MINE}}}"), "ago")
            .thresholds([(None, "green"), (Some(60.0), "orange"), (Some(120.0), "red")]),
        Panel::tiles("Definitions", "Whether the definitions in force are those in the files.")
            .sized(4, 5)
            .ask_now(format!("atalaya_reload_last_successful{{{MINE}}}"), "")
            .mapped(&[(0.0, "a mistake", "red"), (1.0, "in force", "green")])
            .thresholds([(None, "red"), (Some(1.0), "green")]),
        stat("Checks", "How many checks run.", "short", "atalaya_checks").sized(2, 5),
        stat("Skipped", "Checks that are defined and don't run: a variable is not set.", "short", "atalaya_checks_skipped").sized(2, 5),
        Panel::tiles("Running for", "Since when; `version` says what.")
            .sized(4, 5)
            .unit("s")
            .thresholds([(None, "text")])
            .ask_now(format!("(time() - process_start_time_seconds{{{MINE}}}) * on (instance, job) group_left (version) atalaya_build_info{{{MINE}}}"), "{{version}}"),
        Panel::new(Kind::Timeline, "Parts over time", "Which part was not well, and when.")
            .sized(24, 6)
            .ask(format!("atalaya_self_well{{{MINE}}}"), "{{part}}")
            .mapped(&parts)
            .thresholds([(None, "red"), (Some(1.0), "green")]),
    ]
}

fn looks() -> Vec<Panel> {
    let lag = |quantile: f64| {
        format!(
            "histogram_quantile({quantile}, sum by (le) (rate(atalaya_schedule_lag_seconds_bucket{{{MINE}}}[$__rate_interval])))"
        )
    };
    vec![
        Panel { kind: Kind::Lines { filled: true }, ..Panel::lines("Runs by what they found", "Each minute, of all checks.") }
            .ask(format!("60 * sum by (result) (rate(atalaya_check_runs_total{{{MINE}}}[$__rate_interval]))"), "{{result}}"),
        Panel::lines("Runs that were due and did not happen", "`missed`: the machine stood still; `overlap`: runs take longer than their interval; `full`: too many at once. Each leaves its check unknown until the next.")
            .thresholds([(None, "green"), (Some(0.1), "red")])
            .ask(format!("60 * rate(atalaya_dropped_runs_total{{{MINE}}}[$__rate_interval])"), "{{why}}"),
        Panel::lines("How late runs begin", "Behind when they are due; never booked as the target's slowness.")
            .unit("s")
            .thresholds([(None, "green"), (Some(1.0), "orange")])
            .ask(lag(0.5), "P50")
            .ask(lag(0.99), "P99"),
        Panel::new(Kind::Heatmap, "How late, all runs", "A band that rises: the machine has too much to do.")
            .ask(format!("sum by (le) (increase(atalaya_schedule_lag_seconds_bucket{{{MINE}}}[$__rate_interval]))"), "{{le}}"),
        Panel::lines("Under way", "Runs that have begun and not ended, and events that wait for the loop.")
            .ask(format!("atalaya_runs_under_way{{{MINE}}}"), "runs")
            .ask(format!("atalaya_events_waiting{{{MINE}}}"), "events"),
        Panel::lines("Refused and lost", "Requests refused because too many were under way, and lines of the log that could not be written.")
            .ask(format!("60 * rate(atalaya_http_refused_total{{{MINE}}}[$__rate_interval])"), "requests")
            .ask(format!("60 * rate(atalaya_log_lines_dropped_total{{{MINE}}}[$__rate_interval])"), "lines"),
    ]
}

fn tells() -> Vec<Panel> {
    vec![
        Panel::lines("The oldest message that waits", "0 when none waits. Whoever should know of it does not know yet.")
            .unit("s")
            .between(0.0, None)
            .thresholds([(None, "green"), (Some(60.0), "orange"), (Some(300.0), "red")])
            .ask(format!("atalaya_notification_oldest_pending_seconds{{{MINE}}}"), "waits"),
        Panel::new(Kind::Timeline, "Channels", "Which delivered, and when it did not.")
            .ask(format!("atalaya_notification_channel_up{{{MINE}}}"), "{{channel}}")
            .ask(format!("atalaya_alertmanager_up{{{MINE}}}"), "{{channel}} {{exported_instance}}")
            .mapped(&[(0.0, "down", "red"), (1.0, "up", "green")])
            .thresholds([(None, "red"), (Some(1.0), "green")]),
        Panel::lines("Messages", "By what became of them, over what is shown.")
            .ask(format!("sum by (channel, result) (increase(atalaya_notifications_total{{{MINE}}}[$__range]))"), "{{channel}}: {{result}}"),
        Panel::lines("How long a delivery takes", "P95 of tries, by channel.")
            .unit("s")
            .ask(format!("histogram_quantile(0.95, sum by (le, channel) (increase(atalaya_notification_attempt_duration_seconds_bucket{{{MINE}}}[$__range])))"), "{{channel}}"),
        Panel::lines("Dead man's switch", "Pings that were taken and that failed, each minute.")
            .ask(format!("60 * sum by (signal, result) (rate(atalaya_dead_mans_switch_pings_total{{{MINE}}}[$__rate_interval]))"), "{{signal}}: {{result}}")
            .or_else("it has none"),
        Panel::lines("Alerts", "That fire, by how much they matter.")
            .ask(format!("count by (severity) (atalaya_alert_state{{{MINE}, state=\"firing\"}})"), "{{severity}}")
            .ask(format!("count(atalaya_alert_muted{{{MINE}}})"), "muted")
            .or_else("none"),
    ]
}

fn remembers() -> Vec<Panel> {
    let write = |quantile: f64| {
        format!(
            "histogram_quantile({quantile}, sum by (le) (rate(atalaya_store_write_duration_seconds_bucket{{{MINE}}}[$__rate_interval])))"
        )
    };
    vec![
        Panel::new(
            Kind::Timeline,
            "Store",
            "Whether it takes what is written to it. Without it everything goes on from memory.",
        )
        .ask(format!("atalaya_store_up{{{MINE}}}"), "store")
        .mapped(&[(0.0, "down", "red"), (1.0, "up", "green")])
        .thresholds([(None, "red"), (Some(1.0), "green")]),
        Panel::lines("How long writing takes", "Transactions of the store, those that failed too.")
            .unit("s")
            .ask(write(0.5), "P50")
            .ask(write(0.99), "P99"),
        Panel::lines("Rows that wait, and rows lost", "They are lost only when the store is away for long.")
            .ask(format!("atalaya_store_waiting_rows{{{MINE}}}"), "wait")
            .ask(format!("atalaya_store_given_up_rows_total{{{MINE}}}"), "lost"),
        Panel::lines("Writes", "Transactions each minute, by result.")
            .ask(format!("60 * rate(atalaya_store_writes_total{{{MINE}}}[$__rate_interval])"), "{{result}}"),
        Panel::lines("Size of the store", "The file with its log.")
            .unit("bytes")
            .between(0.0, None)
            .ask(format!("atalaya_store_size_bytes{{{MINE}}}"), "size"),
        Panel::lines("Reloads", "Times that the definitions were read again, by result.")
            .ask(format!("atalaya_reloads_total{{{MINE}}}"), "{{result}}"),
    ]
}

fn costs() -> Vec<Panel> {
    vec![
        Panel::lines("Memory", "What the process holds.")
            .unit("bytes")
            .between(0.0, None)
            .ask(format!("process_resident_memory_bytes{{{MINE}}}"), "resident"),
        Panel::lines("Processor", "Seconds of a core for each second.")
            .unit("percentunit")
            .between(0.0, None)
            .ask(format!("rate(process_cpu_seconds_total{{{MINE}}}[$__rate_interval])"), "cores"),
        Panel::lines("Open files", "Connections among them; the limit is where runs are dropped.")
            .between(0.0, None)
            .ask(format!("process_open_fds{{{MINE}}}"), "open")
            .ask(format!("process_threads{{{MINE}}}"), "threads"),
    ]
}
