//! What can be made to go wrong with Resend.

use std::fmt;

/// One thing that goes wrong while it is switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The key is not known: 401 `validation_error`, as seen in real life.
    Unauthorized,
    /// The key is not known: 403 `invalid_api_key`, as documented.
    InvalidKey,
    /// The key is not known: 400 `validation_error`, as seen in real life.
    BadRequestKey,
    /// The key is suspended: 403.
    Suspended,
    /// Too many calls in a second: 429 with `Retry-After`.
    RateLimited,
    /// The day's quota is used up: 429. Whether the real one refuses reading too is not documented; here it does.
    DailyQuota,
    /// The month's quota is used up: 429, for reading too.
    MonthlyQuota,
    /// The edge turns everybody away: 403, code 1010.
    EdgeRefusal,
    /// Resend is down: 503.
    Outage,
    /// Answers take seconds.
    Slow,
    /// No answer ever.
    Hang,
    /// A page in place of JSON, with 200.
    Html,
    /// The DKIM record of the first domain was lost: it is `failed`, and mail from it is refused.
    DomainUnverified,
    /// The first domain is not verified yet.
    DomainPending,
    /// Every second email bounces.
    Bounces,
}

impl Fault {
    /// Every one, in the order in which they are listed to people.
    pub const ALL: [Fault; 15] = [
        Fault::Unauthorized,
        Fault::InvalidKey,
        Fault::BadRequestKey,
        Fault::Suspended,
        Fault::RateLimited,
        Fault::DailyQuota,
        Fault::MonthlyQuota,
        Fault::EdgeRefusal,
        Fault::Outage,
        Fault::Slow,
        Fault::Hang,
        Fault::Html,
        Fault::DomainUnverified,
        Fault::DomainPending,
        Fault::Bounces,
    ];

    /// The name on the command line and over HTTP.
    pub const fn as_str(self) -> &'static str {
        match self {
            Fault::Unauthorized => "unauthorized",
            Fault::InvalidKey => "invalid-key",
            Fault::BadRequestKey => "bad-request-key",
            Fault::Suspended => "suspended",
            Fault::RateLimited => "rate-limited",
            Fault::DailyQuota => "daily-quota",
            Fault::MonthlyQuota => "monthly-quota",
            Fault::EdgeRefusal => "edge-refusal",
            Fault::Outage => "outage",
            Fault::Slow => "slow",
            Fault::Hang => "hang",
            Fault::Html => "html",
            Fault::DomainUnverified => "domain-unverified",
            Fault::DomainPending => "domain-pending",
            Fault::Bounces => "bounces",
        }
    }

    /// What it does, in a few words for a list.
    pub const fn about(self) -> &'static str {
        match self {
            Fault::Unauthorized => "the API key is refused (401)",
            Fault::InvalidKey => "the API key is refused (403)",
            Fault::BadRequestKey => "the API key is refused (400)",
            Fault::Suspended => "the API key is suspended (403)",
            Fault::RateLimited => "too many calls (429, Retry-After)",
            Fault::DailyQuota => "the day's quota is used up (429)",
            Fault::MonthlyQuota => "the month's quota is used up (429)",
            Fault::EdgeRefusal => "the edge turns callers away (403, code 1010)",
            Fault::Outage => "Resend is down (503)",
            Fault::Slow => "Resend answers after two seconds",
            Fault::Hang => "Resend never answers",
            Fault::Html => "Resend answers with a web page",
            Fault::DomainUnverified => "the shop's domain is no longer verified",
            Fault::DomainPending => "the shop's domain is not verified yet",
            Fault::Bounces => "every second email bounces (it stays in the books for a day)",
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
