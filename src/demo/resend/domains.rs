//! Domains and keys of the account.

use super::answer::{Reply, error, id, moment, ok};
use super::{Fault, Resend};
use axum::extract::{Path, State};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

pub struct Domain {
    pub id: String,
    pub name: String,
    pub status: &'static str,
    pub created: Timestamp,
}

impl Domain {
    pub fn new(name: &str, created: Timestamp) -> Domain {
        let number = name.bytes().fold(7_u64, |sum, byte| (sum * 31 + u64::from(byte)) & 0xffff_ffff);
        Domain { id: id(0xd91c_d9bd, number), name: name.to_owned(), status: "verified", created }
    }

    fn as_listed(&self, status: &str) -> Value {
        let sending = if status == "verified" { "enabled" } else { "disabled" };
        json!({
            "id": self.id, "name": self.name, "status": status, "created_at": moment(self.created),
            "region": "us-east-1", "open_tracking": false, "click_tracking": false,
            "capabilities": { "sending": sending, "receiving": "disabled" },
        })
    }
}

fn records(status: &str) -> Value {
    // A lost DKIM record fails alone; before anything was verified all are pending.
    let rest = if status == "failed" { "verified" } else { status };
    json!([
        { "record": "SPF", "name": "send", "type": "MX", "ttl": "Auto", "status": rest,
          "value": "feedback-smtp.us-east-1.amazonses.com", "priority": 10 },
        { "record": "SPF", "name": "send", "type": "TXT", "ttl": "Auto", "status": rest,
          "value": "v=spf1 include:amazonses.com ~all" },
        { "record": "DKIM", "name": "resend._domainkey", "type": "TXT", "ttl": "Auto", "status": status,
          "value": "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQD" },
    ])
}

impl super::State {
    /// A domain's status while faults are on, which strike the first.
    pub fn status_of(&self, at: usize) -> &'static str {
        match at {
            0 if self.has(Fault::DomainUnverified) => "failed",
            0 if self.has(Fault::DomainPending) => "pending",
            at => self.domains[at].status,
        }
    }
}

pub async fn list(State(resend): State<Arc<Resend>>) -> Reply {
    let state = resend.state();
    let domains: Vec<Value> =
        state.domains.iter().enumerate().map(|(at, domain)| domain.as_listed(state.status_of(at))).collect();
    ok(json!({ "object": "list", "has_more": false, "data": domains }))
}

pub async fn one(State(resend): State<Arc<Resend>>, Path(id): Path<String>) -> Reply {
    let state = resend.state();
    let Some(at) = state.domains.iter().position(|domain| domain.id == id) else {
        return error(404, "not_found", "Domain not found");
    };
    let mut body = state.domains[at].as_listed(state.status_of(at));
    body["object"] = json!("domain");
    body["records"] = records(state.status_of(at));
    ok(body)
}

pub async fn api_keys(State(resend): State<Arc<Resend>>) -> Reply {
    let now = moment((resend.now)());
    let key = |number, name| json!({ "id": id(0xdacf_4072, number), "name": name, "created_at": now, "last_used_at": null });
    ok(json!({ "object": "list", "has_more": false, "data": [key(1, "Shop"), key(2, "Sending only")] }))
}
