//! `telelink_token_callbacks` and `telelink_api_key`: where access tokens come from.

use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;

use super::callback::Context;
use super::guard::{guard, is_exiting};
use super::handle;
use super::sized;
use super::status::{telelink_status, Failure};
use super::view::{self, telelink_pair, telelink_str};
use crate::gateway::Secret;
use crate::gateway::{ApiKey, TokenSource};

/// Where the answer of an `on_token` callback goes. Borrowed, valid during the callback.
pub struct telelink_token_request {
    answer: parking_lot::Mutex<Option<Result<Secret, String>>>,
}

/// Makes access tokens when they are needed. Set up with telelink_token_callbacks_init().
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telelink_token_callbacks {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Passed first to the function below. Consumed by telelink_session_create(), also on failure.
    pub context: *mut c_void,
    /// Exactly once, after the last question; may be NULL.
    pub drop: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// Asked before every join, on a thread of its own; may block up to 30 s. Answers with telelink_token_request_set()
    /// or telelink_token_request_fail(); no answer is a failure, and failures are tried again. An answer after 30 s is
    /// dropped, and until then attempts fail without a question: there is one at a time. Required.
    pub on_token: Option<unsafe extern "C" fn(context: *mut c_void, request: *const telelink_token_request)>,
}

sized_struct!(
    telelink_token_callbacks,
    first_size: size_of::<telelink_token_callbacks>(),
    defaults: telelink_token_callbacks {
        struct_size: size_of::<telelink_token_callbacks>(),
        context: std::ptr::null_mut(),
        drop: None,
        on_token: None,
    },
);

/// A LiveKit API key pair: the library makes a fresh token for every join. Set up with telelink_api_key_init().
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_api_key {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// API key. Empty: LIVEKIT_API_KEY in the environment.
    pub key: telelink_str,
    /// API secret; never logged. Empty: LIVEKIT_API_SECRET.
    pub secret: telelink_str,
    /// Room to join. Empty: TELELINK_ROOM.
    pub room: telelink_str,
    /// Identity to join as. Empty: TELELINK_IDENTITY.
    pub identity: telelink_str,
    /// Life time of each token, seconds, 60 to 2,592,000. Default 21,600.
    pub ttl_s: u64,
    /// LiveKit attributes of the participant. Default none.
    pub attributes: *const telelink_pair,
    /// Number of attributes.
    pub attributes_count: usize,
}

sized_struct!(
    telelink_api_key,
    first_size: size_of::<telelink_api_key>(),
    defaults: telelink_api_key {
        struct_size: size_of::<telelink_api_key>(),
        key: telelink_str::EMPTY,
        secret: telelink_str::EMPTY,
        room: telelink_str::EMPTY,
        identity: telelink_str::EMPTY,
        ttl_s: ApiKey::DEFAULT_TTL.as_secs(),
        attributes: std::ptr::null(),
        attributes_count: 0,
    },
);

type OnToken = unsafe extern "C" fn(context: *mut c_void, request: *const telelink_token_request);

/// The callback that makes tokens. Dropping it calls the C `drop`.
pub(super) struct TokenQuestion {
    on_token: Option<OnToken>,
    context: Context,
}

impl TokenQuestion {
    pub(super) fn new(table: telelink_token_callbacks, context: Context) -> Self {
        Self { on_token: table.on_token, context }
    }

    fn ask(&self, on_token: OnToken) -> Result<Secret, String> {
        let request = telelink_token_request { answer: parking_lot::Mutex::new(None) };
        if !is_exiting() {
            // SAFETY: the function belongs to the table with this context; the request lives until it returns.
            unsafe { on_token(self.context.get(), &raw const request) };
        }
        request.answer.into_inner().unwrap_or_else(|| Err("the token callback gave no answer".to_owned()))
    }
}

