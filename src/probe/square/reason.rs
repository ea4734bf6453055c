//! Whose reason it was that a payment failed.
//!
//! Square's codes are an open list: a code that is not here goes by its category, and shows as `OTHER`
//! so that what Square answers can't make up series of metrics.

use super::answer::ApiError;

/// Who could have made the payment succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The customer, the card or its issuer: a declined card is no outage.
    Customer,
    /// The shop, its account, its integration, or Square itself.
    Ours,
}

/// A payment that failed and named no reason.
pub const NONE: &str = "NONE";
/// A code that this version does not know.
pub const OTHER: &str = "OTHER";
/// The category of declined cards.
const PAYMENT_METHOD_ERROR: &str = "PAYMENT_METHOD_ERROR";

/// Why one payment failed: the first of our reasons, else the first named. `code` is bounded.
pub fn of<'a>(errors: impl Iterator<Item = &'a ApiError> + Clone) -> (Whose, &'static str) {
    match deciding(errors) {
        Some(error) => (whose(error), known(error.code.as_deref())),
        None => (Whose::Ours, NONE),
    }
}

/// The one word to keep of why a payment failed, from which [`whose_by`] tells again whose reason it was: the code, or
/// what stands for the category of one that this version does not know.
pub fn kept<'a>(errors: impl Iterator<Item = &'a ApiError> + Clone) -> Option<&'static str> {
    let error = deciding(errors)?;
    Some(match (known(error.code.as_deref()), whose(error)) {
        (NONE | OTHER, Whose::Customer) => PAYMENT_METHOD_ERROR,
        (NONE | OTHER, Whose::Ours) => OTHER,
        (code, _) => code,
    })
}

/// Whose reason a kept word is.
pub fn whose_by(kept: Option<&str>) -> Whose {
    let word = kept.map(str::to_owned);
    whose(&ApiError { category: word.clone(), code: word })
}

fn deciding<'a>(errors: impl Iterator<Item = &'a ApiError> + Clone) -> Option<&'a ApiError> {
    let ours = errors.clone().find(|error| whose(error) == Whose::Ours);
    ours.or_else(|| errors.clone().next())
}

fn whose(error: &ApiError) -> Whose {
    let code = error.code.as_deref().unwrap_or_default();
    if OURS.contains(&code) {
        Whose::Ours
    } else if CUSTOMERS.contains(&code) || error.category.as_deref() == Some(PAYMENT_METHOD_ERROR) {
        Whose::Customer
    } else {
        Whose::Ours
    }
}

fn known(code: Option<&str>) -> &'static str {
    let code = code.unwrap_or(NONE);
    OURS.iter().chain(CUSTOMERS).copied().find(|known| *known == code).unwrap_or(match code {
        NONE => NONE,
        _ => OTHER,
    })
}

/// Reasons that no customer can mend. `TEMPORARY_ERROR` has the category of declined cards and yet means
/// that Square could not say; a used or expired card token is the checkout's doing.
const OURS: &[&str] = &[
    "ACCESS_TOKEN_EXPIRED",
    "ACCESS_TOKEN_REVOKED",
    "AMOUNT_TOO_HIGH",
    "AMOUNT_TOO_LOW",
    "APPLICATION_DISABLED",
    "BAD_GATEWAY",
    "BAD_REQUEST",
    "CARD_PROCESSING_NOT_ENABLED",
    "CARD_TOKEN_EXPIRED",
    "CARD_TOKEN_USED",
    "CLIENT_DISABLED",
    "CURRENCY_MISMATCH",
    "FORBIDDEN",
    "GATEWAY_TIMEOUT",
    "IDEMPOTENCY_KEY_REUSED",
    "INSUFFICIENT_PERMISSIONS",
    "INSUFFICIENT_SCOPES",
    "INTERNAL_SERVER_ERROR",
    "INVALID_FEES",
    "INVALID_LOCATION",
    "INVALID_VALUE",
    "LOCATION_MISMATCH",
    "MISSING_REQUIRED_PARAMETER",
    "NOT_FOUND",
    "PAYMENT_AMOUNT_MISMATCH",
    "PAYMENT_LIMIT_EXCEEDED",
    "PAYMENT_SOURCE_NOT_ENABLED_FOR_TARGET",
    "RATE_LIMITED",
    "SANDBOX_NOT_SUPPORTED",
    "SERVICE_UNAVAILABLE",
    "SOURCE_EXPIRED",
    "SOURCE_USED",
    "TEMPORARY_ERROR",
    "UNAUTHORIZED",
    "UNSUPPORTED_CURRENCY",
];

