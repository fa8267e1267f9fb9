//! `telelink_parameter_handler` and `telelink_parameter_responder`: what viewers ask of parameters.

use std::ffi::c_void;
use std::sync::Arc;

use parking_lot::Mutex;

use super::callback::{Context, Drop_, Latch};
use super::client::telelink_client;
use super::guard::{guard, guard_or, is_exiting};
use super::handle;
use super::parameter::telelink_parameter;
use super::parameter_convert::{read_parameters, Tree};
use super::sized;
use super::status::{telelink_status, Failure};
use super::view::{self, telelink_str};
use crate::session::{GetParametersRequest, Parameter, ParameterHandler, ParameterResponder, SetParametersRequest};

/// A viewer wants to know values. Borrowed, valid during the callback.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_get_parameters_request {
    /// Size of this struct as the library knows it, bytes.
    pub struct_size: usize,
    /// Who asks.
    pub client: *const telelink_client,
    /// The viewer's id of the request; `data` is NULL when it gave none.
    pub request_id: telelink_str,
    /// Which parameters; none: all.
    pub names: *const telelink_str,
    /// Number of names.
    pub names_count: usize,
}

/// A viewer wants to change values. Borrowed, valid during the callback.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_set_parameters_request {
    /// Size of this struct as the library knows it, bytes.
    pub struct_size: usize,
    /// Who asks.
    pub client: *const telelink_client,
    /// The viewer's id of the request; `data` is NULL when it gave none, and then it gets no answer.
    pub request_id: telelink_str,
    /// The parameters as wanted; one that is unset is to be deleted.
    pub parameters: *const telelink_parameter,
    /// Number of parameters.
    pub parameters_count: usize,
}

/// Answers one request about parameters: once, from any thread, also after the callback has returned.
pub struct telelink_parameter_responder {
    responder: ParameterResponder,
}

/// What `on_get_parameters` or `on_set_parameters` of telelink_session_callbacks answers. Borrowed, valid during the
/// callback.
pub struct telelink_parameter_answer {
    parameters: Mutex<Vec<Parameter>>,
}

impl telelink_parameter_answer {
    /// What a callback answers, which is given a pointer to this.
    pub(super) fn of(callback: impl FnOnce(*const Self)) -> Vec<Parameter> {
        let answer = Self { parameters: Mutex::default() };
        callback(&raw const answer);
        answer.parameters.into_inner()
    }
}

/// Reads and writes the robot's parameters for viewers. Set up with telelink_parameter_handler_init(). A
/// telelink_parameter_store does this by itself.
///
/// Requests run on handler threads of the session and may block; those of one viewer run one at a time, in their order.
/// None runs on the stack of a telelink call, none after `drop` has begun. `drop` runs exactly once, last: when the
/// session was freed and every running callback has returned; before returning when telelink_session_create() fails. No
/// lock of the library is held meanwhile.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telelink_parameter_handler {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Passed first to the functions below. Consumed with the handler, also on failure.
    pub context: *mut c_void,
    /// Exactly once, after the last request; may be NULL.
    pub drop: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// A viewer asks: answer with the values; leave out what is unknown. `request` is borrowed for the callback;
    /// `responder` is owned by it: telelink_parameter_responder_free() it, now or later. Required.
    pub on_get: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            request: *const telelink_get_parameters_request,
            responder: *mut telelink_parameter_responder,
        ),
    >,
    /// A viewer sets: apply what can be applied and answer with the values as they are now. Other viewers learn of it by
    /// telelink_session_publish_parameter_values() alone. Ownership as for `on_get`. Required.
    pub on_set: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            request: *const telelink_set_parameters_request,
            responder: *mut telelink_parameter_responder,
        ),
    >,
}

sized_struct!(
    telelink_parameter_handler,
    first_size: size_of::<telelink_parameter_handler>(),
    defaults: telelink_parameter_handler {
        struct_size: size_of::<telelink_parameter_handler>(),
        context: std::ptr::null_mut(),
        drop: None,
        on_get: None,
        on_set: None,
    },
);

type OnGet =
    unsafe extern "C" fn(*mut c_void, *const telelink_get_parameters_request, *mut telelink_parameter_responder);
type OnSet =
    unsafe extern "C" fn(*mut c_void, *const telelink_set_parameters_request, *mut telelink_parameter_responder);

/// A handler as read from C, with its context owned: whatever fails later, `drop` runs.
pub(super) struct PendingHandler {
    table: telelink_parameter_handler,
    context: Context,
}

impl PendingHandler {
    pub(super) fn new(table: telelink_parameter_handler, latch: &Latch) -> Self {
        let context = Context::new(table.context, table.drop as Drop_).counted_by(latch);
        Self { table, context }
    }

    pub(super) fn build(self) -> Result<Arc<dyn ParameterHandler>, Failure> {
        let missing = |which| {
            let text = format!("options.parameter_handler.{which} is NULL");
            Failure::new(telelink_status::NullArgument, text)
        };
        let on_get = self.table.on_get.ok_or_else(|| missing("on_get"))?;
        let on_set = self.table.on_set.ok_or_else(|| missing("on_set"))?;
        Ok(Arc::new(Handler { on_get, on_set, context: self.context }))
    }
}

