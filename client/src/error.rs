//! What a call on a viewer can answer instead of a result.

use telelink::protocol::EncodeError;
use telelink::room::{JoinError, RoomError};

/// Why a call on a [`Viewer`](crate::Viewer) failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ViewerError {
    /// The room could not be joined.
    #[error("cannot join the room: {0}")]
    Join(#[from] JoinError),
    /// The room refused.
    #[error(transparent)]
    Room(#[from] RoomError),
    /// It did not happen in the time given.
    #[error("timed out waiting for {0}")]
    Timeout(String),
    /// The robot has not opened a session with this viewer, or has just ended it (P-19).
    #[error("there is no session with a robot")]
    NoSession,
    /// The session ended before the answer came; a new one knows nothing of the question (P-27).
    #[error("the session ended before the robot answered")]
    SessionEnded,
    /// The viewer was closed, or its room is lost for good.
    #[error("the viewer is closed")]
    Closed,
    /// Too many bytes wait to be written to the robot.
    #[error("{0} bytes are waiting to be written to the robot")]
    QueueFull(usize),
    /// Too many questions wait for their answers.
    #[error("{0} requests are waiting for their answers")]
    TooManyRequests(usize),
    /// The message has no wire form.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The robot declined a service call or an asset, with its own words.
    #[error("the robot declined: {0}")]
    Declined(String),
    /// No such service.
    #[error("the robot has no service {0:?}")]
    NoSuchService(String),
}
