//! Programs that use the packages as their users do, written from the README and the guide.

mod catalogue;
mod faults;
