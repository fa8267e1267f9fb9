//! Networks that are not plain: a server certificate of a private authority, an HTTP proxy, no name service. What the
//! LiveKit library does there is steered by the environment, so each robot is a process of its own: this program again.
//! Needs `LIVEKIT_SERVER`, `TELELINK_LIVEKIT_LIBRARY`, `.tools/venv` and the `openssl` command.

#![allow(unreachable_pub, reason = "the modules of a test binary have no outside")]

#[path = "../support/mod.rs"]
mod support;

mod affinity;
mod front;
mod memory;
mod names;
mod proxy;
mod robot;
mod roots;
