//! The dependency rule (design.md section 3): which folder of `src/` may name which.

use crate::source::{assert_none, rust_files, Source, Token};

/// What each layer may name beside itself; a single module can have a line of its own, which then counts instead.
/// `room` is the port; its adapters are named one by one. What two adapters share is no layer: only they may name it.
/// A new folder in `src/` needs a line here and one in docs/architecture.md.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("capi", &["gateway", "session", "context"]),
    // telelink/testing.h gives users the memory room, with a viewer in it that speaks the protocol
    ("capi/testing", &["gateway", "session", "context", "protocol", "room", "room::memory"]),
    // context: a session is started on one
    ("gateway", &["session", "context", "room", "room::livekit", "room::livekit_static"]),
    ("session", &["context", "fanout", "video", "protocol", "room"]),
    ("fanout", &["protocol", "room"]),
    ("video", &[]),
    ("room", &[]),
    ("protocol", &[]),
    ("context", &[]),
];

const ADAPTERS: &[&str] = &["livekit", "livekit_static", "memory", SHARED];

/// Both LiveKit adapters are made of the same LiveKit code, so what that code needs of an adapter (pacing, one write in
/// flight, watching the link) stands in one place, which neither the port nor the memory room may know.
const SHARED: &str = "livekit_common";
const SHARED_BY: &[&str] = &["livekit", "livekit_static"];

/// A path in a file of `src/`, from the crate's root, such as `["room", "Room"]`.
#[derive(Debug, PartialEq)]
struct Reference {
    path: Vec<String>,
    line: usize,
}

/// The module that a file of `src/` is: `src/a/b.rs` and `src/a/b/mod.rs` are `a::b`.
fn module_of(path: &str) -> Vec<String> {
    let inner = path.strip_prefix("src/").expect("a file of src").trim_end_matches(".rs");
    inner.split('/').filter(|part| !matches!(*part, "mod" | "lib")).map(str::to_owned).collect()
}

/// Every path that begins with `crate` or `super`, resolved; inside inline modules too.
fn references(source: &Source) -> Vec<Reference> {
    let tokens = source.tokens();
    let mut found = Vec::new();
    let mut module = module_of(&source.path);
    let mut inline: Vec<usize> = Vec::new(); // brace depth at which each inline module was opened
    let mut depth = 0;
    for at in 0..tokens.len() {
        match tokens[at].text.as_str() {
            "{" => {
                depth += 1;
                if at >= 2 && tokens[at - 2].text == "mod" {
                    module.push(tokens[at - 1].text.clone());
                    inline.push(depth);
                }
            }
            "}" => {
                if inline.last() == Some(&depth) {
                    inline.pop();
                    module.pop();
                }
                depth -= 1;
            }
            // Only the first word of a path; `self` stays inside the module and cannot break the rule.
            "crate" | "super" if !follows_separator(&tokens, at) => {
                let base = if tokens[at].text == "crate" { Vec::new() } else { parent(&module) };
                read_tree(&tokens, at + 1, base, &mut found);
            }
            _ => {}
        }
    }
    found
}

fn follows_separator(tokens: &[Token], at: usize) -> bool {
    at >= 2 && tokens[at - 1].text == ":" && tokens[at - 2].text == ":"
}

fn parent(module: &[String]) -> Vec<String> {
    module[..module.len().saturating_sub(1)].to_vec()
}

/// Reads the rest of a path, `::a::b`, or of a use tree, `::{a::b, c::{d}}`; returns the index after it.
fn read_tree(tokens: &[Token], mut at: usize, mut path: Vec<String>, found: &mut Vec<Reference>) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let line = tokens.get(at).map_or(0, |token| token.line);
    let mut named = false;
    while text(at) == ":" && text(at + 1) == ":" {
        at += 2;
        if text(at) == "{" {
            at += 1;
            while text(at) != "}" && at < tokens.len() {
                let name = text(at).to_owned();
                let next = if is_word(&name) { step(&path, &name) } else { path.clone() };
                at = if is_word(&name) { read_tree(tokens, at + 1, next, found) } else { at + 1 };
            }
            return at + 1;
        }
        if !is_word(text(at)) {
            break; // `*`, or the `<` of generic arguments
        }
        path = step(&path, text(at));
        named = true;
        at += 1;
    }
    if named || !path.is_empty() {
        found.push(Reference { path, line });
    }
    at
}

