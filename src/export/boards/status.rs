//! Panels about how checks are, which several boards share.

use super::panel::{Kind, Panel};

/// Numbers that stand for a status on boards, the worse the larger.
pub const STATUSES: [(f64, &str, &str); 4] =
    [(0.0, "ok", "green"), (1.0, "unknown", "#8F8F8F"), (2.0, "degraded", "orange"), (3.0, "failed", "red")];

/// The colours of the same.
pub const COLOURS: [(Option<f64>, &str); 4] =
    [(None, "green"), (Some(1.0), "#8F8F8F"), (Some(2.0), "orange"), (Some(3.0), "red")];

/// The worst status of some checks, by some of their labels. `which` ends with a comma where it says something.
pub fn worst(by: &str, which: &str) -> String {
    let of =
        |status: &str| format!("atalaya_check_status{{{which}instance=\"$instance\", status=\"{status}\"}}");
    let (failed, degraded) = (of("failed"), of("degraded"));
    let (unknown, ok) = (of("unknown"), of("ok"));
    let by = if by.is_empty() { String::new() } else { format!(" by ({by})") };
    format!("max{by} (\n  3 * {failed}\n  or 2 * {degraded}\n  or {unknown}\n  or 0 * {ok}\n)")
}

/// Every check as a tile.
pub fn tiles(title: &str, which: &str) -> Panel {
    Panel::tiles(title, "The status of the last run of each check. Unknown is neither up nor down: nobody looked, or the agent itself was the trouble.")
        .ask_now(worst("check", which), "{{check}}")
        .mapped(&STATUSES)
        .thresholds(COLOURS)
}

/// How it was over time.
pub fn timeline(title: &str, which: &str) -> Panel {
    Panel::new(
        Kind::Timeline,
        title,
        "Which check was how, and for how long. What began first is often the cause: a check that needs another is drawn with it, but told only once.",
    )
    .ask(worst("check", which), "{{check}}")
    .mapped(&STATUSES)
    .thresholds(COLOURS)
}

/// Quantiles of one check's good runs, as the agent has them: exact to 0.1 %, of one check of one agent, never averaged.
pub fn quantiles(check: &str, title: &str, description: &str) -> Panel {
    let of = |percentile: &str| {
        format!(
            "atalaya_check_duration_quantile_seconds{{check=\"{check}\", instance=\"$instance\", percentile=\"{percentile}\", result=\"good\", window=\"5m\"}}"
        )
    };
    let panel = Panel::lines(title, description).unit("s").between(0.0, None);
    ["50", "95", "99"]
        .into_iter()
        .fold(panel, |panel, percentile| panel.ask(of(percentile), format!("P{percentile}")))
}

/// Where the time of one check goes: a heatmap of its runs, quantiles over it, the phases of the last run, how it ends.
pub fn durations(check: &str) -> Vec<Panel> {
    let which = format!("check=\"{check}\", instance=\"$instance\"");
    vec![
        Panel::new(Kind::Heatmap, format!("How long {check} takes"), "Runs by how long they took, good ones and failed ones. Two bands mean two causes; one that rises means a target that gets slower.")
            .ask(format!("sum by (le) (increase(atalaya_check_duration_seconds_bucket{{{which}}}[$__rate_interval]))"), "{{le}}")
            .unit("short"),
        quantiles(check, "Quantiles, good runs of 5 minutes", "From the agent's own histograms, exact to 0.1 %. Half of the runs take at most P50, one of a hundred more than P99."),
        Panel { kind: Kind::Lines { filled: true }, ..Panel::lines("Phases of the last run", "Where the time goes: finding the name, connecting, TLS, waiting for the first byte, the query itself.") }
            .unit("s")
            .ask(format!("atalaya_check_phase_seconds{{{which}}}"), "{{phase}}"),
        Panel::lines("Quantiles over what is shown", "The same from Prometheus' buckets, summed and then asked: for the time that this board shows, not for the last 5 minutes.")
            .unit("s")
            .ask(format!("histogram_quantile(0.5, sum by (le) (increase(atalaya_check_duration_seconds_bucket{{{which}, result=\"good\"}}[$__range])))"), "P50")
            .ask(format!("histogram_quantile(0.95, sum by (le) (increase(atalaya_check_duration_seconds_bucket{{{which}, result=\"good\"}}[$__range])))"), "P95"),
        Panel::lines("Failed runs", "The share of runs that failed, of those whose result is known.")
            .unit("percentunit")
            .between(0.0, 1.0)
            .ask(format!("atalaya_check_error_ratio{{{which}, window=\"5m\"}}"), "5 minutes")
            .ask(format!("atalaya_check_error_ratio{{{which}, window=\"1h\"}}"), "1 hour"),
        Panel::lines("Runs", "What runs found, each minute.")
            .ask(format!("60 * rate(atalaya_check_runs_total{{{which}}}[$__rate_interval])"), "{{result}}")
            .ask(format!("60 * rate(atalaya_check_dropped_runs_total{{{which}}}[$__rate_interval])"), "dropped"),
    ]
}
