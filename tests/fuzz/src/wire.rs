//! Calls to a server that sends arbitrary bytes.

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

/// The longest message of an error that quotes a response, in characters.
const LONGEST_MESSAGE: usize = 400;

/// Never reached: the server closes every connection.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A server that sends a given response to every request, and its client.
struct Loopback {
    response: Arc<Mutex<Vec<u8>>>,
    client: Client,
    runtime: Mutex<Runtime>,
}

static LOOPBACK: LazyLock<Loopback> = LazyLock::new(|| {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
    let port = listener.local_addr().expect("the listener is bound").port();
    let response = Arc::<Mutex<Vec<u8>>>::default();
    let shared = Arc::clone(&response);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let response = shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
            // An error means that the client has closed the connection.
            let _ = stream.and_then(|stream| respond(stream, &response));
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // No idle connections: the pool may notice too late that the server has closed one.
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).pool_max_idle_per_host(0);
    let client = Client::builder().http(http).base_url(format!("http://127.0.0.1:{port}"));
    let client = client
        .options(RequestOptions::new().max_attempts(1).attempt_timeout(TIMEOUT))
        .seed(1)
        .build()
        .expect("a client");
    Loopback { response, client, runtime: Mutex::new(runtime) }
});

fn respond(mut stream: TcpStream, response: &[u8]) -> io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    stream.read_exact(&mut vec![0; length.unwrap_or(0)])?;
    stream.write_all(response)
}

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

/// Makes a call. The server sends the response and closes the connection.
fn exchange(line: &[u8], response: Vec<u8>) -> (Vec<String>, Result<(), Error>) {
    let operation = choose(line, OPERATIONS, |operation| operation.id);
    let example = example_request(operation.id).expect("every operation has an example");
    let loopback = &*LOOPBACK;
    let runtime = loopback.runtime.lock().unwrap_or_else(PoisonError::into_inner);
    *loopback.response.lock().unwrap_or_else(PoisonError::into_inner) = response;
    let by_token = operation.credentials == [CredentialKind::SessionToken];
    let credential = if by_token { Credential::session_token(KEY) } else { Credential::api_key(KEY) };
    let client = loopback.client.with_credential(credential.expect("a valid credential"));
    let result = runtime.block_on(call(&client, operation.id, &example)).map(drop);
    (secrets(&example), result)
}

fn check(secrets: &[String], result: &Result<(), Error>) {
    let Err(error) = result else { return };
    assert_ne!(error.kind(), ErrorKind::Timeout, "the call continues after the connection is closed");
    assert_eq!((error.attempts(), error.may_have_been_sent()), (1, true), "{error:?}");
    let mut shown = format!("{error}\n{error:?}\n{error:#?}");
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        shown = format!("{shown}\n{inner}\n{inner:?}");
        cause = inner.source();
    }
    for secret in secrets {
        assert!(!shown.contains(secret.as_str()), "the error contains a secret: {shown}");
    }
    assert!(
        !error.to_string().contains(|c: char| c.is_control()),
        "the message contains control characters: {shown}"
    );
}

/// Makes a call: the first line names the operation, the rest is sent by the server.
pub fn wire(input: &[u8]) {
    let (line, response) = split_line(input);
    let (secrets, result) = exchange(line, response.to_vec());
    check(&secrets, &result);
}

/// Makes a call that fails: the first line names the operation, the second is the status, the rest is the body.
pub fn failures(input: &[u8]) {
    let (line, rest) = split_line(input);
    let (status, body) = split_line(rest);
    let status = std::str::from_utf8(status).ok().and_then(|text| text.trim().parse().ok());
    let status = status.filter(|status| (300..1000).contains(status) && *status != 304).unwrap_or(422_u16);
    let mut response =
        format!("HTTP/1.1 {status} Error\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    response.extend_from_slice(body);
    let (secrets, result) = exchange(line, response);
    check(&secrets, &result);
    let error = result.expect_err("the status is an error");
    assert_eq!(error.status(), Some(status), "{error:?}");
    let characters = error.message().chars().count();
    assert!((1..=LONGEST_MESSAGE).contains(&characters), "{error:?}");
}
