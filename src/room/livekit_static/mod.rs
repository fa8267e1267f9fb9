//! LiveKit linked in.
