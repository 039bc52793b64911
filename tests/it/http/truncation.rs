//! Responses that are truncated or damaged at any byte, in every framing.
//!
//! Rules are asserted for every case. The snapshots show the results, one line for each range of bytes with the same result.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use liveavatar_api::raw::{OPERATIONS, Operation};
use liveavatar_api::{Error, ErrorKind, RequestOptions};
use liveavatar_mock::example_response;
use tokio::time::Instant;

use super::faulty_proxy::Fault;
use super::offset_table::OffsetTable;
use super::scripted_server::{End, Response, ScriptedServer};
use super::{
    Harness, MAX_PAUSE, TOTAL_TIMEOUT, Time, call, call_example, coded, credential, everything, or_none, sent,
};

/// A client is replaced after this many cases, before it has spent its retry budget.
const CASES_PER_CLIENT: usize = 40;

/// Returns the class of an operation. All operations of a class are expected to have the same results.
fn class(operation: &Operation) -> String {
    let sessions = operation.path.strip_prefix("/v1/sessions/").filter(|_| operation.method == "POST");
    match sessions {
        Some(verb) => verb.to_owned(),
        None if operation.has_response_body => operation.method.to_owned(),
        None => format!("{} without a response body", operation.method),
    }
}

/// Returns every class with its operations, the one with the shortest response first.
fn classes() -> BTreeMap<String, Vec<&'static Operation>> {
    let mut classes = BTreeMap::<_, Vec<&'static Operation>>::new();
    for operation in OPERATIONS {
        classes.entry(class(operation)).or_default().push(operation);
    }
    for operations in classes.values_mut() {
        operations.sort_by_key(|operation| good(operation).bytes().len());
    }
    classes
}

/// Returns the documented success.
fn good(operation: &Operation) -> Response {
    example_response(operation.id).map_or_else(|| Response::empty(204), |body| Response::json(200, &body))
}

struct Called {
    result: Result<(), Error>,
    /// Requests that the server received.
    requests: usize,
}

impl Called {
    /// Describes the result on one line, without anything that depends on where the connection failed.
    fn line(&self) -> String {
        let requests = match self.requests {
            1 => String::new(),
            requests => format!("{requests} requests, "),
        };
        match &self.result {
            Ok(()) => format!("{requests}success"),
            Err(error) => format!(
                "{requests}{:?}, status {}, code {}, {}: {}",
                error.kind(),
                or_none(error.status()),
                or_none(error.code()),
                sent(error),
                error.message(),
            ),
        }
    }
}

/// A server and its client, which is replaced before it has spent its retry budget.
struct Runner {
    server: ScriptedServer,
    harness: Harness,
    time: Time,
    cases: usize,
}

/// Creates a client that does not reuse connections: it might notice too late that one has been closed after a response.
fn harness(server: &ScriptedServer, time: Time) -> Harness {
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).pool_max_idle_per_host(0);
    Harness::with(server, time, http)
}

impl Runner {
    fn new(time: Time) -> Self {
        let server = ScriptedServer::start(vec![Response::close()]);
        Self { harness: harness(&server, time), server, time, cases: 0 }
    }

    /// Calls an operation and asserts the rules that hold for every case.
    async fn call(&mut self, operation: &'static Operation, script: Vec<Response>) -> Called {
        self.cases += 1;
        if self.time == Time::Paused {
            // Threads of the previous case may still wait for the old server.
            self.server = ScriptedServer::start(script);
            self.harness = harness(&self.server, self.time);
        } else {
            self.server.restart(script);
            if self.cases.is_multiple_of(CASES_PER_CLIENT) {
                self.harness = harness(&self.server, self.time);
            }
        }
        let client = self.harness.client.with_credential(credential(operation));
        let start = Instant::now();
        let result = call_example(&client, operation).await;
        let (id, took) = (operation.id, start.elapsed());
        assert!(took <= TOTAL_TIMEOUT + MAX_PAUSE, "{id} takes {took:?}");
        let requests = self.server.requests().len();
        assert!(operation.idempotent || requests == 1, "{id} was sent {requests} times");
        if let Err(error) = &result {
            assert_eq!(error.attempts() as usize, requests, "{id}: {error:?}");
            assert!(error.may_have_been_sent(), "{id}: the service may have acted: {error:?}");
            assert!(!everything(error).contains("canary"), "{id}: the error contains a secret");
        }
        Called { result, requests }
    }
}

/// Returns the length of the head.
fn head(bytes: &[u8]) -> usize {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4
}

impl Fault {
    fn after(self, bytes: &[u8]) -> Response {
        let response = Response::raw(bytes);
        match self {
            Self::Closed => response,
            Self::Reset => response.then(End::Abort),
            Self::Stalled => response.then(End::Hang),
        }
    }

    /// The kind of the error, by whether the head has arrived.
    fn kind(self, has_head: bool) -> ErrorKind {
        match self {
            Self::Closed | Self::Reset if has_head => ErrorKind::Decode,
            Self::Closed | Self::Reset => ErrorKind::Transport,
            Self::Stalled => ErrorKind::Timeout,
        }
    }
}

