//! What lies below HTTP: names, ports and connections that lead nowhere, for every operation.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use liveavatar_api::raw::{OPERATIONS, Operation};
use liveavatar_api::{Client, Credential, CredentialKind, Error, ErrorKind};
use liveavatar_mock::example_request;
use reqwest::dns::{Name, Resolve, Resolving};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

use super::runtime;

/// As long as the crate itself gives a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// What all requests of a call and its pauses may take.
const TOTAL_LIMIT: Duration = Duration::from_secs(120);

fn http() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy().tls_certs_only([]).connect_timeout(CONNECT_LIMIT)
}

fn client(http: reqwest::ClientBuilder, url: &str, operation: &Operation) -> Client {
    let by_token = operation.credentials == [CredentialKind::SessionToken];
    let credential =
        if by_token { Credential::session_token("canary") } else { Credential::api_key("canary") };
    let builder = Client::builder().http(http).base_url(url).allow_plain_http().seed(7);
    builder.credential(credential.unwrap()).build().unwrap()
}

/// Calls every operation and tells what they came to, each outcome once, with how many came to it.
async fn every_operation(
    url: &str,
    http: impl Fn() -> reqwest::ClientBuilder,
    check: impl Fn(&Operation, &Error),
) -> String {
    let mut outcomes: Vec<(String, usize)> = Vec::new();
    for operation in OPERATIONS {
        let client = client(http(), url, operation);
        let example = example_request(operation.id).unwrap();
        let start = Instant::now();
        let called = timeout(TOTAL_LIMIT * 2, liveavatar_tests::call(&client, operation.id, &example)).await;
        let error = called.unwrap_or_else(|_| panic!("{} hangs", operation.id)).unwrap_err();
        assert!(start.elapsed() <= TOTAL_LIMIT, "{} takes {:?}", operation.id, start.elapsed());
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("canary"), "{shown}");
        check(operation, &error);
        let line = format!(
            "{:?} after {} requests and about {} s, {}: {}",
            error.kind(),
            error.attempts(),
            start.elapsed().as_secs() / 5 * 5,
            if error.may_have_been_sent() { "may have been sent" } else { "not sent" },
            error.message()
        );
        match outcomes.iter_mut().find(|(known, _)| *known == line) {
            Some((_, count)) => *count += 1,
            None => outcomes.push((line, 1)),
        }
    }
    outcomes.iter().fold(String::new(), |mut text, (line, count)| {
        writeln!(text, "{count:3} operations: {line}").unwrap();
        text
    })
}

/// What never reached the service is repeated, whatever it asks for.
fn never_sent(operation: &Operation, error: &Error) {
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Transport, 4), "{}: {error:?}", operation.id);
    assert!(!error.may_have_been_sent(), "{}: {error:?}", operation.id);
}

/// What may have reached the service is repeated only where that does no harm.
fn perhaps_sent(operation: &Operation, error: &Error) {
    let requests = if operation.idempotent { 4 } else { 1 };
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::Timeout, requests),
        "{}: {error:?}",
        operation.id
    );
    assert!(error.may_have_been_sent(), "{}: {error:?}", operation.id);
}

/// Answers as it is told, without asking any network.
#[derive(Clone, Default)]
struct Names {
    asked: Arc<AtomicU32>,
    silent: bool,
}

impl Resolve for Names {
    fn resolve(&self, _: Name) -> Resolving {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.silent {
            return Box::pin(std::future::pending());
        }
        let answer: Result<reqwest::dns::Addrs, Box<dyn std::error::Error + Send + Sync>> =
            Err("no such name".into());
        Box::pin(std::future::ready(answer)) as Pin<Box<_>>
    }
}

#[test]
fn a_name_that_nobody_knows_got_nothing() {
    let text = runtime().block_on(async {
        let names = Names::default();
        let http = || http().dns_resolver(Arc::new(names.clone()));
        let text = every_operation("https://service.invalid", http, never_sent).await;
        let asked = names.asked.load(Ordering::Relaxed) as usize;
        assert_eq!(asked, OPERATIONS.len() * 4);
        text
    });
    insta::assert_snapshot!(text);
}

#[test]
fn a_name_that_is_looked_up_for_ever_got_nothing() {
    let text = runtime().block_on(async {
        let http = || http().dns_resolver(Arc::new(Names { silent: true, ..Names::default() }));
        every_operation("https://service.invalid", http, never_sent).await
    });
    insta::assert_snapshot!(text);
}

/// A port with room for so many connections that nobody takes.
fn untaken(backlog: u32) -> (tokio::net::TcpListener, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let listener = socket.listen(backlog).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

#[test]
fn a_connection_that_never_stands_got_nothing() {
    let text = runtime().block_on(async {
        let (listener, url) = untaken(0);
        let address = listener.local_addr().unwrap();
        // From the first one on that does not stand, none does.
        let mut taken = Vec::new();
        while let Ok(Ok(stream)) = timeout(Duration::from_secs(5), TcpStream::connect(address)).await {
            taken.push(stream);
            assert!(taken.len() < 100);
        }
        every_operation(&url, http, never_sent).await
    });
    insta::assert_snapshot!(text);
}

#[test]
fn a_connection_that_nobody_reads_may_have_got_everything() {
    let text = runtime().block_on(async {
        let (_listener, url) = untaken(1024);
        every_operation(&url, http, perhaps_sent).await
    });
    insta::assert_snapshot!(text);
}

#[test]
fn a_port_that_refuses_got_nothing_of_any_operation() {
    let text = runtime().block_on(async {
        let silent = TcpSocket::new_v4().unwrap();
        silent.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        every_operation(&url, http, never_sent).await
    });
    insta::assert_snapshot!(text);
}
