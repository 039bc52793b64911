//! Progress of long work: a live line on a terminal, and elsewhere a plain line now and then.

use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const FRAME: Duration = Duration::from_millis(120);

/// Where a line cannot be live, progress is printed after this time without a line.
const PLAIN_INTERVAL: Duration = Duration::from_secs(30);

static STATE: Mutex<State> = Mutex::new(State { bar: None, quiet_since: None });

struct State {
    /// What the terminal shows now.
    bar: Option<ProgressBar>,
    /// When the last plain line was printed, or the first one was omitted.
    quiet_since: Option<Instant>,
}

/// Shows a step of the work; where a line cannot be live, at once.
pub(crate) fn step(text: &str) {
    if is_live() {
        show(text, None);
    } else {
        print(text);
        clear();
    }
}

/// Shows what happens now, and how much of the total is done if that is known.
pub(crate) fn show(text: &str, done: Option<(u64, u64)>) {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    if is_live() {
        let bar = state.bar.get_or_insert_with(new_bar);
        let template = if done.is_some() { "{spinner} {bar:20} {wide_msg}" } else { "{spinner} {wide_msg}" };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        if let Some((position, total)) = done {
            bar.set_length(total);
            bar.set_position(position);
        }
        bar.set_message(text.to_owned());
        return;
    }
    let now = Instant::now();
    let since = *state.quiet_since.get_or_insert(now);
    if now - since >= PLAIN_INTERVAL {
        state.quiet_since = Some(now);
        print(text);
    }
}

fn print(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Removes the live line, so that another line can be printed.
pub(crate) fn clear() {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    state.quiet_since = None;
    if let Some(bar) = state.bar.take() {
        bar.finish_and_clear();
    }
}

/// Whether standard error is a terminal that can replace a line.
fn is_live() -> bool {
    !ProgressDrawTarget::stderr().is_hidden()
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(FRAME);
    bar
}
