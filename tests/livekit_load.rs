//! Finding and loading the LiveKit library. It is loaded once per process, so each case is a process of its own: this
//! program runs itself once per case. Needs `LIVEKIT_SERVER` and `TELELINK_LIVEKIT_LIBRARY`.

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use support::{required_file, token, within, Server, TokenOptions};
use telelink::room::livekit::{Library, LibraryOptions, LivekitConnector};
use telelink::room::{Connector, JoinErrorKind, JoinRequest, RoomOptions, Secret};

const VARIABLE: &str = "TELELINK_LIVEKIT_LIBRARY";
const OTHER_VARIABLE: &str = "LIVEKIT_LIB_PATH";
const FILE_NAME: &str = "liblivekit_ffi.so";

/// A case: its name, how its process differs, and what it checks there.
struct Case {
    name: &'static str,
    setup: fn(&mut Command, &Path, &Path),
    check: fn(),
}

const CASES: &[Case] = &[
    Case { name: "wrong_paths_are_named_with_reason_and_cure", setup: |_, _, _| (), check: wrong_paths },
    Case {
        name: "a_variable_that_names_nothing_is_an_error",
        setup: |command, _, _| {
            command.env(VARIABLE, "/nowhere/lib.so");
        },
        check: || {
            assert!(LibraryOptions::default().is_named());
            let text = load_error(LibraryOptions::default());
            assert!(text.contains("/nowhere/lib.so (TELELINK_LIVEKIT_LIBRARY): no such file"), "{text}");
            assert!(!text.contains("loader"), "a named file is tried alone: {text}");
        },
    },
    Case {
        name: "the_variable_of_the_python_binding_counts_too",
        setup: |command, _, library| {
            command.env_remove(VARIABLE).env(OTHER_VARIABLE, library);
        },
        check: || loads_from(&PathBuf::from(std::env::var_os(OTHER_VARIABLE).expect("set"))),
    },
    Case {
        name: "the_file_beside_the_program_is_found",
        setup: |command, _, _| {
            command.env_remove(VARIABLE).env_remove(OTHER_VARIABLE);
        },
        check: || loads_from(&std::env::current_exe().expect("a path").with_file_name(FILE_NAME)),
    },
    Case {
        name: "the_folder_telelink_beside_the_program_is_found",
        setup: |command, folder, library| {
            fs::remove_file(folder.join(FILE_NAME)).expect("was there");
            fs::create_dir(folder.join("telelink")).expect("a folder");
            std::os::unix::fs::symlink(library, folder.join("telelink").join(FILE_NAME)).expect("a link");
            command.env_remove(VARIABLE).env_remove(OTHER_VARIABLE);
        },
        check: || loads_from(&std::env::current_exe().expect("a path").with_file_name("telelink").join(FILE_NAME)),
    },
    Case {
        name: "a_library_that_is_nowhere_names_every_place",
        setup: |command, folder, _| {
            fs::remove_file(folder.join(FILE_NAME)).expect("was there");
            command.env_remove(VARIABLE).env_remove(OTHER_VARIABLE);
        },
        check: nowhere,
    },
    Case {
        name: "a_library_in_use_by_somebody_else_is_loaded_as_a_copy",
        setup: |command, _, library| {
            command.env("LD_PRELOAD", library);
        },
        check: private_copy,
    },
    Case {
        name: "no_token_appears_in_logs",
        setup: |command, _, _| {
            command.env("TELELINK_LIVEKIT_LOG", "debug");
        },
        check: logs,
    },
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(name) = arguments.first().and_then(|argument| argument.strip_prefix("--case=")) {
        let case = CASES.iter().find(|case| case.name == name).expect("a case of this program");
        return (case.check)();
    }
    // As the usual harness does: a word selects, flags do not matter here.
    let word = arguments.iter().find(|argument| !argument.starts_with('-')).map_or("", String::as_str);
    let library = required_file(VARIABLE).canonicalize().expect("a path");
    let mut failed = Vec::new();
    for case in CASES.iter().filter(|case| case.name.contains(word)) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{}", case.name, std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for the case");
        // The program under another path, so that what lies beside it is known.
        let program = folder.join("probe");
        fs::hard_link(std::env::current_exe().expect("a path"), &program).expect("a link to this program");
        std::os::unix::fs::symlink(&library, folder.join(FILE_NAME)).expect("a link to the library");
        let mut command = Command::new(&program);
        command.arg(format!("--case={}", case.name)).env_remove("LD_LIBRARY_PATH");
        (case.setup)(&mut command, &folder, &library);
        let good = command.status().expect("the program runs").success();
        println!("test {} ... {}", case.name, if good { "ok" } else { "FAILED" });
        fs::remove_dir_all(&folder).expect("the folder goes");
        if !good {
            failed.push(case.name);
        }
    }
    assert!(failed.is_empty(), "failed: {failed:?}");
}

