//! Access tokens: asked for, or made from an API key.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::room::Secret;
use crate::session::{run_callback, Busy, Control, Error, ErrorKind};
use crate::threads::{self, ThreadRole};

use super::{ApiKey, TokenCallback, TokenSource};

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
pub(super) async fn get(source: &TokenSource, control: &Control) -> Result<Secret, Error> {
    match source {
        TokenSource::Static(token) => Ok(token.clone()),
        TokenSource::Key(key) => make(key),
        // Made one of the others before the first join.
        TokenSource::Environment => Err(Error::new(ErrorKind::Internal, "the environment was not read")),
        TokenSource::Callback(callback) => ask(callback.clone(), control).await,
    }
}

/// Asks the application. Its answer is dropped when it comes after the limit: it was made for an attempt long past.
async fn ask(callback: TokenCallback, control: &Control) -> Result<Secret, Error> {
    // S-45, S-13: a callback that never returns holds one thread, and the session's end.
    let running = control.token_call().begin().map_err(refusal)?;
    let panics = control.panics().clone();
    let (tx, rx) = tokio::sync::oneshot::channel();
    // A thread of its own: the callback may block, and one that never returns must not hold a runtime's thread.
    threads::spawn(ThreadRole::Token, move || {
        // The session may have been stopped before this thread ran.
        let answer = (!tx.is_closed()).then(|| run_callback("token callback", &panics, || callback()));
        run_callback("drop", &panics, || drop(callback));
        // Before the answer, after which the next question may come; and after the last of the application's code.
        drop(running);
        if let Some(answer) = answer {
            let _ = tx.send(answer);
        }
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

fn refusal(busy: Busy) -> Error {
    match busy {
        Busy::Since(time) => {
            // In steps, for each other text is news to the listener.
            let step = CALLBACK_TIMEOUT.as_secs();
            let text = format!(
                "the token callback has not returned for more than {} s; it is asked again when it has",
                time.as_secs() / step * step
            );
            Error::new(ErrorKind::Timeout, text)
        }
        Busy::Finished => Error::new(ErrorKind::Closed, "the session has ended"),
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
