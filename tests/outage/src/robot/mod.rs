//! The robot: a real session in a process of its own on its own host, driven by lines of JSON on its standard input.
//!
//! `program` is that process, `handle` what the scenarios hold of it, `diary` what its listener was told.

pub(crate) mod diary;
mod handle;
pub(crate) mod program;

pub(crate) use handle::Robot;

use serde::{Deserialize, Serialize};

/// Identity of the robot in the room.
pub(crate) const IDENTITY: &str = "robot";
/// A reliable channel with consecutive numbers.
pub(crate) const RELIABLE: &str = "/reliable";
/// A lossy channel with consecutive numbers.
pub(crate) const LOSSY: &str = "/lossy";
/// A reliable channel with large messages, quiet until [`Command::Load`].
pub(crate) const LOAD: &str = "/load";
/// A service that answers with what it was asked.
pub(crate) const ECHO: &str = "/echo";

/// What the robot can be told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Answer a [`Report`].
    Report,
    /// Log large messages on [`LOAD`] from now on: so many bytes, so often a second. 0: no more.
    Load { bytes: usize, hz: u32 },
    /// Close the session, answer a last [`Report`], and go on living.
    Stop,
}

/// How the robot is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    /// State of the session, and its last error.
    pub(crate) status: String,
    pub(crate) last_error: Option<String>,
    /// What the listener was told, in order.
    pub(crate) diary: Vec<diary::Entry>,
    /// Rooms joined so far.
    pub(crate) joins: u64,
    /// Registered viewers, and the subscriptions of all of them.
    pub(crate) viewers: usize,
    pub(crate) subscriptions: usize,
    /// Viewers that had to be reset.
    pub(crate) resets: u64,
    /// How long the session took to close.
    pub(crate) closed_ms: Option<u64>,
    /// Numbers logged so far on [`RELIABLE`].
    pub(crate) logged: u64,
}
