//! Identifies the caller by the credentials that an operation's `security` requires.

use axum::http::HeaderMap;
use serde_json::Value;
use uuid::Uuid;

use crate::schema::root;

/// The caller, as proven by the credentials of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    Anyone,
    ApiKey,
    /// Holds the token of this session.
    Session(Uuid),
}

/// Returns the caller by the first alternative that the request satisfies; `None` means 401.
///
/// `session_of` returns the session for which a token was minted.
pub(crate) fn identify(
    security: &[Vec<&'static str>],
    headers: &HeaderMap,
    api_key: &str,
    session_of: impl Fn(&str) -> Option<Uuid>,
) -> Option<Caller> {
    if security.is_empty() {
        return Some(Caller::Anyone);
    }
    security.iter().find_map(|schemes| {
        schemes.iter().try_fold(Caller::Anyone, |_, scheme| satisfies(scheme, headers, api_key, &session_of))
    })
}

fn satisfies(
    scheme: &str,
    headers: &HeaderMap,
    api_key: &str,
    session_of: impl Fn(&str) -> Option<Uuid>,
) -> Option<Caller> {
    let definition = root().pointer("/components/securitySchemes")?.get(scheme)?;
    match definition["type"].as_str()? {
        "apiKey" if definition["in"] == "header" => {
            let sent = headers.get(definition["name"].as_str()?)?;
            (sent.as_bytes() == api_key.as_bytes()).then_some(Caller::ApiKey)
        }
        "http" if definition["scheme"].as_str().map(str::to_ascii_lowercase).as_deref() == Some("bearer") => {
            let sent = headers.get("authorization")?.to_str().ok()?;
            let (kind, token) = sent.split_once(' ')?;
            let session = kind.eq_ignore_ascii_case("bearer").then(|| session_of(token.trim()))??;
            Some(Caller::Session(session))
        }
        _ => None,
    }
}

/// Returns the names of headers with credentials, in lower case.
pub(crate) fn secret_headers() -> impl Iterator<Item = String> {
    let schemes = root().pointer("/components/securitySchemes").and_then(Value::as_object);
    let named =
        schemes.into_iter().flatten().filter_map(|(_, scheme)| Some(scheme["name"].as_str()?.to_lowercase()));
    named.chain(["authorization", "cookie", "proxy-authorization"].map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use uuid::Uuid;

    use super::{Caller, identify};

    const EITHER: [&str; 2] = ["APIKeyHeader", "HTTPBearer"];

    fn caller(headers: &[(&'static str, &str)], schemes: &[&'static str]) -> Option<Caller> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("a header value"));
        }
        let security: Vec<_> = schemes.iter().map(|scheme| vec![*scheme]).collect();
        identify(&security, &map, "key", |token| (token == "token").then_some(Uuid::nil()))
    }

    #[test]
    fn either_scheme_suffices() {
        assert_eq!(caller(&[("x-api-key", "key")], &EITHER), Some(Caller::ApiKey));
        assert_eq!(caller(&[("authorization", "Bearer token")], &EITHER), Some(Caller::Session(Uuid::nil())));
        assert_eq!(
            caller(&[("x-api-key", "wrong"), ("authorization", "bearer token")], &EITHER),
            Some(Caller::Session(Uuid::nil()))
        );
    }

    #[test]
    fn an_api_key_in_the_bearer_header_is_rejected() {
        assert_eq!(caller(&[("authorization", "Bearer key")], &EITHER), None);
    }

    #[test]
    fn an_operation_without_security_is_public() {
        assert_eq!(caller(&[], &[]), Some(Caller::Anyone));
    }
}
