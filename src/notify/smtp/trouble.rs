//! Why a message was not taken, whether another try can help, and what of it may be shown.

use crate::notify::Delivery;
use crate::notify::mailbox::Mailbox;
use crate::outcome::Fault;
use crate::plain;
use crate::probe::api;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::transport::smtp::Error;
use secrecy::{ExposeSecret, SecretString};
use std::error::Error as _;
use std::io;
use std::time::Duration;

/// Limits of an hour or a day don't go away in a minute.
const LIMIT_WAIT: Duration = Duration::from_mins(10);

/// Words with which servers refuse for good (5xx) what they would take later.
const LATER: [&str; 9] = [
    "try again",
    "later",
    "temporar",
    "too many",
    "rate limit",
    "limit exceeded",
    "throttl",
    "greylist",
    "quota",
];

#[derive(Debug)]
pub struct Trouble {
    /// Another try can't help.
    pub never: bool,
    pub after: Option<Duration>,
    pub why: String,
    /// The server said so, and the dialogue can go on.
    pub is_reply: bool,
    /// The server said that it ends the connection.
    pub is_goodbye: bool,
}

impl Trouble {
    pub fn later(why: impl Into<String>) -> Trouble {
        Trouble { never: false, after: None, why: why.into(), is_reply: false, is_goodbye: false }
    }

    pub fn never(why: impl Into<String>) -> Trouble {
        Trouble { never: true, ..Trouble::later(why) }
    }

    pub fn broken(error: &io::Error) -> Trouble {
        Trouble::later(format!("the mail server broke the connection off: {error}"))
    }

    pub fn closed() -> Trouble {
        Trouble::later("the mail server closed the connection in the middle of the dialogue")
    }

    pub fn no_smtp() -> Trouble {
        Trouble::later("what answers there does not speak SMTP; check `host`, `port` and `tls`")
    }

    /// A reply of three digits and words to `what` was told.
    pub fn reply(what: &str, code: &str, words: &str) -> Trouble {
        let never = code.starts_with('5') && !is_for_now(code, words);
        let lasts = code.starts_with('5') && !never;
        let words = match quote(words) {
            nothing if nothing.is_empty() => nothing,
            words => format!(" {words}"),
        };
        let verb = if never { "refuses" } else { "does not take" };
        let way_out = if never { way_out(code, &words) } else { "" };
        Trouble {
            never,
            after: lasts.then_some(LIMIT_WAIT),
            why: format!(
                "the mail server {verb} {what}{}: {code}{words}{way_out}",
                if never { "" } else { " now" }
            ),
            is_reply: true,
            is_goodbye: code == "421",
        }
    }

    /// The same trouble with some of the recipients.
    pub fn of(mut self, some: usize, all: usize) -> Trouble {
        if all > 1 {
            self.why = format!("{some} of {all} recipients: {}", self.why);
        }
        self
    }

    pub fn delivery(self) -> Delivery {
        if self.never {
            return Delivery::Refused { why: self.why };
        }
        Delivery::Retry { after: self.after, why: self.why }
    }
}

/// What a connection or a handshake found: whoever mends it, another try can help.
impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Trouble {
        Trouble::later(fault.text)
    }
}

/// Whether a refusal "for good" is one for the moment: a full mailbox, a server in trouble, a limit that passes.
/// By the enhanced code (RFC 3463) where there is one, else by what it says.
fn is_for_now(code: &str, words: &str) -> bool {
    let words = words.to_lowercase();
    let enhanced = words.split_whitespace().next().unwrap_or("");
    let is_passing = ["5.2.2", "5.3.1", "5.3.2", "5.4."].iter().any(|start| enhanced.starts_with(start));
    let is_size = enhanced == "5.3.4";
    // 552 to a recipient is a full mailbox (RFC 5321, 4.5.3.1.10).
    is_passing || (code == "552" && !is_size) || LATER.iter().any(|word| words.contains(word))
}

fn way_out(code: &str, words: &str) -> &'static str {
    let needs_tls = words.to_lowercase().contains("starttls");
    match code {
        "530" if needs_tls => "; set `tls = \"starttls\"`",
        "530" => "; give `user` and `password`",
        "534" | "535" | "538" => "; check `user` and `password`",
        "550" | "551" | "553" => "; check `from` and `to`, and whether this sender may send there",
        _ => "",
    }
}

