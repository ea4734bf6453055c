//! The description of the API (OpenAPI 3.1), from the types that it answers with.
//!
//! The routes stand here once more, with what they take and give; a test holds both lists together, and schemathesis
//! holds the answers to what is written here. A generator that reads it off the handlers would need each of them to be
//! written for it; for seventeen operations a table is less.

use super::alerting::{By, NewAcknowledgement, NewSilence};
use super::shape::{
    AlertShape, CheckShape, ChecksShape, DoneShape, EpisodeShape, ObjectiveShape, StatusShape,
};
use crate::fact::Silence;
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// Who may ask.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    Anybody,
    /// Callers on the same machine, and operators.
    Private,
    Operators,
}

/// One operation.
struct Operation {
    method: &'static str,
    path: &'static str,
    about: &'static str,
    who: For,
    takes: Option<fn(&mut SchemaGenerator) -> Schema>,
    gives: fn(&mut SchemaGenerator) -> Schema,
    /// Statuses beside those that every operation of its kind has.
    more: &'static [u16],
}

fn any(_: &mut SchemaGenerator) -> Schema {
    // The names of the health report are those of its readers, and its sections are those of the definitions.
    schemars::json_schema!({ "type": "object", "required": ["status", "checks", "business", "performance"] })
}

const OPERATIONS: [Operation; 12] = [
    Operation {
        method: "get",
        path: "/api/v1/status",
        about: "How each part of the shop is and was: what the status page shows",
        who: For::Anybody,
        takes: None,
        gives: SchemaGenerator::subschema_for::<StatusShape>,
        more: &[],
    },
    Operation {
        method: "get",
        path: "/api/v1/health",
        about: "The health report, in the names that the shop's operators know",
        who: For::Private,
        takes: None,
        gives: any,
        more: &[],
    },
    Operation {
        method: "get",
        path: "/api/v1/checks",
        about: "Every check with its state, reason, phases, measures and windows",
        who: For::Private,
        takes: None,
        gives: SchemaGenerator::subschema_for::<ChecksShape>,
        more: &[],
    },
    Operation {
        method: "get",
        path: "/api/v1/checks/{name}",
        about: "One check",
        who: For::Private,
        takes: None,
        gives: SchemaGenerator::subschema_for::<CheckShape>,
        more: &[404],
    },
    Operation {
        method: "get",
        path: "/api/v1/objectives",
        about: "Every promise and how it stands",
        who: For::Private,
        takes: None,
        gives: SchemaGenerator::subschema_for::<Vec<ObjectiveShape>>,
        more: &[],
    },
    Operation {
        method: "get",
        path: "/api/v1/objectives/{name}",
        about: "One promise",
        who: For::Private,
        takes: None,
        gives: SchemaGenerator::subschema_for::<ObjectiveShape>,
        more: &[404],
    },
    Operation {
        method: "get",
        path: "/api/v1/alerts",
        about: "Alerts that are not over",
        who: For::Private,
        takes: None,
        gives: SchemaGenerator::subschema_for::<Vec<AlertShape>>,
        more: &[],
    },
    Operation {
        method: "get",
        path: "/api/v1/episodes",
        about: "Alerts that fired within the last 90 days, the newest first",
        who: For::Private,
        takes: None,
        gives: SchemaGenerator::subschema_for::<Vec<EpisodeShape>>,
        more: &[],
    },
    Operation {
        method: "get",
        path: "/api/v1/silences",
        about: "Silences that have not ended",
        who: For::Private,
        takes: None,
        gives: SchemaGenerator::subschema_for::<Vec<Silence>>,
        more: &[],
    },
    Operation {
        method: "post",
        path: "/api/v1/silences",
        about: "Tells nobody of alerts whose labels match, for a while",
        who: For::Operators,
        takes: Some(SchemaGenerator::subschema_for::<NewSilence>),
        gives: SchemaGenerator::subschema_for::<Silence>,
        more: &[],
    },
    Operation {
        method: "post",
        path: "/api/v1/alerts/acknowledge",
        about: "Says that somebody has seen an alert: its reminders and escalation end",
        who: For::Operators,
        takes: Some(SchemaGenerator::subschema_for::<NewAcknowledgement>),
        gives: SchemaGenerator::subschema_for::<DoneShape>,
        more: &[404],
    },
    Operation {
        method: "delete",
        path: "/api/v1/silences/{id}",
        about: "Ends a silence",
        who: For::Operators,
        takes: Some(SchemaGenerator::subschema_for::<By>),
        gives: SchemaGenerator::subschema_for::<DoneShape>,
        more: &[404],
    },
];

