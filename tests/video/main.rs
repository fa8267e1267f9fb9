//! Image messages to frames, from outside: what a channel's converter makes of everything that robots send.
//!
//! `reference` says in floating point what the pixels of a frame have to be; `wire` writes messages with encoders that are
//! not ours, or by the letter of the layouts. Files in `fixtures/` come from libjpeg, libwebp and rosbags (`make.py`).

mod reference;
mod wire;

mod allocations;
mod colours;
mod compressed;
mod detection;
mod hostile;
mod messages;
mod sizes;
