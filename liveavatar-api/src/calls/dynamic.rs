//! Calling an operation by its name, with arguments that the generated types do not allow.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use progenitor_client::ClientInfo as _;
use reqwest::header::{ACCEPT, HeaderValue};
use serde_json::Value;

use super::form::Form;
use super::response::not_json;
use super::upload::{self, FILE, add_file, picture_errors};
use crate::config::AnyConfiguration;
use crate::error::{Error, FailedCall, Failure};
use crate::http::Received;
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
        match self.exchange().await? {
            Ok(Received { status, headers, body, .. }) => {
                Ok(RawResponse { status: status.as_u16(), headers, body: body.bytes })
            }
            Err(failed) => match failed.failure {
                Failure::Response { status, headers, body, .. } => {
                    Ok(RawResponse { status, headers: *headers, body: body.into() })
                }
                _ => Err(Error::from(&*failed)),
            },
        }
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
        let sent = self.exchange().await.map_err(|error| error.during(operation))?;
        let body = sent.map_err(|failed| Error::from(&*failed))?.body;
        if body.bytes.is_empty() {
            return Ok(Value::Null);
        }
        let value = serde_json::from_slice(body.data.as_ref().unwrap_or(&body.bytes));
        match value.map_err(|error| not_json(&error).during(operation))? {
            data if body.data.is_some() => Ok(data),
            Value::Object(envelope) if envelope.contains_key("data") || envelope.contains_key("code") => {
                Ok(Value::Null)
            }
            bare => Ok(bare),
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

    async fn exchange(self) -> Result<Result<Received, Box<FailedCall>>, Error> {
        let id = self.operation.id;
        let raw = &self.client;
        let invalid = |reason: &str| Error::invalid_request(reason).during(id);
        // Braces in values are escaped.
        if self.path.contains('{') {
            return Err(invalid(&format!("a path parameter of {} is missing", self.operation.path)));
        }
        self.check().map_err(|error| error.during(id))?;
        let url = raw::address(raw, format_args!("{}", self.path));
        let method = self.operation.method.parse().map_err(|_| invalid("the HTTP method is not valid"))?;
        let mut request = raw
            .client()
            .request(method, url)
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .query(&self.query);
        if !self.form.is_empty() {
            let mut form = Form::new();
            for (name, part) in self.form {
                match part {
                    Part::Text(text) => form.text(&name, &text),
                    Part::File(bytes) => add_file(&mut form, &name, &bytes),
                }
            }
            request = form.send_in(request);
        } else if let Some(body) = &self.body {
            request = request.json(body);
        }
        let mut request = request.build()?;
        raw::sign(raw, &mut request, self.operation)?;
        Ok(raw::send(raw, request, self.operation).await)
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
