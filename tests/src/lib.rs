//! Shared by the tests: a caller for every operation, which `build.rs` writes from the document, and a test clock.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use liveavatar_api::types::CreateImageAvatarBodyResolution;
use liveavatar_api::{Client, Clock, Credential, Envelope, Error, IntoData, types};
use liveavatar_mock::{Example, Server};
use progenitor_client::ResponseValue;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The decoded data of a response.
#[derive(Debug)]
pub struct Decoded {
    /// The data serialized again.
    pub json: Value,
    /// Its `Debug` output.
    pub debug: String,
}

/// A call's result, and the `Debug` output of its builder and its response.
#[derive(Debug)]
pub struct Shown {
    /// The builder with its arguments.
    pub builder: String,
    /// The result of `send`: envelope or error.
    pub response: String,
    /// The data or the error.
    pub result: Result<Decoded, Error>,
}

impl Shown {
    fn new<R: IntoData<Data: Serialize + Debug> + Debug>(builder: String, result: R) -> Self {
        let response = format!("{result:?} {result:#?}");
        Self { builder, response, result: decoded(result) }
    }
}

include!(concat!(env!("OUT_DIR"), "/calls.rs"));

/// Calls the operation with all arguments of the example.
///
/// # Errors
/// Returns the error of the call.
pub async fn call(client: &Client, operation: &str, example: &Example) -> Result<Decoded, Error> {
    show(client, operation, example).await.result
}

fn decoded<R: IntoData<Data: Serialize + Debug>>(result: R) -> Result<Decoded, Error> {
    let data = result.into_data()?;
    Ok(Decoded { json: to_json(&data), debug: format!("{data:#?}") })
}

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

/// Calls an operation that the document marks as hand-written.
async fn handwritten(client: &Client, operation: &str, example: &Example) -> Shown {
    match operation {
        "create_image_avatar" => {
            let resolution =
                example.body.as_ref().and_then(|body| body["resolution"].as_str()).unwrap_or("720");
            let resolution = resolution.parse().unwrap_or(CreateImageAvatarBodyResolution::X720);
            let call = client.create_image_avatar().file(PNG).resolution(resolution);
            Shown::new(format!("{call:?} {call:#?}"), call.send().await)
        }
        other => panic!("add a call of {other} here"),
    }
}

/// Returns the bytes as a response of a generated call.
#[expect(clippy::result_large_err, reason = "generated calls return this type")]
fn response<E: DeserializeOwned>(bytes: &[u8]) -> Result<ResponseValue<E>, progenitor_client::Error<()>> {
    serde_json::from_slice::<E>(bytes)
        .map(|envelope| ResponseValue::new(envelope, StatusCode::OK, HeaderMap::new()))
        .map_err(|error| progenitor_client::Error::InvalidResponsePayload(bytes.to_vec().into(), error))
}

/// Decodes a response as a call does, and returns the `Debug` output of its envelope and its data.
fn decode_as<E>(bytes: &[u8]) -> Result<String, Error>
where
    E: DeserializeOwned + Debug,
    Result<ResponseValue<E>, progenitor_client::Error<()>>: IntoData<Data: Debug>,
{
    let response = response::<E>(bytes);
    let envelope = response.as_ref().map(|envelope| format!("{envelope:?}")).unwrap_or_default();
    Ok(format!("{envelope}\n{:?}", response.into_data()?))
}

/// Decodes a response, serializes its data, and does both again with the result.
fn round_trip_as<E>(bytes: &[u8]) -> Result<[Value; 2], Error>
where
    E: DeserializeOwned,
    Result<ResponseValue<E>, progenitor_client::Error<()>>: IntoData<Data: Serialize + DeserializeOwned>,
{
    let mut data = response::<E>(bytes).into_data()?;
    let once = to_json(&data);
    data = serde_json::from_value(once.clone())
        .unwrap_or_else(|error| panic!("the serialized data cannot be decoded: {error}: {once}"));
    Ok([once, to_json(&data)])
}

fn to_json(data: &impl Serialize) -> Value {
    serde_json::to_value(data).unwrap_or_else(|error| panic!("the data cannot be serialized: {error}"))
}

fn decode_handwritten(operation: &str, bytes: &[u8]) -> Result<String, Error> {
    match operation {
        "create_image_avatar" => decode_as::<Envelope<types::Avatar>>(bytes),
        other => panic!("add the response of {other} here"),
    }
}

fn round_trip_handwritten(operation: &str, bytes: &[u8]) -> Result<[Value; 2], Error> {
    match operation {
        "create_image_avatar" => round_trip_as::<Envelope<types::Avatar>>(bytes),
        other => panic!("add the response of {other} here"),
    }
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
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600) + self.slept().iter().sum()
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

/// The first bytes of a PNG file. The client checks only these.
pub const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Compiles the README's snippets.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
