//! Any text as SQL: short, plain, without literals, and the same for its own result.

#![no_main]

use atalaya::ingest::statement::{DoubleQuoted, normalise};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|sql: &str| {
    for double_quoted in [DoubleQuoted::Name, DoubleQuoted::Literal] {
        let text = normalise(sql, double_quoted);
        assert!(text.chars().count() <= 500);
        assert!(!text.contains('\'') && !text.chars().any(char::is_control));
        assert_eq!(normalise(&text, double_quoted), text);
    }
});
