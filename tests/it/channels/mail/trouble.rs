//! Servers that refuse, hang, break off and talk without end, at every step of the dialogue.

use super::{clear, definition, said, send};
use crate::support::channel::{channel, channel_within, deliver, notice, parcel};
use crate::support::mail::{Answer, ScriptedServer};
use crate::support::target::Silent;
use crate::support::{server, web};
use atalaya::alert::Kind;
use atalaya::notify::{Delivery, Parcel};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What a server that answers one step so makes of a try.
async fn check_answer(step: &'static str, words: &'static str, expected: &str) {
    let server = ScriptedServer::saying(step, words).await;
    let more = "tls = 'none', user = 'watch', password = 'marked-pass-word'";
    let mail = channel(&definition(&server.address.to_string(), more), &[]);
    let found = said(&*mail, 1).await;
    assert!(found.starts_with(expected), "{step} {words}: {found}");
    assert_eq!(server.letters().len(), usize::from(expected == "delivered"));
}

#[tokio::test]
async fn each_answer_at_each_step_says_whether_to_try_again() {
    for (step, what) in [
        ("greeting", "the connection"),
        ("EHLO", "the connection"),
        ("AUTH", "the log-in"),
        ("MAIL", "the sender"),
        ("DATA", "the message"),
        (".", "the message"),
    ] {
        check_answer(
            step,
            "421 4.3.2 closing",
            &format!("retry: the mail server does not take {what} now: 421 4.3.2 closing"),
        )
        .await;
        check_answer(
            step,
            "451 4.3.0 wait",
            &format!("retry: the mail server does not take {what} now: 451 4.3.0 wait"),
        )
        .await;
        check_answer(step, "554 5.7.1 no", &format!("refused: the mail server refuses {what}: 554 5.7.1 no"))
            .await;
        let limit = "550 5.4.5 Daily limit";
        check_answer(
            step,
            limit,
            &format!("retry after 10m: the mail server does not take {what} now: {limit}"),
        )
        .await;
        check_answer(step, "hello", "retry: what answers there does not speak SMTP").await;
    }
    let both = "2 of 2 recipients: the mail server";
    check_answer(
        "RCPT",
        "451 4.7.1 greylisted",
        &format!("retry: {both} does not take a recipient now: 451 4.7.1 greylisted"),
    )
    .await;
    check_answer(
        "RCPT",
        "550 5.1.1 ann@shop.example: no such user ann",
        &format!("refused: {both} refuses a recipient: 550 5.1.1 <address> no such user <recipient>"),
    )
    .await;
    check_answer(
        "RCPT",
        "552 full",
        &format!("retry after 10m: {both} does not take a recipient now: 552 full"),
    )
    .await;
    check_answer("RCPT", "421 closing", "retry: the mail server does not take a recipient now: 421 closing")
        .await;
    check_answer(
        "AUTH",
        "535 5.7.8 AHdhdGNoAG1hcmtlZC1wYXNzLXdvcmQ=",
        "refused: the mail server refuses the log-in: 535 5.7.8 <password>",
    )
    .await;
    check_answer(
        "AUTH",
        "454 4.7.0 Too many login attempts",
        "retry: the mail server does not take the log-in now",
    )
    .await;
    check_answer("EHLO", "250 mail.example", "refused: the mail server offers no log-in with a password")
        .await;
}

#[tokio::test]
async fn a_server_that_hangs_or_breaks_off_at_any_step_is_left_and_named() {
    for (step, phase) in [
        ("greeting", "greeting"),
        ("EHLO", "greeting"),
        ("MAIL", "mail"),
        ("RCPT", "recipients"),
        ("DATA", "data"),
        (".", "data"),
    ] {
        let hung = ScriptedServer::start(move |_, said| said.starts_with(step).then_some(Answer::Hang)).await;
        let address = definition(&hung.address.to_string(), "tls = 'none'");
        let mail = channel_within(Duration::from_millis(400), &address);
        let begun = Instant::now();
        let found = said(&*mail, 1).await;
        assert_eq!(found, format!("retry: no end within 380ms; it hung in phase `{phase}`"), "{step}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{step}");
        let closed =
            ScriptedServer::start(move |_, said| said.starts_with(step).then_some(Answer::Close)).await;
        let found = said(&*clear(&closed), 1).await;
        assert_eq!(
            found, "retry: the mail server closed the connection in the middle of the dialogue",
            "{step}"
        );
    }
    let silent = Silent::start();
    for tls in ["starttls", "implicit"] {
        let address = definition(&silent.address().to_string(), &format!("tls = '{tls}'"));
        let found = said(&*channel_within(Duration::from_millis(400), &address), 1).await;
        assert!(found.starts_with("retry: no end within 380ms; it hung in phase"), "{tls}: {found}");
    }
    let nobody = SocketAddr::from(([127, 0, 0, 1], server::free_port()));
    let found = said(&*channel(&definition(&nobody.to_string(), "tls = 'none'"), &[]), 1).await;
    assert_eq!(found, format!("retry: {nobody} refused the connection"));
}