/// Takes no body, and as long as the channel may.
const TEST: Operation = Operation {
    method: "post",
    path: "/api/v1/channels/{name}/test",
    about: "Sends a test message over a channel, past the outbox",
    who: For::Operators,
    takes: None,
    gives: SchemaGenerator::subschema_for::<DoneShape>,
    more: &[404, 502],
};

/// The whole description.
pub fn description() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let mut paths = Map::new();
    for operation in OPERATIONS.iter().chain([&TEST]) {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = described(operation, &mut schemas);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Atalaya",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What a running agent knows, and what operators can tell it. Times are RFC 3339 in UTC.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "basic": { "type": "http", "scheme": "basic", "description": "Any user name, and the token." },
            },
        },
    })
}

fn described(operation: &Operation, schemas: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    let given = (operation.gives)(schemas);
    responses.insert(
        "200".to_owned(),
        json!({
            "description": "It is so", "content": { "application/json": { "schema": given } },
        }),
    );
    let mut statuses = vec![405, 421, 503];
    if operation.who != For::Anybody {
        statuses.extend([401, 429]);
    }
    if operation.who == For::Operators {
        statuses.extend([400, 403, 408, 413, 415, 422]);
    }
    if operation.path.contains('{') {
        statuses.push(400);
    }
    statuses.extend(operation.more);
    for status in statuses {
        responses.insert(status.to_string(), refused(status));
    }
    let mut described = json!({
        "operationId": format!("{}{}", operation.method, operation.path.replace(['/', '{', '}', '-'], "_")),
        "summary": operation.about,
        "responses": responses,
        "security": match operation.who {
            For::Anybody => json!([]),
            For::Private => json!([{}, { "bearer": [] }, { "basic": [] }]),
            For::Operators => json!([{ "bearer": [] }]),
        },
    });
    if let Some(takes) = operation.takes {
        let schema = takes(schemas);
        described["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
    let names = operation.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    let parameter = |name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } });
    let parameters: Vec<Value> = names.map(parameter).collect();
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    described
}

/// An answer that is a line of text.
fn refused(status: u16) -> Value {
    let why = match status {
        400 => "The request can't be read",
        401 => "Whoever asks has not shown the token",
        403 => "A browser asks, and not from a page of ours",
        404 => "There is nothing of that name",
        405 => "Another method is meant",
        408 => "The body does not come",
        413 => "The body is too large",
        415 => "The body is no JSON",
        421 => "The agent is not called that",
        422 => "The body says what can't be meant",
        429 => "Too many wrong tokens; `Retry-After` says when",
        502 => "The channel did not take it",
        _ => "The agent can't answer now",
    };
    json!({ "description": why, "content": { "text/plain": { "schema": { "type": "string" } } } })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Routes as they stand in the router's source, and operations as they are described.
    #[test]
    fn every_route_is_described_and_nothing_else() {
        let source = include_str!("mod.rs");
        let mut routes: Vec<String> = Vec::new();
        for route in source.split(concat!(".route", "(\"")).skip(1) {
            let (path, rest) = route.split_once('"').expect("a path");
            let method = rest.trim_start_matches([',', ' ']).split('(').next().expect("a method");
            if path != "/api/v1/openapi.json" {
                routes.push(format!("{method} {path}"));
            }
        }
        let described = description();
        let paths = described["paths"].as_object().expect("paths");
        let mut operations: Vec<String> = paths
            .iter()
            .flat_map(|(path, methods)| {
                methods.as_object().expect("methods").keys().map(move |method| format!("{method} {path}"))
            })
            .collect();
        routes.sort();
        operations.sort();
        assert_eq!(routes, operations);
    }
}
