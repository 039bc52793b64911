//! A TCP proxy between client and server that makes connections fail after a given number of bytes.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// The side whose bytes are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Server,
    Client,
}

/// How a connection fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Closed,
    Reset,
    /// Nothing more is forwarded, and the connection stays open.
    Stalled,
}

/// When and how a connection fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) side: Side,
    pub(crate) after: usize,
    pub(crate) fault: Fault,
}

#[derive(Default)]
struct State {
    /// For the next connections, in their order. Later connections do not fail.
    cuts: Vec<Cut>,
    /// The number of connections that have failed.
    failed: usize,
    /// Whether all connections are refused once one has failed.
    gone_then: bool,
}

impl State {
    fn is_gone(&self) -> bool {
        self.gone_then && self.failed > 0
    }
}

/// A port that forwards to another one. Dropping it closes the port.
pub(crate) struct FaultyProxy {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
    serving: AbortHandle,
}

impl FaultyProxy {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                if lock(&shared).is_gone() {
                    continue;
                }
                // An error means that one side has closed the connection.
                tokio::spawn(async move {
                    Box::pin(forward(client, TcpStream::connect(server).await?, &shared)).await
                });
            }
        });
        Self { port, state, serving: serving.abort_handle() }
    }

    /// Makes the next connections fail.
    pub(crate) fn cut_next(&self, cuts: Vec<Cut>) {
        *lock(&self.state) = State { cuts, ..State::default() };
    }

    /// Makes the next connection fail, and refuses all later ones.
    pub(crate) fn gone_after(&self, cut: Cut) {
        *lock(&self.state) = State { cuts: vec![cut], gone_then: true, ..State::default() };
    }

    /// Forwards every connection from now on.
    pub(crate) fn is_back(&self) {
        *lock(&self.state) = State::default();
    }

    /// Returns the number of connections that have failed since the last change of the faults.
    pub(crate) fn failed(&self) -> usize {
        lock(&self.state).failed
    }
}

impl Drop for FaultyProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn forward(mut client: TcpStream, mut server: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let cut = {
        let mut state = lock(state);
        (!state.cuts.is_empty()).then(|| state.cuts.remove(0))
    };
    let limit = |side| cut.filter(|cut| cut.side == side).map_or(usize::MAX, |cut| cut.after);
    let fails = {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        tokio::select! {
            biased;
            fails = pipe(&mut from_server, &mut to_client, limit(Side::Server)) => fails?,
            fails = pipe(&mut from_client, &mut to_server, limit(Side::Client)) => fails?,
        }
    };
    let Some(cut) = cut.filter(|_| fails) else { return Ok(()) };
    lock(state).failed += 1;
    match cut.fault {
        Fault::Closed => {}
        Fault::Reset => client.set_zero_linger()?,
        // Read until the client gives up.
        Fault::Stalled => drop(tokio::io::copy(&mut client, &mut tokio::io::sink()).await),
    }
    Ok(())
}

/// Forwards at most `left` bytes, and returns whether it has forwarded all of them.
async fn pipe(from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>, mut left: usize) -> io::Result<bool> {
    let mut buffer = [0; 16 * 1024];
    while left > 0 {
        let room = left.min(buffer.len());
        let read = from.read(&mut buffer[..room]).await?;
        if read == 0 {
            return Ok(false);
        }
        to.write_all(&buffer[..read]).await?;
        left -= read;
    }
    Ok(true)
}
