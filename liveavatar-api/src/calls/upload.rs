//! The upload of a picture: the one operation that the generator cannot generate.

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

const ID: &str = "create_image_avatar";

impl Client {
    /// Trains an avatar from one picture.
    ///
    /// The picture must be a JPEG or PNG of exactly 16:9 or 9:16, at least 1080 px on its short side, and show one clearly framed
    /// person (source: the service's documentation). The avatar is ready when its status is `ACTIVE`; if training fails,
    /// `error_message` has the reason.
    pub fn create_image_avatar(&self) -> CreateImageAvatar<'_> {
        CreateImageAvatar { client: self, file: None, resolution: None }
    }
}

/// A call of [`Client::create_image_avatar`].
#[derive(Clone)]
#[must_use]
pub struct CreateImageAvatar<'a> {
    client: &'a Client,
    file: Option<Bytes>,
    resolution: Option<types::CreateImageAvatarBodyResolution>,
}

/// The formats that the service accepts: first bytes, media type, file name.
const FORMATS: [(&[u8], &str, &str); 2] =
    [(b"\xff\xd8\xff", "image/jpeg", "avatar.jpg"), (b"\x89PNG\r\n\x1a\n", "image/png", "avatar.png")];

fn format_of(file: &[u8]) -> Option<(&'static str, &'static str)> {
    let format = FORMATS.iter().find(|(start, ..)| file.starts_with(start));
    format.map(|&(_, media, name)| (media, name))
}

pub(crate) fn file_part(file: Bytes) -> reqwest::Result<Part> {
    let (media, name) = format_of(&file).unwrap_or(("application/octet-stream", "file"));
    let length = file.len() as u64;
    Part::stream_with_length(file, length).file_name(name).mime_str(media)
}

/// Sets a form as the request's body, in memory: a stream cannot be sent again in a retry.
pub(crate) async fn with_form(request: RequestBuilder, form: Form) -> reqwest::Result<RequestBuilder> {
    let media = format!("multipart/form-data; boundary={}", form.boundary());
    let body = form.into_stream().try_fold(BytesMut::new(), |mut body, part| {
        body.extend_from_slice(&part);
        ready(Ok(body))
    });
    Ok(request.header(CONTENT_TYPE, media).body(body.await?.freeze()))
}

impl CreateImageAvatar<'_> {
    /// Sets the picture, as JPEG or PNG bytes.
    pub fn file(mut self, file: impl Into<Bytes>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Sets the training resolution; 720 by default, 1080 needs a Business or Enterprise plan.
    pub fn resolution(mut self, resolution: types::CreateImageAvatarBodyResolution) -> Self {
        self.resolution = Some(resolution);
        self
    }

    /// Sends the picture.
    ///
    /// # Errors
    /// If the picture is missing or of another format, and every error of a generated call.
    ///
    /// # Cancel safety
    /// If dropped before the response, the training may have started; the list of avatars shows it.
    pub async fn send(self) -> Result<ResponseValue<Envelope<types::Avatar>>, Error<()>> {
        let invalid = |reason: &str| Error::InvalidRequest(format!("{ID}: `file` {reason}"));
        let file = self.file.ok_or_else(|| invalid("is required"))?;
        let format = format_of(&file);
        format.ok_or_else(|| invalid("is neither JPEG nor PNG"))?;
        let operation = Operation::find(ID).ok_or_else(|| invalid("is not an upload in the document"))?;

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
        let response = result.map_err(Error::CommunicationError)?;
        if response.status().is_success() {
            ResponseValue::from_response(response).await
        } else {
            Err(Error::UnexpectedResponse(response))
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
    type Response = Envelope<types::Avatar>;
    type Data = types::Avatar;
    const OPERATION: &'static str = ID;

    fn client(&self) -> &Client {
        self.client
    }

    async fn response(self) -> Result<ResponseValue<Self::Response>, Error<()>> {
        self.send().await
    }

    fn open(response: ResponseValue<Self::Response>) -> Result<Self::Data, crate::Error> {
        response.into_data()
    }
}