/// The callbacks of a handler; dropping it calls the C `drop`.
struct Handler {
    on_get: OnGet,
    on_set: OnSet,
    context: Context,
}

/// An id as C sees it: an empty one is not the same as none.
pub(super) fn optional_text(text: Option<&str>) -> telelink_str {
    text.map_or(telelink_str::EMPTY, telelink_str::of)
}

fn give(responder: ParameterResponder) -> *mut telelink_parameter_responder {
    Box::into_raw(Box::new(telelink_parameter_responder { responder }))
}

impl ParameterHandler for Handler {
    fn get(&self, request: GetParametersRequest, responder: ParameterResponder) {
        if is_exiting() {
            return;
        }
        let names: Vec<_> = request.names.iter().map(|name| telelink_str::of(name)).collect();
        let c = telelink_get_parameters_request {
            struct_size: size_of::<telelink_get_parameters_request>(),
            client: telelink_client::of(&request.client),
            request_id: optional_text(request.request_id.as_deref()),
            names: names.as_ptr(),
            names_count: names.len(),
        };
        // SAFETY: the function belongs to the table with this context; both outlive the call, and the responder is its.
        unsafe { (self.on_get)(self.context.get(), &raw const c, give(responder)) };
    }

    fn set(&self, request: SetParametersRequest, responder: ParameterResponder) {
        if is_exiting() {
            return;
        }
        let tree = Tree::new(request.parameters);
        let c = telelink_set_parameters_request {
            struct_size: size_of::<telelink_set_parameters_request>(),
            client: telelink_client::of(&request.client),
            request_id: optional_text(request.request_id.as_deref()),
            parameters: tree.parameters().as_ptr(),
            parameters_count: tree.parameters().len(),
        };
        // SAFETY: as in `get`.
        unsafe { (self.on_set)(self.context.get(), &raw const c, give(responder)) };
    }
}

/// Says what a callback of telelink_session_callbacks answers. Calling it again replaces the answer; without it the answer
/// has no parameters.
///
/// @param answer      Borrowed.
/// @param parameters  Borrowed for the call and copied. Unset ones are left out.
/// @param count       Number of parameters; may be 0.
/// @return TELELINK_STATUS_OK             noted
///         TELELINK_STATUS_NULL_ARGUMENT  `answer` or `parameters` is NULL, or a view has no data
///         TELELINK_STATUS_INVALID_UTF8   a text is not UTF-8
///         TELELINK_STATUS_INVALID_VALUE  a value cannot be sent, as for telelink_parameter_list_create()
/// @threading During the callback. Never blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_parameter_answer_set(
    answer: *const telelink_parameter_answer,
    parameters: *const telelink_parameter,
    count: usize,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live answer or NULL.
        let answer = unsafe { handle::borrow(answer, "answer") }?;
        // SAFETY: the header asks for readable parameters.
        *answer.parameters.lock() = unsafe { read_parameters(parameters, count, "parameters") }?;
        Ok(())
    })
}

/// Fills handler with the defaults.
///
/// @param handler      Written.
/// @param struct_size  sizeof *handler.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `handler` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_parameter_handler_init(
    handler: *mut telelink_parameter_handler,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(handler, struct_size, "handler") })
}

/// Answers a request with values. Unset parameters are left out.
///
/// An answer to a viewer that has left, or of a session that was freed, is dropped and still TELELINK_STATUS_OK.
///
/// @param responder   Borrowed; still has to be freed.
/// @param parameters  Borrowed for the call and copied.
/// @param count       Number of parameters; may be 0.
/// @return TELELINK_STATUS_OK                 answered
///         TELELINK_STATUS_ALREADY_RESPONDED  the request was answered before; nothing was sent
///         TELELINK_STATUS_NULL_ARGUMENT      `responder` or `parameters` is NULL, or a view has no data
///         TELELINK_STATUS_INVALID_UTF8       a text is not UTF-8
///         TELELINK_STATUS_INVALID_VALUE      a value cannot be sent, as for telelink_parameter_list_create(); nothing was
///                                            sent, the request can still be answered
///         TELELINK_STATUS_CLOSED             the process was forked from one that uses telelink
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_parameter_responder_respond(
    responder: *const telelink_parameter_responder,
    parameters: *const telelink_parameter,
    count: usize,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live responder or NULL.
        let responder = unsafe { handle::borrow(responder, "responder") }?;
        // SAFETY: the header asks for readable parameters.
        let parameters = unsafe { read_parameters(parameters, count, "parameters") }?;
        Ok(responder.responder.respond(parameters)?)
    })
}

/// Answers a request with an error status.
///
/// @param responder  Borrowed; still has to be freed.
/// @param message    Borrowed. Shown to the viewer.
/// @return As telelink_parameter_responder_respond().
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_parameter_responder_fail(
    responder: *const telelink_parameter_responder,
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
pub unsafe extern "C" fn telelink_parameter_responder_free(responder: *mut telelink_parameter_responder) {
    // SAFETY: the header asks for NULL or a live handle that is not used again.
    guard_or((), || drop(unsafe { handle::take(responder) }));
}
