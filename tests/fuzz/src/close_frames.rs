//! LITE sockets whose server sends arbitrary frames and then closes the connection.

use std::io::Cursor;
use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use liveavatar_api::realtime::lite::{CloseReason, Socket, SocketOptions};
use liveavatar_api::{Error, Secret};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, WebSocket};

use super::split_line;

const SECRET: &str = "canary-ws_url-of-a-session";

const READY: &[u8] = b"\x81\x34{\"type\":\"session.state_updated\",\"state\":\"connected\"}";

/// Never reached: the server closes every connection.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The longest reason: a control frame has at most 125 bytes, of which the code takes two. Its replacement is shorter than the secret.
const MAX_REASON: usize = 123;

struct Loopback {
    runtime: Runtime,
    listener: TcpListener,
    url: Secret,
}

static LOOPBACK: LazyLock<Mutex<Loopback>> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
    let port = listener.local_addr().expect("the listener is bound").port();
    listener.set_nonblocking(true).expect("a socket of the system");
    let listener = {
        let _guard = runtime.enter();
        TcpListener::from_std(listener).expect("a socket of the system")
    };
    Mutex::new(Loopback { runtime, listener, url: format!("ws://127.0.0.1:{port}/{SECRET}").into() })
});

/// Sends the frames after a handshake, and nothing more.
async fn serve(listener: &TcpListener, frames: &[u8]) {
    let (stream, _) = listener.accept().await.expect("a connection");
    // Thousands of closed connections would occupy the ports of the system.
    stream.set_zero_linger().expect("a socket of the system");
    let mut socket = tokio_tungstenite::accept_async(stream).await.expect("a handshake");
    // An error means that the client has closed the connection.
    let _ = socket.get_mut().write_all(frames).await;
    let _ = socket.get_mut().shutdown().await;
    let mut rest = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(socket.get_mut(), &mut rest).await;
}

/// Returns the code and the reason of the first close frame, as another library reads them.
fn close_frame(frames: &[u8]) -> Option<(u16, String)> {
    let config = WebSocketConfig::default();
    let stream = Cursor::new(frames.to_vec());
    let mut socket = WebSocket::from_raw_socket(stream, Role::Client, Some(config));
    loop {
        if let Message::Close(frame) = socket.read().ok()? {
            return Some(
                frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string())),
            );
        }
    }
}

fn check_error(error: &Error) {
    assert!(error.is_transport(), "{error:?}");
    let shown = format!("{error}\n{error:?}");
    assert!(!shown.contains(SECRET), "the error contains the address: {shown}");
    assert!(
        !error.to_string().contains(|c: char| c.is_control()),
        "the message contains control characters: {shown}"
    );
}

fn check_reason(reason: &CloseReason, frames: &[u8]) {
    match reason {
        CloseReason::ClosedByServer { code, reason } => {
            assert!(!reason.contains(SECRET), "the reason contains the address: {reason}");
            assert!(!reason.contains(|c: char| c.is_control()), "{reason:?}");
            assert!(reason.len() <= MAX_REASON, "{reason:?}");
            let (expected, text) = close_frame(frames).expect("a close frame");
            assert_eq!(*code, expected, "{reason:?}");
            assert!(reason.is_empty() || !text.is_empty(), "{reason:?}");
        }
        CloseReason::SessionEnded { .. } | CloseReason::ConnectionLost => {}
        other => panic!("{other:?}"),
    }
}

/// Sends frames to a socket: before it is ready if the first line is `early`, else after that.
pub fn close_frames(input: &[u8]) {
    let (line, frames) = split_line(input);
    let is_early = line == b"early";
    let sent = if is_early { frames.to_vec() } else { [READY, frames].concat() };
    let loopback = LOOPBACK.lock().unwrap_or_else(PoisonError::into_inner);
    let Loopback { runtime, listener, url } = &*loopback;
    let client = async {
        let options = SocketOptions::new().no_reconnect();
        match Socket::connect_with(url, options).await {
            Ok(socket) => check_reason(&socket.closed().await, frames),
            Err(error) => {
                assert!(is_early, "the socket was ready: {error:?}");
                check_error(&error);
            }
        }
    };
    let both = async { futures_util::future::join(serve(listener, &sent), client).await };
    runtime.block_on(async { timeout(TIMEOUT, both).await }).expect("the socket stays open");
}
