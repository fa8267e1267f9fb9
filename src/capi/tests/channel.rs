use std::ptr;

use super::{failed, text};
use crate::capi::channel::*;
use crate::capi::context::{telelink_context, telelink_context_create, telelink_context_free};
use crate::capi::status::telelink_status;
use crate::capi::view::{telelink_bytes, telelink_pair, telelink_str};

fn context() -> *mut telelink_context {
    let mut context = ptr::null_mut();
    // SAFETY: a writable pointer.
    assert_eq!(unsafe { telelink_context_create(&raw mut context) }, telelink_status::Ok);
    context
}

#[test]
fn a_channel_keeps_copies_of_what_it_was_made_of_and_outlives_its_context() {
    let context = context();
    let mut channel = ptr::null_mut();
    // SAFETY: every pointer is to a live value of this test, every handle is freed once.
    unsafe {
        {
            let (topic, encoding, data) = (String::from("/t"), String::from("json"), vec![1u8, 2, 3]);
            let schema = telelink_schema {
                name: telelink_str::of("S"),
                encoding: telelink_str::of("jsonschema"),
                data: telelink_bytes::of(&data),
            };
            let pair = telelink_pair { key: telelink_str::of("k"), value: telelink_str::of("v") };
            let mut options = std::mem::zeroed::<telelink_channel_options>();
            telelink_channel_options_init(&raw mut options, size_of::<telelink_channel_options>());
            options.encoding = telelink_str::of(&encoding);
            (options.schema, options.metadata, options.metadata_count) = (&raw const schema, &raw const pair, 1);
            options.qos = telelink_qos::Reliable as i32;
            let status =
                telelink_channel_create(context, telelink_str::of(&topic), &raw const options, &raw mut channel);
            assert_eq!(status, telelink_status::Ok);
        }
        telelink_context_free(context);
        let info = telelink_channel_as_info(channel);
        assert_eq!(
            (text(telelink_channel_info_topic(info)), text(telelink_channel_info_encoding(info))),
            ("/t".into(), "json".into())
        );
        let mut schema = std::mem::zeroed::<telelink_schema>();
        assert!(telelink_channel_info_schema(info, &raw mut schema));
        assert_eq!((text(schema.name), schema.data.len, *schema.data.data.add(2)), ("S".into(), 3, 3));
        let mut value = telelink_str::EMPTY;
        assert!(telelink_channel_info_metadata(info, telelink_str::of("k"), &raw mut value));
        assert_eq!(text(value), "v");
        assert!(!telelink_channel_info_metadata(info, telelink_str::of("other"), &raw mut value));
        assert_eq!(telelink_channel_info_qos(info), telelink_qos::Reliable);
        assert!(telelink_channel_info_id(info) > 0 && !telelink_channel_is_wanted(channel));
        assert_eq!(telelink_channel_log(channel, telelink_bytes::of(b"x")), telelink_status::Ok);
        assert_eq!(telelink_channel_log_at(channel, telelink_bytes::of(b""), 5), telelink_status::Ok);
        assert_eq!(telelink_channel_close(channel), telelink_status::Ok);
        assert_eq!(telelink_channel_close(channel), telelink_status::Ok);
        failed(telelink_channel_log(channel, telelink_bytes::of(b"x")), telelink_status::Closed, "closed");
        assert!(telelink_channel_info_is_closed(info));
        telelink_channel_free(channel);
    }
}

#[test]
fn null_and_nonsense_are_refused() {
    let context = context();
    let mut channel = ptr::null_mut();
    let topic = telelink_str::of("/t");
    // SAFETY: NULL and wrong values are what the functions promise to refuse.
    unsafe {
        let null = telelink_status::NullArgument;
        failed(telelink_channel_create(ptr::null(), topic, ptr::null(), &raw mut channel), null, "context is NULL");
        failed(telelink_channel_create(context, topic, ptr::null(), ptr::null_mut()), null, "out is NULL");
        let empty = telelink_channel_create(context, telelink_str::EMPTY, ptr::null(), &raw mut channel);
        failed(empty, telelink_status::InvalidValue, "topic");
        let mut options = std::mem::zeroed::<telelink_channel_options>();
        let status = telelink_channel_create(context, topic, &raw const options, &raw mut channel);
        failed(status, telelink_status::StructSize, "struct_size is 0");
        telelink_channel_options_init(&raw mut options, size_of::<telelink_channel_options>());
        options.qos = 2;
        let status = telelink_channel_create(context, topic, &raw const options, &raw mut channel);
        failed(status, telelink_status::InvalidValue, "options.qos is 2");
        assert!(channel.is_null(), "written only on success");
        failed(telelink_channel_log(ptr::null(), telelink_bytes::of(b"")), null, "channel is NULL");
        assert!(telelink_channel_as_info(ptr::null()).is_null());
        assert_eq!(telelink_channel_info_id(ptr::null()), 0);
        assert!(telelink_channel_info_is_closed(ptr::null()));
        telelink_channel_free(ptr::null_mut());
        telelink_context_free(context);
    }
}