/// The one of the three ways to a token that the options name; none: the environment.
///
/// # Safety
/// `key` must be NULL or readable by its size, and so must what it names.
pub(super) unsafe fn token_source(
    token: &str,
    question: Option<TokenQuestion>,
    key: *const telelink_api_key,
) -> Result<TokenSource, Failure> {
    // SAFETY: the caller's promise.
    let key = unsafe { api_key(key) }?;
    match (token.is_empty(), question, key) {
        (false, None, None) => Ok(TokenSource::Static(Secret::new(token))),
        (true, Some(question), None) => {
            let on_token = question.on_token.ok_or_else(|| handle::null("options.token_callbacks.on_token"))?;
            Ok(TokenSource::Callback(Arc::new(move || question.ask(on_token))))
        }
        (true, None, Some(key)) => Ok(TokenSource::Key(key)),
        (true, None, None) => Ok(TokenSource::Environment),
        _ => Err(Failure::new(
            telelink_status::InvalidValue,
            "more than one of options.token, options.token_callbacks and options.api_key is set",
        )),
    }
}

unsafe fn api_key(key: *const telelink_api_key) -> Result<Option<ApiKey>, Failure> {
    // SAFETY: the caller's promise, here and for every view below.
    let Some(key) = (unsafe { sized::read_optional(key, "options.api_key") })? else { return Ok(None) };
    // SAFETY: the caller's promise.
    unsafe {
        Ok(Some(ApiKey {
            key: view::text(key.key, "options.api_key.key")?.to_owned(),
            secret: Secret::new(view::text(key.secret, "options.api_key.secret")?),
            room: view::text(key.room, "options.api_key.room")?.to_owned(),
            identity: view::text(key.identity, "options.api_key.identity")?.to_owned(),
            ttl: Duration::from_secs(key.ttl_s),
            attributes: view::map(key.attributes, key.attributes_count, "options.api_key.attributes")?,
        }))
    }
}

/// Fills callbacks with the defaults.
///
/// @param callbacks  Written.
/// @param struct_size  sizeof *callbacks.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `callbacks` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_token_callbacks_init(
    callbacks: *mut telelink_token_callbacks,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(callbacks, struct_size, "callbacks") })
}

/// Fills key with the defaults.
///
/// @param key  Written.
/// @param struct_size  sizeof *key.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `key` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_api_key_init(key: *mut telelink_api_key, struct_size: usize) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(key, struct_size, "key") })
}

/// Answers a token request. Of several answers the last counts.
///
/// @param request  Borrowed.
/// @param token    Borrowed for the call and copied. Never logged.
/// @return TELELINK_STATUS_OK             taken
///         TELELINK_STATUS_NULL_ARGUMENT  `request` is NULL, or `token` has no data
///         TELELINK_STATUS_INVALID_UTF8   `token` is not UTF-8
/// @threading During the callback, any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_token_request_set(
    request: *const telelink_token_request,
    token: telelink_str,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live request or NULL.
        let request = unsafe { handle::borrow(request, "request") }?;
        // SAFETY: the header asks for a readable view.
        let token = unsafe { view::text(token, "token") }?;
        *request.answer.lock() = Some(Ok(Secret::new(token)));
        Ok(())
    })
}

/// Answers a token request with a failure. The session reports it and tries again.
///
/// @param request  Borrowed.
/// @param message  Borrowed for the call and copied. Appears in events and logs, so it must not contain a token.
/// @return TELELINK_STATUS_OK             taken
///         TELELINK_STATUS_NULL_ARGUMENT  `request` is NULL, or `message` has no data
///         TELELINK_STATUS_INVALID_UTF8   `message` is not UTF-8
/// @threading During the callback, any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_token_request_fail(
    request: *const telelink_token_request,
    message: telelink_str,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live request or NULL.
        let request = unsafe { handle::borrow(request, "request") }?;
        // SAFETY: the header asks for a readable view.
        let message = unsafe { view::text(message, "message") }?;
        *request.answer.lock() = Some(Err(message.to_owned()));
        Ok(())
    })
}
