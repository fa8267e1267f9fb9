//! The environment is read in one file, and docs/environment.md lists what that file reads.

use std::collections::BTreeSet;

use crate::source::{assert_none, root, rust_files, Source};

/// The only file of the library that looks at the environment.
const HERE: &str = "src/environment.rs";

/// Every place that reads a variable: `env::var` and its kin. Not `env!`, which the compiler reads.
fn reads(source: &Source) -> Vec<String> {
    let tokens = source.tokens();
    let found = tokens.windows(4).filter(|window| {
        let texts: Vec<&str> = window.iter().map(|token| token.text.as_str()).collect();
        texts[..3] == ["env", ":", ":"] && texts[3].starts_with("var")
    });
    found.map(|window| format!("{}:{}: {}", source.path, window[0].line, window[3].text)).collect()
}

/// The names in `Variable("NAME")`.
fn variables(text: &str) -> BTreeSet<String> {
    let names = text.split("Variable(\"").skip(1).filter_map(|rest| rest.split('"').next());
    names.map(str::to_owned).collect()
}

/// The first column of the page's table: "| `NAME` | ... |".
fn listed(document: &str) -> BTreeSet<String> {
    let names = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    names.map(|(name, _)| name.to_owned()).collect()
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn one_file_reads_the_environment() {
    let sources = rust_files(&["src"]);
    let elsewhere: Vec<String> = sources.iter().filter(|source| source.path != HERE).flat_map(reads).collect();
    assert_none("the environment read outside of src/environment.rs", &elsewhere);
    assert_eq!(sources.iter().filter(|source| source.path == HERE).flat_map(reads).count(), 1);
}

#[test]
fn the_page_lists_every_variable_and_no_other() {
    let (code, page) = (variables(&text(HERE)), listed(&text("docs/environment.md")));
    assert!(code.len() > 15, "found only {code:?}");
    let missing = code.difference(&page).map(|name| format!("{name} is not in docs/environment.md"));
    let unread = page.difference(&code).map(|name| format!("{name} is in docs/environment.md, and nothing reads it"));
    assert_none("the table of the environment", &missing.chain(unread).collect::<Vec<_>>());
}

#[test]
fn reading_is_found_and_other_uses_of_env_are_not() {
    let text = "fn f() { std::env::var_os(\"A\"); use std::env; env::var(\"B\"); env::current_exe(); env!(\"C\"); env::vars(); }";
    assert_eq!(reads(&Source::new("src/a.rs", text)).len(), 3);
}
