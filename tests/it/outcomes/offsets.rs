//! Every operation on a connection that fails behind any byte of the answer, in any frame: what is sent again, and what the caller
//! gets.
//!
//! The rules are checked for every case; the snapshots tell what the cases come to, those that come to the same in one line.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use liveavatar_api::raw::{OPERATIONS, Operation};
use liveavatar_api::{Credential, CredentialKind, Error, ErrorKind};
use liveavatar_mock::{example_request, example_response};
use tokio::time::{Instant, timeout};

use crate::hostile::lines::Lines;

use super::server::{Answer, Server};
use super::{KEY, LONGEST_PAUSE, Lab, TOKEN, Time, coded, everything, or_none};

/// A call that takes longer hangs; with a paused clock nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(180);

/// No call may take longer with all its requests and pauses: the default of the options.
const TOTAL_LIMIT: Duration = Duration::from_secs(120);

/// A client may repeat so often before it saves its strength; then the cases get another one.
const CASES_PER_CLIENT: usize = 40;

/// Operations in whose outcomes no difference is expected, by what the document says of them.
fn class(operation: &Operation) -> String {
    let sessions = operation.path.strip_prefix("/v1/sessions/").filter(|_| operation.method == "POST");
    match sessions {
        Some(verb) => verb.to_owned(),
        None if operation.has_response_body => operation.method.to_owned(),
        None => format!("{} without an answer", operation.method),
    }
}

/// Every class with its operations, the one with the shortest answer first.
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

/// The success that the document shows.
fn good(operation: &Operation) -> Answer {
    example_response(operation.id).map_or_else(|| Answer::bare(204), |answer| Answer::json(200, &answer))
}

/// What came of a call.
struct Came {
    result: Result<(), Error>,
    /// Requests that the server saw.
    seen: usize,
}

impl Came {
    /// On one line, with nothing that depends on where the connection failed.
    fn line(&self) -> String {
        let seen = match self.seen {
            1 => String::new(),
            seen => format!("{seen} requests, "),
        };
        match &self.result {
            Ok(()) => format!("{seen}answered"),
            Err(error) => format!(
                "{seen}{:?}, status {}, code {}, {}: {}",
                error.kind(),
                or_none(error.status()),
                or_none(error.code()),
                if error.may_have_been_sent() { "may have been sent" } else { "not sent" },
                error.message(),
            ),
        }
    }
}

/// A server, and clients that are replaced before they save their strength.
struct Range {
    server: Server,
    lab: Lab,
    time: Time,
    cases: usize,
}

/// A client that takes every connection once: one that is closed behind a whole answer may be found closed too late.
fn lab(server: &Server, time: Time) -> Lab {
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).pool_max_idle_per_host(0);
    Lab::with(server, time, http)
}

impl Range {
    fn new(time: Time) -> Self {
        let server = Server::start(vec![Answer::nothing()]);
        Self { lab: lab(&server, time), server, time, cases: 0 }
    }

    /// Calls an operation, of whose requests each gets one of the answers, and checks what holds for every case.
    async fn call(&mut self, operation: &'static Operation, script: Vec<Answer>) -> Came {
        self.cases += 1;
        if self.time == Time::Paused {
            // Its threads look at the clock's holders of the case before.
            self.server = Server::start(script);
            self.lab = lab(&self.server, self.time);
        } else {
            self.server.retell(script);
            if self.cases.is_multiple_of(CASES_PER_CLIENT) {
                self.lab = lab(&self.server, self.time);
            }
        }
        let by_token = operation.credentials == [CredentialKind::SessionToken];
        let credential = if by_token { Credential::session_token(TOKEN) } else { Credential::api_key(KEY) };
        let client = self.lab.client.with_credential(credential.unwrap());
        let example = example_request(operation.id).unwrap();
        let start = Instant::now();
        let result = timeout(PATIENCE, liveavatar_tests::call(&client, operation.id, &example)).await;
        let took = start.elapsed();
        let id = operation.id;
        let result = result.unwrap_or_else(|_| panic!("{id} hangs")).map(drop);
        assert!(took <= TOTAL_LIMIT + LONGEST_PAUSE, "{id} takes {took:?}");
        let seen = self.server.seen().len();
        assert!(operation.idempotent || seen == 1, "{id} was sent {seen} times");
        if let Err(error) = &result {
            assert_eq!(error.attempts() as usize, seen, "{id}: {error:?}");
            assert!(error.may_have_been_sent(), "{id}: the service may have acted: {error:?}");
            assert!(!everything(error).contains("canary"), "{id} repeats a secret");
        }
        Came { result, seen }
    }
}

