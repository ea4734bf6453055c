//! What is read of Square's answers, and nothing more: they hold customers' cards, addresses and emails,
//! and what is never parsed can never be shown. Every field may be missing or `null`.

use serde::Deserialize;
use serde::de::IgnoredAny;

/// An answer that may carry errors beside, or in place of, what was asked for.
pub trait Answer {
    fn errors(&self) -> &[ApiError];
}

/// One error. Its `detail` is free text, which may quote what a customer typed, and is not read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct ApiError {
    pub category: Option<String>,
    pub code: Option<String>,
}

/// The body of every refusal.
#[derive(Debug, Default, Deserialize)]
pub struct Envelope {
    errors: Option<Vec<ApiError>>,
}

/// `POST /oauth2/token/status`
#[derive(Debug, Default, Deserialize)]
pub struct TokenStatus {
    /// Empty where the token never expires.
    pub expires_at: Option<String>,
    /// The application that the token was made for.
    pub client_id: Option<String>,
    pub merchant_id: Option<String>,
    errors: Option<Vec<ApiError>>,
}

/// `GET /v2/locations`
#[derive(Debug, Default, Deserialize)]
pub struct Locations {
    pub locations: Option<Vec<Location>>,
    errors: Option<Vec<ApiError>>,
}

#[derive(Debug, Default, Deserialize)]
pub struct Location {
    pub id: Option<String>,
    pub status: Option<String>,
    pub capabilities: Option<Vec<String>>,
}

impl Location {
    pub fn is_active(&self) -> bool {
        self.status.as_deref() == Some("ACTIVE")
    }

    pub fn takes_cards(&self) -> bool {
        self.capabilities.iter().flatten().any(|capability| capability == "CREDIT_CARD_PROCESSING")
    }
}

/// `GET /v2/payments`
#[derive(Debug, Default, Deserialize)]
pub struct PaymentPage {
    pub payments: Option<Vec<Payment>>,
    pub cursor: Option<String>,
    errors: Option<Vec<ApiError>>,
}

/// `GET /v2/payments/{id}`
#[derive(Debug, Default, Deserialize)]
pub struct OnePayment {
    pub payment: Option<Payment>,
    errors: Option<Vec<ApiError>>,
}

#[derive(Debug, Default, Deserialize)]
pub struct Payment {
    pub id: Option<String>,
    pub status: Option<String>,
    pub created_at: Option<String>,
    pub amount_money: Option<Money>,
    /// With the tip.
    pub total_money: Option<Money>,
    pub updated_at: Option<String>,
    refunded_money: Option<Money>,
    refund_ids: Option<Vec<IgnoredAny>>,
    card_details: Option<Details>,
    bank_account_details: Option<Details>,
}

#[derive(Debug, Default, Deserialize)]
struct Details {
    errors: Option<Vec<ApiError>>,
}

/// Minor units (cents) and an ISO 4217 code.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct Money {
    pub amount: Option<i64>,
    pub currency: Option<String>,
}

impl Payment {
    /// Why it failed, as far as Square says.
    pub fn errors(&self) -> impl Iterator<Item = &ApiError> + Clone {
        let details = self.card_details.iter().chain(&self.bank_account_details);
        details.flat_map(|details| details.errors.iter().flatten())
    }

    pub fn money(&self) -> Option<&Money> {
        self.total_money.as_ref().or(self.amount_money.as_ref())
    }

    /// Whether any of it was given back, or is on its way.
    pub fn has_refunds(&self) -> bool {
        let refunded = self.refunded_money.as_ref().and_then(|money| money.amount);
        refunded.is_some_and(|amount| amount > 0)
            || self.refund_ids.as_ref().is_some_and(|ids| !ids.is_empty())
    }
}

/// `GET /v2/webhooks/subscriptions`
#[derive(Debug, Default, Deserialize)]
pub struct Subscriptions {
    pub subscriptions: Option<Vec<Subscription>>,
    pub cursor: Option<String>,
    errors: Option<Vec<ApiError>>,
}

#[derive(Debug, Default, Deserialize)]
pub struct Subscription {
    pub id: Option<String>,
    pub enabled: Option<bool>,
    /// Not RFC 3339; see `time`.
    pub updated_at: Option<String>,
}

macro_rules! answers {
    ($($answer:ty),*) => {$(
        impl Answer for $answer {
            fn errors(&self) -> &[ApiError] {
                self.errors.as_deref().unwrap_or_default()
            }
        }
    )*};
}

answers!(Envelope, TokenStatus, Locations, PaymentPage, OnePayment, Subscriptions);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_missing_are_the_same() {
        let page: PaymentPage =
            serde_json::from_str(r#"{"payments":[{"id":null,"card_details":null},{}],"cursor":null}"#)
                .unwrap();
        assert_eq!(page.payments.map(|payments| payments.len()), Some(2));
        assert!(serde_json::from_str::<PaymentPage>("{}").unwrap().errors().is_empty());
    }
}
