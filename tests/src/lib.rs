//! Shared by the tests: a caller for every operation, which `build.rs` writes from the document, and a test clock.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use liveavatar_api::calls::{CreateImageAvatar, Response};
use liveavatar_api::types::CreateImageAvatarBodyResolution;
use liveavatar_api::{Client, Clock, Credential, Envelope, Error, types};
use liveavatar_mock::{Example, Server};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::de::value::UnitDeserializer;
use serde_json::Value;

/// The decoded data of a response.
#[derive(Debug)]
pub struct Decoded {
    /// The data serialized again.
    pub json: Value,
    /// Its `Debug` output.
    pub debug: String,
}

impl Decoded {
    fn new(data: &(impl Serialize + Debug)) -> Self {
        Self { json: to_json(data), debug: format!("{data:#?}") }
    }
}

/// The `Debug` output of a call and of what its `send_raw` returns.
#[derive(Debug)]
pub struct Shown {
    /// The call with its arguments.
    pub call: String,
    /// The response with its data, or the error.
    pub result: String,
    /// The error, if there is one.
    pub error: Option<Error>,
}

impl Shown {
    fn new<T: Debug>(call: &impl Debug, result: Result<Response<T>, Error>) -> Self {
        let (call, shown) = (format!("{call:?} {call:#?}"), format!("{result:?} {result:#?}"));
        Self { call, result: shown, error: result.err() }
    }
}

include!(concat!(env!("OUT_DIR"), "/calls.rs"));

/// The doc comment of each field of a type, and of each setter of a builder, one a line.
pub const DOCS: &str = include_str!(concat!(env!("OUT_DIR"), "/docs.txt"));

/// Takes an argument of a call from the example.
fn argument<T: DeserializeOwned>(example: &Example, name: &str) -> T {
    let value = if name == "body" {
        example.body.clone()
    } else {
        example.path.get(name).or_else(|| example.query.get(name)).cloned()
    };
    let value = value.unwrap_or_else(|| panic!("the example has no {name}: {example:?}"));
    serde_json::from_value(value.clone())
        .unwrap_or_else(|error| panic!("{name}: {value} is invalid: {error}"))
}

/// An operation that the document marks as hand-written.
fn upload(client: &Client, operation: &str, example: &Example) -> CreateImageAvatar {
    assert_eq!(operation, "create_image_avatar", "add a call of this operation here");
    let resolution: Option<CreateImageAvatarBodyResolution> =
        example.body.as_ref().and_then(|body| body["resolution"].as_str()?.parse().ok());
    client.create_image_avatar().file(picture()).resolution(resolution)
}

async fn call_handwritten(client: &Client, operation: &str, example: &Example) -> Result<Decoded, Error> {
    Ok(Decoded::new(&upload(client, operation, example).send().await?))
}

async fn show_handwritten(client: &Client, operation: &str, example: &Example) -> Shown {
    let call = upload(client, operation, example);
    Shown::new(&call.clone(), call.send_raw().await)
}

/// Decodes a response as a call does. Returns the `Debug` output of its envelope, and the data, or the whole output of a failure.
fn open<T: DeserializeOwned + Debug>(bytes: &[u8]) -> Result<(String, T), String> {
    let envelope: Envelope<T> = serde_json::from_slice(bytes).map_err(|error| {
        let bytes = bytes.to_vec().into();
        let error: Error = progenitor_client::Error::<()>::InvalidResponsePayload(bytes, error).into();
        format!("{error}\n{error:?}\n{error:#?}")
    })?;
    let (shown, is_absent) = (format!("{envelope:?}"), envelope.raw_data().is_none());
    let nothing = || T::deserialize(UnitDeserializer::<serde::de::value::Error>::new()).ok();
    let data = envelope.into_data().or_else(|| is_absent.then(nothing).flatten());
    Ok((shown, data.ok_or("the envelope has no data of this type")?))
}

fn decode_as<T: DeserializeOwned + Debug>(bytes: &[u8]) -> Result<String, String> {
    open::<T>(bytes).map(|(envelope, data)| format!("{envelope}\n{data:?}"))
}

/// Decodes a response, serializes its data, and does both again with the result.
fn round_trip_as<T: DeserializeOwned + Serialize + Debug>(bytes: &[u8]) -> Result<[Value; 2], String> {
    let (_, data) = open::<T>(bytes)?;
    let once = to_json(&data);
    let again: T = serde_json::from_value(once.clone())
        .unwrap_or_else(|error| panic!("the serialized data cannot be decoded: {error}: {once}"));
    Ok([once, to_json(&again)])
}

fn to_json(data: &impl Serialize) -> Value {
    serde_json::to_value(data).unwrap_or_else(|error| panic!("the data cannot be serialized: {error}"))
}

fn decode_handwritten(operation: &str, bytes: &[u8]) -> Result<String, String> {
    assert_eq!(operation, "create_image_avatar", "add the response of this operation here");
    decode_as::<types::Avatar>(bytes)
}

fn round_trip_handwritten(operation: &str, bytes: &[u8]) -> Result<[Value; 2], String> {
    assert_eq!(operation, "create_image_avatar", "add the response of this operation here");
    round_trip_as::<types::Avatar>(bytes)
}

fn round_trip_body_as<T: DeserializeOwned + Serialize>(body: Value) -> serde_json::Result<Value> {
    serde_json::to_value(serde_json::from_value::<T>(body)?)
}

/// A clock that only sleeping advances. Sleeping returns at once.
///
/// Clones share the time and the record of the sleeps.
#[derive(Clone, Debug, Default)]
pub struct TestClock(Arc<Mutex<Vec<Duration>>>);

impl TestClock {
    /// Returns the duration of each sleep so far.
    #[must_use]
    pub fn slept(&self) -> Vec<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        // 2026-01-01T00:00:00Z
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600) + self.slept().iter().sum::<Duration>()
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(time);
        Box::pin(std::future::ready(()))
    }
}

/// Returns a client of the mock, with its API key and a [`TestClock`].
///
/// # Panics
/// Panics if the mock's URL or key is invalid.
#[must_use]
pub fn client(server: &Server) -> Client {
    let credential = Credential::api_key(server.api_key());
    let built = credential.and_then(|key| {
        Client::builder().base_url(server.url()).credential(key).clock(TestClock::default()).build()
    });
    built.unwrap_or_else(|error| panic!("the mock's URL or key: {error}"))
}

/// Returns the first bytes of a PNG file of this size. The client checks only these.
#[must_use]
pub fn png(width: u32, height: u32) -> Vec<u8> {
    let start = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    [start.as_slice(), &width.to_be_bytes(), &height.to_be_bytes(), b"\x08\x02\0\0\0"].concat()
}

/// Returns the first bytes of a JPEG file of this size. The client checks only these.
#[must_use]
pub fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let (start, end) = (b"\xff\xd8\xff\xc0\0\x11\x08", b"\x03\x01\x11\0\x02\x11\0\x03\x11\0");
    [start.as_slice(), &height.to_be_bytes(), &width.to_be_bytes(), end].concat()
}

/// Returns the start of a picture that the client accepts.
#[must_use]
pub fn picture() -> Vec<u8> {
    png(1920, 1080)
}

/// Compiles the README's snippets.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
