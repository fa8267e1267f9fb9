//! `telelink_channel` and what callbacks see of a channel.

use bytes::Bytes;

use super::context::telelink_context;
use super::guard::{guard, guard_get, guard_or};
use super::handle;
use super::sized;
use super::status::{telelink_status, Failure};
use super::view::{self, telelink_bytes, telelink_pair, telelink_str};
use crate::context::{Channel, ChannelError, ChannelRef, Closed, Qos, Schema};

/// A channel of the robot: a topic with an encoding, on which messages are logged.
pub struct telelink_channel {
    pub(super) channel: Channel,
}

/// What there is to know about a channel. Borrowed: from telelink_channel_as_info(), or given to a callback.
pub struct telelink_channel_info {
    /// C only ever has a pointer, and what it points to is a [`ChannelRef`].
    _opaque: (),
}

/// How a channel's messages travel.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum telelink_qos {
    /// The newest wins and losses are possible: for sensor data. The default.
    Lossy = 0,
    /// All of it, in order: for logs, states, maps.
    Reliable = 1,
}

/// What a message means.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_schema {
    /// Name, for example "foxglove.Log".
    pub name: telelink_str,
    /// Encoding, for example "jsonschema", "protobuf", "ros2msg".
    pub encoding: telelink_str,
    /// The schema: text for text encodings, a FileDescriptorSet for "protobuf". At most 8 MiB.
    pub data: telelink_bytes,
}

/// How to make a channel. Set up with telelink_channel_options_init().
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_channel_options {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Message encoding: "json", "protobuf", "cdr", "ros1", "flatbuffer" or the application's own. Default empty.
    pub encoding: telelink_str,
    /// Optional. Viewers need one for "protobuf", "flatbuffer", "ros1" and "cdr". Default NULL.
    pub schema: *const telelink_schema,
    /// Entries for the viewer's information; of equal keys the last wins. Default none.
    pub metadata: *const telelink_pair,
    /// Number of metadata entries.
    pub metadata_count: usize,
    /// A telelink_qos. The session's policy can decide otherwise. Default TELELINK_QOS_LOSSY.
    pub qos: i32,
    /// An image channel is delivered as messages only, never as video: 0 or 1. For depth images and others whose values a
    /// video would spoil. Default 0.
    pub no_video: u32,
}

sized_struct!(
    telelink_channel_options,
    first_size: size_of::<telelink_channel_options>(),
    defaults: telelink_channel_options {
        struct_size: size_of::<telelink_channel_options>(),
        encoding: telelink_str::EMPTY,
        schema: std::ptr::null(),
        metadata: std::ptr::null(),
        metadata_count: 0,
        qos: telelink_qos::Lossy as i32,
        no_video: 0,
    },
);

impl telelink_channel_info {
    pub(super) fn of(channel: &ChannelRef) -> *const Self {
        std::ptr::from_ref(channel).cast()
    }

    /// The channel behind the pointer.
    ///
    /// # Safety
    /// `info` must be NULL or made by [`Self::of`] from a channel that lives during `'a`.
    unsafe fn get<'a>(info: *const Self) -> Result<&'a ChannelRef, Failure> {
        // SAFETY: the caller's promise.
        unsafe { handle::borrow(info.cast::<ChannelRef>(), "info") }
    }
}

pub(super) fn qos(value: i32, name: &'static str) -> Result<Qos, Failure> {
    match value {
        0 => Ok(Qos::Lossy),
        1 => Ok(Qos::Reliable),
        _ => Err(Failure::new(telelink_status::InvalidValue, format!("{name} is {value}, which is no telelink_qos"))),
    }
}

impl From<Qos> for telelink_qos {
    fn from(qos: Qos) -> Self {
        match qos {
            Qos::Lossy => Self::Lossy,
            Qos::Reliable => Self::Reliable,
        }
    }
}

