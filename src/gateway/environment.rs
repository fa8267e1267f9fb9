//! What the options leave open is taken from the environment, by the names that LiveKit's own tools use. What the options
//! say wins, field by field.

use std::collections::BTreeMap;

use crate::environment::{
    Variable, LIVEKIT_API_KEY, LIVEKIT_API_SECRET, LIVEKIT_TOKEN, LIVEKIT_URL, TELELINK_IDENTITY, TELELINK_ROOM,
};
use crate::room::Secret;
use crate::session::{Error, ErrorKind};

use super::{ApiKey, DirectOptions, TokenSource};

/// Fills what is empty. Whether that is enough is checked afterwards, here only that a token can come from somewhere.
pub(super) fn complete(
    options: &mut DirectOptions,
    variable: &dyn Fn(Variable) -> Option<String>,
) -> Result<(), Error> {
    // A value is often the content of a file, line end included.
    let read = |name| variable(name).map(|value| value.trim().to_owned()).unwrap_or_default();
    // With a connector of its own a session needs no address.
    if options.url.is_empty() && options.connector.is_none() {
        options.url = read(LIVEKIT_URL);
        if options.url.is_empty() {
            return Err(missing("options.url is empty", LIVEKIT_URL));
        }
    }
    if matches!(options.token, TokenSource::Environment) {
        let token = read(LIVEKIT_TOKEN);
        if !token.is_empty() {
            options.token = TokenSource::Static(Secret::new(token));
            return Ok(());
        }
        if read(LIVEKIT_API_KEY).is_empty() || read(LIVEKIT_API_SECRET).is_empty() {
            let text =
                "the options name no token, token callback or API key, and the environment neither LIVEKIT_TOKEN \
                        nor both LIVEKIT_API_KEY and LIVEKIT_API_SECRET";
            return Err(Error::new(ErrorKind::InvalidValue, text));
        }
        options.token = TokenSource::Key(ApiKey {
            key: String::new(),
            secret: Secret::new(""),
            room: String::new(),
            identity: String::new(),
            ttl: ApiKey::DEFAULT_TTL,
            attributes: BTreeMap::new(),
        });
    }
    let TokenSource::Key(key) = &mut options.token else { return Ok(()) };
    let fill = |given: &str, name: &str, from: Variable| {
        let value = if given.is_empty() { read(from) } else { given.to_owned() };
        if value.is_empty() {
            return Err(missing(&format!("options.api_key.{name} is empty"), from));
        }
        Ok(value)
    };
    key.key = fill(&key.key, "key", LIVEKIT_API_KEY)?;
    key.secret = Secret::new(fill(key.secret.expose(), "secret", LIVEKIT_API_SECRET)?);
    key.room = fill(&key.room, "room", TELELINK_ROOM)?;
    key.identity = fill(&key.identity, "identity", TELELINK_IDENTITY)?;
    Ok(())
}

fn missing(what: &str, variable: Variable) -> Error {
    let text = format!("{what}, and so is {} in the environment", variable.name());
    Error::new(ErrorKind::InvalidValue, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(&str, &str); 6] = [
        ("LIVEKIT_URL", "ws://env:1"),
        ("LIVEKIT_TOKEN", "env-token\n"),
        ("LIVEKIT_API_KEY", "env-key"),
        ("LIVEKIT_API_SECRET", "env-secret"),
        ("TELELINK_ROOM", "env-room"),
        ("TELELINK_IDENTITY", "env-robot"),
    ];

    fn completed(mut options: DirectOptions, without: &[&str]) -> Result<DirectOptions, Error> {
        let read = |variable: Variable| {
            let found = ALL.iter().find(|(name, _)| *name == variable.name() && !without.contains(name));
            found.map(|(_, value)| (*value).to_owned())
        };
        complete(&mut options, &read).map(|()| options)
    }

    fn token(options: &DirectOptions) -> String {
        match &options.token {
            TokenSource::Static(token) => token.expose().to_owned(),
            TokenSource::Key(key) => {
                format!("{} {} {} {}", key.key, key.secret.expose(), key.room, key.identity)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_environment_fills_what_the_options_leave_open() {
        let found = completed(DirectOptions::from_env(), &[]).unwrap();
        assert_eq!((found.url.as_str(), token(&found).as_str()), ("ws://env:1", "env-token"));
        let found = completed(DirectOptions::from_env(), &["LIVEKIT_TOKEN"]).unwrap();
        assert_eq!(token(&found), "env-key env-secret env-room env-robot");
    }

    #[test]
    fn options_win_field_by_field() {
        let given = DirectOptions::new("ws://own:1", TokenSource::Static(Secret::new("own-token")));
        let found = completed(given, &[]).unwrap();
        assert_eq!((found.url.as_str(), token(&found).as_str()), ("ws://own:1", "own-token"));
        let key = ApiKey {
            key: String::new(),
            secret: Secret::new(""),
            room: "own-room".into(),
            identity: "own-robot".into(),
            ttl: ApiKey::DEFAULT_TTL,
            attributes: BTreeMap::new(),
        };
        // The token of the environment does not count beside a key of the options.
        let found = completed(DirectOptions::new("", TokenSource::Key(key)), &[]).unwrap();
        assert_eq!(token(&found), "env-key env-secret own-room own-robot");
    }

    #[test]
    fn what_is_missing_is_named() {
        let text = |without: &[&str]| completed(DirectOptions::from_env(), without).unwrap_err().to_string();
        for name in ["LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "TELELINK_ROOM", "TELELINK_IDENTITY"] {
            assert!(text(&["LIVEKIT_TOKEN", name]).contains(name), "{name}: {}", text(&["LIVEKIT_TOKEN", name]));
        }
        assert!(text(&["LIVEKIT_URL"]).contains("LIVEKIT_URL"));
    }
}
