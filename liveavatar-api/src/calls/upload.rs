//! The upload of a picture: the one operation that the generator cannot generate.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use progenitor_client::ClientInfo as _;
use reqwest::header::{ACCEPT, HeaderValue};

use super::form::Form;
use super::{Open as _, Response, decode, send_request};
use crate::builder::{Draft, IntoField};
use crate::error::Error;
use crate::operation::Operation;
use crate::raw;
use crate::schema::{self, Diagnostic, MISSING_FIELD, OUT_OF_RANGE, WRONG_TYPE};
use crate::types;
use crate::wire::Envelope;

pub(super) const ID: &str = "create_image_avatar";

/// The form part with the picture.
pub(super) const FILE: &str = "file";

/// Least pixels on the short side of a picture (source: the service's documentation).
const MIN_SHORT_SIDE: usize = 1080;

/// A call of [`Client::create_image_avatar`](crate::Client::create_image_avatar).
#[derive(Clone)]
#[must_use = "nothing is sent before the call is awaited"]
pub struct CreateImageAvatar {
    client: Arc<raw::Client>,
    file: Option<Bytes>,
    arguments: Draft,
}

/// The formats that the service accepts: first bytes, media type, file name.
const FORMATS: [(&[u8], &str, &str); 2] =
    [(b"\xff\xd8\xff", "image/jpeg", "avatar.jpg"), (b"\x89PNG\r\n\x1a\n", "image/png", "avatar.png")];

fn format_of(file: &[u8]) -> Option<(&'static str, &'static str)> {
    let format = FORMATS.iter().find(|(start, ..)| file.starts_with(start));
    format.map(|&(_, media, name)| (media, name))
}

/// The errors of a picture that its first bytes show. That it shows one person is left to the service.
pub(super) fn picture_errors(file: Option<&Bytes>) -> Vec<Diagnostic> {
    let wrong = |rule, message: String| Diagnostic::new(rule, [FILE], message);
    let Some(file) = file else { return vec![wrong(MISSING_FIELD, "is required".to_owned())] };
    if format_of(file).is_none() {
        return vec![wrong(WRONG_TYPE, "is neither JPEG nor PNG".to_owned())];
    }
    let Ok(size) = imagesize::blob_size(file) else {
        return vec![wrong(WRONG_TYPE, "is damaged or cut off: its size cannot be read".to_owned())];
    };
    let (short, long) = (size.width.min(size.height), size.width.max(size.height));
    let pixels = format!("is {} x {} pixels", size.width, size.height);
    let mut errors = Vec::new();
    if short.saturating_mul(16) != long.saturating_mul(9) {
        errors.push(wrong(OUT_OF_RANGE, format!("{pixels}, must be exactly 16:9 or 9:16")));
    }
    if short < MIN_SHORT_SIDE {
        let least = format!("{pixels}, must have at least {MIN_SHORT_SIDE} on its short side");
        errors.push(wrong(OUT_OF_RANGE, least));
    }
    errors
}

/// Adds a file to a form, with the media type that its first bytes show.
pub(super) fn add_file(form: &mut Form, name: &str, file: &[u8]) {
    let (media, file_name) = format_of(file).unwrap_or(("application/octet-stream", "file"));
    form.file(name, file_name, media, file);
}

impl CreateImageAvatar {
    pub(crate) fn new(client: &Arc<raw::Client>) -> Self {
        Self { client: Arc::clone(client), file: None, arguments: Draft::default() }
    }

    /// Sets the picture, as JPEG or PNG bytes.
    ///
    /// It must be exactly 16:9 or 9:16, with at least 1080 pixels on its short side.
    pub fn file(mut self, file: impl Into<Bytes>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Sets the training resolution; 720 by default, 1080 needs a Business or Enterprise plan.
    pub fn resolution(
        mut self,
        resolution: impl IntoField<Option<types::CreateImageAvatarBodyResolution>>,
    ) -> Self {
        self.arguments.set("resolution", resolution.into_given());
        self
    }

    /// Sends the picture and returns the avatar, whose training has begun.
    ///
    /// # Errors
    /// If the picture is missing or, by its first bytes, of another format, shape or size, and every error of a generated call.
    ///
    /// # Cancel safety
    /// If dropped before the response, the training may have started; the list of avatars shows it.
    pub async fn send(self) -> Result<types::Avatar, Error> {
        self.exchange().await.and_then(Envelope::open).map_err(|error| error.during(ID))
    }

    /// Sends the picture and returns the whole response.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    /// As [`send`](Self::send).
    pub async fn send_raw(self) -> Result<Response<Envelope<types::Avatar>>, Error> {
        self.exchange().await.map_err(|error| error.during(ID))
    }

    async fn exchange(self) -> Result<Response<Envelope<types::Avatar>>, Error> {
        let Self { file, mut arguments, .. } = self;
        let body = schema::check_type("CreateImageAvatarBody", arguments.value(), arguments.texts());
        let others = body.into_iter().filter(|one| one.path() != FILE);
        Error::invalid_fields(picture_errors(file.as_ref()).into_iter().chain(others))?;
        let operation = Operation::find(ID)
            .ok_or_else(|| Error::invalid_request("the document does not list the upload"))?;

        let mut form = Form::new();
        add_file(&mut form, FILE, &file.unwrap_or_default());
        if let Some(resolution) = arguments.take::<Option<String>>("resolution").unwrap_or_default() {
            form.text("resolution", &resolution);
        }
        let address = raw::address(&self.client, format_args!("{}", operation.path));
        let accept = HeaderValue::from_static("application/json");
        let request = self.client.client().post(address).header(ACCEPT, accept);
        let request = form.send_in(request).build()?;
        decode(send_request(&self.client, request, ID).await?)
    }
}

impl IntoFuture for CreateImageAvatar {
    type Output = Result<types::Avatar, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl fmt::Debug for CreateImageAvatar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.file.as_ref().map(Bytes::len);
        f.debug_struct("CreateImageAvatar")
            .field("bytes", &bytes)
            .field("arguments", &self.arguments)
            .finish_non_exhaustive()
    }
}
