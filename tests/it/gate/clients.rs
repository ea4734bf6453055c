//! Clients that nobody here wrote: they keep cookies and follow redirects by their own rules.

use super::{House, TOKEN};
use crate::support::judge::{answer, python};
use atalaya::config::Http;
use std::process::Command;

/// Logs in as a browser without scripts does, changes something by a form, and leaves.
const BROWSER: &str = r#"
import http.cookiejar, sys, urllib.error, urllib.parse, urllib.request
base, token = sys.stdin.read().split()
jar = http.cookiejar.CookieJar()
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
browser.addheaders = [("Accept", "text/html"), ("X-Forwarded-For", "203.0.113.9"), ("Origin", base)]
def post(path, **form):
    return browser.open(base + path, urllib.parse.urlencode(form).encode())
page = browser.open(base + "/ops/page")
assert urllib.parse.urlsplit(page.url).path == "/login", page.url
assert 'type="password"' in page.read().decode()
page = post("/login", token=token, name="Ana", to="/ops/page")
assert page.url == base + "/ops/page", page.url
_, word, name = page.read().decode().split(" ", 2)
[cookie] = jar
assert cookie.has_nonstandard_attr("HttpOnly") and cookie.get_nonstandard_attr("SameSite") == "Strict"
changed = post("/ops/change", csrf=word, comment="done")
assert changed.read().decode() == 'Some("Ana") comment=done'
try:
    post("/ops/change", comment="forged")
    sys.exit("it took a form without the word")
except urllib.error.HTTPError as error:
    assert error.code == 403, error
try:
    post("/logout", csrf=word)
except urllib.error.HTTPError as error:
    assert error.code == 404 and error.url == base + "/", error.url
assert not list(jar), jar
page = browser.open(base + "/ops/page")
assert urllib.parse.urlsplit(page.url).path == "/login", page.url
print("pleased")
"#;

#[test]
fn a_browser_without_scripts_can_work_with_it() {
    let house = House::open(Http::default());
    let said = python(BROWSER, &format!("http://127.0.0.1:{} {TOKEN}", house.port));
    assert_eq!(said.as_deref(), Ok("pleased\n"));
}

#[test]
fn curl_is_an_operator_by_token_and_by_password() {
    let house = House::open(Http::default());
    let curl = |args: &[&str]| {
        let url = format!("http://127.0.0.1:{}", house.port);
        let mut command = Command::new("curl");
        command.args(["-sS", "--noproxy", "*", "-w", " %{http_code}"]);
        let args: Vec<_> = args.iter().map(|arg| arg.replace("URL", &url)).collect();
        answer(command.args(args), "").expect("curl is pleased")
    };
    let bearer = format!("Authorization: Bearer {TOKEN}");
    assert_eq!(curl(&["URL/private", "-H", &bearer]), "Bearer None 200");
    assert_eq!(curl(&["URL/ops/change", "-H", &bearer, "--json", "{}"]), "None {} 200");
    assert_eq!(curl(&["URL/private", "-u", &format!("ana:{TOKEN}")]), "Basic Some(\"ana\") 200");
    assert!(curl(&["URL/ops/change", "-u", &format!("ana:{TOKEN}"), "--json", "{}"]).ends_with(" 403"));
    assert!(curl(&["URL/private", "-u", "ana:wrong", "--anyauth"]).ends_with(" 401"));
}
