//! Ctrl-C, and SIGTERM from service managers.

use crate::failure::Failure;

/// Receives interrupts; while it exists, they do not end the process.
pub(crate) struct Interrupt {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 2],
    #[cfg(windows)]
    signal: tokio::signal::windows::CtrlC,
}

impl Interrupt {
    pub(crate) fn new() -> Result<Self, Failure> {
        let failed =
            |error: std::io::Error| Failure::Usage(format!("failed to listen for Ctrl-C: {error}"), None);
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let listen = |kind| signal(kind).map_err(failed);
            Ok(Self { signals: [listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?] })
        }
        #[cfg(windows)]
        Ok(Self { signal: tokio::signal::windows::ctrl_c().map_err(failed)? })
    }

    /// Waits for the next interrupt. One that arrived since the last wait is not lost.
    pub(crate) async fn wait(&mut self) {
        #[cfg(unix)]
        {
            let [interrupt, terminate] = &mut self.signals;
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        #[cfg(windows)]
        drop(self.signal.recv().await);
    }
}
