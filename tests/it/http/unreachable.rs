//! Every operation against a service that cannot be reached: DNS, ports and connections that fail or hang.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use liveavatar_api::raw::{OPERATIONS, Operation};
use liveavatar_api::{Client, Error, ErrorKind};
use reqwest::dns::{Name, Resolve, Resolving};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

use super::{CONNECT_TIMEOUT, TOTAL_TIMEOUT, call_example, count, credential, paused_runtime, sent};

fn http() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy().tls_certs_only([]).connect_timeout(CONNECT_TIMEOUT)
}

fn client(http: reqwest::ClientBuilder, url: &str, operation: &Operation) -> Client {
    let builder = Client::builder().http(http).base_url(url).allow_plain_http().seed(7);
    builder.credential(credential(operation)).build().unwrap()
}

/// Calls every operation, and returns each result once, with the number of operations that had it.
async fn every_operation(
    url: &str,
    http: impl Fn() -> reqwest::ClientBuilder,
    check: impl Fn(&Operation, &Error),
) -> String {
    let mut results: Vec<(String, u64)> = Vec::new();
    for operation in OPERATIONS {
        let client = client(http(), url, operation);
        let start = Instant::now();
        let error = call_example(&client, operation).await.unwrap_err();
        assert!(start.elapsed() <= TOTAL_TIMEOUT, "{} takes {:?}", operation.id, start.elapsed());
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("canary"), "{shown}");
        check(operation, &error);
        let line = format!(
            "{:?} after {} and about {} s, {}: {}",
            error.kind(),
            count(error.attempts(), "attempt"),
            start.elapsed().as_secs() / 5 * 5,
            sent(&error),
            error.message()
        );
        match results.iter_mut().find(|(known, _)| *known == line) {
            Some((_, operations)) => *operations += 1,
            None => results.push((line, 1)),
        }
    }
    results.iter().fold(String::new(), |mut text, (line, operations)| {
        writeln!(text, "{}: {line}", count(*operations, "operation")).unwrap();
        text
    })
}

/// Asserts that a request that was not sent is retried, even if it is not idempotent.
fn assert_not_sent(operation: &Operation, error: &Error) {
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Transport, 4), "{}: {error:?}", operation.id);
    assert!(!error.may_have_been_sent(), "{}: {error:?}", operation.id);
}

/// Asserts that a request that may have been sent is retried only if it is idempotent.
fn assert_maybe_sent(operation: &Operation, error: &Error) {
    let attempts = if operation.idempotent { 4 } else { 1 };
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::Timeout, attempts),
        "{}: {error:?}",
        operation.id
    );
    assert!(error.may_have_been_sent(), "{}: {error:?}", operation.id);
}

/// A DNS resolver that fails or hangs.
#[derive(Clone, Default)]
struct FailingResolver {
    lookups: Arc<AtomicU32>,
    hangs: bool,
}

impl Resolve for FailingResolver {
    fn resolve(&self, _: Name) -> Resolving {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        if self.hangs {
            return Box::pin(std::future::pending());
        }
        let failure: Result<reqwest::dns::Addrs, Box<dyn std::error::Error + Send + Sync>> =
            Err("no such name".into());
        Box::pin(std::future::ready(failure)) as Pin<Box<_>>
    }
}

#[test]
fn an_unknown_host_name_is_retried_and_nothing_is_sent() {
    let text = paused_runtime().block_on(async {
        let resolver = FailingResolver::default();
        let http = || http().dns_resolver(Arc::new(resolver.clone()));
        let text = every_operation("https://service.invalid", http, assert_not_sent).await;
        assert_eq!(resolver.lookups.load(Ordering::Relaxed) as usize, OPERATIONS.len() * 4);
        text
    });
    insta::assert_snapshot!(text);
}

#[test]
fn a_hanging_dns_lookup_is_retried_and_nothing_is_sent() {
    let text = paused_runtime().block_on(async {
        let http =
            || http().dns_resolver(Arc::new(FailingResolver { hangs: true, ..FailingResolver::default() }));
        every_operation("https://service.invalid", http, assert_not_sent).await
    });
    insta::assert_snapshot!(text);
}

/// Listens on a port without accepting connections.
fn unaccepted(backlog: u32) -> (tokio::net::TcpListener, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let listener = socket.listen(backlog).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

#[test]
fn a_hanging_connect_is_retried_and_nothing_is_sent() {
    let text = paused_runtime().block_on(async {
        let (listener, url) = unaccepted(0);
        let address = listener.local_addr().unwrap();
        // Fill the backlog, until no further connection can be established.
        let mut established = Vec::new();
        while let Ok(Ok(stream)) = timeout(Duration::from_secs(5), TcpStream::connect(address)).await {
            established.push(stream);
            assert!(established.len() < 100);
        }
        every_operation(&url, http, assert_not_sent).await
    });
    insta::assert_snapshot!(text);
}

#[test]
fn a_request_that_the_service_does_not_read_may_have_been_sent() {
    let text = paused_runtime().block_on(async {
        let (_listener, url) = unaccepted(1024);
        every_operation(&url, http, assert_maybe_sent).await
    });
    insta::assert_snapshot!(text);
}

#[test]
fn a_refused_connection_is_retried_and_nothing_is_sent() {
    let text = paused_runtime().block_on(async {
        let reserved = TcpSocket::new_v4().unwrap();
        reserved.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let url = format!("http://{}", reserved.local_addr().unwrap());
        every_operation(&url, http, assert_not_sent).await
    });
    insta::assert_snapshot!(text);
}
