//! Sessions and sockets over a connection that fails after any byte.

mod sessions;
mod sockets;

use crate::http::paused_runtime as runtime;
mod lines {
    pub(super) use crate::http::offset_table::OffsetTable as Lines;
}
mod tunnel {
    pub(super) use crate::http::faulty_proxy::{Cut, Fault, FaultyProxy as Tunnel, Side};
}
