//! Messages as they are read, and what must hold whatever a notice holds.

use super::*;
use crate::alert::Key;
use jiff::Timestamp;
use proptest::prelude::*;
use regex::Regex;
use std::sync::LazyLock;

const URL: &str = "https://watch.shop.example";

fn at(text: &str) -> Timestamp {
    format!("2026-03-01T{text}Z").parse().expect("a time")
}

fn alert(key: &str, title: &str, summary: &str) -> Snapshot {
    let (kind, name) = key.split_once('/').unwrap_or(("alertname", key));
    let labels = [("alertname", "Test"), (kind, name.split('/').next().unwrap_or(name))];
    Snapshot {
        key: Key(key.into()),
        episode: format!("{key}@1772359320000"),
        severity: Severity::Page,
        title: title.to_owned(),
        section: "payments".to_owned(),
        summary: summary.to_owned(),
        evidence: Vec::new(),
        cost: None,
        cause: None,
        runbook: None,
        began: at("10:02:00"),
        fired: at("10:03:00"),
        ended: None,
        acknowledged_by: None,
        flaps: 0,
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    }
}

fn square() -> Snapshot {
    Snapshot {
        runbook: Some("https://wiki.shop.example/runbooks/square".to_owned()),
        evidence: vec!["3 of the last 3 runs failed".to_owned()],
        ..alert("check/square", "Square", "connection refused by 127.0.0.1:5432")
    }
}

fn payments() -> Snapshot {
    Snapshot {
        evidence: vec![
            "3 of the last 3 payments failed; under a 98 % promise that happens by chance once in 125,000"
                .to_owned(),
            "burn rate 25 over 1 h and 31 over 5 min".to_owned(),
        ],
        cost: Some("it has used 10 % of the error budget of 28 days".to_owned()),
        cause: Some("Square: connection refused by 127.0.0.1:5432".to_owned()),
        runbook: Some("https://wiki.shop.example/runbooks/payments".to_owned()),
        ..alert(
            "slo/payment-success/page",
            "Customers who pay, succeed",
            "customers can't pay: 3 of 3 payments failed in 5 minutes",
        )
    }
}

fn notice(kind: Kind, alerts: Vec<Snapshot>) -> Notice {
    Notice {
        id: "n1".to_owned(),
        kind,
        at: at("10:09:30"),
        severity: alerts.iter().map(|alert| alert.severity).max().unwrap_or(Severity::Info),
        contact: "on-call".to_owned(),
        alerts,
        more: 0,
        thread: if matches!(kind, Kind::Firing | Kind::Test) { "n1" } else { "n0" }.to_owned(),
        merged: false,
        backup: None,
    }
}

fn resolved(alert: Snapshot) -> Snapshot {
    Snapshot { ended: Some(at("10:09:00")), ..alert }
}

/// Some of everything, to be looked at and to hold invariants against.
fn samples() -> Vec<(&'static str, Notice)> {
    let over = notice(Kind::Resolved, vec![resolved(square())]);
    let acknowledged = Snapshot { acknowledged_by: Some("maria".to_owned()), flaps: 3, ..square() };
    let site =
        Snapshot { cause: payments().cause, ..alert("check/site", "Site", "503 where 200 is expected") };
    let orders = Snapshot {
        cause: payments().cause,
        severity: Severity::Ticket,
        ..alert("check/orders", "Orders paid but not moving", "7 orders are stuck")
    };
    let budget = Snapshot {
        severity: Severity::Ticket,
        ..alert(
            "budget/payment-success/50",
            "Customers who pay, succeed",
            "half of what may go wrong in 28 days has gone wrong",
        )
    };
    let backup = "via backup, \"mail\" can't deliver: the mail server does not answer";
    vec![
        ("firing", notice(Kind::Firing, vec![payments()])),
        ("check", notice(Kind::Firing, vec![square()])),
        ("escalated", notice(Kind::Escalated, vec![square()])),
        ("reminder", Notice { at: at("13:03:00"), ..notice(Kind::Reminder, vec![acknowledged]) }),
        ("flapping", notice(Kind::Flapping, vec![square()])),
        ("resolved", over.clone()),
        ("merged", Notice { merged: true, thread: "n1".to_owned(), ..over }),
        ("test", notice(Kind::Test, vec![alert("agent/test", "Test", "sent by `atalaya notify test mail`")])),
        (
            "group",
            Notice {
                backup: Some(backup.to_owned()),
                ..notice(Kind::Firing, vec![payments(), site.clone(), orders.clone()])
            },
        ),
        ("storm", Notice { more: 17, ..notice(Kind::Firing, vec![payments(), site, orders]) }),
        ("ticket", notice(Kind::Firing, vec![budget])),
        (
            "info",
            notice(
                Kind::Firing,
                vec![Snapshot {
                    severity: Severity::Info,
                    ..alert(
                        "channel/mail",
                        "Channel `mail` is refused",
                        "the mail server refuses the password",
                    )
                }],
            ),
        ),
    ]
}

