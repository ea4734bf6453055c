//! Every route and every caller.

use super::{FORM, House, JSON, SAME_ORIGIN, STRANGER, TOKEN, ask, basic, bearer, header};
use crate::support::agent::Agent;
use crate::support::server::directory;
use atalaya::config::http::Digest;
use atalaya::config::{Http, Ingest};
use std::path::Path;

fn open() -> Http {
    Http { open_to_loopback: true, ..Http::default() }
}

/// The status of: a public page, a private one, one for operators, a change.
fn check(house: &House, caller: &[&str], expected: [u16; 4]) {
    let change = [caller, &[JSON]].concat();
    let found = [
        house.ask("GET", "/open", caller, "").status,
        house.ask("GET", "/private", caller, "").status,
        house.ask("GET", "/ops/page", caller, "").status,
        house.ask("POST", "/ops/change", &change, "{}").status,
    ];
    assert_eq!(found, expected, "{caller:?}");
}

#[test]
fn each_caller_gets_as_far_as_they_may() {
    let house = House::open(open());
    let (cookie, word) = house.log_in("ana");
    let word = format!("X-CSRF-Token: {word}");
    let (bearer, basic) = (bearer(TOKEN), basic("ben", TOKEN));
    let origin = "Origin: http://localhost:PORT";

    check(&house, &[], [200, 200, 401, 401]);
    for stranger in [
        STRANGER,
        "Forwarded: for=203.0.113.9",
        "X-Real-IP: 127.0.0.1",
        "Via: 1.1 proxy",
        "Sec-Fetch-Site: cross-site",
        "Host: evil.example",
        "Host: 127.0.0.1.evil.example",
    ] {
        check(&house, &[stranger], [200, 401, 401, 401]);
    }
    // Whoever has the token, from wherever.
    check(&house, &[&bearer], [200, 200, 200, 200]);
    check(&house, &[STRANGER, &bearer], [200, 200, 200, 200]);
    check(&house, &["Host: status.shop.example", &bearer], [200, 200, 200, 200]);
    check(&house, &[&format!("authorization: bEARER  {TOKEN}")], [200, 200, 200, 200]);
    // A browser sends these by itself, so that a change needs a proof.
    check(&house, &[STRANGER, &basic], [200, 200, 200, 403]);
    check(&house, &[STRANGER, &cookie], [200, 200, 200, 403]);
    check(&house, &[STRANGER, &cookie, SAME_ORIGIN], [200, 200, 200, 403]);
    check(&house, &[STRANGER, &cookie, &word], [200, 200, 200, 403]);
    check(&house, &[STRANGER, &cookie, &word, SAME_ORIGIN], [200, 200, 200, 200]);
    check(&house, &[STRANGER, &cookie, &word, origin], [200, 200, 200, 200]);
    check(&house, &[STRANGER, &basic, &word, origin], [200, 200, 200, 403]);
    for foreign in [
        "Origin: http://evil.example",
        "Origin: http://localhost:1",
        "Origin: null",
        "Origin: http://localhost:PORT.evil.example",
        "Origin: http://localhost:PORT@evil.example",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Sec-Fetch-Site: none",
    ] {
        check(&house, &[STRANGER, &cookie, &word, foreign], [200, 200, 200, 403]);
        check(
            &house,
            &[STRANGER, &cookie, &word, foreign, &origin.replace("Origin", "X-Origin")],
            [200, 200, 200, 403],
        );
        // What is explicit was not made to come by a page.
        check(&house, &[&bearer, foreign], [200, 200, 200, 200]);
    }
    check(&house, &[STRANGER, &cookie, &word, origin, "Sec-Fetch-Site: cross-site"], [200, 200, 200, 403]);
}

