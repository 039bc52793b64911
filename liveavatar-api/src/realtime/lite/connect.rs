//! Opening the connection: address, TLS, handshake.

use std::time::Duration;

use http::Uri;
use tokio::net::TcpStream;
use tokio_websockets::{ClientBuilder, Connector, Limits, MaybeTlsStream, WebSocketStream, upgrade};

use crate::error::{Error, ErrorKind};
use crate::http::is_loopback;
use crate::secret::Secret;

/// The connection.
pub(super) type Connection = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The largest message that is read; events have some hundred bytes, and variants of the service send media beside them.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// An address that was found fit. It carries the right to speak, so it is never shown.
#[derive(Clone)]
pub(super) struct Address {
    uri: Uri,
    host: String,
    port: u16,
    tls: bool,
}

impl Address {
    pub(super) fn read(ws_url: &Secret, plain: bool) -> Result<Self, Error> {
        let refuse = |why: &str| Error::invalid_request(format!("ws_url {why}"));
        let uri: Uri = ws_url.expose().trim().parse().map_err(|_| refuse("is not an address"))?;
        let host = uri.host().ok_or_else(|| refuse("names no host"))?.trim_matches(['[', ']']).to_owned();
        let local = is_loopback(&host);
        let tls = match uri.scheme_str() {
            Some("wss") => true,
            Some("ws") if local || plain => false,
            Some("ws") => {
                return Err(refuse("is plain ws, over which anyone could listen: use wss, or allow it"));
            }
            _ => return Err(refuse("is neither wss nor ws")),
        };
        if tls && cfg!(not(feature = "rustls")) {
            return Err(refuse("is wss, which takes the crate's feature `rustls`"));
        }
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { uri, host, port, tls })
    }

    /// Opens a connection.
    pub(super) async fn open(self) -> Result<Connection, Error> {
        let unreachable =
            |error| Error::new(ErrorKind::Transport, "the socket cannot be reached").caused_by(error);
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(unreachable)?;
        // A frame is written whole; waiting to fill a segment only makes it late.
        stream.set_nodelay(true).map_err(unreachable)?;
        let connector = if self.tls { tls()? } else { Connector::Plain };
        let stream = connector.wrap(&self.host, stream).await.map_err(failed)?;
        let builder = ClientBuilder::from_uri(self.uri);
        let builder = builder.limits(Limits::default().max_payload_len(Some(MAX_MESSAGE)));
        let (connection, _) = builder.connect_on(stream).await.map_err(failed)?;
        Ok(connection)
    }
}

/// An error without the library's text, which may name the address.
fn failed(error: tokio_websockets::Error) -> Error {
    use tokio_websockets::Error as Raw;
    match error {
        Raw::Upgrade(upgrade::Error::DidNotSwitchProtocols(status)) => {
            Error::from_status(status, "the service rejected the web socket")
        }
        Raw::Upgrade(error) => {
            Error::new(ErrorKind::Transport, "the server speaks no web socket").caused_by(error)
        }
        Raw::Io(error) => Error::new(ErrorKind::Transport, "the connection failed").caused_by(error),
        error => Error::new(ErrorKind::Transport, "the connection failed").caused_by(error),
    }
}

/// Trust as the platform has it, set up once.
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
    let unusable = |error| Error::invalid_request("TLS cannot be set up").caused_by(error);
    // As reqwest does: what the program has chosen, else what it is compiled with.
    let provider = CryptoProvider::get_default().cloned();
    let provider = provider.unwrap_or_else(|| Arc::new(aws_lc_rs::default_provider()));
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.and_then(BuilderVerifierExt::with_platform_verifier).map_err(unusable)?;
    let tls = TlsConnector::from(Arc::new(config.with_no_client_auth()));
    Ok(Connector::Rustls(TLS.get_or_init(|| tls).clone()))
}

#[cfg(not(feature = "rustls"))]
fn tls() -> Result<Connector, Error> {
    Err(Error::invalid_request("ws_url is wss, which takes the crate's feature `rustls`"))
}

/// How long closing may take before the connection is dropped.
pub(super) const CLOSE_LIMIT: Duration = Duration::from_secs(2);
