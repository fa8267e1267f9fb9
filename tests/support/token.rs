//! Access tokens for the test server.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{encode, EncodingKey, Header};
use serde_json::json;

/// API key of the development server.
pub const API_KEY: &str = "devkey";
/// API secret of the development server.
pub const API_SECRET: &str = "secret";

/// What a token grants besides joining.
#[derive(Debug, Clone)]
pub struct TokenOptions {
    /// Participant attributes.
    pub attributes: BTreeMap<String, String>,
    /// Display name.
    pub name: String,
    /// Seconds until it expires; negative: it has expired already.
    pub ttl: i64,
    /// May publish tracks.
    pub can_publish: bool,
    /// May send data.
    pub can_publish_data: bool,
}

impl Default for TokenOptions {
    fn default() -> Self {
        Self { attributes: BTreeMap::new(), name: String::new(), ttl: 600, can_publish: true, can_publish_data: true }
    }
}

/// A token for one identity in one room.
pub fn token(room: &str, identity: &str, options: &TokenOptions) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs() as i64;
    let claims = json!({
        "iss": API_KEY,
        "sub": identity,
        "name": options.name,
        "nbf": now - 3600,
        "exp": now + options.ttl,
        "attributes": options.attributes,
        "video": {
            "roomJoin": true,
            "room": room,
            "canPublish": options.can_publish,
            "canPublishData": options.can_publish_data,
            "canSubscribe": true,
            "canUpdateOwnMetadata": true,
        },
    });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(API_SECRET.as_bytes())).expect("claims encode")
}
