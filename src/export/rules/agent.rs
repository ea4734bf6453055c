//! Alerts on the agent itself. Of these only Prometheus can tell that it is gone.

use super::proof::Proof;
use super::rule::{Alert, Group, Labels, Words, labels};
use crate::alert::Severity;
use crate::alert::Severity::{Page, Ticket};
use std::time::Duration;

/// One rule, as it is told here.
struct Told {
    name: &'static str,
    severity: Severity,
    expr: &'static str,
    holds: Duration,
    summary: &'static str,
    description: &'static str,
    /// A series of the proof, its values, and the labels that the alert has from it.
    proof: &'static [(&'static str, &'static str)],
    labels: &'static [(&'static str, &'static str)],
    value: &'static str,
}

const NOW: Duration = Duration::ZERO;
const SOON: Duration = Duration::from_mins(2);
const LATER: Duration = Duration::from_mins(5);

/// One group: who watches the watcher.
pub fn groups() -> Vec<Group> {
    let alerts = ALL.iter().map(alert).collect();
    vec![Group { name: "atalaya-agent".to_owned(), records: Vec::new(), alerts, proof: None }]
}

fn alert(told: &Told) -> Alert {
    let pairs = told.labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let series = told.proof.iter().map(|(series, values)| ((*series).to_owned(), (*values).to_owned()));
    Alert {
        name: told.name,
        severity: told.severity,
        expr: told.expr.to_owned(),
        holds: told.holds,
        keeps: Duration::ZERO,
        labels: labels([("section", "agent")]),
        words: Words {
            summary: told.summary.to_owned(),
            description: told.description.to_owned(),
            runbook: None,
        },
        proof: Proof {
            series: series.collect(),
            rests: vec![9],
            fires: 30,
            labels: pairs.collect::<Labels>(),
            value: told.value.to_owned(),
        },
    }
}

