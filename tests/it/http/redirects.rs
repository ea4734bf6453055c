//! Redirects: how far they are followed, and what another place is never told.

use super::{OK, told};
use crate::support::probe::{look, look_with, measure, verdict};
use crate::support::web::{request, say, saying, serve};
use std::net::SocketAddr;
use std::time::Duration;

/// A server that sends `/0` to `/1` and so on, `/last` to an end, `/loop` to itself.
async fn stairs() -> SocketAddr {
    serve(|mut stream| async move {
        let head = request(&mut stream).await;
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let to = match path.trim_start_matches('/').parse::<u32>() {
            Ok(step) => format!("/{}", step + 1),
            Err(_) if path == "/loop" => "/back".to_owned(),
            Err(_) if path == "/back" => "/loop".to_owned(),
            Err(_) if path == "/in" => "last?token=1234#top".to_owned(),
            Err(_) if path == "/odd" => "gopher://nowhere/".to_owned(),
            Err(_) => return say(&mut stream, OK.as_bytes()).await,
        };
        let answer = format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
        say(&mut stream, answer.as_bytes()).await;
    })
    .await
}

#[tokio::test]
async fn redirects_are_followed_as_far_as_told() {
    let address = stairs().await;
    let follow = async |path: &str, max: u8| {
        let toml = format!("probe.http = {{ url = \"http://{address}{path}\", redirects = {max} }}");
        let look = look(&toml).await;
        (told(&look, address), measure(&look.outcome, "redirects"))
    };
    assert_eq!(follow("/in", 1).await, ("ok".to_owned(), Some(1.0)));
    assert_eq!(follow("/end", 3).await, ("ok".to_owned(), Some(0.0)));
    let circle = "failed protocol: redirects in a circle: http://SERVER/loop → http://SERVER/back → http://SERVER/loop";
    assert_eq!(follow("/loop", 5).await.0, circle);
    let many = "failed assertion: more than 3 redirects; the next one leads to http://SERVER/4";
    assert_eq!(follow("/0", 3).await.0, many);
    let odd = "failed protocol: http://SERVER/odd redirects to an address that can't be asked: \
        the scheme `gopher` is neither `http` nor `https`";
    assert_eq!(follow("/odd", 3).await.0, odd);
}

#[tokio::test]
async fn another_place_never_gets_what_was_meant_for_the_first() {
    let (tell, mut told) = tokio::sync::mpsc::channel(1);
    let other = serve(move |mut stream| {
        let tell = tell.clone();
        async move {
            tell.send(request(&mut stream).await).await.ok();
            say(&mut stream, OK.as_bytes()).await;
        }
    })
    .await;
    let first = |code: &str| saying(format!("HTTP/1.1 {code} Go\r\nlocation: http://u:p@{other}/x\r\n\r\n"));
    let rest = "redirects = 1, method = \"POST\", body = \"secret\", headers = { x-key = \"secret\", cookie = \"a\" }";
    let url = first("302").await;
    let look = look(&format!("probe.http = {{ url = \"http://ada:secret@{url}/\", {rest} }}")).await;
    assert_eq!(verdict(&look), "ok");
    let head = told.recv().await.unwrap();
    assert!(head.starts_with("GET /x HTTP/1.1\r\n"), "{head}");
    for unwanted in ["secret", "authorization", "cookie", "x-key", "content-"] {
        assert!(!head.to_lowercase().contains(unwanted), "{head}");
    }
    let url = first("307").await;
    let look = look_with(
        &format!("probe.http = {{ url = \"http://{url}/\", {rest} }}"),
        &[],
        Duration::from_secs(5),
    )
    .await;
    let expected = format!(
        "failed assertion: redirects to http://{other}/x, another place, which must not get the body; not followed"
    );
    assert_eq!(verdict(&look), expected);
}
