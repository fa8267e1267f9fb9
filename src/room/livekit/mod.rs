//! The real room: the port over the official prebuilt LiveKit library, loaded at run time (design.md decision 4).
//!
//! [`Library::load`] finds and loads the library once per process; [`LivekitConnector`] makes rooms with it. Every fact
//! about the library that shapes this code is in livekit-ffi.md.
//!
//! - `library`: loading, the C surface; the only `unsafe`.
//! - `messages`, `schema`: the protobuf subset. `handle`: who owns handles.
//! - `connect`, `hints`: joining, and why it failed.
//! - `dispatch`: events to whoever waits for them.
//! - `room`, `events`: one room. `streams`, `data_tracks`, `video`, `video_in`, `stats`: what it carries. What does not depend
//!   on the C surface is in `livekit_common`.

#[macro_use]
mod schema;

mod connect;
mod data_tracks;
mod dispatch;
mod events;
mod handle;
mod library;
mod logs;
mod messages;
mod participants;
mod room;
mod search;
mod stats;
mod streams;
mod video;
mod video_in;

pub use connect::LivekitConnector;
pub use library::{set_malloc_arenas, Library, LibraryOptions};
#[doc(hidden)]
pub use schema::{EnumDecl, FieldDecl, MessageDecl};
pub use search::LibraryError;

/// The messages and enums that this adapter speaks, for the test that compares them with the wheel's descriptors.
#[doc(hidden)]
pub fn declared_schema() -> (&'static [MessageDecl], &'static [EnumDecl]) {
    (messages::MESSAGES, messages::ENUMS)
}

/// Lets unit tests see which handles would have been dropped.
#[cfg(test)]
mod test_hooks {
    use std::cell::RefCell;

    thread_local! {
        static DROPPED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn record_drop(id: u64) {
        DROPPED.with_borrow_mut(|dropped| dropped.push(id));
    }

    pub(super) fn take_dropped() -> Vec<u64> {
        DROPPED.take()
    }
}
