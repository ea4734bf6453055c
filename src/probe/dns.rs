//! `dns`: whether a name has the records it should have, asked anew each time.

use super::expect::Many;
use super::net::Net;
use super::net::query::{self, plain};
use super::{Build, Context, Examine, Kind, MeasureInfo, Run};
use crate::config::text::Text;
use crate::outcome::{Class, Fault, Outcome};
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

/// More answers than these are counted, not listed.
const SHOWN_MAX: usize = 4;
const SHOWN_LENGTH_MAX: usize = 80;
const PORT: u16 = 53;

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// The name to ask for, complete: no search list is applied. For PTR an IP address will do.
    name: Text,
    /// The type of record: A unless given.
    #[serde(default)]
    record: Record,
    /// An answer, or a list of answers, that must all be there; others may be there as well.
    /// As in a zone file: `"10 mail.example"`, `"0 issue \"letsencrypt.org\""`.
    #[serde(default)]
    expect: Many<Text>,
    /// A list of answers of which one at least must be there.
    #[serde(default)]
    expect_any: Many<Text>,
    /// The server to ask, `ip` or `ip:port`; those of this machine unless given.
    server: Option<Text>,
}

/// A type of record that holds something to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Record(RecordType);

const RECORDS: [&str; 14] =
    ["A", "AAAA", "CAA", "CNAME", "DNSKEY", "DS", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SOA", "SRV", "TXT"];

impl Default for Record {
    fn default() -> Record {
        Record(RecordType::A)
    }
}

impl TryFrom<String> for Record {
    type Error = String;

    fn try_from(text: String) -> Result<Record, String> {
        let known = RECORDS.contains(&text.as_str()).then(|| RecordType::from_str(&text).ok()).flatten();
        known.map(Record).ok_or_else(|| format!("`{text}` is none of {}", RECORDS.join(", ")))
    }
}

impl JsonSchema for Record {
    fn schema_name() -> Cow<'static, str> {
        "Record".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": RECORDS })
    }
}

struct Ask {
    net: Arc<Net>,
    name: Name,
    record: RecordType,
    expect: Vec<String>,
    expect_any: Vec<String>,
    server: Option<SocketAddr>,
}

impl Kind for Dns {
    fn name(&self) -> &'static str {
        "dns"
    }

    fn measures(&self) -> &'static [MeasureInfo] {
        &[
            MeasureInfo { name: "answers", help: "Records of the type asked for in the answer." },
            MeasureInfo { name: "ttl_seconds", help: "Shortest time that one of these records may be kept." },
        ]
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Run>> {
        let Record(record) = self.record;
        let name = build.text("name", &self.name).and_then(|text| {
            let name = name(&text, record);
            if name.is_none() {
                build.fault("name", format!("`{}` is not a name that can be asked for", self.name.raw()));
            }
            name
        });
        let mut filled = |key: &str, texts: &Many<Text>| {
            let filled: Vec<_> = texts.as_slice().iter().map(|text| build.text(key, text)).collect();
            let filled: Option<Vec<String>> = filled.into_iter().collect();
            filled.map(|texts| texts.iter().map(|text| normal(record, text)).collect())
        };
        let (expect, expect_any) = (filled("expect", &self.expect), filled("expect_any", &self.expect_any));
        let server = match &self.server {
            None => None,
            Some(text) => {
                let server = build.text("server", text).map(|server| socket(&server));
                if server == Some(None) {
                    build.fault("server", format!("`{}` is neither `ip` nor `ip:port`", text.raw()));
                }
                Some(server??)
            }
        };
        let net = build.net.clone();
        Some(Box::new(Ask { net, name: name?, record, expect: expect?, expect_any: expect_any?, server }))
    }
}

fn name(text: &str, record: RecordType) -> Option<Name> {
    if record == RecordType::PTR
        && let Ok(ip) = text.parse::<IpAddr>()
    {
        return Some(Name::from(ip));
    }
    let mut name = Name::from_str(text).ok().filter(|_| !text.is_empty())?;
    name.set_fqdn(true);
    Some(name)
}

fn socket(text: &str) -> Option<SocketAddr> {
    let bare = || text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, PORT));
    text.parse::<SocketAddr>().ok().or_else(bare).filter(|server| server.port() != 0)
}

impl Examine for Ask {
    async fn examine(&self, cx: &Context, outcome: &mut Outcome) -> Result<(), Fault> {
        let servers = match self.server {
            Some(server) => vec![server],
            None => self.net.resolver.servers(),
        };
        cx.phase("query");
        let (server, answer) = query::ask(&servers, &self.name, self.record, cx.remaining()).await?;
        cx.phase_end();
        let found = records(&answer, self.record);
        outcome.measure("answers", found.len() as f64);
        if let Some(ttl) = found.iter().map(|(_, ttl)| *ttl).min() {
            outcome.measure("ttl_seconds", f64::from(ttl));
        }
        let texts: Vec<String> = found.into_iter().map(|(text, _)| text).collect();
        self.judge(server, answer.metadata.response_code, &texts)
    }
}

