//! `telelink_parameter`, its values, and lists of them that are kept.

use super::guard::{guard, guard_get, guard_or};
use super::handle;
use super::parameter_convert::{read_parameters, Tree};
use super::sized;
use super::status::{telelink_status, Failure};
use super::view::{telelink_bytes, telelink_str};
use crate::session::parameter_store::ParameterInfo;
use crate::session::Parameter;

/// What a telelink_parameter_value holds.
///
/// The wire tells integers from floats, and byte arrays from strings, but not what an empty array is made of, unless it
/// is one of floats: others arrive as TELELINK_PARAMETER_KIND_ARRAY without elements. An array whose elements are all
/// bools, integers, floats or strings arrives as an array of that kind, however it was sent. Byte arrays can only be the
/// value of a parameter, not stand inside an array or dictionary.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum telelink_parameter_kind {
    /// Nothing. In what a viewer wants to set, a wish to delete the parameter.
    Unset = 0,
    /// `boolean`.
    Bool = 1,
    /// `integer`.
    Integer = 2,
    /// `number`: finite.
    Float = 3,
    /// `string`.
    String = 4,
    /// `bytes`.
    Bytes = 5,
    /// `bools`.
    BoolArray = 6,
    /// `integers`.
    IntegerArray = 7,
    /// `floats`: finite.
    FloatArray = 8,
    /// `strings`.
    StringArray = 9,
    /// `values`: any others, also mixed and nested. On top, numbers cannot be mixed with other values.
    Array = 10,
    /// `entries`: a dictionary; of equal names the last counts. Arrives in the byte order of the names.
    Dict = 11,
}

// First of the types that name each other: cbindgen writes what it holds by value before it, and the rest after.
/// A name with a value: a parameter, or an entry of a dictionary. Owns nothing.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telelink_parameter {
    /// Name.
    pub name: telelink_str,
    /// Value.
    pub value: telelink_parameter_value,
}

/// Some bools. Owns nothing; the rules of telelink_str hold.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_bool_array {
    /// First element; may be NULL when `len` is 0.
    pub data: *const bool,
    /// Number of elements.
    pub len: usize,
}

/// Some integers. Owns nothing; the rules of telelink_str hold.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_integer_array {
    /// First element; may be NULL when `len` is 0.
    pub data: *const i64,
    /// Number of elements.
    pub len: usize,
}

/// Some floats. Owns nothing; the rules of telelink_str hold.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_float_array {
    /// First element; may be NULL when `len` is 0.
    pub data: *const f64,
    /// Number of elements.
    pub len: usize,
}

/// Some strings. Owns nothing; the rules of telelink_str hold.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_string_array {
    /// First element; may be NULL when `len` is 0.
    pub data: *const telelink_str,
    /// Number of elements.
    pub len: usize,
}

/// Some values. Owns nothing; the rules of telelink_str hold.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_parameter_value_array {
    /// First element; may be NULL when `len` is 0.
    pub data: *const telelink_parameter_value,
    /// Number of elements.
    pub len: usize,
}

/// Some names with values. Owns nothing; the rules of telelink_str hold.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_parameter_array {
    /// First element; may be NULL when `len` is 0.
    pub data: *const telelink_parameter,
    /// Number of elements.
    pub len: usize,
}

/// The member that telelink_parameter_value.kind names.
#[repr(C)]
#[derive(Clone, Copy)]
pub union telelink_parameter_data {
    /// TELELINK_PARAMETER_KIND_BOOL.
    pub boolean: bool,
    /// TELELINK_PARAMETER_KIND_INTEGER.
    pub integer: i64,
    /// TELELINK_PARAMETER_KIND_FLOAT.
    pub number: f64,
    /// TELELINK_PARAMETER_KIND_STRING.
    pub string: telelink_str,
    /// TELELINK_PARAMETER_KIND_BYTES.
    pub bytes: telelink_bytes,
    /// TELELINK_PARAMETER_KIND_BOOL_ARRAY.
    pub bools: telelink_bool_array,
    /// TELELINK_PARAMETER_KIND_INTEGER_ARRAY.
    pub integers: telelink_integer_array,
    /// TELELINK_PARAMETER_KIND_FLOAT_ARRAY.
    pub floats: telelink_float_array,
    /// TELELINK_PARAMETER_KIND_STRING_ARRAY.
    pub strings: telelink_string_array,
    /// TELELINK_PARAMETER_KIND_ARRAY.
    pub values: telelink_parameter_value_array,
    /// TELELINK_PARAMETER_KIND_DICT.
    pub entries: telelink_parameter_array,
}

