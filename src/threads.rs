//! The threads of the library: each is started here, has a name, and is shown to the application's hook before it does
//! anything else, so that a robot can set its affinity or priority.

use std::cell::Cell;
use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use parking_lot::RwLock;

/// What a thread of the library is for. docs/threading.md says how many there are of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ThreadRole {
    /// Decides, reads and writes for all sessions of the process.
    Core,
    /// Calls a session's listener.
    Events,
    /// Runs handlers of requests.
    Handler,
    /// Runs futures that answer requests (Rust only).
    Async,
    /// Calls the callbacks of a control lease: late ones are dangerous.
    DeadMan,
    /// Converts pictures and feeds encoders: the heavy work.
    Video,
    /// Sends lossy messages with a gap between them.
    Pacer,
    /// Runs the token callback.
    Token,
    /// Calls the receiver of the log.
    Log,
    /// Writes a recording.
    Mcap,
}

impl ThreadRole {
    /// All roles.
    pub const ALL: [Self; 10] = [
        Self::Core,
        Self::Events,
        Self::Handler,
        Self::Async,
        Self::DeadMan,
        Self::Video,
        Self::Pacer,
        Self::Token,
        Self::Log,
        Self::Mcap,
    ];

    /// Name of its threads, as `top -H` shows it; at most 15 bytes, which is what Linux keeps.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Core => "tl-core",
            Self::Events => "tl-events",
            Self::Handler => "tl-handler",
            Self::Async => "tl-async",
            Self::DeadMan => "tl-deadman",
            Self::Video => "tl-video",
            Self::Pacer => "tl-pacer",
            Self::Token => "tl-token",
            Self::Log => "tl-log",
            Self::Mcap => "tl-mcap",
        }
    }
}

/// Called on each thread of the library at its start.
pub type ThreadHook = Arc<dyn Fn(ThreadRole) + Send + Sync>;

static HOOK: RwLock<Option<ThreadHook>> = RwLock::new(None);

/// Has `hook` called on every thread that the library starts from now on, before that thread does anything else; `None`:
/// nothing is called. Threads that run already are not shown, so it belongs before the first session.
///
/// One hook for the process, called on several threads at once; a panic in it is logged and goes no further. LiveKit's
/// own threads are not the library's: they inherit affinity and priority of the thread that starts the first session.
pub fn set_thread_hook(hook: Option<ThreadHook>) {
    let before = std::mem::replace(&mut *HOOK.write(), hook);
    // Outside the lock: what it owns may have a destructor that calls us.
    drop(before);
}

/// Starts a thread of the library.
pub(crate) fn spawn(role: ThreadRole, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let run = move || {
        started(role);
        body();
    };
    Builder::new().name(role.name().into()).spawn(run)
}

/// Shows the calling thread, which has just been started, to the hook.
pub(crate) fn started(role: ThreadRole) {
    let Some(hook) = HOOK.read().clone() else { return };
    let panicked = as_callback(|| catch_unwind(AssertUnwindSafe(|| hook(role))).is_err());
    if panicked {
        tracing::error!(thread = role.name(), "the thread hook panicked; the thread goes on");
    }
}

thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is running a callback of this library: then nothing may wait for callbacks to end.
pub(crate) fn on_callback_thread() -> bool {
    IN_CALLBACK.get()
}

/// Runs a callback of the application, marked as such. It must not unwind.
pub(crate) fn as_callback<T>(callback: impl FnOnce() -> T) -> T {
    let outer = IN_CALLBACK.replace(true);
    let result = callback();
    IN_CALLBACK.set(outer);
    result
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// One test, for there is one hook; other tests of this process start threads meanwhile.
    #[test]
    fn the_hook_runs_first_on_each_new_thread_and_its_panic_stays_there() {
        let (tx, rx) = channel();
        set_thread_hook(Some(Arc::new(move |role| {
            if role == ThreadRole::Async {
                let _ = tx.send(std::thread::current().name().map(str::to_owned));
                assert!(on_callback_thread());
                panic!("made by a test");
            }
        })));
        let (done, ran) = channel();
        spawn(ThreadRole::Async, move || done.send(on_callback_thread()).unwrap()).unwrap().join().unwrap();
        assert_eq!(rx.recv().unwrap().as_deref(), Some("tl-async"));
        assert!(!ran.recv().unwrap(), "only the hook is a callback");
        set_thread_hook(None);
        // Ends, because a hook that was replaced is dropped.
        rx.iter().for_each(drop);
        spawn(ThreadRole::Async, || ()).unwrap().join().unwrap();
    }

    #[test]
    fn names_fit_into_what_linux_keeps() {
        for role in ThreadRole::ALL {
            assert!(role.name().starts_with("tl-") && role.name().len() <= 15, "{role:?}");
        }
    }
}
