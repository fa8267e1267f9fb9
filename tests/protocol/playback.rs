//! Playback control and state: sections 6.7 and 7.10.

use telelink::protocol::{
    DecodeError, FromViewer, PlaybackCommand, PlaybackControl, PlaybackState, PlaybackStatus, ToViewer,
};

use crate::support::{binary, hex};

fn control(dump: &str) -> Result<FromViewer, DecodeError> {
    FromViewer::decode(&binary(&hex(dump)))
}

fn state(dump: &str) -> Result<ToViewer, DecodeError> {
    ToViewer::decode(&binary(&hex(dump)))
}

#[test]
fn section_6_7_seek_time_counts_only_with_has_seek() {
    let expected = |seek_time| {
        let (command, speed, request_id) = (PlaybackCommand::Pause, 0.5, "é".to_owned());
        Ok(FromViewer::PlaybackControl(PlaybackControl { command, speed, seek_time, request_id }))
    };
    assert_eq!(control("03 01 0000003f 00 0900000000000000 02000000 c3a9"), expected(None));
    assert_eq!(control("03 01 0000003f 01 0900000000000000 02000000 c3a9"), expected(Some(9)));
    assert_eq!(control("03 01 0000003f ff 0900000000000000 02000000 c3a9"), expected(Some(9)));
    assert_eq!(control("03 01 0000003f 00 0900000000000000 02000000 c3a9 ff"), expected(None), "P-61");
}

#[test]
fn p_45_unknown_commands_and_states_are_errors() {
    assert_eq!(
        control("03 02 0000003f 00 0000000000000000 00000000"),
        Err(DecodeError::InvalidValue { message: "playbackControl", field: "command", value: 2 })
    );
    assert_eq!(
        state("05 04 0000000000000000 0000003f 00 00000000"),
        Err(DecodeError::InvalidValue { message: "playbackState", field: "status", value: 4 })
    );
}

#[test]
fn p_44_p_45_every_cut_and_bad_utf_8_are_errors() {
    let whole = hex("03 00 0000003f 00 0000000000000000 01000000 61");
    for len in 1..whole.len() {
        let error = FromViewer::decode(&binary(&whole[..len])).unwrap_err();
        assert!(matches!(error, DecodeError::TooShort { message: "playbackControl", .. }), "{len}: {error}");
    }
    let whole = hex("05 00 0000000000000000 0000003f 00 01000000 61");
    for len in 1..whole.len() {
        let error = ToViewer::decode(&binary(&whole[..len])).unwrap_err();
        assert!(matches!(error, DecodeError::TooShort { message: "playbackState", .. }), "{len}: {error}");
    }
    assert!(matches!(
        control("03 00 0000003f 00 0000000000000000 01000000 80"),
        Err(DecodeError::StringNotUtf8 { field: "request id", .. })
    ));
}

#[test]
fn p_137_state_has_time_before_speed_and_an_empty_id_is_none() {
    for (byte, status) in [
        (0, PlaybackStatus::Playing),
        (1, PlaybackStatus::Paused),
        (2, PlaybackStatus::Buffering),
        (3, PlaybackStatus::Ended),
    ] {
        let bytes = format!("05 0{byte} 0100000000000000 0000803f 01 00000000");
        let expected = PlaybackState { status, current_time: 1, speed: 1.0, did_seek: true, request_id: None };
        assert_eq!(state(&bytes), Ok(ToViewer::PlaybackState(expected.clone())));
        assert_eq!(ToViewer::PlaybackState(expected).to_frame().unwrap()[5..], hex(&bytes));
    }
}
