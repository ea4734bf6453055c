//! What is read of Square by more than one kind: the locations, and payments page by page or one by its id.

use super::answer::{Location, Locations, OnePayment, Payment, PaymentPage};
use super::client::{Ask, Calls, Client, Refusal, Trouble};
use super::payments::Window;
use crate::probe::api::is_word;
use reqwest::Method;
use std::collections::VecDeque;

/// Tells `each` payment of all locations that was made in a window, the end included; some may come twice. Locations take
/// turns, so that a busy one leaves calls to the others. Whether all were seen: the calls may not suffice.
pub async fn gather(
    client: &Client,
    calls: &mut Calls,
    locations: &[String],
    window: Window,
    mut each: impl FnMut(&Payment),
) -> Result<bool, Trouble> {
    let (from, to) = (window.from.to_string(), window.to.to_string());
    let mut todo: VecDeque<(&str, Option<String>)> = locations.iter().map(|id| (id.as_str(), None)).collect();
    while let Some((location, cursor)) = todo.pop_front() {
        let mut query = vec![
            ("location_id", location),
            ("begin_time", from.as_str()),
            ("end_time", to.as_str()),
            ("sort_order", "ASC"),
            ("limit", "100"),
        ];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = match page(client, calls, &query).await {
            Ok(page) => page,
            Err(Trouble::NoCallsLeft) => return Ok(false),
            Err(trouble) => return Err(trouble),
        };
        page.payments.iter().flatten().for_each(&mut each);
        let next = page.cursor.filter(|next| !next.is_empty());
        if next.is_some() && next == cursor {
            let text = "Square gave the same cursor twice: the pages of payments have no end";
            return Err(Trouble::Refused(Refusal::protocol(text)));
        }
        todo.extend(next.map(|next| (location, Some(next))));
    }
    Ok(true)
}

/// One page of payments.
pub async fn page(
    client: &Client,
    calls: &mut Calls,
    query: &[(&'static str, &str)],
) -> Result<PaymentPage, Trouble> {
    let ask = Ask { method: Method::GET, path: "/v2/payments", query, permission: "PAYMENTS_READ" };
    client.call(calls, &ask).await
}

/// One payment; `None` where Square has none of this id, which must look like one.
pub async fn one(client: &Client, calls: &mut Calls, id: &str) -> Result<Option<Payment>, Trouble> {
    let path = format!("/v2/payments/{id}");
    let ask = Ask { method: Method::GET, path: &path, query: &[], permission: "PAYMENTS_READ" };
    match client.call::<OnePayment>(calls, &ask).await {
        Ok(answer) => Ok(answer.payment),
        Err(Trouble::Refused(refusal)) if refusal.is_not_found => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

/// All locations of the account.
pub async fn locations(client: &Client, calls: &mut Calls) -> Result<Vec<Location>, Trouble> {
    let ask =
        Ask { method: Method::GET, path: "/v2/locations", query: &[], permission: "MERCHANT_PROFILE_READ" };
    let answer = client.call::<Locations>(calls, &ask).await?;
    Ok(answer.locations.unwrap_or_default())
}

/// Whether a text may be asked for as the id of a payment: nothing that could lead to another place of the API, and
/// nothing that could be anybody's number.
pub fn is_id(text: &str) -> bool {
    !text.is_empty() && is_word(text) && !text.contains(['.', ':'])
}
