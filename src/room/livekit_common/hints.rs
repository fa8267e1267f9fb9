//! What LiveKit's library does not say when a join fails: which certificates it trusted and which proxy it used. It takes
//! both from the environment, at every join.

use crate::environment::{
    Variable, HTTPS_PROXY, HTTPS_PROXY_SMALL, HTTP_PROXY, HTTP_PROXY_SMALL, SSL_CERT_DIR, SSL_CERT_FILE,
};

/// The proxy that the library uses for this URL: the variable, and its address without user and password.
pub(super) fn proxy(url: &str, read: &dyn Fn(Variable) -> Option<String>) -> Option<(Variable, String)> {
    let variables =
        if url.starts_with("wss:") { [HTTPS_PROXY, HTTPS_PROXY_SMALL] } else { [HTTP_PROXY, HTTP_PROXY_SMALL] };
    variables.into_iter().find_map(|variable| {
        let value = read(variable)?;
        let rest = value.split_once("://").map_or(value.as_str(), |(_, rest)| rest);
        let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        Some((variable, host.to_owned()))
    })
}

/// What to add to the error text of a failed join; empty if there is nothing to say.
pub(super) fn hint(url: &str, text: &str, read: &dyn Fn(Variable) -> Option<String>) -> String {
    let mut hint = String::new();
    if text.to_ascii_lowercase().contains("certificate") {
        let set = [SSL_CERT_FILE, SSL_CERT_DIR]
            .into_iter()
            .filter_map(|variable| Some(format!("{}={}", variable.name(), read(variable)?)));
        let set: Vec<String> = set.collect();
        let trusted = if set.is_empty() { "this system".to_owned() } else { set.join(" and ") };
        hint += &format!(
            ". Only the certificates of {trusted} are trusted; {} in the environment names a PEM file with those of a private authority",
            SSL_CERT_FILE.name()
        );
    }
    if let Some((variable, host)) = proxy(url, read) {
        hint += &format!(". The connection goes through the proxy {host}, which {} names", variable.name());
    }
    hint
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint_with(url: &str, text: &str, set: &[(&str, &str)]) -> String {
        let read = |variable: Variable| {
            set.iter().find(|(name, _)| *name == variable.name()).map(|(_, value)| (*value).to_owned())
        };
        hint(url, text, &read)
    }

    #[test]
    fn nothing_is_added_where_nothing_is_known() {
        assert_eq!(
            hint_with("ws://h", "Connection refused", &[("SSL_CERT_FILE", "/a"), ("HTTPS_PROXY", "http://p")]),
            ""
        );
    }

    #[test]
    fn certificates_say_what_is_trusted_and_the_cure() {
        let text = "invalid peer certificate: UnknownIssuer";
        let hint = hint_with("wss://h", text, &[]);
        assert!(hint.contains("of this system") && hint.contains("SSL_CERT_FILE"), "{hint}");
        let hint = hint_with("wss://h", text, &[("SSL_CERT_FILE", "/etc/own.pem")]);
        assert!(hint.contains("SSL_CERT_FILE=/etc/own.pem"), "{hint}");
        let hint = hint_with("wss://h", text, &[("SSL_CERT_FILE", "/a"), ("SSL_CERT_DIR", "/b")]);
        assert!(hint.contains("of SSL_CERT_FILE=/a and SSL_CERT_DIR=/b are trusted"), "{hint}");
    }

    #[test]
    fn a_proxy_is_named_without_its_password() {
        for address in ["http://robot:secret@p:3128/x", "robot:secret@p:3128"] {
            let hint = hint_with("ws://h", "refused", &[("http_proxy", address)]);
            assert!(hint.contains("proxy p:3128,") && hint.contains("http_proxy"), "{hint}");
            assert!(!hint.contains("secret"), "{hint}");
        }
        let both = [("HTTP_PROXY", "http://a"), ("HTTPS_PROXY", "http://b")];
        assert!(hint_with("ws://h", "", &both).contains("proxy a,"));
        assert!(hint_with("wss://h", "", &both).contains("proxy b,"));
    }
}
