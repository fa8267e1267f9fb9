//! The library's own log: `tracing` events to standard error or to a callback of C.
//!
//! Events are made anywhere in the library, also under its locks, so a callback never runs where an event is made: a
//! bounded queue takes the records to the thread `tl-log`, which calls it.

mod queue;

use std::ffi::c_void;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicU8, Ordering};
use std::sync::{Once, OnceLock};

use parking_lot::{Condvar, Mutex};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use self::queue::{Order, Queue, Record};
use super::callback::{Context, Drop_};
use super::guard::{guard, is_exiting};
use super::sized;
use super::status::{telelink_status, Failure};
use super::view::telelink_str;
use crate::context::now_ns;
use crate::environment::TELELINK_LOG;
use crate::session::run_callback;
use crate::threads::{self, ThreadRole};

/// How much the library says. Each level includes those above it.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum telelink_log_level {
    /// Nothing.
    Off = 0,
    /// Something failed and the robot's people should know.
    Error = 1,
    /// Something is wrong and the library goes on.
    Warn = 2,
    /// Connections, viewers, statistics every 30 s.
    Info = 3,
    /// For finding faults.
    Debug = 4,
    /// Everything.
    Trace = 5,
}

/// One record of the log. Borrowed, valid during the callback.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_log_record {
    /// Size of this struct as the library knows it, bytes.
    pub struct_size: usize,
    /// When, nanoseconds since the Unix epoch.
    pub time_ns: u64,
    /// A telelink_log_level.
    pub level: i32,
    /// Not used; 0.
    pub reserved: u32,
    /// Which part of the library.
    pub target: telelink_str,
    /// What. Never contains a token.
    pub message: telelink_str,
}

/// Receives the log. Set up with telelink_log_callbacks_init().
///
/// Records come one after another on the library's thread `tl-log`, with no lock of the library held, so a receiver may
/// block: sessions and `log` go on. When 1,024 records wait, further ones are dropped and counted, and a record of target
/// "telelink::log" says how many where they are missing. `drop` runs on that thread, after the last record, when another
/// receiver has taken over.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telelink_log_callbacks {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Passed first to the function below. Consumed by telelink_log_set_callbacks(), also on failure.
    pub context: *mut c_void,
    /// Exactly once, after the last record; may be NULL.
    pub drop: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// One record. May call anything of telelink; what the library logs meanwhile on that thread is left out. Required.
    pub on_record: Option<unsafe extern "C" fn(context: *mut c_void, record: *const telelink_log_record)>,
}

sized_struct!(
    telelink_log_callbacks,
    first_size: size_of::<telelink_log_callbacks>(),
    defaults: telelink_log_callbacks {
        struct_size: size_of::<telelink_log_callbacks>(),
        context: std::ptr::null_mut(),
        drop: None,
        on_record: None,
    },
);

/// Longest message, bytes.
const MAX_MESSAGE: usize = 16 * 1024;
type OnRecord = unsafe extern "C" fn(context: *mut c_void, record: *const telelink_log_record);

/// Where records go.
enum Receiver {
    Nobody,
    StandardError,
    C { on_record: OnRecord, context: Context },
}

/// The installed log: the process has at most one, made by the first call that wants one.
struct Log {
    level: AtomicU8,
    queue: Mutex<Queue>,
    work: Condvar,
    /// The program has said where records go; then the environment does not matter.
    chosen: AtomicBool,
}

static LOG: OnceLock<Result<Log, String>> = OnceLock::new();

