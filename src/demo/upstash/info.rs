//! The reply to INFO, with the keys that a real one was seen to have. Most of what Redis has is not there.

use super::store::Store;
use std::fmt::Write;

const DATA_BYTES_MAX: usize = 268_435_456;

pub fn text(store: &Store, commands: u64) -> String {
    let (keys, expires) = (store.len(), store.with_expiry());
    let size = if store.full { DATA_BYTES_MAX } else { store.size() };
    let mut text = String::new();
    let mut section = |name: &str, lines: &[(&str, String)]| {
        write!(text, "# {name}\r\n").ok();
        for (key, value) in lines {
            write!(text, "{key}:{value}\r\n").ok();
        }
        text.push_str("\r\n");
    };
    section(
        "Server",
        &[
            ("upstash_version", "1.18.2".to_owned()),
            ("redis_version", "8.2.0".to_owned()),
            ("redis_mode", "standalone".to_owned()),
        ],
    );
    section("Clients", &[("connected_clients", "0".to_owned()), ("maxclients", "10000".to_owned())]);
    section(
        "Memory",
        &[
            ("used_memory", size.to_string()),
            ("maxmemory", DATA_BYTES_MAX.to_string()),
            ("maxmemory_policy", "noeviction".to_owned()),
            ("total_data_size", size.to_string()),
            ("max_data_size", DATA_BYTES_MAX.to_string()),
        ],
    );
    section(
        "Stats",
        &[
            ("total_commands_processed", commands.to_string()),
            ("instantaneous_ops_per_sec", "0".to_owned()),
            ("max_ops_per_sec", "10000".to_owned()),
            ("expired_keys", store.expired.to_string()),
            ("evicted_keys", "0".to_owned()),
            ("keyspace_hits", store.hits.to_string()),
            ("keyspace_misses", store.misses.to_string()),
        ],
    );
    section("Cluster", &[("cluster_enabled", "0".to_owned())]);
    section("Keyspace", &[("db0", format!("keys={keys},expires={expires},avg_ttl=0"))]);
    text
}
