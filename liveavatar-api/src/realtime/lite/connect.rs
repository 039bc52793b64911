//! Opening the connection: address, TLS, handshake.

use http::Uri;
use tokio::net::TcpStream;
use tokio_websockets::{ClientBuilder, Connector, Limits, MaybeTlsStream, WebSocketStream, upgrade};

use crate::error::{Error, ErrorKind};
use crate::http::is_loopback;
use crate::secret::Secret;

pub(super) type Connection = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The largest accepted message. Events have some hundred bytes, but variants of the service also send media.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

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
        let stream = connector.wrap(&self.host, stream).await.map_err(failed)?;
        let builder = ClientBuilder::from_uri(self.uri);
        let builder = builder.limits(Limits::default().max_payload_len(Some(MAX_MESSAGE)));
        let (connection, _) = builder.connect_on(stream).await.map_err(failed)?;
        Ok(connection)
    }
}

/// Keeps the library's text, which may contain the address, out of the message.
fn failed(error: tokio_websockets::Error) -> Error {
    use tokio_websockets::Error as Raw;
    match error {
        Raw::Upgrade(upgrade::Error::DidNotSwitchProtocols(status)) => {
            Error::from_status(status, "the service rejected the WebSocket")
        }
        Raw::Upgrade(error) => {
            Error::new(ErrorKind::Transport, "the server does not support WebSockets here").caused_by(error)
        }
        Raw::Io(error) => Error::new(ErrorKind::Transport, "the connection failed").caused_by(error),
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
