//! A whole session on the memory room: viewers come, say anything, and go, while the application uses the session.
//!
//! The input is a script, one byte per step and what the step takes. Whatever it says: nothing panics, memory stays
//! within the bounds, the listener sees an end for every beginning, and the session closes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use telelink_fuzz::session;

fuzz_target!(|script: &[u8]| session::run(script));
