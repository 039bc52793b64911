//! A server of scripted bytes on a loopback port, for answers that no proper server gives.

use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpSocket;

/// A test that waits longer than this has gone wrong.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the server says where a body ends.
#[derive(Clone)]
enum Frame {
    Length,
    /// A length that is another one.
    Claim(String),
    /// The body is written in chunks already.
    Chunks,
    /// The end of the connection.
    ToEnd,
}

/// What becomes of the connection after an answer.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Keep,
    Close,
    /// Closed before the request was read, which the other side sees as a reset.
    Reset,
    /// Reset behind what was sent.
    Abort,
    /// Held, and nothing more is sent.
    Hang,
    /// Closed, and so is the port.
    Gone,
}

/// What the server does with one request.
#[derive(Clone)]
pub(super) struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
    frame: Frame,
    end: End,
    /// Where the body is cut in two pieces.
    split: Option<usize>,
    /// How many bytes are written at once.
    step: usize,
    /// These bytes in place of head and body.
    raw: Option<Vec<u8>>,
}

impl Answer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::typed(status, "application/json", body.to_string())
    }

    pub(super) fn typed(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let head = format!("x-request-id: id-of-{status}\r\ncontent-type: {content_type}\r\n");
        let (frame, end) = (Frame::Length, End::Keep);
        Self { status, head, body: body.into(), frame, end, split: None, step: usize::MAX, raw: None }
    }

    /// An answer without body and content type.
    pub(super) fn bare(status: u16) -> Self {
        let mut answer = Self::typed(status, "", "");
        answer.head = format!("x-request-id: id-of-{status}\r\n");
        answer
    }

    /// These bytes and the end of the connection.
    pub(super) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        let mut answer = Self::bare(0);
        answer.raw = Some(bytes.into());
        answer.end = End::Close;
        answer
    }

    pub(super) fn nothing() -> Self {
        Self::raw("")
    }

    pub(super) fn reset() -> Self {
        Self { end: End::Reset, ..Self::nothing() }
    }

    pub(super) fn hang() -> Self {
        Self { end: End::Hang, ..Self::nothing() }
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        write!(self.head, "{name}: {value}\r\n").unwrap();
        self
    }

    /// With another length in the head than the body's, after which the connection ends.
    pub(super) fn claiming(mut self, length: &str) -> Self {
        self.frame = Frame::Claim(length.to_owned());
        self.end = End::Close;
        self
    }

    /// With the whole body's length in the head and the body's first bytes.
    pub(super) fn cut(mut self, at: usize) -> Self {
        let length = self.body.len().to_string();
        self.body.truncate(at);
        self.claiming(&length)
    }

    /// Without any length.
    pub(super) fn until_close(mut self) -> Self {
        self.frame = Frame::ToEnd;
        self.end = End::Close;
        self
    }

    /// In chunks of this size; `end` stands in place of the last chunk.
    pub(super) fn chunked(mut self, size: usize, end: &str) -> Self {
        let mut chunks = Vec::new();
        for part in self.body.chunks(size) {
            write!(chunks, "{:x}\r\n", part.len()).unwrap();
            chunks.extend_from_slice(part);
            chunks.extend_from_slice(b"\r\n");
        }
        chunks.extend_from_slice(end.as_bytes());
        self.body = chunks;
        self.frame = Frame::Chunks;
        self.end = if end == "0\r\n\r\n" { End::Keep } else { End::Close };
        self
    }

    pub(super) fn split(mut self, at: usize) -> Self {
        self.split = Some(at);
        self
    }

    /// After which nothing more comes, not even the connection's end.
    pub(super) fn then_hang(mut self) -> Self {
        self.end = End::Hang;
        self
    }

    /// After which the connection is reset.
    pub(super) fn then_reset(mut self) -> Self {
        self.end = End::Abort;
        self
    }

    /// After which the connection stays.
    pub(super) fn then_keep(mut self) -> Self {
        self.end = End::Keep;
        self
    }

    /// Byte by byte.
    pub(super) fn trickled(mut self) -> Self {
        self.step = 1;
        self
    }

    /// All that is sent, as it goes over the wire.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.pieces().concat()
    }

    /// After which nobody listens on the port.
    pub(super) fn then_gone(mut self) -> Self {
        self.end = End::Gone;
        self
    }

    pub(super) fn status(&self) -> u16 {
        self.status
    }

    fn pieces(&self) -> [Vec<u8>; 2] {
        if let Some(raw) = &self.raw {
            return [raw.clone(), Vec::new()];
        }
        let mut first = format!("HTTP/1.1 {} Said\r\n{}", self.status, self.head).into_bytes();
        let frame = match &self.frame {
            Frame::Length if matches!(self.status, 101 | 204 | 304) => String::new(),
            Frame::Length => format!("content-length: {}\r\n", self.body.len()),
            Frame::Claim(length) => format!("content-length: {length}\r\n"),
            Frame::Chunks => "transfer-encoding: chunked\r\n".to_owned(),
            Frame::ToEnd => "connection: close\r\n".to_owned(),
        };
        first.extend_from_slice(frame.as_bytes());
        first.extend_from_slice(b"\r\n");
        let (start, rest) = self.body.split_at(self.split.unwrap_or(self.body.len()));
        first.extend_from_slice(start);
        [first, rest.to_vec()]
    }
}

