//! The library's advice, with its operations and methods replaced by commands of this program.

use liveavatar_api::Uuid;
use liveavatar_api::raw::{OPERATIONS, Operation};

use crate::command_name::command_of;
use crate::document::OperationSpec;

/// With its hyphens.
const UUID_LENGTH: usize = 36;

const METHODS: [&str; 5] = ["GET ", "POST ", "PUT ", "PATCH ", "DELETE "];

/// Calls of the library that its messages name; the command stops the session that the message is about.
const STOP_CALLS: [&str; 2] = ["`Client::session(id).stop()`", "`Client::shutdown()`"];

/// What only users of the library can do.
const LIBRARY_ONLY: &str = ", as the `livekit` feature of this crate does";

/// Replaces every operation, such as `GET /v1/voices`, by its command, such as `liveavatar voices list`.
pub(crate) fn as_commands(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_hexdigit() && c != '-');
    let id = words.filter(|word| word.len() == UUID_LENGTH).find(|word| Uuid::try_parse(word).is_ok());
    let stop = format!("`liveavatar session stop {}`", id.unwrap_or("ID"));
    let text = STOP_CALLS.iter().fold(text.to_owned(), |text, call| text.replace(call, &stop));
    let text = text.replace(LIBRARY_ONLY, "");
    let mut shown = String::new();
    let mut rest = text.as_str();
    while let Some(start) = METHODS.iter().filter_map(|method| rest.find(&format!("{method}/"))).min() {
        let (before, operation) = rest.split_at(start);
        let end = operation.match_indices(is_end).map(|(end, _)| end).nth(1).unwrap_or(operation.len());
        let (named, after) = operation.split_at(end);
        let command = find(named).and_then(|operation| command_of(OperationSpec::of(operation)));
        shown += before;
        match command {
            Some(command) => shown.extend(["`liveavatar ", &command, "`"]),
            None => shown += named,
        }
        rest = after;
    }
    shown + rest
}

/// Whether a character ends the method, or the path, in which a parameter is in braces.
fn is_end(c: char) -> bool {
    !c.is_ascii_alphanumeric() && !"/{}_-".contains(c)
}

fn find(named: &str) -> Option<&'static Operation> {
    let (method, path) = named.split_once(' ')?;
    OPERATIONS.iter().find(|operation| operation.method == method && operation.path == path)
}
