//! What viewers ask for: hostile URIs, in a table and at random.

use proptest::prelude::*;

use super::*;

use crate::session::asset_folder::uri::{address, segments, Address};

#[test]
fn hostile_uris_are_refused() {
    let tree = Tree::new();
    let rules = rules(tree.folder().any_extension());
    let dots = "the path has a part . or ..";
    let separator = "the path has a separator inside a part";
    let percent = "the path has a % that is not followed by two hexadecimal digits";
    let control = "the path has a control character";
    let folder = "the URI names a folder, not a file";
    let empty = "the path has an empty part";
    for (path, text) in [
        ("/../secret/key.stl", dots),
        ("/meshes/../../secret/key.stl", dots),
        ("/%2e%2e/secret/key.stl", dots),
        ("/%2E./secret/key.stl", dots),
        ("/meshes/../robot.urdf", dots),
        ("/./robot.urdf", dots),
        ("/..", dots),
        ("/..%2fsecret%2fkey.stl", separator),
        ("/%2e%2e%2Fsecret/key.stl", separator),
        ("/meshes%2farm.stl", separator),
        ("/%2Fetc%2Fpasswd", separator),
        ("/..\\secret\\key.stl", separator),
        ("/..%5csecret%5Ckey.stl", separator),
        ("/robot.urdf%00", control),
        ("/robot.urdf\0.stl", control),
        ("/robot%0a.urdf", control),
        ("/robot\u{85}.urdf", control),
        ("//robot.urdf", empty),
        ("/meshes//arm.stl", empty),
        ("/meshes/", empty),
        ("//etc/passwd", empty),
        ("/", folder),
        ("", folder),
        ("/robot.urdf?x=1", "the URI has a query, which no file has"),
        ("?robot.urdf", "the URI has a query, which no file has"),
        ("/robot.urdf#x", "the URI has a fragment, which no file has"),
        ("/robot.urd%6", percent),
        ("/robot.urd%", percent),
        ("/robot.urd%+6", percent),
        ("/robot.urd%gg", percent),
        ("/robot.urd%é", percent),
        ("/%ff%fe.stl", "the path is not UTF-8"),
        ("/%c0%ae%c0%ae/secret/key.stl", "the path is not UTF-8"),
        ("/meshes/50%2e.stl", "there is no such file"),
        ("/%252e%252e/secret/key.stl", "there is no such file"),
        ("/Robot.urdf", "there is no such file"),
        ("/robot.urdf/more", "there is no such file"),
        ("/meshes", "it is a folder, not a file"),
        ("/~/robot.urdf", "there is no such file"),
        ("/$HOME/robot.urdf", "there is no such file"),
    ] {
        assert_eq!(refused(&rules, &format!("package://robot{path}")), text, "{path}");
    }
    let long = format!("package://robot/{}", "a/".repeat(5000));
    assert_eq!(refused(&rules, &long), "the URI is longer than 4096 bytes");
    let name = format!("package://robot/{}", "a".repeat(3000));
    assert_eq!(refused(&rules, &name), "there is no such file");
}

