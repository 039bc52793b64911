//! Plays a script: a server and a caller, each with steps, and the record of both.
//!
//! The sockets are real; the clock is paused and jumps to the next timer. Each line of the record starts with the time in seconds.

use std::collections::HashMap;
use std::fmt::Display;
use std::future::Future as _;
use std::future::poll_fn;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use futures_util::stream::{self, BoxStream};
use futures_util::{SinkExt as _, StreamExt as _};
use liveavatar_api::Secret;
use liveavatar_api::realtime::audio;
use liveavatar_api::realtime::lite::{
    LiteCommand, LiteEvents, Socket, SocketOptions, SpeechEnd, SpeechHandle, SpeechOutcome, SpeechProgress,
};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// How long the kernel may take to deliver data over loopback.
const DELIVERY: Duration = Duration::from_millis(1);

/// How much of an endless response the server sends. The buffers of the operating system hold less.
const ENDLESS: usize = 32 * 1024 * 1024;

/// A script that takes longer than this hangs.
const LIMIT: Duration = Duration::from_secs(3_600);

/// Plays a script and returns its record.
///
/// `server` has the steps for each connection; the server accepts no further connections.
pub(super) fn play(server: &'static [&'static str], caller: &'static str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        // The paused clock jumps when the runtime is idle. Give the kernel time to deliver before each jump.
        .on_thread_park(|| std::thread::park_timeout(DELIVERY))
        .build()
        .unwrap();
    runtime.block_on(async {
        let record = Record::new();
        let listener = TcpSocket::new_v4().unwrap();
        if server.iter().any(|connection| connection.contains("sleep") || connection.contains("pings")) {
            // A small buffer fills soon if the server does not read.
            listener.set_recv_buffer_size(8 * 1024).unwrap();
        }
        listener.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = listener.listen(8).unwrap();
        let port = listener.local_addr().unwrap().port();
        let local = tokio::task::LocalSet::new();
        let serving = local.spawn_local(serve(listener, server, record.clone()));
        let caller = call(port, caller, record.clone());
        let done = local.run_until(timeout(LIMIT, caller)).await;
        if done.is_err() {
            record.line("hangs", "");
        }
        // Record what the server sees after the caller is done.
        let _ = local.run_until(timeout(Duration::from_secs(5), serving)).await;
        let record = record.text();
        assert!(
            !record.contains("canary") && !record.contains("127.0.0.1"),
            "shows the address or audio: {record}"
        );
        record
    })
}

#[derive(Clone)]
struct Record {
    lines: Arc<Mutex<Vec<String>>>,
    begin: Instant,
}

impl Record {
    fn new() -> Self {
        Self { lines: Arc::default(), begin: Instant::now() }
    }

    fn line(&self, who: &str, what: impl Display) {
        let time = self.begin.elapsed();
        self.lines.lock().unwrap().push(format!("{:9.3} {who} {what}", time.as_secs_f64()));
    }

    fn text(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }
}

/// The server's state, which all its connections share.
struct Server {
    record: Record,
    /// The ids of utterances in the order of their first frames.
    utterances: Vec<String>,
    /// The id of the last command that was not part of an utterance.
    other: String,
    /// How many ids the server made up.
    made: u32,
}

async fn serve(listener: TcpListener, connections: &'static [&'static str], record: Record) {
    let mut server = Server { record, utterances: Vec::new(), other: String::new(), made: 0 };
    let mut listener = Some(listener);
    for (at, script) in connections.iter().enumerate() {
        let Some(open) = &listener else { return };
        let (stream, _) = open.accept().await.unwrap();
        // The kernel's clock is not paused, so it must not delay small packets.
        stream.set_nodelay(true).unwrap();
        if at + 1 == connections.len() {
            listener = None;
        }
        server.record.line("server", "accepts a connection");
        server.connection(stream, script).await;
    }
}