fn load_error(options: LibraryOptions) -> String {
    match Library::load(&options) {
        Ok(library) => panic!("{} was loaded", library.path().display()),
        Err(error) => error.to_string(),
    }
}

fn loads_from(path: &Path) {
    let library = Library::load(&LibraryOptions::default()).expect("loads");
    assert_eq!(library.path(), path);
    assert!(!library.is_private_copy());
    // Once per process: the same file, under whatever name, or none.
    let real = path.canonicalize().expect("a file");
    for again in [None, Some(path.to_owned()), Some(real)] {
        let again = Library::load(&LibraryOptions { path: again }).expect("is loaded already");
        assert!(Arc::ptr_eq(&library, &again));
    }
    for other in ["/nowhere", "/proc/self/exe"] {
        let text = load_error(LibraryOptions { path: Some(other.into()) });
        assert!(text.contains(other) && text.contains(&format!("has loaded {}", path.display())), "{text}");
        assert!(!text.contains("make tools"), "getting it is no cure: {text}");
    }
}

fn wrong_paths() {
    let folder = std::env::current_exe().expect("a path").parent().expect("a folder").to_owned();
    let text_file = folder.join("text.so");
    fs::write(&text_file, "not a library").expect("a file");
    let libc = fs::read_to_string("/proc/self/maps")
        .expect("/proc")
        .lines()
        .filter_map(|line| line.find('/').map(|at| PathBuf::from(&line[at..])))
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libc.so")))
        .expect("a C library");
    // Under another name, or the one in use would be found.
    let other_library = folder.join("other.so");
    fs::copy(libc, &other_library).expect("a copy of another library");
    for (path, why) in [
        (PathBuf::from("/nowhere/liblivekit_ffi.so"), "no such file"),
        (folder.clone(), "is not a file"),
        (text_file, "cannot be loaded"),
        (other_library, "is not the LiveKit library: it has no symbol livekit_ffi_initialize"),
    ] {
        let text = load_error(LibraryOptions { path: Some(path.clone()) });
        assert!(text.contains(&format!("{} (the library path option): {why}", path.display())), "{text}");
        assert!(text.contains("make tools") && text.contains("pip download"), "{text}");
    }
    // A failed attempt is not the last one.
    Library::load(&LibraryOptions::default()).expect("the right one loads afterwards");
}

fn nowhere() {
    assert!(!LibraryOptions::default().is_named());
    assert!(LibraryOptions { path: Some("/nowhere".into()) }.is_named());
    let error = Library::load(&LibraryOptions::default()).err().expect("there is none");
    let beside = std::env::current_exe().expect("a path");
    let expected =
        [beside.with_file_name(FILE_NAME), beside.with_file_name("telelink").join(FILE_NAME), FILE_NAME.into()];
    assert_eq!(error.paths().collect::<Vec<_>>(), expected.iter().map(PathBuf::as_path).collect::<Vec<_>>());
}

fn request(server: &Server, token: String) -> JoinRequest {
    JoinRequest { url: server.url.clone(), token: Secret::new(token), options: RoomOptions::default() }
}

fn private_copy() {
    let library = Library::load(&LibraryOptions::default()).expect("loads");
    assert!(library.is_private_copy());
    let server = Server::start();
    let connector = LivekitConnector::new(library);
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let token = token("copy", "a", &TokenOptions::default());
        let joined = connector.join(request(&server, token)).await.expect("the copy works");
        assert!(joined.room.stats().await.is_ok());
        within("close", Duration::from_secs(20), joined.room.close()).await;
    });
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logs() {
    let captured = Captured::default();
    let writer = captured.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .init();
    let server = Server::start();
    let connector = LivekitConnector::new(Library::load(&LibraryOptions::default()).expect("loads"));
    let good = token("logs", "a", &TokenOptions::default());
    let expired = token("logs", "a", &TokenOptions { ttl: -3000, ..TokenOptions::default() });
    let garbage = "garbage-token-0123456789".to_owned();
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let joined = connector.join(request(&server, good.clone())).await.expect("joins");
        joined.room.close().await;
        for bad in [&expired, &garbage] {
            let error = connector.join(request(&server, bad.clone())).await.err().expect("refused");
            assert_eq!(error.kind, JoinErrorKind::Unauthorized);
        }
    });
    let text = String::from_utf8_lossy(&captured.0.lock()).into_owned();
    assert!(text.lines().any(|line| line.contains("livekit: ")), "the library's records come through: {text}");
    assert!(!text.contains("SCTP_PACKET"), "no dumps of traffic");
    for secret in [good.as_str(), expired.as_str(), garbage.as_str(), "eyJ", "access_token="] {
        if let Some(at) = text.find(secret) {
            panic!("{secret} appears in {}", text[..at + secret.len()].lines().last().unwrap_or_default());
        }
    }
}
