//! The watch list that ships, as part of the program: the demo needs nothing but the binary.

pub mod past;

use crate::config::{Files, Source};

/// Every file of `checks/`; a test demands that none is missing.
pub const CHECKS: [(&str, &str); 16] = [
    ("checks/cache.toml", include_str!("../../../checks/cache.toml")),
    ("checks/catalog.toml", include_str!("../../../checks/catalog.toml")),
    ("checks/catering.toml", include_str!("../../../checks/catering.toml")),
    ("checks/customers.toml", include_str!("../../../checks/customers.toml")),
    ("checks/database.toml", include_str!("../../../checks/database.toml")),
    ("checks/email.toml", include_str!("../../../checks/email.toml")),
    ("checks/jobs.toml", include_str!("../../../checks/jobs.toml")),
    ("checks/network.toml", include_str!("../../../checks/network.toml")),
    ("checks/orders.toml", include_str!("../../../checks/orders.toml")),
    ("checks/payments.toml", include_str!("../../../checks/payments.toml")),
    ("checks/promises.toml", include_str!("../../../checks/promises.toml")),
    ("checks/rate-limiting.toml", include_str!("../../../checks/rate-limiting.toml")),
    ("checks/sales.toml", include_str!("../../../checks/sales.toml")),
    ("checks/site.toml", include_str!("../../../checks/site.toml")),
    ("checks/traffic.toml", include_str!("../../../checks/traffic.toml")),
    ("checks/webhooks.toml", include_str!("../../../checks/webhooks.toml")),
];

/// Every file of `alerts/`; a test demands that none is missing.
pub const ALERTS: [(&str, &str); 3] = [
    ("alerts/contacts.toml", include_str!("../../../alerts/contacts.toml")),
    ("alerts/promises.toml", include_str!("../../../alerts/promises.toml")),
    ("alerts/status.toml", include_str!("../../../alerts/status.toml")),
];

/// As if they had been read from the disk.
pub fn files() -> Files {
    let sources =
        |files: &[(&str, &str)]| files.iter().map(|(file, text)| Source::new(file, *text)).collect();
    // Where Square was told to send its letters: only the signature knows that nobody is there.
    let agent = format!("[ingest.square]\nurl = \"{}\"\n", super::voice::speak::SQUARE_URL);
    let agent = Some(Source::new("atalaya.toml", agent));
    Files { agent, checks: sources(&CHECKS), alerts: sources(&ALERTS) }
}
