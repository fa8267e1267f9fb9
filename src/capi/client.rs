//! `telelink_client`, `telelink_client_channel` and their messages: viewers as the robot sees them.

use super::channel::{telelink_schema, write_schema};
use super::guard::{guard, guard_get, guard_or};
use super::handle;
use super::status::{telelink_status, Failure};
use super::view::{self, telelink_bytes, telelink_pair, telelink_str};
use crate::session::{Client, ClientChannel};

/// A viewer that is, or was, registered with the session. Borrowed inside callbacks; owned when it comes from
/// telelink_client_clone() or telelink_session_client().
pub struct telelink_client {
    /// C only ever has a pointer, and what it points to is a [`Client`].
    _opaque: (),
}

/// A channel that a viewer publishes on. Borrowed, valid during the callback.
pub struct telelink_client_channel {
    /// C only ever has a pointer, and what it points to is a [`ClientChannel`].
    _opaque: (),
}

/// A message from a viewer. Borrowed, valid during the callback.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_client_message {
    /// Size of this struct as the library knows it, bytes.
    pub struct_size: usize,
    /// The bytes.
    pub payload: telelink_bytes,
    /// When the message arrived, nanoseconds since the Unix epoch.
    pub receive_time_ns: u64,
}

impl telelink_client {
    pub(super) fn of(client: &Client) -> *const Self {
        std::ptr::from_ref(client).cast()
    }

    /// The viewer behind the pointer.
    ///
    /// # Safety
    /// `client` must be NULL, or made by [`Self::of`] or [`Self::give`] from a client that lives during `'a`.
    unsafe fn get<'a>(client: *const Self) -> Result<&'a Client, Failure> {
        // SAFETY: the caller's promise.
        unsafe { handle::borrow(client.cast::<Client>(), "client") }
    }

    /// Hands a description over to C, for `telelink_client_free()`.
    ///
    /// # Safety
    /// As [`handle::give`].
    pub(super) unsafe fn give(out: *mut *mut Self, client: Client) {
        // SAFETY: the caller's promise; all thin pointers have one layout.
        unsafe { handle::give(out.cast::<*mut Client>(), client) };
    }
}

impl telelink_client_channel {
    pub(super) fn of(channel: &ClientChannel) -> *const Self {
        std::ptr::from_ref(channel).cast()
    }

    /// The channel behind the pointer.
    ///
    /// # Safety
    /// `channel` must be NULL or made by [`Self::of`] from a channel that lives during `'a`.
    unsafe fn get<'a>(channel: *const Self) -> Result<&'a ClientChannel, Failure> {
        // SAFETY: the caller's promise.
        unsafe { handle::borrow(channel.cast::<ClientChannel>(), "channel") }
    }
}

/// A text of a viewer, or an empty one for NULL.
unsafe fn text_of(client: *const telelink_client, get: impl FnOnce(&Client) -> &str) -> telelink_str {
    guard_get(telelink_str::EMPTY, || {
        // SAFETY: the header asks for a live client or NULL.
        let client = unsafe { telelink_client::get(client) }?;
        Ok(telelink_str::of(get(client)))
    })
}

/// A text of a viewer's channel, or an empty one for NULL.
unsafe fn channel_text(
    channel: *const telelink_client_channel,
    get: impl FnOnce(&ClientChannel) -> &str,
) -> telelink_str {
    guard_get(telelink_str::EMPTY, || {
        // SAFETY: the header asks for a live channel or NULL.
        let channel = unsafe { telelink_client_channel::get(channel) }?;
        Ok(telelink_str::of(get(channel)))
    })
}

/// The number of this registration: from 1, unique in the process. A viewer that returns gets a new one.
///
/// @param client  Borrowed. NULL gives 0.
/// @return The number, never 0 for a viewer.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_client_id(client: *const telelink_client) -> u32 {
    // SAFETY: the header asks for a live client or NULL.
    guard_get(0, || Ok(unsafe { telelink_client::get(client) }?.id.get()))
}

/// The viewer's LiveKit identity: the same when it returns.
///
/// @param client  Borrowed. NULL gives an empty text.
/// @return Borrowed: lives as long as `client`.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_client_identity(client: *const telelink_client) -> telelink_str {
    // SAFETY: the header asks for a live client or NULL.
    guard_or(telelink_str::EMPTY, || unsafe { text_of(client, |client| client.identity.as_str()) })
}

/// The LiveKit SID of the viewer's connection.
///
/// @param client  Borrowed. NULL gives an empty text.
/// @return Borrowed: lives as long as `client`.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_client_sid(client: *const telelink_client) -> telelink_str {
    // SAFETY: the header asks for a live client or NULL.
    guard_or(telelink_str::EMPTY, || unsafe { text_of(client, |client| client.sid.as_str()) })
}

/// The viewer's display name; may be empty.
///
/// @param client  Borrowed. NULL gives an empty text.
/// @return Borrowed: lives as long as `client`.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_client_name(client: *const telelink_client) -> telelink_str {
    // SAFETY: the header asks for a live client or NULL.
    guard_or(telelink_str::EMPTY, || unsafe { text_of(client, |client| &client.name) })
}

/// When the viewer joined the room, by the server's clock.
///
/// @param client  Borrowed. NULL gives 0.
/// @return Milliseconds since the Unix epoch.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_client_joined_at_ms(client: *const telelink_client) -> i64 {
    // SAFETY: the header asks for a live client or NULL.
    guard_get(0, || Ok(unsafe { telelink_client::get(client) }?.joined_at_ms))
}

