//! TLS failures: ports without TLS, invalid certificates, connections that end during or after the handshake.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use liveavatar_api::raw::Operation;
use liveavatar_api::realtime::lite::Socket;
use liveavatar_api::{Client, Error, ErrorKind};
use liveavatar_mock::example_response;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::faulty_proxy::{Cut, Fault, FaultyProxy, Side};
use super::offset_table::OffsetTable;
use super::{CONNECT_TIMEOUT, GET, HANG_LIMIT, call_example, count, credential, paused_runtime, sent};

/// One operation of each kind: idempotent, creates something, creates something that costs credits.
const OPERATIONS: [&str; 3] = [GET, "create_secret", "start_session"];

/// Connections are cut at multiples of this many bytes: most of a handshake is opaque records.
const STEP: usize = 31;

/// What a server does with its connections.
#[derive(Clone)]
enum Behavior {
    Bytes(&'static [u8]),
    /// Uses TLS and sends the operation's success.
    Tls(TlsAcceptor, Ending),
}

#[derive(Clone, Copy, PartialEq)]
enum Ending {
    /// A `content-length`, then a TLS `close_notify`.
    Proper,
    /// Neither of them.
    CutOff,
}

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
        // rustls cannot choose a default, because more than one provider is compiled in.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth();
        TlsAcceptor::from(Arc::new(
            config.with_single_cert(vec![self.certificate.der().clone()], key).unwrap(),
        ))
    }
}

/// Serves connections on a port, and counts complete requests.
async fn serve(behavior: Behavior, operation: &'static str) -> (Port, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // An error means that the client has closed the connection.
            tokio::spawn(connection(stream, behavior.clone(), operation, Arc::clone(&counter)));
        }
    });
    (Port { port, task: task.abort_handle() }, requests)
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

async fn connection(
    mut stream: TcpStream,
    behavior: Behavior,
    operation: &str,
    requests: Arc<AtomicUsize>,
) -> std::io::Result<()> {
    let (acceptor, ending) = match behavior {
        Behavior::Bytes(bytes) => {
            let mut hello = [0; 64];
            stream.read_exact(&mut hello).await?;
            stream.write_all(bytes).await?;
            // Closing with unread data would send a reset, which may overtake the bytes.
            let _ =
                timeout(Duration::from_secs(1), tokio::io::copy(&mut stream, &mut tokio::io::sink())).await;
            return Ok(());
        }
        Behavior::Tls(acceptor, ending) => (acceptor, ending),
    };
    let mut stream = acceptor.accept(stream).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    stream.read_exact(&mut vec![0; length.unwrap_or(0)]).await?;
    requests.fetch_add(1, Ordering::Relaxed);
    let body = example_response(operation).unwrap().to_string();
    let frame = match ending {
        Ending::Proper => format!("content-length: {}\r\n", body.len()),
        Ending::CutOff => String::new(),
    };
    let response = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{frame}\r\n{body}");
    stream.write_all(response.as_bytes()).await?;
    stream.flush().await?;
    if ending == Ending::Proper {
        stream.shutdown().await?;
    }
    Ok(())
}

fn client(port: u16, operation: &Operation, trusted: Option<&Identity>) -> Client {
    let trusted = trusted.map(|it| reqwest::Certificate::from_der(it.certificate.der()).unwrap());
    let http = reqwest::Client::builder().no_proxy().tls_certs_only(trusted).connect_timeout(CONNECT_TIMEOUT);
    let builder = Client::builder().http(http).base_url(format!("https://localhost:{port}")).seed(7);
    builder.credential(credential(operation)).build().unwrap()
}

/// Describes the result on one line, with the deepest cause.
fn line(result: &Result<(), Error>) -> String {
    let Err(error) = result else { return "success".to_owned() };
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("canary"), "{shown}");
    let mut cause = std::error::Error::source(error);
    let mut deepest = String::new();
    while let Some(inner) = cause {
        // Errors about certificates contain the current time.
        let message = inner.to_string();
        message.split(": verification time").next().unwrap_or_default().clone_into(&mut deepest);
        cause = inner.source();
    }
    let (kind, attempts) = (error.kind(), count(error.attempts(), "attempt"));
    format!("{kind:?}, {attempts}, {}: {} ({deepest})", sent(error), error.message())
}

