//! The one answer of a request, whatever it asks for.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Error, ErrorKind};

/// Takes one answer, from any thread, at any time. Dropped unanswered, it answers with `dropped`.
pub(crate) struct OneShot<A> {
    sink: Box<dyn Fn(A) + Send + Sync>,
    answered: AtomicBool,
    dropped: fn() -> A,
}

impl<A> OneShot<A> {
    /// `sink` gets exactly one answer; `dropped` makes the one of a request that nobody answers.
    pub(crate) fn new(sink: impl Fn(A) + Send + Sync + 'static, dropped: fn() -> A) -> Self {
        Self { sink: Box::new(sink), answered: AtomicBool::new(false), dropped }
    }

    /// Answers; only the first one counts.
    pub(crate) fn answer(&self, answer: A) -> Result<(), Error> {
        if self.answered.swap(true, Ordering::AcqRel) {
            return Err(Error::new(ErrorKind::AlreadyResponded, "the request was answered already"));
        }
        (self.sink)(answer);
        Ok(())
    }
}

impl<A> Drop for OneShot<A> {
    fn drop(&mut self) {
        if !self.answered.swap(true, Ordering::AcqRel) {
            (self.sink)((self.dropped)());
        }
    }
}

impl<A> fmt::Debug for OneShot<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").field("answered", &self.answered).finish_non_exhaustive()
    }
}