fn message(name: &str) -> Message {
    let (_, notice) = samples().into_iter().find(|(known, _)| *known == name).expect("a sample");
    Message::new(&notice, Some(URL))
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// What is left of a page when all that is no text is taken away.
fn stripped(html: &str) -> Vec<String> {
    static TAG: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?s)<[^>]*>").expect("valid"));
    let (_, body) = html.split_once("</head>").expect("a head");
    let text = TAG.replace_all(body, " ").into_owned();
    let entities = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    words(&entities.iter().fold(text, |text, (entity, plain)| text.replace(entity, plain)))
}

#[test]
fn text_and_page_say_the_same_words_in_the_same_order() {
    for (name, notice) in samples() {
        let message = Message::new(&notice, Some(URL));
        let text = message.text.replace("\n--\n", "\n");
        assert_eq!(stripped(&message.html), words(&text), "{name}");
    }
}

#[test]
fn an_alert_says_all_that_is_needed_at_night() {
    let expected = "\
PAGE
Customers who pay, succeed: the promise is at risk

customers can't pay: 3 of 3 payments failed in 5 minutes

Since               10:02 UTC, 7 min ago
Evidence            3 of the last 3 payments failed; under a 98 % promise
                    that happens by chance once in 125,000
                    burn rate 25 over 1 h and 31 over 5 min
Cost                it has used 10 % of the error budget of 28 days
Probable cause      Square: connection refused by 127.0.0.1:5432
Section             payments

Runbook             https://wiki.shop.example/runbooks/payments
Alert               https://watch.shop.example/alerts/slo/payment-success/page
Acknowledge         atalaya ack slo/payment-success/page
Silence for 2 hours atalaya silence add slo=payment-success --for 2h

--
Atalaya, for on-call, 1 March 2026, 10:09:30 UTC.
";
    assert_eq!(message("firing").text, expected);
}

/// Subject and the one line of a sample.
fn check(name: &str, subject: &str, short: &str) {
    let message = message(name);
    assert_eq!((message.subject.as_str(), message.short.as_str()), (subject, short), "{name}");
}

#[test]
fn each_kind_has_its_words_and_each_thread_one_subject() {
    let refused = "connection refused by 127.0.0.1:5432 (since 10:02 UTC)";
    let square = "Square needs attention";
    let re = format!("Re: {square}");
    check("check", square, &format!("PAGE {square}: {refused}"));
    check("escalated", &re, &format!("PAGE Escalated: {square}: {refused}"));
    check("reminder", &re, &format!("PAGE Still after 3 h 1 min: {square}: {refused}"));
    check("flapping", &re, &format!("PAGE Square keeps failing and recovering: {refused}"));
    check("resolved", &re, "OVER Square is well again after 7 min");
    let merged = "Square was down from 10:02 to 10:09 UTC (7 min)";
    check("merged", merged, &format!("OVER {merged}"));
    let test = "This is a test: the channel works";
    check("test", test, &format!("TEST {test}: sent by `atalaya notify test mail`"));
    let group = "3 alerts: Customers who pay, succeed · Site · 1 more";
    check("group", group, &format!("PAGE {group}"));
    let storm = "20 alerts: Customers who pay, succeed · Site · 18 more";
    check("storm", storm, &format!("PAGE {storm}"));
    let budget = "Customers who pay, succeed: 50 % of the error budget is used";
    let half = "half of what may go wrong in 28 days has gone wrong (since 10:02 UTC)";
    check("ticket", budget, &format!("TICKET {budget}: {half}"));
}

