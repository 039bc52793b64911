//! A peer between client and server that carries bytes both ways until it does what it was told to.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// Whose bytes are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Server,
    Client,
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Closed,
    Reset,
    /// Nothing is carried any more, and neither side is told.
    Stalled,
}

/// When a connection fails, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) side: Side,
    pub(super) after: usize,
    pub(super) fault: Fault,
}

#[derive(Default)]
struct State {
    /// For the connections that are opened next, in turn; without one they are carried to their end.
    cuts: Vec<Cut>,
    /// How many connections have failed.
    failed: usize,
    /// Whether every connection is closed at once, from the first that fails on.
    gone_then: bool,
}

impl State {
    fn is_gone(&self) -> bool {
        self.gone_then && self.failed > 0
    }
}

/// A port that leads to another; closed when it is dropped.
pub(super) struct Tunnel {
    pub(super) port: u16,
    state: Arc<Mutex<State>>,
    serving: AbortHandle,
}

impl Tunnel {
    pub(super) async fn to(server: SocketAddr) -> Self {
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
                // An error is a side that went away.
                tokio::spawn(async move {
                    Box::pin(carry(client, TcpStream::connect(server).await?, &shared)).await
                });
            }
        });
        Self { port, state, serving: serving.abort_handle() }
    }

    /// Lets the next connections fail.
    pub(super) fn cut_next(&self, cuts: Vec<Cut>) {
        *lock(&self.state) = State { cuts, ..State::default() };
    }

    /// Lets the next connection fail and all after it.
    pub(super) fn gone_after(&self, cut: Cut) {
        *lock(&self.state) = State { cuts: vec![cut], gone_then: true, ..State::default() };
    }

    /// Carries everything from now on.
    pub(super) fn is_back(&self) {
        *lock(&self.state) = State::default();
    }

    /// How many connections have failed since that was asked for.
    pub(super) fn failed(&self) -> usize {
        lock(&self.state).failed
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn carry(mut client: TcpStream, mut server: TcpStream, state: &Mutex<State>) -> io::Result<()> {
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
        // Until the client gives up.
        Fault::Stalled => drop(tokio::io::copy(&mut client, &mut tokio::io::sink()).await),
    }
    Ok(())
}

/// Carries up to so many bytes; whether they were all.
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