/// Asserts that a truncated response is an error, which is retried only if the operation is idempotent.
fn check_truncated(operation: &Operation, fault: Fault, at: usize, bytes: &[u8], called: &Called) {
    let whole = bytes.len();
    let what = format!("{} {fault:?} after {at} of {whole} bytes: {}", operation.id, called.line());
    if at >= whole {
        assert!(called.result.is_ok() && called.requests == 1, "{what}");
    } else if operation.idempotent {
        assert!(called.result.is_ok() && called.requests == 2, "{what}");
    } else {
        assert_eq!(called.result.as_ref().unwrap_err().kind(), fault.kind(at >= head(bytes)), "{what}");
    }
}

/// Injects a fault after every byte of a success, for one operation of each class.
async fn every_byte(fault: Fault, time: Time) -> String {
    let mut runner = Runner::new(time);
    let mut text = String::new();
    for (class, operations) in classes() {
        let operation = operations[0];
        let bytes = good(operation).bytes();
        let mut table = OffsetTable::default();
        for at in 0..=bytes.len() {
            let called = runner.call(operation, vec![fault.after(&bytes[..at]), good(operation)]).await;
            check_truncated(operation, fault, at, &bytes, &called);
            table.add(at, called.line());
        }
        writeln!(text, "{class}: {}, with a head of {} bytes", operation.id, head(&bytes)).unwrap();
        writeln!(text, "{}", table.text()).unwrap();
    }
    writeln!(text, "{} cases", runner.cases).unwrap();
    text
}

#[tokio::test]
async fn a_response_closed_after_any_byte_is_an_error() {
    insta::assert_snapshot!(every_byte(Fault::Closed, Time::Test).await);
}

#[tokio::test]
async fn a_response_reset_after_any_byte_is_an_error() {
    insta::assert_snapshot!(every_byte(Fault::Reset, Time::Test).await);
}

#[tokio::test(start_paused = true)]
async fn a_response_that_stalls_after_any_byte_is_an_error() {
    insta::assert_snapshot!(every_byte(Fault::Stalled, Time::Paused).await);
}

/// Returns the offsets of interest, for operations that are not tested at every byte.
fn corners(bytes: &[u8]) -> Vec<usize> {
    let (head, whole) = (head(bytes), bytes.len());
    let mut corners: Vec<usize> =
        [0, 1, head / 2, head - 1, head, head + 1, usize::midpoint(head, whole), whole - 1, whole]
            .into_iter()
            .filter(|at| *at <= whole)
            .collect();
    corners.sort_unstable();
    corners.dedup();
    corners
}

#[tokio::test]
async fn every_operation_is_retried_after_truncation_only_if_it_is_idempotent() {
    let mut runner = Runner::new(Time::Test);
    for operation in OPERATIONS {
        let (id, bytes) = (operation.id, good(operation).bytes());
        for fault in [Fault::Closed, Fault::Reset] {
            for at in corners(&bytes) {
                let called = runner.call(operation, vec![fault.after(&bytes[..at]), good(operation)]).await;
                check_truncated(operation, fault, at, &bytes, &called);
                // Retries end if every response is truncated.
                let called = runner.call(operation, vec![fault.after(&bytes[..at])]).await;
                let requests = if at < bytes.len() && operation.idempotent { 4 } else { 1 };
                assert_eq!(called.requests, requests, "{id} {fault:?} after {at}: {}", called.line());
                assert_eq!(called.result.is_ok(), at == bytes.len(), "{id}");
            }
        }
        let called = runner.call(operation, vec![good(operation).byte_by_byte()]).await;
        assert!(called.result.is_ok(), "{id}, byte by byte: {}", called.line());
    }
    assert_eq!(runner.server.requests().len(), 1);
    assert!(runner.cases > OPERATIONS.len() * 30, "{} cases", runner.cases);
}

#[tokio::test(start_paused = true)]
async fn every_operation_times_out_if_the_response_stalls() {
    let mut runner = Runner::new(Time::Paused);
    for operation in OPERATIONS {
        let bytes = good(operation).bytes();
        for at in [0, head(&bytes), bytes.len() - 1] {
            let start = Instant::now();
            let called = runner.call(operation, vec![Fault::Stalled.after(&bytes[..at])]).await;
            // Without a body, the response is complete.
            if at == bytes.len() {
                continue;
            }
            let requests = if operation.idempotent { 4 } else { 1 };
            assert_eq!(called.requests, requests, "{}: {}", operation.id, called.line());
            let limit = operation.attempt_timeout.unwrap_or(Duration::from_secs(30));
            assert!(start.elapsed() >= limit * u32::try_from(requests - 1).unwrap(), "{}", operation.id);
            assert_eq!(called.result.unwrap_err().kind(), ErrorKind::Timeout, "{}", operation.id);
        }
    }
}

