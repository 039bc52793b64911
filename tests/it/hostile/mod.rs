//! A network that works against the client: connections that end, stall or lie behind any byte, names and certificates that are none.
//!
//! What single answers come to on such connections is in `outcomes::offsets`; here are whole sessions, their sockets, and what lies
//! below HTTP.

pub(crate) mod lines;
mod network;
mod sessions;
mod sockets;
mod tls;
mod tunnel;

/// A runtime whose clock jumps to whatever comes next, and which gives the kernel the time to deliver before each jump.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .on_thread_park(|| std::thread::park_timeout(std::time::Duration::from_micros(100)))
        .build()
        .unwrap()
}
