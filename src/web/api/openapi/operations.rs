//! Every operation, as a row of the table.

use super::{For, Operation, Shape};
use crate::fact::Silence;
use crate::view::heard::Span;
use crate::web::api::alerting::{By, NewAcknowledgement, NewSilence};
use crate::web::api::shape::{
    AlertShape, CheckShape, ChecksShape, DoneShape, EpisodeShape, HeartbeatShape, LettersShape,
    ObjectiveShape, StatusShape, TrafficShape,
};
use crate::web::api::traffic::Seen;
use crate::web::ingest::TakenShape;
use schemars::{JsonSchema, Schema, SchemaGenerator};

const JSON: &str = "application/json";
const TEXT: &str = "text/plain";
const LINES: &str = "application/x-ndjson";

fn any(_: &mut SchemaGenerator) -> Schema {
    // The names of the health report are those of its readers, and its sections are those of the definitions.
    schemars::json_schema!({ "type": "object", "required": ["status", "checks", "business", "performance"] })
}

fn text(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({ "type": "string" })
}

/// The sender's own word for a batch.
fn key(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({ "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$" })
}

/// What reads.
const fn get<T: JsonSchema>(path: &'static str, about: &'static str) -> Operation {
    read(path, about, SchemaGenerator::subschema_for::<T>)
}

const fn read(path: &'static str, about: &'static str, gives: Shape) -> Operation {
    Operation {
        method: "get",
        path,
        about,
        who: For::Private,
        takes: None,
        may_have: &[],
        good: 200,
        gives: (JSON, gives),
        more: &[],
    }
}

/// What changes something.
const fn change<T: JsonSchema>(method: &'static str, path: &'static str, about: &'static str) -> Operation {
    Operation { method, who: For::Operators, ..get::<T>(path, about) }
}

impl Operation {
    const fn takes<T: JsonSchema>(self) -> Operation {
        Operation { takes: Some((JSON, SchemaGenerator::subschema_for::<T>)), ..self }
    }

    const fn or(self, more: &'static [u16]) -> Operation {
        Operation { more, ..self }
    }
}

/// A job tells that it is done.
const fn heartbeat(method: &'static str) -> Operation {
    Operation {
        method,
        who: For::Senders,
        gives: (TEXT, text),
        ..read(
            "/heartbeat/{job}",
            "A job tells that it is done; with `/start`, `/fail` or an exit code behind it, that",
            text,
        )
    }
    .or(&[404])
}

pub(super) const OPERATIONS: [Operation; 21] = [
    Operation {
        who: For::Anybody,
        ..get::<StatusShape>(
            "/api/v1/status",
            "How each part of the shop is and was: what the status page shows",
        )
    },
    read("/api/v1/health", "The health report, in the names that the shop's operators know", any),
    get::<ChecksShape>("/api/v1/checks", "Every check with its state, reason, phases, measures and windows"),
    get::<CheckShape>("/api/v1/checks/{name}", "One check").or(&[404]),
    get::<Vec<ObjectiveShape>>("/api/v1/objectives", "Every promise and how it stands"),
    get::<ObjectiveShape>("/api/v1/objectives/{name}", "One promise").or(&[404]),
    get::<Vec<AlertShape>>("/api/v1/alerts", "Alerts that are not over"),
    get::<Vec<EpisodeShape>>(
        "/api/v1/episodes",
        "Alerts that fired within the last 90 days, the newest first",
    ),
    get::<Vec<Silence>>("/api/v1/silences", "Silences that have not ended"),
    change::<Silence>("post", "/api/v1/silences", "Tells nobody of alerts whose labels match, for a while")
        .takes::<NewSilence>(),
    change::<DoneShape>(
        "post",
        "/api/v1/alerts/acknowledge",
        "Says that somebody has seen an alert: its reminders and escalation end",
    )
    .takes::<NewAcknowledgement>()
    .or(&[404]),
    change::<DoneShape>("delete", "/api/v1/silences/{id}", "Ends a silence").takes::<By>().or(&[404]),
    change::<DoneShape>(
        "post",
        "/api/v1/channels/{name}/test",
        "Sends a test message over a channel, past the outbox",
    )
    .or(&[404, 502]),
    Operation {
        may_have: &[("span", "query", SchemaGenerator::subschema_for::<Span>)],
        ..get::<TrafficShape>(
            "/api/v1/traffic",
            "What the shop said by itself: requests by route, slow queries, events, what vendors told",
        )
    }
    .or(&[400]),
    get::<Vec<HeartbeatShape>>("/api/v1/heartbeats", "Jobs that tell that they ran"),
    change::<LettersShape>(
        "post",
        "/api/v1/letters/{vendor}/again",
        "Works through a vendor's letters again that lie aside",
    )
    .or(&[404]),
    change::<LettersShape>(
        "post",
        "/api/v1/letters/{vendor}/seen",
        "Puts a vendor's letters away that lie aside: somebody has looked at them",
    )
    .takes::<Seen>()
    .or(&[404]),
    Operation {
        who: For::Senders,
        takes: Some((LINES, text)),
        may_have: &[("idempotency-key", "header", key)],
        good: 202,
        ..change::<TakenShape>("post", "/api/v1/events", "Takes a line of JSON for each thing that happened")
    }
    .or(&[400, 408, 413, 415]),
    heartbeat("get"),
    heartbeat("head"),
    heartbeat("post"),
];
