//! Webhooks, signed by the vendors' own libraries: what is theirs is taken and counted once, what is not is refused.

use super::{
    CARD, EMAIL, RESEND_SECRET, SANDBOX_KEY, SQUARE_KEY, SQUARE_URL, counted, events, header, nowhere,
    payment, requests, resend, square, start, times, with_inbox,
};
use crate::support::agent::Agent;
use crate::support::judge;
use atalaya::ingest::{Source, Vendor};
use jiff::Timestamp;
use serde_json::{Value, json};

/// What Resend tells of an email, with a customer's address where Resend puts it.
fn email(kind: &str, id: &str) -> String {
    json!({"type": format!("email.{kind}"), "created_at": "2026-02-22T23:41:12.126Z", "data": {
        "email_id": id, "from": "Acme <onboarding@resend.dev>", "to": [EMAIL], "subject": format!("Order of {EMAIL}"),
        "bounce": {"type": "Permanent", "message": format!("no mailbox {EMAIL}")}, "failed": {"reason": EMAIL}}})
    .to_string()
}

/// Sends the letters, each with the status that it must get.
fn sent(agent: &Agent, letters: &[(Value, u16)]) {
    let at = format!("http://127.0.0.1:{}/ingest", agent.port);
    let all: Vec<&Value> = letters.iter().map(|(letter, _)| letter).collect();
    let given = json!({"square": {"url": SQUARE_URL, "to": format!("{at}/square")},
        "resend": {"secret": RESEND_SECRET, "to": format!("{at}/resend")}, "letters": all});
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("given.json");
    std::fs::write(&file, given.to_string()).expect("a file");
    let packages = ["square@44.1.0", "svix@2.5.0"];
    let said = judge::node("letters.mjs", &packages, &[file.to_str().expect("UTF-8")]).expect("statuses");
    let statuses: Vec<u16> = serde_json::from_str(&said).expect("JSON");
    for (status, (letter, expected)) in statuses.iter().zip(letters) {
        assert_eq!(status, expected, "{letter:#}\n{:#?}", agent.log());
    }
    assert_eq!(statuses.len(), letters.len());
}

#[test]
fn what_resend_signs_with_svix_is_taken_and_counted_once() {
    let mut agent = start("ingest-resend", "", "");
    let letter =
        |id: &str, kind: &str, of: &str| json!({"vendor": "resend", "id": id, "body": email(kind, of)});
    let with = |mut letter: Value, name: &str, value: Value| {
        letter[name] = value;
        letter
    };
    let first = letter("msg_1", "delivered", "e-1");
    sent(
        &agent,
        &[
            (first.clone(), 202),
            (first, 202),
            // The same message, delivered again later.
            (with(letter("msg_1", "delivered", "e-1"), "late", 290.into()), 202),
            (with(letter("msg_2", "bounced", "e-2"), "prefix", "webhook".into()), 202),
            (letter("msg_3", "complained", "e-1"), 202),
            (letter("msg_4", "delivery_delayed", "e-3"), 202),
            (letter("msg_5", "failed", "e-3"), 202),
            (letter("msg_6", "suppressed", "e-4"), 202),
            (
                json!({"vendor": "resend", "id": "msg_7", "body":
                json!({"type": "contact.created", "created_at": "2026-02-22T23:41:12Z", "data": {"email": EMAIL}}).to_string()}),
                202,
            ),
            (with(letter("msg_8", "delivered", "e-8"), "sent", email("delivered", "e-9").into()), 403),
            (with(letter("msg_9", "delivered", "e-8"), "late", 400.into()), 403),
            (with(letter("msg_10", "delivered", "e-8"), "late", (-400).into()), 403),
            (
                with(
                    letter("msg_11", "delivered", "e-8"),
                    "secret",
                    "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".into(),
                ),
                403,
            ),
        ],
    );
    agent.wait_for("all letters", |agent| events(agent, "resend", "letters_production") == 7.0);
    let expected = [
        ("emails_delivered", 1.0),
        ("emails_bounced", 1.0),
        ("emails_complained", 1.0),
        ("emails_delayed", 1.0),
        ("emails_failed", 1.0),
        ("emails_suppressed", 1.0),
        ("emails_attempted", 4.0),
        ("emails_undelivered", 3.0),
    ];
    for (name, count) in expected {
        assert_eq!(events(&agent, "resend", name), count, "{name}");
    }
    let fates = ["taken", "known", "forged"].map(|fate| requests(&agent, "resend", fate));
    assert_eq!(fates, [7.0, 2.0, 4.0]);
    assert_eq!(agent.metric("atalaya_ingest_items_total{kind=\"resend\"}"), Some(7.0));
    agent.terminate();
    nowhere(&agent.directory, &[EMAIL, RESEND_SECRET, "Order of"]);
}