const ALL: [Told; 17] = [
    Told {
        name: "AtalayaAbsent",
        severity: Page,
        expr: "absent(atalaya_build_info)",
        holds: SOON,
        summary: "Nobody watches the shop: the agent is gone",
        description: "Prometheus has had no answer from any agent for two minutes, so no check is run and nobody is told of anything. Start it; its log says why it ended.",
        proof: &[("atalaya_build_info{version=\"1\"}", "1x10 _x30")],
        labels: &[],
        value: "",
    },
    Told {
        name: "AtalayaNotJudging",
        severity: Page,
        expr: "time() - atalaya_last_evaluation_timestamp_seconds > 120",
        holds: NOW,
        summary: "The agent does not judge any more",
        description: "Objectives and alerts were last judged {{ $value | humanizeDuration }} ago instead of every 15 s: nothing that begins now is told. Restart it, and tell us.",
        proof: &[(
            "atalaya_last_evaluation_timestamp_seconds",
            "0 60 120 180 240 300 360 420 480 540 600x30",
        )],
        labels: &[],
        value: "20m 0s",
    },
    Told {
        name: "AtalayaUnwell",
        severity: Ticket,
        expr: "atalaya_self_well == 0",
        holds: SOON,
        summary: "A part of the agent is not well: {{ $labels.part }}",
        description: "It says so itself, and tells its dead man's switch too. `runner`: checks are not run; `judge`: they are not judged; `store`: nothing is written; `pages`: a page is not delivered; `clock`: the time can't be right.",
        proof: &[("atalaya_self_well{part=\"store\"}", "1x10 0x30")],
        labels: &[("part", "store")],
        value: "",
    },
    Told {
        name: "AtalayaMessagesWait",
        severity: Page,
        expr: "atalaya_notification_oldest_pending_seconds > 300",
        holds: NOW,
        summary: "The agent's messages don't get through",
        description: "The oldest message has waited for {{ $value | humanizeDuration }}. Whoever should know of it may not: look at `atalaya alerts`.",
        proof: &[("atalaya_notification_oldest_pending_seconds", "0x10 301x30")],
        labels: &[],
        value: "5m 1s",
    },
    Told {
        name: "AtalayaMessagesLost",
        severity: Ticket,
        expr: "sum by (instance, channel) (increase(atalaya_notifications_total{result=~\"refused|expired\"}[30m])) > 0",
        holds: NOW,
        summary: "Messages through {{ $labels.channel }} were refused or given up",
        description: "The channel does not take what it is sent: a key that is no more, an address that is wrong. `atalaya notify test` tries it.",
        proof: &[(
            "atalaya_notifications_total{channel=\"slack\",kind=\"firing\",result=\"refused\"}",
            "0x20 1x20",
        )],
        labels: &[("channel", "slack")],
        value: "",
    },
    Told {
        name: "AtalayaChannelDown",
        severity: Ticket,
        expr: "atalaya_notification_channel_up == 0",
        holds: LATER,
        summary: "The channel {{ $labels.channel }} does not deliver",
        description: "Messages go through the contact's next channel as long as there is one. `atalaya notify test` tries it.",
        proof: &[("atalaya_notification_channel_up{channel=\"mail\"}", "1x10 0x30")],
        labels: &[("channel", "mail")],
        value: "",
    },
    Told {
        name: "AtalayaNoChannelUp",
        severity: Page,
        expr: "max by (instance) (atalaya_notification_channel_up) == 0",
        holds: SOON,
        summary: "No channel of the agent delivers",
        description: "Whatever fires now reaches nobody but through Prometheus.",
        proof: &[
            ("atalaya_notification_channel_up{channel=\"mail\"}", "0x40"),
            ("atalaya_notification_channel_up{channel=\"slack\"}", "1x10 0x30"),
        ],
        labels: &[],
        value: "",
    },
    Told {
        name: "AtalayaAlertmanagerDown",
        severity: Ticket,
        expr: "atalaya_alertmanager_up == 0",
        holds: LATER,
        summary: "An Alertmanager does not take the agent's alerts",
        description: "Channel {{ $labels.channel }}: one of its instances refuses or is silent; the agent goes on trying.",
        proof: &[("atalaya_alertmanager_up{channel=\"alertmanager\"}", "1x10 0x30")],
        labels: &[("channel", "alertmanager")],
        value: "",
    },
    Told {
        name: "AtalayaStoreDown",
        severity: Page,
        expr: "atalaya_store_up == 0",
        holds: SOON,
        summary: "The agent can't write what it knows",
        description: "Its file is full, locked or broken. Checks and alerts go on from memory; a restart now would forget what is open and tell it anew.",
        proof: &[("atalaya_store_up", "1x10 0x30")],
        labels: &[],
        value: "",
    },
    Told {
        name: "AtalayaRowsLost",
        severity: Ticket,
        expr: "increase(atalaya_store_given_up_rows_total[30m]) > 0",
        holds: NOW,
        summary: "The agent has given up what it could not write",
        description: "The store was away for so long that too much waited: histories and counts of that time are lost.",
        proof: &[("atalaya_store_given_up_rows_total", "0x20 5x20")],
        labels: &[],
        value: "",
    },
    Told {
        name: "AtalayaIngestDown",
        severity: Ticket,
        expr: "atalaya_ingest_up == 0",
        holds: SOON,
        summary: "What the shop says can't be written down",
        description: "The inbox beside the store is full, locked or broken: spans, events, webhooks and heartbeats are refused. Senders try again for a while; what they give up is not known, and objectives on requests stand still.",
        proof: &[("atalaya_ingest_up", "1x10 0x30")],
        labels: &[],
        value: "",
    },
    Told {
        name: "AtalayaIngestFull",
        severity: Ticket,
        expr: "sum by (instance, kind) (increase(atalaya_ingest_requests_total{result=\"full\"}[15m])) > 0",
        holds: LATER,
        summary: "More {{ $labels.kind }} is sent than can be taken",
        description: "Some of it was refused for lack of room, and its sender told to come again. The disk is slow, or somebody sends far more than the shop does.",
        proof: &[("atalaya_ingest_requests_total{kind=\"otlp\",result=\"full\"}", "0x10 5+5x30")],
        labels: &[("kind", "otlp")],
        value: "",
    },
    Told {
        name: "AtalayaLettersAside",
        severity: Ticket,
        expr: "sum by (instance) (increase(atalaya_letters_total{result=\"aside\"}[30m])) > 0",
        holds: NOW,
        summary: "A vendor's letters could not be worked through",
        description: "They lie aside, and what they tell of payments or emails is not counted. `/ops/traffic` shows them with the reason, has them tried again, or puts them away.",
        proof: &[("atalaya_letters_total{result=\"aside\"}", "0x20 2x20")],
        labels: &[],
        value: "",
    },
    Told {
        name: "AtalayaRunsDropped",
        severity: Ticket,
        expr: "sum by (instance) (increase(atalaya_dropped_runs_total[30m]))\n> 0.01 * sum by (instance) (increase(atalaya_check_runs_total[30m]))",
        holds: LATER,
        summary: "Checks that were due did not run",
        description: "More than one run of a hundred was dropped in half an hour. `missed`: the machine was stalled or suspended; `overlap`: runs take longer than their interval; `full`: too many at once.",
        proof: &[
            ("atalaya_dropped_runs_total{why=\"missed\"}", "0x10 1+1x30"),
            ("atalaya_check_runs_total{check=\"site\",section=\"site\",result=\"ok\"}", "0+10x40"),
        ],
        labels: &[],
        value: "",
    },
    Told {
        name: "AtalayaReloadFailed",
        severity: Ticket,
        expr: "atalaya_reload_last_successful == 0",
        holds: LATER,
        summary: "The definitions in the files are not those in force",
        description: "They were changed and have a mistake, so the agent goes on with the old ones. `atalaya validate` tells where.",
        proof: &[("atalaya_reload_last_successful", "1x10 0x30")],
        labels: &[],
        value: "",
    },
    Told {
        name: "AtalayaDeadMansSwitchSilent",
        severity: Ticket,
        expr: "sum by (instance) (increase(atalaya_dead_mans_switch_pings_total{result=\"failed\"}[15m])) > 0\nunless\nsum by (instance) (increase(atalaya_dead_mans_switch_pings_total{result=\"taken\"}[15m])) > 0",
        holds: LATER,
        summary: "The dead man's switch can't be reached",
        description: "None of the agent's pings was taken for 15 minutes. Its watcher is about to say that the agent is dead, or can't say it any more.",
        proof: &[
            ("atalaya_dead_mans_switch_pings_total{signal=\"well\",result=\"taken\"}", "0+1x10 10x30"),
            ("atalaya_dead_mans_switch_pings_total{signal=\"well\",result=\"failed\"}", "0x10 1+1x30"),
        ],
        labels: &[],
        value: "",
    },
    Told {
        name: "AtalayaRestartsOften",
        severity: Ticket,
        expr: "changes(process_start_time_seconds[1h]) > 3\nand on (instance, job)\natalaya_build_info",
        holds: NOW,
        summary: "The agent restarts again and again",
        description: "{{ $value }} restarts within an hour; its log and its service manager say why.",
        proof: &[
            ("atalaya_build_info{version=\"1\"}", "1x40"),
            ("process_start_time_seconds", "0x10 1 2 3 4 5x30"),
        ],
        labels: &[],
        value: "5",
    },
];