/// One LiveKit attribute of the viewer, as it was when it registered.
///
/// @param client     Borrowed. NULL gives false.
/// @param key        Borrowed.
/// @param value_out  Receives the value if there is one; borrowed, lives as long as `client`.
/// @return true when there is an attribute of that key.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_client_attribute(
    client: *const telelink_client,
    key: telelink_str,
    value_out: *mut telelink_str,
) -> bool {
    guard_get(false, || {
        // SAFETY: the header asks for a live client or NULL.
        let client = unsafe { telelink_client::get(client) }?;
        // SAFETY: the header asks for a readable view.
        let key = unsafe { view::text(key, "key") }?;
        let out = handle::out_pointer(value_out, "value_out")?;
        let Some(value) = client.attributes.get(key) else { return Ok(false) };
        // SAFETY: not NULL; the header asks for a writable view.
        unsafe { out.write(telelink_str::of(value)) };
        Ok(true)
    })
}

/// How many LiveKit attributes the viewer had when it registered.
///
/// @param client  Borrowed. NULL gives 0.
/// @return The number.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_client_attribute_count(client: *const telelink_client) -> usize {
    // SAFETY: the header asks for a live client or NULL.
    guard_get(0, || Ok(unsafe { telelink_client::get(client) }?.attributes.len()))
}

/// One of the viewer's attributes, by its place.
///
/// @param client         Borrowed. NULL gives false.
/// @param index          From 0, in order of the keys.
/// @param attribute_out  Receives key and value if there are so many; borrowed, they live as long as `client`.
/// @return true when `index` is less than telelink_client_attribute_count().
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_client_attribute_at(
    client: *const telelink_client,
    index: usize,
    attribute_out: *mut telelink_pair,
) -> bool {
    guard_get(false, || {
        // SAFETY: the header asks for a live client or NULL.
        let client = unsafe { telelink_client::get(client) }?;
        let out = handle::out_pointer(attribute_out, "attribute_out")?;
        let Some((key, value)) = client.attributes.iter().nth(index) else { return Ok(false) };
        // SAFETY: not NULL; the header asks for a writable pair.
        unsafe { out.write(telelink_pair { key: telelink_str::of(key), value: telelink_str::of(value) }) };
        Ok(true)
    })
}

/// An owned copy of a viewer's description, to be kept after the callback.
///
/// @param client  Borrowed.
/// @param out     Receives the copy; free it with telelink_client_free(). Written only on success.
/// @return TELELINK_STATUS_OK             copied
///         TELELINK_STATUS_NULL_ARGUMENT  `client` or `out` is NULL
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_client_clone(
    client: *const telelink_client,
    out: *mut *mut telelink_client,
) -> telelink_status {
    guard(|| -> Result<(), Failure> {
        // SAFETY: the header asks for a live client or NULL.
        let client = unsafe { telelink_client::get(client) }?;
        let out = handle::out_pointer(out, "out")?;
        // SAFETY: not NULL; the header asks for a writable pointer.
        unsafe { telelink_client::give(out, client.clone()) };
        Ok(())
    })
}

/// Frees an owned description. Not for those that a callback was given.
///
/// @param client  Consumed. NULL does nothing.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_client_free(client: *mut telelink_client) {
    // SAFETY: the header asks for NULL or a live owned handle that is not used again.
    guard_or((), || drop(unsafe { handle::take(client.cast::<Client>()) }));
}

/// The id that the viewer gave its channel: unique for that viewer.
///
/// @param channel  Borrowed. NULL gives 0.
/// @return The id.
/// @threading During the callback.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_client_channel_id(channel: *const telelink_client_channel) -> u32 {
    // SAFETY: the header asks for a live channel or NULL.
    guard_get(0, || Ok(unsafe { telelink_client_channel::get(channel) }?.id))
}

/// The topic of a viewer's channel; it may equal a topic of the robot.
///
/// @param channel  Borrowed. NULL gives an empty text.
/// @return Borrowed: lives as long as `channel`.
/// @threading During the callback.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_client_channel_topic(channel: *const telelink_client_channel) -> telelink_str {
    // SAFETY: the header asks for a live channel or NULL.
    guard_or(telelink_str::EMPTY, || unsafe { channel_text(channel, |channel| &channel.topic) })
}

/// The message encoding of a viewer's channel.
///
/// @param channel  Borrowed. NULL gives an empty text.
/// @return Borrowed: lives as long as `channel`.
/// @threading During the callback.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_client_channel_encoding(channel: *const telelink_client_channel) -> telelink_str {
    // SAFETY: the header asks for a live channel or NULL.
    guard_or(telelink_str::EMPTY, || unsafe { channel_text(channel, |channel| &channel.encoding) })
}

/// The schema of a viewer's channel. Its data may be empty when the viewer sent only a name.
///
/// @param channel     Borrowed. NULL gives false.
/// @param schema_out  Receives the schema if there is one; borrowed, lives as long as `channel`.
/// @return true when the channel has a schema.
/// @threading During the callback.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_client_channel_schema(
    channel: *const telelink_client_channel,
    schema_out: *mut telelink_schema,
) -> bool {
    guard_get(false, || {
        // SAFETY: the header asks for a live channel or NULL.
        let channel = unsafe { telelink_client_channel::get(channel) }?;
        let out = handle::out_pointer(schema_out, "schema_out")?;
        // SAFETY: not NULL; the header asks for a writable struct.
        Ok(unsafe { write_schema(channel.schema.as_ref(), out) })
    })
}
