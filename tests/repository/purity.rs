//! Words that may stand only in certain places: `unsafe`, the LiveKit library's plumbing, clocks and threads.

use crate::source::{assert_none, rust_files, Source};

/// The only places of the library with `unsafe` (anchors.md rule 21).
const UNSAFE_IN: &[&str] = &["src/capi/", "src/room/livekit/library.rs"];

/// Every place in these files where one of the words is used as code.
fn uses(sources: &[Source], words: &[&str]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        for token in source.tokens().iter().filter(|token| words.contains(&token.text.as_str())) {
            findings.push(format!("{}:{}: {}", source.path, token.line, token.text));
        }
    }
    findings
}

fn outside(sources: Vec<Source>, places: &[&str]) -> Vec<Source> {
    sources.into_iter().filter(|source| !places.iter().any(|place| source.path.starts_with(place))).collect()
}

#[test]
fn unsafe_stands_only_at_the_two_borders() {
    let sources = outside(rust_files(&["src", "client", "examples", "build.rs"]), UNSAFE_IN);
    assert!(!sources.is_empty());
    assert_none("unsafe", &uses(&sources, &["unsafe"]));
}

#[test]
fn only_the_adapter_loads_the_livekit_library() {
    let sources = outside(rust_files(&["src"]), &["src/room/livekit/"]);
    assert_none("LiveKit plumbing outside src/room/livekit", &uses(&sources, &["libloading", "prost"]));
}

/// The crates' room types must not spread: what is behind a feature has one place.
#[test]
fn only_the_static_adapter_names_the_livekit_crates() {
    let sources = outside(rust_files(&["src", "client", "bench", "examples"]), &["src/room/livekit_static/"]);
    let findings: Vec<_> = sources.iter().flat_map(crate_paths).collect();
    assert_none("LiveKit's crates outside src/room/livekit_static", &findings);
}

/// Paths that begin with the crate `livekit` or `libwebrtc`; a module of that name stands after `::`.
fn crate_paths(source: &Source) -> Vec<String> {
    let tokens = source.tokens();
    let text = |at: Option<usize>| at.and_then(|at| tokens.get(at)).map_or("", |token| token.text.as_str());
    let begins = |at: usize| text(at.checked_sub(1)) != ":" && text(Some(at + 1)) == ":" && text(Some(at + 2)) == ":";
    let crates = tokens.iter().enumerate().filter(|(_, token)| matches!(token.text.as_str(), "livekit" | "libwebrtc"));
    crates.filter(|(at, _)| begins(*at)).map(|(_, t)| format!("{}:{}: {}", source.path, t.line, t.text)).collect()
}

/// design.md decision 1: the core takes a time stamp and never looks at a clock, a thread or a runtime.
#[test]
fn the_core_is_pure() {
    let sources = rust_files(&["src/session/core", "src/session/core.rs"]);
    // S-97, S-98: one owner and no locks, so that there is no order of locks to keep.
    let words = ["tokio", "async", "await", "SystemTime", "sleep", "spawn", "Mutex", "RwLock"];
    assert_none("impure words in session::core", &uses(&sources, &words));
    assert_none("clocks read in session::core", &sources.iter().flat_map(clock_reads).collect::<Vec<_>>());
}

/// `Instant::now`, which has no word of its own that could be forbidden.
fn clock_reads(source: &Source) -> Vec<String> {
    let tokens = source.tokens();
    let reads = tokens.windows(4).filter(|window| {
        let texts: Vec<&str> = window.iter().map(|token| token.text.as_str()).collect();
        texts == ["Instant", ":", ":", "now"]
    });
    reads.map(|window| format!("{}:{}: Instant::now", source.path, window[0].line)).collect()
}

#[test]
fn a_used_word_is_found_and_a_mentioned_one_is_not() {
    let sources = [
        Source::new("src/a.rs", "// unsafe\nfn f() { unsafe { g() } }"),
        Source::new("src/b.rs", "#![deny(unsafe_code)] const A: &str = \"unsafe\";"),
        Source::new("src/capi/c.rs", "unsafe fn h() {}"),
    ];
    assert_eq!(uses(&outside(sources.into(), UNSAFE_IN), &["unsafe"]), ["src/a.rs:2: unsafe"]);
    let core = Source::new("src/session/core/a.rs", "fn f(now: Instant) {}\nfn g() { Instant::now(); }");
    assert_eq!(clock_reads(&core), ["src/session/core/a.rs:2: Instant::now"]);
    let adapter = Source::new("src/a.rs", "pub mod livekit;\nuse crate::room::livekit::A;\nuse livekit::Room;");
    assert_eq!(crate_paths(&adapter), ["src/a.rs:3: livekit"]);
}