/// How many bytes the head has.
fn head(bytes: &[u8]) -> usize {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4
}

/// How a connection fails.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Closed,
    Reset,
    Stalled,
}

impl Fault {
    fn behind(self, bytes: &[u8]) -> Answer {
        let answer = Answer::raw(bytes);
        match self {
            Self::Closed => answer,
            Self::Reset => answer.then_reset(),
            Self::Stalled => answer.then_hang(),
        }
    }

    fn kind(self) -> ErrorKind {
        match self {
            Self::Closed | Self::Reset => ErrorKind::Transport,
            Self::Stalled => ErrorKind::Timeout,
        }
    }
}

/// The rule: an answer of known length that is not whole is none, and is asked for again where that does no harm.
fn check_cut(operation: &Operation, fault: Fault, at: usize, whole: usize, came: &Came) {
    let what = format!("{} {fault:?} behind {at} of {whole} bytes: {}", operation.id, came.line());
    if at >= whole {
        assert!(came.result.is_ok() && came.seen == 1, "{what}");
    } else if operation.idempotent {
        assert!(came.result.is_ok() && came.seen == 2, "{what}");
    } else {
        assert_eq!(came.result.as_ref().unwrap_err().kind(), fault.kind(), "{what}");
    }
}

/// One fault behind every byte of a success, for one operation of each class.
async fn every_byte(fault: Fault, time: Time) -> String {
    let mut range = Range::new(time);
    let mut text = String::new();
    for (class, operations) in classes() {
        let operation = operations[0];
        let bytes = good(operation).bytes();
        let mut lines = Lines::default();
        for at in 0..=bytes.len() {
            let came = range.call(operation, vec![fault.behind(&bytes[..at]), good(operation)]).await;
            check_cut(operation, fault, at, bytes.len(), &came);
            lines.add(at, came.line());
        }
        writeln!(text, "{class}: {}, whose head has {} bytes", operation.id, head(&bytes)).unwrap();
        writeln!(text, "{}", lines.text()).unwrap();
    }
    writeln!(text, "{} cases", range.cases).unwrap();
    text
}

#[tokio::test]
async fn an_answer_that_is_closed_behind_any_byte_is_no_answer() {
    insta::assert_snapshot!(every_byte(Fault::Closed, Time::Test).await);
}

