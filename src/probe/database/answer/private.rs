//! What a customer would not want to see on a page: labels are shown, stored and sent, so none may tell of a person.
//!
//! The name of a label says what its values are, so a name of that kind is refused when the definition is read. A value
//! is looked at as well, since an alias hides a name: email addresses, phone numbers and card numbers have shapes.
//! Names of people have none; only whoever writes a query can keep them out.

use std::collections::BTreeMap;

/// Words that make the name of a label personal.
const WORDS: [&str; 26] = [
    "birthdate",
    "birthday",
    "buyer",
    "card",
    "cardholder",
    "cards",
    "customer",
    "dob",
    "emails",
    "fax",
    "firstname",
    "fullname",
    "iban",
    "ip",
    "lastname",
    "mail",
    "mobile",
    "pan",
    "postcode",
    "recipient",
    "ssn",
    "street",
    "surname",
    "username",
    "zip",
    "zipcode",
];

/// Personal inside a word too: `emailaddress`, `telephone`, `customeremail`.
const PARTS: [&str; 4] = ["email", "phone", "address", "customername"];

/// What makes of a `name` a person's; the name of a product is none.
const BEFORE_NAME: [&str; 9] =
    ["billing", "contact", "family", "first", "full", "given", "last", "middle", "user"];

/// A label that ends so sorts into a few kinds, and names nobody: `card_brand`, `email_type`, `customer_country`.
const KINDS: [&str; 9] =
    ["brand", "count", "country", "kind", "provider", "state", "status", "template", "type"];

/// The word that makes a label's name personal, where there is one.
pub fn personal_word(name: &str) -> Option<String> {
    let name = name.to_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).collect();
    if words.len() > 1 && words.last().is_some_and(|last| KINDS.contains(last)) {
        return None;
    }
    let personal = |word: &&&str| WORDS.contains(*word) || PARTS.iter().any(|part| word.contains(part));
    let single = words.iter().find(personal).map(|word| (*word).to_owned());
    let pair = || {
        let pair = words.windows(2).find(|pair| BEFORE_NAME.contains(&pair[0]) && pair[1] == "name");
        pair.map(|pair| pair.join("_"))
    };
    single.or_else(pair)
}

/// Whether a value looks like an email address, a phone number or a card's number.
pub fn looks_personal(value: &str) -> bool {
    let words: Vec<Option<Number>> = value.split_whitespace().map(Number::in_word).collect();
    let numbers = |from: usize| {
        let parts = words[from..].iter().take(WORDS_OF_A_NUMBER).map_while(Option::as_ref);
        parts.scan(Number::default(), |all, part| {
            all.join(part);
            Some(all.is_personal())
        })
    };
    value.split_whitespace().any(is_email) || (0..words.len()).any(|from| numbers(from).any(|is| is))
}

/// So many words may make one number: `+49 30 12 34 56 78`.
const WORDS_OF_A_NUMBER: usize = 6;

fn is_email(word: &str) -> bool {
    let (before, after) = word.split_once(['@', '＠']).unwrap_or_default();
    before.contains(char::is_alphanumeric) && after.contains(char::is_alphanumeric)
}

/// Digits in groups, as they are written: `+1 (212) 555-0199`.
#[derive(Debug, Default)]
struct Number {
    plus: bool,
    digits: String,
    /// How many digits each group has.
    groups: Vec<usize>,
}

impl Number {
    /// A word of digits and what stands between them: `tel:555-0199`, `(212)`, `555-0199x12`.
    fn in_word(word: &str) -> Option<Number> {
        let word = word.rsplit([':', '=']).next()?;
        let word = word.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '+' | '('));
        // An extension.
        let word = word.split(['x', 'X']).next()?;
        let between = |c: char| matches!(c, '+' | '(' | ')' | '-' | '.' | '/' | '‐' | '‑' | '–');
        if !word.chars().all(|c| c.is_ascii_digit() || between(c)) {
            return None;
        }
        let groups: Vec<&str> = word.split(between).filter(|group| !group.is_empty()).collect();
        Some(Number {
            plus: word.trim_start_matches('(').starts_with('+'),
            digits: groups.concat(),
            groups: groups.iter().map(|group| group.len()).collect(),
        })
    }

    fn join(&mut self, more: &Number) {
        self.plus |= self.digits.is_empty() && more.plus;
        self.digits += &more.digits;
        self.groups.extend(&more.groups);
    }

    fn is_personal(&self) -> bool {
        self.is_phone() || self.is_card()
    }

    /// With a country's code, with a zero for the long distance, or as in North America. Other digits may be an
    /// order's number, an amount or a date.
    fn is_phone(&self) -> bool {
        let length = self.digits.len();
        let at = |place: usize| self.digits.as_bytes().get(place).copied().unwrap_or(b'0');
        if self.plus {
            return (7..=15).contains(&length);
        }
        if self.digits.starts_with('0') {
            // No date: `01.02.2026 18` begins with two digits, and goes on with four.
            let grouped = self.groups[0] > 2 || self.groups.iter().all(|group| *group == 2);
            let abroad = at(1) == b'0' && at(2) != b'0' && (11..=15).contains(&length);
            return abroad || at(1) != b'0' && (9..=12).contains(&length) && grouped;
        }
        let (one, groups) = match self.groups.as_slice() {
            [1, rest @ ..] if at(0) == b'1' => (1, rest.to_vec()),
            [first, rest @ ..] if at(0) == b'1' => (1, [&[first - 1], rest].concat()),
            all => (0, all.to_vec()),
        };
        length == 10 + one
            && at(one) >= b'2'
            && at(one + 3) >= b'2'
            && [&[10][..], &[3, 3, 4], &[3, 7], &[6, 4]].contains(&groups.as_slice())
    }

    /// In one piece or in the groups that are printed on cards; the last digit is the check digit.
    fn is_card(&self) -> bool {
        let grouped = match self.groups.as_slice() {
            [_] | [4, 6, 4 | 5] => true,
            [first @ .., last] => first.iter().all(|group| *group == 4) && *last <= 4,
            [] => false,
        };
        let issuer = matches!(self.digits.as_bytes(), [b'2'..=b'6', ..]);
        grouped && issuer && (13..=19).contains(&self.digits.len()) && has_check_digit(&self.digits)
    }
}