/// Returns one operation of each kind that is retried or decoded differently, for the tests of framing.
fn kinds() -> Vec<&'static Operation> {
    let mut kinds: BTreeMap<_, &'static Operation> = BTreeMap::new();
    for operations in classes().into_values() {
        let operation = operations[0];
        let reads = operation.method == "GET";
        let key = (operation.idempotent, operation.has_response_body, reads, operation.attempt_timeout);
        kinds.entry(key).or_insert(operation);
    }
    kinds.into_values().collect()
}

/// Describes the results of a series of responses.
async fn series(name: &str, cases: impl Fn(&Operation) -> Vec<(usize, Response)>) -> String {
    let mut runner = Runner::new(Time::Test);
    let mut text = String::new();
    for operation in kinds() {
        let mut table = OffsetTable::default();
        for (at, response) in cases(operation) {
            let called = runner.call(operation, vec![response, good(operation)]).await;
            table.add(at, called.line());
        }
        writeln!(text, "{name}: {}\n{}", operation.id, table.text()).unwrap();
    }
    writeln!(text, "{} cases", runner.cases).unwrap();
    text
}

/// Describes the results of a response that is truncated after each of its bytes.
async fn truncated(response: impl Fn(&Operation) -> Response) -> String {
    let cases = |operation: &Operation| {
        let bytes = response(operation).bytes();
        (0..=bytes.len()).map(|at| (at, Response::raw(&bytes[..at]))).collect()
    };
    series("truncated after byte", cases).await
}

#[tokio::test]
async fn chunks_truncated_after_any_byte_are_an_error() {
    insta::assert_snapshot!(truncated(|operation| good(operation).chunked(64, "0\r\n\r\n")).await);
}

#[tokio::test]
async fn a_body_without_a_length_truncated_after_any_byte_is_an_error() {
    insta::assert_snapshot!(truncated(|operation| good(operation).until_close()).await);
}

#[tokio::test]
async fn a_403_is_known_once_its_head_is_complete() {
    insta::assert_snapshot!(truncated(|_| coded(403, 4032)).await);
}

#[tokio::test]
async fn a_503_is_known_once_its_head_is_complete() {
    insta::assert_snapshot!(truncated(|_| coded(503, 5000)).await);
}

#[tokio::test]
async fn a_response_with_a_wrong_length_is_an_error() {
    let lengths = |operation: &Operation| {
        let response = good(operation);
        let bytes = response.bytes();
        let body = bytes.len() - head(&bytes);
        (0..=body + 9).map(|length| (length, response.clone().content_length(&length.to_string()))).collect()
    };
    insta::assert_snapshot!(series("content-length", lengths).await);
}

#[tokio::test]
async fn a_damaged_byte_in_the_head_or_in_a_chunk_frame_is_an_error() {
    let damaged = |operation: &Operation| {
        let bytes = good(operation).chunked(64, "0\r\n\r\n").bytes();
        let damaged = |at: usize| {
            let mut bytes = bytes.clone();
            bytes[at] = u8::from(bytes[at] == 0);
            Response::raw(bytes)
        };
        (0..bytes.len()).map(|at| (at, damaged(at))).collect()
    };
    insta::assert_snapshot!(series("NUL instead of byte", damaged).await);
}

#[tokio::test]
async fn a_response_planted_after_another_one_is_never_used() {
    let planted = Response::json(200, &serde_json::json!({ "code": 100, "data": { "credits_left": 666 } }));
    let own = Response::json(200, &serde_json::json!({ "code": 100, "data": { "credits_left": 1 } }));
    for first_response in [own.clone(), own.clone().chunked(9, "0\r\n\r\n"), coded(403, 4032)] {
        for garbage in [&b"\0"[..], b"\r\n", b"canary", b"HTTP/1.1 200 OK\r\n", &planted.bytes()] {
            let both = [first_response.bytes(), garbage.to_vec()].concat();
            let server = ScriptedServer::start(vec![Response::raw(both).then(End::Keep), own.clone()]);
            let client = Harness::new(&server, Time::Test).client;
            let first = call(client.clone(), "get_user_credits").await;
            let second = call(client, "get_user_credits").await.unwrap();
            assert_eq!(second, "UserCredits { credits_left: Some(Credits(1)) }");
            assert_eq!((first.is_ok(), server.requests().len()), (first_response.status() == 200, 2));
        }
    }
}

#[tokio::test]
async fn a_truncated_success_is_the_same_error_with_and_without_a_length() {
    for operation in ["get_user_credits", "create_secret", "start_session"] {
        let good = Response::json(201, &example_response(operation).unwrap());
        let mut errors = Vec::new();
        for response in
            [good.clone().truncated(30), good.clone().truncated(30).until_close(), good.chunked(7, "")]
        {
            let server = ScriptedServer::start(vec![response]);
            let client = Harness::new(&server, Time::Test).client;
            let client = client.with_options(RequestOptions::new().max_attempts(1));
            let error = call(client, operation).await.unwrap_err();
            errors.push((error.kind(), error.status(), error.message().to_owned()));
        }
        let expected = (ErrorKind::Decode, Some(201), "the response ends too early".to_owned());
        assert_eq!(errors, vec![expected; 3], "{operation}");
    }
}
