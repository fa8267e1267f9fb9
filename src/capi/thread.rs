//! The hook that sees the library's threads start.

use std::ffi::c_void;
use std::sync::Arc;

use super::callback::{Context, Drop_};
use super::guard::{guard, is_exiting, watch_process};
use super::handle;
use super::sized;
use super::status::telelink_status;
use super::view::telelink_str;
use crate::threads::{set_thread_hook, ThreadRole};

/// What a thread of the library is for. docs/threading.md says how many there are of each.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum telelink_thread_role {
    /// `tl-core`: decides, reads and writes for all sessions of the process.
    Core = 0,
    /// `tl-events`: calls a session's callbacks.
    Events = 1,
    /// `tl-handler`: runs handlers of requests.
    Handler = 2,
    /// `tl-async`: futures of Rust programs.
    Async = 3,
    /// `tl-deadman`: calls the callbacks of a control lease; late ones are dangerous.
    Deadman = 4,
    /// `tl-video`: converts pictures and feeds encoders: the heavy work.
    Video = 5,
    /// `tl-pacer`: sends lossy messages with a gap between them.
    Pacer = 6,
    /// `tl-token`: runs the token callback.
    Token = 7,
    /// `tl-log`: calls the receiver of the log.
    Log = 8,
    /// `tl-mcap`: writes a recording.
    Mcap = 9,
}

impl telelink_thread_role {
    fn of(role: ThreadRole) -> Self {
        match role {
            ThreadRole::Core => Self::Core,
            ThreadRole::Events => Self::Events,
            ThreadRole::Handler => Self::Handler,
            ThreadRole::Async => Self::Async,
            ThreadRole::DeadMan => Self::Deadman,
            ThreadRole::Video => Self::Video,
            ThreadRole::Pacer => Self::Pacer,
            ThreadRole::Token => Self::Token,
            ThreadRole::Log => Self::Log,
            ThreadRole::Mcap => Self::Mcap,
        }
    }
}

/// Sees the library's threads start. Set up with telelink_thread_callbacks_init().
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telelink_thread_callbacks {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Passed first to the function below. Consumed by telelink_thread_set_callbacks(), also on failure.
    pub context: *mut c_void,
    /// Exactly once, when no thread can call `on_start` any more, on the thread that ended its use last; may be NULL.
    pub drop: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// Called on each new thread of the library before that does anything else, on several at once: the place for
    /// pthread_setaffinity_np(), pthread_setschedparam() or setpriority(). `role` is a telelink_thread_role, `name` what
    /// `top -H` shows. May call anything of telelink, but the thread's work waits meanwhile. Required.
    pub on_start: Option<unsafe extern "C" fn(context: *mut c_void, role: i32, name: telelink_str)>,
}

sized_struct!(
    telelink_thread_callbacks,
    first_size: size_of::<telelink_thread_callbacks>(),
    defaults: telelink_thread_callbacks {
        struct_size: size_of::<telelink_thread_callbacks>(),
        context: std::ptr::null_mut(),
        drop: None,
        on_start: None,
    },
);

/// Fills callbacks with the defaults.
///
/// @param callbacks    Written.
/// @param struct_size  sizeof *callbacks.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `callbacks` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_thread_callbacks_init(
    callbacks: *mut telelink_thread_callbacks,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(callbacks, struct_size, "callbacks") })
}

/// Has every thread that the library starts from now on shown to the program at its start. Threads that run already are
/// not shown, so this belongs before the first session. The LiveKit library's own threads are not the library's: they
/// inherit affinity and scheduling policy of the thread that creates the first session.
///
/// @param callbacks  Borrowed; its context is consumed, on failure too. NULL: threads are shown to nobody.
/// @return TELELINK_STATUS_OK             done
///         TELELINK_STATUS_NULL_ARGUMENT  `on_start` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    `callbacks` was not set up with telelink_thread_callbacks_init()
///         TELELINK_STATUS_CLOSED         the process was forked from one that uses telelink
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_thread_set_callbacks(callbacks: *const telelink_thread_callbacks) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for NULL or callbacks readable by their size.
        let Some(table) = (unsafe { sized::read_optional(callbacks, "callbacks") })? else {
            set_thread_hook(None);
            return Ok(());
        };
        let context = Context::new(table.context, table.drop as Drop_);
        let Some(on_start) = table.on_start else { return Err(handle::null("callbacks.on_start")) };
        watch_process();
        set_thread_hook(Some(Arc::new(move |role: ThreadRole| {
            if is_exiting() {
                return;
            }
            let number = telelink_thread_role::of(role) as i32;
            // SAFETY: the function belongs to the table with this context; the name is static.
            unsafe { on_start(context.get(), number, telelink_str::of(role.name())) };
        })));
        Ok(())
    })
}
