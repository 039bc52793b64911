//! Calls: every generated operation, setters, calls by name, pages, pictures, and waiting for an avatar.

mod avatars;
mod dynamic;
mod form;
mod operations;
mod owned;
mod page_links;
mod page_walks;
mod pages;
mod pictures;
mod random_bodies;
mod setters;
