//! The signals that end a command: Ctrl-C, a closed terminal or connection, and those of service managers.

use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows;

use crate::failure::Failure;

/// Whether an interrupt arrived that a command waited for; others end the process at once.
static ARRIVED: AtomicBool = AtomicBool::new(false);

/// Whether this command was interrupted, which decides its exit code.
pub(crate) fn interrupted() -> bool {
    ARRIVED.load(Ordering::Relaxed)
}

/// Receives interrupts; while it exists, they do not end the process.
pub(crate) struct Interrupt(Vec<Listener>);

struct Listener {
    signal: Signal,
    /// Whether it comes once per decision of a person or a service manager, so that a second one means "at once".
    ///
    /// A closed terminal sends SIGHUP more than once: the kernel and the shell do.
    is_deliberate: bool,
}

/// Starts to listen for the signals.
#[cfg(unix)]
fn listen() -> io::Result<Vec<Listener>> {
    let mut kinds =
        vec![(SignalKind::interrupt(), true), (SignalKind::terminate(), true), (SignalKind::quit(), true)];
    if !ignores_hangup() {
        kinds.push((SignalKind::hangup(), false));
    }
    let listen = |(kind, is_deliberate)| Ok(Listener { signal: signal(kind)?, is_deliberate });
    kinds.into_iter().map(listen).collect()
}

/// Whether `nohup` started this program, which is to survive the terminal. Only Linux shows that.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    ignored & (1 << (SignalKind::hangup().as_raw_value() - 1)) != 0
}

/// Windows gives a program about 5 s after all but the first two.
#[cfg(windows)]
fn listen() -> io::Result<Vec<Listener>> {
    Ok(vec![
        Listener { signal: Signal::C(windows::ctrl_c()?), is_deliberate: true },
        Listener { signal: Signal::Break(windows::ctrl_break()?), is_deliberate: true },
        Listener { signal: Signal::Close(windows::ctrl_close()?), is_deliberate: false },
        Listener { signal: Signal::Logoff(windows::ctrl_logoff()?), is_deliberate: false },
        Listener { signal: Signal::Shutdown(windows::ctrl_shutdown()?), is_deliberate: false },
    ])
}

#[cfg(windows)]
enum Signal {
    C(windows::CtrlC),
    Break(windows::CtrlBreak),
    Close(windows::CtrlClose),
    Logoff(windows::CtrlLogoff),
    Shutdown(windows::CtrlShutdown),
}

#[cfg(windows)]
impl Signal {
    fn poll_recv(&mut self, context: &mut std::task::Context<'_>) -> Poll<Option<()>> {
        match self {
            Self::C(signal) => signal.poll_recv(context),
            Self::Break(signal) => signal.poll_recv(context),
            Self::Close(signal) => signal.poll_recv(context),
            Self::Logoff(signal) => signal.poll_recv(context),
            Self::Shutdown(signal) => signal.poll_recv(context),
        }
    }
}

impl Interrupt {
    pub(crate) fn new() -> Result<Self, Failure> {
        let failed = |error| Failure::Usage(format!("failed to listen for Ctrl-C: {error}"), None);
        listen().map(Self).map_err(failed)
    }

    /// Waits for the next interrupt. One that arrived since the last wait is not lost.
    pub(crate) async fn wait(&mut self) {
        self.wait_for(|_| true).await;
    }

    /// Waits for the next interrupt that means "at once", after a first one.
    pub(crate) async fn wait_again(&mut self) {
        self.wait_for(|listener| listener.is_deliberate).await;
    }

    async fn wait_for(&mut self, counts: impl Fn(&Listener) -> bool) {
        poll_fn(|context| {
            let mut arrived = false;
            // Every listener is polled, so that each one wakes the task.
            for listener in self.0.iter_mut().filter(|listener| counts(listener)) {
                arrived |= listener.signal.poll_recv(context).is_ready();
            }
            if arrived { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        ARRIVED.store(true, Ordering::Relaxed);
    }
}
