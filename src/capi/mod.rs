//! The C surface: C values in, Rust values out. The only `extern "C"` of the crate; everything is decided in the layers
//! below.
//!
//! One file per C object, in the order of the header. The doc comments of the public items are the text of the
//! generated header (`include/telelink/telelink.h`, by `scripts/header.sh`) and are written for its readers.
//!
//! Rules that the files share: the body of every exported function is one `guard` call (a test checks it); pointers
//! become references only through `handle`, `view` and `sized`, which refuse NULL by argument name; enums come in as
//! `i32`; a callback table is owned by one [`callback::Context`], whose drop is the C `drop`.

// The names are those of C; their documentation is the header's and uses its markup.
#![allow(non_camel_case_types, missing_docs, rustdoc::all, clippy::missing_safety_doc, clippy::doc_markdown)]

#[macro_use]
mod sized;
mod callback;
mod guard;
mod handle;
mod parameter_convert;
mod view;

pub mod asset;
pub mod asset_folder;
pub mod channel;
pub mod client;
pub mod context;
pub mod graph;
pub mod last_error;
pub mod lease;
pub mod log;
pub mod mcap_writer;
pub mod mcap_writer_options;
pub mod mcap_writer_stats;
pub mod memory;
pub mod parameter;
pub mod parameter_handler;
pub mod parameter_store;
pub mod rights;
pub mod service;
pub mod session;
pub mod session_callbacks;
pub mod session_options;
pub mod session_snapshot;
pub mod session_stats;
pub mod status;
/// cbindgen:ignore
pub mod testing;
#[cfg(test)]
mod tests;
pub mod thread;
pub mod token;
pub mod version;
pub mod video;
