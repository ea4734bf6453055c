//! Whatever writes needs a token: made anew by each process, compared in constant time.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use std::fmt::Write as _;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// The right to change something.
#[derive(Clone)]
pub struct Token(Arc<SecretString>);

impl Token {
    /// 128 bits from the system's source of randomness.
    pub fn new() -> Result<Token, String> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)
            .map_err(|error| format!("the system gives no random numbers: {error}"))?;
        let mut text = String::new();
        for byte in bytes {
            write!(text, "{byte:02x}").expect("writing to memory can't fail");
        }
        Ok(Token(Arc::new(text.into())))
    }

    /// One that the definitions give.
    pub fn given(token: SecretString) -> Token {
        Token(Arc::new(token))
    }

    /// For the one who may know it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    fn is(&self, presented: &str) -> bool {
        self.expose().as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

/// Lets everybody read, and only who has the token change anything.
pub fn guard(router: Router, token: Token) -> Router {
    router.layer(middleware::from_fn_with_state(token, check))
}

async fn check(State(token): State<Token>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let authorization = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let presented = authorization.and_then(|value| value.strip_prefix("Bearer "));
    if reads || presented.is_some_and(|presented| token.is(presented)) {
        return next.run(request).await;
    }
    let ask = [(header::WWW_AUTHENTICATE, "Bearer")];
    (StatusCode::UNAUTHORIZED, ask, "this changes something: send `Authorization: Bearer TOKEN`\n")
        .into_response()
}
