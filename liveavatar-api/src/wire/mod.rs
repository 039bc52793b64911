//! Types that the lowered document names through `x-rust-type`, because a generator cannot derive them from a schema.

mod body;
mod credits;
mod envelope;
mod lenient;
mod nullable;
mod open_enum;
mod page;
mod text;
mod timestamp;

pub(crate) use body::{Body, FromBody};
pub use credits::Credits;
pub use envelope::Envelope;
pub(crate) use lenient::{
    echo, exact_integer, integer, integer_or_none, null_as_default, nullable, number, number_or_none,
};
pub use nullable::Nullable;
pub use open_enum::OpenEnum;
pub use page::Page;
pub(crate) use text::one_line;
pub use timestamp::Timestamp;