impl From<ChannelError> for Failure {
    fn from(error: ChannelError) -> Self {
        let status = match error {
            ChannelError::EmptyTopic | ChannelError::TooLong { .. } => telelink_status::InvalidValue,
            ChannelError::IdsExhausted => telelink_status::Internal,
        };
        Self::new(status, error.to_string())
    }
}

impl From<Closed> for Failure {
    #[cold]
    fn from(_: Closed) -> Self {
        Self::new(telelink_status::Closed, "the channel is closed")
    }
}

/// Copies a schema of the caller.
///
/// # Safety
/// `schema` must be NULL or readable, and its views must be too.
pub(super) unsafe fn read_schema(
    schema: *const telelink_schema,
    name: &'static str,
) -> Result<Option<Schema>, Failure> {
    if schema.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL; the rest is the caller's promise, also for the three views.
    unsafe {
        let schema = schema.read_unaligned();
        Ok(Some(Schema {
            name: view::text(schema.name, name)?.to_owned(),
            encoding: view::text(schema.encoding, name)?.to_owned(),
            data: Bytes::copy_from_slice(view::bytes(schema.data, name)?),
        }))
    }
}

/// Writes a borrowed schema; `false` when there is none.
///
/// # Safety
/// `out` must be writable.
pub(super) unsafe fn write_schema(schema: Option<&Schema>, out: *mut telelink_schema) -> bool {
    let Some(schema) = schema else { return false };
    let schema = telelink_schema {
        name: telelink_str::of(&schema.name),
        encoding: telelink_str::of(&schema.encoding),
        data: telelink_bytes::of(&schema.data),
    };
    // SAFETY: the caller's promise.
    unsafe { out.write(schema) };
    true
}

/// Fills options with the defaults.
///
/// @param options      Written.
/// @param struct_size  sizeof *options.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `options` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_channel_options_init(
    options: *mut telelink_channel_options,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(options, struct_size, "options") })
}

/// Opens a channel: viewers learn of it before this returns.
///
/// Topics need not be unique: two channels of one topic are two channels.
///
/// The content of schemas is not looked at here. A channel that viewers could not read (protobuf, flatbuffer, ros1 or cdr
/// without a schema, a text schema that is not UTF-8) is opened all the same and recorded by an MCAP writer, but viewers
/// do not see it: each session says "the channel cannot be advertised" in the log, with topic and reason.
///
/// @param context  Borrowed.
/// @param topic    Borrowed. Not empty, at most 64 KiB.
/// @param options  Borrowed, optional: NULL means all defaults.
/// @param out      Receives the channel; free it with telelink_channel_free(). Written only on success.
/// @return TELELINK_STATUS_OK             opened
///         TELELINK_STATUS_NULL_ARGUMENT  `context` or `out` is NULL, or a view has no data
///         TELELINK_STATUS_INVALID_UTF8   a text is not UTF-8; the message names it
///         TELELINK_STATUS_INVALID_VALUE  the topic is empty, something is too long, or `qos` is no telelink_qos
///         TELELINK_STATUS_STRUCT_SIZE    `options` was not set up with telelink_channel_options_init()
///         TELELINK_STATUS_CLOSED         the process was forked from one that uses telelink
/// @threading Any thread, does not wait for viewers, allowed inside callbacks. The policy callbacks of the sessions of
///            this context run inside this call.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_channel_create(
    context: *const telelink_context,
    topic: telelink_str,
    options: *const telelink_channel_options,
    out: *mut *mut telelink_channel,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for live objects and views or NULL; the helpers refuse NULL where it is not allowed.
        unsafe {
            let context = handle::borrow(context, "context")?;
            let out = handle::out_pointer(out, "out")?;
            let options = sized::read_or_default(options, "options")?;
            let mut builder = context
                .context
                .channel(view::text(topic, "topic")?)
                .encoding(view::text(options.encoding, "options.encoding")?)
                .qos(qos(options.qos, "options.qos")?)
                .video(options.no_video == 0);
            if let Some(schema) = read_schema(options.schema, "options.schema")? {
                builder = builder.schema(schema);
            }
            for (key, value) in view::map(options.metadata, options.metadata_count, "options.metadata")? {
                builder = builder.metadata(key, value);
            }
            handle::give(out, telelink_channel { channel: builder.open()? });
        }
        Ok(())
    })
}

