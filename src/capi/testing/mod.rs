//! `telelink/testing.h`: an in-memory room server and a viewer, so that a robot program is tested without a network.
//! Not part of telelink.h; generated into a header of its own (`scripts/header.sh`).

mod peer;

pub mod asset;
pub mod client_publish;
pub mod json;
pub mod panic;
pub mod results;
pub mod send;
pub mod server;
pub mod service;
pub mod video;
pub mod viewer;

pub(super) use server::connector;
