use std::ptr;

use crate::capi::status::telelink_status;
use crate::capi::view::{self, telelink_bytes, telelink_pair, telelink_str};

#[test]
fn a_view_without_bytes_may_be_null() {
    // SAFETY: NULL with no length is what the function promises to take.
    unsafe {
        assert_eq!(view::bytes(telelink_bytes { data: ptr::null(), len: 0 }, "x").unwrap(), b"");
        assert_eq!(view::text(telelink_str::EMPTY, "x").unwrap(), "");
        assert!(view::slice::<telelink_str>(ptr::null(), 0, "x").unwrap().is_empty());
        assert!(view::map(ptr::null(), 0, "x").unwrap().is_empty());
    }
}

#[test]
fn null_with_a_length_and_impossible_lengths_are_refused_by_name() {
    let byte = 1u8;
    // SAFETY: every view is refused before it is read.
    unsafe {
        let null = view::bytes(telelink_bytes { data: ptr::null(), len: 3 }, "payload").unwrap_err();
        assert_eq!(null.status, telelink_status::NullArgument);
        assert_eq!(null.message, "payload.data is NULL but payload.len is 3");
        let long = view::bytes(telelink_bytes { data: &raw const byte, len: usize::MAX }, "payload").unwrap_err();
        assert_eq!(long.status, telelink_status::InvalidValue);
        assert!(view::slice::<u64>(ptr::null(), 1, "list").is_err());
        let words = [0u64; 2];
        let odd = words.as_ptr().cast::<u8>().wrapping_add(1).cast::<u64>();
        assert_eq!(view::slice(odd, 1, "list").unwrap_err().status, telelink_status::InvalidValue);
        assert!(view::slice(words.as_ptr(), usize::MAX / 8, "list").is_err());
    }
}

#[test]
fn texts_are_checked_and_copied() {
    let bad = [b'a', 0xff];
    let (key, value) = (String::from("key"), String::from("wert"));
    let pairs = [telelink_pair { key: telelink_str::of(&key), value: telelink_str::of(&value) }];
    // SAFETY: all views point to the values above.
    unsafe {
        let failure = view::text(telelink_str { data: bad.as_ptr().cast(), len: 2 }, "topic").unwrap_err();
        assert_eq!(
            (failure.status, &*failure.message),
            (telelink_status::InvalidUtf8, "topic is not valid UTF-8 at byte 1")
        );
        let map = view::map(pairs.as_ptr(), 1, "metadata").unwrap();
        let texts = view::texts([telelink_str::of(&key), telelink_str::EMPTY].as_ptr(), 2, "names").unwrap();
        drop((key, value));
        assert_eq!(map["key"], "wert");
        assert_eq!(texts, ["key", ""]);
    }
}
