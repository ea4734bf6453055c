//! `smtp` against a real mail server, and against ones that lie about TLS.

mod trouble;

use crate::support::channel::{
    build, build_faults, channel, deliver, notice, parcel, parse_error, reply, verdict,
};
use crate::support::mail::{Answer, RealServer, ScriptedServer};
use atalaya::alert::Kind;
use atalaya::notify::message::Message;
use atalaya::notify::{Deliver, Delivery, Parcel};
use serde_json::Value;
use std::time::Duration;

const TO: &str = "\"Lee, Ann\" <ann@shop.example>, night@shop.example";

fn definition(address: &str, more: &str) -> String {
    let (host, port) = address.rsplit_once(':').expect("host:port");
    format!(
        "to.smtp = {{ host = '{host}', port = '{port}', from = 'Atalaya Größe <watch@shop.example>', to = '{TO}', {more} }}"
    )
}

fn clear(server: &ScriptedServer) -> Box<dyn Deliver> {
    channel(&definition(&server.address.to_string(), "tls = 'none'"), &[])
}

async fn send(channel: &dyn Deliver, parcel: &Parcel) -> Delivery {
    deliver(channel, parcel, Duration::from_secs(20)).await.expect("an end within its own time")
}

/// What became of one try; no secret and no address may show in it.
async fn said(channel: &dyn Deliver, number: u64) -> String {
    let delivery = send(channel, &parcel(number, notice(Kind::Firing))).await;
    let shown = format!("{} {delivery:?}", verdict(&delivery));
    for hidden in ["marked", "bWFya2Vk", "@", "ann", "night"] {
        assert!(!shown.contains(hidden), "{hidden}: {shown}");
    }
    verdict(&delivery)
}

fn header<'a>(letter: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = letter["headers"].as_array().expect("headers").iter();
    headers.filter(|pair| pair[0] == name).map(|pair| pair[1].as_str().expect("a text")).collect()
}

/// A whole episode through one server: the letters are what they must be, for a parser that is not ours.
async fn check_episode(tls: &str, with_account: bool) {
    let server = RealServer::start(tls, "localhost", with_account);
    let ca = format!(", ca = '{}'", server.authority.file());
    let account = ", user = '${SMTP_USER:-}', password = '${SMTP_PASS:-}'";
    let (ca, account) = (if tls == "none" { "" } else { &ca }, if with_account { account } else { "" });
    let more = format!("tls = '{tls}'{ca}{account}");
    let variables: &[_] = if with_account {
        &[("SMTP_USER", RealServer::USER), ("SMTP_PASS", RealServer::PASSWORD)]
    } else {
        &[]
    };
    let mail = channel(&definition(&format!("localhost:{}", server.port), &more), variables);
    let first = parcel(1, notice(Kind::Firing));
    let last = reply(2, &first, notice(Kind::Resolved));
    for parcel in [&first, &last] {
        assert_eq!(send(&*mail, parcel).await, Delivery::Delivered, "{tls}");
    }
    let letters = server.letters();
    let [begun, over] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!(begun["peer"], over["peer"], "the second letter takes the connection of the first");
    for (letter, parcel) in [(begun, &first), (over, &last)] {
        let message = Message::of(parcel);
        assert_eq!(letter["defects"], Value::Array(Vec::new()), "{letter}");
        assert_eq!((&letter["bare"], &letter["ascii"]), (&Value::from(0), &Value::from(true)));
        assert!(letter["longest"].as_u64().expect("a number") <= 998);
        assert_eq!(letter["encrypted"], Value::from(tls != "none"));
        assert_eq!(letter["user"], if with_account { Value::from(RealServer::USER) } else { Value::Null });
        assert_eq!(letter["from"], "watch@shop.example");
        assert_eq!(letter["to"], serde_json::json!(["ann@shop.example", "night@shop.example"]));
        assert_eq!(letter["type"], "multipart/alternative");
        assert_eq!(letter["parts"], serde_json::json!(["text/plain", "text/html"]));
        let lines = |text: &str| text.replace("\r\n", "\n").trim_end().to_owned();
        assert_eq!(lines(letter["text"].as_str().expect("a text")), lines(&message.text));
        assert_eq!(lines(letter["html"].as_str().expect("a text")), lines(&message.html));
        assert_eq!(header(letter, "Subject"), [message.subject.as_str()]);
        assert_eq!(header(letter, "From"), ["Atalaya Größe <watch@shop.example>"]);
        assert_eq!(header(letter, "To"), [TO]);
        assert_eq!(header(letter, "Date"), ["Sun, 01 Mar 2026 10:09:30 +0000"]);
        assert_eq!(header(letter, "Message-ID"), [format!("<{}@shop.example>", parcel.key)]);
        assert_eq!(header(letter, "Auto-Submitted"), ["auto-generated"]);
        assert_eq!(header(letter, "X-Auto-Response-Suppress"), ["All"]);
        assert_eq!(header(letter, "MIME-Version"), ["1.0"]);
    }
    let thread = format!("<{}@shop.example>", first.key);
    assert_eq!(header(begun, "References"), Vec::<&str>::new());
    assert_eq!(header(begun, "Importance"), ["high"]);
    assert_eq!(header(over, "Importance"), Vec::<&str>::new());
    for name in ["References", "In-Reply-To"] {
        assert_eq!(header(over, name), [thread.as_str()], "{name}");
    }
    assert_eq!(header(over, "Subject"), [format!("Re: {}", header(begun, "Subject")[0])]);
}