#[test]
fn whoever_tells_what_happens_may_do_nothing_else() {
    const SENDER: &str = "the-token-of-the-shop";
    let ingest = Ingest { token: Some(Digest::of(SENDER)), ..Ingest::default() };
    let house = House::open(Http { ingest, ..open() });
    let send = |caller: &[&str]| house.ask("POST", "/send", caller, "").status;
    let sender = bearer(SENDER);
    assert_eq!(send(&[STRANGER, &sender]), 200);
    check(&house, &[STRANGER, &sender], [200, 401, 401, 401]);
    check(&house, &[&sender], [200, 200, 401, 401]);
    assert_eq!(send(&[STRANGER, &bearer(TOKEN)]), 200, "a program of an operator may send too");
    let (cookie, word) = house.log_in("ana");
    let word = format!("X-CSRF-Token: {word}");
    for nobody in [
        &[][..],
        &[STRANGER],
        &[STRANGER, &bearer("wrong")],
        &[&basic("ben", TOKEN)],
        &[&basic("ben", SENDER)],
        &[&cookie, &word, SAME_ORIGIN],
    ] {
        assert_eq!(send(nobody), 401, "{nobody:?}");
    }
}

#[test]
fn without_a_token_of_its_own_only_operators_send() {
    let house = House::open(open());
    assert_eq!(house.ask("POST", "/send", &[&bearer("")], "").status, 401);
    assert_eq!(house.ask("POST", "/send", &[&bearer(TOKEN)], "").status, 200);
}

#[test]
fn wrong_credentials_open_nothing_and_shut_nothing() {
    let half = &TOKEN[..20];
    let wrong = [
        bearer("wrong"),
        bearer(""),
        bearer(half),
        bearer(&format!("{TOKEN}0")),
        bearer(&TOKEN.to_uppercase()),
        basic("ana", "wrong"),
        basic(TOKEN, ""),
        "Authorization: Basic ???".to_owned(),
        format!("Authorization: {TOKEN}"),
        format!("Authorization: Digest {TOKEN}"),
        "Authorization: Bearer".to_owned(),
        "Cookie: atalaya=".to_owned(),
        format!("Cookie: atalaya={TOKEN}"),
        format!("Cookie: atalaya={}", "0".repeat(64)),
    ];
    for wrong in &wrong {
        // One house each, so that nobody runs out of turns.
        let house = House::open(open());
        check(&house, &[STRANGER, wrong], [200, 401, 401, 401]);
        check(&house, &[wrong], [200, 200, 401, 401]);
    }
}

#[test]
fn this_machine_may_be_a_stranger_too() {
    let house = House::open(Http::default());
    check(&house, &[], [200, 401, 401, 401]);
    check(&house, &[&bearer(TOKEN)], [200, 200, 200, 200]);
}

#[test]
fn only_the_names_that_are_given_lead_here() {
    let hosts = vec!["status.shop.example".to_owned()];
    let house = House::open(Http { hosts, only_hosts: true, ..open() });
    check(&house, &["Host: evil.example"], [421; 4]);
    check(&house, &["Host: evil.example", &bearer(TOKEN)], [421; 4]);
    check(&house, &["Host: Status.Shop.Example:8443"], [200, 401, 401, 401]);
    check(&house, &["Host: 192.0.2.7:9760"], [200, 401, 401, 401]);
    check(&house, &[], [200, 200, 401, 401]);
    // A proxy may ask by another name than the browser did; that name is given.
    let (cookie, word) = house.log_in("ana");
    let word = format!("X-CSRF-Token: {word}");
    check(&house, &[STRANGER, &cookie, &word, "Origin: https://status.shop.example"], [200; 4]);
    check(&house, &[STRANGER, &cookie, &word, "Origin: https://shop.example"], [200, 200, 200, 403]);
}

