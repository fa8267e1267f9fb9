//! Playback control (6.7) and playback state (7.10). Defined by the protocol; a remote access device neither obeys the one (P-92)
//! nor sends the other (P-137).

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