impl Server {
    async fn connection(&mut self, mut stream: TcpStream, script: &str) {
        if script == "silent" {
            sleep(Duration::from_secs(60)).await;
            return;
        }
        if let Some(status) = script.strip_prefix("reject ") {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let response = format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(response.as_bytes()).await.unwrap();
            return;
        }
        if script == "endless" {
            let sent = endless_handshake(stream).await;
            assert!(sent < ENDLESS, "the socket reads everything");
            return self.record.line("server", "cannot send more");
        }
        if script == "wrong key" {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let key = "A".repeat(400);
            let response = format!("HTTP/1.1 101 Switching\r\nsec-websocket-accept: {key}\r\n\r\n");
            return stream.write_all(response.as_bytes()).await.unwrap();
        }
        let (offer, script) = script.strip_prefix("deflate; ").map_or((false, script), |rest| (true, rest));
        #[expect(clippy::result_large_err, reason = "the library's signature")]
        let respond = |_: &Request, mut response: Response| {
            if offer {
                let extension = HeaderValue::from_static("permessage-deflate");
                response.headers_mut().insert("sec-websocket-extensions", extension);
            }
            Ok(response)
        };
        let mut socket = tokio_tungstenite::accept_hdr_async(stream, respond).await.unwrap();
        for step in script.split(';').map(str::trim).filter(|step| !step.is_empty()) {
            let words: Vec<&str> = step.splitn(2, ' ').collect();
            match words[..] {
                ["drop"] => return self.record.line("server", "drops the connection"),
                ["close", how] => {
                    let (code, reason) = how.split_once(' ').unwrap_or((how, ""));
                    let frame = code.parse::<u16>().ok();
                    let frame = frame.map(|code| CloseFrame { code: code.into(), reason: reason.into() });
                    self.record.line("server", format!("closes with {}", how.replace("canary", "secret")));
                    let _ = socket.close(frame).await;
                }
                ["wait", milliseconds] => self.wait(&mut socket, milliseconds.parse().unwrap()).await,
                ["sleep", milliseconds] => sleep(Duration::from_millis(milliseconds.parse().unwrap())).await,
                ["until", command] => {
                    while self.read(&mut socket).await.is_some_and(|read| !read.starts_with(command)) {}
                }
                ["ping"] => {
                    socket.send(Message::Ping(Bytes::from_static(b"are you there"))).await.unwrap();
                    while self.read(&mut socket).await.is_some_and(|read| read != "pong") {}
                }
                ["pings", count] => {
                    for _ in 0..count.parse().unwrap() {
                        let ping = Message::Ping(Bytes::from_static(&[b'?'; 125]));
                        if socket.send(ping).await.is_err() {
                            return self.record.line("server", "cannot send more pings");
                        }
                    }
                }
                ["pong"] => socket.send(Message::Pong(Bytes::from_static(b"late"))).await.unwrap(),
                ["compressed"] => {
                    let mut frame = Frame::message(&[0xaa, 0x56, 0x2a][..], OpCode::Data(Data::Text), true);
                    frame.header_mut().rsv1 = true;
                    let _ = socket.send(Message::Frame(frame)).await;
                }
                ["fragments", event] => {
                    let event = self.event(event);
                    let last = event.len() - 1;
                    for (at, byte) in event.bytes().enumerate() {
                        let code = if at == 0 { Data::Text } else { Data::Continue };
                        let frame = Frame::message(vec![byte], OpCode::Data(code), at == last);
                        socket.send(Message::Frame(frame)).await.unwrap();
                    }
                }
                ["large", bytes] => {
                    let frame = r#"{"type":"large","padding":""}"#;
                    let padding = "x".repeat(bytes.parse::<usize>().unwrap() - frame.len());
                    self.send(&mut socket, &frame.replace(r#""}"#, &format!(r#"{padding}"}}"#)), false).await;
                }
                ["binary"] => socket.send(Message::Binary(vec![0xff; 5_000].into())).await.unwrap(),
                ["flood", count] => {
                    for at in 0..count.parse().unwrap() {
                        self.send(&mut socket, &format!(r#"{{"type":"noise","at":{at}}}"#), false).await;
                    }
                }
                _ => {
                    let event = self.event(step);
                    self.send(&mut socket, &event, true).await;
                }
            }
        }
        while self.read(&mut socket).await.is_some() {}
    }

    async fn send(&self, socket: &mut WebSocketStream<TcpStream>, event: &str, log: bool) {
        if log {
            let mut shown = event.to_owned();
            for (at, id) in self.utterances.iter().enumerate() {
                shown = shown.replace(id, &format!("u{}", at + 1));
            }
            if !self.other.is_empty() {
                shown = shown.replace(&self.other, "other");
            }
            self.record.line("server sends", shown);
        }
        let _ = socket.send(Message::text(event)).await;
    }

    /// Reads for a while.
    async fn wait(&mut self, socket: &mut WebSocketStream<TcpStream>, milliseconds: u64) {
        let until = Instant::now() + Duration::from_millis(milliseconds);
        while let Ok(Some(_)) = tokio::time::timeout_at(until, self.read(socket)).await {}
        tokio::time::sleep_until(until).await;
    }

    /// Reads a frame and describes it; `None` at the end of the stream.
    async fn read(&mut self, socket: &mut WebSocketStream<TcpStream>) -> Option<String> {
        let text = match socket.next().await {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Pong(_))) => {
                self.record.line("server reads", "pong");
                return Some("pong".to_owned());
            }
            Some(Ok(Message::Close(frame))) => {
                let code = frame.map_or("no code".to_owned(), |frame| u16::from(frame.code).to_string());
                self.record.line("server reads", format!("close, {code}"));
                return None;
            }
            Some(Ok(other)) => panic!("the socket sends {other:?}"),
            Some(Err(_)) | None => {
                self.record.line("server reads", "the end of the stream");
                return None;
            }
        };
        let (command, id) = LiteCommand::decode(text.as_bytes()).unwrap();
        let (command, id) = (command.unwrap(), id.unwrap());
        let read = match command {
            LiteCommand::Speak(pcm) => {
                let at = self.utterances.iter().position(|it| *it == id).unwrap_or_else(|| {
                    self.utterances.push(id);
                    self.utterances.len() - 1
                });
                format!("speak u{} {:?}", at + 1, audio::duration(pcm.len()))
            }
            LiteCommand::SpeakEnd => {
                let at = self.utterances.iter().position(|it| *it == id).unwrap();
                format!("end u{}", at + 1)
            }
            other => {
                self.other = id;
                match other {
                    LiteCommand::Interrupt => "interrupt",
                    LiteCommand::StartListening => "start listening",
                    LiteCommand::StopListening => "stop listening",
                    _ => "keep alive",
                }
                .to_owned()
            }
        };
        self.record.line("server reads", &read);
        Some(read)
    }

    /// Makes the event of a step such as `started id 1`.
    fn event(&mut self, step: &str) -> String {
        let words: Vec<&str> = step.split(' ').collect();
        let name = match words[0] {
            "ready" => return json!({ "type": "session.state_updated", "state": "connected" }).to_string(),
            "state" => return json!({ "type": "session.state_updated", "state": words[1] }).to_string(),
            "raw" => return step["raw ".len()..].to_owned(),
            "started" => "agent.speak_started",
            "ended" => "agent.speak_ended",
            "interrupted" => "agent.speak_interrupted",
            "cleared" => "agent.audio_buffer_cleared",
            "error" | "starved" => "error",
            other => panic!("no such step: {other}"),
        };
        self.made += 1;
        let made = format!("made-{}", self.made);
        let whose = words.get(2).copied().unwrap_or_default();
        let id = match whose {
            "other" => self.other.clone(),
            "" => String::new(),
            number => self.utterances[number.parse::<usize>().unwrap() - 1].clone(),
        };
        let task = json!({ "id": format!("task-{whose}") });
        let mut event = match words.get(1).copied().unwrap_or("none") {
            "id" => json!({ "type": name, "event_id": id, "task": task }),
            "source" => json!({ "type": name, "event_id": made, "source_event_id": id }),
            "task" => json!({ "type": name, "event_id": made, "task": task }),
            "made" => json!({ "type": name, "event_id": made }),
            "none" | "within" => json!({ "type": name }),
            other => panic!("no such id: {other}"),
        };
        if name == "error" {
            let kind = if words[0] == "starved" { "video_starvation" } else { "invalid_request_error" };
            event["error"] = json!({ "type": kind, "message": "this was not right" });
            if words.get(1) == Some(&"within") {
                event["error"]["event_id"] = id.into();
            }
        }
        event.to_string()
    }
}

/// Sends a response to the handshake whose header does not end. Returns how many bytes were sent.
async fn endless_handshake(mut stream: TcpStream) -> usize {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await;
    let mut response = b"HTTP/1.1 101 Switching Protocols\r\nx-endless: ".to_vec();
    response.resize(64 * 1024, b'x');
    for sent in (0..ENDLESS).step_by(response.len()) {
        if stream.write_all(&response).await.is_err() {
            return sent;
        }
        response.fill(b'x');
    }
    ENDLESS
}

struct Caller {
    record: Record,
    socket: Option<Socket>,
    speeches: HashMap<String, Pin<Box<SpeechHandle>>>,
    progress: HashMap<String, SpeechProgress>,
    count: usize,
    events: Option<LiteEvents>,
}

async fn call(port: u16, script: &str, record: Record) {
    let mut steps = script.split(';').map(str::trim).peekable();
    let mut options = SocketOptions::new();
    while let Some(option) = steps.next_if(|step| step.starts_with("with ")) {
        options = match option {
            "with no reconnect" => options.no_reconnect(),
            "with no keep-alive" => options.keep_alive_interval(None),
            "with one second ahead" => options.ahead(Duration::from_secs(1)),
            "with activity" => {
                let record = record.clone();
                options.on_activity(move || record.line("activity", ""))
            }
            other => panic!("no such option: {other}"),
        };
    }
    let url = Secret::from(format!("ws://127.0.0.1:{port}/socket?token=canary-socket-token"));
    let socket = match Socket::connect_with(&url, options).await {
        Ok(socket) => socket,
        Err(error) => return record.line("caller", format!("cannot connect: {error}")),
    };
    record.line("caller", "is connected");
    let mut caller = Caller {
        record,
        socket: Some(socket),
        speeches: HashMap::new(),
        progress: HashMap::new(),
        count: 0,
        events: None,
    };
    for step in steps.filter(|step| !step.is_empty()) {
        caller.step(step).await;
    }
}

impl Caller {
    async fn step(&mut self, step: &str) {
        let words: Vec<&str> = step.split(' ').collect();
        let socket = || self.socket.clone().unwrap();
        match words[..] {
            ["wait", milliseconds] => sleep(Duration::from_millis(milliseconds.parse().unwrap())).await,
            ["speak", ref how @ ..] => {
                self.count += 1;
                let speech = socket().speak(source(how));
                self.record.line("caller", format!("speaks ({})", how.join(" ")));
                self.progress.insert(self.count.to_string(), speech.progress());
                self.speeches.insert(self.count.to_string(), Box::pin(speech));
            }
            ["await", number] => {
                let Some(speech) = self.speeches.remove(number) else { return };
                let outcome = speech.await;
                self.record.line("caller", format!("sees speech {number} end: {}", describe(&outcome)));
            }
            ["started", number] => {
                let started = self.progress[number].started().await;
                let what = if started { "start" } else { "end without a start" };
                self.record.line("caller", format!("sees speech {number} {what}"));
            }
            ["progress", number] => {
                let progress = &self.progress[number];
                let (played, sent) = (progress.played(), progress.sent());
                self.record.line("caller", format!("sees {played:?} of {sent:?} of speech {number} played"));
            }
            ["pending", number] => {
                let speech = self.speeches.get_mut(number).unwrap();
                let polled = poll_fn(|cx| Poll::Ready(speech.as_mut().poll(cx))).await;
                match polled {
                    Poll::Pending => {
                        self.record.line("caller", format!("sees speech {number} pending"));
                    }
                    Poll::Ready(outcome) => {
                        self.speeches.remove(number);
                        let outcome = describe(&outcome);
                        self.record.line("caller", format!("sees speech {number} end too early: {outcome}"));
                    }
                }
            }
            ["interrupt"] => {
                self.record.line("caller", "interrupts");
                self.note(socket().interrupt());
            }
            ["listen"] => self.note(socket().start_listening()),
            ["unlisten"] => self.note(socket().stop_listening()),
            ["keep-alive"] => self.note(socket().keep_alive()),
            ["subscribe"] => self.events = Some(socket().events()),
            ["read", "events"] => self.read_events().await,
            ["closed"] => {
                let closed = socket().closed().await;
                self.record.line("caller", format!("sees the socket closed: {closed:?}"));
            }
            ["close"] => {
                self.record.line("caller", "closes");
                self.socket.take().unwrap().close().await;
                self.record.line("caller", "has closed");
            }
            ["drop"] => {
                self.record.line("caller", "drops its handles");
                self.socket = None;
                self.speeches.clear();
            }
            _ => panic!("no such step: {step}"),
        }
    }

    fn note(&self, result: Result<(), liveavatar_api::Error>) {
        if let Err(error) = result {
            self.record.line("caller", format!("gets an error: {error}"));
        }
    }

    async fn read_events(&mut self) {
        let events = self.events.as_mut().unwrap();
        let mut kinds: Vec<(String, usize)> = Vec::new();
        while let Ok(Some(event)) = timeout(Duration::from_millis(1), events.next()).await {
            match kinds.last_mut() {
                Some((kind, count)) if *kind == event.event_type => *count += 1,
                _ => kinds.push((event.event_type, 1)),
            }
        }
        let mut read: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind:?} × {count}")).collect();
        read.extend(
            Some(events.missed()).filter(|missed| *missed > 0).map(|missed| format!("misses {missed}")),
        );
        let read = if read.is_empty() { "nothing".to_owned() } else { read.join(", ") };
        self.record.line("caller", format!("reads {read}"));
    }
}

fn describe(outcome: &SpeechOutcome) -> String {
    let end = match &outcome.end {
        SpeechEnd::Failed(error) => {
            let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
            format!("failed, {error}{}", cause.unwrap_or_default())
        }
        other => format!("{other:?}").to_lowercase(),
    };
    let first = outcome.first_frame_after.zip(outcome.first_frame_after_speak).map(|(byte, call)| {
        format!(", first frame {byte:?} after the first byte and {call:?} after the call")
    });
    format!("{end}, {:?} of {:?} played{}", outcome.played, outcome.audio, first.unwrap_or_default())
}

/// Makes the audio of steps such as `500 pause 2000 live 1000`.
fn source(how: &[&str]) -> BoxStream<'static, Result<Vec<u8>, std::io::Error>> {
    let mut all = stream::empty().boxed();
    let mut words = how.iter();
    while let Some(word) = words.next() {
        let part = match *word {
            "pause" => {
                let time = Duration::from_millis(words.next().unwrap().parse().unwrap());
                stream::once(async move {
                    sleep(time).await;
                    Ok(Vec::new())
                })
                .boxed()
            }
            "hang" => stream::pending().boxed(),
            "fail" => stream::once(async { Err(std::io::Error::other("the voice is hoarse")) }).boxed(),
            "wav" => stream::iter([Ok(b"RIFF\x24\0\0\0WAVEfmt ".to_vec())]).boxed(),
            "byte" => stream::iter([Ok(vec![7])]).boxed(),
            "live" => {
                let pieces = words.next().unwrap().parse::<usize>().unwrap() / 20;
                stream::iter(0..pieces)
                    .then(|_| async {
                        sleep(Duration::from_millis(20)).await;
                        Ok(vec![0; 960])
                    })
                    .boxed()
            }
            milliseconds => {
                let bytes = audio::bytes(Duration::from_millis(milliseconds.parse().unwrap()));
                let pieces: Vec<_> = vec![0; bytes].chunks(960).map(|piece| Ok(piece.to_vec())).collect();
                stream::iter(pieces).boxed()
            }
        };
        all = all.chain(part).boxed();
    }
    all
}
