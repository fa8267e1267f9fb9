//! Playback control (6.7) and playback state (7.10). Defined by the protocol; a remote access device neither obeys the one (P-92)
//! nor sends the other (P-137).
//!
//! Bytes behind the request id are ignored, as behind any fixed layout (P-61).

use bytes::Bytes;

use super::cursor::Cursor;
use super::error::{DecodeError, EncodeError};
use super::frame::{begin_frame, FrameKind};

/// A viewer's wish to play, pause or seek.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaybackControl {
    /// Play or pause.
    pub command: PlaybackCommand,
    /// Speed factor.
    pub speed: f32,
    /// Where to seek, ns since the Unix epoch.
    pub seek_time: Option<u64>,
    /// Id echoed in the state that answers, may be empty.
    pub request_id: String,
}

/// Command of a [`PlaybackControl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PlaybackCommand {
    /// Start or go on.
    Play = 0,
    /// Hold.
    Pause = 1,
}

/// Where playback is.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaybackState {
    /// What playback does.
    pub status: PlaybackStatus,
    /// Playback time, ns since the Unix epoch.
    pub current_time: u64,
    /// Speed factor.
    pub speed: f32,
    /// Whether this state follows a seek.
    pub did_seek: bool,
    /// Id of the request this answers. The empty id has no wire form of its own: it is read back as `None`.
    pub request_id: Option<String>,
}

/// Status of a [`PlaybackState`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PlaybackStatus {
    /// Playing.
    Playing = 0,
    /// Paused.
    Paused = 1,
    /// Waiting for data.
    Buffering = 2,
    /// At the end.
    Ended = 3,
}

impl PlaybackControl {
    pub(super) fn decode(body: Bytes) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::new("playbackControl", body);
        let command = match cursor.u8("command")? {
            0 => PlaybackCommand::Play,
            1 => PlaybackCommand::Pause,
            other => return Err(cursor.invalid("command", other)),
        };
        let speed = cursor.f32("speed")?;
        let has_seek = cursor.u8("has seek")? != 0;
        let seek_time = cursor.u64("seek time")?;
        let request_id = cursor.string("request id")?;
        Ok(Self { command, speed, seek_time: has_seek.then_some(seek_time), request_id })
    }

    pub(super) fn to_frame(&self, opcode: u8) -> Result<Bytes, EncodeError> {
        let mut frame = begin_frame(FrameKind::Binary, 19 + self.request_id.len())?;
        frame.push(opcode);
        frame.push(self.command as u8);
        frame.extend_from_slice(&self.speed.to_le_bytes());
        frame.push(u8::from(self.seek_time.is_some()));
        frame.extend_from_slice(&self.seek_time.unwrap_or(0).to_le_bytes());
        frame.extend_from_slice(&(self.request_id.len() as u32).to_le_bytes());
        frame.extend_from_slice(self.request_id.as_bytes());
        Ok(Bytes::from(frame))
    }
}

impl PlaybackState {
    pub(super) fn decode(body: Bytes) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::new("playbackState", body);
        let status = match cursor.u8("status")? {
            0 => PlaybackStatus::Playing,
            1 => PlaybackStatus::Paused,
            2 => PlaybackStatus::Buffering,
            3 => PlaybackStatus::Ended,
            other => return Err(cursor.invalid("status", other)),
        };
        let current_time = cursor.u64("current time")?;
        let speed = cursor.f32("speed")?;
        let did_seek = cursor.u8("did seek")? != 0;
        let request_id = Some(cursor.string("request id")?).filter(|id| !id.is_empty());
        Ok(Self { status, current_time, speed, did_seek, request_id })
    }

    pub(super) fn to_frame(&self, opcode: u8) -> Result<Bytes, EncodeError> {
        let request_id = self.request_id.as_deref().unwrap_or("");
        let mut frame = begin_frame(FrameKind::Binary, 19 + request_id.len())?;
        frame.push(opcode);
        frame.push(self.status as u8);
        frame.extend_from_slice(&self.current_time.to_le_bytes());
        frame.extend_from_slice(&self.speed.to_le_bytes());
        frame.push(u8::from(self.did_seek));
        frame.extend_from_slice(&(request_id.len() as u32).to_le_bytes());
        frame.extend_from_slice(request_id.as_bytes());
        Ok(Bytes::from(frame))
    }
}
