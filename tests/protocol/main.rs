//! The wire codec against the specification: one file per source file, plus the vectors.
//!
//! Test names cite the rule they check. `examples` has the worked examples of the specification, `golden` the frames captured from
//! another implementation, `round_trip` random messages of every kind in both directions.

mod support;

mod advertise;
mod data_track;
mod examples;
mod frame;
mod from_viewer;
mod golden;
mod graph;
mod json;
mod parameter;
mod playback;
mod round_trip;
mod schema;
mod server_info;
mod services;
mod strategies;
mod texts;
mod to_viewer;
mod version;
