//! `tl-deadman`: tells the robot who holds control, on a thread that does nothing else.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::{Client, ControlListener, ControlLost};
use crate::context::run_callback;
use crate::threads::{self, ThreadRole};

/// From so many undelivered calls on, pairs of which neither was delivered cancel out: a viewer that takes and releases
/// control in a loop must not fill a queue that a stuck callback does not empty.
const CANCEL_ABOVE: usize = 64;

/// Something about control that the application is told.
#[derive(Debug, Clone)]
pub(crate) enum ControlEvent {
    Taken(Arc<Client>),
    Lost(Arc<Client>, ControlLost),
}

/// The queue of undelivered calls, and the thread that makes them.
pub(crate) struct DeadMan {
    state: Mutex<State>,
    work: Condvar,
    done: Condvar,
    panics: Arc<AtomicU64>,
}

#[derive(Default)]
struct State {
    events: VecDeque<ControlEvent>,
    /// Who holds control after the last event.
    holder: Option<Arc<Client>>,
    finishing: bool,
    finished: bool,
}

impl DeadMan {
    /// Starts the thread.
    pub(crate) fn start(listener: Arc<dyn ControlListener>, panics: Arc<AtomicU64>) -> std::io::Result<Arc<Self>> {
        let deadman = Arc::new(Self { state: Mutex::default(), work: Condvar::new(), done: Condvar::new(), panics });
        let shared = deadman.clone();
        threads::spawn(ThreadRole::DeadMan, move || shared.run(listener))?;
        Ok(deadman)
    }

    pub(crate) fn tell(&self, event: ControlEvent) {
        self.state.lock().push(event);
        self.work.notify_one();
    }

    /// Ends the thread after what waits. Control that is still held is lost with the session, however that ended.
    pub(crate) fn finish(&self) {
        let mut state = self.state.lock();
        if let Some(holder) = state.holder.take() {
            state.push(ControlEvent::Lost(holder, ControlLost::RoomLost));
        }
        state.finishing = true;
        drop(state);
        self.work.notify_one();
    }

    /// Waits until the last call has returned, and says every second that it waits.
    pub(crate) fn wait_finished(&self) {
        let mut state = self.state.lock();
        while !state.finished {
            if self.done.wait_for(&mut state, Duration::from_secs(1)).timed_out() {
                tracing::warn!("the session's end waits for a callback of the control lease that is still running");
            }
        }
    }

    fn run(&self, listener: Arc<dyn ControlListener>) {
        while let Some(event) = self.next() {
            match event {
                ControlEvent::Taken(client) => {
                    run_callback("on_control_taken", &self.panics, || listener.on_control_taken(&client));
                }
                ControlEvent::Lost(client, reason) => {
                    run_callback("on_control_lost", &self.panics, || listener.on_control_lost(&client, reason));
                }
            }
        }
        run_callback("drop", &self.panics, || drop(listener));
        self.state.lock().finished = true;
        self.done.notify_all();
    }

    fn next(&self) -> Option<ControlEvent> {
        let mut state = self.state.lock();
        loop {
            if let Some(event) = state.events.pop_front() {
                return Some(event);
            }
            if state.finishing {
                return None;
            }
            self.work.wait(&mut state);
        }
    }
}

impl State {
    fn push(&mut self, event: ControlEvent) {
        self.holder = match &event {
            ControlEvent::Taken(client) => Some(client.clone()),
            ControlEvent::Lost(..) => None,
        };
        let ends = matches!(event, ControlEvent::Lost(..));
        if ends && self.events.len() >= CANCEL_ABOVE && matches!(self.events.back(), Some(ControlEvent::Taken(_))) {
            // Taken and lost of one client are neighbours: there is one holder at a time.
            self.events.pop_back();
            return;
        }
        self.events.push_back(event);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::sync::mpsc::{channel, Receiver, Sender};

    use super::*;
    use crate::session::ClientId;

    struct Slow(Sender<String>, Mutex<Receiver<()>>);

    impl ControlListener for Slow {
        fn on_control_taken(&self, client: &Client) {
            self.0.send(format!("+{}", client.id)).unwrap();
            let _ = self.1.lock().recv();
        }
        fn on_control_lost(&self, client: &Client, reason: ControlLost) {
            self.0.send(format!("-{} {reason}", client.id)).unwrap();
            assert_ne!(client.id.get(), 1, "a bug of the application");
        }
    }

    fn client(id: u32) -> Arc<Client> {
        Arc::new(Client {
            id: ClientId(id),
            identity: "ann".into(),
            sid: "S".into(),
            name: String::new(),
            attributes: Default::default(),
            joined_at_ms: 0,
        })
    }

    #[test]
    fn lease_calls_that_wait_are_bounded_and_stay_in_pairs() {
        let ((told, lines), (open, gate)) = (channel(), channel());
        let panics = Arc::<AtomicU64>::default();
        let deadman = DeadMan::start(Arc::new(Slow(told, Mutex::new(gate))), panics.clone()).unwrap();
        deadman.tell(ControlEvent::Taken(client(1)));
        assert_eq!(lines.recv().unwrap(), "+1");
        deadman.tell(ControlEvent::Lost(client(1), ControlLost::Silent));
        for id in 2..10_000 {
            deadman.tell(ControlEvent::Taken(client(id)));
            deadman.tell(ControlEvent::Lost(client(id), ControlLost::Released));
            assert!(deadman.state.lock().events.len() <= CANCEL_ABOVE + 1);
        }
        drop(open);
        deadman.finish();
        deadman.wait_finished();
        let lines: Vec<String> = lines.try_iter().collect();
        assert_eq!(lines[0], "-1 its holder's heartbeat stopped");
        let (taken, lost): (Vec<_>, Vec<_>) = lines[1..].iter().partition(|line| line.starts_with('+'));
        assert_eq!(taken.len(), lost.len());
        assert!(!taken.is_empty());
        assert_eq!(panics.load(Ordering::Relaxed), 1, "and the thread went on");
    }

    #[test]
    fn lease_that_is_held_at_the_end_of_the_session_is_told_as_lost() {
        let ((told, lines), (open, gate)) = (channel(), channel());
        let deadman = DeadMan::start(Arc::new(Slow(told, Mutex::new(gate))), Arc::default()).unwrap();
        deadman.tell(ControlEvent::Taken(client(7)));
        assert_eq!(lines.recv().unwrap(), "+7");
        deadman.finish();
        drop(open);
        deadman.wait_finished();
        assert_eq!(lines.try_iter().collect::<Vec<_>>(), ["-7 the room was lost"]);
    }
}