/// Luhn's: from the right, every other digit counts twice.
fn has_check_digit(digits: &str) -> bool {
    let values = digits.bytes().rev().enumerate().map(|(place, digit)| {
        let value = u32::from(digit - b'0') * if place % 2 == 1 { 2 } else { 1 };
        if value > 9 { value - 9 } else { value }
    });
    values.sum::<u32>() % 10 == 0
}

/// What stands in for values that are not kept. The same value gets the same, so that rows can still be told apart.
#[derive(Debug, Default)]
pub struct StandIns(BTreeMap<String, usize>);

impl StandIns {
    /// `…`, `… 2`, …
    pub fn of(&mut self, value: &str) -> String {
        let next = self.0.len() + 1;
        match *self.0.entry(value.to_owned()).or_insert(next) {
            1 => "…".to_owned(),
            number => format!("… {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_says_whose_it_is_is_personal() {
        for (name, word) in [
            ("email", "email"),
            ("Customer_Email", "customer"),
            ("emailaddress", "emailaddress"),
            ("phone", "phone"),
            ("telephone_number", "telephone"),
            ("customer_name", "customer"),
            ("first_name", "first_name"),
            ("lastname", "lastname"),
            ("shipping_address", "address"),
            ("card", "card"),
            ("last_card_digits", "card"),
            ("ip", "ip"),
            ("client_ip", "ip"),
        ] {
            assert_eq!(personal_word(name).as_deref(), Some(word), "{name}");
        }
        for name in [
            "status",
            "product",
            "product_name",
            "name",
            "order",
            "payment",
            "day",
            "card_brand",
            "email_type",
            "customer_country",
            "shipping",
            "ship",
            "description",
            "discard",
        ] {
            assert_eq!(personal_word(name), None, "{name}");
        }
    }

    #[test]
    fn a_value_of_a_person_is_known_by_its_shape() {
        for value in [
            "jane@example.org",
            "Jane Doe <jane.doe+shop@mail.example.org>",
            "write to jane＠example.org",
            "+1 555 0199",
            "+15550199123",
            "+49 (0)30 12 34 56 78",
            "call (212) 555-0199 now",
            "212-555-0199x12",
            "212.555.0199",
            "2125550199",
            "tel:2125550199,",
            "1-212-555-0199",
            "12125550199",
            "2 212 555 0199",
            "030/12345678",
            "0171 2345678",
            "01 23 45 67 89",
            "0049 171 2345678",
            "4111 1111 1111 1111",
            "4111111111111111",
            "card 4111-1111-1111-1111.",
            "3782 822463 10005",
        ] {
            assert!(looks_personal(value), "{value}");
        }
    }

    #[test]
    fn what_a_shop_sells_and_counts_is_no_person() {
        for value in [
            "",
            "PENDING",
            "Alfajores clásicos, gift box of twelve",
            "Empanadas 12 x 4200 g, 2026",
            "Coffee @ home",
            "@home",
            "550e8400-e29b-41d4-a716-446655440000",
            "12345678-1234-4123-8123-123456789012",
            "550e8400-e29b-41d4-a71f-046655440000",
            "04665544",
            "12345678",
            "ORD-2026-1122-0001",
            "A2125550199",
            "114-3941689-8772232",
            "100-2024",
            "0000012345",
            "2026-11-22",
            "2026-11-22 18:39:00.123",
            "2026-11-22T18:39:00Z",
            "01.02.2026 18:30",
            "20261122183900",
            "1763838000",
            "1763838000123",
            "1763838000123456",
            "4111 1111 1111 1112",
            "192.168.100.200",
            "12,345,678,901.50",
            "-12345.678",
            "3 for 2",
            "()+-",
        ] {
            assert!(!looks_personal(value), "{value}");
        }
    }

    #[test]
    fn what_stands_in_tells_apart_and_tells_nothing() {
        let mut stand_ins = StandIns::default();
        let found: Vec<_> = ["a@b", "c@d", "a@b"].map(|value| stand_ins.of(value)).into();
        assert_eq!(found, ["…", "… 2", "…"]);
    }
}