/// What no text may show: the password in every form in which it is sent, the user, and who receives.
pub struct Hidden {
    secrets: Vec<(&'static str, SecretString)>,
    /// What stands before the `@` of recipients: servers like to name it alone.
    users: Vec<String>,
}

impl Hidden {
    pub fn new(user: &str, password: &SecretString, to: &[Mailbox]) -> Hidden {
        let password = password.expose_secret();
        let forms = [
            password.to_owned(),
            STANDARD.encode(password),
            STANDARD.encode(format!("\0{user}\0{password}")),
        ];
        let of_user = [user.to_owned(), STANDARD.encode(user)];
        let secrets = forms.map(|form| ("<password>", form)).into_iter();
        let secrets = secrets.chain(of_user.map(|form| ("<user>", form)));
        Hidden {
            secrets: secrets.map(|(name, form)| (name, SecretString::from(form))).collect(),
            users: to.iter().map(|mailbox| mailbox.user.to_lowercase()).collect(),
        }
    }

    /// What lettre came upon while `what` was told.
    pub fn trouble(&self, what: &str, error: &Error) -> Trouble {
        let words = error.source().map(ToString::to_string).unwrap_or_default();
        match error.status() {
            Some(code) => Trouble::reply(what, &code.to_string(), &self.hide(&words)),
            None if error.is_response() && words == "incomplete response" => Trouble::closed(),
            None if error.is_response() => Trouble::no_smtp(),
            None => {
                Trouble::later(format!("the mail server broke the connection off: {}", self.quote(&words)))
            }
        }
    }

    /// As a last resort, on whatever leaves the channel.
    pub fn out_of(&self, delivery: Delivery) -> Delivery {
        delivery.reworded(|why| self.hide(&why))
    }

    /// A server's words, one bounded line.
    fn quote(&self, words: &str) -> String {
        quote(&self.hide(words))
    }

    fn hide(&self, words: &str) -> String {
        let secrets = self.secrets.iter().map(|(name, form)| (*name, form.expose_secret()));
        let words = plain::redact(words, secrets);
        let shown = |word: &str| {
            let bare = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
            if self.users.contains(&bare) { "<recipient>".to_owned() } else { word.to_owned() }
        };
        let words: Vec<_> = words.split_whitespace().map(shown).collect();
        words.join(" ")
    }
}

/// Words from outside as one bounded line, without addresses.
fn quote(words: &str) -> String {
    api::quote(words, &SecretString::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, words: &str, expected: &str) {
        let trouble = Trouble::reply("the message", code, words);
        let shown = match trouble.delivery() {
            Delivery::Retry { after: Some(_), why } => format!("limit: {why}"),
            Delivery::Retry { after: None, why } => format!("retry: {why}"),
            Delivery::Refused { why } => format!("refused: {why}"),
            Delivery::Absent { why } => format!("absent: {why}"),
            Delivery::Delivered => "delivered".to_owned(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn replies_say_whether_another_try_can_help() {
        check("421", "bye", "retry: the mail server does not take the message now: 421 bye");
        check(
            "450",
            "4.2.1 greylisted",
            "retry: the mail server does not take the message now: 450 4.2.1 greylisted",
        );
        check("552", "", "limit: the mail server does not take the message now: 552");
        check("554", "no", "refused: the mail server refuses the message: 554 no");
        let size = "5.3.4 message too big";
        check("552", size, &format!("refused: the mail server refuses the message: 552 {size}"));
        for words in [
            "5.4.5 Daily user sending limit reached",
            "5.2.2 mailbox full",
            "Too many messages",
            "try again LATER",
        ] {
            check(
                "550",
                words,
                &format!("limit: the mail server does not take the message now: 550 {words}"),
            );
        }
        check(
            "535",
            "5.7.8 bad",
            "refused: the mail server refuses the message: 535 5.7.8 bad; check `user` and `password`",
        );
        check(
            "530",
            "5.7.0 Must issue a STARTTLS command first",
            "refused: the mail server refuses the message: 530 5.7.0 Must issue a STARTTLS command first; set `tls = \"starttls\"`",
        );
    }

    #[test]
    fn no_form_of_the_password_and_no_recipient_is_shown() {
        let password = SecretString::from("marked-password");
        let to =
            Mailbox { name: "Ann".to_owned(), user: "ann".to_owned(), domain: "shop.example".to_owned() };
        let hidden = Hidden::new("night-watch", &password, &[to]);
        let plain = STANDARD.encode("\0night-watch\0marked-password");
        let words = format!(
            "AUTH PLAIN {plain} of night-watch, marked-password {} <ann@shop.example>: user 'Ann' unknown, annual",
            STANDARD.encode("marked-password")
        );
        let shown = hidden.quote(&words);
        assert_eq!(
            shown,
            "AUTH PLAIN <password> of <user>, <password> <password> <address> user <recipient> unknown, annual"
        );
    }
}
