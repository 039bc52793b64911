//! Calling an operation by its name, with arguments that the generated types do not allow.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use progenitor_client::{ClientHooks as _, ClientInfo as _, OperationInfo};
use reqwest::Url;
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::multipart::Form;
use serde_json::Value;

use super::upload::{self, FILE, file_part, picture_errors, with_form};
use crate::config::AnyConfiguration;
use crate::error::{Error, FailedCall};
use crate::operation::Operation;
use crate::raw;
use crate::schema;

/// The operation whose body has rules beyond its schema.
const CREATE_TOKEN: &str = "create_session_token";

/// A call by name; see [`Client::operation`](crate::Client::operation).
#[derive(Clone)]
#[must_use]
pub struct DynamicCall {
    client: Arc<raw::Client>,
    operation: &'static Operation,
    path: String,
    query: Vec<(String, String)>,
    body: Option<Value>,
    form: Vec<(String, Part)>,
    is_unchecked: bool,
}

#[derive(Clone)]
enum Part {
    Text(String),
    File(Bytes),
}

/// An unparsed response.
#[derive(Clone)]
#[non_exhaustive]
pub struct RawResponse {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, which may contain secrets. The body of a failure is redacted.
    pub body: Bytes,
}

impl DynamicCall {
    pub(crate) fn new(client: &Arc<raw::Client>, id: &str) -> Result<Self, Error> {
        let operation = Operation::find(id).ok_or_else(|| {
            Error::invalid_request("there is no operation of this name; `raw::OPERATIONS` lists all")
        })?;
        Ok(Self {
            client: Arc::clone(client),
            operation,
            path: operation.path.to_owned(),
            query: Vec::new(),
            body: None,
            form: Vec::new(),
            is_unchecked: false,
        })
    }

    /// Sets a path parameter.
    pub fn path(mut self, name: &str, value: &str) -> Self {
        // Escapes every character that could end or split a path segment.
        let escaped: String = value
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    char::from(byte).to_string()
                }
                other => format!("%{other:02X}"),
            })
            .collect();
        self.path = self.path.replace(&format!("{{{name}}}"), &escaped);
        self
    }

    /// Adds a query parameter.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Sets a JSON body, which is checked against the document before it is sent.
    ///
    /// The check is that of [session configurations](crate::session): misspelt, misplaced, missing and invalid fields are errors with
    /// suggestions; see [`Error::fields`].
    pub fn json(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Adds a text field to a form; a form replaces a JSON body.
    pub fn text_part(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.form.push((name.into(), Part::Text(text.into())));
        self
    }

    /// Adds a file to a form; a form replaces a JSON body.
    ///
    /// JPEG and PNG files get their media type, all others `application/octet-stream`.
    pub fn file_part(mut self, name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        self.form.push((name.into(), Part::File(bytes.into())));
        self
    }

    /// Turns off the check of the body, to send a field that this version does not know.
    pub fn unchecked(mut self) -> Self {
        self.is_unchecked = true;
        self
    }

    /// Sends the call and returns the response, including failures of the service.
    ///
    /// # Errors
    /// If the request is invalid or no response arrives.
    ///
    /// # Cancel safety
    /// If dropped after sending, the service may still act.
    pub async fn send(self) -> Result<RawResponse, Error> {
        let response = self.exchange().await?;
        let outcome = response.extensions().get::<FailedCall>();
        // Inside the client, a failure in a 2xx has another status.
        let status =
            outcome.and_then(|outcome| outcome.failure.status()).unwrap_or(response.status().as_u16());
        let headers = response.headers().clone();
        Ok(RawResponse { status, headers, body: response.bytes().await? })
    }

    /// Sends the call and returns the data of its response, of any shape; null if there is none.
    ///
    /// # Errors
    /// If the request is invalid, the call fails, or the response is not JSON.
    ///
    /// # Cancel safety
    /// If dropped after sending, the service may still act.
    pub async fn data(self) -> Result<Value, Error> {
        let operation = self.operation.id;
        let response = self.exchange().await.map_err(|error| error.during(operation))?;
        if let Some(outcome) = response.extensions().get::<FailedCall>() {
            return Err(outcome.into());
        }
        let body = response.bytes().await.map_err(|error| Error::from(error).during(operation))?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        match serde_json::from_slice(&body) {
            Ok(Value::Object(mut envelope)) if envelope.contains_key("data") => {
                Ok(envelope.remove("data").unwrap_or_default())
            }
            Ok(Value::Object(envelope)) if envelope.contains_key("code") => Ok(Value::Null),
            Ok(bare) => Ok(bare),
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                let message = format!("the response is not JSON, at line {line} column {column}");
                Err(Error::decode(message).during(operation))
            }
        }
    }

    /// Checks the body against the document.
    fn check(&self) -> Result<(), Error> {
        let Some(name) = schema::body_type(self.operation.id).filter(|_| !self.is_unchecked) else {
            return Ok(());
        };
        if self.form.is_empty() {
            return match &self.body {
                Some(body) if self.operation.id == CREATE_TOKEN => {
                    AnyConfiguration::from_value(body.clone()).map(drop).map_err(Error::from)
                }
                Some(body) => Error::invalid_fields(schema::check_json(name, body)),
                None => Ok(()),
            };
        }
        let text = |(field, part): &(String, Part)| match part {
            Part::Text(text) => (field.clone(), text.as_str().into()),
            Part::File(_) => (field.clone(), "".into()),
        };
        let found = schema::check_json(name, &Value::Object(self.form.iter().map(text).collect()));
        if self.operation.id != upload::ID {
            return Error::invalid_fields(found);
        }
        let picture = self.form.iter().find_map(|(name, part)| match part {
            Part::File(file) if name == FILE => Some(file),
            _ => None,
        });
        let others = found.into_iter().filter(|one| one.path() != FILE);
        Error::invalid_fields(picture_errors(picture).into_iter().chain(others))
    }

    async fn exchange(self) -> Result<reqwest::Response, Error> {
        let id = self.operation.id;
        let raw = &self.client;
        let invalid = |reason: &str| Error::invalid_request(reason).during(id);
        // Braces in values are escaped.
        if self.path.contains('{') {
            return Err(invalid(&format!("a path parameter of {} is missing", self.operation.path)));
        }
        self.check().map_err(|error| error.during(id))?;
        let url = Url::parse(&format!("{}{}", raw.baseurl(), self.path))
            .map_err(|_| invalid("the path does not make a valid address"))?;
        let method = self.operation.method.parse().map_err(|_| invalid("the HTTP method is not valid"))?;
        let mut request = raw
            .client()
            .request(method, url)
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .query(&self.query);
        if !self.form.is_empty() {
            let mut form = Form::new();
            for (name, part) in self.form {
                form = match part {
                    Part::Text(text) => form.text(name, text),
                    Part::File(bytes) => form.part(name, file_part(bytes)?),
                };
            }
            request = with_form(request, form).await?;
        } else if let Some(body) = &self.body {
            request = request.json(body);
        }
        let mut request = request.build()?;
        let info = OperationInfo { operation_id: id };
        raw.pre::<()>(&mut request, &info).await?;
        let response = raw.exec(request, &info).await?;
        let outcome = response.extensions().get::<FailedCall>();
        if let Some(outcome) = outcome.filter(|outcome| !outcome.has_response()) {
            return Err(outcome.into());
        }
        Ok(response)
    }
}

impl std::fmt::Debug for DynamicCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DynamicCall").field("operation", &self.operation.id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for RawResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawResponse").field("status", &self.status).finish_non_exhaustive()
    }
}
