//! Reading the URIs of viewers (RFC 3986, RFC 8089). They are hostile: what is not plainly a path below a root is refused.

use super::Refusal;

/// Longest URI that is looked at, bytes: no path of Linux is longer.
const MAX_LEN: usize = 4096;

/// What a URI names, its path still encoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Address<'a> {
    /// `package://name/path`.
    Package { name: &'a str, path: &'a str },
    /// `file:///path`, `file://localhost/path` or `file:/path`.
    File { path: &'a str },
}

/// The parts of a URI; `None` for schemes and hosts that no folder serves.
pub(super) fn address(uri: &str) -> Option<Address<'_>> {
    let (scheme, rest) = uri.split_once(':')?;
    if scheme.eq_ignore_ascii_case("package") {
        let rest = rest.strip_prefix("//")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (name, path) = rest.split_at(end);
        return Some(Address::Package { name, path });
    }
    if !scheme.eq_ignore_ascii_case("file") {
        return None;
    }
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(rest) => {
            let (host, path) = rest.split_at(rest.find('/')?);
            if !host.is_empty() && !host.eq_ignore_ascii_case("localhost") {
                return None;
            }
            path
        }
    };
    path.starts_with('/').then_some(Address::File { path })
}

/// The names that lead from the root to the file, decoded once. Never empty; none is empty, `.` or `..`, or has a
/// separator in it.
pub(super) fn segments(uri: &str, path: &str) -> Result<Vec<String>, Refusal> {
    if uri.len() > MAX_LEN {
        return Err(Refusal::new(format!("the URI is longer than {MAX_LEN} bytes")));
    }
    // A name with these characters has them encoded; a query has no meaning for a file.
    if path.contains('?') {
        return Err(Refusal::new("the URI has a query, which no file has"));
    }
    if path.contains('#') {
        return Err(Refusal::new("the URI has a fragment, which no file has"));
    }
    let path = path.strip_prefix('/').filter(|path| !path.is_empty());
    let Some(path) = path else { return Err(Refusal::new("the URI names a folder, not a file")) };
    path.split('/').map(segment).collect()
}

fn segment(encoded: &str) -> Result<String, Refusal> {
    let name = decoded(encoded)?;
    match name.as_str() {
        "" => return Err(Refusal::new("the path has an empty part")),
        "." | ".." => return Err(Refusal::new("the path has a part . or ..")),
        _ => {}
    }
    if name.contains(['/', '\\']) {
        return Err(Refusal::new("the path has a separator inside a part"));
    }
    if name.chars().any(char::is_control) {
        return Err(Refusal::new("the path has a control character"));
    }
    Ok(name)
}

/// Percent-decoding, once: what looks encoded afterwards is a name with a percent sign.
fn decoded(encoded: &str) -> Result<String, Refusal> {
    let broken = || Refusal::new("the path has a % that is not followed by two hexadecimal digits");
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16)).ok_or_else(broken);
    let mut bytes = encoded.bytes();
    let mut out = Vec::with_capacity(encoded.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
            out.push((high * 16 + low) as u8);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).map_err(|_| Refusal::new("the path is not UTF-8"))
}
