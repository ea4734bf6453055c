//! What tests stand on: servers that are started when first needed and end with this process.

pub mod server;
