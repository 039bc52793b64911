//! TLS that fails: no such thing on the port, certificates that are none, connections that end within the handshake or behind it.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use liveavatar_api::raw::Operation;
use liveavatar_api::realtime::lite::Socket;
use liveavatar_api::{Client, Credential, CredentialKind, Error, ErrorKind};
use liveavatar_mock::{example_request, example_response};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::lines::Lines;
use super::runtime;
use super::tunnel::{Cut, Fault, Side, Tunnel};

/// One operation of each kind: what may be repeated, what makes something, what makes something that costs.
const OPERATIONS: [&str; 3] = ["get_user_credits", "create_secret", "start_session"];

/// Whatever takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// As long as the crate itself gives a connection, the handshake included.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Every so many bytes a connection is cut: most of a handshake is one opaque record after another.
const STEP: usize = 31;

/// What a server does with its connections.
#[derive(Clone)]
enum Serve {
    Bytes(&'static [u8]),
    /// Speaks TLS and answers; whether it says that it ends.
    Tls(TlsAcceptor, Farewell),
}

#[derive(Clone, Copy, PartialEq)]
enum Farewell {
    Length,
    /// No length, and the end of the stream without a word.
    CutOff,
}

/// A certificate with its key.
struct Identity {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Identity {
    fn of(name: &str, with: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        with(&mut params);
        Self { certificate: params.self_signed(&key).unwrap(), key }
    }

    fn acceptor(&self) -> TlsAcceptor {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        // Which one is the program's choice, where more than one is compiled in.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth();
        TlsAcceptor::from(Arc::new(
            config.with_single_cert(vec![self.certificate.der().clone()], key).unwrap(),
        ))
    }
}

/// Serves the operation's success on a port, counting whole requests.
async fn serve(serve: Serve, operation: &'static str) -> (Port, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // An error is a client that went away.
            tokio::spawn(talk(stream, serve.clone(), operation, Arc::clone(&count)));
        }
    });
    (Port { port, task: task.abort_handle() }, seen)
}

struct Port {
    port: u16,
    task: tokio::task::AbortHandle,
}

impl Drop for Port {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn talk(
    mut stream: TcpStream,
    serve: Serve,
    operation: &str,
    seen: Arc<AtomicUsize>,
) -> std::io::Result<()> {
    let (acceptor, farewell) = match serve {
        Serve::Bytes(bytes) => {
            let mut hello = [0; 64];
            stream.read_exact(&mut hello).await?;
            stream.write_all(bytes).await?;
            // What was not read makes the end a reset, which may overtake the bytes.
            let _ =
                timeout(Duration::from_secs(1), tokio::io::copy(&mut stream, &mut tokio::io::sink())).await;
            return Ok(());
        }
        Serve::Tls(acceptor, farewell) => (acceptor, farewell),
    };
    let mut stream = acceptor.accept(stream).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    stream.read_exact(&mut vec![0; length.unwrap_or(0)]).await?;
    seen.fetch_add(1, Ordering::Relaxed);
    let body = example_response(operation).unwrap().to_string();
    let frame = match farewell {
        Farewell::Length => format!("content-length: {}\r\n", body.len()),
        Farewell::CutOff => String::new(),
    };
    let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{frame}\r\n{body}");
    stream.write_all(answer.as_bytes()).await?;
    stream.flush().await?;
    if farewell == Farewell::Length {
        stream.shutdown().await?;
    }
    Ok(())
}

fn client(port: u16, operation: &Operation, trusted: Option<&Identity>) -> Client {
    let trusted = trusted.map(|it| reqwest::Certificate::from_der(it.certificate.der()).unwrap());
    let http = reqwest::Client::builder().no_proxy().tls_certs_only(trusted).connect_timeout(CONNECT_LIMIT);
    let by_token = operation.credentials == [CredentialKind::SessionToken];
    let credential =
        if by_token { Credential::session_token("canary") } else { Credential::api_key("canary") };
    let builder = Client::builder().http(http).base_url(format!("https://localhost:{port}")).seed(7);
    builder.credential(credential.unwrap()).build().unwrap()
}

async fn call(client: &Client, operation: &Operation) -> Result<(), Error> {
    let example = example_request(operation.id).unwrap();
    let called = timeout(PATIENCE, liveavatar_tests::call(client, operation.id, &example)).await;
    called.unwrap_or_else(|_| panic!("{} hangs", operation.id)).map(drop)
}

/// The outcome on one line, with the deepest cause.
fn line(result: &Result<(), Error>) -> String {
    let Err(error) = result else { return "answered".to_owned() };
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("canary"), "{shown}");
    let mut cause = std::error::Error::source(error);
    let mut deepest = String::new();
    while let Some(inner) = cause {
        // Certificates are told of with the time of day.
        let told = inner.to_string();
        deepest = told.split_once(": verification time").map_or(told.clone(), |(what, _)| what.to_owned());
        cause = inner.source();
    }
    let sent = if error.may_have_been_sent() { "may have been sent" } else { "not sent" };
    format!("{:?}, {} requests, {sent}: {} ({deepest})", error.kind(), error.attempts(), error.message())
}

