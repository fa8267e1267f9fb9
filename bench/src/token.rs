//! Access tokens for the development server.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{encode, EncodingKey, Header};
use serde_json::json;

/// A token of six hours for one identity in one room, made with the API key and secret of the server.
pub(crate) fn make(key: &str, secret: &str, room: &str, identity: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = json!({
        "iss": key,
        "sub": identity,
        "nbf": now - 60,
        "exp": now + 6 * 3600,
        "video": {
            "roomJoin": true,
            "room": room,
            "canPublish": true,
            "canPublishData": true,
            "canSubscribe": true,
        },
    });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.as_bytes())).expect("plain claims encode")
}
