//! What all JSON messages share: finding `op`, strict lists and objects, writing frames.

/// Longest list accepted in a message, in either direction: a frame of 16 MiB could otherwise expand to many times its size.
pub const MAX_ENTRIES: usize = 1 << 20;
