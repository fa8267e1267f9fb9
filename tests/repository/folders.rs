//! docs/architecture.md lists the folders: the list is held against the tree, both ways.

use std::collections::BTreeSet;
use std::path::Path;

use crate::source::{assert_none, relative, root};

/// Built, fetched or git's own; not part of the repository.
const NOT_OURS: &[&str] = &["target", "build", "build-dev", "node_modules", "__pycache__"];

/// Of the hidden folders (git's, the tools', editors') the only one in the repository.
const HIDDEN_BUT_OURS: &str = ".ci";

fn is_ours(name: &str) -> bool {
    !NOT_OURS.contains(&name) && (name == HIDDEN_BUT_OURS || !name.starts_with('.'))
}

/// Folders whose own folders are listed too. Deeper ones may be listed; then they have to exist.
const LISTED_IN_DETAIL: &[&str] = &["src", "src/room", "tests", "examples"];

/// The folders in the first column of the document's tables: "| `src/capi/` | ... |".
fn listed(document: &str) -> BTreeSet<String> {
    document
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("/` |"))
        .map(|(folder, _)| folder.to_owned())
        .collect()
}

/// Folders directly in this one, as far as they are ours and hold anything.
fn inside(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder of the checkout can be read") {
        let path = entry.expect("a folder entry can be read").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a UTF-8 name");
        if path.is_dir() && is_ours(name) && holds_a_file(&path) {
            found.push(relative(&path));
        }
    }
    found
}

/// git keeps no empty folders, so one is not part of the repository.
fn holds_a_file(folder: &Path) -> bool {
    std::fs::read_dir(folder).expect("a folder of the checkout can be read").any(|entry| {
        let path = entry.expect("a folder entry can be read").path();
        path.is_file()
            || is_ours(path.file_name().and_then(|name| name.to_str()).expect("a UTF-8 name")) && holds_a_file(&path)
    })
}

#[test]
fn the_architecture_page_lists_the_folders_of_the_tree() {
    let document = std::fs::read_to_string(root().join("docs/architecture.md")).expect("docs/architecture.md");
    let listed = listed(&document);
    let mut must: BTreeSet<String> = inside(root()).into_iter().collect();
    for folder in LISTED_IN_DETAIL.iter().map(|folder| root().join(folder)).filter(|folder| folder.is_dir()) {
        must.extend(inside(&folder));
    }
    let mut findings: Vec<String> = must.difference(&listed).map(|folder| format!("{folder}/ is not listed")).collect();
    let gone = listed.iter().filter(|folder| !root().join(folder).is_dir() || !holds_a_file(&root().join(folder)));
    findings.extend(gone.map(|folder| format!("{folder}/ is listed, but not in the tree")));
    assert_none("the folders of docs/architecture.md", &findings);
}

#[test]
fn only_the_first_column_counts() {
    let document = "| Folder | What |\n|---|---|\n| `src/capi/` | see `src/room/` |\n| text | `docs/` |\n`tests/` is\n";
    assert_eq!(listed(document).into_iter().collect::<Vec<_>>(), ["src/capi"]);
}
