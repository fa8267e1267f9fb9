//! Viewers that mean harm, on a memory room: what one of them can cost is bounded ("What one viewer can cost" in
//! docs/threading.md), and another viewer hardly notices.

#![allow(unreachable_pub, reason = "the modules of a test binary have no outside")]

mod floods;
mod frames;
mod memory;
mod requests;
mod rig;
