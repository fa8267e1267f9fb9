//! Links, kinds and sizes of files; `uris`: what viewers ask for.

mod uris;

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::file::{read_bounded, unreadable, ReadError};
use super::*;

/// A folder of its own, removed in the end: `share/` is the package `robot`, `srv/` a file root, `secret/` is neither.
struct Tree {
    root: PathBuf,
}

impl Tree {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("telelink-assets-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let root = std::env::temp_dir().canonicalize().unwrap().join(name);
        for folder in ["share/meshes", "srv/deep", "secret/keys"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let tree = Self { root };
        tree.write("share/robot.urdf", "<robot/>");
        tree.write("share/meshes/arm.stl", "solid arm");
        tree.write("share/meshes/50%2e.stl", "percent");
        tree.write("share/notes.txt", "notes");
        tree.write("share/.env.stl", "hidden");
        tree.write("srv/tool.glb", "tool");
        tree.write("srv/deep/größe 1.stl", "spaced");
        tree.write("secret/key.stl", "secret");
        tree.write("secret/keys/id.stl", "secret");
        tree
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.path(path), text).unwrap();
    }

    /// The package `robot` and the file root.
    fn folder(&self) -> AssetFolder {
        AssetFolder::new().package("robot", self.path("share")).file_root(self.path("srv"))
    }

    fn file_uri(&self, path: &str) -> String {
        format!("file://{}/{path}", self.root.display())
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn rules(folder: AssetFolder) -> Rules {
    folder.rules().unwrap().0
}

/// The text of the file, or what the viewer is told.
fn fetch(rules: &Rules, uri: &str) -> Result<String, String> {
    match rules.serve(uri) {
        Served::Data(data) => Ok(String::from_utf8(data).unwrap()),
        Served::Refused(refusal) => Err(refusal.text),
        Served::NotMine(refusal) => Err(format!("not mine: {}", refusal.text)),
    }
}

fn refused(rules: &Rules, uri: &str) -> String {
    match fetch(rules, uri) {
        Ok(data) => panic!("{uri} was served: {data}"),
        Err(text) => text,
    }
}

#[test]
fn files_below_the_roots_are_served() {
    let tree = Tree::new();
    let rules = rules(tree.folder());
    for (uri, text) in [
        ("package://robot/robot.urdf".to_owned(), "<robot/>"),
        ("PACKAGE://robot/meshes/arm.stl".into(), "solid arm"),
        ("package://robot/%6deshes/arm%2Estl".into(), "solid arm"),
        ("package://robot/meshes/50%252e.stl".into(), "percent"),
        ("package://robot/.env.stl".into(), "hidden"),
        (tree.file_uri("srv/tool.glb"), "tool"),
        (tree.file_uri("srv/deep/gr%C3%B6%c3%9fe%201.stl"), "spaced"),
        (tree.file_uri("srv/deep/größe 1.stl"), "spaced"),
        (tree.file_uri("srv/tool.glb").replace("file://", "File://LocalHost"), "tool"),
        (tree.file_uri("srv/tool.glb").replace("file://", "file:"), "tool"),
    ] {
        assert_eq!(fetch(&rules, &uri).as_deref(), Ok(text), "{uri}");
    }
}

#[test]
fn links_inside_are_followed_and_links_out_are_not() {
    let tree = Tree::new();
    let folder = tree.folder();
    let out = "a link leads out of the folder";
    for (link, target) in [
        ("share/inside.stl", "meshes/arm.stl"),
        ("share/folder", "meshes"),
        ("share/there-and-back.stl", "../share/meshes/arm.stl"),
        ("share/other-root.glb", "../srv/tool.glb"),
        ("share/out.stl", "../secret/key.stl"),
        ("share/out", "../secret"),
        ("share/twice.stl", "out.stl"),
        ("share/kind.stl", "notes.txt"),
        ("share/loop.stl", "loop.stl"),
        ("share/nowhere.stl", "gone.stl"),
    ] {
        symlink(target, tree.path(link)).unwrap();
    }
    symlink(tree.path("secret/key.stl"), tree.path("share/absolute.stl")).unwrap();
    symlink(tree.path("share/meshes/arm.stl"), tree.path("share/absolute-inside.stl")).unwrap();
    let rules = rules(folder.clone());
    let package = |rules: &Rules, path: &str| fetch(rules, &format!("package://robot/{path}"));
    for path in ["inside.stl", "folder/arm.stl", "there-and-back.stl", "absolute-inside.stl"] {
        assert_eq!(package(&rules, path).as_deref(), Ok("solid arm"), "{path}");
    }
    assert_eq!(package(&rules, "other-root.glb").as_deref(), Ok("tool"), "below another root of the same folder");
    // What exists behind the link makes no difference.
    for path in ["out.stl", "absolute.stl", "twice.stl", "out/key.stl", "out/keys/id.stl", "out/gone.stl"] {
        assert_eq!(package(&rules, path).unwrap_err(), out, "{path}");
    }
    assert_eq!(package(&rules, "kind.stl").unwrap_err(), "files of this kind are not served");
    assert_eq!(package(&rules, "loop.stl").unwrap_err(), "the file cannot be read");
    assert_eq!(package(&rules, "nowhere.stl").unwrap_err(), "there is no such file");
    // A source tree that is a root of its own: how colcon's --symlink-install is served.
    let wider = self::rules(folder.file_root(tree.path("secret")));
    assert_eq!(package(&wider, "out.stl").as_deref(), Ok("secret"));
}

#[test]
fn a_folder_that_becomes_a_link_while_it_is_looked_at_leads_nowhere() {
    let tree = Tree::new();
    for (folder, text) in [("share/swapped", "inside"), ("secret/swapped", "secret")] {
        fs::create_dir(tree.path(folder)).unwrap();
        tree.write(&format!("{folder}/arm.stl"), text);
    }
    let rules = rules(tree.folder());
    let (place, aside) = (tree.path("share/swapped"), tree.path("share/aside"));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                fs::rename(&place, &aside).unwrap();
                symlink("../secret/swapped", &place).unwrap();
                fs::remove_file(&place).unwrap();
                fs::rename(&aside, &place).unwrap();
            }
        });
        let served = (0..3000).filter_map(|_| fetch(&rules, "package://robot/swapped/arm.stl").ok());
        let secrets = served.filter(|text| text != "inside").count();
        done.store(true, Ordering::Relaxed);
        assert_eq!(secrets, 0);
    });
    assert_eq!(fetch(&rules, "package://robot/swapped/arm.stl").as_deref(), Ok("inside"));
}

