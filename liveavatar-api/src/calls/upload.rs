//! The one operation that the generator cannot make: a multipart upload, on the same transport and with the same shape.

use std::fmt;
use std::future::ready;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use progenitor_client::{ClientHooks as _, ClientInfo as _, Error, OperationInfo, ResponseValue};
use reqwest::RequestBuilder;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::multipart::{Form, Part};

use crate::calls::{Call, IntoData};
use crate::operation::Operation;
use crate::raw::Client;
use crate::types;
use crate::wire::Envelope;

/// The operation's name in the document and in [`OPERATIONS`](crate::raw::OPERATIONS).
const ID: &str = "create_image_avatar";

impl Client {
    /// Trains an avatar from one picture.
    ///
    /// The picture is a JPEG or PNG, exactly 16:9 or 9:16, its short side at least 1080 px, with one clearly framed
    /// person (the service's documentation). The avatar is ready when its status is `ACTIVE`; one that failed says why in
    /// `error_message`.
    pub fn create_image_avatar(&self) -> CreateImageAvatar<'_> {
        CreateImageAvatar { client: self, file: None, resolution: None }
    }
}

/// Builds the upload of [`Client::create_image_avatar`].
#[derive(Clone)]
#[must_use]
pub struct CreateImageAvatar<'a> {
    client: &'a Client,
    file: Option<Bytes>,
    resolution: Option<types::CreateImageAvatarBodyResolution>,
}

/// The formats that the service takes, by their first bytes.
const FORMATS: [(&[u8], &str, &str); 2] =
    [(b"\xff\xd8\xff", "image/jpeg", "avatar.jpg"), (b"\x89PNG\r\n\x1a\n", "image/png", "avatar.png")];

fn format_of(file: &[u8]) -> Option<(&'static str, &'static str)> {
    let format = FORMATS.iter().find(|(start, ..)| file.starts_with(start));
    format.map(|&(_, media, name)| (media, name))
}

/// A file as a part of a form.
pub(crate) fn file_part(file: Bytes) -> reqwest::Result<Part> {
    let (media, name) = format_of(&file).unwrap_or(("application/octet-stream", "file"));
    let length = file.len() as u64;
    Part::stream_with_length(file, length).file_name(name).mime_str(media)
}

/// Gives the request a form, written out: of a stream there is no copy, so that it could not be sent again where nobody got it.
pub(crate) async fn with_form(request: RequestBuilder, form: Form) -> reqwest::Result<RequestBuilder> {
    let media = format!("multipart/form-data; boundary={}", form.boundary());
    let body = form.into_stream().try_fold(BytesMut::new(), |mut body, part| {
        body.extend_from_slice(&part);
        ready(Ok(body))
    });
    Ok(request.header(CONTENT_TYPE, media).body(body.await?.freeze()))
}

impl CreateImageAvatar<'_> {
    /// The picture's bytes, JPEG or PNG.
    pub fn file(mut self, file: impl Into<Bytes>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// The training resolution, 720 unless given; 1080 needs a Business or Enterprise plan.
    pub fn resolution(mut self, resolution: types::CreateImageAvatarBodyResolution) -> Self {
        self.resolution = Some(resolution);
        self
    }

    /// Sends the picture.
    ///
    /// # Errors
    /// When the picture is missing or in another format, and as every generated call.
    ///
    /// # Cancel safety
    /// Dropped before the answer, an avatar may be in training that nobody knows; it shows in the list of avatars.
    pub async fn send(self) -> Result<ResponseValue<Envelope<types::Avatar>>, Error<()>> {
        let refused = |why: &str| Error::InvalidRequest(format!("{ID}: file: {why}"));
        let file = self.file.ok_or_else(|| refused("no picture was given"))?;
        let format = format_of(&file);
        format.ok_or_else(|| refused("is neither JPEG nor PNG"))?;
        let operation = Operation::find(ID).ok_or_else(|| refused("is no upload of the document"))?;

        let mut form = Form::new().part("file", file_part(file).map_err(Error::CommunicationError)?);
        if let Some(resolution) = self.resolution {
            form = form.text("resolution", resolution.to_string());
        }
        let url = format!("{}{}", self.client.baseurl(), operation.path);
        let accept = HeaderValue::from_static("application/json");
        let request = self.client.client().post(url).header(ACCEPT, accept);
        let request = with_form(request, form).await.and_then(RequestBuilder::build);
        let mut request = request.map_err(Error::CommunicationError)?;

        let info = OperationInfo { operation_id: operation.id };
        self.client.pre(&mut request, &info).await?;
        let result = self.client.exec(request, &info).await;
        self.client.post(&result, &info).await?;
        let answer = result.map_err(Error::CommunicationError)?;
        if answer.status().is_success() {
            ResponseValue::from_response(answer).await
        } else {
            Err(Error::UnexpectedResponse(answer))
        }
    }
}

impl fmt::Debug for CreateImageAvatar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.file.as_ref().map(Bytes::len);
        f.debug_struct("CreateImageAvatar")
            .field("bytes", &bytes)
            .field("resolution", &self.resolution)
            .finish()
    }
}

impl Call for CreateImageAvatar<'_> {
    type Answer = Envelope<types::Avatar>;
    type Data = types::Avatar;
    const OPERATION: &'static str = ID;

    fn client(&self) -> &Client {
        self.client
    }

    async fn answer(self) -> Result<ResponseValue<Self::Answer>, Error<()>> {
        self.send().await
    }

    fn open(answer: ResponseValue<Self::Answer>) -> Result<Self::Data, crate::Error> {
        answer.into_data()
    }
}
