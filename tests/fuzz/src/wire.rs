//! Bytes on a connection: what a server or anything on the way may say to a call.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use liveavatar_api::raw::OPERATIONS;
use liveavatar_api::{Client, Credential, CredentialKind, Error, ErrorKind, RequestOptions};
use liveavatar_mock::{Example, example_request};
use liveavatar_tests::call;
use tokio::runtime::Runtime;

use super::{choose, split_line};

const KEY: &str = "canary-api-key-of-an-account";

/// The server ends every connection, so that no call can last.
const LIMIT: Duration = Duration::from_secs(20);

/// A server that says what it is told to, and a client of it.
struct Loopback {
    answer: Arc<Mutex<Vec<u8>>>,
    client: Client,
    runtime: Mutex<Runtime>,
}

static LOOPBACK: LazyLock<Loopback> = LazyLock::new(|| {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
    let port = listener.local_addr().expect("it is bound").port();
    let answer = Arc::<Mutex<Vec<u8>>>::default();
    let told = Arc::clone(&answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
            // An error is a client that had enough.
            let _ = stream.and_then(|stream| say(stream, &answer));
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // A connection that was closed behind a whole answer may be found closed too late.
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).pool_max_idle_per_host(0);
    let client = Client::builder().http(http).base_url(format!("http://127.0.0.1:{port}"));
    let client = client
        .options(RequestOptions::new().max_attempts(1).attempt_timeout(LIMIT))
        .seed(1)
        .build()
        .expect("a client");
    Loopback { answer, client, runtime: Mutex::new(runtime) }
});

fn say(mut stream: TcpStream, answer: &[u8]) -> io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    stream.read_exact(&mut vec![0; length.unwrap_or(0)])?;
    stream.write_all(answer)
}

/// Every secret that the request holds.
fn secrets(example: &Example) -> Vec<String> {
    fn collect(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::String(text) if text.contains("canary") => found.push(text.clone()),
            serde_json::Value::Object(map) => map.values().for_each(|value| collect(value, found)),
            serde_json::Value::Array(items) => items.iter().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let mut found = vec![KEY.to_owned()];
    example.body.iter().for_each(|body| collect(body, &mut found));
    found
}

/// Makes a call that is answered with the bytes and the connection's end.
fn exchange(line: &[u8], answer: Vec<u8>) -> (Vec<String>, Result<(), Error>) {
    let operation = choose(line, OPERATIONS, |operation| operation.id);
    let example = example_request(operation.id).expect("the document has it");
    let loopback = &*LOOPBACK;
    let runtime = loopback.runtime.lock().unwrap_or_else(PoisonError::into_inner);
    *loopback.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    let by_token = operation.credentials == [CredentialKind::SessionToken];
    let credential = if by_token { Credential::session_token(KEY) } else { Credential::api_key(KEY) };
    let client = loopback.client.with_credential(credential.expect("a fit credential"));
    let result = runtime.block_on(call(&client, operation.id, &example)).map(drop);
    (secrets(&example), result)
}

fn check(secrets: &[String], result: &Result<(), Error>) {
    let Err(error) = result else { return };
    assert_ne!(error.kind(), ErrorKind::Timeout, "the connection has ended, and the call goes on");
    assert_eq!((error.attempts(), error.may_have_been_sent()), (1, true), "{error:?}");
    let mut shown = format!("{error}\n{error:?}\n{error:#?}");
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        shown = format!("{shown}\n{inner}\n{inner:?}");
        cause = inner.source();
    }
    for secret in secrets {
        assert!(!shown.contains(secret.as_str()), "a secret is repeated: {shown}");
    }
    assert!(
        !error.to_string().contains(|c: char| c.is_control()),
        "an error could command a terminal: {shown}"
    );
}

/// A line that names an operation, then all that its server says.
pub fn wire(input: &[u8]) {
    let (line, answer) = split_line(input);
    let (secrets, result) = exchange(line, answer.to_vec());
    check(&secrets, &result);
}

/// A line that names an operation, one with a status, then the body that is answered with it: a failure keeps its status.
pub fn failures(input: &[u8]) {
    let (line, rest) = split_line(input);
    let (status, body) = split_line(rest);
    let status = std::str::from_utf8(status).ok().and_then(|text| text.trim().parse().ok());
    let status = status.filter(|status| (300..1000).contains(status) && *status != 304).unwrap_or(422_u16);
    let mut answer = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    let (secrets, result) = exchange(line, answer);
    check(&secrets, &result);
    let error = result.expect_err("it is no success");
    assert_eq!(error.status(), Some(status), "{error:?}");
    assert!(!error.message().is_empty(), "{error:?}");
}