#[test]
fn a_root_may_be_a_link_and_may_come_later() {
    let tree = Tree::new();
    let folder = AssetFolder::new().package("robot", tree.path("current")).file_root(tree.path("current"));
    let rules = rules(folder);
    assert_eq!(refused(&rules, "package://robot/robot.urdf"), "the folder it would be in is not there");
    symlink("share", tree.path("current")).unwrap();
    assert_eq!(fetch(&rules, "package://robot/robot.urdf").as_deref(), Ok("<robot/>"));
    assert_eq!(fetch(&rules, &tree.file_uri("current/robot.urdf")).as_deref(), Ok("<robot/>"));
    assert_eq!(fetch(&rules, &tree.file_uri("share/robot.urdf")).as_deref(), Ok("<robot/>"), "by its real path");
    // Switched to another version.
    fs::create_dir(tree.path("v2")).unwrap();
    tree.write("v2/robot.urdf", "<robot v='2'/>");
    fs::remove_file(tree.path("current")).unwrap();
    symlink("v2", tree.path("current")).unwrap();
    assert_eq!(fetch(&rules, "package://robot/robot.urdf").as_deref(), Ok("<robot v='2'/>"));
    assert_eq!(
        refused(&rules, &tree.file_uri("share/robot.urdf")),
        "not mine: the robot serves no files of that folder"
    );
}

