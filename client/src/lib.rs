//! The viewer's side of a telelink session.
