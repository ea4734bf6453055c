//! `atalaya schema`: the JSON Schema of the definitions.

use super::{exit, fail, print};
use crate::config::definition::AnyFile;

pub fn main() -> u8 {
    let schema = schemars::schema_for!(AnyFile);
    match serde_json::to_string_pretty(&schema) {
        Ok(text) => print(
            &(text
                + "
"),
            exit::OK,
        ),
        Err(error) => fail(error),
    }
}
