//! Handles of the LiveKit library: one Rust value owns one handle and drops it once.
//!
//! The owner is [`FfiOwnedHandle`] itself, the type every handle arrives as. A response or an event that is decoded and
//! then ignored therefore frees what it carried without anybody having to think of it, also when a later part of the
//! same message fails to decode.

use super::library;
use super::messages::FfiOwnedHandle;

/// One owned handle.
pub(super) type Handle = FfiOwnedHandle;

impl FfiOwnedHandle {
    /// Takes ownership of a handle that came as a bare number: the reply buffer of a request.
    pub(super) fn owning(id: u64) -> Self {
        Self { id }
    }

    /// The number, for requests that name the handle.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Forgets the handle: a request has consumed it.
    pub(super) fn consumed(mut self) {
        self.id = 0;
    }
}

impl Drop for FfiOwnedHandle {
    fn drop(&mut self) {
        // 0 is no handle: a default value, a missing required field, or a consumed one.
        if self.id != 0 {
            library::drop_handle(self.id);
        }
    }
}
