//! The numbers in a reply to INFO. Every key is optional: managed servers leave many out.

use super::Counts;
use crate::outcome::{Class, Fault, Outcome};
use crate::probe::MeasureInfo;
use ::redis::InfoDict;

pub const MEASURES: &[MeasureInfo] = &[
    MeasureInfo { name: "used_memory_bytes", help: "Memory that the data and the server take." },
    MeasureInfo { name: "memory_limit_bytes", help: "The limit of memory, where one is set." },
    MeasureInfo { name: "memory_used_ratio", help: "Memory in use against its limit, where one is set." },
    MeasureInfo {
        name: "memory_fragmentation_ratio",
        help: "Memory that the system gave against memory in use.",
    },
    MeasureInfo { name: "data_bytes", help: "Size of the stored data (Upstash)." },
    MeasureInfo {
        name: "data_used_ratio",
        help: "Size of the stored data against what the plan allows (Upstash).",
    },
    MeasureInfo { name: "keys", help: "Keys in all databases." },
    MeasureInfo { name: "keys_with_expiry", help: "Keys in all databases that expire." },
    MeasureInfo { name: "evicted_keys_total", help: "Keys thrown out for want of memory." },
    MeasureInfo { name: "expired_keys_total", help: "Keys that expired." },
    MeasureInfo { name: "keyspace_hits_total", help: "Lookups that found their key." },
    MeasureInfo { name: "keyspace_misses_total", help: "Lookups that found nothing." },
    MeasureInfo {
        name: "hit_ratio",
        help: "Lookups that found their key, of those since the run before; not given where there were none.",
    },
    MeasureInfo { name: "clients", help: "Connections of clients." },
    MeasureInfo { name: "clients_used_ratio", help: "Connections of clients against their limit." },
    MeasureInfo { name: "blocked_clients", help: "Clients that wait in a blocking command." },
    MeasureInfo {
        name: "rejected_connections_total",
        help: "Connections refused since the limit of clients was reached.",
    },
    MeasureInfo { name: "connections_total", help: "Connections taken." },
    MeasureInfo { name: "commands_total", help: "Commands processed." },
    MeasureInfo { name: "uptime_seconds", help: "Time since the server was started." },
    MeasureInfo {
        name: "replication_link_up",
        help: "On a replica: 1 while it is connected to its primary, else 0.",
    },
    MeasureInfo {
        name: "replication_lag_seconds",
        help: "On a replica: time since its primary was last heard.",
    },
    MeasureInfo { name: "replicas", help: "On a primary: replicas that are connected." },
    MeasureInfo { name: "snapshot_ok", help: "1 where the last snapshot could be saved, else 0." },
    MeasureInfo { name: "append_log_ok", help: "1 where the append-only log could be written, else 0." },
    MeasureInfo { name: "unsaved_changes", help: "Changes since the last snapshot." },
];

/// Keys that are measures as they stand.
const PLAIN: &[(&str, &str)] = &[
    ("used_memory", "used_memory_bytes"),
    ("mem_fragmentation_ratio", "memory_fragmentation_ratio"),
    ("total_data_size", "data_bytes"),
    ("evicted_keys", "evicted_keys_total"),
    ("expired_keys", "expired_keys_total"),
    ("keyspace_hits", "keyspace_hits_total"),
    ("keyspace_misses", "keyspace_misses_total"),
    ("connected_clients", "clients"),
    ("blocked_clients", "blocked_clients"),
    ("rejected_connections", "rejected_connections_total"),
    ("total_connections_received", "connections_total"),
    ("total_commands_processed", "commands_total"),
    ("uptime_in_seconds", "uptime_seconds"),
    ("master_last_io_seconds_ago", "replication_lag_seconds"),
    ("rdb_changes_since_last_save", "unsaved_changes"),
];

/// Part, whole and the measure of their ratio. A whole of zero means that there is no limit.
const RATIOS: &[(&str, &str, &str)] = &[
    ("used_memory", "maxmemory", "memory_used_ratio"),
    ("total_data_size", "max_data_size", "data_used_ratio"),
    ("connected_clients", "maxclients", "clients_used_ratio"),
];

/// Puts all that is known into the outcome. `before` holds the lookups of the run before.
pub fn measure(text: &str, before: &Counts, outcome: &mut Outcome) {
    let info = InfoDict::new(text);
    let number = |key: &str| info.get::<f64>(key).filter(|number| number.is_finite() && *number >= 0.0);
    for (key, name) in PLAIN {
        if let Some(number) = number(key) {
            outcome.measure(*name, number);
        }
    }
    for (part, whole, name) in RATIOS {
        if let (Some(part), Some(whole)) = (number(part), number(whole).filter(|whole| *whole > 0.0)) {
            outcome.measure(*name, part / whole);
        }
    }
    if let Some(limit) = number("maxmemory").filter(|limit| *limit > 0.0) {
        outcome.measure("memory_limit_bytes", limit);
    }
    if let (Some(hits), Some(misses)) = (number("keyspace_hits"), number("keyspace_misses"))
        && let Some(ratio) = before.hit_ratio(hits, misses)
    {
        outcome.measure("hit_ratio", ratio);
    }
    keys(&info, outcome);
    saving(&info, outcome);
    replication(&info, outcome);
}

