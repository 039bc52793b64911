//! A TCP server on a loopback port that sends scripted bytes, so that a test can send malformed responses.

use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpSocket;

/// A test that waits longer than this fails.
const WAIT_LIMIT: Duration = Duration::from_secs(10);

/// How a response marks the end of its body.
#[derive(Clone)]
enum Frame {
    Length,
    /// A `content-length` that may be wrong.
    FalseLength(String),
    /// The body is already written in chunks.
    Chunks,
    /// By closing the connection.
    ToEnd,
}

/// What happens to the connection after a response.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum End {
    Keep,
    Close,
    /// Closed before the request is read, which the client sees as a reset.
    Reset,
    /// Reset after the response.
    Abort,
    /// Kept open without sending anything more.
    Hang,
    /// Closed, and the port too.
    StopListening,
}

/// What the server does with one request.
#[derive(Clone)]
pub(crate) struct Response {
    status: u16,
    head: String,
    body: Vec<u8>,
    frame: Frame,
    end: End,
    /// Where the body is split into two writes.
    split: Option<usize>,
    /// The bytes per write.
    step: usize,
    /// Sent instead of head and body.
    raw: Option<Vec<u8>>,
}

impl Response {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::typed(status, "application/json", body.to_string())
    }

    pub(crate) fn typed(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let head = format!("x-request-id: id-of-{status}\r\ncontent-type: {content_type}\r\n");
        let (frame, end) = (Frame::Length, End::Keep);
        Self { status, head, body: body.into(), frame, end, split: None, step: usize::MAX, raw: None }
    }

    /// A response without body and content type.
    pub(crate) fn empty(status: u16) -> Self {
        Self { head: format!("x-request-id: id-of-{status}\r\n"), ..Self::typed(status, "", "") }
    }

    /// Sends these bytes and closes the connection.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { raw: Some(bytes.into()), end: End::Close, ..Self::empty(0) }
    }

    pub(crate) fn close() -> Self {
        Self::raw("")
    }

    pub(crate) fn reset() -> Self {
        Self::close().then(End::Reset)
    }

    pub(crate) fn hang() -> Self {
        Self::close().then(End::Hang)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        write!(self.head, "{name}: {value}\r\n").unwrap();
        self
    }

    /// Sends this `content-length`, even if it is wrong, and closes the connection.
    pub(crate) fn content_length(mut self, length: &str) -> Self {
        self.frame = Frame::FalseLength(length.to_owned());
        self.end = End::Close;
        self
    }

    /// Sends the whole body's length, but only its first bytes.
    pub(crate) fn truncated(mut self, at: usize) -> Self {
        let length = self.body.len().to_string();
        self.body.truncate(at);
        self.content_length(&length)
    }

    /// Omits the length: the body ends where the connection does.
    pub(crate) fn until_close(mut self) -> Self {
        self.frame = Frame::ToEnd;
        self.end = End::Close;
        self
    }

    /// Sends chunks of this size, with `end` instead of the last chunk.
    pub(crate) fn chunked(mut self, size: usize, end: &str) -> Self {
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

    pub(crate) fn split(mut self, at: usize) -> Self {
        self.split = Some(at);
        self
    }

    pub(crate) fn then(self, end: End) -> Self {
        Self { end, ..self }
    }

    pub(crate) fn byte_by_byte(mut self) -> Self {
        self.step = 1;
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.pieces().concat()
    }

    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    fn pieces(&self) -> [Vec<u8>; 2] {
        if let Some(raw) = &self.raw {
            return [raw.clone(), Vec::new()];
        }
        let mut first = format!("HTTP/1.1 {} Test\r\n{}", self.status, self.head).into_bytes();
        let frame = match &self.frame {
            Frame::Length if matches!(self.status, 101 | 204 | 304) => String::new(),
            Frame::Length => format!("content-length: {}\r\n", self.body.len()),
            Frame::FalseLength(length) => format!("content-length: {length}\r\n"),
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

impl From<Response> for Vec<Response> {
    fn from(response: Response) -> Self {
        vec![response]
    }
}

#[derive(Default)]
struct State {
    /// The first line of every request.
    requests: Vec<String>,
    /// The number of the last request that is left hanging.
    hanging: usize,
    /// The number of the client's last attempt that has ended.
    ended: usize,
    /// Set to make the listening thread close the port.
    closing: bool,
    closed: bool,
    /// Set when the test has ended.
    dropped: bool,
}

/// State that the server's threads and the test share.
pub(crate) struct Shared {
    script: Mutex<Arc<[Response]>>,
    port: u16,
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn script(&self) -> Arc<[Response]> {
        Arc::clone(&self.script.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.changed.notify_all();
        result
    }

    fn wait(&self, until: impl Fn(&State) -> bool) {
        let state = self.state();
        let _ = self.changed.wait_timeout_while(state, WAIT_LIMIT, |state| !until(state));
    }

    /// Records that an attempt of the client has ended.
    pub(crate) fn ended(&self, attempt: usize) {
        self.change(|state| state.ended = attempt);
    }

    /// Blocks until an attempt has ended, or hangs until its time limit.
    pub(crate) fn wait_for(&self, attempt: usize) {
        self.wait(|state| state.ended >= attempt || state.hanging >= attempt);
    }

    fn close(&self) {
        self.change(|state| state.closing = true);
        // A connection wakes the listening thread.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

/// A listening server. Dropping it closes its port.
pub(crate) struct ScriptedServer {
    shared: Arc<Shared>,
    /// Holds the port of a server that does not listen.
    _reserved: Option<TcpSocket>,
}

impl ScriptedServer {
    /// Sends one scripted response to each request, and the last one to all later requests.
    pub(crate) fn start(script: Vec<Response>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Mutex::new(script.into());
        let shared = Arc::new(Shared { script, port, state: Mutex::default(), changed: Condvar::new() });
        let server = Self { shared: Arc::clone(&shared), _reserved: None };
        thread::spawn(move || listen(listener, &shared));
        server
    }

    /// Reserves a port that refuses every connection.
    pub(crate) fn refusing() -> Self {
        let reserved = reserve(0).unwrap();
        let port = reserved.local_addr().unwrap().port();
        let state = Mutex::new(State { closed: true, ..State::default() });
        let script = Mutex::new([].into());
        let shared = Shared { script, port, state, changed: Condvar::new() };
        Self { shared: Arc::new(shared), _reserved: Some(reserved) }
    }

    /// Restarts with another script. No request may be in flight.
    pub(crate) fn restart(&self, script: Vec<Response>) {
        *self.shared.script.lock().unwrap_or_else(PoisonError::into_inner) = script.into();
        self.shared.change(|state| state.requests.clear());
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.shared.port)
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Returns the first line of every request so far, in lower case.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.state().requests.clone()
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        let closed = self.shared.change(|state| {
            state.dropped = true;
            state.closed
        });
        if !closed {
            self.shared.close();
        }
    }
}

/// Binds a port without listening, so that no other test's server gets it.
fn reserve(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // Connections of the server that listened here may linger.
    socket.set_reuseaddr(port != 0)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    Ok(socket)
}

fn listen(listener: TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.state().closing {
            break;
        }
        let shared = Arc::clone(shared);
        // An error means that the client has closed the connection.
        thread::spawn(move || stream.and_then(|stream| serve(stream, &shared)));
    }
    drop(listener);
    let reserved = reserve(shared.port);
    shared.change(|state| state.closed = true);
    shared.wait(|state| state.dropped);
    drop(reserved);
}

/// Serves one connection until it ends.
fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut first = [0];
    while stream.read(&mut first)? == 1 {
        let number = shared.state().requests.len();
        let script = shared.script();
        let response = &script[number.min(script.len() - 1)];
        if response.end == End::Reset {
            shared.change(|state| state.requests.push("reset".to_owned()));
            return Ok(());
        }
        let line = read_request(&mut stream, first[0])?;
        shared.change(|state| state.requests.push(line));
        for piece in response.pieces().iter().flat_map(|piece| piece.chunks(response.step)) {
            stream.write_all(piece)?;
        }
        match response.end {
            End::Keep => {}
            End::Close | End::Reset => return stream.shutdown(Shutdown::Both),
            End::Abort => return TcpSocket::from_std_stream(stream).set_zero_linger(),
            End::Hang => {
                shared.change(|state| state.hanging = number + 1);
                // Read until the client gives up.
                return io::copy(&mut stream, &mut io::sink()).map(drop);
            }
            End::StopListening => {
                shared.close();
                shared.wait(|state| state.closed);
                return stream.shutdown(Shutdown::Both);
            }
        }
    }
    Ok(())
}

/// Reads the rest of a request and returns its first line.
fn read_request(stream: &mut TcpStream, first: u8) -> io::Result<String> {
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