#[test]
fn nothing_is_sent_if_the_tls_handshake_fails() {
    let text = paused_runtime().block_on(async {
        let unknown = Identity::of("localhost", |_| {});
        let other = Identity::of("other.example", |_| {});
        let expired = Identity::of("localhost", |params| params.not_after = date_time_ymd(2001, 1, 1));
        let early = Identity::of("localhost", |params| params.not_before = date_time_ymd(4000, 1, 1));
        let tls = |identity: &Identity| Behavior::Tls(identity.acceptor(), Ending::Proper);
        let cases = [
            (
                "HTTP without TLS",
                Behavior::Bytes(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"),
                None,
            ),
            ("a closed connection", Behavior::Bytes(b""), None),
            ("bytes that are not TLS", Behavior::Bytes(&[0x80; 64]), None),
            ("a fatal alert", Behavior::Bytes(b"\x15\x03\x03\x00\x02\x02\x28"), None),
            ("a certificate of an unknown issuer", tls(&unknown), None),
            ("a certificate for another name", tls(&other), Some(&other)),
            ("an expired certificate", tls(&expired), Some(&expired)),
            ("a certificate that is not valid yet", tls(&early), Some(&early)),
        ];
        let mut text = String::new();
        for (name, behavior, trusted) in cases {
            for id in OPERATIONS {
                let operation = Operation::find(id).unwrap();
                let (server, requests) = serve(behavior.clone(), id).await;
                let result = call_example(&client(server.port, operation, trusted), operation).await;
                let error = result.as_ref().unwrap_err();
                assert_eq!(
                    (error.kind(), error.may_have_been_sent()),
                    (ErrorKind::Transport, false),
                    "{name}"
                );
                assert_eq!(requests.load(Ordering::Relaxed), 0, "{name}");
                writeln!(text, "{name}, {id}\n  {}", line(&result)).unwrap();
            }
        }
        text
    });
    insta::assert_snapshot!(text);
}

#[test]
fn a_body_without_a_length_is_an_error_without_close_notify() {
    let text = paused_runtime().block_on(async {
        let identity = Identity::of("localhost", |_| {});
        let mut text = String::new();
        for id in OPERATIONS {
            let operation = Operation::find(id).unwrap();
            let (server, requests) = serve(Behavior::Tls(identity.acceptor(), Ending::CutOff), id).await;
            let result = call_example(&client(server.port, operation, Some(&identity)), operation).await;
            let attempts = if operation.idempotent { 4 } else { 1 };
            assert_eq!(requests.load(Ordering::Relaxed), attempts, "{id}");
            writeln!(text, "{id}\n  {}", line(&result)).unwrap();
        }
        text
    });
    insta::assert_snapshot!(text);
}

#[test]
fn only_idempotent_operations_are_sent_again_wherever_tls_fails() {
    let text = paused_runtime().block_on(async {
        let identity = Identity::of("localhost", |_| {});
        let mut text = String::new();
        for id in OPERATIONS {
            let operation = Operation::find(id).unwrap();
            for fault in [Fault::Closed, Fault::Reset, Fault::Stalled] {
                let (server, requests) = serve(Behavior::Tls(identity.acceptor(), Ending::Proper), id).await;
                let proxy = FaultyProxy::to((Ipv4Addr::LOCALHOST, server.port).into()).await;
                let mut table = OffsetTable::default();
                for after in (0..).step_by(STEP) {
                    proxy.cut_next(vec![Cut { side: Side::Server, after, fault }]);
                    requests.store(0, Ordering::Relaxed);
                    let result =
                        call_example(&client(proxy.port, operation, Some(&identity)), operation).await;
                    let requests = requests.load(Ordering::Relaxed);
                    let what = format!("{id} {fault:?} after {after} bytes: {}", line(&result));
                    assert!(operation.idempotent || requests <= 1, "{what}: sent {requests} times");
                    // A failed handshake is retried on another connection.
                    if let Err(error) = &result {
                        assert!(error.may_have_been_sent() && !operation.idempotent, "{what}");
                    }
                    let kind =
                        result.map_or_else(|error| format!("{:?}", error.kind()), |()| "success".to_owned());
                    // The snapshot omits the offsets, because the length of signatures varies.
                    table.add(after, kind);
                    if proxy.failed() == 0 {
                        assert!(after > 800, "{what}");
                        break;
                    }
                }
                writeln!(text, "{id}, {fault:?}: {}", table.results()).unwrap();
            }
        }
        text
    });
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn a_wss_socket_needs_tls_with_a_valid_certificate() {
    let (plain, _) =
        serve(Behavior::Bytes(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), "start_session").await;
    let unknown = Identity::of("localhost", |_| {});
    let (untrusted, requests) =
        serve(Behavior::Tls(unknown.acceptor(), Ending::Proper), "start_session").await;
    let mut text = String::new();
    for (name, port) in [("no TLS", plain.port), ("a certificate of an unknown issuer", untrusted.port)] {
        let url = format!("wss://localhost:{port}/canary").into();
        let error = timeout(HANG_LIMIT, Socket::connect(&url)).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transport);
        writeln!(text, "{name}: {error}").unwrap();
    }
    assert_eq!(requests.load(Ordering::Relaxed), 0);
    insta::assert_snapshot!(text);
}
