//! The login: where it leads, what it gives, how often it may fail, and how it ends.

use super::{FORM, House, SAME_ORIGIN, STRANGER, TOKEN, basic, bearer, header};
use crate::support::http::Answer;
use atalaya::config::Http;
use std::collections::BTreeSet;

fn open() -> Http {
    Http { open_to_loopback: true, ..Http::default() }
}

const PAGE: &str = "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";

fn log_in(house: &House, lines: &[&str], form: &str) -> Answer {
    house.ask("POST", "/login", &[&[FORM], lines].concat(), form)
}

#[test]
fn a_browser_is_led_to_the_login_and_back() {
    let house = House::open(open());
    let led = house.ask("GET", "/ops/page?open=1&x=a%20b", &[STRANGER, PAGE], "");
    assert_eq!(
        (led.status, header(&led, "location")),
        (303, Some("/login?to=%2Fops%2Fpage%3Fopen%3D1%26x%3Da%2520b"))
    );
    let form = house.ask("GET", "/login?to=%2Fops%2Fpage%3Fopen%3D1%26x%3Da%2520b", &[STRANGER, PAGE], "");
    assert_eq!(form.status, 200);
    assert!(form.body.contains("name=\"to\" value=\"/ops/page?open=1&#38;x=a%20b\""), "{}", form.body);
    let back =
        log_in(&house, &[STRANGER], &format!("token={TOKEN}&to=%2Fops%2Fpage%3Fopen%3D1%26x%3Da%2520b"));
    assert_eq!((back.status, header(&back, "location")), (303, Some("/ops/page?open=1&x=a%20b")));
    // Programs and scripts are told, and no script makes the browser ask in a window of its own.
    let told = |lines: &[&str]| {
        let answer = house.ask("GET", "/ops/page", &[&[STRANGER], lines].concat(), "");
        assert_eq!(answer.status, 401);
        header(&answer, "www-authenticate").expect("how").to_owned()
    };
    assert_eq!(told(&[]), "Bearer, Basic realm=\"Atalaya\", charset=\"UTF-8\"");
    assert_eq!(told(&["Accept: application/json", "Sec-Fetch-Mode: cors"]), "Bearer");
    // A form that comes too late is led back to where one begins.
    let late = house.ask("POST", "/ops/change", &[STRANGER, PAGE, FORM], "a=b");
    assert_eq!((late.status, header(&late, "location")), (303, Some("/login?to=%2Fops")));
}

#[test]
fn it_leads_nowhere_else() {
    let house = House::open(open());
    for foreign in [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "%2F%09%2Fevil.example",
        "javascript:alert(1)",
    ] {
        let answer = log_in(&house, &[SAME_ORIGIN], &format!("token={TOKEN}&to={foreign}"));
        assert_eq!((answer.status, header(&answer, "location")), (303, Some("/ops")), "{foreign}");
        let page = house.ask("GET", &format!("/login?to={foreign}"), &[], "").body;
        assert!(page.contains("name=\"to\" value=\"/ops\""), "{page}");
        let led = house.ask("GET", &format!("/ops/other?to={foreign}"), &[STRANGER, PAGE], "");
        assert!(header(&led, "location").expect("a place").starts_with("/login?to=%2Fops"), "{foreign}");
    }
    let hurt = house.ask("GET", "/login?to=/%22%3E%3Cscript%3E", &[], "").body;
    assert!(!hurt.contains("<script>"), "{hurt}");
}

