//! What the benchmark programs share: the robots' command protocol, access tokens, and the pacing of messages.
//!
//! `telelink-bench` runs three robots, which take the same commands: `bench_robot` (ours), `python/peer_robot.py` (the
//! peer) and `raw_robot` (LiveKit without a session). docs/performance.md says what is measured and how.

pub mod commands;
pub mod pace;
pub mod token;
