//! Whole sessions over a real LiveKit server, seen by the viewer client.

#[path = "../support/mod.rs"]
mod support;

mod data;
mod failures;
mod joining;
mod rig;
