//! The code of the README is compiled: each block stands in a program of tests/consumer/ as it is.

use crate::source::root;

pub(crate) fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The fenced blocks of a language.
pub(crate) fn blocks<'a>(markdown: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    markdown.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect()
}

#[test]
fn the_code_of_the_readme_is_compiled() {
    let readme = text("README.md");
    let programs = [text("tests/consumer/readme.cpp"), text("tests/consumer/readme_requests.cpp")];
    let blocks = blocks(&readme, "cpp");
    assert!(blocks.len() >= 7, "{} blocks of C++ in the README", blocks.len());
    for block in blocks {
        // What a program includes stands above it, not where the README shows it.
        let code = block.replace("#include <telelink/telelink.hpp>\n\n", "");
        assert!(programs.iter().any(|program| program.contains(&code)), "not in tests/consumer/readme*.cpp:\n{code}");
    }
    // The program that docs/c-api.md shows too.
    let in_c = self::blocks(&readme, "c");
    assert_eq!(in_c.len(), 1, "blocks of C in the README");
    assert!(text("tests/manual/c_api.c").ends_with(in_c[0]), "not in tests/manual/c_api.c:\n{}", in_c[0]);
}