#[test]
fn a_link_in_a_web_mail_finds_the_session_again() {
    let house = House::open(open());
    let (cookie, _) = house.log_in("ana");
    let from_mail = [STRANGER, PAGE, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"];
    let led = house.ask("GET", "/ops/page", &from_mail, "");
    let page = house.ask("GET", header(&led, "location").expect("the login"), &from_mail, "");
    assert!(
        page.body.contains("<meta http-equiv=\"refresh\" content=\"0;url=/login?to=%2Fops%2Fpage\">"),
        "{}",
        page.body
    );
    // The page from here asks once more, and now the browser sends the cookie.
    let again = house.ask("GET", "/login?to=%2Fops%2Fpage", &[STRANGER, PAGE, SAME_ORIGIN, &cookie], "");
    assert_eq!((again.status, header(&again, "location")), (303, Some("/ops/page")));
}

#[test]
fn the_cookie_is_for_this_place_only_and_new_each_time() {
    let house = House::open(open());
    let given = |house: &House, name: &str| {
        let answer = log_in(house, &[SAME_ORIGIN], &format!("token={TOKEN}"));
        let cookie = header(&answer, "set-cookie").expect("a cookie").to_owned();
        let (id, rest) = cookie.split_once(';').expect("more");
        let id = id.strip_prefix(&format!("{name}=")).expect("its name").to_owned();
        assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        (id, rest.to_owned())
    };
    let all: BTreeSet<_> = (0..5).map(|_| given(&house, "atalaya").0).collect();
    assert_eq!(all.len(), 5);
    assert_eq!(given(&house, "atalaya").1, " HttpOnly; SameSite=Strict; Path=/; Max-Age=43200");
    let secure = House::open(Http { https: true, ..open() });
    let (id, rest) = given(&secure, "__Host-atalaya");
    assert_eq!(rest, " HttpOnly; SameSite=Strict; Path=/; Max-Age=43200; Secure");
    let opened = |name: &str| secure.ask("GET", "/ops/page", &[&format!("Cookie: {name}={id}")], "").status;
    assert_eq!((opened("__Host-atalaya"), opened("atalaya")), (200, 401), "no weaker name is taken");
}

#[test]
fn a_session_ends_when_one_leaves_and_when_the_token_is_new() {
    let house = House::open(open());
    let (ana, word) = house.log_in("ana");
    let (ben, _) = house.log_in("ben");
    let status = |cookie: &str| house.ask("GET", "/ops/page", &[cookie], "").status;
    let leave =
        |lines: &[&str], form: &str| house.ask("POST", "/logout", &[&[&*ana, FORM], lines].concat(), form);
    assert_eq!(leave(&[SAME_ORIGIN], "").status, 403);
    assert_eq!(leave(&["Sec-Fetch-Site: cross-site"], &format!("csrf={word}")).status, 403);
    assert_eq!(status(&ana), 200);
    let left = leave(&[SAME_ORIGIN], &format!("csrf={word}"));
    assert_eq!((left.status, header(&left, "location")), (303, Some("/")));
    assert!(
        header(&left, "set-cookie").expect("an end").contains("atalaya=; ")
            && left.head.contains("Max-Age=0")
    );
    assert_eq!((status(&ana), status(&ben)), (401, 200));

    let token = Some(atalaya::config::http::Digest::of(TOKEN));
    house.access.renew(Http { token, ..open() }.into());
    assert_eq!(status(&ben), 200, "the same token is no new one");
    let token = Some(atalaya::config::http::Digest::of("another-token-3Yk8s0"));
    house.access.renew(Http { token, ..open() }.into());
    assert_eq!(status(&ben), 401);
    assert_eq!(status(&bearer(TOKEN)), 401);
    assert_eq!(status(&bearer("another-token-3Yk8s0")), 200);
    house.access.renew(open().into());
    assert_eq!(status(&bearer("another-token-3Yk8s0")), 200, "without one given, the one in force stays");
}

#[test]
fn nobody_is_logged_in_by_a_page_of_others() {
    let house = House::open(open());
    for foreign in ["Origin: http://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"] {
        let answer = log_in(&house, &[foreign], &format!("token={TOKEN}"));
        assert_eq!((answer.status, header(&answer, "set-cookie")), (403, None), "{foreign}");
    }
}

#[test]
fn who_would_lose_the_session_is_told_why() {
    let house = House::open(Http { https: true, ..open() });
    let form = format!("token={TOKEN}");
    let ask = |host: &str, scheme: &str| {
        let lines = [&*format!("Host: {host}"), &format!("Origin: {scheme}://{host}"), FORM];
        let answer = house.ask("POST", "/login", &lines, &form);
        (answer.status, answer.body.contains("by https"))
    };
    assert_eq!(ask("192.0.2.7:9760", "http"), (403, true));
    assert_eq!(ask("192.0.2.7", "https"), (303, false));
    assert_eq!(ask("localhost:9760", "http"), (303, false));
}

/// How many of these go wrong before one is told to wait.
fn until_told(mut ask: impl FnMut() -> Answer) -> usize {
    for n in 0..50 {
        let answer = ask();
        if answer.status == 429 {
            let wait = header(&answer, "retry-after").and_then(|wait| wait.parse().ok());
            assert!((1..=7).contains(&wait.unwrap_or(0)), "{}", answer.head);
            return n;
        }
        assert!(header(&answer, "set-cookie").is_none() && answer.status == 401, "{}", answer.status);
    }
    panic!("nobody stops it");
}

#[test]
fn who_fails_too_often_waits_and_nobody_else_does() {
    let house = House::open(open());
    let (cookie, _) = house.log_in("ana");
    let other = "X-Forwarded-For: 203.0.113.10";
    let wrong = until_told(|| log_in(&house, &[STRANGER], "token=a-wrong-one"));
    assert!((10..=11).contains(&wrong), "{wrong}");
    // For this one no door is open now, not even with the right token; for all the others every one.
    assert_eq!(log_in(&house, &[STRANGER], &format!("token={TOKEN}")).status, 429);
    assert_eq!(house.ask("GET", "/ops/page", &[STRANGER, &bearer("wrong")], "").status, 429);
    assert_eq!(house.ask("GET", "/ops/page", &[STRANGER, &basic("", TOKEN)], "").status, 429);
    assert_eq!(house.ask("GET", "/ops/page", &[STRANGER, &cookie], "").status, 200, "a session is no guess");
    assert_eq!(house.ask("GET", "/open", &[STRANGER, &bearer("wrong")], "").status, 200);
    assert_eq!(log_in(&house, &[other], &format!("token={TOKEN}")).status, 303);
    for caller in [&[other][..], &[]] {
        let bearer = bearer(TOKEN);
        let lines = [caller, &[&*bearer]].concat();
        assert_eq!(house.ask("GET", "/ops/page", &lines, "").status, 200);
    }
    // Right ones cost nothing.
    for _ in 0..30 {
        assert_eq!(house.ask("GET", "/ops/page", &[other, &bearer(TOKEN)], "").status, 200);
    }
}

#[test]
fn a_crowd_that_guesses_is_stopped_and_programs_with_the_token_are_not() {
    let house = House::open(open());
    let mut told = 0;
    for n in 0..130 {
        let from = format!("X-Forwarded-For: 198.51.100.{n}");
        told += usize::from(log_in(&house, &[&from], "token=a-wrong-one").status == 429);
    }
    assert!((1..=30).contains(&told), "{told}");
    let from = "X-Forwarded-For: 198.51.100.200";
    assert_eq!(log_in(&house, &[from], &format!("token={TOKEN}")).status, 429);
    assert_eq!(house.ask("GET", "/ops/page", &[from, &bearer(TOKEN)], "").status, 200);
}
