//! The variables of the environment that the library or LiveKit's library reads: all of them stand here, and nothing else
//! of `src` looks at the environment. `docs/environment.md` lists them for people; a test holds that list against this file.

use std::ffi::OsString;

/// One variable. An empty one counts as not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variable(&'static str);

// Where to join, by the names that LiveKit's own tools use.
pub(crate) const LIVEKIT_URL: Variable = Variable("LIVEKIT_URL");
pub(crate) const LIVEKIT_TOKEN: Variable = Variable("LIVEKIT_TOKEN");
pub(crate) const LIVEKIT_API_KEY: Variable = Variable("LIVEKIT_API_KEY");
pub(crate) const LIVEKIT_API_SECRET: Variable = Variable("LIVEKIT_API_SECRET");
pub(crate) const TELELINK_ROOM: Variable = Variable("TELELINK_ROOM");
pub(crate) const TELELINK_IDENTITY: Variable = Variable("TELELINK_IDENTITY");
pub(crate) const TELELINK_NAME: Variable = Variable("TELELINK_NAME");

// The LiveKit library: ours, and the one that its Python binding reads.
pub(crate) const TELELINK_LIVEKIT_LIBRARY: Variable = Variable("TELELINK_LIVEKIT_LIBRARY");
pub(crate) const LIVEKIT_LIB_PATH: Variable = Variable("LIVEKIT_LIB_PATH");

// The log.
pub(crate) const TELELINK_LOG: Variable = Variable("TELELINK_LOG");
pub(crate) const TELELINK_LIVEKIT_LOG: Variable = Variable("TELELINK_LIVEKIT_LOG");

// Video: these override the options (S-232, S-49).
pub(crate) const TELELINK_VIDEO_CODEC: Variable = Variable("TELELINK_VIDEO_CODEC");
pub(crate) const FOXGLOVE_VIDEO_CODEC: Variable = Variable("FOXGLOVE_VIDEO_CODEC");
pub(crate) const TELELINK_VIDEO_ENCODER: Variable = Variable("TELELINK_VIDEO_ENCODER");
pub(crate) const FOXGLOVE_VIDEO_ENCODER: Variable = Variable("FOXGLOVE_VIDEO_ENCODER");
pub(crate) const TELELINK_VIDEO_CAPTURE_TIMES: Variable = Variable("TELELINK_VIDEO_CAPTURE_TIMES");

// Memory.
pub(crate) const TELELINK_MALLOC_ARENAS: Variable = Variable("TELELINK_MALLOC_ARENAS");

// Read by LiveKit's library at every join; by us only to say what was in force when a join fails.
pub(crate) const SSL_CERT_FILE: Variable = Variable("SSL_CERT_FILE");
pub(crate) const SSL_CERT_DIR: Variable = Variable("SSL_CERT_DIR");
pub(crate) const HTTPS_PROXY: Variable = Variable("HTTPS_PROXY");
pub(crate) const HTTPS_PROXY_SMALL: Variable = Variable("https_proxy");
pub(crate) const HTTP_PROXY: Variable = Variable("HTTP_PROXY");
pub(crate) const HTTP_PROXY_SMALL: Variable = Variable("http_proxy");

impl Variable {
    pub(crate) fn name(self) -> &'static str {
        self.0
    }

    /// Its value as it stands.
    pub(crate) fn raw(self) -> Option<OsString> {
        std::env::var_os(self.0).filter(|value| !value.is_empty())
    }

    /// Its value as text; what is not UTF-8 has no meaning here and is named as it looks.
    pub(crate) fn text(self) -> Option<String> {
        self.raw().map(|value| value.to_string_lossy().into_owned())
    }
}
