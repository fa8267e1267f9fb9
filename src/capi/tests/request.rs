use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;

use super::{count, failed, text};
use crate::capi::asset::*;
use crate::capi::callback::{Context, Latch};
use crate::capi::client::*;
use crate::capi::service::*;
use crate::capi::status::telelink_status;
use crate::capi::view::{telelink_bytes, telelink_str};
use crate::session::{AssetRequest, AssetResponder, Client, ClientId, ServiceRequest, ServiceResponder};

fn client() -> Client {
    Client {
        id: ClientId(7),
        identity: "ann".into(),
        sid: "PA_1".into(),
        name: "Ann".into(),
        attributes: [("kind".to_owned(), "arm".to_owned())].into(),
        joined_at_ms: 5,
    }
}

/// What the handlers below write into: the responder to keep, and what was asked.
#[derive(Default)]
struct Kept {
    dropped: u32,
    service: Option<*mut telelink_service_responder>,
    asset: Option<*mut telelink_asset_responder>,
    asked: Vec<String>,
}

unsafe extern "C" fn drop_kept(context: *mut c_void) {
    // SAFETY: the context is the test's `Kept`.
    unsafe { (*context.cast::<Kept>()).dropped += 1 };
}

unsafe extern "C" fn on_request(
    context: *mut c_void,
    request: *const telelink_service_request,
    responder: *mut telelink_service_responder,
) {
    // SAFETY: the context is the test's `Kept`, the request lives during the call.
    unsafe {
        let kept = &mut *context.cast::<Kept>();
        let identity = text(telelink_client_identity((*request).client));
        kept.asked.push(format!("{} {} {}", text((*request).service), identity, (*request).payload.len));
        kept.service = Some(responder);
    }
}

unsafe extern "C" fn on_fetch(
    context: *mut c_void,
    request: *const telelink_asset_request,
    responder: *mut telelink_asset_responder,
) {
    // SAFETY: as above.
    unsafe {
        let kept = &mut *context.cast::<Kept>();
        kept.asked.push(text((*request).uri));
        kept.asset = Some(responder);
    }
}

/// S-265.
#[test]
fn a_service_answers_once_from_c_and_drops_its_table_last() {
    let kept = Box::into_raw(Box::<Kept>::default());
    let answers = Arc::<Mutex<Vec<String>>>::default();
    let seen = answers.clone();
    // SAFETY: the tables and handles of this test are live, and each handle is freed once.
    unsafe {
        let mut table = std::mem::zeroed::<telelink_service>();
        telelink_service_init(&raw mut table, size_of::<telelink_service>());
        table.context = kept.cast();
        table.drop = Some(drop_kept);
        table.on_request = Some(on_request);
        table.name = telelink_str::of("add");
        let (mut taken, result) = take_services([&raw const table].as_ptr(), 1, "services");
        result.unwrap();
        let tables = Latch::default();
        let service = taken.pop().unwrap().build(&tables).unwrap();
        assert!(!tables.wait(Duration::ZERO), "its table is not dropped yet");
        let request = ServiceRequest {
            service: "add".into(),
            client: client(),
            call_id: 1,
            encoding: "json".into(),
            payload: Bytes::from_static(b"12"),
        };
        let responder = ServiceResponder::new(move |answer| seen.lock().unwrap().push(format!("{answer:?}")));
        service.handler()(request, responder);
        let responder = (*kept).service.take().unwrap();
        let payload = telelink_bytes::of(b"3");
        let not_utf8 = telelink_str { data: [0xffu8].as_ptr().cast(), len: 1 };
        failed(telelink_service_responder_fail(responder, not_utf8), telelink_status::InvalidUtf8, "message");
        assert_eq!(telelink_service_responder_respond(responder, payload), telelink_status::Ok);
        let again = telelink_service_responder_respond_encoded(responder, telelink_str::of("cbor"), payload);
        failed(again, telelink_status::AlreadyResponded, "answered already");
        telelink_service_responder_free(responder);
        assert_eq!((*kept).dropped, 0);
        drop(service);
        assert!(tables.wait(Duration::ZERO));
        let kept = Box::from_raw(kept);
        assert_eq!((kept.dropped, &kept.asked[..]), (1, &["add ann 2".to_owned()][..]));
    }
    assert_eq!(*answers.lock().unwrap(), [r#"Response { encoding: None, payload: b"3" }"#]);
}

#[test]
fn services_that_cannot_be_still_drop_their_contexts() {
    let mut drops = 0u32;
    // SAFETY: the tables live, and the contexts point to the counter.
    unsafe {
        let mut table = std::mem::zeroed::<telelink_service>();
        telelink_service_init(&raw mut table, size_of::<telelink_service>());
        table.context = (&raw mut drops).cast();
        table.drop = Some(count);
        let (taken, result) = take_services([&raw const table, ptr::null()].as_ptr(), 2, "services");
        assert_eq!(result.unwrap_err().status, telelink_status::NullArgument);
        for service in taken {
            assert!(service.build(&Latch::default()).is_err(), "it has no name");
        }
    }
    assert_eq!(drops, 1);
}

#[test]
fn an_asset_that_nobody_answers_is_dropped_and_said_so() {
    let kept = Box::into_raw(Box::<Kept>::default());
    let answers = Arc::<Mutex<Vec<String>>>::default();
    let seen = answers.clone();
    // SAFETY: as above.
    unsafe {
        let mut table = std::mem::zeroed::<telelink_asset_callbacks>();
        telelink_asset_callbacks_init(&raw mut table, size_of::<telelink_asset_callbacks>());
        table.on_fetch = Some(on_fetch);
        let handler = AssetCallbacks::new(table, Context::new(kept.cast(), Some(drop_kept))).handler().unwrap();
        let responder = AssetResponder::new(move |answer| seen.lock().unwrap().push(format!("{answer:?}")));
        handler(AssetRequest { client: client(), uri: "package://x".into() }, responder);
        telelink_asset_responder_free((*kept).asset.take().unwrap());
        drop(handler);
        let kept = Box::from_raw(kept);
        assert_eq!((kept.dropped, &kept.asked[..]), (1, &["package://x".to_owned()][..]));
    }
    assert_eq!(*answers.lock().unwrap(), ["Dropped"]);
}

#[test]
fn a_cloned_client_outlives_the_callback() {
    let mut copy = ptr::null_mut();
    // SAFETY: the client lives until it was cloned; the clone until it is freed.
    unsafe {
        {
            let client = client();
            assert_eq!(telelink_client_clone(telelink_client::of(&client), &raw mut copy), telelink_status::Ok);
        }
        assert_eq!((telelink_client_id(copy), telelink_client_joined_at_ms(copy)), (7, 5));
        assert_eq!((text(telelink_client_sid(copy)), text(telelink_client_name(copy))), ("PA_1".into(), "Ann".into()));
        let mut value = telelink_str::EMPTY;
        assert!(telelink_client_attribute(copy, telelink_str::of("kind"), &raw mut value));
        assert_eq!(text(value), "arm");
        telelink_client_free(copy);
        telelink_client_free(ptr::null_mut());
        assert_eq!(text(telelink_client_identity(ptr::null())), "");
    }
}
