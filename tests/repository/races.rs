//! Every rule of the race catalogue has a test named after it (session.md section 25): the numbers are held against the
//! names of the tests in the tree.

use std::collections::BTreeSet;

use crate::source::{assert_none, rust_files};

fn catalogue() -> impl Iterator<Item = u32> {
    (134..=174).chain(275..=277).chain([279])
}

/// The names of the functions that are tests, inside modules too.
fn names(items: &[syn::Item], out: &mut Vec<String>) {
    // `#[test]` and `#[tokio::test]`.
    let is_test =
        |attribute: &syn::Attribute| attribute.path().segments.last().is_some_and(|segment| segment.ident == "test");
    for item in items {
        match item {
            syn::Item::Fn(item) if item.attrs.iter().any(is_test) => out.push(item.sig.ident.to_string()),
            syn::Item::Mod(item) => names(item.content.as_ref().map_or(&[], |(_, items)| items), out),
            _ => {}
        }
    }
}

/// The rules that a test is named after: `s_153_s_154_the_view` is about two.
fn rules(name: &str) -> Vec<u32> {
    let mut words = name.split('_');
    let mut rules = Vec::new();
    while words.next() == Some("s") {
        match words.next().and_then(|number| number.trim_end_matches(char::is_alphabetic).parse().ok()) {
            Some(number) => rules.push(number),
            None => break,
        }
    }
    rules
}

fn tested(text: &str, path: &str) -> Vec<u32> {
    let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut tests = Vec::new();
    names(&file.items, &mut tests);
    tests.iter().flat_map(|name| rules(name)).collect()
}

#[test]
fn every_race_has_a_test_named_after_it() {
    let tested: BTreeSet<u32> =
        rust_files(&["src", "tests"]).iter().flat_map(|source| tested(&source.text, &source.path)).collect();
    let untested = catalogue().filter(|rule| !tested.contains(rule));
    let findings: Vec<_> = untested.map(|rule| format!("no test is named s_{rule}_…")).collect();
    assert_none("the race catalogue", &findings);
}

#[test]
fn only_tests_named_after_rules_count() {
    let text = r#"
        #[test] fn s_1_s_2_two_rules() {}
        #[tokio::test(start_paused = true)] async fn s_74b_a_letter() {}
        fn s_3_no_test() {}
        #[test] fn p_4_another_document() {}
        #[test] fn says_5() {}
        mod inner { #[test] fn s_6_inside_a_module() { let _ = "fn s_7_in_a_text()"; } }
    "#;
    assert_eq!(tested(text, "text"), [1, 2, 74, 6]);
}
