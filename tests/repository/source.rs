//! Reading the tree: Rust files as token streams, where comments and strings cannot be mistaken for code.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The checkout this test was built in.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One Rust file: its path from the checkout's root, with `/`, and its text.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// The tokens, without those of items that exist in test builds only.
    pub(crate) fn tokens(&self) -> Vec<Token> {
        let stream = TokenStream::from_str(&self.text).unwrap_or_else(|error| panic!("{}: {error}", self.path));
        let mut out = Vec::new();
        if !self.is_test_only() {
            flatten(stream, &mut out);
        }
        out
    }

    /// Whether the whole file is one of unit tests: `tests.rs`, or in a folder `tests/`, below `src`.
    fn is_test_only(&self) -> bool {
        self.path.split('/').skip(1).any(|part| part == "tests" || part == "tests.rs")
    }
}

/// A flattened token: groups appear as their delimiters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

fn flatten(stream: TokenStream, out: &mut Vec<Token>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while at < trees.len() {
        if is_test_attribute(&trees[at..]) {
            at = end_of_item(&trees, at + 2);
            continue;
        }
        match &trees[at] {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::None => ("", ""),
                };
                out.push(Token { text: open.to_owned(), line: group.span_open().start().line });
                flatten(group.stream(), out);
                out.push(Token { text: close.to_owned(), line: group.span_close().start().line });
            }
            tree => out.push(Token { text: tree.to_string(), line: tree.span().start().line }),
        }
        at += 1;
    }
}

/// `#[cfg(test)]`, `#[cfg(all(test, ..))]` or `#[test]` at the start.
fn is_test_attribute(trees: &[TokenTree]) -> bool {
    let [TokenTree::Punct(hash), TokenTree::Group(group), ..] = trees else { return false };
    if hash.as_char() != '#' || group.delimiter() != Delimiter::Bracket {
        return false;
    }
    let text: String = group.stream().to_string().split_whitespace().collect();
    text == "test" || text == "cfg(test)" || text.starts_with("cfg(all(test,")
}

/// The index after the item that begins at `at`: after its `;` or its braces.
fn end_of_item(trees: &[TokenTree], mut at: usize) -> usize {
    while at < trees.len() {
        let ends = match &trees[at] {
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            _ => false,
        };
        at += 1;
        if ends {
            break;
        }
    }
    at
}

/// Every Rust file below these folders (or the file itself); a folder that is not there holds none.
pub(crate) fn rust_files(folders: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in folders {
        let path = root().join(folder);
        if path.exists() {
            collect(&path, &mut paths);
        }
    }
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            Source::new(&relative(path), &text)
        })
        .collect()
}

fn collect(path: &Path, out: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("a folder of the checkout can be read") {
            collect(&entry.expect("a folder entry can be read").path(), out);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        out.push(path.to_owned());
    }
}

/// The path from the checkout's root, with `/`.
pub(crate) fn relative(path: &Path) -> String {
    path.strip_prefix(root()).expect("a path in the checkout").to_str().expect("a UTF-8 path").to_owned()
}

/// Fails with one line per finding.
pub(crate) fn assert_none(what: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{what}:\n  {}", findings.join("\n  "));
}

#[test]
fn comments_strings_and_test_items_are_not_code() {
    let text = r##"
        //! unsafe
        const A: &str = "unsafe"; // unsafe
        #[cfg(test)]
        mod tests { fn f() { unsafe {} } }
        #[cfg(test)]
        use x::unsafe_thing;
        #[derive(Debug)]
        struct B { c: u8 }
    "##;
    let texts: Vec<String> = Source::new("src/a.rs", text).tokens().into_iter().map(|token| token.text).collect();
    assert!(!texts.iter().any(|text| text == "unsafe" || text == "unsafe_thing"));
    assert!(texts.iter().any(|text| text == "B"), "what follows a test item is still read");
    assert!(Source::new("src/a/tests.rs", "unsafe fn f() {}").tokens().is_empty());
}
