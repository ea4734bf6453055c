//! What requests are told apart by: the method and the pattern of the route.
//!
//! Records are kept for each of them, so there must be few: the method is one that HTTP knows, the pattern is short and has
//! no query. That it is a pattern, and not a path with somebody's order number in it, only who says it can know; what
//! becomes too many all the same is bounded where it is counted.

use crate::plain;

const PATTERN_CHARS_MAX: usize = 200;

/// RFC 9110, section 9, RFC 5789 and RFC 10008.
const METHODS: [&str; 10] =
    ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "QUERY", "CONNECT", "TRACE"];

/// OpenTelemetry's word for a method that is none of HTTP's.
pub(super) const OTHER: &str = "_OTHER";

/// `POST /api/orders/[id]`, or as much of it as is known; `None` where nothing is.
pub(super) fn name(method: Option<&str>, pattern: Option<&str>) -> Option<String> {
    let method = method.map(str::trim).filter(|method| !method.is_empty()).map(known);
    let pattern = pattern.map(bare).filter(|pattern| !pattern.is_empty());
    match (method, pattern) {
        (Some(method), Some(pattern)) => Some(format!("{method} {pattern}")),
        (Some(method), None) => Some(method.to_owned()),
        (None, pattern) => pattern,
    }
}

fn known(method: &str) -> &'static str {
    METHODS.into_iter().find(|known| known.eq_ignore_ascii_case(method)).unwrap_or(OTHER)
}

/// Without a query or a fragment, which would hold values, and fit to be shown.
fn bare(pattern: &str) -> String {
    let path = pattern.split(['?', '#']).next().unwrap_or_default();
    if path.len() <= PATTERN_CHARS_MAX && path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return path.to_owned();
    }
    plain::line(path, PATTERN_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(method: &str, pattern: &str, expected: &str) {
        let said = |text| Some(text).filter(|text: &&str| !text.is_empty());
        assert_eq!(name(said(method), said(pattern)).as_deref().unwrap_or_default(), expected);
    }

    #[test]
    fn method_and_pattern_are_told_and_nothing_that_fills_them() {
        check("GET", "/products/[slug]", "GET /products/[slug]");
        check("post", "/api/checkout", "POST /api/checkout");
        check("GET", "/search?q=somebody", "GET /search");
        check("GET", "/search#somebody", "GET /search");
        check("GET", "?q=somebody", "GET");
        check("GET", "", "GET");
        check("", "/api/checkout", "/api/checkout");
        check("", "", "");
        check("BREW", "/pot", "_OTHER /pot");
        check("GET", "/a\u{1b}[31m\nb", "GET /a b");
        check("GET", "/größe/[id]", "GET /größe/[id]");
    }

    proptest! {
        #[test]
        fn whatever_is_said_the_name_is_short_and_plain(method in "(?s).{0,20}", pattern in "(?s).{0,600}") {
            let name = name(Some(&method), Some(&pattern)).unwrap_or_default();
            prop_assert!(name.chars().count() <= PATTERN_CHARS_MAX + OTHER.len() + 1);
            prop_assert!(!name.chars().any(char::is_control));
        }
    }
}
