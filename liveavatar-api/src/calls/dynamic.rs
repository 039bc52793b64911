//! Calling an operation by its name: the escape hatch for what the generated types do not say.

use bytes::Bytes;
use http::HeaderMap;
use progenitor_client::{ClientHooks as _, ClientInfo as _, OperationInfo};
use reqwest::Url;
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::multipart::Form;
use serde_json::Value;

use crate::calls::upload::{file_part, with_form};
use crate::error::{Error, FailedCall};
use crate::operation::Operation;
use crate::raw::Client;

impl Client {
    /// Calls an operation by name, with arguments as they come, on the same transport as the generated calls.
    ///
    /// Nothing is checked but the credential and the address. The answer is whatever the service says, failures included.
    ///
    /// ```no_run
    /// # async fn call(client: liveavatar_api::Client) -> Result<(), liveavatar_api::Error> {
    /// let answer = client.operation("list_voices")?.query("page_size", "5").send().await?;
    /// println!("{} with {} bytes", answer.status, answer.body.len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the document has no such operation.
    pub fn operation(&self, id: &str) -> Result<DynamicCall<'_>, Error> {
        let operation = Operation::find(id).ok_or_else(|| {
            Error::invalid_request("no operation of this name; `raw::OPERATIONS` lists them")
        })?;
        Ok(DynamicCall {
            client: self,
            operation,
            path: operation.path.to_owned(),
            query: Vec::new(),
            body: None,
            form: Vec::new(),
        })
    }
}

/// A call by name, see [`Client::operation`].
#[derive(Clone)]
#[must_use]
pub struct DynamicCall<'a> {
    client: &'a Client,
    operation: &'static Operation,
    path: String,
    query: Vec<(String, String)>,
    body: Option<Value>,
    form: Vec<(String, Part)>,
}

/// A part of a form.
#[derive(Clone)]
enum Part {
    Text(String),
    File(Bytes),
}

/// An answer as it came.
#[derive(Clone)]
#[non_exhaustive]
pub struct RawResponse {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; that of a failure is without the credential and without what was sent. It may hold secrets.
    pub body: Bytes,
}

impl DynamicCall<'_> {
    /// Fills in a parameter of the path.
    pub fn path(mut self, name: &str, value: &str) -> Self {
        // Everything that could end or divide a part of the path.
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

    /// Adds a parameter of the query.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    pub fn json(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Adds a text to the body, which is a form then; a form replaces a body of JSON.
    pub fn text_part(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.form.push((name.into(), Part::Text(text.into())));
        self
    }

    /// Adds a file's bytes to the body, which is a form then.
    ///
    /// JPEG and PNG are sent as such, anything else as bytes of no known type.
    pub fn file_part(mut self, name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        self.form.push((name.into(), Part::File(bytes.into())));
        self
    }

    /// Sends the call.
    ///
    /// # Errors
    /// When it is refused before sending, or no answer came. An answer that says no is no error here.
    ///
    /// # Cancel safety
    /// Dropped after sending, the service may act all the same.
    pub async fn send(self) -> Result<RawResponse, Error> {
        let answer = self.exchange().await?;
        let outcome = answer.extensions().get::<FailedCall>();
        // A failure in a 2xx travels under another status, see the transport.
        let status = outcome.and_then(|outcome| outcome.failure.status()).unwrap_or(answer.status().as_u16());
        let headers = answer.headers().clone();
        Ok(RawResponse { status, headers, body: answer.bytes().await? })
    }

    /// Sends the call and opens the answer's envelope, as [`Call::data`](crate::Call::data) does, for data of any shape.
    ///
    /// Null where the service answers without data.
    ///
    /// # Errors
    /// When the call was refused before sending, failed, or answered something else than JSON.
    ///
    /// # Cancel safety
    /// Dropped after sending, the service may act all the same.
    pub async fn data(self) -> Result<Value, Error> {
        let operation = self.operation.id;
        let answer = self.exchange().await.map_err(|error| error.during(operation))?;
        if let Some(outcome) = answer.extensions().get::<FailedCall>() {
            return Err(outcome.into());
        }
        let body = answer.bytes().await.map_err(|error| Error::from(error).during(operation))?;
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
                let message = format!("the answer is not JSON, at line {line} column {column}");
                Err(Error::decode(message).during(operation))
            }
        }
    }

    async fn exchange(self) -> Result<reqwest::Response, Error> {
        let id = self.operation.id;
        let raw = self.client;
        let refused = |why: &str| Error::invalid_request(format!("{id}: {why}"));
        // A value's own braces are escaped.
        if self.path.contains('{') {
            return Err(refused(&format!("{} lacks a parameter of its path", self.operation.path)));
        }
        let url =
            Url::parse(&format!("{}{}", raw.baseurl(), self.path)).map_err(|_| refused("not an address"))?;
        let method = self.operation.method.parse().map_err(|_| refused("not an HTTP method"))?;
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
        let answer = raw.exec(request, &info).await?;
        let outcome = answer.extensions().get::<FailedCall>();
        if let Some(outcome) = outcome.filter(|outcome| !outcome.has_response()) {
            return Err(outcome.into());
        }
        Ok(answer)
    }
}

impl std::fmt::Debug for DynamicCall<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DynamicCall").field("operation", &self.operation.id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for RawResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawResponse").field("status", &self.status).finish_non_exhaustive()
    }
}