#[tokio::test]
async fn an_episode_is_one_thread_after_starttls_and_a_login() {
    check_episode("starttls", true).await;
}

#[tokio::test]
async fn an_episode_is_one_thread_in_implicit_tls() {
    check_episode("implicit", true).await;
}

#[tokio::test]
async fn an_episode_is_one_thread_in_clear_on_this_machine() {
    check_episode("none", true).await;
    check_episode("none", false).await;
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_shown_nowhere() {
    let server = RealServer::start("starttls", "localhost", true);
    let more = format!(
        "tls = 'starttls', ca = '{}', user = 'watch', password = 'marked-wrong-word'",
        server.authority.file()
    );
    let mail = channel(&definition(&format!("localhost:{}", server.port), &more), &[]);
    let found = said(&*mail, 1).await;
    assert!(
        found.starts_with(
            "refused: the mail server refuses the log-in: 535 5.7.8 <password> of <user> is wrong"
        ),
        "{found}"
    );
    assert!(found.ends_with("; check `user` and `password`"), "{found}");
    assert_eq!(server.letters(), Vec::<Value>::new());
}

#[tokio::test]
async fn whom_nobody_vouches_for_gets_nothing() {
    let server = RealServer::start("starttls", "mail.other.example", false);
    let implicit = RealServer::start("implicit", "mail.other.example", false);
    for (server, tls) in [(&server, "starttls"), (&implicit, "implicit")] {
        let address = format!("localhost:{}", server.port);
        let known = format!("tls = '{tls}', ca = '{}'", server.authority.file());
        let wrong_name = said(&*channel(&definition(&address, &known), &[]), 1).await;
        assert!(
            wrong_name.starts_with("retry: ") && wrong_name.contains("mail.other.example"),
            "{wrong_name}"
        );
        let unknown = said(&*channel(&definition(&address, &format!("tls = '{tls}'")), &[]), 1).await;
        assert!(unknown.starts_with("retry: ") && unknown.contains("certificate"), "{unknown}");
        assert_eq!(server.letters(), Vec::<Value>::new());
    }
}

#[tokio::test]
async fn tls_that_is_not_there_is_told_with_the_way_out() {
    let polite = ScriptedServer::start(|_, _| None).await;
    let address = polite.address.to_string();
    let starttls = said(&*channel(&definition(&address, "tls = 'starttls'"), &[]), 1).await;
    assert!(starttls.starts_with("retry: the mail server does not offer STARTTLS here"), "{starttls}");
    let implicit = said(&*channel(&definition(&address, "tls = 'implicit'"), &[]), 1).await;
    assert!(implicit.starts_with("retry: ") && implicit.contains("does not speak TLS"), "{implicit}");
    assert_eq!(polite.letters().len(), 0);
}

#[tokio::test]
async fn what_an_intruder_says_after_starttls_is_no_answer() {
    let server = ScriptedServer::start(|_, said| match said.split(' ').next() {
        Some("EHLO") => Some(Answer::Say("250-mail.example\r\n250 STARTTLS".to_owned())),
        Some("STARTTLS") => Some(Answer::Say("220 go on\r\n250 mail.example, no login needed".to_owned())),
        _ => None,
    })
    .await;
    let mail = channel(&definition(&server.address.to_string(), "tls = 'starttls'"), &[]);
    assert_eq!(
        said(&*mail, 1).await,
        "retry: something was said in clear after STARTTLS, as an intruder would"
    );
}

#[tokio::test]
async fn nothing_in_a_notice_can_add_a_header_or_end_a_letter() {
    let server = RealServer::start("none", "localhost", false);
    let mail = channel(&definition(&format!("127.0.0.1:{}", server.port), "tls = 'none'"), &[]);
    let mut hostile = notice(Kind::Firing);
    let alert = &mut hostile.alerts[0];
    alert.title = "Square\r\nBcc: thief@evil.example\r\n\r\n<script>alert(1)</script>".to_owned();
    alert.summary = "\r\n.\r\nMAIL FROM:<thief@evil.example>\r\n\u{0}".to_owned();
    alert.evidence = vec![".".to_owned(), "\n.\n".to_owned()];
    let parcel = parcel(1, hostile);
    assert_eq!(send(&*mail, &parcel).await, Delivery::Delivered);
    let letters = server.letters();
    let [letter] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!(letter["defects"], Value::Array(Vec::new()));
    assert_eq!(header(letter, "Bcc"), Vec::<&str>::new());
    assert_eq!(header(letter, "Subject"), [Message::of(&parcel).subject.as_str()]);
    assert!(!letter["html"].as_str().expect("a text").contains("<script>"));
}

#[tokio::test]
async fn a_definition_that_makes_no_sense_is_refused() {
    let faults = |more: &str| {
        let faults = build_faults(&definition("mail.example:25", more)).join("; ");
        assert!(!faults.contains("marked"), "{faults}");
        faults
    };
    let account = "user = 'watch', password = 'marked'";
    assert_eq!(
        faults(&format!("tls = 'none', {account}")),
        "tls: without TLS the password would cross the network in clear"
    );
    assert_eq!(
        faults("tls = 'none', user = 'watch'"),
        "password: there is a `user` and no `password`; give both or none of them"
    );
    assert_eq!(
        faults("tls = 'starttls', password = 'marked'"),
        "user: there is a `password` and no `user`; give both or none of them"
    );
    assert!(faults("tls = 'none', ca = '/x'").starts_with("ca: without TLS there is nobody to trust"));
    assert!(faults("tls = 'implicit', ca = '/nowhere.pem'").starts_with("ca: can't read `/nowhere.pem`"));
    let of = |host: &str, port: &str, from: &str, to: &str| {
        build_faults(&format!(
            "to.smtp = {{ host = '{host}', port = '{port}', tls = 'none', from = '{from}', to = {to} }}"
        ))
        .join("; ")
    };
    assert_eq!(of("a b", "25", "a@b.c", "'a@b.c'"), "host: `a b` is not a host name or an address");
    assert_eq!(of("h", "0", "a@b.c", "'a@b.c'"), "port: `0` is not a port from 1 to 65535");
    assert_eq!(of("h", "25", "nobody", "'a@b.c'"), "from: `nobody` is no email address");
    assert_eq!(of("h", "25", "a@b.c", "['a@b.c', 'x']"), "to: `x` holds what is no email address");
    assert_eq!(of("h", "25", "a@b.c", "' , '"), "to: 0 recipients; 1 to 50 can be told");
    assert!(
        parse_error("to.smtp = { host = 'h', from = 'a@b.c', to = 'a@b.c' }").contains("missing field `tls`")
    );
    assert!(
        parse_error("to.smtp = { host = 'h', tls = 'opportunistic', from = 'a@b.c', to = 'a@b.c' }")
            .contains("opportunistic")
    );
    let unset = build(
        "to.smtp = { host = '${SMTP_HOST}', tls = 'none', from = 'a@b.c', to = '${ALERT_EMAIL_TO}' }",
        &[],
    );
    let unset = unset.err().expect("skipped").unset;
    assert_eq!(unset.into_iter().collect::<Vec<_>>(), ["ALERT_EMAIL_TO", "SMTP_HOST"]);
}
