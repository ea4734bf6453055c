//! The domain of a sender, as mail programs write senders.

/// Of `shop.example`, `orders@shop.example` or `The Shop <orders@shop.example>`; lower case.
pub fn domain(sender: &str) -> Option<String> {
    let sender = sender.trim();
    let address = match sender.rsplit_once('<') {
        Some((_, rest)) => rest.strip_suffix('>')?,
        None => sender,
    };
    let domain = address.rsplit_once('@').map_or(address, |(_, domain)| domain).trim();
    let is_label =
        |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
    let is_name = domain.contains('.') && domain.split('.').all(is_label);
    is_name.then(|| domain.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sender: &str, expected: Option<&str>) {
        assert_eq!(domain(sender).as_deref(), expected, "{sender}");
    }

    #[test]
    fn a_sender_has_a_domain() {
        check("shop.example", Some("shop.example"));
        check(" orders@Mail.Shop.example ", Some("mail.shop.example"));
        check("The Shop <orders@shop.example>", Some("shop.example"));
        check("\"A <b> c\" <x@shop.example>", Some("shop.example"));
        for wrong in [
            "",
            "shop",
            "orders@",
            "orders@shop",
            "The Shop <orders@shop.example",
            "a b.example",
            "x@.example",
        ] {
            check(wrong, None);
        }
    }
}
