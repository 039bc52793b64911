//! Opening the connection: address, TLS, handshake.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use http::Uri;
use tokio::io::{AsyncReadExt as _, Join, ReadHalf, Take, WriteHalf, join, split};
use tokio::net::TcpStream;
use tokio_websockets::{ClientBuilder, Connector, Limits, MaybeTlsStream, WebSocketStream, upgrade};

use crate::error::{Error, ErrorKind};
use crate::http::is_loopback;
use crate::secret::Secret;

type Stream = MaybeTlsStream<TcpStream>;
pub(super) type Connection = WebSocketStream<Join<Take<ReadHalf<Stream>>, WriteHalf<Stream>>>;

/// The largest event, in bytes; a larger one is dropped. Events have some hundred bytes.
pub const MAX_EVENT: usize = 1024 * 1024;

/// The largest accepted message, because variants of the service also send media.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// The largest response to the handshake.
const MAX_HANDSHAKE: u64 = 64 * 1024;

/// The shortest part of an address that is taken for a secret.
const MIN_SECRET: usize = 8;

const TLS_MISSING: &str = "ws_url starts with wss://, which requires the feature `rustls`";

/// A valid `ws_url`. It grants access to the avatar, so it has no `Debug`.
#[derive(Clone)]
pub(super) struct Address {
    uri: Uri,
    host: String,
    port: u16,
    tls: bool,
}

impl Address {
    pub(super) fn parse(ws_url: &Secret, allow_plain: bool) -> Result<Self, Error> {
        let invalid = |why: &str| Error::invalid_request(format!("ws_url {why}"));
        let uri: Uri = ws_url.expose().trim().parse().map_err(|_| invalid("is not a URL"))?;
        let host = uri.host().ok_or_else(|| invalid("has no host"))?.trim_matches(['[', ']']).to_owned();
        let tls = match uri.scheme_str() {
            Some("wss") => true,
            Some("ws") if is_loopback(&host) || allow_plain => false,
            Some("ws") => return Err(invalid("is unencrypted: use wss, or set `allow_plain`")),
            _ => return Err(invalid("must start with wss:// or ws://")),
        };
        if tls && cfg!(not(feature = "rustls")) {
            return Err(Error::invalid_request(TLS_MISSING));
        }
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { uri, host, port, tls })
    }

    pub(super) async fn open(self) -> Result<Connection, Error> {
        let unreachable = |error| {
            Error::new(ErrorKind::Transport, "the WebSocket server cannot be reached").caused_by(error)
        };
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(unreachable)?;
        // Frames are written whole, so Nagle's algorithm would only delay them.
        stream.set_nodelay(true).map_err(unreachable)?;
        let connector = if self.tls { tls()? } else { Connector::Plain };
        let (reader, writer) = split(connector.wrap(&self.host, stream).await.map_err(failed)?);
        let builder = ClientBuilder::from_uri(self.uri);
        let builder = builder.limits(Limits::default().max_payload_len(Some(MAX_MESSAGE)));
        // The library buffers a response of any length.
        let handshake = builder.connect_on(join(reader.take(MAX_HANDSHAKE), writer));
        // It panics if the response's key is too long.
        let handshake = AssertUnwindSafe(handshake).catch_unwind().await;
        let (mut connection, _) = handshake.map_err(|_| no_websocket())?.map_err(failed)?;
        connection.get_mut().reader_mut().set_limit(u64::MAX);
        Ok(connection)
    }

    /// Removes the secret parts of the address from a text of the server.
    pub(super) fn scrub(&self, text: &str) -> String {
        let parts = self
            .uri
            .path()
            .split('/')
            .chain(self.uri.query().into_iter().flat_map(|it| it.split(['&', '='])));
        let secrets = parts.filter(|part| part.len() >= MIN_SECRET && uuid::Uuid::parse_str(part).is_err());
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "[ws_url]"))
    }
}

fn no_websocket() -> Error {
    Error::new(ErrorKind::Transport, "the server does not support WebSockets here")
}

/// Keeps the library's text, which may contain the address, out of the message.
pub(super) fn failed(error: tokio_websockets::Error) -> Error {
    use tokio_websockets::Error as Raw;
    match error {
        Raw::Upgrade(upgrade::Error::DidNotSwitchProtocols(status)) => {
            Error::from_status(status, "the service rejected the WebSocket")
        }
        Raw::Upgrade(error) => no_websocket().caused_by(error),
        Raw::Io(error) => Error::new(ErrorKind::Transport, "the connection failed").caused_by(error),
        error @ (Raw::Protocol(_) | Raw::PayloadTooLong { .. }) => {
            Error::new(ErrorKind::Transport, "the server violates the WebSocket protocol or its limits")
                .caused_by(error)
        }
        error => Error::new(ErrorKind::Transport, "the connection failed").caused_by(error),
    }
}

/// A connector with the platform's certificates, created once.
#[cfg(feature = "rustls")]
fn tls() -> Result<Connector, Error> {
    use std::sync::{Arc, OnceLock};

    use rustls_platform_verifier::BuilderVerifierExt;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::ClientConfig;
    use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};

    static TLS: OnceLock<TlsConnector> = OnceLock::new();
    if let Some(tls) = TLS.get() {
        return Ok(Connector::Rustls(tls.clone()));
    }
    let unusable = |error| Error::invalid_request("TLS setup failed").caused_by(error);
    // As in reqwest: the process's default provider if there is one, else the compiled one.
    let provider = CryptoProvider::get_default().cloned();
    let provider = provider.unwrap_or_else(|| Arc::new(aws_lc_rs::default_provider()));
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.and_then(BuilderVerifierExt::with_platform_verifier).map_err(unusable)?;
    let tls = TlsConnector::from(Arc::new(config.with_no_client_auth()));
    Ok(Connector::Rustls(TLS.get_or_init(|| tls).clone()))
}

#[cfg(not(feature = "rustls"))]
fn tls() -> Result<Connector, Error> {
    Err(Error::invalid_request(TLS_MISSING))
}
