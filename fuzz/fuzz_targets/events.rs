//! Any bytes as events: each line counts as right or wrong, and what counts is bounded.

#![no_main]

use atalaya::ingest::events::{REJECTED_MAX, lines};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(lines) = lines(body) {
        let arrival = &lines.arrival;
        let arrived = arrival.requests.len() + arrival.queries.len() + arrival.happened.len();
        assert_eq!(lines.accepted, arrived as u64);
        assert!(lines.rejected.len() <= REJECTED_MAX && lines.rejected.len() as u64 <= lines.rejected_total);
        assert!(
            arrival.happened.iter().all(|happened| happened.name.len() <= 64 && happened.times <= 1_000_000)
        );
        assert!(arrival.requests.iter().all(|request| request.route.chars().count() <= 220));
    }
});