thread_local! {
    /// Set on `tl-log`: a record made by the receiver itself would make another, without end.
    static RECEIVING: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

fn level(value: i32) -> Result<u8, Failure> {
    u8::try_from(value).ok().filter(|value| *value <= telelink_log_level::Trace as u8).ok_or_else(|| {
        Failure::new(telelink_status::InvalidValue, format!("level is {value}, which is no telelink_log_level"))
    })
}

fn number(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

/// The log, if it is installed.
fn log() -> Option<&'static Log> {
    LOG.get()?.as_ref().ok()
}

/// The installed log, made on first use.
fn installed() -> Result<&'static Log, Failure> {
    let made = LOG.get_or_init(|| {
        super::guard::watch_process();
        tracing::subscriber::set_global_default(Tap)
            .map_err(|_| "this process has a tracing subscriber already, which gets the log".to_owned())?;
        let (queue, work) = (Mutex::default(), Condvar::new());
        Ok(Log { level: AtomicU8::new(0), queue, work, chosen: AtomicBool::new(false) })
    });
    let log = made.as_ref().map_err(|text| Failure::new(telelink_status::Duplicate, text.clone()))?;
    // Apart from the log itself, which the thread looks for.
    static THREAD: OnceLock<Result<(), String>> = OnceLock::new();
    let thread = THREAD.get_or_init(|| {
        threads::spawn(ThreadRole::Log, || run(log))
            .map(drop)
            .map_err(|error| format!("no thread for the log: {error}"))
    });
    thread.as_ref().map_err(|text| Failure::new(telelink_status::Internal, text.clone()))?;
    Ok(log)
}

/// The thread `tl-log`.
fn run(log: &Log) {
    RECEIVING.set(true);
    let (mut receiver, panics) = (Receiver::Nobody, AtomicU64::new(0));
    loop {
        let mut queue = log.queue.lock();
        let order = loop {
            match queue.pop() {
                Some(order) => break order,
                None => log.work.wait(&mut queue),
            }
        };
        drop(queue);
        // A callback of telelink like any other: freeing a session in it does not wait.
        run_callback("log receiver", &panics, || match order {
            Order::Record(record) => deliver(&receiver, &record),
            Order::Receiver(next) => receiver = next,
        });
    }
}

fn deliver(receiver: &Receiver, record: &Record) {
    match receiver {
        Receiver::Nobody => {}
        Receiver::StandardError => {
            let name = ["off", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"][usize::from(record.level.min(5))];
            let (s, ms) = (record.time_ns / 1_000_000_000, record.time_ns / 1_000_000 % 1000);
            // Not eprintln!, which panics where standard error is closed.
            let _ = writeln!(std::io::stderr(), "{s}.{ms:03} {name:5} {}: {}", record.target, record.message);
        }
        Receiver::C { on_record, context } => {
            if is_exiting() {
                return;
            }
            let c = telelink_log_record {
                struct_size: size_of::<telelink_log_record>(),
                time_ns: record.time_ns,
                level: i32::from(record.level),
                reserved: 0,
                target: telelink_str::of(record.target),
                message: telelink_str::of(&record.message),
            };
            // SAFETY: the function belongs to the table with this context; the record lives until it returns.
            unsafe { on_record(context.get(), &raw const c) };
        }
    }
}

/// Puts the change behind the records that were made before it. Waits for nobody: the receiver in use may be stuck.
fn set(level: u8, receiver: Receiver) -> Result<(), Failure> {
    let log = installed()?;
    log.chosen.store(true, Ordering::Relaxed);
    let mut queue = log.queue.lock();
    if let Err(receiver) = queue.change(receiver) {
        drop(queue);
        // Its `drop` is the program's code.
        drop(receiver);
        return Err(Failure::new(telelink_status::Timeout, "the receiver of the log does not return"));
    }
    // Under the lock, so that of two changes the level and the receiver of the same one stay.
    log.level.store(level, Ordering::Relaxed);
    drop(queue);
    log.work.notify_one();
    tracing::callsite::rebuild_interest_cache();
    Ok(())
}

/// Sends the log to standard error if TELELINK_LOG says so and the program has said nothing. Called with the first session.
pub(super) fn follow_environment() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Some(value) = TELELINK_LOG.text() else { return };
        if log().is_some_and(|log| log.chosen.load(Ordering::Relaxed)) {
            return;
        }
        let named = named_level(&value);
        // A subscriber of the program's own gets the log; then there is nothing to do.
        let set = set(named.unwrap_or(telelink_log_level::Warn as u8), Receiver::StandardError);
        if set.is_ok() && named.is_none() {
            tracing::warn!(value, "TELELINK_LOG is none of off, error, warn, info, debug, trace; warn is used");
        }
    });
}

