//! Any bytes as a letter of Square's, and any signature: nothing is known by a signature of nobody, and nothing kept that a
//! customer wrote.

#![no_main]

use atalaya::ingest::square::{read, verify};
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;
use std::sync::Arc;

fuzz_target!(|body: &[u8]| {
    let keys = [(Arc::from("production"), SecretString::from("a key that nobody guesses"))];
    let signature = String::from_utf8_lossy(body);
    assert_eq!(verify(&keys, "https://atalaya.example/ingest/square", body, &signature), None);
    if let Ok(read) = read(body) {
        assert!(read.letter.id.len() <= 192 && read.letter.kind.len() <= 64);
        if let Some(about) = &read.letter.about {
            assert!(!about.id.contains('@') && about.state.len() <= 64);
        }
    }
});
