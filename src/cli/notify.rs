//! `atalaya notify test CHANNEL`: one message through one channel, now, and what became of it.

use super::remote::Agent;
use super::{exit, print};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    agent: Agent,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send a test message through a channel of the running agent
    Test {
        /// Its name in alerts/*.toml
        channel: String,
    },
}

pub async fn main(options: Options) -> u8 {
    let Command::Test { channel } = options.command;
    let name = percent_encoding::utf8_percent_encode(&channel, percent_encoding::NON_ALPHANUMERIC);
    let path = format!("/api/v1/channels/{name}/test");
    match options.agent.send_and_wait(Method::POST, &path, json!({})).await {
        Ok(done) => {
            print(&format!("{channel}: {}\n", done["result"][0].as_str().unwrap_or("delivered")), exit::OK)
        }
        Err(code) => code,
    }
}
