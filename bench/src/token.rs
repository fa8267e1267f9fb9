//! Access tokens for the development server.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{encode, EncodingKey, Header};
use serde_json::json;
use telelink::protocol::version;

/// A token of six hours for one identity in one room, made with the API key and secret of the server; of a viewer, with the
/// version of the protocol that it speaks.
pub(crate) fn make(key: &str, secret: &str, room: &str, identity: &str, version: Option<&str>) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = json!({
        "iss": key,
        "sub": identity,
        "nbf": now - 60,
        "exp": now + 6 * 3600,
        "attributes": version.map(|version| json!({ version::ATTRIBUTE: version })).unwrap_or_else(|| json!({})),
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