/// A value of a parameter. Owns nothing: built in place, for example with telelink_float_value(), and read in place.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telelink_parameter_value {
    /// A telelink_parameter_kind.
    pub kind: i32,
    /// Not used; 0.
    pub reserved: u32,
    /// The value.
    pub data: telelink_parameter_data,
}

impl telelink_parameter_value {
    pub(super) const UNSET: Self =
        Self { kind: telelink_parameter_kind::Unset as i32, reserved: 0, data: telelink_parameter_data { integer: 0 } };
}

/// What is known of a parameter. Its views live as long as the list it was asked of.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telelink_parameter_info {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Name and value.
    pub parameter: telelink_parameter,
    /// A telelink_parameter_kind: the declared type, which an empty array does not show by itself.
    pub kind: i32,
    /// Viewers cannot change it: 0 or 1.
    pub read_only: u32,
    /// Viewers can delete it: 0 or 1.
    pub deletable: u32,
    /// Not used; 0.
    pub reserved: u32,
    /// For people.
    pub description: telelink_str,
    /// Smallest value, or unset.
    pub min: telelink_parameter_value,
    /// Largest value, or unset.
    pub max: telelink_parameter_value,
    /// Distance between values, or unset.
    pub step: telelink_parameter_value,
    /// The values that a string may have; none: any.
    pub allowed: *const telelink_str,
    /// Number of these.
    pub allowed_count: usize,
}

sized_struct!(
    telelink_parameter_info,
    first_size: size_of::<telelink_parameter_info>(),
    defaults: telelink_parameter_info {
        struct_size: size_of::<telelink_parameter_info>(),
        parameter: telelink_parameter { name: telelink_str::EMPTY, value: telelink_parameter_value::UNSET },
        kind: telelink_parameter_kind::Unset as i32,
        read_only: 0,
        deletable: 0,
        reserved: 0,
        description: telelink_str::EMPTY,
        min: telelink_parameter_value::UNSET,
        max: telelink_parameter_value::UNSET,
        step: telelink_parameter_value::UNSET,
        allowed: std::ptr::null(),
        allowed_count: 0,
    },
);

/// Parameters that are kept: everything that its elements point to lives in it and never changes.
pub struct telelink_parameter_list {
    tree: Tree,
    /// Of a store's list, one for each parameter; empty otherwise.
    infos: Vec<(ParameterInfo, Vec<telelink_str>)>,
}

// SAFETY: its pointers lead to memory that it owns and that nobody changes.
unsafe impl Send for telelink_parameter_list {}
// SAFETY: as above.
unsafe impl Sync for telelink_parameter_list {}

impl telelink_parameter_list {
    pub(super) fn new(parameters: Vec<Parameter>) -> Self {
        Self { tree: Tree::new(parameters), infos: Vec::new() }
    }

    pub(super) fn of_store(infos: Vec<ParameterInfo>) -> Self {
        let tree = Tree::new(infos.iter().map(|info| info.parameter.clone()).collect());
        let infos = infos.into_iter().map(|info| {
            let allowed = info.options.allowed.iter().map(|text| telelink_str::of(text)).collect();
            (info, allowed)
        });
        Self { tree, infos: infos.collect() }
    }
}

