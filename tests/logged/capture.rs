//! Everything that is logged in this process, kept by thread.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;

thread_local! {
    // A test's client and mock run on the test's own thread, so that parallel tests do not mix.
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Own;

impl Write for Own {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Begins to capture: all targets, spans and events with all fields, at TRACE, which includes every other level.
///
/// Called before anything is logged, because a callsite that is reached without a subscriber stays off.
pub(crate) fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
            .without_time()
            .with_writer(|| Own)
            .init();
    });
}

/// What this thread has logged since the last call.
pub(crate) fn take() -> String {
    String::from_utf8(LOGGED.take()).unwrap()
}
