//! What tests against a real LiveKit server share: the server, tokens, waiting.
//!
//! Included by `#[path]` from every target that needs it, so not each target uses everything.
#![allow(dead_code, unused_imports, unreachable_pub, reason = "shared by several test targets")]

mod server;
mod token;

pub use server::{Place, Server};
pub use token::{token, TokenOptions, API_KEY, API_SECRET};

use std::future::Future;
use std::time::{Duration, Instant};

/// The file an environment variable names. A missing one fails the test: nothing is skipped silently.
pub fn required_file(variable: &str) -> std::path::PathBuf {
    let Some(path) = std::env::var_os(variable).map(std::path::PathBuf::from) else {
        panic!("{variable} is not set; `make tools` fetches the LiveKit server and library, `make test` sets the variables");
    };
    assert!(path.is_file(), "{variable} names {}, which is no file; `make tools` fetches it", path.display());
    path
}

/// Waits until `condition` holds; fails the test after `limit`, naming `what`.
pub async fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits for a future; fails the test after `limit`, naming `what`.
pub async fn within<T>(what: &str, limit: Duration, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(limit, future).await {
        Ok(value) => value,
        Err(_) => panic!("not within {limit:?}: {what}"),
    }
}