#[test]
fn what_square_signs_is_taken_for_the_account_whose_key_it_is() {
    let mut agent = start("ingest-square", "", "");
    let letter = |key: &str, event: &str, id: &str, status: &str| json!({"vendor": "square", "key": key, "body": payment(event, id, status, "2026-02-06T21:27:34Z")});
    let mut elsewhere = letter(SQUARE_KEY, "e-7", "p-7", "COMPLETED");
    elsewhere["url"] = "https://atalaya.shop.example/ingest/square".into();
    let mut changed = letter(SQUARE_KEY, "e-8", "p-8", "COMPLETED");
    changed["sent"] = payment("e-8", "p-9", "COMPLETED", "2026-02-06T21:27:34Z").into();
    sent(
        &agent,
        &[
            (letter(SQUARE_KEY, "e-1", "p-1", "COMPLETED"), 202),
            (letter(SQUARE_KEY, "e-1", "p-1", "COMPLETED"), 202),
            (letter(SANDBOX_KEY, "e-2", "p-2", "COMPLETED"), 202),
            (letter(SQUARE_KEY, "e-3", "p-3", "FAILED"), 202),
            (letter("key-of-somebody-else", "e-4", "p-4", "COMPLETED"), 403),
            (elsewhere, 403),
            (changed, 403),
        ],
    );
    agent.wait_for("all letters", |agent| events(agent, "square", "letters_production") == 2.0);
    for (name, count) in [
        ("letters_sandbox", 1.0),
        ("payments_attempted", 2.0),
        ("payments_succeeded", 1.0),
        ("payments_failed", 1.0),
    ] {
        assert_eq!(events(&agent, "square", name), count, "{name}");
    }
    agent.terminate();
    let kept = with_inbox(&agent.directory, async |inbox| {
        inbox.letters(Vendor::Square, (Timestamp::UNIX_EPOCH, Timestamp::MAX)).await.expect("letters")
    });
    let mut kept: Vec<String> = kept.into_iter().map(|(id, _)| id).collect();
    kept.sort();
    assert_eq!(kept, ["e-1", "e-3"], "the sandbox's counts nothing, and nobody's log has to have it");
    nowhere(&agent.directory, &[EMAIL, CARD, SQUARE_KEY, SANDBOX_KEY]);
}

#[test]
fn a_payment_counts_once_in_whatever_order_and_over_a_restart() {
    let mut agent = start("ingest-square-order", "", "");
    let take = |agent: &Agent, event: &str, id: &str, status: &str, updated: &str| {
        assert_eq!(square(agent.port, SQUARE_KEY, &payment(event, id, status, updated)).status, 202);
    };
    let (early, late) = ("2026-02-06T21:27:34Z", "2026-02-06T21:27:35.123Z");
    // The later state comes first, and the earlier one is no new payment.
    take(&agent, "e-1", "p-1", "COMPLETED", late);
    take(&agent, "e-2", "p-1", "APPROVED", early);
    take(&agent, "e-3", "p-2", "PENDING", early);
    agent.wait_for("all letters", |agent| events(agent, "square", "letters_production") == 3.0);
    assert_eq!(events(&agent, "square", "payments_succeeded"), 1.0);
    agent.kill();
    agent.restart();
    for event in ["e-1", "e-2"] {
        take(&agent, event, "p-1", "COMPLETED", late);
    }
    take(&agent, "e-4", "p-1", "COMPLETED", late);
    take(&agent, "e-5", "p-2", "COMPLETED", late);
    agent.wait_for("the two that are new", |agent| events(agent, "square", "letters_production") == 2.0);
    assert_eq!(events(&agent, "square", "payments_succeeded"), 1.0, "p-2");
    agent.terminate();
    let all = counted(&agent.directory, Source::Square);
    let found =
        ["letters_production", "payments_attempted", "payments_succeeded"].map(|name| times(&all, name));
    assert_eq!(found, [5, 2, 2]);
}

#[test]
fn who_goes_on_with_forged_letters_is_not_listened_to_and_the_vendor_is() {
    let agent = start("ingest-forged", "", "");
    let body = email("delivered", "e-1");
    let forged = |number: u32| {
        let key = format!("key-number-{number}");
        square(agent.port, &key, &payment("e-1", "p-1", "COMPLETED", "2026-02-06T21:27:34Z"))
    };
    let statuses: Vec<u16> = (0..30).map(|number| forged(number).status).collect();
    assert!(statuses[..20].iter().all(|status| *status == 403), "{statuses:?}");
    assert!(statuses.iter().filter(|status| **status == 429).count() >= 8, "{statuses:?}");
    assert!(header(&forged(31), "retry-after").is_some());
    assert_eq!(resend(agent.port, "msg_1", &body).status, 202);
    agent.wait_for("the letter", |agent| events(agent, "resend", "emails_delivered") == 1.0);
    let told = agent.log().iter().filter(|line| line["message"] == "a letter is refused").count();
    assert!(told <= 24, "{told} lines");
}
