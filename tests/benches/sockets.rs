//! LITE sockets: time to the first frame, memory, and the delay of frames on 1,000 sockets at once.
//!
//! `cargo bench -p liveavatar-benches --bench sockets`. The server runs in the same process, on the same cores.

#![expect(clippy::unwrap_used, reason = "a bench fails if a value is missing")]

mod rows;

use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, Stream, StreamExt as _, future, stream};
use liveavatar_api::Secret;
use liveavatar_api::realtime::lite::{Socket, SocketOptions};
use tokio::net::{TcpListener, TcpStream};
use tokio_websockets::{Message, ServerBuilder, WebSocketStream};

/// The size of a piece of audio from text to speech: 20 ms.
const PIECE: usize = 960;
const PIECE_TIME: Duration = Duration::from_millis(20);
/// The length of a piece in base64, which adds no padding to a multiple of three bytes.
const PIECE_TEXT: usize = PIECE / 3 * 4;

/// A frame that the server has received.
struct Received {
    at: Instant,
    /// When its last piece was due.
    due: Duration,
    is_end: bool,
}

/// Starts a server on its own thread, and returns its address and the frames that it receives.
fn serve() -> (SocketAddr, mpsc::Receiver<Received>) {
    let (sender, received) = mpsc::channel();
    let (address_sender, address) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            address_sender.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                tokio::spawn(connection(stream, sender.clone()));
            }
        });
    });
    (address.recv().unwrap(), received)
}

async fn connection(stream: TcpStream, received: mpsc::Sender<Received>) {
    let (_, mut socket) = ServerBuilder::new().accept(stream).await.unwrap();
    send(&mut socket, r#"{"type":"session.state_updated","state":"connected"}"#).await;
    while let Some(Ok(message)) = socket.next().await {
        let at = Instant::now();
        let Some(text) = message.as_text() else { continue };
        // A short message is the end of an utterance or a keep-alive.
        if text.len() < PIECE_TEXT {
            if text.contains("speak_end") {
                let _ = received.send(Received { at, due: Duration::ZERO, is_end: true });
                send(&mut socket, r#"{"type":"agent.speak_started"}"#).await;
                send(&mut socket, r#"{"type":"agent.speak_ended"}"#).await;
            }
            continue;
        }
        let begin = text.find("\"audio\":\"").unwrap() + 9;
        let audio = &text.as_bytes()[begin..text.len() - 2];
        let last = STANDARD.decode(&audio[audio.len() - PIECE_TEXT..]).unwrap();
        let due = Duration::from_nanos(u64::from_le_bytes(last[..8].try_into().unwrap()));
        let _ = received.send(Received { at, due, is_end: false });
    }
}

async fn send(socket: &mut WebSocketStream<TcpStream>, event: &'static str) {
    let _ = socket.send(Message::text(event)).await;
}

/// Returns a piece that contains the time when it was due.
fn piece(due: Duration) -> Vec<u8> {
    let mut pcm = vec![0; PIECE];
    pcm[..8].copy_from_slice(&u64::try_from(due.as_nanos()).unwrap().to_le_bytes());
    pcm
}

/// Returns a stream of audio in real time.
fn live(epoch: Instant, begin: Duration, pieces: u32) -> impl Stream<Item = Vec<u8>> + Send + 'static {
    stream::iter(1..=pieces).then(move |at| async move {
        let due = begin + PIECE_TIME * at;
        tokio::time::sleep_until((epoch + due).into()).await;
        piece(due)
    })
}

async fn connect(address: SocketAddr) -> Socket {
    let url = Secret::from(format!("ws://{address}/"));
    Socket::connect_with(&url, SocketOptions::new().ready_timeout(Duration::from_secs(60))).await.unwrap()
}

fn current_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn first_frame(utterances: u32) {
    let epoch = Instant::now();
    let (address, received) = serve();
    let mut times = Vec::new();
    current_thread().block_on(async {
        let socket = connect(address).await;
        for _ in 0..utterances {
            // 400 ms of audio at once, so that the first frame can be sent at once.
            let pieces = (0..20).map(move |_| piece(epoch.elapsed()));
            let begin = Instant::now();
            let spoken = socket.speak(stream::iter(pieces)).await;
            assert!(spoken.first_frame_after.is_some());
            let first =
                std::iter::from_fn(|| received.try_recv().ok()).find(|received| !received.is_end).unwrap();
            times.push(first.at - begin);
        }
    });
    show("first PCM byte to first frame at the server", "", &mut times);
}

fn memory(sockets: usize) {
    let epoch = Instant::now();
    let (address, _seen) = serve();
    let runtime = current_thread();
    let mut open = Vec::new();
    let info = measure(|| {
        open = runtime.block_on(async {
            let mut open = Vec::with_capacity(sockets);
            for _ in 0..sockets {
                open.push(connect(address).await);
            }
            open
        });
    });
    let per = |bytes: i64| bytes / i64::try_from(sockets).unwrap();
    let spoken = measure(|| {
        runtime.block_on(async {
            for socket in &open {
                let pieces = (0..100).map(move |_| piece(epoch.elapsed()));
                socket.speak(stream::iter(pieces)).await;
            }
        });
    });
    let (idle, after) = (per(info.bytes_current), per(info.bytes_current + spoken.bytes_current));
    rows::fact(
        "memory of an open socket, plain TCP",
        &format!("{idle} bytes idle, {after} after two seconds of speech"),
    );
}

fn lateness(streams: u32, seconds: u32) {
    let epoch = Instant::now();
    let (address, received) = serve();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let sockets: Vec<Socket> =
            stream::iter(0..streams).map(|_| connect(address)).buffer_unordered(32).collect().await;
        let begin = epoch.elapsed() + Duration::from_millis(500);
        let speeches = sockets.iter().zip(0..).map(|(socket, at)| {
            // Spread the starts over one second.
            let begin = begin + Duration::from_secs(1) * at / streams;
            socket.speak(live(epoch, begin, seconds * 50))
        });
        future::join_all(speeches).await;
    });
    let frames: Vec<Received> = received.try_iter().filter(|received| !received.is_end).collect();
    let mut times: Vec<Duration> =
        frames.iter().map(|received| received.at.saturating_duration_since(epoch + received.due)).collect();
    let late = times.iter().filter(|time| **time > Duration::from_millis(50)).count();
    let late = format!("; {late} of {} later than 50 ms", times.len());
    show(
        &format!("{streams} real-time streams for {seconds} s, from a frame's last byte to the server"),
        &late,
        &mut times,
    );
}

fn show(what: &str, more: &str, times: &mut [Duration]) {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    let value = format!("median {:.1?}, p99 {:.1?}, longest {:.1?}{more}", at(50), at(99), at(100));
    rows::fact(what, &value);
}

fn main() {
    // `cargo test --benches` passes `--test`, and only checks that the benches run.
    let quick = std::env::args().any(|argument| argument == "--test");
    let (utterances, sockets, streams, seconds) =
        if quick { (5, 10, 10, 1) } else { (500, 1_000, 1_000, 20) };
    first_frame(utterances);
    memory(sockets);
    lateness(streams, seconds);
}
