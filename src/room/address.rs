//! Addresses of servers: their parts, and what of them may be shown.

/// Host and port of `host:port` and `[v6]:port`. `None`: there is no host, or the port is no number up to 65535.
pub(crate) fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, tail)) => (host, Some(tail.strip_prefix(':')?)),
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map(str::parse).transpose().ok()?;
    (!host.is_empty()).then_some((host, port))
}

/// The part of a URL that may be shown: no user, password, or query.
pub(crate) fn shown_url(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    // Up to the last at sign: a password may hold anything, a path of a LiveKit server seldom does.
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{}", rest.trim_end_matches('/'))
}

/// Whether it is `stun:`, `stuns:`, `turn:` or `turns:` with a host, and for TURN perhaps a transport.
pub(crate) fn is_ice_url(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once(':') else { return false };
    let authority = match scheme {
        "stun" | "stuns" => rest,
        "turn" | "turns" => rest.split_once('?').map_or(rest, |(authority, _)| authority),
        _ => return false,
    };
    let foreign = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '?' | '#' | '@');
    !authority.contains(foreign) && host_and_port(authority).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_url_has_no_secrets() {
        assert_eq!(shown_url("wss://user:pass@host:1/p?access_token=x#y"), "wss://host:1/p");
        assert_eq!(shown_url("ws://user:12/p@host?token=a@b"), "ws://host");
        assert_eq!(shown_url("ws://host/"), "ws://host");
        assert_eq!(shown_url("memory://"), "memory://");
    }

    #[test]
    fn ice_urls_need_a_scheme_and_a_host() {
        for good in ["stun:10.0.0.5:3478", "stuns:h", "turn:h:1?transport=tcp", "turns:[::1]:443", "stun:[::1]"] {
            assert!(is_ice_url(good), "{good}");
        }
        let bad =
            ["", "foo", "foo:h", "STUN:h", "stun:", "stun::1", "stun://h", "stun:h:x", "stun:h:99999", "stun:[::1]x"];
        for bad in bad.into_iter().chain(["stun:h?transport=udp", "turn:user@h", "turn:a b", "turn:?transport=tcp"]) {
            assert!(!is_ice_url(bad), "{bad}");
        }
    }
}
