//! `telelink_service` and `telelink_service_responder`.

use std::ffi::c_void;
use std::sync::Arc;

use bytes::Bytes;

use super::callback::{Context, Drop_, Latch};
use super::channel::{read_schema, telelink_schema};
use super::client::telelink_client;
use super::guard::{guard, guard_or, is_exiting};
use super::handle;
use super::sized;
use super::status::{telelink_status, Failure};
use super::view::{self, telelink_bytes, telelink_str};
use crate::session::{MessageSchema, Service, ServiceRequest, ServiceResponder};

/// A message encoding with its schema.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_message_schema {
    /// Message encoding, for example "json".
    pub encoding: telelink_str,
    /// Schema.
    pub schema: telelink_schema,
}

/// One call of a service. Borrowed, valid during the callback.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_service_request {
    /// Size of this struct as the library knows it, bytes.
    pub struct_size: usize,
    /// Name of the service.
    pub service: telelink_str,
    /// Who calls.
    pub client: *const telelink_client,
    /// Encoding of the payload.
    pub encoding: telelink_str,
    /// Request bytes.
    pub payload: telelink_bytes,
    /// Chosen by the viewer; two calls may have the same.
    pub call_id: u32,
    /// Not used; 0.
    pub reserved: u32,
}

/// Answers one call of a service: once, from any thread, also after the callback has returned.
pub struct telelink_service_responder {
    responder: ServiceResponder,
}

/// A service of the robot. Set up with telelink_service_init().
///
/// Calls run on handler threads of the session, up to 32 at once, also of the same service; they may block. None runs
/// on the stack of a telelink call, none after `drop` has begun. `drop` runs exactly once, last: when the service was
/// removed or its session freed and every running call has returned; before returning when the call that was given
/// the service fails. In the last case it runs inside that call, else on a thread of the session; it may call anything
/// of telelink. No lock of the library is held meanwhile.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telelink_service {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Passed first to the functions below. Consumed with the service, also on failure.
    pub context: *mut c_void,
    /// Exactly once, after the last call; may be NULL.
    pub drop: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// A call. `request` is borrowed for the callback; `responder` is owned by it: telelink_service_responder_free()
    /// it, now or later. Required.
    pub on_request: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            request: *const telelink_service_request,
            responder: *mut telelink_service_responder,
        ),
    >,
    /// Name. Required. Of equal names in telelink_session_options the last counts, with a warning in the log;
    /// telelink_session_add_services() answers TELELINK_STATUS_DUPLICATE.
    pub name: telelink_str,
    /// Type name; may be empty.
    pub type_name: telelink_str,
    /// Optional: what requests look like. Calls in another encoding are refused.
    pub request: *const telelink_message_schema,
    /// Optional: what responses look like. Its encoding is the default of responses.
    pub response: *const telelink_message_schema,
    /// A call that is unanswered for so long fails, milliseconds; its place is free again, and a later answer goes
    /// nowhere. Default 0: none; 30,000 suit most services.
    pub timeout_ms: u64,
}

sized_struct!(
    telelink_service,
    first_size: size_of::<telelink_service>(),
    defaults: telelink_service {
        struct_size: size_of::<telelink_service>(),
        context: std::ptr::null_mut(),
        drop: None,
        on_request: None,
        name: telelink_str::EMPTY,
        type_name: telelink_str::EMPTY,
        request: std::ptr::null(),
        response: std::ptr::null(),
        timeout_ms: 0,
    },
);

type OnRequest = unsafe extern "C" fn(*mut c_void, *const telelink_service_request, *mut telelink_service_responder);

/// The callback of a service; dropping it calls the C `drop`.
struct Handler {
    on_request: OnRequest,
    context: Context,
}

impl Handler {
    fn call(&self, request: &ServiceRequest, responder: ServiceResponder) {
        if is_exiting() {
            return;
        }
        let c = telelink_service_request {
            struct_size: size_of::<telelink_service_request>(),
            service: telelink_str::of(&request.service),
            client: telelink_client::of(&request.client),
            encoding: telelink_str::of(&request.encoding),
            payload: telelink_bytes::of(&request.payload),
            call_id: request.call_id,
            reserved: 0,
        };
        let responder = Box::into_raw(Box::new(telelink_service_responder { responder }));
        // SAFETY: the function belongs to the table with this context; both outlive the call, and the responder is its.
        unsafe { (self.on_request)(self.context.get(), &raw const c, responder) };
    }
}

/// A service as read from C, with its context owned: whatever fails later, `drop` runs.
pub(super) struct PendingService {
    table: telelink_service,
    context: Context,
}

