//! Threads are started in one place, so that each has a name and is shown to the application's hook.

use crate::source::{assert_none, rust_files, Source};

/// The only file of the library that starts threads by itself.
const HERE: &str = "src/threads.rs";
/// Of the in-memory viewers that users' tests make; no robot has them.
const TESTING: &str = "src/capi/testing/";

/// Every thread that is started past `threads::spawn`: `thread::spawn`, `thread::Builder`, `thread::scope`; and every
/// runtime whose threads are not shown.
fn starts(source: &Source) -> Vec<String> {
    let tokens = source.tokens();
    let found = tokens.windows(4).filter(|window| {
        let texts: Vec<&str> = window.iter().map(|token| token.text.as_str()).collect();
        texts[..3] == ["thread", ":", ":"] && ["spawn", "Builder", "scope"].contains(&texts[3])
    });
    let mut findings: Vec<String> =
        found.map(|window| format!("{}:{}: thread::{}", source.path, window[0].line, window[3].text)).collect();
    let count = |word: &str| tokens.iter().filter(|token| token.text == word).count();
    if count("new_multi_thread") > count("on_thread_start") {
        findings.push(format!("{}: a runtime without on_thread_start", source.path));
    }
    findings
}

#[test]
fn one_file_starts_threads() {
    let mut sources = rust_files(&["src"]);
    sources.retain(|source| source.path != HERE && !source.path.starts_with(TESTING));
    assert!(!sources.is_empty());
    assert_none("threads that the hook does not see", &sources.iter().flat_map(starts).collect::<Vec<_>>());
}

#[test]
fn every_way_to_start_a_thread_is_found() {
    let bad = [
        "fn f() { std::thread::spawn(|| ()); }",
        "use std::thread; fn f() { thread::Builder::new(); }",
        "fn f() { tokio::runtime::Builder::new_multi_thread().build(); }",
    ];
    for text in bad {
        assert_eq!(starts(&Source::new("src/a.rs", text)).len(), 1, "{text}");
    }
    let good = [
        "fn f() { threads::spawn(ThreadRole::Log, || ()); std::thread::sleep(d); }",
        "fn f() { Builder::new_multi_thread().on_thread_start(|| threads::started(ThreadRole::Core)).build(); }",
    ];
    for text in good {
        assert_none(text, &starts(&Source::new("src/a.rs", text)));
    }
}
