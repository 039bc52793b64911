//! The last step before sending: checks the request and adds the operation's credential.

use reqwest::Request;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};

use super::Transport;
use super::address::{check_bounds, check_path};
use crate::operation::CredentialKind;
use crate::operation::Operation;

/// Signs a request, or returns why it must not be sent.
pub(crate) fn prepare(
    transport: &Transport,
    request: &mut Request,
    operation: &Operation,
) -> Result<(), String> {
    if operation.path.contains('{') {
        check_path(&transport.shared.base_url, request.url(), operation)?;
    }
    if !operation.bounds.is_empty() {
        check_bounds(request.url(), operation)?;
    }
    if operation.optional_body && request.body().and_then(reqwest::Body::as_bytes) == Some(b"{}") {
        *request.body_mut() = None;
        request.headers_mut().remove(CONTENT_TYPE);
        request.headers_mut().remove(CONTENT_LENGTH);
    }
    match &transport.credential {
        _ if operation.credentials.is_empty() => Ok(()),
        Some(credential) if operation.credentials.contains(&credential.kind()) => {
            let name = match credential.kind() {
                CredentialKind::ApiKey => HeaderName::from_static("x-api-key"),
                CredentialKind::SessionToken => AUTHORIZATION,
            };
            request.headers_mut().insert(name, credential.header().clone());
            Ok(())
        }
        given => {
            let needed: Vec<String> = operation.credentials.iter().map(ToString::to_string).collect();
            let given =
                given.as_ref().map_or_else(|| "no credential".to_owned(), |given| given.kind().to_string());
            let fix = match operation.credentials {
                [CredentialKind::SessionToken] => "get one with `Client::mint`",
                _ => "set one with `Client::with_credential`",
            };
            Err(format!("the operation needs {}, but this client has {given}; {fix}", needed.join(" or ")))
        }
    }
}
