//! Signatures of webhooks, with the vendors' own libraries on the other side.

use crate::support::judge;
use atalaya::ingest::square;
use atalaya::ingest::standard_webhooks::{Key, Signed, verify};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::sync::Arc;

const KEY: &str = "Ibxx_5AKakO-3qeNVR61Dw";
const URL: &str = "https://atalaya.shop.example/ingest/square?from=square";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W";
const BODY: &str =
    r#"{"type":"email.delivered","created_at":"2026-02-22T23:41:12.126Z","data":{"subject":"größe 🥟"}}"#;

#[test]
fn what_the_vendors_sign_is_taken_and_what_is_signed_here_they_take() {
    let now = Timestamp::now();
    let seconds = now.as_second();
    let key = Key::new(SECRET).expect("a secret");
    let ours = key.sign(ID, &seconds.to_string(), BODY.as_bytes());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("given.json");
    let given = json!({"key": KEY, "url": URL, "secret": SECRET, "id": ID, "seconds": seconds, "body": BODY, "ours": ours});
    std::fs::write(&file, given.to_string()).expect("a file");
    let packages = ["square@44.1.0", "svix@2.5.0"];
    let said = judge::node("signatures.mjs", &packages, &[file.to_str().expect("UTF-8")]).expect("a verdict");
    let got: Value = serde_json::from_str(&said).expect("JSON");
    let signature = |vendor: &str| got[vendor].as_str().expect("a signature").to_owned();

    let keys: Vec<(Arc<str>, SecretString)> =
        vec![("sandbox".into(), "other".into()), ("production".into(), KEY.into())];
    assert_eq!(square::verify(&keys, URL, BODY.as_bytes(), &signature("square")), Some("production"));

    let (timestamp, signatures) = (seconds.to_string(), signature("svix"));
    let signed = Signed { id: ID, timestamp: &timestamp, signatures: &signatures };
    assert_eq!(verify(&[("resend".into(), key)], &signed, BODY.as_bytes(), now), Ok("resend"));

    for (name, taken) in [
        ("squareTakes", true),
        ("squareTakesChanged", false),
        ("svixTakesOurs", true),
        ("svixTakesOursChanged", false),
    ] {
        assert_eq!(got[name], taken, "{name}");
    }
}
