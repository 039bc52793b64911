//! Commands, events and audio of a running session.

mod any_json;
mod audio;
mod full;
mod lite;
