//! Changes on their way out: to the sessions the store is attached to, and to the robot's observers.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};

use indexmap::IndexMap;
use parking_lot::Mutex;

use super::options::ParameterObserver;
use crate::session::{run_callback, Parameter, ParameterPublisher};

/// Who is told of changes.
#[derive(Default)]
pub(super) struct Delivery {
    /// Held while values are read and handed over, so that they arrive in the order in which they counted.
    publishers: Mutex<Vec<Weak<dyn ParameterPublisher>>>,
    calls: Mutex<Calls>,
    panics: AtomicU64,
}

/// Calls of observers that wait: per declaration the newest value, so that there are never more than parameters.
#[derive(Default)]
struct Calls {
    waiting: IndexMap<u64, (ParameterObserver, Arc<Parameter>)>,
    /// A thread is making calls, and will make those that come meanwhile.
    running: bool,
}

impl Delivery {
    pub(super) fn attach(&self, publisher: Weak<dyn ParameterPublisher>) {
        let mut publishers = self.publishers.lock();
        publishers.retain(|publisher| publisher.strong_count() > 0);
        publishers.push(publisher);
    }

    /// Publishes what `read` gives; it is called under the lock that keeps the order.
    pub(super) fn publish(&self, read: impl FnOnce() -> Vec<Parameter>) {
        let publishers = self.publishers.lock();
        if publishers.is_empty() {
            return;
        }
        let values = read();
        // Kept until the lock is free: a session that ends here drops what belongs to the application.
        let live: Vec<_> = publishers.iter().filter_map(Weak::upgrade).collect();
        if !values.is_empty() {
            for publisher in &live {
                publisher.publish(values.clone());
            }
        }
        drop(publishers);
        drop(live);
    }

    /// Notes a call for [`call`](Self::call). Under the store's lock, so that calls have the order of the changes. What it
    /// replaces is to be dropped outside.
    #[must_use]
    pub(super) fn changed(
        &self,
        declaration: u64,
        observer: ParameterObserver,
        parameter: Arc<Parameter>,
    ) -> Option<(ParameterObserver, Arc<Parameter>)> {
        self.calls.lock().waiting.insert(declaration, (observer, parameter))
    }

    /// Forgets a call that waits.
    #[must_use]
    pub(super) fn forget(&self, declaration: u64) -> Option<(ParameterObserver, Arc<Parameter>)> {
        self.calls.lock().waiting.shift_remove(&declaration)
    }

    /// Makes the calls that wait, one after another, without a lock. While another thread, or this one further up its
    /// stack, is at it, that one makes them.
    pub(super) fn call(&self) {
        let mut started = false;
        loop {
            let (observer, parameter) = {
                let mut calls = self.calls.lock();
                if calls.running && !started {
                    return;
                }
                let Some((_, call)) = calls.waiting.shift_remove_index(0) else {
                    calls.running = false;
                    return;
                };
                calls.running = true;
                started = true;
                call
            };
            run_callback("on_change", &self.panics, || {
                observer(&parameter);
                // Here, because it may be the last reference, and its destructor the application's.
                drop(observer);
            });
        }
    }

    pub(super) fn panics(&self) -> &AtomicU64 {
        &self.panics
    }
}
