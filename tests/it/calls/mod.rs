//! Calls: every generated operation, calls by name, pages, and waiting for an avatar.

mod avatars;
mod dynamic;
mod operations;
mod page_links;
mod pages;
mod random_bodies;
