//! Captures everything that this process logs, by thread.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::util::SubscriberInitExt;

thread_local! {
    // A test's client and mock run on the test's thread, so that parallel tests do not mix.
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct ThreadLog;

impl Write for ThreadLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts to capture all spans and events of all targets, with all fields, at TRACE.
///
/// Call it before anything is logged: a callsite that is reached without a subscriber stays disabled.
pub(crate) fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| subscriber(LevelFilter::TRACE).init());
}

/// Captures only spans and events up to a level on this thread, until the guard is dropped.
#[must_use]
pub(crate) fn limit(level: LevelFilter) -> impl Sized {
    start();
    subscriber(level).set_default()
}

fn subscriber(level: LevelFilter) -> impl SubscriberInitExt {
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
        .without_time()
        .with_writer(|| ThreadLog)
        .finish()
}

/// Returns what this thread has logged since the last call.
pub(crate) fn take() -> String {
    String::from_utf8(LOGGED.take()).unwrap()
}
