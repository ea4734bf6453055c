//! A message as an email: headers, plain text and page.

use super::address;
use super::trouble::Trouble;
use crate::notify::Parcel;
use crate::notify::mailbox::Mailbox;
use crate::notify::message::{Message, Tone};
use jiff::Timestamp;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox as Named, MultiPart, MultiPartKind, SinglePart};
use std::time::SystemTime;

/// The whole email, the same at every try: who has it already knows it by its Message-ID.
pub fn write(parcel: &Parcel, message: &Message, from: &Mailbox, to: &[Mailbox]) -> Result<Vec<u8>, Trouble> {
    let id = |key: &str| format!("<{key}@{}>", from.domain);
    // A date in an email can't lie before 1970.
    let at = SystemTime::from(parcel.notice.at.max(Timestamp::UNIX_EPOCH));
    let mut letter = lettre::Message::builder()
        .date(at)
        .message_id(Some(id(&parcel.key)))
        .from(named(from)?)
        .subject(&message.subject);
    for mailbox in to {
        letter = letter.to(named(mailbox)?);
    }
    if parcel.thread != parcel.key {
        letter = letter.in_reply_to(id(&parcel.thread)).references(id(&parcel.thread));
    }
    // Nobody's holiday answer and no mailing list shall reply to this.
    letter = letter
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("X-Auto-Response-Suppress", "All"));
    if message.tone == Tone::Page {
        letter = letter.raw_header(header("Importance", "high")).raw_header(header("X-Priority", "1"));
    }
    let body = MultiPart::builder()
        .kind(MultiPartKind::Alternative)
        .boundary(format!("=_{}", parcel.key))
        .singlepart(part(ContentType::TEXT_PLAIN, &message.text))
        .singlepart(part(ContentType::TEXT_HTML, &message.html));
    let letter =
        letter.multipart(body).map_err(|error| Trouble::never(format!("can't write the email: {error}")))?;
    Ok(letter.formatted())
}

fn part(kind: ContentType, text: &str) -> SinglePart {
    SinglePart::builder().header(kind).body(text.to_owned())
}

fn named(mailbox: &Mailbox) -> Result<Named, Trouble> {
    let name = Some(mailbox.name.clone()).filter(|name| !name.is_empty());
    Ok(Named::new(name, address(mailbox)?))
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}