#[test]
fn a_handler_among_the_wrong_routes_is_shut() {
    let house = House::open(open());
    let (cookie, word) = house.log_in("ana");
    let word = format!("X-CSRF-Token: {word}");
    let proved = [STRANGER, &cookie, &word, SAME_ORIGIN];
    assert_eq!(house.ask("GET", "/misplaced/seen", &[STRANGER], "").status, 401);
    assert_eq!(house.ask("GET", "/misplaced/seen", &[], "").status, 200);
    assert_eq!(house.ask("GET", "/misplaced/page", &[], "").status, 401);
    assert_eq!(house.ask("GET", "/misplaced/page", &proved, "").status, 200);
    assert_eq!(house.ask("POST", "/misplaced/change", &[], "").status, 401);
    // Nobody has looked at the proof before it.
    assert_eq!(house.ask("POST", "/misplaced/change", &proved, "").status, 403);
    assert_eq!(house.ask("POST", "/misplaced/change", &[&bearer(TOKEN)], "").status, 200);
}

#[test]
fn a_path_may_be_read_by_some_and_changed_by_others() {
    let house = House::open(open());
    assert_eq!(house.ask("GET", "/both", &[], "").status, 200);
    assert_eq!(house.ask("POST", "/both", &[], "").status, 401);
    assert_eq!(house.ask("POST", "/both", &[&bearer(TOKEN)], "").status, 200);
    let wrong = house.ask("PUT", "/both", &[&bearer(TOKEN)], "");
    assert_eq!((wrong.status, header(&wrong, "allow")), (405, Some("GET,HEAD,POST")));
}

#[test]
fn who_asks_is_known_by_name() {
    let house = House::open(open());
    let who = |caller: &[&str]| house.ask("GET", "/private", caller, "").body;
    assert_eq!(who(&[]), "local");
    assert_eq!(who(&[&bearer(TOKEN)]), "Bearer None");
    assert_eq!(who(&[&basic("Ana Ibáñez", TOKEN)]), "Basic Some(\"Ana Ibáñez\")");
    assert_eq!(who(&[&basic("", TOKEN)]), "Basic None");
    assert_eq!(who(&[&basic("a\u{1b}[31m\nb", TOKEN)]), "Basic Some(\"a b\")");
    assert_eq!(who(&[&house.log_in("ana+b%0D%0Ac").0]), "Session Some(\"ana b c\")");
    // The word is for those who prove the page; a form loses it on the way in.
    let (cookie, word) = house.log_in("ana");
    let form = format!("by=ana+x&csrf={word}&comment=%26%C3%A9");
    let answer = house.ask("POST", "/ops/change", &[&cookie, FORM, SAME_ORIGIN], &form);
    assert_eq!((answer.status, answer.body.as_str()), (200, "Some(\"ana\") by=ana+x&comment=%26%C3%A9"));
    let ben = basic("ben", TOKEN);
    let page = house.ask("GET", "/ops/page", &[STRANGER, &ben], "").body;
    let form = format!("csrf={}", page.split(' ').nth(1).expect("the word"));
    let answer = house.ask("POST", "/ops/change", &[STRANGER, &ben, FORM, SAME_ORIGIN], &form);
    assert_eq!((answer.status, answer.body.as_str()), (200, "Some(\"ben\") "));
    let other = house.log_in("ben").1;
    assert_ne!(word, other);
    for wrong in [format!("csrf={other}"), "csrf=".to_owned(), "by=ana".to_owned()] {
        assert_eq!(house.ask("POST", "/ops/change", &[&cookie, FORM, SAME_ORIGIN], &wrong).status, 403);
    }
}

/// What the pages of everybody begin with; whatever else there is must not answer a stranger.
fn is_public(path: &str) -> bool {
    let whole = [
        "/",
        "/healthz",
        "/readyz",
        "/login",
        "/feed.atom",
        "/live",
        "/api/v1/status",
        "/api/v1/openapi.json",
    ];
    let below = ["/badges/", "/assets/", "/favicon", "/status/"];
    whole.contains(&path) || below.iter().any(|start| path.starts_with(start))
}

