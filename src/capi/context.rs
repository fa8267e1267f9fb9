//! `telelink_context`.

use super::guard::{guard, guard_or};
use super::handle;
use super::status::telelink_status;
use crate::context::Context;

/// A set of channels, and the sessions that carry what is logged to them. Most programs have one.
pub struct telelink_context {
    pub(super) context: Context,
}

/// Makes an empty context.
///
/// @param out  Receives the context; free it with telelink_context_free(). Written only on success.
/// @return TELELINK_STATUS_OK             made
///         TELELINK_STATUS_NULL_ARGUMENT  `out` is NULL
///         TELELINK_STATUS_CLOSED         the process was forked from one that uses telelink
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_context_create(out: *mut *mut telelink_context) -> telelink_status {
    guard(|| {
        let out = handle::out_pointer(out, "out")?;
        // SAFETY: not NULL; the header asks for a writable pointer.
        unsafe { handle::give(out, telelink_context { context: Context::new() }) };
        Ok(())
    })
}

/// Frees the handle. Channels and sessions made from the context go on living.
///
/// @param context  Consumed. NULL does nothing.
/// @threading Any thread, but nobody may use this handle meanwhile. Never blocks. Allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_context_free(context: *mut telelink_context) {
    // SAFETY: the header asks for NULL or a live handle that is not used again.
    guard_or((), || drop(unsafe { handle::take(context) }));
}
