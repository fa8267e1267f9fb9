//! Access tokens: asked for, or made from an API key.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::room::Secret;
use crate::session::{run_callback, Error, ErrorKind};
use crate::threads::{self, ThreadRole};

use super::{ApiKey, TokenSource};

/// How long a token callback may take.
const CALLBACK_TIMEOUT: Duration = Duration::from_secs(30);
/// Shortest and longest life of a token made here.
const TTL: std::ops::RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(30 * 24 * 3600);

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    nbf: u64,
    exp: u64,
    video: Grants<'a>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: &'a BTreeMap<String, String>,
}

/// The grants a robot needs: LiveKit's own names.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Grants<'a> {
    room_join: bool,
    room: &'a str,
    can_publish: bool,
    can_subscribe: bool,
    can_publish_data: bool,
}

/// Checks what can be checked before the first join.
pub(super) fn check(source: &TokenSource) -> Result<(), Error> {
    let invalid = |text: &str| Err(Error::new(ErrorKind::InvalidValue, text));
    match source {
        TokenSource::Static(token) if token.expose().is_empty() => invalid("the token is empty"),
        TokenSource::Key(key) if !TTL.contains(&key.ttl) => invalid("the token's ttl is outside 1 min to 30 days"),
        _ => Ok(()),
    }
}

/// The token of the next join.
pub(super) async fn get(source: &TokenSource, panics: &Arc<AtomicU64>) -> Result<Secret, Error> {
    match source {
        TokenSource::Static(token) => Ok(token.clone()),
        TokenSource::Key(key) => make(key),
        // Made one of the others before the first join.
        TokenSource::Environment => Err(Error::new(ErrorKind::Internal, "the environment was not read")),
        TokenSource::Callback(callback) => {
            let (callback, panics) = (callback.clone(), panics.clone());
            let (tx, rx) = tokio::sync::oneshot::channel();
            // A thread of its own: the callback may block, and one that never returns must not hold a runtime's thread.
            threads::spawn(ThreadRole::Token, move || {
                let _ = tx.send(run_callback("token callback", &panics, || callback()));
            })
            .map_err(|error| Error::new(ErrorKind::Internal, format!("no thread for the token callback: {error}")))?;
            match tokio::time::timeout(CALLBACK_TIMEOUT, rx).await {
                Ok(Ok(Some(Ok(token)))) if token.expose().is_empty() => {
                    Err(Error::new(ErrorKind::ConnectFailed, "the token callback gave an empty token"))
                }
                Ok(Ok(Some(Ok(token)))) => Ok(token),
                Ok(Ok(Some(Err(text)))) => {
                    Err(Error::new(ErrorKind::ConnectFailed, format!("the token callback failed: {text}")))
                }
                Ok(_) => Err(Error::new(ErrorKind::ConnectFailed, "the token callback panicked")),
                Err(_) => Err(Error::new(ErrorKind::Timeout, "the token callback did not return within 30 s")),
            }
        }
    }
}

fn make(key: &ApiKey) -> Result<Secret, Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = Claims {
        iss: &key.key,
        sub: &key.identity,
        // A robot's clock may be a little ahead of the server's.
        nbf: now.saturating_sub(60),
        exp: now + key.ttl.as_secs(),
        video: Grants {
            room_join: true,
            room: &key.room,
            can_publish: true,
            can_subscribe: true,
            can_publish_data: true,
        },
        attributes: &key.attributes,
    };
    let signing = jsonwebtoken::EncodingKey::from_secret(key.secret.expose().as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &signing)
        .map(Secret::new)
        .map_err(|error| Error::new(ErrorKind::InvalidValue, format!("no token could be made of the API key: {error}")))
}