/// Whether a request shows by itself that it may: by a signature, which is looked at where keys are, or by a key in the
/// address.
fn shows_itself(path: &str) -> bool {
    path.starts_with("/ingest/") || path.starts_with("/ping/")
}

/// The paths of all routes in a folder of sources, with something in place of what varies.
fn paths(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            paths(&path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a source");
        for after in text.split(".route(").skip(1) {
            let literal = after.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
            let literal =
                literal.unwrap_or_else(|| panic!("{}: a route without a literal path", path.display()));
            let parts = literal.split('/').map(|part| if part.starts_with('{') { "x" } else { part });
            found.push(parts.collect::<Vec<_>>().join("/"));
        }
    }
}

#[test]
fn no_route_of_the_program_answers_a_stranger_but_the_public_ones() {
    let directory = directory("gate-routes");
    std::fs::create_dir_all(directory.join("checks")).expect("a folder");
    let agent = Agent::start_in(directory, &[]);
    let mut all = Vec::new();
    paths(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web"), &mut all);
    for known in ["/", "/metrics", "/login", "/api/v1/silences", "/api/v1/silences/x"] {
        assert!(all.iter().any(|path| path == known), "{known} is not among {all:?}");
    }
    for path in all {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
            let answer = ask(agent.port, method, &path, &[STRANGER, JSON], "{}");
            let reads = method == "GET" || method == "HEAD";
            if is_public(&path) && reads {
                assert_ne!(answer.status, 401, "{method} {path}");
            } else if path != "/login" || method != "POST" {
                let refusal = if path.starts_with("/ingest/") { 404 } else { 401 };
                assert!([refusal, 405].contains(&answer.status), "{method} {path}: {}", answer.status);
                let body = answer.body.as_str();
                assert!(
                    body.is_empty()
                        || body.ends_with("TOKEN`\n")
                        || body.contains("`allow`")
                        || shows_itself(&path),
                    "{method} {path}: {body}"
                );
            }
            for name in ["content-security-policy", "x-content-type-options", "referrer-policy"] {
                assert!(header(&answer, name).is_some(), "{method} {path} lacks {name}");
            }
            assert_eq!(header(&answer, "strict-transport-security"), None);
        }
    }
    assert_eq!(ask(agent.port, "GET", "/metrics", &[], "").status, 200);
}

#[test]
fn every_answer_tells_browsers_to_be_careful() {
    let house = House::open(open());
    let asked = |path: &str, lines: &[&str]| house.ask("GET", path, lines, "");
    for answer in
        [asked("/open", &[]), asked("/private", &[STRANGER]), asked("/none", &[]), asked("/badges/one", &[])]
    {
        let policy = header(&answer, "content-security-policy").expect("a policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; ")
                && policy.ends_with("frame-ancestors 'none'")
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(header(&answer, "x-content-type-options"), Some("nosniff"));
        assert_eq!(header(&answer, "referrer-policy"), Some("same-origin"));
        assert_eq!(header(&answer, "cross-origin-opener-policy"), Some("same-origin"));
        assert_eq!(header(&answer, "access-control-allow-origin"), None);
        assert_eq!(header(&answer, "server"), None);
    }
    let shared_with =
        |path: &str| header(&asked(path, &[]), "cross-origin-resource-policy").map(str::to_owned);
    assert_eq!(shared_with("/open").as_deref(), Some("same-origin"));
    assert_eq!(shared_with("/badges/one").as_deref(), Some("cross-origin"));
    let kept = |path: &str, lines: &[&str]| header(&asked(path, lines), "cache-control").map(str::to_owned);
    assert_eq!(kept("/open", &[]), None);
    for (path, lines) in
        [("/private", &[][..]), ("/private", &[STRANGER]), ("/ops/page", &[]), ("/login", &[])]
    {
        assert_eq!(kept(path, lines).as_deref(), Some("no-store"), "{path}");
    }
}
