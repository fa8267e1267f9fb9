//! A callback that a gateway runs on a thread of its own: one call at a time, and the session's end waits for it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::time::Instant;

use super::WAIT_REPORT;

/// Whether a call runs, and whether one may begin.
#[derive(Default)]
pub(crate) struct OneCall {
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Default)]
struct State {
    since: Option<Instant>,
    finished: bool,
}

/// A call under way. Ends with this value, so that it is the last thing that its thread lets go of.
pub(crate) struct Running(Arc<OneCall>);

/// Why no call may begin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Busy {
    /// The call before has been running so long.
    Since(Duration),
    /// The session has ended.
    Finished,
}

impl OneCall {
    /// Begins a call.
    pub(crate) fn begin(self: &Arc<Self>) -> Result<Running, Busy> {
        let mut state = self.state.lock();
        match state.since {
            Some(since) => Err(Busy::Since(since.elapsed())),
            None if state.finished => Err(Busy::Finished),
            None => {
                state.since = Some(Instant::now());
                Ok(Running(self.clone()))
            }
        }
    }

    /// Lets no more calls begin and waits for the one under way, saying every second that it waits.
    pub(crate) fn finish(&self) {
        let mut state = self.state.lock();
        state.finished = true;
        while state.since.is_some() {
            if self.done.wait_for(&mut state, WAIT_REPORT).timed_out() {
                tracing::warn!("the session's end waits for a token callback that is still running");
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.state.lock().since = None;
        self.0.done.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_call_at_a_time_and_none_after_the_end() {
        let call = Arc::<OneCall>::default();
        let running = call.begin().map_err(|_| ()).unwrap();
        tokio::time::advance(Duration::from_secs(7)).await;
        assert_eq!(call.begin().err(), Some(Busy::Since(Duration::from_secs(7))));
        drop(running);
        drop(call.begin().map_err(|_| ()).unwrap());
        call.finish();
        assert_eq!(call.begin().err(), Some(Busy::Finished));
    }
}
