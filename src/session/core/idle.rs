//! The idle window: a room without viewers is left after a while (S-28 to S-31).

use std::time::{Duration, Instant};

use super::{Core, Effect, Now};

/// How long the room has been without viewers, and how long it may be.
#[derive(Default)]
pub(super) struct Idle {
    window: Option<Duration>,
    /// Since when nobody is registered; `None` with viewers, and outside of a room.
    since: Option<Instant>,
    /// The window has passed and the room is being left.
    over: bool,
}

impl Idle {
    pub(super) fn deadline(&self) -> Option<Instant> {
        // A window too long for the clock never passes.
        self.since.filter(|_| !self.over)?.checked_add(self.window?)
    }
}

impl Core {
    /// How long the session stays in a room without viewers; `None`: for ever.
    pub(super) fn set_idle_window(&mut self, window: Option<Duration>) {
        self.idle.window = window;
    }

    /// The countdown starts anew: the application wants the session to stay.
    pub(super) fn stay(&mut self) {
        self.idle.since = None;
    }

    /// After every input: starts, keeps or clears the countdown. It runs from the join as it does from the last
    /// viewer's leaving (S-29), and only registered viewers stop it (S-30). One whose reset has to wait is a viewer too.
    pub(super) fn watch_idle(&mut self, now: Now) {
        if !self.in_room {
            self.idle.over = false;
        }
        if self.in_room && self.clients.is_empty() && !self.resets.anybody_waits() {
            self.idle.since.get_or_insert(now.mono);
        } else {
            self.idle.since = None;
        }
    }

    /// Last of what a tick does: the driver leaves the room when it applies this. It has handled every room event that
    /// had come by then, so that a viewer who arrives in the last moment counts (S-31, S-164).
    pub(super) fn tick_idle(&mut self, now: Now) {
        if self.idle.deadline().is_some_and(|at| at <= now.mono) {
            tracing::info!("no viewer for the idle window; the room is left");
            self.idle.over = true;
            self.effects.push(Effect::Leave);
        }
    }
}
