//! `telelink_parameter_store`.

use std::ffi::c_void;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::callback::{Context, Drop_, Latch};
use super::guard::{guard, guard_or, is_exiting};
use super::handle;
use super::parameter::{telelink_parameter, telelink_parameter_list, telelink_parameter_value};
use super::parameter_convert::{read_kind, read_value, Tree};
use super::sized;
use super::status::{telelink_status, Failure};
use super::view::{self, telelink_str};
use crate::session::{
    GetParametersRequest, Parameter, ParameterHandler, ParameterOptions, ParameterPublisher, ParameterResponder,
    ParameterStore, ParameterValue, SetParametersRequest,
};

/// A typed map of parameters that answers viewers by itself: put it into telelink_session_options, of one session or more.
///
/// Every change is published to the viewers that follow the parameter, whoever made it. Of what a viewer wants to set, each
/// parameter is decided by itself: one that is unknown, read-only, of the wrong type, out of range or refused by `validate`
/// keeps its value, the answer reports what is stored, and the reason goes to the robot's log: one line a second at most,
/// with the reason of one refusal and the `count` of all since the line before.
///
/// At most 16,384 parameters, names of 1,024 bytes, values of about 1 MiB, and 12 MiB together.
pub struct telelink_parameter_store {
    pub(super) store: Arc<ParameterStore>,
}

/// A new value that `validate` looks at. Borrowed, valid during the callback.
pub struct telelink_parameter_check {
    refusal: Mutex<Option<String>>,
}

/// A parameter to be declared. Set up with telelink_parameter_declaration_init(). What it names is copied.
///
/// `validate` and `on_change` run on the thread that sets a value, inside that call; for viewers on a handler thread of
/// their session. They may use the store themselves, and may block; no lock of the library is held. `on_change` functions
/// of a store run one at a time, in the order of the changes: while one runs, changes by others are left to its thread,
/// and of several to one parameter the newest is told. `validate` calls can overlap. `drop` runs exactly once, last: when
/// the parameter was removed or its store has gone, and every running callback has returned; before returning when
/// telelink_parameter_store_declare() fails.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telelink_parameter_declaration {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Passed first to the functions below. Consumed with the declaration, also on failure.
    pub context: *mut c_void,
    /// Exactly once, after the last callback; may be NULL.
    pub drop: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// Asked about every new value that is of the right type and in range. telelink_parameter_check_refuse() refuses it.
    /// May be NULL.
    pub validate: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            parameter: *const telelink_parameter,
            check: *const telelink_parameter_check,
        ),
    >,
    /// The value has changed. Unset: a viewer has deleted the parameter. May be NULL.
    pub on_change: Option<unsafe extern "C" fn(context: *mut c_void, parameter: *const telelink_parameter)>,
    /// Name. Required.
    pub name: telelink_str,
    /// First value: it fixes the type. An array that is declared as one of bools, say, stays one also when it is empty.
    /// Required.
    pub value: telelink_parameter_value,
    /// For people; stays on the robot. Default empty.
    pub description: telelink_str,
    /// Smallest value of a number, or of the elements of an array of numbers: an integer, or for floats a number. Default
    /// unset: none.
    pub min: telelink_parameter_value,
    /// Largest value, likewise. Default unset: none.
    pub max: telelink_parameter_value,
    /// Distance between values, positive, counted from `min`, else from 0; `min` and `max` are always allowed. Default
    /// unset: any.
    pub step: telelink_parameter_value,
    /// The values that a string, or each element of an array of strings, may have. Default none: any.
    pub allowed: *const telelink_str,
    /// Number of these.
    pub allowed_count: usize,
    /// Viewers cannot change it (the robot can): 0 or 1. Default 0.
    pub read_only: u32,
    /// Viewers can delete it: 0 or 1. Default 0.
    pub deletable: u32,
}

sized_struct!(
    telelink_parameter_declaration,
    first_size: size_of::<telelink_parameter_declaration>(),
    defaults: telelink_parameter_declaration {
        struct_size: size_of::<telelink_parameter_declaration>(),
        context: std::ptr::null_mut(),
        drop: None,
        validate: None,
        on_change: None,
        name: telelink_str::EMPTY,
        value: telelink_parameter_value::UNSET,
        description: telelink_str::EMPTY,
        min: telelink_parameter_value::UNSET,
        max: telelink_parameter_value::UNSET,
        step: telelink_parameter_value::UNSET,
        allowed: std::ptr::null(),
        allowed_count: 0,
        read_only: 0,
        deletable: 0,
    },
);