#[tokio::test]
async fn a_try_that_is_ended_from_outside_leaves_nothing_behind() {
    for step in ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "."] {
        let server = ScriptedServer::start(move |connection, said| {
            (connection == 0 && said.starts_with(step)).then_some(Answer::Hang)
        })
        .await;
        let mail = clear(&server);
        let first = parcel(1, notice(Kind::Firing));
        assert_eq!(deliver(&*mail, &first, Duration::from_millis(200)).await, None, "{step}");
        assert_eq!(send(&*mail, &first).await, Delivery::Delivered, "{step}");
        assert_eq!((server.connections(), server.letters().len()), (2, 1), "{step}");
        let letter = &server.letters()[0].1;
        assert!(letter.contains(&format!("Message-ID: <{}@shop.example>", first.key)), "{letter}");
    }
}

#[tokio::test]
async fn a_try_that_is_repeated_sends_the_same_letter() {
    let server = ScriptedServer::start(|_, _| None).await;
    let first = parcel(1, notice(Kind::Firing));
    for attempts in 0..2 {
        let again = Parcel { attempts, ..first.clone() };
        assert_eq!(send(&*clear(&server), &again).await, Delivery::Delivered);
    }
    let letters = server.letters();
    assert_eq!(letters[0], letters[1]);
}

#[tokio::test]
async fn a_parked_connection_that_has_died_is_not_used() {
    let server = ScriptedServer::start(|connection, said| {
        (connection == 0 && said.starts_with("NOOP")).then_some(Answer::Close)
    })
    .await;
    let mail = clear(&server);
    for number in 1..=3 {
        assert_eq!(said(&*mail, number).await, "delivered");
    }
    assert_eq!((server.connections(), server.letters().len()), (2, 3));
}

#[tokio::test]
async fn who_can_be_told_is_told_once_when_others_cannot() {
    let tries = AtomicUsize::new(0);
    let server = ScriptedServer::start(move |_, said| {
        let first = said.starts_with("RCPT TO:<night") && tries.fetch_add(1, Ordering::SeqCst) == 0;
        first.then(|| Answer::Say("451 4.7.1 greylisted".to_owned()))
    })
    .await;
    let mail = clear(&server);
    let found = said(&*mail, 1).await;
    assert!(
        found.starts_with("retry: 1 of 2 recipients: the mail server does not take a recipient now: 451"),
        "{found}"
    );
    assert_eq!(said(&*mail, 1).await, "delivered");
    let told: Vec<_> = server.letters().into_iter().map(|(who, _)| who).collect();
    assert_eq!(told, [["<ann@shop.example>"], ["<night@shop.example>"]]);

    let gone = ScriptedServer::saying("RCPT TO:<night", "550 5.1.1 gone").await;
    assert_eq!(said(&*clear(&gone), 1).await, "delivered");
    assert_eq!(gone.letters()[0].0, ["<ann@shop.example>"]);
}

#[tokio::test]
async fn a_server_that_talks_without_end_is_left() {
    let talker =
        web::serve(|mut stream| async move { web::say(&mut stream, &vec![b'2'; 1 << 20]).await }).await;
    for tls in ["none", "starttls"] {
        let mail = channel(&definition(&talker.to_string(), &format!("tls = '{tls}'")), &[]);
        let found = said(&*mail, 1).await;
        assert_eq!(
            found, "retry: the mail server broke the connection off: a line of more than 8192 bytes",
            "{tls}"
        );
    }
}