#[test]
fn where_tls_cannot_be_agreed_on_nothing_is_sent() {
    let text = runtime().block_on(async {
        let right = Identity::of("localhost", |_| {});
        let other = Identity::of("other.example", |_| {});
        let old = Identity::of("localhost", |params| params.not_after = date_time_ymd(2001, 1, 1));
        let early = Identity::of("localhost", |params| params.not_before = date_time_ymd(4000, 1, 1));
        let tls = |identity: &Identity| Serve::Tls(identity.acceptor(), Farewell::Length);
        let rows = [
            (
                "HTTP without TLS",
                Serve::Bytes(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"),
                None,
            ),
            ("closed", Serve::Bytes(b""), None),
            ("noise", Serve::Bytes(&[0x80; 64]), None),
            ("a fatal alert", Serve::Bytes(b"\x15\x03\x03\x00\x02\x02\x28"), None),
            ("a certificate that nobody vouches for", tls(&right), None),
            ("a certificate of another name", tls(&other), Some(&other)),
            ("a certificate that has expired", tls(&old), Some(&old)),
            ("a certificate that is not yet valid", tls(&early), Some(&early)),
        ];
        let mut text = String::new();
        for (name, behaviour, trusted) in rows {
            for id in OPERATIONS {
                let operation = Operation::find(id).unwrap();
                let (server, seen) = serve(behaviour.clone(), id).await;
                let result = call(&client(server.port, operation, trusted), operation).await;
                let error = result.as_ref().unwrap_err();
                assert_eq!(
                    (error.kind(), error.may_have_been_sent()),
                    (ErrorKind::Transport, false),
                    "{name}"
                );
                assert_eq!(seen.load(Ordering::Relaxed), 0, "{name}");
                writeln!(text, "{name}, {id}\n  {}", line(&result)).unwrap();
            }
        }
        text
    });
    insta::assert_snapshot!(text);
}

#[test]
fn a_body_whose_stream_is_cut_off_is_no_answer() {
    let text = runtime().block_on(async {
        let identity = Identity::of("localhost", |_| {});
        let mut text = String::new();
        for id in OPERATIONS {
            let operation = Operation::find(id).unwrap();
            let (server, seen) = serve(Serve::Tls(identity.acceptor(), Farewell::CutOff), id).await;
            let result = call(&client(server.port, operation, Some(&identity)), operation).await;
            let requests = if operation.idempotent { 4 } else { 1 };
            assert_eq!(seen.load(Ordering::Relaxed), requests, "{id}");
            writeln!(text, "{id}\n  {}", line(&result)).unwrap();
        }
        text
    });
    insta::assert_snapshot!(text);
}

#[test]
fn wherever_tls_fails_nothing_that_makes_something_is_sent_twice() {
    let text = runtime().block_on(async {
        let identity = Identity::of("localhost", |_| {});
        let mut text = String::new();
        for id in OPERATIONS {
            let operation = Operation::find(id).unwrap();
            for fault in [Fault::Closed, Fault::Reset, Fault::Stalled] {
                let (server, seen) = serve(Serve::Tls(identity.acceptor(), Farewell::Length), id).await;
                let tunnel = Tunnel::to((Ipv4Addr::LOCALHOST, server.port).into()).await;
                let mut lines = Lines::default();
                for after in (0..).step_by(STEP) {
                    tunnel.cut_next(vec![Cut { side: Side::Server, after, fault }]);
                    seen.store(0, Ordering::Relaxed);
                    let result = call(&client(tunnel.port, operation, Some(&identity)), operation).await;
                    let seen = seen.load(Ordering::Relaxed);
                    let what = format!("{id} {fault:?} behind {after} bytes: {}", line(&result));
                    assert!(operation.idempotent || seen <= 1, "{what}: sent {seen} times");
                    match &result {
                        Ok(()) => {}
                        // Within the handshake nothing was sent, and so another connection is tried.
                        Err(error) => assert!(error.may_have_been_sent() && !operation.idempotent, "{what}"),
                    }
                    let kind =
                        result.map_or_else(|error| format!("{:?}", error.kind()), |()| "answered".to_owned());
                    // Lengths of signatures differ by a byte or two.
                    lines.add(after, kind);
                    if tunnel.failed() == 0 {
                        assert!(after > 800, "{what}");
                        break;
                    }
                }
                writeln!(text, "{id}, {fault:?}: {}", lines.outcomes()).unwrap();
            }
        }
        text
    });
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn a_socket_without_the_tls_that_its_address_asks_for_is_not_opened() {
    let (plain, _) = serve(Serve::Bytes(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), "start_session").await;
    let own = Identity::of("localhost", |_| {});
    let (foreign, seen) = serve(Serve::Tls(own.acceptor(), Farewell::Length), "start_session").await;
    let mut text = String::new();
    for (name, port) in [("plain", plain.port), ("a certificate that nobody vouches for", foreign.port)] {
        let url = format!("wss://localhost:{port}/canary").into();
        let error = timeout(PATIENCE, Socket::connect(&url)).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transport);
        writeln!(text, "{name}: {error}").unwrap();
    }
    assert_eq!(seen.load(Ordering::Relaxed), 0);
    insta::assert_snapshot!(text);
}
