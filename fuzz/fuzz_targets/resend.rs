//! Any bytes as a letter of Resend's, and as headers of a signature.

#![no_main]

use atalaya::ingest::resend::read;
use atalaya::ingest::standard_webhooks::{Key, Signed, verify};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

fuzz_target!(|body: &[u8]| {
    let text = String::from_utf8_lossy(body);
    let key = Key::new("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").expect("a key");
    let mut parts = text.splitn(3, '\n');
    let mut part = || parts.next().unwrap_or_default();
    let signed = Signed { id: part(), timestamp: part(), signatures: part() };
    assert!(verify(&[(Arc::from("production"), key)], &signed, body, Timestamp::UNIX_EPOCH).is_err());
    if let Ok(read) = read("msg_1", body) {
        if let Some(about) = &read.letter.about {
            assert!(!about.id.contains('@'), "an address is no id");
        }
    }
});