#[test]
fn only_regular_files_are_opened() {
    let tree = Tree::new();
    let fifo = tree.path("share/pipe.stl");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(tree.path("share/socket.stl")).unwrap();
    let rules = rules(tree.folder().file_root("/dev").file_root("/proc/self").any_extension());
    // Nobody ever writes into the pipe: waiting for that would hang the test.
    assert_eq!(refused(&rules, "package://robot/pipe.stl"), "it is not a regular file");
    assert_eq!(refused(&rules, "package://robot/socket.stl"), "it is not a regular file");
    assert_eq!(refused(&rules, "file:///dev/zero"), "it is not a regular file");
    assert_eq!(refused(&rules, "package://robot/meshes"), "it is a folder, not a file");
    // A regular file that nobody can read from its beginning, not even root.
    assert_eq!(refused(&rules, "file:///proc/self/mem"), "the file cannot be read");
}

#[test]
fn files_that_may_not_be_read_say_so() {
    let refusal = unreadable(Path::new("/a"), &io::ErrorKind::PermissionDenied.into());
    assert_eq!(refusal.text, "the robot may not read the file");
    assert_eq!(refusal.detail.as_deref(), Some("/a: permission denied"));

    let tree = Tree::new();
    let rules = rules(tree.folder());
    let path = tree.path("share/robot.urdf");
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    // Root may read everything; everybody else is told. Which of the two runs this test is asked of the file itself.
    match fs::read(&path) {
        Ok(_) => assert_eq!(fetch(&rules, "package://robot/robot.urdf").as_deref(), Ok("<robot/>")),
        Err(_) => assert_eq!(refused(&rules, "package://robot/robot.urdf"), "the robot may not read the file"),
    }
}

#[test]
fn s_219_the_size_is_limited() {
    let tree = Tree::new();
    let limited = rules(tree.folder().max_size(9));
    assert_eq!(fetch(&limited, "package://robot/meshes/arm.stl").as_deref(), Ok("solid arm"), "just as large");
    tree.write("share/meshes/arm.stl", "solid arm!");
    assert_eq!(refused(&limited, "package://robot/meshes/arm.stl"), "the file is larger than 9 bytes");
    tree.write("share/meshes/arm.stl", "");
    assert_eq!(fetch(&limited, "package://robot/meshes/arm.stl").as_deref(), Ok(""), "empty assets are legal");

    let rules = rules(tree.folder());
    let big = fs::File::create(tree.path("share/big.stl")).unwrap();
    big.set_len(AssetFolder::MAX_SIZE as u64).unwrap();
    assert_eq!(fetch(&rules, "package://robot/big.stl").unwrap().len(), 16 * 1024 * 1024 - 10);
    big.set_len(AssetFolder::MAX_SIZE as u64 + 1).unwrap();
    assert_eq!(refused(&rules, "package://robot/big.stl"), "the file is larger than 16777206 bytes");
    // A hole of a terabyte: looked at, not read.
    big.set_len(1 << 40).unwrap();
    assert_eq!(refused(&rules, "package://robot/big.stl"), "the file is larger than 16777206 bytes");
}

/// Reads a file and, after the first bytes, appends to it.
struct Growing<'a> {
    file: fs::File,
    path: &'a Path,
    more: usize,
}

impl Read for Growing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        let more = std::mem::take(&mut self.more);
        fs::OpenOptions::new().append(true).open(self.path)?.write_all(&vec![b'x'; more])?;
        Ok(read)
    }
}

#[test]
fn a_file_that_grows_while_it_is_read_stays_bounded() {
    let tree = Tree::new();
    let path = tree.path("share/robot.urdf");
    let mut reader = Growing { file: fs::File::open(&path).unwrap(), path: &path, more: 100 };
    assert!(matches!(read_bounded(&mut reader, 8, 50), Err(ReadError::TooLarge)));
    // One that never ends.
    assert!(matches!(read_bounded(&mut io::repeat(b'x'), 8, 1 << 20), Err(ReadError::TooLarge)));
    assert!(matches!(read_bounded(&mut io::repeat(b'x'), u64::MAX, 1 << 20), Err(ReadError::TooLarge)));
    assert_eq!(read_bounded(&mut io::empty(), 8, 50).unwrap(), b"");
}