/// Copies parameters, to be kept after a callback for example.
///
/// @param parameters  Borrowed for the call and copied, with everything they point to.
/// @param count       Number of parameters.
/// @param out         Receives the copy; free it with telelink_parameter_list_free(). Written only on success.
/// @return TELELINK_STATUS_OK             copied
///         TELELINK_STATUS_NULL_ARGUMENT  `parameters` or `out` is NULL, or a view has no data
///         TELELINK_STATUS_INVALID_UTF8   a text is not UTF-8
///         TELELINK_STATUS_INVALID_VALUE  a value has no form on the wire: NaN, an infinity, nested more than 64 deep, an
///                                        array that mixes numbers with others, bytes inside another value, an unknown
///                                        kind; the message names the parameter
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_parameter_list_create(
    parameters: *const telelink_parameter,
    count: usize,
    out: *mut *mut telelink_parameter_list,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for readable parameters.
        let parameters = unsafe { read_parameters(parameters, count, "parameters") }?;
        let out = handle::out_pointer(out, "out")?;
        // SAFETY: not NULL; the header asks for a writable pointer.
        unsafe { handle::give(out, telelink_parameter_list::new(parameters)) };
        Ok(())
    })
}

/// The number of parameters of a list.
///
/// @param list  Borrowed. NULL gives 0.
/// @return The number.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_parameter_list_count(list: *const telelink_parameter_list) -> usize {
    // SAFETY: the header asks for a live list or NULL.
    guard_get(0, || Ok(unsafe { handle::borrow(list, "list") }?.tree.parameters().len()))
}

/// The parameters of a list.
///
/// @param list  Borrowed. NULL gives NULL.
/// @return The first of telelink_parameter_list_count() parameters. Borrowed: lives as long as `list`.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_parameter_list_data(
    list: *const telelink_parameter_list,
) -> *const telelink_parameter {
    // SAFETY: the header asks for a live list or NULL.
    guard_get(std::ptr::null(), || Ok(unsafe { handle::borrow(list, "list") }?.tree.parameters().as_ptr()))
}

/// What is known of a parameter of a list that came from telelink_parameter_store_list(). In other lists only name, value
/// and the kind of the value are known.
///
/// @param list   Borrowed.
/// @param index  Less than telelink_parameter_list_count().
/// @param info   Set up with telelink_parameter_info_init(); written. Its views live as long as `list`.
/// @return TELELINK_STATUS_OK             here it is
///         TELELINK_STATUS_NULL_ARGUMENT  `list` or `info` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    `info` was not set up
///         TELELINK_STATUS_NOT_FOUND      there are fewer parameters
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_parameter_list_info(
    list: *const telelink_parameter_list,
    index: usize,
    info: *mut telelink_parameter_info,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live list or NULL.
        let list = unsafe { handle::borrow(list, "list") }?;
        // SAFETY: the header asks for NULL or a struct that was set up.
        let mut value = unsafe { sized::read(info, "info") }?;
        let size = value.struct_size;
        let count = list.tree.parameters().len();
        let parameter = list.tree.parameters().get(index).ok_or_else(|| {
            Failure::new(telelink_status::NotFound, format!("index is {index}, but there are {count} parameters"))
        })?;
        value.parameter = *parameter;
        value.kind = parameter.value.kind;
        if let Some((known, allowed)) = list.infos.get(index) {
            let options = &known.options;
            value.kind = telelink_parameter_kind::from(known.kind) as i32;
            value.read_only = options.read_only.into();
            value.deletable = options.deletable.into();
            value.description = telelink_str::of(&options.description);
            value.min = telelink_parameter_value::number(options.min.as_ref());
            value.max = telelink_parameter_value::number(options.max.as_ref());
            value.step = telelink_parameter_value::number(options.step.as_ref());
            value.allowed = allowed.as_ptr();
            value.allowed_count = allowed.len();
        }
        // SAFETY: `read` has checked the size, which the caller vouches for.
        unsafe { sized::write(info, size, value, "info") }
    })
}

/// Frees a list and everything its elements point to.
///
/// @param list  Consumed. NULL does nothing.
/// @threading Any thread, but nobody may use this handle meanwhile. Never blocks. Allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_parameter_list_free(list: *mut telelink_parameter_list) {
    // SAFETY: the header asks for NULL or a live handle that is not used again.
    guard_or((), || drop(unsafe { handle::take(list) }));
}

/// Fills info with the defaults.
///
/// @param info         Written.
/// @param struct_size  sizeof *info.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `info` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_parameter_info_init(
    info: *mut telelink_parameter_info,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(info, struct_size, "info") })
}
