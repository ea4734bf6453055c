//! `tcp`: whether a port takes connections.

use super::{Build, Context, Kind, MeasureInfo, Run, Running};
use crate::config::text::Text;
use crate::outcome::{Class, Fault, Outcome};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::net::TcpStream;

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tcp {
    /// `host:port`
    address: Text,
}

struct Connect {
    address: String,
}

impl Kind for Tcp {
    fn name(&self) -> &'static str {
        "tcp"
    }

    fn measures(&self) -> &'static [MeasureInfo] {
        &[]
    }

    fn build(&self, build: &mut Build<'_>) -> Option<Box<dyn Run>> {
        let address = build.text("address", &self.address)?;
        Some(Box::new(Connect { address }))
    }
}

impl Run for Connect {
    fn run<'a>(&'a self, cx: &'a Context) -> Running<'a> {
        Box::pin(async {
            cx.phase("connect");
            match TcpStream::connect(&self.address).await {
                Ok(_) => Outcome::ok(),
                Err(error) => Fault::failed(Class::Connect, format!("{}: {error}", self.address)).into(),
            }
        })
    }
}
