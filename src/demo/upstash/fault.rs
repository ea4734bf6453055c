//! What can be made to go wrong with Upstash.

use std::fmt;

/// One thing that goes wrong while it is switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The token is not known: 401.
    Unauthorized,
    /// The day's quota is used up: each call is refused with 400.
    DailyQuota,
    /// The month's quota is used up: each item of a pipeline fails, with 200.
    MonthlyQuota,
    /// The plan's storage is full: writes are refused.
    StorageFull,
    /// Too many calls: 429 with `Retry-After`.
    RateLimited,
    /// Upstash is down: 503 with a page of a gateway.
    Outage,
    /// Answers take seconds.
    Slow,
    /// No answer ever.
    Hang,
    /// A page in place of JSON, with 200.
    Html,
    /// What rate limiters leave behind is gone, and no more comes.
    LimiterUnused,
}

impl Fault {
    /// Every one, in the order in which they are listed to people.
    pub const ALL: [Fault; 10] = [
        Fault::Unauthorized,
        Fault::DailyQuota,
        Fault::MonthlyQuota,
        Fault::StorageFull,
        Fault::RateLimited,
        Fault::Outage,
        Fault::Slow,
        Fault::Hang,
        Fault::Html,
        Fault::LimiterUnused,
    ];

    /// The name on the command line and over HTTP.
    pub const fn as_str(self) -> &'static str {
        match self {
            Fault::Unauthorized => "unauthorized",
            Fault::DailyQuota => "daily-quota",
            Fault::MonthlyQuota => "monthly-quota",
            Fault::StorageFull => "storage-full",
            Fault::RateLimited => "rate-limited",
            Fault::Outage => "outage",
            Fault::Slow => "slow",
            Fault::Hang => "hang",
            Fault::Html => "html",
            Fault::LimiterUnused => "limiter-unused",
        }
    }

    /// What it does, in a few words for a list.
    pub const fn about(self) -> &'static str {
        match self {
            Fault::Unauthorized => "the token is refused (401)",
            Fault::DailyQuota => "the day's quota of commands is used up",
            Fault::MonthlyQuota => "the month's quota of commands is used up",
            Fault::StorageFull => "the plan's storage is full, writes are refused",
            Fault::RateLimited => "too many calls (429, Retry-After)",
            Fault::Outage => "Upstash is down (503)",
            Fault::Slow => "Upstash answers after two seconds",
            Fault::Hang => "Upstash never answers",
            Fault::Html => "Upstash answers with a web page",
            Fault::LimiterUnused => "the shop's rate limiting is not in use",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = Fault::ALL.iter().map(|fault| fault.as_str()).collect();
        assert_eq!(names.len(), Fault::ALL.len());
    }
}