/// Logs one message with the time now, for every viewer that wants it.
///
/// While nobody is subscribed this costs a few nanoseconds and drops the message. A message that a viewer's queue or
/// the network has no room for is dropped and counted in the session's statistics; one that is too large (lossy: over
/// max_data_track_message_size; reliable: over 16 MiB - 17 bytes) too, and the channel's subscribers are warned. This call
/// does not say so: another session or recording may have taken the message.
///
/// @param channel  Borrowed.
/// @param payload  Borrowed for the call and copied before it returns, if somebody wants it.
/// @return TELELINK_STATUS_OK             taken, which is not yet delivered
///         TELELINK_STATUS_CLOSED         the channel is closed
///         TELELINK_STATUS_NULL_ARGUMENT  `channel` is NULL, or `payload.data` is NULL and `payload.len` is not 0
///         TELELINK_STATUS_INVALID_VALUE  `payload.len` is more than memory can hold
/// @threading Any thread, also several at once on one channel; never blocks; allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_channel_log(
    channel: *const telelink_channel,
    payload: telelink_bytes,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live channel or NULL.
        let channel = unsafe { handle::borrow(channel, "channel") }?;
        // SAFETY: the header asks for a readable view.
        let payload = unsafe { view::bytes(payload, "payload") }?;
        Ok(channel.channel.log(payload)?)
    })
}

/// telelink_channel_log() with a time of the caller's.
///
/// @param channel      Borrowed.
/// @param payload      Borrowed for the call and copied before it returns, if somebody wants it.
/// @param log_time_ns  Nanoseconds since the Unix epoch.
/// @return As telelink_channel_log().
/// @threading As telelink_channel_log().
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_channel_log_at(
    channel: *const telelink_channel,
    payload: telelink_bytes,
    log_time_ns: u64,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live channel or NULL.
        let channel = unsafe { handle::borrow(channel, "channel") }?;
        // SAFETY: the header asks for a readable view.
        let payload = unsafe { view::bytes(payload, "payload") }?;
        Ok(channel.channel.log_at(payload, log_time_ns)?)
    })
}

/// Whether somebody wants messages of this channel now: lets a program skip building one.
///
/// @param channel  Borrowed. NULL gives false.
/// @return true while at least one viewer is subscribed.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_channel_is_wanted(channel: *const telelink_channel) -> bool {
    // SAFETY: the header asks for a live channel or NULL.
    guard_get(false, || Ok(unsafe { handle::borrow(channel, "channel") }?.channel.is_wanted()))
}

/// Closes a channel: viewers see it go, later logs answer TELELINK_STATUS_CLOSED. Closing again does nothing.
///
/// @param channel  Borrowed; still has to be freed.
/// @return TELELINK_STATUS_OK             closed, now or before
///         TELELINK_STATUS_NULL_ARGUMENT  `channel` is NULL
///         TELELINK_STATUS_CLOSED         the process was forked from one that uses telelink
/// @threading Any thread, also while others log; never blocks; allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_channel_close(channel: *const telelink_channel) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live channel or NULL.
        unsafe { handle::borrow(channel, "channel") }?.channel.close();
        Ok(())
    })
}

/// Closes a channel and frees its handle.
///
/// @param channel  Consumed. NULL does nothing.
/// @threading Any thread, but nobody may use this handle meanwhile, nor information borrowed from it. Never blocks.
///            Allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_channel_free(channel: *mut telelink_channel) {
    // SAFETY: the header asks for NULL or a live handle that is not used again.
    guard_or((), || drop(unsafe { handle::take(channel) }));
}