#[derive(Default)]
struct State {
    /// The first line of every request.
    seen: Vec<String>,
    /// The number of the last request that was left hanging.
    hanging: usize,
    /// The number of the client's last attempt that ended.
    ended: usize,
    /// Asked to close the port.
    leaving: bool,
    /// The port is closed.
    gone: bool,
    /// The test has ended.
    dropped: bool,
}

/// What the server's threads and the test share.
pub(super) struct Shared {
    script: Mutex<Arc<[Answer]>>,
    port: u16,
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn script(&self) -> Arc<[Answer]> {
        Arc::clone(&self.script.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.changed.notify_all();
        result
    }

    fn wait(&self, until: impl Fn(&State) -> bool) {
        let state = self.state();
        let _ = self.changed.wait_timeout_while(state, PATIENCE, |state| !until(state));
    }

    /// An attempt of the client came to an end.
    pub(super) fn ended(&self, attempt: usize) {
        self.change(|state| state.ended = attempt);
    }

    /// Blocks until an attempt has ended, or can end only by its time limit.
    pub(super) fn wait_for(&self, attempt: usize) {
        self.wait(|state| state.ended >= attempt || state.hanging >= attempt);
    }

    fn leave(&self) {
        self.change(|state| state.leaving = true);
        // The listening thread looks around when somebody comes.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

/// A listening server; its port is closed when it is dropped.
pub(super) struct Server {
    shared: Arc<Shared>,
    /// Of a server that never listens.
    _silent: Option<TcpSocket>,
}

impl Server {
    /// Answers one request with each of the script's answers, and all further ones with the last.
    pub(super) fn start(script: Vec<Answer>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Mutex::new(script.into());
        let shared = Arc::new(Shared { script, port, state: Mutex::default(), changed: Condvar::new() });
        let server = Self { shared: Arc::clone(&shared), _silent: None };
        thread::spawn(move || listen(listener, &shared));
        server
    }

    /// A port that refuses every connection.
    pub(super) fn absent() -> Self {
        let silent = silent(0).unwrap();
        let port = silent.local_addr().unwrap().port();
        let state = Mutex::new(State { gone: true, ..State::default() });
        let script = Mutex::new([].into());
        let shared = Shared { script, port, state, changed: Condvar::new() };
        Self { shared: Arc::new(shared), _silent: Some(silent) }
    }

    /// Begins anew with another script, once nothing is under way any more.
    pub(super) fn retell(&self, script: Vec<Answer>) {
        *self.shared.script.lock().unwrap_or_else(PoisonError::into_inner) = script.into();
        self.shared.change(|state| state.seen.clear());
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.shared.port)
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// The first line of every request so far.
    pub(super) fn seen(&self) -> Vec<String> {
        self.shared.state().seen.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let gone = self.shared.change(|state| {
            state.dropped = true;
            state.gone
        });
        if !gone {
            self.shared.leave();
        }
    }
}

/// A port on which nobody listens, taken so that no other test's server gets it meanwhile.
fn silent(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // Connections of a server that was there before may linger.
    socket.set_reuseaddr(port != 0)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    Ok(socket)
}

fn listen(listener: TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.state().leaving {
            break;
        }
        let shared = Arc::clone(shared);
        // An error here is a client that went away.
        thread::spawn(move || stream.and_then(|stream| talk(stream, &shared)));
    }
    drop(listener);
    let silent = silent(shared.port);
    shared.change(|state| state.gone = true);
    // Taken for as long as the test looks.
    shared.wait(|state| state.dropped);
    drop(silent);
}

/// Serves one connection to its end.
fn talk(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut first = [0];
    while stream.read(&mut first)? == 1 {
        let number = shared.state().seen.len();
        let script = shared.script();
        let answer = &script[number.min(script.len() - 1)];
        if answer.end == End::Reset {
            shared.change(|state| state.seen.push("reset".to_owned()));
            return Ok(());
        }
        let line = request(&mut stream, first[0])?;
        shared.change(|state| state.seen.push(line));
        for piece in answer.pieces().iter().flat_map(|piece| piece.chunks(answer.step)) {
            stream.write_all(piece)?;
        }
        match answer.end {
            End::Keep => {}
            End::Close | End::Reset => return stream.shutdown(Shutdown::Both),
            End::Abort => return TcpSocket::from_std_stream(stream).set_zero_linger(),
            End::Hang => {
                shared.change(|state| state.hanging = number + 1);
                // Until the client gives up.
                return io::copy(&mut stream, &mut io::sink()).map(drop);
            }
            End::Gone => {
                shared.leave();
                shared.wait(|state| state.gone);
                return stream.shutdown(Shutdown::Both);
            }
        }
    }
    Ok(())
}

/// Reads the rest of a request and returns its first line.
fn request(stream: &mut TcpStream, first: u8) -> io::Result<String> {
    let mut head = vec![first];
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend_from_slice(&byte);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    stream.read_exact(&mut vec![0; length.unwrap_or(0)])?;
    Ok(head.lines().next().unwrap_or_default().trim_end_matches(" http/1.1").to_owned())
}
