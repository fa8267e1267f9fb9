//! The manual: its code is compiled (each block stands in a program of tests/manual/, tests/consumer/ or tests/package/), its pages are
//! in SUMMARY.md, and its links lead to files.

use std::collections::BTreeSet;

use crate::readme::{blocks, text};
use crate::source::{assert_none, root};

/// scripts/tutorial.py follows this page literally; its code needs no second place.
const FOLLOWED: &str = "tutorial.md";

/// Made by scripts/docs.sh, not in the tree; scripts/check_links.py checks links to it.
const BUILT: &str = "api/";

/// The pages: every Markdown file of docs/ but the table of contents.
fn pages() -> Vec<String> {
    let folder = root().join("docs");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .expect("docs/ can be read")
        .map(|entry| entry.expect("an entry of docs/").file_name().into_string().expect("a UTF-8 name"))
        .filter(|name| name.ends_with(".md") && name != "SUMMARY.md")
        .collect();
    names.sort();
    names
}

/// Code without what the formatter decides. Comments stay: a page's comment is part of its code.
fn bare(code: &str) -> String {
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("#include"));
    lines.flat_map(str::chars).filter(|c| !c.is_whitespace()).collect()
}

/// The blocks of C and C++ of a page that no program has.
fn not_compiled(page: &str, markdown: &str, programs: &[String]) -> Vec<String> {
    ["c", "cpp"]
        .iter()
        .flat_map(|language| blocks(markdown, language))
        .filter(|block| !programs.iter().any(|program| program.contains(&bare(block))))
        .map(|block| format!("{page}: not in tests/manual/, tests/consumer/ or tests/package/:\n{block}"))
        .collect()
}

#[test]
fn the_code_of_the_manual_is_compiled() {
    let mut programs = Vec::new();
    for folder in ["tests/manual", "tests/consumer", "tests/package"] {
        for entry in std::fs::read_dir(root().join(folder)).expect("a folder of tests can be read") {
            let path = entry.expect("an entry of the folder").path();
            if path.extension().is_some_and(|ending| ending != "txt") {
                programs.push(bare(&std::fs::read_to_string(&path).expect("a program can be read")));
            }
        }
    }
    let pages: Vec<String> = pages().into_iter().filter(|page| page != FOLLOWED).collect();
    let count = |page: &String| blocks(&text(&format!("docs/{page}")), "cpp").len();
    assert!(pages.iter().map(count).sum::<usize>() > 30, "the blocks of the manual were not found");
    let findings: Vec<String> =
        pages.iter().flat_map(|page| not_compiled(page, &text(&format!("docs/{page}")), &programs)).collect();
    assert_none("code of the manual", &findings);
}

/// S-43: 10 s in all, 5 s of leaving the room inside them. A default of those 5 s would call an end late that is not.
#[test]
fn s_043_the_default_bound_of_close_leaves_time_for_leaving_the_room() {
    let header = text("cpp/include/telelink/session.hpp");
    let default = "Result<void> close(std::chrono::milliseconds timeout = std::chrono::seconds{10}) const";
    assert!(header.contains(default), "not in session.hpp: {default}");
    let row = "| `Session::close(timeout)` | at most `timeout`, 10 s by default";
    assert!(text("docs/threading.md").contains(row), "not in docs/threading.md: {row}");
    let inside = "const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);";
    assert!(text("src/session/driver/room.rs").contains(inside), "not in room.rs: {inside}");
}

/// Structs of options, with the header that has each.
const OPTIONS: &[(&str, &str)] = &[
    ("session_options.hpp", "SessionOptions"),
    ("session_options.hpp", "ApiKey"),
    ("session_options.hpp", "IceServer"),
    ("session_options.hpp", "Limits"),
    ("channel.hpp", "ChannelOptions"),
    ("lease.hpp", "ControlLease"),
    ("service.hpp", "Service"),
    ("video.hpp", "VideoOptions"),
    ("video.hpp", "VideoSourceOptions"),
];

/// The names of the members of a struct of a header: the word before ` = ` or `{`.
fn members<'a>(header: &'a str, name: &str) -> Vec<&'a str> {
    let body = header.split(&format!("\nstruct {name} {{\n")).nth(1).unwrap_or_default();
    let lines = body.split("\n};").next().unwrap_or_default().lines();
    lines
        .filter(|line| !line.trim_start().starts_with("//"))
        .filter_map(|line| line.split([';', '=']).next()?.split('{').next()?.trim_end().rsplit_once(' '))
        .map(|(_, member)| member)
        .collect()
}

#[test]
fn the_configuration_page_has_every_option() {
    let page = text("docs/configuration.md");
    let mut findings = Vec::new();
    for (header, name) in OPTIONS {
        let header = text(&format!("cpp/include/telelink/{header}"));
        let members = members(&header, name);
        assert!(!members.is_empty(), "{name} was not found");
        let missing = members.iter().filter(|member| !page.contains(&format!("`{member}`")));
        findings.extend(missing.map(|member| format!("{name}::{member} is missing")));
    }
    assert_none("docs/configuration.md", &findings);
    let header = "\nstruct A {\n  /// About `b = 1`.\n  int b = 0;  ///< c = 2\n  std::x<y> d{3};\n};\nint e = 0;\n";
    assert_eq!(members(header, "A"), ["b", "d"]);
}

/// The targets of the links of a page, without those in code.
fn links(markdown: &str) -> Vec<&str> {
    let prose = markdown.split("```").step_by(2);
    prose.flat_map(|part| part.split("](").skip(1)).filter_map(|rest| rest.split_once(')')).map(|(to, _)| to).collect()
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let summary = text("docs/SUMMARY.md");
    let listed: BTreeSet<&str> = links(&summary).into_iter().collect();
    let pages = pages();
    let mut findings: Vec<String> =
        pages.iter().filter(|page| !listed.contains(page.as_str())).map(|page| format!("{page} is missing")).collect();
    let there: BTreeSet<&str> = pages.iter().map(String::as_str).collect();
    findings.extend(listed.difference(&there).map(|page| format!("{page} is listed, but does not exist")));
    assert_none("docs/SUMMARY.md", &findings);
}

#[test]
fn links_lead_to_files() {
    let mut findings = Vec::new();
    let documents = pages().into_iter().map(|page| format!("docs/{page}"));
    for document in documents.chain(["README.md", "CONTRIBUTING.md"].map(str::to_owned)) {
        let text = text(&document);
        let folder = root().join(&document).parent().expect("a document is in a folder").to_owned();
        for link in links(&text) {
            let file = link.split('#').next().unwrap_or_default();
            let elsewhere = file.is_empty() || file.contains("://") || file.starts_with(BUILT);
            if !elsewhere && !folder.join(file).exists() {
                findings.push(format!("{document}: {link}"));
            }
        }
    }
    assert_none("links that lead nowhere", &findings);
}

#[test]
fn blocks_are_compared_without_their_format_and_links_found_outside_of_code() {
    let page = "```cpp\n#include <a>\n\nint a =\n    f(1);\n```\n[x](y.md#z) ```text\n[no](no)\n``` [u](v)";
    let program = bare("void g() {\n  int a = f(1);\n}");
    assert!(not_compiled("page", page, &[program]).is_empty());
    assert_eq!(not_compiled("page", page, &[bare("int a = f(2);")]).len(), 1);
    assert_eq!(links(page), ["y.md#z", "v"]);
}