/// The information about a channel.
///
/// @param channel  Borrowed. NULL gives NULL.
/// @return Borrowed: valid until telelink_channel_free().
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_channel_as_info(channel: *const telelink_channel) -> *const telelink_channel_info {
    guard_get(std::ptr::null(), || {
        // SAFETY: the header asks for a live channel or NULL.
        let channel = unsafe { handle::borrow(channel, "channel") }?;
        Ok(telelink_channel_info::of(channel.channel.channel_ref()))
    })
}

/// The channel's id: from 1, unique in the process, never used again, below 2^53.
///
/// @param info  Borrowed. NULL gives 0.
/// @return The id.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_channel_info_id(info: *const telelink_channel_info) -> u64 {
    // SAFETY: the header asks for live information or NULL.
    guard_get(0, || Ok(unsafe { telelink_channel_info::get(info) }?.id().get()))
}

/// The channel's topic.
///
/// @param info  Borrowed. NULL gives an empty text.
/// @return Borrowed: lives as long as `info`.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_channel_info_topic(info: *const telelink_channel_info) -> telelink_str {
    // SAFETY: the header asks for live information or NULL.
    guard_get(telelink_str::EMPTY, || Ok(telelink_str::of(unsafe { telelink_channel_info::get(info) }?.topic())))
}

/// The channel's message encoding; may be empty.
///
/// @param info  Borrowed. NULL gives an empty text.
/// @return Borrowed: lives as long as `info`.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_channel_info_encoding(info: *const telelink_channel_info) -> telelink_str {
    // SAFETY: the header asks for live information or NULL.
    guard_get(telelink_str::EMPTY, || Ok(telelink_str::of(unsafe { telelink_channel_info::get(info) }?.encoding())))
}

/// The channel's schema.
///
/// @param info        Borrowed. NULL gives false.
/// @param schema_out  Receives the schema if there is one; its views are borrowed and live as long as `info`.
/// @return true when the channel has a schema.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_channel_info_schema(
    info: *const telelink_channel_info,
    schema_out: *mut telelink_schema,
) -> bool {
    guard_get(false, || {
        // SAFETY: the header asks for live information or NULL.
        let info = unsafe { telelink_channel_info::get(info) }?;
        let out = handle::out_pointer(schema_out, "schema_out")?;
        // SAFETY: not NULL; the header asks for a writable struct.
        Ok(unsafe { write_schema(info.schema(), out) })
    })
}

/// One entry of the channel's metadata.
///
/// @param info       Borrowed. NULL gives false.
/// @param key        Borrowed.
/// @param value_out  Receives the value if there is one; borrowed, lives as long as `info`.
/// @return true when there is an entry of that key.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_channel_info_metadata(
    info: *const telelink_channel_info,
    key: telelink_str,
    value_out: *mut telelink_str,
) -> bool {
    guard_get(false, || {
        // SAFETY: the header asks for live information or NULL.
        let info = unsafe { telelink_channel_info::get(info) }?;
        // SAFETY: the header asks for a readable view.
        let key = unsafe { view::text(key, "key") }?;
        let out = handle::out_pointer(value_out, "value_out")?;
        let Some(value) = info.metadata().get(key) else { return Ok(false) };
        // SAFETY: not NULL; the header asks for a writable view.
        unsafe { out.write(telelink_str::of(value)) };
        Ok(true)
    })
}

/// How the application asked the channel's messages to travel.
///
/// @param info  Borrowed. NULL gives TELELINK_QOS_LOSSY.
/// @return The wish made in the options; the session's policy can have decided otherwise.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_channel_info_qos(info: *const telelink_channel_info) -> telelink_qos {
    // SAFETY: the header asks for live information or NULL.
    guard_get(telelink_qos::Lossy, || Ok(unsafe { telelink_channel_info::get(info) }?.qos().into()))
}

/// Whether the channel was closed.
///
/// @param info  Borrowed. NULL gives true.
/// @return true once telelink_channel_close() or telelink_channel_free() was called.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_channel_info_is_closed(info: *const telelink_channel_info) -> bool {
    // SAFETY: the header asks for live information or NULL.
    guard_get(true, || Ok(unsafe { telelink_channel_info::get(info) }?.is_closed()))
}
