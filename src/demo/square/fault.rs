//! What can be made to go wrong with Square.

use std::fmt;

/// One thing that goes wrong while it is switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The token is not known: 401.
    Unauthorized,
    /// The token has expired: 401.
    TokenExpired,
    /// The token may do less than it must: 403.
    ForbiddenScope,
    /// Too many calls: 429 with `Retry-After` in seconds.
    RateLimited,
    /// Too many calls: 429 with `Retry-After` as a date.
    RateLimitedUntil,
    /// Too many calls: 429 and no word on when to come back.
    RateLimitedSilently,
    /// Square is down: 503.
    Outage,
    /// Answers take seconds.
    Slow,
    /// No answer ever.
    Hang,
    /// A page in place of JSON, with 200.
    Html,
    /// Answers that break off.
    Truncated,
    /// A share of those who pay (a half unless told otherwise) are declined for reasons of their own.
    Declines,
    /// A share of those who pay (a half unless told otherwise) fail for a reason of the shop's.
    OurFailures,
    /// The main location was closed.
    LocationInactive,
    /// No location takes cards any more.
    NoCardProcessing,
    /// Square has switched the webhook subscription off.
    WebhookDisabled,
    /// The sandbox answers in place of production.
    SandboxAnswers,
}

impl Fault {
    /// Every one, in the order in which they are listed to people.
    pub const ALL: [Fault; 17] = [
        Fault::Unauthorized,
        Fault::TokenExpired,
        Fault::ForbiddenScope,
        Fault::RateLimited,
        Fault::RateLimitedUntil,
        Fault::RateLimitedSilently,
        Fault::Outage,
        Fault::Slow,
        Fault::Hang,
        Fault::Html,
        Fault::Truncated,
        Fault::Declines,
        Fault::OurFailures,
        Fault::LocationInactive,
        Fault::NoCardProcessing,
        Fault::WebhookDisabled,
        Fault::SandboxAnswers,
    ];

    /// Whether who reads the list of payments still reads it, and reads the truth.
    pub const fn leaves_the_list(self) -> bool {
        matches!(
            self,
            Fault::Slow
                | Fault::Declines
                | Fault::OurFailures
                | Fault::LocationInactive
                | Fault::NoCardProcessing
                | Fault::WebhookDisabled
                | Fault::SandboxAnswers
        )
    }

    /// The name on the command line and over HTTP.
    pub const fn as_str(self) -> &'static str {
        match self {
            Fault::Unauthorized => "unauthorized",
            Fault::TokenExpired => "token-expired",
            Fault::ForbiddenScope => "forbidden-scope",
            Fault::RateLimited => "rate-limited",
            Fault::RateLimitedUntil => "rate-limited-until",
            Fault::RateLimitedSilently => "rate-limited-silently",
            Fault::Outage => "outage",
            Fault::Slow => "slow",
            Fault::Hang => "hang",
            Fault::Html => "html",
            Fault::Truncated => "truncated",
            Fault::Declines => "declines",
            Fault::OurFailures => "our-failures",
            Fault::LocationInactive => "location-inactive",
            Fault::NoCardProcessing => "no-card-processing",
            Fault::WebhookDisabled => "webhook-disabled",
            Fault::SandboxAnswers => "sandbox-answers",
        }
    }

    /// What it does, in a few words for a list.
    pub const fn about(self) -> &'static str {
        match self {
            Fault::Unauthorized => "the access token is refused (401)",
            Fault::TokenExpired => "the access token has expired (401)",
            Fault::ForbiddenScope => "the access token lacks a permission (403)",
            Fault::RateLimited => "too many calls (429, Retry-After in seconds)",
            Fault::RateLimitedUntil => "too many calls (429, Retry-After as a date)",
            Fault::RateLimitedSilently => "too many calls (429, no Retry-After)",
            Fault::Outage => "Square is down (503)",
            Fault::Slow => "Square answers after two seconds",
            Fault::Hang => "Square never answers",
            Fault::Html => "Square answers with a web page",
            Fault::Truncated => "Square's answers break off",
            Fault::Declines => "many customers' cards are declined",
            Fault::OurFailures => {
                "many payments fail for a reason of the shop's (it stays in the books for an hour)"
            }
            Fault::LocationInactive => "the main location is inactive",
            Fault::NoCardProcessing => "no location takes cards",
            Fault::WebhookDisabled => "Square has switched the webhook off",
            Fault::SandboxAnswers => "the sandbox answers in place of production",
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
