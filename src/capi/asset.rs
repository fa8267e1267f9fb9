//! `telelink_asset_callbacks` and `telelink_asset_responder`.

use std::ffi::c_void;
use std::sync::Arc;

use bytes::Bytes;

use super::callback::Context;
use super::client::telelink_client;
use super::guard::{guard, guard_or, is_exiting};
use super::handle;
use super::sized;
use super::status::{telelink_status, Failure};
use super::view::{self, telelink_bytes, telelink_str};
use crate::session::{AssetHandler, AssetRequest, AssetResponder};

/// One request for an asset. Borrowed, valid during the callback.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_asset_request {
    /// Size of this struct as the library knows it, bytes.
    pub struct_size: usize,
    /// Who asks.
    pub client: *const telelink_client,
    /// The URI exactly as the viewer wrote it: `package://...`, `file://...`, anything. It is hostile: files are better
    /// served by a telelink_asset_folder.
    pub uri: telelink_str,
}

/// Answers one request for an asset: once, from any thread, also after the callback has returned.
pub struct telelink_asset_responder {
    responder: AssetResponder,
}

/// Serves assets to viewers. Set up with telelink_asset_callbacks_init().
///
/// Requests run on handler threads of the session, up to 32 at once; they may block. None runs on the stack of a telelink
/// call, none after `drop` has begun. `drop` runs exactly once, last: when the session was freed and every running
/// callback has returned; before returning when telelink_session_create() fails. No lock of the library is held
/// meanwhile. A callback that throws or jumps out ends the process.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telelink_asset_callbacks {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Passed first to the functions below. Consumed by telelink_session_create(), also on failure.
    pub context: *mut c_void,
    /// Exactly once, after the last request; may be NULL.
    pub drop: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// A viewer asks for an asset. `request` is borrowed for the callback; `responder` is owned by it:
    /// telelink_asset_responder_free() it, now or later. Required.
    pub on_fetch: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            request: *const telelink_asset_request,
            responder: *mut telelink_asset_responder,
        ),
    >,
}

sized_struct!(
    telelink_asset_callbacks,
    first_size: size_of::<telelink_asset_callbacks>(),
    defaults: telelink_asset_callbacks {
        struct_size: size_of::<telelink_asset_callbacks>(),
        context: std::ptr::null_mut(),
        drop: None,
        on_fetch: None,
    },
);

type OnFetch = unsafe extern "C" fn(*mut c_void, *const telelink_asset_request, *mut telelink_asset_responder);

/// The callbacks as read from C, with their context owned; dropping them calls the C `drop`.
pub(super) struct AssetCallbacks {
    on_fetch: Option<OnFetch>,
    context: Context,
}

impl AssetCallbacks {
    pub(super) fn new(table: telelink_asset_callbacks, context: Context) -> Self {
        Self { on_fetch: table.on_fetch, context }
    }

    pub(super) fn handler(self) -> Result<AssetHandler, Failure> {
        let Self { on_fetch, context } = self;
        let on_fetch = on_fetch.ok_or_else(|| handle::null("options.asset_callbacks.on_fetch"))?;
        Ok(Arc::new(move |request, responder| fetch(on_fetch, &context, &request, responder)))
    }
}

fn fetch(on_fetch: OnFetch, context: &Context, request: &AssetRequest, responder: AssetResponder) {
    if is_exiting() {
        return;
    }
    let c = telelink_asset_request {
        struct_size: size_of::<telelink_asset_request>(),
        client: telelink_client::of(&request.client),
        uri: telelink_str::of(&request.uri),
    };
    let responder = Box::into_raw(Box::new(telelink_asset_responder { responder }));
    // SAFETY: the function belongs to the table with this context; both outlive the call, and the responder is its.
    unsafe { on_fetch(context.get(), &raw const c, responder) };
}

/// Fills callbacks with NULL.
///
/// @param callbacks    Written.
/// @param struct_size  sizeof *callbacks.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `callbacks` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_asset_callbacks_init(
    callbacks: *mut telelink_asset_callbacks,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(callbacks, struct_size, "callbacks") })
}

/// Answers with the asset. Over 16,777,206 bytes (16 MiB - 10) the viewer gets an error instead.
///
/// A viewer that is slow to read gets it when it has room; it is not reset for it. An answer to a viewer that has left, or
/// of a session that was freed, is dropped and still TELELINK_STATUS_OK.
///
/// @param responder  Borrowed; still has to be freed.
/// @param data       Borrowed for the call and copied.
/// @return TELELINK_STATUS_OK                 answered
///         TELELINK_STATUS_ALREADY_RESPONDED  the request was answered before; nothing was sent
///         TELELINK_STATUS_NULL_ARGUMENT      `responder` is NULL, or `data` has no data
///         TELELINK_STATUS_CLOSED             the process was forked from one that uses telelink
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_asset_responder_respond(
    responder: *const telelink_asset_responder,
    data: telelink_bytes,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live responder or NULL.
        let responder = unsafe { handle::borrow(responder, "responder") }?;
        // SAFETY: the header asks for a readable view.
        let data = unsafe { view::bytes(data, "data") }?;
        Ok(responder.responder.respond(Bytes::copy_from_slice(data))?)
    })
}

/// Answers with an error.
///
/// @param responder  Borrowed; still has to be freed.
/// @param message    Borrowed. Shown to the viewer.
/// @return As telelink_asset_responder_respond(), and
///         TELELINK_STATUS_INVALID_UTF8  `message` is not UTF-8
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_asset_responder_fail(
    responder: *const telelink_asset_responder,
    message: telelink_str,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live responder or NULL.
        let responder = unsafe { handle::borrow(responder, "responder") }?;
        // SAFETY: the header asks for a readable view.
        let message = unsafe { view::text(message, "message") }?;
        Ok(responder.responder.fail(message)?)
    })
}

/// Frees a responder. If nothing was answered, the viewer is told that the request was dropped.
///
/// @param responder  Consumed. NULL does nothing.
/// @threading Any thread, but nobody may use this handle meanwhile. Never blocks. Allowed inside callbacks, also after
///            the session was freed.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_asset_responder_free(responder: *mut telelink_asset_responder) {
    // SAFETY: the header asks for NULL or a live handle that is not used again.
    guard_or((), || drop(unsafe { handle::take(responder) }));
}
