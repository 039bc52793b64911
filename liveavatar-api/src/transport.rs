//! The one place that every request passes: the credential of its operation, checks on its path, its failed answers.

use progenitor_client::{ClientHooks, ClientInfo, Error, OperationInfo};
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use reqwest::{Request, Response, ResponseBuilderExt as _};
use serde_json::Value;

use crate::credential::{Credential, CredentialKind};
use crate::raw::{Client, Operation};

/// A failed answer's body is read up to here, in bytes: room for every field error, not for a web page's scripts.
const FAILURE_LIMIT: usize = 256 * 1024;

/// Shorter texts that were sent say nothing private, and hiding them would garble the answer.
const HIDDEN_FROM: usize = 8;

/// What a client carries into every call.
#[derive(Clone, Debug, Default)]
pub struct Transport {
    pub(crate) credential: Option<Credential>,
}

/// What a failed answer said, read where one may wait, so that an error can be made of it where one may not.
#[derive(Clone)]
pub(crate) struct Captured {
    pub(crate) operation: Option<&'static Operation>,
    pub(crate) body: String,
}

impl ClientHooks<Transport> for Client {
    async fn pre<E>(&self, request: &mut Request, info: &OperationInfo) -> Result<(), Error<E>> {
        prepare(self, request, info).map_err(|why| Error::Custom(format!("{}: {why}", info.operation_id)))
    }

    async fn exec(&self, request: Request, info: &OperationInfo) -> reqwest::Result<Response> {
        let sent = request.body().and_then(|_| request.try_clone());
        let answer = self.client().execute(request).await?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let sent = sent.as_ref().and_then(|request| request.body()?.as_bytes());
        Ok(capture(answer, self.inner().credential.as_ref(), sent, info).await)
    }
}

/// Signs a request, or says why it must not be sent.
fn prepare(client: &Client, request: &mut Request, info: &OperationInfo) -> Result<(), String> {
    let operation = Operation::find(info.operation_id).ok_or("not an operation of the document")?;
    // The generator adds it to every request; the service knows no such header.
    request.headers_mut().remove("api-version");
    check_path(client.baseurl(), request.url(), operation)?;
    check_bounds(request.url(), operation)?;
    if operation.optional_body && request.body().and_then(reqwest::Body::as_bytes) == Some(b"{}") {
        *request.body_mut() = None;
        request.headers_mut().remove(CONTENT_TYPE);
        request.headers_mut().remove(CONTENT_LENGTH);
    }
    match &client.inner().credential {
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
            let takes: Vec<String> = operation.credentials.iter().map(ToString::to_string).collect();
            let given = given.as_ref().map_or_else(|| "none".to_owned(), |given| given.kind().to_string());
            Err(format!("takes {}, and this client has {given}", takes.join(" or ")))
        }
    }
}

/// Refuses a path parameter that changes which resource is meant: `""`, `"."` and `".."`.
///
/// The generated code escapes everything else; these three are resolved when the address is built, so that deleting one
/// thing would address the list of all of them.
fn check_path(base: &str, url: &reqwest::Url, operation: &Operation) -> Result<(), String> {
    let base = base.find("://").and_then(|at| base[at + 3..].find('/').map(|slash| &base[at + 3 + slash..]));
    let path = url.path().strip_prefix(base.unwrap_or("").trim_end_matches('/')).unwrap_or(url.path());
    let mut given = path.split('/');
    let mut wanted = operation.path.split('/');
    loop {
        match (given.next(), wanted.next()) {
            (None, None) => return Ok(()),
            (Some(given), Some(wanted)) if wanted.starts_with('{') && !given.is_empty() => {}
            (Some(given), Some(wanted)) if given == wanted => {}
            _ => {
                let names: Vec<_> = operation.path.split('/').filter(|part| part.starts_with('{')).collect();
                return Err(format!(
                    "{} is empty or made of dots, and names another resource",
                    names.join(" or ")
                ));
            }
        }
    }
}

/// Refuses a number outside the document's bounds, which the generated types do not know.
fn check_bounds(url: &reqwest::Url, operation: &Operation) -> Result<(), String> {
    for (name, least, most) in operation.bounds {
        for (_, value) in url.query_pairs().filter(|(key, _)| key == name) {
            match value.parse::<i64>() {
                Ok(number) if number < *least => return Err(format!("{name}: {number} is below {least}")),
                Ok(number) if number > *most => return Err(format!("{name}: {number} is above {most}")),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Reads a failed answer and puts what it said beside it, without what was sent.
async fn capture(
    mut answer: Response,
    credential: Option<&Credential>,
    sent: Option<&[u8]>,
    info: &OperationInfo,
) -> Response {
    let mut body = Vec::new();
    // A broken connection here must not hide the status that already came.
    while let Ok(Some(chunk)) = answer.chunk().await {
        body.extend_from_slice(&chunk[..chunk.len().min(FAILURE_LIMIT - body.len())]);
        if body.len() == FAILURE_LIMIT {
            break;
        }
    }
    let mut text = String::from_utf8_lossy(&body).into_owned();
    if let Some(credential) = credential {
        text = credential.scrub(&text);
    }
    if let Some(sent) = sent.and_then(|sent| serde_json::from_slice(sent).ok()) {
        hide(&sent, &mut text);
    }

    let mut copy = http::Response::new(body);
    *copy.status_mut() = answer.status();
    *copy.version_mut() = answer.version();
    *copy.headers_mut() = std::mem::take(answer.headers_mut());
    copy.extensions_mut().insert(Captured { operation: Operation::find(info.operation_id), body: text });
    let url = answer.url().clone();
    let (parts, body) = copy.into_parts();
    let mut builder = http::Response::builder().url(url);
    if let Some(extensions) = builder.extensions_mut() {
        extensions.extend(parts.extensions);
    }
    let mut rebuilt = builder.body(body).unwrap_or_default();
    *rebuilt.status_mut() = parts.status;
    *rebuilt.version_mut() = parts.version;
    *rebuilt.headers_mut() = parts.headers;
    rebuilt.into()
}

/// Takes every text that was sent out of an answer: failures may echo a key or a whole prompt.
///
/// Ids stay, because an answer that names the one that was not found is worth reading.
fn hide(sent: &Value, text: &mut String) {
    match sent {
        Value::String(private) if private.len() >= HIDDEN_FROM && uuid::Uuid::parse_str(private).is_err() => {
            let escaped = Value::String(private.clone()).to_string();
            for form in [&escaped[1..escaped.len() - 1], private.as_str()] {
                if text.contains(form) {
                    *text = text.replace(form, "[as sent]");
                }
            }
        }
        Value::Object(map) => map.values().for_each(|inner| hide(inner, text)),
        Value::Array(list) => list.iter().for_each(|inner| hide(inner, text)),
        _ => {}
    }
}