/// A store in the hands of a session: the session's end waits until it has let go of it.
pub(super) struct Shared {
    store: Arc<ParameterStore>,
    // Dropped after the store.
    _open: Latch,
}

impl Shared {
    pub(super) fn new(store: &telelink_parameter_store, latch: &Latch) -> Arc<Self> {
        Arc::new(Self { store: store.store.clone(), _open: latch.hold() })
    }
}

impl ParameterHandler for Shared {
    fn get(&self, request: GetParametersRequest, responder: ParameterResponder) {
        ParameterHandler::get(&*self.store, request, responder);
    }

    fn set(&self, request: SetParametersRequest, responder: ParameterResponder) {
        ParameterHandler::set(&*self.store, request, responder);
    }

    fn attach(&self, publisher: Weak<dyn ParameterPublisher>) {
        self.store.attach(publisher);
    }
}

/// The callbacks of a declaration; dropping the last of them calls the C `drop`.
struct Callbacks {
    table: telelink_parameter_declaration,
    context: Context,
}

// SAFETY: of the table only the function pointers are used; its context pointer is the one `Context` answers for.
unsafe impl Send for Callbacks {}
// SAFETY: as above.
unsafe impl Sync for Callbacks {}

impl Callbacks {
    fn validate(&self, parameter: &Parameter) -> Result<(), String> {
        let Some(validate) = self.table.validate.filter(|_| !is_exiting()) else { return Ok(()) };
        let tree = Tree::new(vec![parameter.clone()]);
        let check = telelink_parameter_check { refusal: Mutex::default() };
        // SAFETY: the function belongs to the table with this context; the arguments live until it returns.
        unsafe { validate(self.context.get(), tree.parameters().as_ptr(), &raw const check) };
        check.refusal.into_inner().map_or(Ok(()), Err)
    }

    fn changed(&self, parameter: &Parameter) {
        let Some(on_change) = self.table.on_change.filter(|_| !is_exiting()) else { return };
        let tree = Tree::new(vec![parameter.clone()]);
        // SAFETY: as above.
        unsafe { on_change(self.context.get(), tree.parameters().as_ptr()) };
    }
}

/// A bound of a declaration.
unsafe fn bound(value: &telelink_parameter_value, name: &'static str) -> Result<Option<ParameterValue>, Failure> {
    // SAFETY: the caller's promise.
    Ok(unsafe { read_value(name, value, name) }?.value)
}

/// Makes an empty store.
///
/// @param out  Receives the store; free it with telelink_parameter_store_free(). Written only on success.
/// @return TELELINK_STATUS_OK             made
///         TELELINK_STATUS_NULL_ARGUMENT  `out` is NULL
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_parameter_store_create(out: *mut *mut telelink_parameter_store) -> telelink_status {
    guard(|| {
        let out = handle::out_pointer(out, "out")?;
        // SAFETY: not NULL; the header asks for a writable pointer.
        unsafe { handle::give(out, telelink_parameter_store { store: ParameterStore::new() }) };
        Ok(())
    })
}

/// Gives a store up. It lives on as long as a session uses it; with the last of them it goes, and the `drop` of each
/// parameter runs.
///
/// @param store  Consumed. NULL does nothing.
/// @threading Any thread, but nobody may use this handle meanwhile. Never blocks. Allowed inside callbacks, also its own.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_parameter_store_free(store: *mut telelink_parameter_store) {
    // SAFETY: the header asks for NULL or a live handle that is not used again.
    guard_or((), || drop(unsafe { handle::take(store) }));
}

/// Fills declaration with the defaults.
///
/// @param declaration  Written.
/// @param struct_size  sizeof *declaration.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `declaration` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_parameter_declaration_init(
    declaration: *mut telelink_parameter_declaration,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(declaration, struct_size, "declaration") })
}

