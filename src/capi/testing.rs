//! `telelink/testing.h`: an in-memory room server and a viewer, so that a robot program is tested without a network.
//! Not part of telelink.h; generated into a header of its own.

use std::sync::Arc;

use super::status::Failure;
use crate::room::Connector;

pub(super) fn connector(url: &str) -> Result<Option<Arc<dyn Connector>>, Failure> {
    let _ = url;
    Ok(None)
}
