//! What the process gives to memory.

use super::guard::guard;
use super::status::{telelink_status, Failure};
use crate::gateway::set_malloc_arenas;

/// Bounds the number of memory arenas that glibc makes from now on: less memory for a robot that has little of it.
///
/// glibc gives busy threads an arena each, up to eight per core, and what is freed in one seldom goes back to the system;
/// the LiveKit library has many threads. Arenas that exist stay, so this belongs before the first session.
/// TELELINK_MALLOC_ARENAS in the environment does the same. docs/memory.md has figures.
///
/// @param most  1 to 1,024. It counts for the whole process: with 1 all threads share one lock when they allocate.
/// @return TELELINK_STATUS_OK             done
///         TELELINK_STATUS_INVALID_VALUE  `most` is out of range
///         TELELINK_STATUS_NOT_SUPPORTED  the C library is not glibc
///         TELELINK_STATUS_CLOSED         the process was forked from one that uses telelink
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub extern "C" fn telelink_set_malloc_arenas(most: u32) -> telelink_status {
    guard(|| {
        if !(1..=1024).contains(&most) {
            return Err(Failure::new(telelink_status::InvalidValue, format!("most is {most}, outside 1 to 1,024")));
        }
        if !set_malloc_arenas(most) {
            return Err(Failure::new(telelink_status::NotSupported, "this system's C library is not glibc"));
        }
        Ok(())
    })
}
