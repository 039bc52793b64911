//! The LITE socket over a connection that fails after any byte: it becomes ready or fails in time, and reports lost speech.

use std::fmt::Write as _;
use std::time::Duration;

use futures_util::stream;
use liveavatar_api::Secret;
use liveavatar_api::realtime::audio;
use liveavatar_api::realtime::lite::{READY_TIMEOUT, Socket};
use liveavatar_api::session::LiteSession;
use liveavatar_mock::{EventStyle, Server};
use liveavatar_tests::client;
use tokio::time::{Instant, timeout};

use crate::http::faulty_proxy::{Cut, Fault, FaultyProxy, Side};
use crate::http::offset_table::OffsetTable;
use crate::http::paused_runtime;

const AVATAR: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

/// A script that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Up to here, every byte or every few bytes are tried: the handshake and the event that makes the socket ready.
const HANDSHAKE: usize = 300;

/// After the handshake, the step between tried bytes.
const STEP: usize = 61;

async fn connect_and_speak(url: &Secret) -> String {
    let start = Instant::now();
    let socket = match Socket::connect(url).await {
        Ok(socket) => socket,
        Err(error) => {
            let took = start.elapsed();
            assert!(took <= READY_TIMEOUT + Duration::from_secs(1), "{took:?}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("canary") && !shown.contains("127.0.0.1"), "{shown}");
            return format!("not connected: {error}");
        }
    };
    let mut result = "connected".to_owned();
    for _ in 0..2 {
        let silence = vec![0_u8; audio::bytes(Duration::from_secs(2))];
        let outcome = socket.speak(stream::iter([silence])).await;
        write!(result, ", {:?}", outcome.end).unwrap();
    }
    match socket.close_reason() {
        None => result,
        Some(reason) => format!("{result}, closed: {reason:?}"),
    }
}

async fn results(cut: Cut) -> String {
    let server = Server::builder().sockets(EventStyle::EventId).start().await.unwrap();
    let configuration = LiteSession::builder().avatar_id(AVATAR).build().unwrap();
    let api = client(&server);
    let mut lines = OffsetTable::default();
    let mut after = 0;
    loop {
        let token = api.mint(&configuration).await.unwrap();
        let direct = token.start().await.unwrap().ws_url.unwrap();
        let (address, path) = direct.expose().trim_start_matches("ws://").split_once('/').unwrap();
        let proxy = FaultyProxy::to(address.parse().unwrap()).await;
        proxy.cut_next(vec![Cut { after, ..cut }]);
        let url = format!("ws://127.0.0.1:{}/{path}", proxy.port).into();
        let result = timeout(PATIENCE, connect_and_speak(&url)).await;
        lines.add(after, result.unwrap_or_else(|_| panic!("{cut:?} after {after} bytes: hangs")));
        api.session(token.id()).stop().await.unwrap();
        if proxy.failed() == 0 {
            assert!(after > HANDSHAKE * 2, "the connection had only {after} bytes");
            break;
        }
        if cut.side == Side::Client && after > HANDSHAKE * 2 {
            // The rest is audio.
            break;
        }
        after += match (after < HANDSHAKE, cut.fault) {
            (true, Fault::Closed) => 1,
            (true, _) => 7,
            (false, _) => STEP,
        };
    }
    format!("{:?} after this many bytes of the {:?}\n{}", cut.fault, cut.side, lines.text())
}

#[test]
fn connecting_succeeds_or_fails_in_time_wherever_the_connection_fails() {
    let mut text = String::new();
    for side in [Side::Server, Side::Client] {
        for fault in [Fault::Closed, Fault::Reset, Fault::Stalled] {
            writeln!(text, "{}", paused_runtime().block_on(results(Cut { side, after: 0, fault }))).unwrap();
        }
    }
    insta::assert_snapshot!(text);
}
