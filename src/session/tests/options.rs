//! Options and statuses that cannot work are refused by name (P-33, S-51).

use super::*;
use crate::protocol::Status;

/// P-33: what cannot be sent is refused, not lost on the way.
#[tokio::test(start_paused = true)]
async fn p_33_options_and_statuses_that_fit_no_frame_are_refused() {
    let refused = |options: SessionOptions| {
        let error = Control::start(&Context::new(), options).err().expect("too large");
        assert_eq!(error.kind, ErrorKind::InvalidValue);
        error.message
    };
    let ok = SessionOptions::default;
    let text = |len| "x".repeat(len);
    for (options, what) in [
        (SessionOptions { name: text(20_000_000), ..ok() }, "name has 20000000 bytes, more than 1024"),
        (SessionOptions { session_id: text(1025), ..ok() }, "session_id has 1025 bytes, more than 1024"),
        (
            SessionOptions { metadata: [(text(1), text(65_536))].into(), ..ok() },
            "metadata has 65537 bytes, more than 65536",
        ),
        (
            SessionOptions { supported_encodings: vec![text(9000), text(9001)], ..ok() },
            "supported_encodings has 18001 bytes, more than 16384",
        ),
    ] {
        assert_eq!(refused(options), what);
    }
    // What is just small enough reaches a viewer of the smallest backlog, whatever JSON makes of it.
    let worst = |len| "\u{1}".repeat(len);
    let stage = Stage::with(|options| {
        options.limits.message_backlog_bytes = 1 << 20;
        (options.name, options.session_id) = (worst(1024), worst(1024));
        options.metadata = [(worst(1), worst(65_535))].into();
        options.supported_encodings = vec![worst(16_384)];
    })
    .await;
    let viewer = stage.viewer("ann").await;
    assert_eq!(viewer.streams, 1, "not reset");
    let status = |message: String, id: String| {
        let sent = stage.control.publish_status(Status { level: StatusLevel::Info, message, id: Some(id) });
        sent.map_err(|error| (error.kind, error.message))
    };
    let refused = |text: &str| Err((ErrorKind::InvalidValue, text.to_owned()));
    assert_eq!(status(text(17 << 20), text(1)), refused("message has 17825792 bytes, more than 8192"));
    assert_eq!(status(text(1), text(257)), refused("id has 257 bytes, more than 256"));
    assert_eq!(status(text(8192), text(256)), Ok(()));
    let removed = |ids: &[&str]| stage.control.remove_status(ids).map_err(|error| (error.kind, error.message));
    assert_eq!(removed(&[&text(257)]), refused("an id has 257 bytes, more than 256"));
    assert_eq!(removed(&["x"; 1025]), refused("1025 ids at once, more than 1024"));
    assert_eq!(removed(&[&text(256)]), Ok(()));
    drop(viewer);
    stage.finish().await;
}

#[test]
fn s_51_a_limit_that_cannot_work_is_named_with_its_bounds() {
    let refused = |change: &dyn Fn(&mut Limits)| {
        let mut options = SessionOptions::default();
        change(&mut options.limits);
        Control::start(&Context::new(), options).err().expect("cannot work").message
    };
    assert_eq!(refused(&|limits| limits.max_viewers = 1025), "max_viewers is 1025, outside 1 to 1024");
    let small = "message_backlog_bytes is 1048575, less than 1048576";
    assert_eq!(refused(&|limits| limits.message_backlog_bytes = (1 << 20) - 1), small);
    let session = "session_backlog_bytes is 5, less than message_backlog_bytes, which is 33554432";
    assert_eq!(refused(&|limits| limits.session_backlog_bytes = 5), session);
}
