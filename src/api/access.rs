//! Who may do what: a token in `Authorization: Bearer` names a role. Probes and metrics ask for none.
//!
//! Without a file of tokens everybody who reaches the address may read; give orders may they only if it is a loopback
//! address, where the machine's own users are.

use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::Response;

use super::problem::Problem;

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Allowed {
    Read,
    /// Commands, skips, drains too.
    Operate,
}

/// The rules of this address.
#[derive(Clone)]
pub enum Access {
    /// No tokens: everybody may do this.
    Everybody(Allowed),
    Tokens(std::sync::Arc<[(Allowed, String)]>),
}

impl Access {
    /// A token to ask another instance with: never one that could give orders there.
    pub(super) fn reading(&self) -> Option<&str> {
        let Self::Tokens(tokens) = self else { return None };
        tokens.iter().find(|(allowed, _)| *allowed == Allowed::Read).map(|(_, token)| token.as_str())
    }

    /// What a request must be allowed.
    fn needs(request: &Request) -> Option<Allowed> {
        if !request.uri().path().starts_with("/v1/") {
            return None;
        }
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        Some(if reads { Allowed::Read } else { Allowed::Operate })
    }

    fn check(&self, request: &Request) -> Result<(), Problem> {
        let Some(needs) = Self::needs(request) else { return Ok(()) };
        let allowed = match self {
            Self::Everybody(_)
                if needs == Allowed::Operate && request.headers().contains_key(header::ORIGIN) =>
            {
                return Err(Problem::Forbidden("a web page may give no orders without a token".to_owned()));
            }
            Self::Everybody(allowed) if *allowed >= needs => return Ok(()),
            Self::Everybody(_) => {
                return Err(Problem::Forbidden(
                    "orders are taken on a loopback address, or with tokens: set api.tokens".to_owned(),
                ));
            }
            Self::Tokens(tokens) => {
                let given =
                    request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
                let given = given.and_then(|value| value.split_once(' '));
                let bearer = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
                let given = bearer.map(|(_, token)| token.trim()).ok_or(Problem::NoToken)?;
                let found =
                    tokens.iter().filter(|(_, token)| same(token, given)).map(|(allowed, _)| *allowed);
                found.max().ok_or(Problem::UnknownToken)?
            }
        };
        if allowed >= needs {
            return Ok(());
        }
        Err(Problem::Forbidden("this token reads only".to_owned()))
    }
}

/// Compares in a time that does not tell where the texts differ.
fn same(token: &str, given: &str) -> bool {
    let differs = token.bytes().zip(given.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b));
    token.len() == given.len() && differs == 0
}

/// Lets a request through, or answers it.
pub(super) async fn guard(
    State(access): State<Access>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    access.check(&request)?;
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn ask(method: &str, path: &str, token: Option<&str>) -> Request {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request.body(Body::empty()).expect("a request")
    }

    #[test]
    fn a_web_page_gives_no_orders() {
        let mut request = ask("POST", "/v1/drain", None);
        request.headers_mut().insert("origin", "https://elsewhere.example".parse().expect("a header"));
        assert!(Access::Everybody(Allowed::Operate).check(&request).is_err());
    }

    #[test]
    fn a_role_may_do_what_it_says() {
        let tokens = [(Allowed::Read, "r-token".to_owned()), (Allowed::Operate, "o-token".to_owned())];
        let tokens = Access::Tokens(tokens.into());
        let (open, local) = (Access::Everybody(Allowed::Read), Access::Everybody(Allowed::Operate));
        for (access, method, path, token, passes) in [
            (&tokens, "GET", "/metrics", None, true),
            (&tokens, "GET", "/v1/cards/1", None, false),
            (&tokens, "GET", "/v1/cards/1", Some("x-token"), false),
            (&tokens, "GET", "/v1/cards/1", Some("r-token"), true),
            (&tokens, "POST", "/v1/drain", Some("r-token"), false),
            (&tokens, "POST", "/v1/drain", Some("o-token"), true),
            (&tokens, "POST", "/v1/drain", Some("o-toke"), false),
            (&tokens, "POST", "/v1/drain", Some("o-tokens"), false),
            (&open, "GET", "/v1/cards/1", None, true),
            (&open, "PUT", "/v1/cards/1/rules", None, false),
            (&local, "PUT", "/v1/cards/1/rules", None, true),
        ] {
            assert_eq!(access.check(&ask(method, path, token)).is_ok(), passes, "{method} {path} {token:?}");
        }
        let refused =
            |token| tokens.check(&ask("GET", "/v1/cards/1", token)).expect_err("refused").to_string();
        assert!(refused(None).starts_with("a token is needed"));
        assert!(refused(Some("x-token")).starts_with("this token is not known"));
    }
}
