//! Calls from web pages: the service allows them from any origin, for its own SDK runs in browsers and brings its cookies.

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Response};

use super::answer::MockResponse;

/// The answer to a browser's question whether a page may send its request; `None` when nothing was asked.
pub(super) fn preflight(headers: &HeaderMap, methods: &[&str]) -> Option<MockResponse> {
    let asked = headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let wanted = headers.get(ACCESS_CONTROL_REQUEST_HEADERS).and_then(|names| names.to_str().ok());
    asked.then(|| {
        let answer =
            MockResponse::raw(200, "", "").header("access-control-allow-methods", &methods.join(", "));
        match wanted {
            Some(names) => answer.header("access-control-allow-headers", names),
            None => answer,
        }
    })
}

/// Lets the page that sent the request read its answer.
pub(super) fn allow(origin: Option<&HeaderValue>, response: &mut Response<Body>) {
    if let Some(origin) = origin {
        // Any origin cannot be said in one word where cookies come along.
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
}
