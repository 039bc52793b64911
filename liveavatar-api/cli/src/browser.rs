//! Opening a page in the browser.

use crate::output::Output;

/// Opens an address in the browser of the desktop, and says how to do so by hand if that fails.
pub(crate) fn open(url: &str, output: Output) {
    if open::that_detached(url).is_err() {
        output.progress(&format!("no browser was found; open {url} yourself"));
    }
}