#[test]
fn what_no_folder_serves_is_not_mine() {
    let tree = Tree::new();
    let rules = rules(tree.folder().any_extension());
    let kind = "not mine: the robot serves no URIs of this kind";
    let package = "not mine: the robot serves no package of that name";
    let place = "not mine: the robot serves no files of that folder";
    for (uri, text) in [
        ("", kind),
        ("robot.urdf", kind),
        ("/etc/passwd", kind),
        ("http://robot/robot.urdf", kind),
        ("package:/robot/robot.urdf", kind),
        ("file://elsewhere/etc/passwd", kind),
        ("file://localhost@elsewhere/etc/passwd", kind),
        ("file://", kind),
        ("file:relative", kind),
        ("package://Robot/robot.urdf", package),
        ("package://rob%6ft/robot.urdf", package),
        ("package:///robot/robot.urdf", package),
        ("package://robot:80/robot.urdf", package),
        ("package://x@robot/robot.urdf", package),
        ("package://robot\\..\\secret/key.stl", package),
        ("file:///etc/passwd", place),
        ("file:/etc/passwd", place),
        ("file://localhost/etc/passwd", place),
    ] {
        assert_eq!(refused(&rules, uri), text, "{uri}");
    }
    assert_eq!(refused(&rules, &tree.file_uri("secret/key.stl")), place);
    // Beside the root, with the root's name as the beginning of its own; and the folder above.
    fs::create_dir(tree.path("srv2")).unwrap();
    tree.write("srv2/x.stl", "x");
    assert_eq!(refused(&rules, &tree.file_uri("srv2/x.stl")), place);
    assert_eq!(refused(&rules, &tree.file_uri("srv")), "the URI names a folder, not a file");
    assert_eq!(refused(&rules, &tree.file_uri("srv/../secret/key.stl")), "the path has a part . or ..");

    let packages_only = AssetFolder::new().package("robot", tree.path("share"));
    let rules = super::rules(packages_only);
    assert_eq!(refused(&rules, &tree.file_uri("srv/tool.glb")), "not mine: the robot serves no file:// URIs");
}

#[test]
fn addresses_are_taken_apart() {
    let package = |name, path| Some(Address::Package { name, path });
    let file = |path| Some(Address::File { path });
    assert_eq!(address("package://a/b/c"), package("a", "/b/c"));
    assert_eq!(address("package://a"), package("a", ""));
    assert_eq!(address("package://a?b/c"), package("a", "?b/c"));
    assert_eq!(address("package://"), package("", ""));
    assert_eq!(address("file:///a"), file("/a"));
    assert_eq!(address("file:/a"), file("/a"));
    assert_eq!(address("file:////a"), file("//a"));
    assert_eq!(address("file://localhost/a"), file("/a"));
    for foreign in ["file://host/a", "file:a", "file:", "file", "", ":", "://", "package:a", "pack%61ge://a/b"] {
        assert_eq!(address(foreign), None, "{foreign}");
    }
}

/// URIs made of the pieces that attacks are made of.
fn hostile_uri() -> impl Strategy<Value = String> {
    let pieces = [
        "..",
        ".",
        "/",
        "//",
        "\\",
        "%2e",
        "%2E%2e",
        "%2f",
        "%5c",
        "%00",
        "%",
        "%25",
        "?",
        "#",
        ":",
        "~",
        "secret",
        "out",
        "key.stl",
        "keys",
        "id.stl",
        "share",
        "srv",
        "meshes",
        "arm.stl",
        "robot.urdf",
        "tool.glb",
        "é",
        " ",
        "\0",
        "\n",
    ];
    let start = ["package://robot", "package://robot/", "file://", "file:///", "package://", ""];
    (
        proptest::sample::select(start.to_vec()),
        proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..8),
    )
        .prop_map(|(start, pieces)| start.to_owned() + &pieces.concat())
}

proptest! {
    #[test]
    fn whatever_is_asked_nothing_outside_is_served(uri in hostile_uri(), inside in any::<bool>()) {
        let tree = Tree::new();
        symlink("../secret", tree.path("share/out")).unwrap();
        let rules = rules(tree.folder().any_extension());
        // Half of the file URIs begin where the files are.
        let uri = if inside { uri.replacen("file://", &tree.file_uri("srv"), 1) } else { uri };
        if let Served::Data(data) = rules.serve(&uri) {
            let text = String::from_utf8(data).unwrap();
            prop_assert!(["solid arm", "<robot/>", "tool"].contains(&text.as_str()), "{}: {}", uri, text);
        }
    }

    #[test]
    fn parts_of_paths_are_plain_names(path in "(/|%2[eEfF]|%5c|\\.|[a-z%é ]|\\\\|%00){0,40}") {
        for part in segments("", &path).into_iter().flatten() {
            prop_assert!(!part.is_empty() && part != "." && part != "..", "{:?}", part);
            prop_assert!(!part.contains(['/', '\\', '\0']), "{:?}", part);
        }
    }
}