/// Lines such as `db0:keys=3,expires=1,avg_ttl=0`; where there is none, every database is empty.
fn keys(info: &InfoDict, outcome: &mut Outcome) {
    let (mut keys, mut expires, mut found) = (0.0, 0.0, false);
    for name in info.keys().filter(|name| is_database(name)) {
        let Some(line) = info.get::<String>(name) else { continue };
        let field = |wanted: &str| {
            let mut fields = line.split(',').filter_map(|field| field.split_once('='));
            fields.find(|(name, _)| *name == wanted).and_then(|(_, value)| value.parse::<f64>().ok())
        };
        keys += field("keys").unwrap_or(0.0);
        expires += field("expires").unwrap_or(0.0);
        found = true;
    }
    let total = info.get::<f64>("total_keys");
    // A server that counts nothing at all is not known to be empty.
    if found || total.is_some() || info.contains_key(&"keyspace_hits") {
        outcome.measure("keys", total.filter(|_| !found).unwrap_or(keys));
        outcome.measure("keys_with_expiry", expires);
    }
}

fn is_database(name: &str) -> bool {
    name.strip_prefix("db").is_some_and(|number| number.parse::<u32>().is_ok())
}

fn saving(info: &InfoDict, outcome: &mut Outcome) {
    let word = |key: &str| info.get::<String>(key);
    if let Some(status) = word("rdb_last_bgsave_status") {
        outcome.measure("snapshot_ok", f64::from(status == "ok"));
    }
    if word("aof_enabled").is_some_and(|enabled| enabled == "1")
        && let Some(status) = word("aof_last_write_status")
    {
        outcome.measure("append_log_ok", f64::from(status == "ok"));
    }
}

fn replication(info: &InfoDict, outcome: &mut Outcome) {
    match info.get::<String>("role").as_deref() {
        Some("slave") => {
            let up = info.get::<String>("master_link_status").is_some_and(|status| status == "up");
            outcome.measure("replication_link_up", f64::from(up));
            if !up {
                let text = match info.get::<f64>("master_link_down_since_seconds").filter(|down| *down >= 0.0)
                {
                    Some(down) => {
                        format!("this replica lost its primary {down:.0} seconds ago: its data is old")
                    }
                    None => "this replica has not reached its primary yet: its data is old".to_owned(),
                };
                outcome.fault(Fault::degraded(Class::Connect, text));
            }
        }
        Some("master") => {
            if let Some(replicas) = info.get::<f64>("connected_slaves") {
                outcome.measure("replicas", replicas);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, f64)]) {
        let mut outcome = Outcome::ok();
        measure(text, &Counts::default(), &mut outcome);
        let found: Vec<_> = outcome.measures.iter().map(|one| (one.name.as_ref(), one.value)).collect();
        assert_eq!(found, expected, "{text}");
        let unknown = outcome.measures.iter().find(|one| MEASURES.iter().all(|info| info.name != one.name));
        assert_eq!(unknown, None, "is in the list");
    }

    #[test]
    fn every_key_is_optional() {
        check("", &[]);
        check("# Server\r\n\r\n# Nothing\r\nbroken\r\nused_memory:lots\r\nmaxmemory:\r\n", &[]);
        check("used_memory:50\r\nmaxmemory:0\r\n", &[("used_memory_bytes", 50.0)]);
        check(
            "used_memory:50\r\nmaxmemory:100\r\n",
            &[("used_memory_bytes", 50.0), ("memory_used_ratio", 0.5), ("memory_limit_bytes", 100.0)],
        );
    }

    #[test]
    fn keys_of_all_databases_are_summed() {
        check(
            "# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=0\r\ndb11:keys=2,expires=2,avg_ttl=9,subexpiry=0\r\ndbx:keys=9\r\n",
            &[("keys", 5.0), ("keys_with_expiry", 3.0)],
        );
        check("total_keys:7\r\n", &[("keys", 7.0), ("keys_with_expiry", 0.0)]);
    }

    #[test]
    fn a_replica_without_its_primary_is_degraded() {
        let mut outcome = Outcome::ok();
        let text = "role:slave\r\nmaster_link_status:down\r\nmaster_link_down_since_seconds:12\r\n";
        measure(text, &Counts::default(), &mut outcome);
        let reason = outcome.reason().map(|fault| fault.text.as_str());
        assert_eq!(reason, Some("this replica lost its primary 12 seconds ago: its data is old"));
    }
}
