//! The LITE socket: its messages, its behaviour with scripted servers, and with the mock.

mod connect;
mod failing_connections;
mod mock_server;
mod protocol;
mod script;
mod scripts;
mod session;
mod sources;
mod speech;
