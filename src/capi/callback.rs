//! The context of a callback table, as one owned value.

use std::ffi::c_void;

/// Signature of every `drop`.
pub(super) type Drop_ = Option<unsafe extern "C" fn(context: *mut c_void)>;

/// `context` and `drop` of a callback table. Dropping this calls the C `drop`: exactly once, when nobody can call into
/// the table any more.
pub(super) struct Context {
    context: *mut c_void,
    drop: Drop_,
}

// SAFETY: the header says that callbacks and `drop` run on threads of the library; whoever fills a table agrees.
unsafe impl Send for Context {}
// SAFETY: as above; which callbacks may overlap is said for each table in the header.
unsafe impl Sync for Context {}

impl Context {
    pub(super) fn new(context: *mut c_void, drop: Drop_) -> Self {
        Self { context, drop }
    }

    /// What the callbacks get as their first argument.
    pub(super) fn get(&self) -> *mut c_void {
        self.context
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if let Some(drop) = self.drop.take() {
            // SAFETY: the table's author gave both, and nothing else of the table is called from now on.
            unsafe { drop(self.context) };
        }
    }
}