/// Declares a parameter. Its context is consumed, on failure too (not if `struct_size` is wrong: then nothing of it can be
/// read).
///
/// @param store        Borrowed.
/// @param declaration  Borrowed. Set up with telelink_parameter_declaration_init().
/// @return TELELINK_STATUS_OK             declared
///         TELELINK_STATUS_DUPLICATE      there is a parameter of that name
///         TELELINK_STATUS_NULL_ARGUMENT  `store` or `declaration` is NULL, or a view has no data
///         TELELINK_STATUS_INVALID_UTF8   a text is not UTF-8
///         TELELINK_STATUS_INVALID_VALUE  the name is empty or too long, the value is missing, breaks the rules or cannot
///                                        be sent (see telelink_parameter_list_create()), the rules do not go with its
///                                        type, or the store is full; the message says which
///         TELELINK_STATUS_STRUCT_SIZE    `declaration` was not set up
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_parameter_store_declare(
    store: *const telelink_parameter_store,
    declaration: *const telelink_parameter_declaration,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for NULL or a struct that was set up.
        let table = unsafe { sized::read(declaration, "declaration") }?;
        // From here on `drop` runs whatever happens.
        let callbacks = Callbacks { table, context: Context::new(table.context, table.drop as Drop_) };
        // SAFETY: the header asks for a live store or NULL.
        let store = unsafe { handle::borrow(store, "store") }?;
        // SAFETY: the header asks for readable views and values.
        let (name, parameter, options) = unsafe {
            let name = view::text(table.name, "declaration.name")?;
            let parameter = read_value(name, &table.value, "declaration.value")?;
            let options = ParameterOptions {
                description: view::text(table.description, "declaration.description")?.to_owned(),
                min: bound(&table.min, "declaration.min")?,
                max: bound(&table.max, "declaration.max")?,
                step: bound(&table.step, "declaration.step")?,
                allowed: view::texts(table.allowed, table.allowed_count, "declaration.allowed")?,
                read_only: view::flag(table.read_only, "declaration.read_only")?,
                deletable: view::flag(table.deletable, "declaration.deletable")?,
                ..ParameterOptions::default()
            };
            (name, parameter, options)
        };
        let Some(kind) = read_kind(table.value.kind, name)? else {
            return Err(Failure::new(telelink_status::InvalidValue, format!("declaration.value of {name} is unset")));
        };
        let callbacks = Arc::new(callbacks);
        let (check, tell) = (callbacks.clone(), callbacks);
        let options = options.validate(move |new| check.validate(new)).on_change(move |new| tell.changed(new));
        Ok(store.store.declare_as(kind, parameter, options)?)
    })
}

/// Refuses the value that `validate` was asked about. Of several reasons the last counts.
///
/// @param check   Borrowed.
/// @param reason  Borrowed. For people.
/// @return TELELINK_STATUS_OK             refused
///         TELELINK_STATUS_NULL_ARGUMENT  `check` is NULL, or `reason` has no data
///         TELELINK_STATUS_INVALID_UTF8   `reason` is not UTF-8; refused all the same
/// @threading During the callback.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_parameter_check_refuse(
    check: *const telelink_parameter_check,
    reason: telelink_str,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live check or NULL.
        let check = unsafe { handle::borrow(check, "check") }?;
        *check.refusal.lock() = Some("no reason was given".into());
        // SAFETY: the header asks for a readable view.
        let reason = unsafe { view::text(reason, "reason") }?;
        *check.refusal.lock() = Some(reason.to_owned());
        Ok(())
    })
}

/// Takes a parameter away. Its callbacks are not called any more, except for one that is running.
///
/// @param store  Borrowed.
/// @param name   Borrowed.
/// @return TELELINK_STATUS_OK             taken away
///         TELELINK_STATUS_NOT_FOUND      there is none of that name
///         TELELINK_STATUS_NULL_ARGUMENT  `store` is NULL, or `name` has no data
///         TELELINK_STATUS_INVALID_UTF8   `name` is not UTF-8
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_parameter_store_remove(
    store: *const telelink_parameter_store,
    name: telelink_str,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live store or NULL, and a readable view.
        let (store, name) = unsafe { (handle::borrow(store, "store")?, view::text(name, "name")?) };
        if store.store.remove(name) {
            Ok(())
        } else {
            Err(not_found(name))
        }
    })
}

fn not_found(name: &str) -> Failure {
    Failure::new(telelink_status::NotFound, format!("there is no parameter {name}"))
}