#[test]
fn a_file_that_changes_while_it_is_read_is_refused() {
    // A file of the kernel that says it is empty and is not: as if it had grown.
    let rules = rules(AssetFolder::new().file_root("/proc/self").any_extension());
    assert_eq!(refused(&rules, "file:///proc/self/stat"), "it was changed while it was read");
}

#[test]
fn extensions_are_an_allow_list() {
    let tree = Tree::new();
    tree.write("share/ARM.STL", "upper");
    tree.write("share/archive.tar.gz", "gz");
    tree.write("share/noextension", "none");
    tree.write("share/.stl", "only a dot");
    let default = rules(tree.folder());
    assert_eq!(fetch(&default, "package://robot/ARM.STL").as_deref(), Ok("upper"));
    let kind = "files of this kind are not served";
    for path in ["notes.txt", "archive.tar.gz", "noextension", ".stl", "gone.txt", "%2estl"] {
        assert_eq!(refused(&default, &format!("package://robot/{path}")), kind, "{path}");
    }
    let own = rules(tree.folder().extensions([".TXT", "gz"]));
    assert_eq!(fetch(&own, "package://robot/notes.txt").as_deref(), Ok("notes"));
    assert_eq!(fetch(&own, "package://robot/archive.tar.gz").as_deref(), Ok("gz"));
    assert_eq!(refused(&own, "package://robot/robot.urdf"), kind);
    let none = rules(tree.folder().extensions([] as [&str; 0]));
    assert_eq!(refused(&none, "package://robot/robot.urdf"), kind);
    let any = rules(tree.folder().any_extension());
    assert_eq!(fetch(&any, "package://robot/noextension").as_deref(), Ok("none"));
}

#[test]
fn viewers_are_never_told_a_path_of_the_robot() {
    let tree = Tree::new();
    symlink(tree.path("secret"), tree.path("share/out")).unwrap();
    let rules = rules(tree.folder().package("missing", tree.path("missing")).max_size(4));
    let root = tree.root.display().to_string();
    for uri in [
        "package://robot/out/key.stl",
        "package://robot/robot.urdf",
        "package://robot/gone.urdf",
        "package://missing/robot.urdf",
        "file:///etc/passwd",
    ] {
        let text = refused(&rules, uri);
        assert!(!text.contains(&root) && !text.contains("/etc"), "{uri}: {text}");
    }
    let Served::Refused(refusal) = rules.serve("package://robot/gone.urdf") else { panic!("served") };
    let detail = refusal.detail.unwrap();
    assert!(detail.contains(&format!("{root}/share/gone.urdf")), "the log has it: {detail}");
}

#[test]
fn folders_that_cannot_work_are_refused_at_once() {
    let error = |folder: AssetFolder| folder.handler().err().map(|error| (error.kind, error.message)).unwrap();
    let invalid = |folder, text: &str| assert_eq!(error(folder), (ErrorKind::InvalidValue, text.to_owned()));
    let folder = || AssetFolder::new().package("robot", "share");
    invalid(AssetFolder::new(), "the asset folder has neither packages nor file roots");
    invalid(folder().max_size(0), "the asset folder's max_size is 0, outside 1 to 16777206");
    invalid(folder().max_size(16777207), "the asset folder's max_size is 16777207, outside 1 to 16777206");
    invalid(folder().package("", "x"), "the asset folder's package name \"\" cannot stand in a URI");
    invalid(folder().package("a/b", "x"), "the asset folder's package name \"a/b\" cannot stand in a URI");
    invalid(folder().package("a", ""), "the asset folder's directory of package a is empty");
    invalid(folder().file_root("srv"), "the asset folder's file root srv is not absolute");
    invalid(folder().extensions(["stl", "."]), "the asset folder's extension \".\" can be that of no file");
    invalid(folder().extensions(["tar.gz"]), "the asset folder's extension \"tar.gz\" can be that of no file");
    let twice = error(folder().package("robot", "elsewhere"));
    assert_eq!(twice, (ErrorKind::Duplicate, "the asset folder has package robot twice".into()));
    assert!(folder().handler().is_ok());
}
