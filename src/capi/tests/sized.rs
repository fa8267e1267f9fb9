use std::mem::{offset_of, MaybeUninit};
use std::ptr;

use super::{failed, last_error};
use crate::capi::channel::{telelink_channel_options, telelink_channel_options_init};
use crate::capi::handle;
use crate::capi::sized::{self, Sized_};
use crate::capi::status::telelink_status;

/// A struct that has grown by one field.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq)]
struct Grown {
    struct_size: usize,
    old: u32,
    new: u32,
}

sized_struct!(
    Grown,
    first_size: offset_of!(Grown, new),
    defaults: Grown { struct_size: size_of::<Grown>(), old: 1, new: 2 },
);

/// S-270.
#[test]
fn fields_that_an_older_caller_does_not_have_get_their_defaults() {
    // Exactly as many bytes as the old struct has, and not aligned for it: Miri sees every byte too many.
    let size = Grown::FIRST_SIZE;
    let mut bytes = vec![0u8; size + 1];
    let old = bytes[1..].as_mut_ptr();
    // SAFETY: `size` bytes from `old` on belong to the vector.
    unsafe {
        sized::init(old.cast::<Grown>(), size, "x").unwrap();
        old.add(offset_of!(Grown, old)).cast::<u32>().write_unaligned(7);
        let read = sized::read(old.cast::<Grown>(), "x").unwrap();
        assert_eq!(read, Grown { struct_size: size, old: 7, new: 2 });
    }
}

/// S-270.
#[test]
fn sizes_that_cannot_be_are_refused_before_anything_is_read_or_written() {
    for size in [0, 1, Grown::FIRST_SIZE - 1, size_of::<Grown>() + 1, usize::MAX] {
        // SAFETY: only `struct_size` is readable, and nothing else may be touched.
        let failure = unsafe { sized::read((&raw const size).cast::<Grown>(), "options") }.unwrap_err();
        assert_eq!(failure.status, telelink_status::StructSize);
        assert!(failure.message.starts_with(&format!("options: struct_size is {size}, but Grown has 16 bytes here")));
        let mut none = MaybeUninit::<u8>::uninit();
        // SAFETY: as above: refused, so not written.
        assert!(unsafe { sized::init(none.as_mut_ptr().cast::<Grown>(), size, "options") }.is_err());
    }
    // SAFETY: NULL is what is asked about.
    unsafe {
        assert_eq!(sized::read::<Grown>(ptr::null(), "x").unwrap_err().status, telelink_status::NullArgument);
        assert_eq!(sized::read_or_default::<Grown>(ptr::null(), "x").unwrap(), Grown::defaults());
        assert_eq!(sized::read_optional::<Grown>(ptr::null(), "x").unwrap(), None);
        assert!(sized::write(ptr::null_mut(), 16, Grown::defaults(), "x").is_err());
    }
}

#[test]
fn an_init_function_fills_uninitialised_memory() {
    let mut options = MaybeUninit::<telelink_channel_options>::uninit();
    let size = size_of::<telelink_channel_options>();
    // SAFETY: as many bytes as said; after OK they are all written.
    unsafe {
        assert_eq!(telelink_channel_options_init(options.as_mut_ptr(), size), telelink_status::Ok);
        let options = options.assume_init();
        assert_eq!((options.struct_size, options.metadata_count, options.qos), (size, 0, 0));
        failed(telelink_channel_options_init(ptr::null_mut(), size), telelink_status::NullArgument, "options is NULL");
    }
}

#[test]
fn handles_go_to_c_and_come_back_once() {
    let mut out: *mut String = ptr::null_mut();
    // SAFETY: `out` is writable; the handle is live until taken, and taken once.
    unsafe {
        handle::give(handle::out_pointer(&raw mut out, "out").unwrap(), String::from("object"));
        assert_eq!(handle::borrow(out, "object").unwrap(), "object");
        assert_eq!(*handle::take(out).unwrap(), "object");
        assert!(handle::take::<String>(ptr::null_mut()).is_none());
        assert_eq!(handle::borrow::<String>(ptr::null(), "object").unwrap_err().message, "object is NULL");
    }
    assert!(handle::out_pointer::<u8>(ptr::null_mut(), "out").is_err());
}

/// S-273.
#[test]
fn a_panic_is_stopped_and_a_long_message_is_cut_at_a_character() {
    use crate::capi::guard::{guard, guard_get, guard_or};
    use crate::capi::status::Failure;

    let status = guard(|| panic!("{}", "ü".repeat(2000)));
    assert_eq!(status, telelink_status::Panic);
    let text = last_error();
    assert!(text.starts_with("a panic inside telelink was stopped: ü") && text.ends_with('ü') && text.len() <= 2047);
    assert_eq!(guard_or(7, || std::panic::panic_any(5)), 7);
    assert!(last_error().ends_with("no message"));
    struct Again;
    impl Drop for Again {
        fn drop(&mut self) {
            panic!("in the drop of a panic");
        }
    }
    assert_eq!(guard_or(8, || std::panic::panic_any(Again)), 8);
    let fail = || Err::<u32, _>(Failure::new(telelink_status::Closed, "a\0b"));
    assert_eq!((guard_get(9, fail), &*last_error()), (9, "a b"));
    assert_eq!(guard(|| Ok(())), telelink_status::Ok);
    assert_eq!(last_error(), "a b", "success leaves it alone");
}

#[test]
fn every_status_has_its_name() {
    use crate::capi::status::telelink_status_name;
    use std::ffi::CStr;

    for (status, name) in telelink_status::ALL {
        // SAFETY: a static text that ends with NUL.
        assert_eq!(unsafe { CStr::from_ptr(telelink_status_name(status as i32)) }, name);
    }
    // SAFETY: as above.
    assert_eq!(unsafe { CStr::from_ptr(telelink_status_name(-1)) }, c"UNKNOWN");
}
