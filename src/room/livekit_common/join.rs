//! Joining, as far as both adapters do the same: what a URL must look like, and what a failure means.

use std::time::Duration;

use super::hints;
use crate::environment::Variable;
use crate::room::{host_and_port, JoinError, JoinErrorKind, JoinRequest};

/// How much longer than `connect_timeout` we wait for the library's own words about why it failed.
pub(in crate::room) const GRACE: Duration = Duration::from_millis(500);

/// The request's URL as the library wants it; a request that cannot work is refused here.
pub(in crate::room) fn checked_request(request: &JoinRequest) -> Result<String, JoinError> {
    let url = checked_url(&request.url)?;
    if request.token.expose().is_empty() {
        return Err(JoinError::new(JoinErrorKind::Invalid, "the access token is empty"));
    }
    Ok(url)
}

/// No answer in time.
pub(in crate::room) fn no_answer(connect_timeout: Duration) -> JoinError {
    JoinError::new(JoinErrorKind::Timeout, format!("no answer within {} s", connect_timeout.as_secs_f64()))
}

/// The URL as the library wants it, checked: its own error for a bad one is hard to understand.
fn checked_url(url: &str) -> Result<String, JoinError> {
    let invalid = |why: &str| JoinError::new(JoinErrorKind::Invalid, format!("the LiveKit URL {why}"));
    let url = url.trim();
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(invalid("has no scheme; expected ws://host:port or wss://host"));
    };
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "ws" | "http" => "ws",
        "wss" | "https" => "wss",
        _ => return Err(invalid("has an unknown scheme; ws, wss, http and https are possible")),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host_and_port(host).is_none() {
        return Err(invalid("names no host, or has a port that is not a number up to 65535"));
    }
    if rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(invalid("contains white space"));
    }
    Ok(format!("{scheme}://{rest}"))
}

/// Sorts the library's free text. The message does not name the URL: whoever asked for the join does.
///
/// Error texts are not a contract (livekit-ffi.md section 6), so an unknown one is
/// `Other`, which callers treat like `Unreachable`: they try again.
pub(in crate::room) fn failure(url: &str, text: &str) -> JoinError {
    let lower = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    // A proxy says 403 as well, and about something else than the token.
    let proxied = hints::proxy(url, &Variable::text).is_some();
    let kind = if has(&["401", "unauthorized", "invalid token"]) || (!proxied && has(&["403", "forbidden"])) {
        JoinErrorKind::Unauthorized
    } else if has(&["timed out", "timeout", "deadline"]) {
        JoinErrorKind::Timeout
    } else if has(&["refused", "unreachable", "dns", "resolve", "lookup", "no route", "reset", "io error", "tls"]) {
        JoinErrorKind::Unreachable
    } else {
        JoinErrorKind::Other
    };
    let what = match kind {
        JoinErrorKind::Unauthorized => "the server refused the access token",
        JoinErrorKind::Timeout => "the server did not answer in time",
        JoinErrorKind::Unreachable => "the server could not be reached",
        _ => "the room could not be joined",
    };
    let hint = hints::hint(url, text, &Variable::text);
    JoinError::new(kind, format!("{what}: {text}{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_checked() {
        for (given, used) in [
            ("ws://127.0.0.1:7880", "ws://127.0.0.1:7880"),
            ("http://host", "ws://host"),
            ("https://host/path?x=1", "wss://host/path?x=1"),
            ("wss://[::1]:80", "wss://[::1]:80"),
        ] {
            assert_eq!(checked_url(given).unwrap(), used);
        }
        for bad in ["", "host:7880", "ftp://host", "ws://", "ws://:80", "ws://host:99999", "ws://ho st", "ws://[::1]:x"]
        {
            let error = checked_url(bad).unwrap_err();
            assert_eq!(error.kind, JoinErrorKind::Invalid, "{bad}");
        }
    }

    #[test]
    fn failures_are_sorted() {
        let kind = |text: &str| failure("ws://h", text).kind;
        assert_eq!(kind("http error: 401 Unauthorized"), JoinErrorKind::Unauthorized);
        assert_eq!(kind("IO error: Connection refused (os error 111)"), JoinErrorKind::Unreachable);
        assert_eq!(kind("signal client timed out"), JoinErrorKind::Timeout);
        assert_eq!(kind("something else"), JoinErrorKind::Other);
    }
}
