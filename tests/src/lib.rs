//! What the tests and benches share: a caller for every operation, written by `build.rs` from the document.

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

/// An answer as the crate decoded it.
#[derive(Debug)]
pub struct Decoded {
    /// Written back as JSON.
    pub json: Value,
    /// What a log would show.
    pub debug: String,
}

/// A call, and what `Debug` says of it from the builder to the answer.
#[derive(Debug)]
pub struct Shown {
    /// The builder with its arguments.
    pub builder: String,
    /// What the builder's `send` returned, envelope or error.
    pub answer: String,
    /// What became of it.
    pub outcome: Result<Decoded, Error>,
}

impl Shown {
    fn new<R: IntoData<Data: Serialize + Debug> + Debug>(builder: String, result: R) -> Self {
        let answer = format!("{result:?} {result:#?}");
        Self { builder, answer, outcome: outcome(result) }
    }
}

include!(concat!(env!("OUT_DIR"), "/calls.rs"));

/// Calls the operation with every argument of the example set.
///
/// # Errors
/// As the call.
pub async fn call(client: &Client, operation: &str, example: &Example) -> Result<Decoded, Error> {
    show(client, operation, example).await.outcome
}

fn outcome<R: IntoData<Data: Serialize + Debug>>(result: R) -> Result<Decoded, Error> {
    let data = result.into_data()?;
    Ok(Decoded { json: written(&data), debug: format!("{data:#?}") })
}

/// An argument of a call, from the example.
fn argument<T: DeserializeOwned>(example: &Example, name: &str) -> T {
    let value = if name == "body" {
        example.body.clone()
    } else {
        example.path.get(name).or_else(|| example.query.get(name)).cloned()
    };
    let value = value.unwrap_or_else(|| panic!("the example has no {name}: {example:?}"));
    serde_json::from_value(value.clone())
        .unwrap_or_else(|error| panic!("{name} does not take {value}: {error}"))
}

/// The operations that the document records as hand-written.
async fn handwritten(client: &Client, operation: &str, example: &Example) -> Shown {
    match operation {
        "create_image_avatar" => {
            let resolution =
                example.body.as_ref().and_then(|body| body["resolution"].as_str()).unwrap_or("720");
            let resolution = resolution.parse().unwrap_or(CreateImageAvatarBodyResolution::X720);
            let call = client.create_image_avatar().file(PNG).resolution(resolution);
            Shown::new(format!("{call:?} {call:#?}"), call.send().await)
        }
        other => panic!("the tests know no way to call {other}"),
    }
}

/// The bytes as a generated call's answer.
#[expect(clippy::result_large_err, reason = "it is what the generated calls return")]
fn answered<E: DeserializeOwned>(answer: &[u8]) -> Result<ResponseValue<E>, progenitor_client::Error<()>> {
    serde_json::from_slice::<E>(answer)
        .map(|envelope| ResponseValue::new(envelope, StatusCode::OK, HeaderMap::new()))
        .map_err(|error| progenitor_client::Error::InvalidResponsePayload(answer.to_vec().into(), error))
}

/// What a log would show of an answer: of its envelope and of the data inside, once both are read as a call reads them.
fn opened<E>(answer: &[u8]) -> Result<String, Error>
where
    E: DeserializeOwned + Debug,
    Result<ResponseValue<E>, progenitor_client::Error<()>>: IntoData<Data: Debug>,
{
    let answer = answered::<E>(answer);
    let envelope = answer.as_ref().map(|answer| format!("{answer:?}")).unwrap_or_default();
    Ok(format!("{envelope}\n{:?}", answer.into_data()?))
}

/// An answer's data as it is written, and as it is written once that was read again.
fn reopened<E>(answer: &[u8]) -> Result<[Value; 2], Error>
where
    E: DeserializeOwned,
    Result<ResponseValue<E>, progenitor_client::Error<()>>: IntoData<Data: Serialize + DeserializeOwned>,
{
    let mut data = answered::<E>(answer).into_data()?;
    let once = written(&data);
    data = serde_json::from_value(once.clone())
        .unwrap_or_else(|error| panic!("it cannot be read again: {error}: {once}"));
    Ok([once, written(&data)])
}

fn written(data: &impl Serialize) -> Value {
    serde_json::to_value(data).unwrap_or_else(|error| panic!("an answer that does not write back: {error}"))
}

/// The answers of the operations that the document records as hand-written.
fn open_handwritten(operation: &str, answer: &[u8]) -> Result<String, Error> {
    match operation {
        "create_image_avatar" => opened::<Envelope<types::Avatar>>(answer),
        other => panic!("the tests know no answer of {other}"),
    }
}

fn reopen_handwritten(operation: &str, answer: &[u8]) -> Result<[Value; 2], Error> {
    match operation {
        "create_image_avatar" => reopened::<Envelope<types::Avatar>>(answer),
        other => panic!("the tests know no answer of {other}"),
    }
}

fn rewritten<T: DeserializeOwned + Serialize>(body: Value) -> serde_json::Result<Value> {
    serde_json::to_value(serde_json::from_value::<T>(body)?)
}

/// A clock that moves only when somebody sleeps, which takes no time.
///
/// Clones share their time and their record.
#[derive(Clone, Debug, Default)]
pub struct TestClock(Arc<Mutex<Vec<Duration>>>);

impl TestClock {
    /// How long each sleep so far would have taken.
    #[must_use]
    pub fn slept(&self) -> Vec<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        // 2026-01-01, so that dates in tests can be read.
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600) + self.slept().iter().sum()
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(time);
        Box::pin(std::future::ready(()))
    }
}

/// A client of the server, with the key that it takes, for which no time passes.
///
/// # Panics
/// When the server's address or key cannot be used, which would be the mock's fault.
#[must_use]
pub fn client(server: &Server) -> Client {
    let credential = Credential::api_key(server.api_key());
    let built = credential.and_then(|key| {
        Client::builder().base_url(server.url()).credential(key).clock(TestClock::default()).build()
    });
    built.unwrap_or_else(|error| panic!("the mock's address or key: {error}"))
}

/// The start of a PNG file, which is all that the client looks at.
pub const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Compiles the README's snippets.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