/// Takes the contexts of all services of an array of pointers, so that each `drop` runs also when a later step fails.
/// Entries that are NULL or of a wrong size have no context that could be read.
///
/// # Safety
/// `services` must be NULL or point to `count` pointers, each NULL or to a service of the caller.
pub(super) unsafe fn take_services(
    services: *const *const telelink_service,
    count: usize,
    name: &'static str,
) -> (Vec<PendingService>, Result<(), Failure>) {
    let mut taken = Vec::new();
    let mut result = Ok(());
    // SAFETY: the caller's promise.
    match unsafe { view::slice(services, count, name) } {
        Ok(pointers) => {
            for &pointer in pointers {
                // SAFETY: the caller's promise.
                match unsafe { sized::read(pointer, name) } {
                    Ok(table) => {
                        taken.push(PendingService { table, context: Context::new(table.context, table.drop as Drop_) });
                    }
                    Err(failure) if result.is_ok() => result = Err(failure),
                    Err(_) => {}
                }
            }
        }
        Err(failure) => result = Err(failure),
    }
    (taken, result)
}

impl PendingService {
    /// # Safety
    /// The views and pointers of the table must be readable.
    pub(super) unsafe fn build(self, tables: &Latch) -> Result<Service, Failure> {
        let Self { table, context } = self;
        // SAFETY: the caller's promise.
        let (name, type_name, request, response) = unsafe {
            (
                view::text(table.name, "service.name")?,
                view::text(table.type_name, "service.type_name")?,
                message_schema(table.request, "service.request")?,
                message_schema(table.response, "service.response")?,
            )
        };
        if name.is_empty() {
            return Err(Failure::new(telelink_status::InvalidValue, "service.name is empty"));
        }
        let Some(on_request) = table.on_request else {
            return Err(Failure::new(
                telelink_status::NullArgument,
                format!("service.on_request of service {name} is NULL"),
            ));
        };
        let handler = Arc::new(Handler { on_request, context: context.counted_by(tables) });
        let mut service = Service::new(name, type_name, move |request, responder| handler.call(&request, responder));
        if let Some(schema) = request {
            service = service.request(schema);
        }
        if let Some(schema) = response {
            service = service.response(schema);
        }
        if let Some(limit) = view::timeout(table.timeout_ms, &format!("service.timeout of service {name}"))? {
            service = service.timeout(limit);
        }
        Ok(service)
    }
}

unsafe fn message_schema(
    schema: *const telelink_message_schema,
    name: &'static str,
) -> Result<Option<MessageSchema>, Failure> {
    if schema.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL; the caller's promise, also for the views.
    unsafe {
        let schema = schema.read_unaligned();
        let encoding = view::text(schema.encoding, name)?.to_owned();
        let schema = read_schema(&raw const schema.schema, name)?;
        Ok(schema.map(|schema| MessageSchema { encoding, schema }))
    }
}

/// Fills a service with the defaults.
///
/// @param service      Written.
/// @param struct_size  sizeof *service.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `service` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_service_init(service: *mut telelink_service, struct_size: usize) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(service, struct_size, "service") })
}

/// Answers the call, in the declared encoding of responses, else in the request's.
///
/// An answer to a viewer that has left, or of a session that was freed, is dropped and still TELELINK_STATUS_OK.
///
/// @param responder  Borrowed; still has to be freed.
/// @param payload    Borrowed for the call and copied.
/// @return TELELINK_STATUS_OK                 answered
///         TELELINK_STATUS_ALREADY_RESPONDED  the call was answered before; nothing was sent
///         TELELINK_STATUS_NULL_ARGUMENT      `responder` is NULL, or `payload` has no data
///         TELELINK_STATUS_CLOSED             the process was forked from one that uses telelink
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_service_responder_respond(
    responder: *const telelink_service_responder,
    payload: telelink_bytes,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live responder or NULL.
        let responder = unsafe { handle::borrow(responder, "responder") }?;
        // SAFETY: the header asks for a readable view.
        let payload = unsafe { view::bytes(payload, "payload") }?;
        Ok(responder.responder.respond(Bytes::copy_from_slice(payload))?)
    })
}

/// telelink_service_responder_respond() in an encoding of its own.
///
/// @param responder  Borrowed; still has to be freed.
/// @param encoding   Borrowed. Message encoding of the payload.
/// @param payload    Borrowed for the call and copied.
/// @return As telelink_service_responder_respond(), and
///         TELELINK_STATUS_INVALID_UTF8  `encoding` is not UTF-8
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_service_responder_respond_encoded(
    responder: *const telelink_service_responder,
    encoding: telelink_str,
    payload: telelink_bytes,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live responder or NULL.
        let responder = unsafe { handle::borrow(responder, "responder") }?;
        // SAFETY: the header asks for readable views.
        let (encoding, payload) = unsafe { (view::text(encoding, "encoding")?, view::bytes(payload, "payload")?) };
        Ok(responder.responder.respond_encoded(encoding, Bytes::copy_from_slice(payload))?)
    })
}

/// Answers the call with a failure.
///
/// @param responder  Borrowed; still has to be freed.
/// @param message    Borrowed. Shown to the viewer.
/// @return As telelink_service_responder_respond(), and
///         TELELINK_STATUS_INVALID_UTF8  `message` is not UTF-8
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_service_responder_fail(
    responder: *const telelink_service_responder,
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
pub unsafe extern "C" fn telelink_service_responder_free(responder: *mut telelink_service_responder) {
    // SAFETY: the header asks for NULL or a live handle that is not used again.
    guard_or((), || drop(unsafe { handle::take(responder) }));
}