/// Reasons of the customer, the card or its issuer.
const CUSTOMERS: &[&str] = &[
    "ACCOUNT_UNUSABLE",
    "ADDRESS_VERIFICATION_FAILURE",
    "ALLOWABLE_PIN_TRIES_EXCEEDED",
    "APPLE_TTP_PIN_TOKEN",
    "BAD_EXPIRATION",
    "BUYER_REFUSED_PAYMENT",
    "CARDHOLDER_INSUFFICIENT_PERMISSIONS",
    "CARD_DECLINED",
    "CARD_DECLINED_CALL_ISSUER",
    "CARD_DECLINED_VERIFICATION_REQUIRED",
    "CARD_EXPIRED",
    "CARD_MISMATCH",
    "CARD_NOT_SUPPORTED",
    "CARD_PRESENCE_REQUIRED",
    "CHECKOUT_EXPIRED",
    "CHIP_INSERTION_REQUIRED",
    "CVV_FAILURE",
    "EXPIRATION_FAILURE",
    "GENERIC_DECLINE",
    "GIFT_CARD_AVAILABLE_AMOUNT",
    "INSUFFICIENT_FUNDS",
    "INVALID_ACCOUNT",
    "INVALID_CARD",
    "INVALID_CARD_DATA",
    "INVALID_EMAIL_ADDRESS",
    "INVALID_EXPIRATION",
    "INVALID_EXPIRATION_DATE",
    "INVALID_EXPIRATION_YEAR",
    "INVALID_PHONE_NUMBER",
    "INVALID_PIN",
    "INVALID_POSTAL_CODE",
    "ISSUER_INSTALLMENT_ERROR",
    "MANUALLY_ENTERED_PAYMENT_NOT_SUPPORTED",
    "PAN_FAILURE",
    "TRANSACTION_LIMIT",
    "UNSUPPORTED_CARD_BRAND",
    "UNSUPPORTED_ENTRY_METHOD",
    "VERIFY_AVS_FAILURE",
    "VERIFY_CVV_FAILURE",
    "VOICE_FAILURE",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(errors: &[(&str, &str)], expected: (Whose, &str)) {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let errors: Vec<_> = errors
            .iter()
            .map(|(category, code)| ApiError { category: some(category), code: some(code) })
            .collect();
        assert_eq!(of(errors.iter()), expected, "{errors:?}");
        assert_eq!(whose_by(kept(errors.iter())), expected.0, "{errors:?}");
    }

    #[test]
    fn whose_reason_it_was() {
        use Whose::{Customer, Ours};
        check(&[("PAYMENT_METHOD_ERROR", "GENERIC_DECLINE")], (Customer, "GENERIC_DECLINE"));
        check(&[("PAYMENT_METHOD_ERROR", "TEMPORARY_ERROR")], (Ours, "TEMPORARY_ERROR"));
        check(
            &[("INVALID_REQUEST_ERROR", "CARD_PROCESSING_NOT_ENABLED")],
            (Ours, "CARD_PROCESSING_NOT_ENABLED"),
        );
        check(&[("API_ERROR", "SOMETHING_NEW")], (Ours, OTHER));
        check(&[("PAYMENT_METHOD_ERROR", "SOMETHING_NEW")], (Customer, OTHER));
        check(&[("", "CVV_FAILURE")], (Customer, "CVV_FAILURE"));
        check(&[("", "SOMETHING_NEW")], (Ours, OTHER));
        check(&[("PAYMENT_METHOD_ERROR", "")], (Customer, NONE));
        check(&[], (Ours, NONE));
    }

    #[test]
    fn ours_decides_where_there_are_several() {
        check(
            &[("PAYMENT_METHOD_ERROR", "CVV_FAILURE"), ("PAYMENT_METHOD_ERROR", "PAYMENT_LIMIT_EXCEEDED")],
            (Whose::Ours, "PAYMENT_LIMIT_EXCEEDED"),
        );
    }

    #[test]
    fn no_code_is_on_both_lists() {
        assert!(OURS.iter().all(|code| !CUSTOMERS.contains(code)));
    }
}
