//! The description of the API (OpenAPI 3.1), from the types that it answers with.
//!
//! The routes stand here once more, with what they take and give; a test holds both lists together, and schemathesis
//! holds the answers to what is written here. A generator that reads it off the handlers would need each of them to be
//! written for it; for some twenty operations a table is less.

mod operations;

use operations::OPERATIONS;
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
    /// Whoever has the token of `[ingest]`, and operators' programs.
    Senders,
}

type Shape = fn(&mut SchemaGenerator) -> Schema;

/// One operation.
struct Operation {
    method: &'static str,
    path: &'static str,
    about: &'static str,
    who: For,
    /// A kind of content, and its shape.
    takes: Option<(&'static str, Shape)>,
    /// Name, place and shape of what may be given beside the path.
    may_have: &'static [(&'static str, &'static str, Shape)],
    /// The status of success.
    good: u16,
    gives: (&'static str, Shape),
    /// Statuses beside those that every operation of its kind has.
    more: &'static [u16],
}

/// The whole description.
pub fn description() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let mut paths = Map::new();
    for operation in &OPERATIONS {
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
    let (kind, gives) = operation.gives;
    let given = json!({ kind: { "schema": gives(schemas) } });
    responses
        .insert(operation.good.to_string(), json!({ "description": "It is so", "content": given.clone() }));
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
        let text = refused(status, operation.who);
        let answer = responses.entry(status.to_string()).or_insert(text);
        // Where nothing of what was sent is taken, each part of it is told as where some of it is.
        if operation.good == 202 && status == 400 {
            answer["content"][kind] = given[kind].clone();
        }
    }
    let mut described = json!({
        "operationId": format!("{}{}", operation.method, operation.path.replace(['/', '{', '}', '-'], "_")),
        "summary": operation.about,
        "responses": responses,
        "security": match operation.who {
            For::Anybody => json!([]),
            For::Private => json!([{}, { "bearer": [] }, { "basic": [] }]),
            For::Operators | For::Senders => json!([{ "bearer": [] }]),
        },
    });
    if let Some((kind, takes)) = operation.takes {
        let schema = takes(schemas);
        // No line at all is as right as any number of them.
        let required = operation.who != For::Senders;
        described["requestBody"] = json!({ "required": required, "content": { kind: { "schema": schema } } });
    }
    let names = operation.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    let parameter = |name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } });
    let mut parameters: Vec<Value> = names.map(parameter).collect();
    for (name, place, shape) in operation.may_have {
        parameters.push(json!({ "name": name, "in": place, "required": false, "schema": shape(schemas) }));
    }
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    described
}

/// An answer that is a line of text.
fn refused(status: u16, who: For) -> Value {
    let why = match status {
        415 if who == For::Senders => "The body is packed in a way that is not known",
        429 if who == For::Senders => {
            "There is no room, or there were too many wrong tokens; `Retry-After` says when"
        }
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
        let source = include_str!("../mod.rs");
        // Where it is said what happens.
        let sent =
            ["post /api/v1/events", "get /heartbeat/{job}", "head /heartbeat/{job}", "post /heartbeat/{job}"];
        let mut routes: Vec<String> = sent.map(str::to_owned).into();
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
