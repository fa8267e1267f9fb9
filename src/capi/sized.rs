//! Structs of the caller, read and written by their `struct_size`, so that fields can be appended later.

use super::handle::null;
use super::status::{telelink_status, Failure};

/// A struct of the header whose first field is `size_t struct_size` and whose fields only get more.
///
/// # Safety
/// `repr(C)`, `struct_size` first, every bit pattern valid in every field (no `bool`, no enum, no reference), and
/// `FIRST_SIZE` not larger than the size of the type.
pub(super) unsafe trait Sized_: Copy {
    /// Name in the header.
    const NAME: &'static str;
    /// Size in the first release that had it.
    const FIRST_SIZE: usize;
    /// What `_init` writes, and what fields have that an older caller does not know.
    fn defaults() -> Self;
}

/// Declares a struct of the header as [`Sized_`].
macro_rules! sized_struct {
    ($name:ident, first_size: $first:expr, defaults: $defaults:expr $(,)?) => {
        // SAFETY: the struct is `repr(C)`, begins with `struct_size` (checked below) and has only integers, pointers
        // and structs of these.
        unsafe impl $crate::capi::sized::Sized_ for $name {
            const NAME: &'static str = stringify!($name);
            const FIRST_SIZE: usize = $first;
            fn defaults() -> Self {
                $defaults
            }
        }
        const _: () = assert!(std::mem::offset_of!($name, struct_size) == 0 && $first <= size_of::<$name>());
    };
}

/// Reads a struct of the caller; what it does not have yet gets its default.
///
/// # Safety
/// `from` must be NULL or point to a readable `size_t`, and, if that is a size this library knows, to as many bytes.
pub(super) unsafe fn read<T: Sized_>(from: *const T, name: &'static str) -> Result<T, Failure> {
    if from.is_null() {
        return Err(null(name));
    }
    // SAFETY: not NULL; the caller's promise. No alignment is assumed: the struct may lie in a packed one.
    let size = unsafe { from.cast::<usize>().read_unaligned() };
    check::<T>(size, name)?;
    let mut value = T::defaults();
    // SAFETY: `size` bytes are readable by the caller's promise and fit into `value`, in which every pattern is valid.
    unsafe { std::ptr::copy_nonoverlapping(from.cast::<u8>(), (&raw mut value).cast::<u8>(), size) };
    Ok(value)
}

/// The size that a struct of the caller was set up with.
///
/// # Safety
/// As [`read`].
pub(super) unsafe fn read_size<T: Sized_>(from: *const T, name: &'static str) -> Result<usize, Failure> {
    if from.is_null() {
        return Err(null(name));
    }
    // SAFETY: not NULL; the caller's promise.
    let size = unsafe { from.cast::<usize>().read_unaligned() };
    check::<T>(size, name)?;
    Ok(size)
}

/// [`read`], with NULL meaning all defaults.
///
/// # Safety
/// As [`read`].
pub(super) unsafe fn read_or_default<T: Sized_>(from: *const T, name: &'static str) -> Result<T, Failure> {
    if from.is_null() {
        return Ok(T::defaults());
    }
    // SAFETY: the caller's promise.
    unsafe { read(from, name) }
}

/// [`read`], with NULL meaning nothing.
///
/// # Safety
/// As [`read`].
pub(super) unsafe fn read_optional<T: Sized_>(from: *const T, name: &'static str) -> Result<Option<T>, Failure> {
    if from.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    unsafe { read(from, name) }.map(Some)
}

/// Writes the first `size` bytes of `value` to a struct of the caller, with `struct_size` being `size`.
///
/// # Safety
/// `to` must be NULL or point to `size` writable bytes.
pub(super) unsafe fn write<T: Sized_>(to: *mut T, size: usize, value: T, name: &'static str) -> Result<(), Failure> {
    if to.is_null() {
        return Err(null(name));
    }
    check::<T>(size, name)?;
    // SAFETY: `size` bytes are writable by the caller's promise and not more than `value` has.
    unsafe {
        std::ptr::copy_nonoverlapping((&raw const value).cast::<u8>(), to.cast::<u8>(), size);
        to.cast::<usize>().write_unaligned(size);
    }
    Ok(())
}

/// The body of every `_init` function.
///
/// # Safety
/// As [`write`].
pub(super) unsafe fn init<T: Sized_>(to: *mut T, size: usize, name: &'static str) -> Result<(), Failure> {
    // SAFETY: the caller's promise.
    unsafe { write(to, size, T::defaults(), name) }
}

fn check<T: Sized_>(size: usize, name: &'static str) -> Result<(), Failure> {
    if (T::FIRST_SIZE..=size_of::<T>()).contains(&size) {
        return Ok(());
    }
    Err(Failure::new(
        telelink_status::StructSize,
        format!(
            "{name}: struct_size is {size}, but {} has {} bytes here: call {}_init() first, and use the header of this \
             library (version {})",
            T::NAME,
            size_of::<T>(),
            T::NAME,
            env!("CARGO_PKG_VERSION"),
        ),
    ))
}