fn named_level(text: &str) -> Option<u8> {
    let names = ["off", "error", "warn", "info", "debug", "trace"];
    let found = names.iter().position(|name| text.trim().eq_ignore_ascii_case(name))?;
    u8::try_from(found).ok()
}

/// The subscriber: turns events into records. Spans are not used.
struct Tap;

impl Subscriber for Tap {
    /// What is logged is asked for each event, since it depends on the thread.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        let level = log().map_or(0, |log| log.level.load(Ordering::Relaxed));
        if metadata.is_event() && number(metadata.level()) <= level {
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let Some(log) = log() else { return false };
        metadata.is_event() && number(metadata.level()) <= log.level.load(Ordering::Relaxed) && !RECEIVING.get()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match log().map_or(0, |log| log.level.load(Ordering::Relaxed)) {
            0 => LevelFilter::OFF,
            1 => LevelFilter::ERROR,
            2 => LevelFilter::WARN,
            3 => LevelFilter::INFO,
            4 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        })
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let Some(log) = log() else { return };
        let mut text = Text(String::new());
        event.record(&mut text);
        let mut end = text.0.len().min(MAX_MESSAGE);
        while !text.0.is_char_boundary(end) {
            end -= 1;
        }
        text.0.truncate(end);
        let metadata = event.metadata();
        let (level, target) = (number(metadata.level()), metadata.target());
        log.queue.lock().push(Record { time_ns: now_ns(), level, target, message: text.0 });
        log.work.notify_one();
    }
}

/// An event as text: its message, then `name=value` of its fields.
struct Text(String);

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = match field.name() {
            "message" => write!(self.0, "{value}"),
            name => write!(self.0, " {name}={value}"),
        };
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

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
pub unsafe extern "C" fn telelink_log_callbacks_init(
    callbacks: *mut telelink_log_callbacks,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(callbacks, struct_size, "callbacks") })
}

/// Sends the library's log, with that of the LiveKit library in it (target "livekit"), to a receiver of the program's.
/// Until then, and after NULL, nothing is logged; unless TELELINK_LOG in the environment names a level and nothing was
/// chosen before the first session: then the log goes to standard error.
///
/// @param level      A telelink_log_level: what to log.
/// @param callbacks  Borrowed; its context is consumed, on failure too. NULL: nobody.
/// @return TELELINK_STATUS_OK             done; the receiver before gets no record made from now on, its `drop` follows
///         TELELINK_STATUS_INVALID_VALUE  `level` is no telelink_log_level
///         TELELINK_STATUS_NULL_ARGUMENT  `on_record` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    `callbacks` was not set up with telelink_log_callbacks_init()
///         TELELINK_STATUS_DUPLICATE      a Rust program around the library has installed a log of its own
///         TELELINK_STATUS_TIMEOUT        64 changes wait for a receiver that does not return
///         TELELINK_STATUS_INTERNAL       the thread could not be started
///         TELELINK_STATUS_CLOSED         the process was forked from one that uses telelink
/// @threading Any thread, never blocks, allowed inside callbacks, also inside `on_record`.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_log_set_callbacks(
    level: i32,
    callbacks: *const telelink_log_callbacks,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for NULL or callbacks readable by their size.
        let receiver = match unsafe { sized::read_optional(callbacks, "callbacks") }? {
            None => Receiver::Nobody,
            Some(table) => {
                let context = Context::new(table.context, table.drop as Drop_);
                let Some(on_record) = table.on_record else { return Err(super::handle::null("callbacks.on_record")) };
                Receiver::C { on_record, context }
            }
        };
        set(self::level(level)?, receiver)
    })
}

/// Sends the library's log to standard error.
///
/// @param level  A telelink_log_level: what to log.
/// @return As telelink_log_set_callbacks().
/// @threading As telelink_log_set_callbacks().
/// @since 0.1
#[no_mangle]
pub extern "C" fn telelink_log_to_stderr(level: i32) -> telelink_status {
    guard(|| set(self::level(level)?, Receiver::StandardError))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_have_names() {
        assert_eq!(named_level("off"), Some(0));
        assert_eq!(named_level(" Info\n"), Some(3));
        assert_eq!(named_level("trace"), Some(5));
        assert_eq!((named_level(""), named_level("loud")), (None, None));
    }
}