#[test]
fn what_alerts_have_in_common_is_said_once_and_first() {
    let group = message("group");
    let cause = "Square: connection refused by 127.0.0.1:5432";
    assert_eq!(group.lead, [format!("Common cause, probably: {cause}")]);
    assert_eq!(group.text.matches(cause).count(), 1);
    assert!(group.text.starts_with("via backup, \"mail\" can't deliver:"), "{}", group.text);
    let facts: Vec<_> = group.facts.iter().map(|(label, value)| (label.as_str(), value.as_str())).collect();
    assert_eq!(
        facts[1..],
        [("Site", "503 where 200 is expected"), ("Orders paid but not moving", "7 orders are stuck")]
    );
    let links: Vec<_> = group.links.iter().map(|link| (link.text.as_str(), link.url.as_str())).collect();
    let all = ("All alerts", "https://watch.shop.example/alerts");
    assert_eq!(links, [("Runbook", "https://wiki.shop.example/runbooks/payments"), all]);
    let two_causes = Snapshot { cause: Some("DNS".to_owned()), ..square() };
    let alerts = vec![payments(), payments(), two_causes.clone(), two_causes];
    assert_eq!(Message::new(&notice(Kind::Firing, alerts), None).lead, Vec::<String>::new());
}

#[test]
fn who_has_acknowledged_is_not_asked_to_and_what_is_over_is_not_silenced() {
    assert!(message("check").text.contains("atalaya ack check/square"));
    assert!(!message("reminder").text.contains("atalaya ack"));
    assert!(message("reminder").text.contains("Acknowledged        by maria"));
    for over in ["resolved", "merged", "test"] {
        assert!(
            !message(over).text.contains("atalaya ack") && !message(over).text.contains("silence add"),
            "{over}"
        );
    }
}

#[test]
fn a_storm_is_bounded_and_says_what_it_leaves_out() {
    let alerts = (0..500).map(|n| alert(&format!("check/c{n}"), &format!("C{n}"), "down")).collect();
    let storm = Message::new(&Notice { more: 7, ..notice(Kind::Firing, alerts) }, Some(URL));
    assert_eq!((storm.parts.len(), storm.more), (20, 487));
    assert_eq!(storm.headline, "507 alerts: C0 · C1 · 505 more");
    assert_eq!(storm.lead, ["487 more alerts are not told one by one; `atalaya alerts` lists them all."]);
    assert!(storm.html.len() < 100_000, "{} bytes are cut off by mail programs", storm.html.len());
}

#[test]
fn a_runbook_that_is_no_web_address_is_words_and_never_a_link() {
    for odd in ["javascript:alert(1)", "see the wiki", "data:text/html,x", "/runbook", "https:"] {
        let message = Message::new(
            &notice(Kind::Firing, vec![Snapshot { runbook: Some(odd.to_owned()), ..square() }]),
            None,
        );
        assert!(message.text.contains(&format!("Runbook             {odd}")), "{}", message.text);
        assert_eq!(message.links, [], "{odd}");
        assert!(!message.html.contains("href"), "{odd}");
    }
}

#[test]
fn commands_are_one_word_for_a_shell_whatever_a_name_holds() {
    let odd = alert("check/a'b; rm -rf $HOME", "Odd", "odd");
    let message = Message::new(&notice(Kind::Firing, vec![odd]), Some("https://x.example/"));
    assert!(message.text.contains(r"atalaya ack 'check/a'\''b; rm -rf $HOME'"), "{}", message.text);
    assert!(message.text.contains("https://x.example/alerts/check/a%27b%3B%20rm%20-rf%20%24HOME\n"));
}

