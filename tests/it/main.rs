//! The workspace's tests. Each module mirrors a module or a package of the workspace.

#![expect(clippy::unwrap_used, reason = "a test fails if a value is missing")]

// `liveavatar-api`, from the bottom layer to the top layer.
mod calls;
mod client;
mod config;
mod endpoint;
mod http;
mod raw;
mod realtime;
mod session;
mod store;
mod supervisor;
mod wire;

// The other packages.
mod cli;
mod mock;
mod xtask;

// The whole workspace: its layers, the messages of the compiler, its fuzz targets, and random inputs for several modules.
mod compiler;
mod fuzz;
mod layers;
mod properties;