fn step(path: &[String], name: &str) -> Vec<String> {
    match name {
        "super" => parent(path),
        "self" => path.to_vec(),
        name => [path, &[name.to_owned()]].concat(),
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// What a file of `src/` names that it may not.
fn violations(source: &Source) -> Vec<String> {
    let module = module_of(&source.path);
    let Some(layer) = module.first() else {
        return Vec::new(); // lib.rs puts the layers together
    };
    let is_layer = |name: &str| MAY_NAME.iter().any(|(layer, _)| *layer == name);
    let rule = |name: &str| MAY_NAME.iter().find(|(layer, _)| *layer == name);
    let own_line = module.get(1).and_then(|inside| rule(&format!("{layer}/{inside}")));
    let may: &[&str] = match own_line.or_else(|| rule(layer)) {
        Some((_, may)) => may,
        None if source.path.matches('/').count() == 1 => &[], // a file beside the layers, which all of them may name
        None => return vec![format!("{}: the folder src/{layer} has no line in MAY_NAME", source.path)],
    };
    let mut findings = Vec::new();
    for Reference { path, line } in references(source) {
        let Some(to) = path.first() else { continue };
        let adapter = path.get(1).filter(|name| to == "room" && ADAPTERS.contains(&name.as_str()));
        let wanted = match adapter {
            Some(adapter) => format!("room::{adapter}"),
            None => to.clone(),
        };
        let own = match adapter {
            // Inside src/room the port's own files name no adapter, and one adapter not the other.
            Some(adapter) if layer == "room" => module
                .get(1)
                .is_none_or(|inside| inside == adapter || (adapter == SHARED && SHARED_BY.contains(&inside.as_str()))),
            Some(_) => false,
            None => to == layer,
        };
        let root_item = !is_layer(to) && !to.starts_with(char::is_uppercase);
        if own || root_item || may.contains(&wanted.as_str()) {
            continue;
        }
        let named = path.join("::");
        findings.push(if is_layer(to) {
            format!("{}:{line}: {layer} may not name {named}", source.path)
        } else {
            format!("{}:{line}: name {named} by the module that defines it", source.path)
        });
    }
    findings
}

#[test]
fn layers_name_only_what_they_may() {
    let sources = rust_files(&["src"]);
    assert!(!sources.is_empty());
    assert_none("dependency rule", &sources.iter().flat_map(violations).collect::<Vec<_>>());
}

/// The rule's own test: each way to name a layer is seen, in every spelling.
#[test]
fn every_spelling_of_a_forbidden_path_is_found() {
    let forbidden = [
        ("src/protocol/frame.rs", "use crate::session::Core;"),
        ("src/protocol/frame.rs", "fn f() { crate::session::go(); }"),
        ("src/protocol/frame.rs", "use crate::{session::Core};"),
        ("src/protocol/frame.rs", "use crate::{protocol::a, room::{b}};"),
        ("src/protocol/frame.rs", "use super::super::session::Core;"),
        ("src/protocol/mod.rs", "use super::session::Core;"),
        ("src/protocol/frame.rs", "mod inner { use super::super::super::session::Core; }"),
        ("src/protocol/frame.rs", "macro_rules! m { () => { $crate::session::go() } }"),
        ("src/protocol/frame.rs", "fn f() { log!(\"{}\", crate::session::X) }"),
        ("src/protocol/frame.rs", "use crate::Session;"),
        ("src/session/driver.rs", "use crate::room::livekit::Adapter;"),
        ("src/session/driver.rs", "use crate::gateway::Direct;"),
        ("src/room/memory/mod.rs", "use crate::room::livekit::Adapter;"),
        ("src/room/memory/mod.rs", "use crate::room::livekit_common::outbox::Outbox;"),
        ("src/room/livekit_common/pacer.rs", "use crate::room::livekit::Library;"),
        ("src/room/livekit_static/mod.rs", "use crate::room::livekit::Library;"),
        ("src/gateway/mod.rs", "use crate::room::livekit_common::outbox::Outbox;"),
        ("src/capi/session.rs", "use crate::fanout::Route;"),
        ("src/capi/session.rs", "use crate::room::memory::Server;"),
        ("src/capi/testing.rs", "use crate::room::livekit::Adapter;"),
        ("src/time.rs", "use crate::session::Core;"),
        ("src/unheard_of/mod.rs", ""),
    ];
    for (path, text) in forbidden {
        assert_eq!(violations(&Source::new(path, text)).len(), 1, "{path}: {text}");
    }
    let allowed = [
        ("src/protocol/frame.rs", "use super::cursor::Cursor; pub(crate) fn f(a: &super::Error) {}"),
        ("src/protocol/frame.rs", "mod inner { use super::super::cursor::Cursor; } use super::cursor::B;"),
        ("src/protocol/frame.rs", "use crate::time::now_ns; use crate::protocol::{self, *};"),
        ("src/protocol/frame.rs", "#[cfg(test)] mod tests { use crate::session::Core; }"),
        ("src/session/driver.rs", "use crate::room::{Room, types::RoomEvent}; use crate::fanout::Route;"),
        ("src/room/livekit/mod.rs", "use crate::room::livekit::library; use crate::room::Room;"),
        ("src/room/livekit/room.rs", "use crate::room::livekit_common::outbox::Outbox;"),
        ("src/room/livekit_static/room.rs", "use crate::room::livekit_common::outbox::Outbox;"),
        ("src/gateway/direct.rs", "use crate::room::livekit::Adapter; use crate::session::Core;"),
        ("src/capi/testing.rs", "use crate::room::{memory::Server, Connector};"),
        ("src/lib.rs", "pub use crate::session::Session;"),
    ];
    for (path, text) in allowed {
        assert_none(text, &violations(&Source::new(path, text)));
    }
}