impl Ask {
    fn judge(&self, server: SocketAddr, code: ResponseCode, found: &[String]) -> Result<(), Fault> {
        let (name, record) = (plain(&self.name), self.record);
        if code == ResponseCode::NXDomain {
            return Err(Fault::failed(
                Class::Dns,
                format!("`{name}` does not exist (NXDOMAIN from {server})"),
            ));
        }
        if found.is_empty() {
            return Err(Fault::failed(
                Class::Dns,
                format!("`{name}` has no {record} record (says {server})"),
            ));
        }
        let missing: Vec<_> = self.expect.iter().filter(|wanted| !found.contains(wanted)).collect();
        if !missing.is_empty() {
            let text = format!("`{name}` {record} lacks {}; {server} has {}", list(missing), list(found));
            return Err(Fault::failed(Class::Assertion, text));
        }
        if !self.expect_any.is_empty() && !self.expect_any.iter().any(|wanted| found.contains(wanted)) {
            let wanted = list(&self.expect_any);
            let text = format!("`{name}` {record} is none of {wanted}; {server} has {}", list(found));
            return Err(Fault::failed(Class::Assertion, text));
        }
        Ok(())
    }
}

/// The records of the type asked for, wherever the chain of aliases led, with their times to live.
fn records(answer: &Message, record: RecordType) -> Vec<(String, u32)> {
    let of_type = answer.answers.iter().filter(|one| one.record_type() == record);
    of_type.map(|one| (normal(record, &one.data.to_string()), one.ttl)).collect()
}

/// One spelling for what is the same: dots at the end, letters' case, quotes and blanks don't matter,
/// except in TXT.
fn normal(record: RecordType, text: &str) -> String {
    match record {
        RecordType::TXT => {
            let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            inner.unwrap_or(text).to_owned()
        }
        RecordType::A | RecordType::AAAA => {
            text.parse::<IpAddr>().map_or_else(|_| text.to_lowercase(), |ip| ip.to_string())
        }
        _ => {
            let words = text.split_whitespace().map(|word| word.trim_matches('"').trim_end_matches('.'));
            words.collect::<Vec<_>>().join(" ").to_lowercase()
        }
    }
}

fn list<'a>(texts: impl IntoIterator<Item = &'a String>) -> String {
    let texts: Vec<_> = texts.into_iter().collect();
    let shown = texts.iter().take(SHOWN_MAX).map(|text| {
        let clean = text.chars().map(|c| if c.is_control() { '?' } else { c });
        format!("`{}`", clean.take(SHOWN_LENGTH_MAX).collect::<String>())
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    match texts.len().saturating_sub(SHOWN_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(record: RecordType, one: &str, other: &str, same: bool) {
        assert_eq!(normal(record, one) == normal(record, other), same, "{one} {other}");
    }

    #[test]
    fn one_record_has_many_spellings() {
        check(RecordType::MX, "10 Mail.Example.", "10  mail.example", true);
        check(RecordType::MX, "10 mail.example", "20 mail.example", false);
        check(RecordType::CAA, "0 issue \"letsencrypt.org\"", "0 issue letsencrypt.org", true);
        check(RecordType::AAAA, "2001:DB8:0::1", "2001:db8::1", true);
        check(RecordType::TXT, "\"v=spf1 -all\"", "v=spf1 -all", true);
        check(RecordType::TXT, "V=spf1 -all", "v=spf1 -all", false);
        check(RecordType::TXT, "v=spf1  -all", "v=spf1 -all", false);
    }

    #[test]
    fn servers_and_names_are_checked() {
        assert_eq!(socket("127.0.0.1"), Some("127.0.0.1:53".parse().expect("an address")));
        assert_eq!(socket("[::1]:5353"), Some("[::1]:5353".parse().expect("an address")));
        assert_eq!(socket("::1"), Some("[::1]:53".parse().expect("an address")));
        assert_eq!((socket("dns.example"), socket("127.0.0.1:0")), (None, None));
        let arpa = name("192.0.2.1", RecordType::PTR).expect("a name");
        assert_eq!(plain(&arpa), "1.2.0.192.in-addr.arpa");
        assert_eq!((name("", RecordType::A), name("a..b", RecordType::A)), (None, None));
        let error = Record::try_from("mx".to_owned()).expect_err("types are written large");
        assert!(error.starts_with("`mx` is none of A, AAAA, CAA"), "{error}");
    }
}
