//! Whole sessions over a real LiveKit server, seen by the viewer client.

#![allow(unreachable_pub, reason = "the modules of a test binary have no outside")]

#[path = "../support/mod.rs"]
mod support;

mod data;
mod failures;
mod flood;
mod graph;
mod hostile;
mod joining;
mod leaving;
mod outages;
mod recording;
mod requests;
mod rig;
mod rights;
mod video;
mod video_cycles;
mod video_messages;
mod watching;
