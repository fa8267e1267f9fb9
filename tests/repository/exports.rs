//! Exported C functions (anchors.md rules 18 and 19): only in `src/capi`, and each body is one call of a guard, so that
//! no panic can cross into C.

use syn::{Attribute, Expr, Item, ItemFn, ReturnType, Stmt};

use crate::source::{assert_none, rust_files, Source};

fn is_export(attribute: &Attribute) -> bool {
    let named = |path: &syn::Path| path.is_ident("no_mangle") || path.is_ident("export_name");
    if attribute.path().is_ident("unsafe") {
        return attribute.parse_args::<syn::Path>().is_ok_and(|path| named(&path));
    }
    named(attribute.path())
}

/// Whether the body is a single `guard(..)`, `guard_or(..)` or another function of that family.
fn is_one_guard_call(function: &ItemFn) -> bool {
    let [Stmt::Expr(Expr::Call(call), semicolon)] = function.block.stmts.as_slice() else { return false };
    if semicolon.is_some() && matches!(function.sig.output, ReturnType::Type(..)) {
        return false;
    }
    let Expr::Path(callee) = call.func.as_ref() else { return false };
    callee.path.segments.last().is_some_and(|last| {
        let name = last.ident.to_string();
        name == "guard" || name.starts_with("guard_")
    })
}

fn functions(items: &[Item], out: &mut Vec<ItemFn>) {
    for item in items {
        match item {
            Item::Fn(function) => out.push(function.clone()),
            Item::Mod(module) => functions(module.content.as_ref().map_or(&[], |(_, items)| items), out),
            _ => {}
        }
    }
}

fn violations(source: &Source) -> Vec<String> {
    let marks =
        source.tokens().iter().filter(|token| matches!(token.text.as_str(), "no_mangle" | "export_name")).count();
    if !source.path.starts_with("src/capi/") {
        return (0..marks).map(|_| format!("{}: exports a function, but is not in src/capi", source.path)).collect();
    }
    let file = syn::parse_file(&source.text).unwrap_or_else(|error| panic!("{}: {error}", source.path));
    let mut all = Vec::new();
    functions(&file.items, &mut all);
    let exported: Vec<_> = all.iter().filter(|function| function.attrs.iter().any(is_export)).collect();
    let mut findings: Vec<String> = exported
        .iter()
        .filter(|function| !is_one_guard_call(function))
        .map(|function| format!("{}: {} is not one call of guard", source.path, function.sig.ident))
        .collect();
    if exported.len() != marks {
        findings.push(format!("{}: exports through a macro or a static, where this test cannot see it", source.path));
    }
    findings
}

/// S-273.
#[test]
fn every_exported_function_is_one_guard_call() {
    let sources = rust_files(&["src", "client"]);
    assert_none("exported functions", &sources.iter().flat_map(violations).collect::<Vec<_>>());
}

#[test]
fn an_unguarded_export_is_found() {
    let bad = [
        ("src/capi/a.rs", "#[no_mangle] pub extern \"C\" fn f() -> i32 { 1 }"),
        ("src/capi/a.rs", "#[unsafe(no_mangle)] pub extern \"C\" fn f() -> i32 { 1 }"),
        ("src/capi/a.rs", "#[no_mangle] pub extern \"C\" fn f() { g(); guard(|| ()) }"),
        ("src/capi/a.rs", "mod m { #[no_mangle] pub extern \"C\" fn f() { careless(|| ()) } }"),
        ("src/capi/a.rs", "macro_rules! m { () => { #[no_mangle] pub extern \"C\" fn f() {} } }"),
        ("src/session/a.rs", "#[no_mangle] pub extern \"C\" fn f() { guard(|| ()) }"),
    ];
    for (path, text) in bad {
        assert_eq!(violations(&Source::new(path, text)).len(), 1, "{text}");
    }
    let good = [
        "#[no_mangle] pub unsafe extern \"C\" fn f() -> i32 { guard(|| ()) }",
        "#[unsafe(no_mangle)] pub extern \"C\" fn f() -> u32 { crate::capi::panic::guard_or(0, || 1) }",
        "#[no_mangle] pub extern \"C\" fn f() { guard_or((), || drop(1)); }",
        "pub extern \"C\" fn not_exported() {}",
    ];
    for text in good {
        assert_none(text, &violations(&Source::new("src/capi/a.rs", text)));
    }
}
