//! The window: a page that shows what happens on a server and controls it, built on the control API.

use std::net::IpAddr;

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};

use crate::response::MockResponse;

/// Only this server, and neither inline code nor a frame of another page.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     media-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Top-level domains that cannot be registered (RFC 6761, ICANN), so that no foreign page can have a name there.
const RESERVED_DOMAINS: [&str; 4] = [".internal", ".localhost", ".test", ".local"];

/// Returns a file of the page; `path` follows the prefix of the control API.
pub(crate) fn file(path: &str) -> Option<MockResponse> {
    let (content_type, body) = match path {
        "" => ("text/html; charset=utf-8", include_str!("window/index.html")),
        "window.css" => ("text/css; charset=utf-8", include_str!("window/window.css")),
        "window.js" => ("text/javascript; charset=utf-8", include_str!("window/window.js")),
        _ => return None,
    };
    let response = MockResponse::raw(200, content_type, body)
        .header("content-security-policy", CONTENT_SECURITY_POLICY)
        .header("x-content-type-options", "nosniff")
        .header("referrer-policy", "no-referrer")
        .header("cache-control", "no-store");
    Some(response)
}

/// Rejects a request that a browser sends for a page of another site.
///
/// Two ways lead here from a foreign page: a request across origins, which has that page's `Origin`, and a name of that page
/// that resolves to this machine, which is in `Host`. Programs send no `Origin`, and an address or a private name as `Host`.
pub(crate) fn reject_foreign(headers: &HeaderMap) -> Option<MockResponse> {
    let host = headers.get(HOST).map(|host| host.to_str().unwrap_or("?").to_ascii_lowercase());
    if let Some(host) = host.as_deref().filter(|host| !is_private(host)) {
        return Some(MockResponse::no_route(
            403,
            &format!("the control API cannot be used as {host}; use 127.0.0.1 or localhost"),
        ));
    }
    let origin = headers.get(ORIGIN)?.to_str().unwrap_or("?").to_ascii_lowercase();
    let own = format!("http://{}", host.unwrap_or_default());
    (origin != own).then(|| {
        MockResponse::no_route(
            403,
            &format!("the control API cannot be used by pages of {origin}; call it without an Origin header"),
        )
    })
}

/// Whether a `Host` is an address, or a name that cannot be registered.
fn is_private(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let is_reserved = || RESERVED_DOMAINS.iter().any(|domain| name.ends_with(domain));
    address.parse::<IpAddr>().is_ok() || !name.contains('.') || is_reserved()
}

#[cfg(test)]
mod tests {
    use super::is_private;

    #[test]
    fn only_names_that_somebody_can_register_are_foreign() {
        for host in
            ["127.0.0.1:4010", "[::1]:4010", "::1", "localhost", "mock:4010", "host.docker.internal:80"]
        {
            assert!(is_private(host), "{host}");
        }
        for host in ["evil.example:4010", "127.0.0.1.evil.example", "localhost.evil.example:4010", "a.b"] {
            assert!(!is_private(host), "{host}");
        }
    }
}