#[tokio::test]
async fn an_answer_that_is_reset_behind_any_byte_is_no_answer() {
    insta::assert_snapshot!(every_byte(Fault::Reset, Time::Test).await);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_stalls_behind_any_byte_is_no_answer() {
    insta::assert_snapshot!(every_byte(Fault::Stalled, Time::Paused).await);
}

/// Where an answer is cut for the operations that are not cut behind every byte.
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
async fn every_operation_keeps_the_rule_of_its_class() {
    let mut range = Range::new(Time::Test);
    for operation in OPERATIONS {
        let bytes = good(operation).bytes();
        for fault in [Fault::Closed, Fault::Reset] {
            for at in corners(&bytes) {
                let came = range.call(operation, vec![fault.behind(&bytes[..at]), good(operation)]).await;
                check_cut(operation, fault, at, bytes.len(), &came);
                // Where it never gets better, it ends.
                let came = range.call(operation, vec![fault.behind(&bytes[..at])]).await;
                let requests = if at < bytes.len() && operation.idempotent { 4 } else { 1 };
                assert_eq!(came.seen, requests, "{} {fault:?} behind {at}: {}", operation.id, came.line());
                assert_eq!(came.result.is_ok(), at == bytes.len(), "{}", operation.id);
            }
        }
        let came = range.call(operation, vec![good(operation).trickled()]).await;
        assert!(came.result.is_ok(), "{}, byte by byte: {}", operation.id, came.line());
    }
    assert_eq!(range.server.seen().len(), 1);
    assert!(range.cases > OPERATIONS.len() * 30, "{} cases", range.cases);
}

#[tokio::test(start_paused = true)]
async fn every_operation_ends_in_time_where_an_answer_stalls() {
    let mut range = Range::new(Time::Paused);
    for operation in OPERATIONS {
        let bytes = good(operation).bytes();
        for at in [0, head(&bytes), bytes.len() - 1] {
            let start = Instant::now();
            let came = range.call(operation, vec![Fault::Stalled.behind(&bytes[..at])]).await;
            if at == bytes.len() {
                continue;
            }
            let requests = if operation.idempotent { 4 } else { 1 };
            assert_eq!(came.seen, requests, "{}: {}", operation.id, came.line());
            let limit = operation.attempt_timeout.unwrap_or(Duration::from_secs(30));
            assert!(start.elapsed() >= limit * u32::try_from(requests - 1).unwrap(), "{}", operation.id);
            assert_eq!(came.result.unwrap_err().kind(), ErrorKind::Timeout, "{}", operation.id);
        }
    }
}

/// The classes whose answers differ in what may be done about them, one operation of each: enough where frames are at fault.
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

/// One line for each answer of a series that changes with a number.
async fn series(name: &str, cases: impl Fn(&Operation) -> Vec<(usize, Answer)>) -> String {
    let mut range = Range::new(Time::Test);
    let mut text = String::new();
    for operation in kinds() {
        let mut lines = Lines::default();
        for (at, answer) in cases(operation) {
            let came = range.call(operation, vec![answer, good(operation)]).await;
            lines.add(at, came.line());
        }
        writeln!(text, "{name}: {}\n{}", operation.id, lines.text()).unwrap();
    }
    writeln!(text, "{} cases", range.cases).unwrap();
    text
}

fn cuts(answer: &Answer) -> Vec<(usize, Answer)> {
    let bytes = answer.bytes();
    (0..=bytes.len()).map(|at| (at, Answer::raw(&bytes[..at]))).collect()
}

#[tokio::test]
async fn chunks_that_end_behind_any_byte() {
    insta::assert_snapshot!(series("cut", |operation| cuts(&good(operation).chunked(64, "0\r\n\r\n"))).await);
}

#[tokio::test]
async fn a_body_without_a_length_that_ends_behind_any_byte() {
    insta::assert_snapshot!(series("cut", |operation| cuts(&good(operation).until_close())).await);
}

#[tokio::test]
async fn a_refusal_that_ends_behind_any_byte_is_one_from_its_head_on() {
    insta::assert_snapshot!(series("cut", |_| cuts(&coded(403, 4032))).await);
}

#[tokio::test]
async fn a_failure_that_ends_behind_any_byte_is_one_from_its_head_on() {
    insta::assert_snapshot!(series("cut", |_| cuts(&coded(503, 5000))).await);
}

#[tokio::test]
async fn an_answer_of_any_wrong_length_is_no_answer() {
    let lengths = |operation: &Operation| {
        let answer = good(operation);
        let bytes = answer.bytes();
        let body = bytes.len() - head(&bytes);
        (0..=body + 9).map(|length| (length, answer.clone().claiming(&length.to_string()))).collect()
    };
    insta::assert_snapshot!(series("claimed length", lengths).await);
}

#[tokio::test]
async fn any_damaged_byte_of_a_chunk_s_frame_or_of_the_head_ends_the_call() {
    let damaged = |operation: &Operation| {
        let bytes = good(operation).chunked(64, "0\r\n\r\n").bytes();
        let damaged = |at: usize| {
            let mut bytes = bytes.clone();
            bytes[at] = u8::from(bytes[at] == 0);
            Answer::raw(bytes)
        };
        (0..bytes.len()).map(|at| (at, damaged(at))).collect()
    };
    insta::assert_snapshot!(series("a zero in place of byte", damaged).await);
}

#[tokio::test]
async fn a_planted_answer_is_never_taken_for_another_calls() {
    let planted = Answer::json(200, &serde_json::json!({ "code": 100, "data": { "credits_left": 666 } }));
    let own = Answer::json(200, &serde_json::json!({ "code": 100, "data": { "credits_left": 1 } }));
    for behind in [own.clone(), own.clone().chunked(9, "0\r\n\r\n"), coded(403, 4032)] {
        for garbage in [&b"\0"[..], b"\r\n", b"canary", b"HTTP/1.1 200 OK\r\n", &planted.bytes()] {
            let both = [behind.bytes(), garbage.to_vec()].concat();
            let server = Server::start(vec![Answer::raw(both).then_keep(), own.clone()]);
            let client = Lab::new(&server, Time::Test).client;
            let first = super::call(client.clone(), "get_user_credits").await;
            let second = super::call(client, "get_user_credits").await.unwrap();
            assert!(second.contains("Credits(1)"), "{second}");
            assert_eq!((first.is_ok(), server.seen().len()), (behind.status() == 200, 2));
        }
    }
}