/// Contrast of two colours `#rrggbb`, as WCAG 2 defines it.
fn contrast(one: &str, other: &str) -> f64 {
    let channel = |colour: &str, at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).expect("hexadecimal")) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    let light = |colour: &str| {
        0.2126 * channel(colour, 1) + 0.7152 * channel(colour, 3) + 0.0722 * channel(colour, 5)
    };
    let (one, other) = (light(one), light(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn words_stand_out_from_what_is_behind_them_in_light_and_dark() {
    let dark_rule = Regex::new(r"(?m)^  \.([a-z]+) \{([^}]*)\}").expect("valid");
    let element = Regex::new(r#"class="([a-z]+)"[^>]*style="([^"]*)""#).expect("valid");
    let colour = |style: &str, name: &str| {
        let found = Regex::new(&format!(r"(?:^|[\s;]){name}: (#[0-9a-f]{{6}})")).expect("valid");
        found.captures(style).map(|found| found[1].to_owned())
    };
    for name in ["firing", "ticket", "info", "resolved", "test", "group"] {
        let html = message(name).html;
        let (head, body) = html.split_once("</head>").expect("a head");
        let mut checked = 0;
        for styles in [dark_rule.captures_iter(head), element.captures_iter(body)] {
            let styles: Vec<_> = styles.map(|found| (found[1].to_owned(), found[2].to_owned())).collect();
            let of = |class: &str, name: &str| {
                styles.iter().filter(|(of, _)| of == class).find_map(|(_, style)| colour(style, name))
            };
            let card = of("card", "background-color").expect("a card");
            let ground = of("ground", "background-color").expect("a ground");
            for (class, style) in styles.iter().filter(|(_, style)| colour(style, "color").is_some()) {
                let words = colour(style, "color").expect("a colour");
                let own = colour(style, "background-color").map(|own| vec![own]);
                for behind in own.unwrap_or_else(|| vec![card.clone(), ground.clone()]) {
                    assert!(contrast(&words, &behind) >= 4.5, "{name} .{class}: {words} on {behind}");
                    checked += 1;
                }
            }
        }
        assert!(checked >= 15, "{name}: {checked} pairs");
    }
}

#[test]
fn a_page_needs_nothing_from_anywhere_and_is_well_formed() {
    let element = Regex::new(r"<(/?)([a-z0-9]+)[^>]*>").expect("valid");
    let elsewhere = Regex::new(r#"([a-z]+)="https?:"#).expect("valid");
    for (name, notice) in samples() {
        let html = Message::new(&notice, Some(URL)).html;
        for foreign in ["src=", "url(", "@import", "<link", "<img", "<script", "<iframe", "<form", "<svg"] {
            assert!(!html.contains(foreign), "{name}: {foreign}");
        }
        assert!(elsewhere.captures_iter(&html).all(|found| &found[1] == "href"), "{name}");
        let mut open = Vec::new();
        for tag in element.captures_iter(&html) {
            match (&tag[1], &tag[2]) {
                ("", "meta" | "br") => {}
                ("", opened) => open.push(opened.to_owned()),
                (_, closed) => assert_eq!(open.pop().as_deref(), Some(closed), "{name}"),
            }
        }
        assert_eq!(open, Vec::<String>::new(), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_in_a_notice_gets_out_of_its_place(
        hostile in r#"(?s)[\r\n\t\x00\x1b<>&"'/ ]{0,6}(Bcc: x@y\r\n|</p><script>|\{\{ x \}\}|\u{202e}|[a-z]{90}|.){0,6}"#
    ) {
        let all = Some(hostile.clone());
        let text = || hostile.clone();
        let odd = Snapshot {
            evidence: vec![text(), text()], cost: all.clone(), cause: all.clone(), runbook: all.clone(),
            section: text(), acknowledged_by: all.clone(), ..alert(&hostile, &hostile, &hostile)
        };
        for kind in [Kind::Firing, Kind::Reminder, Kind::Resolved, Kind::Test] {
            let alerts = vec![odd.clone(), square()];
            let one = notice(kind, alerts[..1].to_vec());
            for notice in [Notice { backup: all.clone(), contact: text(), ..notice(kind, alerts) }, one] {
                let message = Message::new(&notice, Some(&hostile));
                for line in [&message.subject, &message.headline, &message.short, &message.closing] {
                    prop_assert!(!line.chars().any(char::is_control), "{line:?}");
                }
                prop_assert!(!message.text.chars().any(|c| c.is_control() && c != '\n'));
                prop_assert_eq!(stripped(&message.html), words(&message.text.replace("\n--\n", "\n")));
                prop_assert!(!message.html.contains("<script"));
                for line in message.text.lines().filter(|line| line.chars().count() > 76) {
                    prop_assert!(line.starts_with("Acknowledge ") || line.starts_with("Silence ")
                        || line.split(' ').any(|word| word.chars().count() > 50), "{}", line);
                }
                prop_assert_eq!(Message::new(&notice, Some(&hostile)), message);
            }
        }
    }
}
