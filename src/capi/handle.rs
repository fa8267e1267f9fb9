//! Opaque handles: the only places where a box becomes a pointer of C and a box again.

use super::status::{telelink_status, Failure};

/// The object behind a handle of C.
///
/// # Safety
/// `handle` must be NULL or live, made by [`give`], and not freed during `'a`.
#[inline]
pub(super) unsafe fn borrow<'a, T>(handle: *const T, name: &'static str) -> Result<&'a T, Failure> {
    if handle.is_null() {
        return Err(null(name));
    }
    // SAFETY: not NULL; the rest is the caller's promise.
    Ok(unsafe { &*handle })
}

/// Hands an object over to C.
///
/// # Safety
/// `out` must point to a writable pointer; [`out_pointer`] has refused NULL.
pub(super) unsafe fn give<T>(out: *mut *mut T, object: T) {
    // SAFETY: the caller's promise.
    unsafe { out.write(Box::into_raw(Box::new(object))) };
}

/// Takes an object back from C, to be dropped.
///
/// # Safety
/// `handle` must be NULL or live, made by [`give`], and not used again.
pub(super) unsafe fn take<T>(handle: *mut T) -> Option<Box<T>> {
    if handle.is_null() {
        return None;
    }
    // SAFETY: made by `give`, which is `Box::into_raw`; the caller gives it up.
    Some(unsafe { Box::from_raw(handle) })
}

/// Refuses a NULL out pointer before anything is done.
#[inline]
pub(super) fn out_pointer<T>(out: *mut T, name: &'static str) -> Result<*mut T, Failure> {
    if out.is_null() {
        Err(null(name))
    } else {
        Ok(out)
    }
}

#[cold]
pub(super) fn null(name: &'static str) -> Failure {
    Failure::new(telelink_status::NullArgument, format!("{name} is NULL"))
}
