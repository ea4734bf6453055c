//! Sends what is said to the agent, over HTTP, as a shop and its vendors would.

use super::Saying;
use crate::clock;
use crate::ingest::square;
use crate::ingest::standard_webhooks::Key;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, RequestBuilder};
use sha2::Sha256;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The address that Square would have been told. Nobody is there: only what is signed needs it.
pub const SQUARE_URL: &str = "https://atalaya.demo.example/ingest/square";

/// What is waiting to be said; more of it is forgotten, as by any exporter.
pub const SAYINGS_MAX: usize = 256;

/// What whoever speaks shows. Each demo has its own.
#[derive(Clone)]
pub struct Secrets {
    pub token: String,
    pub square: String,
    /// With its `whsec_`.
    pub resend: String,
}

impl Secrets {
    /// Of random numbers that are good enough for a demo on loopback.
    pub fn new() -> Secrets {
        let word = || format!("{:032x}", fastrand::u128(..));
        let resend = format!("whsec_{}", BASE64_STANDARD.encode(fastrand::u128(..).to_be_bytes()));
        Secrets { token: word(), square: word(), resend }
    }

    /// The variables by which the agent knows them.
    pub fn variables(&self) -> [(&'static str, String); 3] {
        [
            ("ATALAYA_INGEST_TOKEN", self.token.clone()),
            ("ATALAYA_SQUARE_WEBHOOK_KEY", self.square.clone()),
            ("RESEND_WEBHOOK_SECRET", self.resend.clone()),
        ]
    }
}

impl Default for Secrets {
    fn default() -> Secrets {
        Secrets::new()
    }
}

/// Speaks until nobody says anything any more. What the agent refuses is lost, as it is with most exporters.
pub async fn speak(
    mut sayings: mpsc::Receiver<Saying>,
    agent: SocketAddr,
    client: Client,
    secrets: Arc<Secrets>,
) {
    let resend = Key::new(&secrets.resend);
    while let Some(saying) = sayings.recv().await {
        let request = match saying {
            Saying::Events(lines) => {
                let request = client.post(format!("http://{agent}/api/v1/events")).body(lines);
                request.header("content-type", "application/x-ndjson").bearer_auth(&secrets.token)
            }
            Saying::Ping(tail) => {
                client.get(format!("http://{agent}/heartbeat/{tail}")).bearer_auth(&secrets.token)
            }
            Saying::Square(body) => of_square(&client, agent, &secrets.square, body),
            Saying::Resend(id, body) => {
                let Some(key) = &resend else { continue };
                of_resend(&client, agent, key, (id, body))
            }
        };
        if let Err(error) = request.send().await {
            tracing::debug!(%error, "the demo's shop is not heard");
        }
    }
}

fn of_square(client: &Client, agent: SocketAddr, key: &str, body: String) -> RequestBuilder {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(SQUARE_URL.as_bytes());
    mac.update(body.as_bytes());
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    client.post(format!("http://{agent}/ingest/square")).header(square::SIGNATURE, signature).body(body)
}

fn of_resend(client: &Client, agent: SocketAddr, key: &Key, (id, body): (String, String)) -> RequestBuilder {
    let seconds = clock::wall().as_second().to_string();
    let signature = key.sign(&id, &seconds, body.as_bytes());
    let request = client.post(format!("http://{agent}/ingest/resend"));
    request
        .header("svix-id", id)
        .header("svix-timestamp", seconds)
        .header("svix-signature", signature)
        .body(body)
}
