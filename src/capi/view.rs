//! Texts and bytes as C hands them over and takes them.

use std::collections::BTreeMap;
use std::ffi::c_char;
use std::time::Duration;

use super::status::{telelink_status, Failure};

/// A text: UTF-8, not ended by NUL. Owns nothing.
///
/// As an argument it is borrowed for the call; `data` may be NULL only when `len` is 0. As a result its function says
/// how long it lives.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_str {
    /// First byte; may be NULL when `len` is 0.
    pub data: *const c_char,
    /// Number of bytes.
    pub len: usize,
}

/// Bytes. Owns nothing; the rules of telelink_str hold.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_bytes {
    /// First byte; may be NULL when `len` is 0.
    pub data: *const u8,
    /// Number of bytes.
    pub len: usize,
}

/// A key with its value.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_pair {
    /// Key.
    pub key: telelink_str,
    /// Value.
    pub value: telelink_str,
}

impl telelink_str {
    pub(super) const EMPTY: Self = Self { data: std::ptr::null(), len: 0 };

    pub(super) fn of(text: &str) -> Self {
        Self { data: text.as_ptr().cast(), len: text.len() }
    }
}

impl telelink_bytes {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr(), len: bytes.len() }
    }
}

/// The bytes of a view.
///
/// # Safety
/// `data` must be NULL or point to `len` readable bytes that nobody changes during `'a`.
#[inline]
pub(super) unsafe fn bytes<'a>(view: telelink_bytes, name: &'static str) -> Result<&'a [u8], Failure> {
    // SAFETY: the caller's promise is the one `raw` asks for.
    unsafe { raw(view.data, view.len, name) }
}

/// The text of a view.
///
/// # Safety
/// As [`bytes`].
pub(super) unsafe fn text<'a>(view: telelink_str, name: &'static str) -> Result<&'a str, Failure> {
    // SAFETY: the caller's promise is the one `raw` asks for.
    let bytes = unsafe { raw(view.data.cast::<u8>(), view.len, name) }?;
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        Failure::new(telelink_status::InvalidUtf8, format!("{name} is not valid UTF-8 at byte {at}"))
    })
}

/// An array of `len` elements.
///
/// # Safety
/// `data` must be NULL or point to `len` readable elements that nobody changes during `'a`.
pub(super) unsafe fn slice<'a, T>(data: *const T, len: usize, name: &'static str) -> Result<&'a [T], Failure> {
    if data.is_null() {
        return if len == 0 { Ok(&[]) } else { Err(null_data(name, len)) };
    }
    if !data.is_aligned() || len > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(Failure::new(telelink_status::InvalidValue, format!("{name} has an impossible address or length")));
    }
    // SAFETY: not NULL, aligned, not too long; the rest is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(data, len) })
}

/// A map of texts from an array of pairs.
///
/// # Safety
/// As [`slice`], and as [`text`] for every key and value.
pub(super) unsafe fn map(
    data: *const telelink_pair,
    len: usize,
    name: &'static str,
) -> Result<BTreeMap<String, String>, Failure> {
    // SAFETY: the caller's promise.
    let pairs = unsafe { slice(data, len, name) }?;
    // SAFETY: the caller's promise, for each view.
    pairs
        .iter()
        .map(|pair| unsafe { Ok((text(pair.key, name)?.to_owned(), text(pair.value, name)?.to_owned())) })
        .collect()
}

/// Owned texts from an array of views.
///
/// # Safety
/// As [`slice`], and as [`text`] for every element.
pub(super) unsafe fn texts(data: *const telelink_str, len: usize, name: &'static str) -> Result<Vec<String>, Failure> {
    // SAFETY: the caller's promise.
    let views = unsafe { slice(data, len, name) }?;
    // SAFETY: the caller's promise, for each view.
    views.iter().map(|view| unsafe { Ok(text(*view, name)?.to_owned()) }).collect()
}

/// A number that says yes or no.
pub(super) fn flag(value: impl Into<i64>, name: &str) -> Result<bool, Failure> {
    match value.into() {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(Failure::new(telelink_status::InvalidValue, format!("{name} is {other}, neither 0 nor 1"))),
    }
}

/// A time limit of C: 0 is none.
pub(super) fn timeout(ms: u64, name: &str) -> Result<Option<Duration>, Failure> {
    Ok(Some(duration(ms, name)?).filter(|limit| !limit.is_zero()))
}

/// A duration of C. A negative one, such as a deadline that has passed already gives, arrives as a huge number.
pub(super) fn duration(ms: u64, name: &str) -> Result<Duration, Failure> {
    if ms > i64::MAX as u64 {
        return Err(Failure::new(telelink_status::InvalidValue, format!("{name} is negative: {} ms", ms as i64)));
    }
    Ok(Duration::from_millis(ms))
}

#[inline]
unsafe fn raw<'a>(data: *const u8, len: usize, name: &'static str) -> Result<&'a [u8], Failure> {
    if data.is_null() {
        return if len == 0 { Ok(&[]) } else { Err(null_data(name, len)) };
    }
    if len > isize::MAX as usize {
        return Err(too_long(name, len));
    }
    // SAFETY: not NULL, not too long; the rest is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(data, len) })
}

#[cold]
fn null_data(name: &'static str, len: usize) -> Failure {
    Failure::new(telelink_status::NullArgument, format!("{name}.data is NULL but {name}.len is {len}"))
}

#[cold]
fn too_long(name: &'static str, len: usize) -> Failure {
    Failure::new(telelink_status::InvalidValue, format!("{name}.len is {len}, more than memory can hold"))
}
