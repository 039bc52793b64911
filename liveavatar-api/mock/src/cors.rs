//! CORS: the service allows any origin with credentials, because its SDK runs in browsers and sends cookies.

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Response};

use crate::response::MockResponse;

/// Responds to a preflight request; `None` if the request is not one.
pub(crate) fn preflight(headers: &HeaderMap, methods: &[&str]) -> Option<MockResponse> {
    let is_preflight = headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let requested = headers.get(ACCESS_CONTROL_REQUEST_HEADERS).and_then(|names| names.to_str().ok());
    is_preflight.then(|| {
        let response =
            MockResponse::raw(200, "", "").header("access-control-allow-methods", &methods.join(", "));
        match requested {
            Some(names) => response.header("access-control-allow-headers", names),
            None => response,
        }
    })
}

/// Lets a page of this origin read the response.
pub(crate) fn allow(origin: Option<&HeaderValue>, response: &mut Response<Body>) {
    if let Some(origin) = origin {
        // Browsers reject the wildcard for requests with credentials.
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
}
