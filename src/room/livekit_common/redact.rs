//! Keeps secrets out of texts of the LiveKit library: its errors and log records quote URLs with tokens in them.

use std::borrow::Cow;

/// What stands where a secret stood.
const MASK: &str = "***";

/// Removes users and passwords of URLs, URL query strings and everything that looks like a JSON web token, which always begins with `eyJ`
/// (base64 of `{"`).
pub(in crate::room) fn redact(text: &str) -> Cow<'_, str> {
    if !text.contains("eyJ") && !text.contains("://") && !text.contains("access_token") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let separator = rest.find(is_separator).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(separator);
        push_word(&mut out, word);
        let edge = tail.find(|c| !is_separator(c)).unwrap_or(tail.len());
        out.push_str(&tail[..edge]);
        rest = &tail[edge..];
    }
    Cow::Owned(out)
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '(' | ')' | '<' | '>' | ',' | ';' | '{' | '}' | '[' | ']')
}

fn push_word(out: &mut String, word: &str) {
    // A proxy's address can hold a password.
    let login = word.split_once("://").and_then(|(scheme, rest)| {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        Some((scheme, &rest[rest[..end].rfind('@')?..]))
    });
    if let Some((scheme, from_host)) = login {
        out.push_str(scheme);
        out.push_str("://");
        out.push_str(MASK);
        // Begins with the at sign: not taken for a login again.
        return push_rest(out, from_host, true);
    }
    push_rest(out, word, word.contains("://"));
}

fn push_rest(out: &mut String, word: &str, url: bool) {
    let query = url || word.contains("access_token");
    if let Some(at) = word.find('?').filter(|_| query) {
        out.push_str(&word[..=at]);
        out.push_str(MASK);
    } else if let Some(at) = word.find("access_token") {
        out.push_str(&word[..at]);
        out.push_str(MASK);
    } else if let Some(at) = word.find("eyJ") {
        out.push_str(&word[..at]);
        out.push_str(MASK);
    } else {
        out.push_str(word);
    }
}

/// An error text fit for people: no secrets (`token` is removed even if it does not look like one), one line, short.
pub(in crate::room) fn error_text(text: &str, token: &str) -> String {
    /// Library errors nest; past this length they only repeat themselves.
    const LIMIT: usize = 300;
    let cleaned = if token.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(text.replace(token, MASK)) };
    let mut line = String::new();
    for c in redact(&cleaned).chars().take(LIMIT) {
        line.push(if c.is_control() { ' ' } else { c });
    }
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_queries_and_tokens_only() {
        assert_eq!(redact("plain text?"), "plain text?");
        assert_eq!(
            redact("connect to ws://h:1/rtc?access_token=eyJhbGci.eyJ2.sig&sdk=rust, failed"),
            "connect to ws://h:1/rtc?***, failed"
        );
        assert_eq!(redact("token=eyJhbGci.x.y done"), "token=*** done");
        assert_eq!(redact("\"access_token=abc\""), "\"***\"");
        assert_eq!(redact("wss://h/path ok"), "wss://h/path ok");
        assert_eq!(redact("Using proxy: http://robot:pass@h:3128/x"), "Using proxy: http://***@h:3128/x");
        assert_eq!(redact("http://robot:p@ss@h?a=b wss://h/a@b"), "http://***@h?*** wss://h/a@b");
    }

    #[test]
    fn error_text_removes_a_token_of_any_shape() {
        let text = error_text("bad token abc123\nsecond line", "abc123");
        assert_eq!(text, "bad token *** second line");
        assert!(error_text(&"x".repeat(5000), "").len() <= 300);
    }
}
