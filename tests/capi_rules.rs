//! Rules of the C surface that no compiler checks: read from the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
}

/// Name and body of every exported function.
fn exported() -> Vec<(String, String)> {
    let mut files = Vec::new();
    rust_files(&root().join("src/capi"), &mut files);
    let mut functions = Vec::new();
    for (path, text) in files {
        for part in text.split("#[no_mangle]\n").skip(1) {
            let name = part.split("fn ").nth(1).and_then(|rest| rest.split('(').next()).unwrap();
            // rustfmt ends an item with a brace in the first column.
            let item = part.split("\n}").next().unwrap();
            let body = item.split_once(" {\n").unwrap_or_else(|| panic!("{}: {name} has no body", path.display())).1;
            functions.push((name.to_owned(), body.to_owned()));
        }
    }
    functions
}

#[test]
fn every_exported_function_is_one_guarded_body() {
    let functions = exported();
    assert!(functions.len() > 50, "found only {} functions: has the layout of src/capi changed?", functions.len());
    for (name, body) in functions {
        let first = body.lines().map(str::trim).find(|line| !line.starts_with("//")).unwrap();
        assert!(
            ["guard(|", "guard_or(", "guard_get("].iter().any(|guard| first.starts_with(guard)),
            "{name} does not begin with a guard: {first}"
        );
        let statements = body.lines().filter(|line| {
            line.starts_with("    ")
                && !line.starts_with("     ")
                && !line.trim().starts_with("//")
                && !line.trim().starts_with('}')
        });
        assert_eq!(statements.count(), 1, "{name} does something outside its guard");
    }
}

#[test]
fn the_symbol_list_names_every_exported_function() {
    let listed = fs::read_to_string(root().join("tests/abi/symbols.txt")).unwrap();
    let listed: BTreeSet<&str> = listed.lines().collect();
    let functions = exported();
    let found: BTreeSet<&str> = functions.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        found, listed,
        "run tests/abi/check_symbols.sh <libtelelink.so> --update after looking at the difference"
    );
}

#[test]
fn header_and_build_script_name_one_abi() {
    let build = fs::read_to_string(root().join("build.rs")).unwrap();
    let version = fs::read_to_string(root().join("src/capi/version.rs")).unwrap();
    let in_build = build.split("const ABI: &str = \"").nth(1).unwrap().split('"').next().unwrap();
    let in_header = version.split("TELELINK_ABI_VERSION: u32 = ").nth(1).unwrap().split(';').next().unwrap();
    assert_eq!(in_build, in_header);
}

#[test]
fn exported_functions_are_documented_for_c() {
    let header = fs::read_to_string(root().join("include/telelink/telelink.h")).unwrap()
        + &fs::read_to_string(root().join("include/telelink/testing.h")).unwrap();
    for word in ["Some(", "`None`", "# Safety", "crate::", "&str"] {
        assert!(!header.contains(word), "the header speaks Rust: {word}");
    }
    // Each declaration stands behind its comment; a comment that names another function ends in no semicolon.
    let mut comments = std::collections::BTreeMap::new();
    let parts: Vec<&str> = header.split("TELELINK_API").collect();
    for pair in parts.windows(2) {
        let declaration = pair[1].split('(').next().unwrap();
        let name = declaration.rsplit([' ', '*', '\n']).next().unwrap();
        comments.insert(name, pair[0].rsplit("/**").next().unwrap());
    }
    for (name, _) in exported() {
        let comment = comments.get(name.as_str()).unwrap_or_else(|| panic!("{name} is in no header"));
        assert!(comment.contains("@threading"), "{name} says nothing of threads");
        assert!(comment.contains("@since"), "{name} does not say since when");
    }
}