/// A parameter as it is now.
///
/// @param store  Borrowed.
/// @param name   Borrowed.
/// @param out    Receives a list of one parameter; free it with telelink_parameter_list_free(). Written only on success.
/// @return TELELINK_STATUS_OK             here it is
///         TELELINK_STATUS_NOT_FOUND      there is none of that name
///         TELELINK_STATUS_NULL_ARGUMENT  `store` or `out` is NULL, or `name` has no data
///         TELELINK_STATUS_INVALID_UTF8   `name` is not UTF-8
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_parameter_store_get(
    store: *const telelink_parameter_store,
    name: telelink_str,
    out: *mut *mut telelink_parameter_list,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live store or NULL, and a readable view.
        let (store, name) = unsafe { (handle::borrow(store, "store")?, view::text(name, "name")?) };
        let out = handle::out_pointer(out, "out")?;
        let parameter = store.store.find(name).ok_or_else(|| not_found(name))?;
        // SAFETY: not NULL; the header asks for a writable pointer.
        unsafe { handle::give(out, telelink_parameter_list::new(vec![Parameter::clone(&parameter)])) };
        Ok(())
    })
}

/// The value of a bool, integer or float as it is now. Allocates nothing: for control loops.
///
/// @param store      Borrowed.
/// @param name       Borrowed.
/// @param value_out  Receives the value; written only on success.
/// @return TELELINK_STATUS_OK             here it is
///         TELELINK_STATUS_NOT_FOUND      there is none of that name
///         TELELINK_STATUS_INVALID_VALUE  it is neither a bool nor a number
///         TELELINK_STATUS_NULL_ARGUMENT  `store` or `value_out` is NULL, or `name` has no data
///         TELELINK_STATUS_INVALID_UTF8   `name` is not UTF-8
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_parameter_store_scalar(
    store: *const telelink_parameter_store,
    name: telelink_str,
    value_out: *mut telelink_parameter_value,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live store or NULL, and a readable view.
        let (store, name) = unsafe { (handle::borrow(store, "store")?, view::text(name, "name")?) };
        let out = handle::out_pointer(value_out, "value_out")?;
        let parameter = store.store.find(name).ok_or_else(|| not_found(name))?;
        let value = telelink_parameter_value::scalar(&parameter).ok_or_else(|| {
            Failure::new(telelink_status::InvalidValue, format!("{name} is neither a bool nor a number"))
        })?;
        // SAFETY: not NULL; the header asks for a writable value.
        unsafe { out.write(value) };
        Ok(())
    })
}

/// All parameters by name, with what is known of them (telelink_parameter_list_info()).
///
/// @param store  Borrowed.
/// @param out    Receives the list; free it with telelink_parameter_list_free(). Written only on success.
/// @return TELELINK_STATUS_OK             here it is
///         TELELINK_STATUS_NULL_ARGUMENT  `store` or `out` is NULL
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_parameter_store_list(
    store: *const telelink_parameter_store,
    out: *mut *mut telelink_parameter_list,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live store or NULL.
        let store = unsafe { handle::borrow(store, "store") }?;
        let out = handle::out_pointer(out, "out")?;
        // SAFETY: not NULL; the header asks for a writable pointer.
        unsafe { handle::give(out, telelink_parameter_list::of_store(store.store.list())) };
        Ok(())
    })
}

/// Changes a value. An integer will do for a float. What is no change is neither published nor told.
///
/// @param store  Borrowed.
/// @param name   Borrowed.
/// @param value  Borrowed for the call and copied.
/// @return TELELINK_STATUS_OK             set
///         TELELINK_STATUS_NOT_FOUND      there is none of that name
///         TELELINK_STATUS_INVALID_VALUE  of another type, out of range, not allowed, refused by `validate`, or not to be
///                                        sent (see telelink_parameter_list_create()); the message says why
///         TELELINK_STATUS_NULL_ARGUMENT  `store` is NULL, or a view has no data
///         TELELINK_STATUS_INVALID_UTF8   a text is not UTF-8
/// @threading Any thread, allowed inside callbacks. Calls `validate` and `on_change`, and takes as long as they do.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_parameter_store_set(
    store: *const telelink_parameter_store,
    name: telelink_str,
    value: telelink_parameter_value,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live store or NULL, and a readable view.
        let (store, name) = unsafe { (handle::borrow(store, "store")?, view::text(name, "name")?) };
        // SAFETY: the header asks for a readable value.
        let parameter = unsafe { read_value(name, &value, "value") }?;
        Ok(store.store.set_parameter(parameter)?)
    })
}
