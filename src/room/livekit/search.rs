//! Where the LiveKit library may be, and what to tell people when it is nowhere.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::environment::{Variable, LIVEKIT_LIB_PATH, TELELINK_LIVEKIT_LIBRARY};

/// File name of the LiveKit library on this system.
pub(super) const FILE_NAME: &str = if cfg!(target_os = "macos") {
    "liblivekit_ffi.dylib"
} else if cfg!(windows) {
    "livekit_ffi.dll"
} else {
    "liblivekit_ffi.so"
};

/// Our own environment variable, and the one LiveKit's Python binding reads.
const VARIABLES: [Variable; 2] = [TELELINK_LIVEKIT_LIBRARY, LIVEKIT_LIB_PATH];

/// The origin of a path that the options name.
const OPTION: &str = "the library path option";

/// How to get the file; the version is the one messages.rs is checked against.
const HOW_TO_GET: &str =
    "Copy lib/telelink/liblivekit_ffi.so of telelink's archive or package beside the program, get it with `make tools` in \
     the telelink checkout, or take livekit/rtc/resources/ out of the wheel that \
     `pip download --no-deps --only-binary=:all: livekit==1.2.1` fetches; a file elsewhere is named in \
     TELELINK_LIVEKIT_LIBRARY";

/// One place to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// What to open; a plain file name is left to the dynamic loader's own search.
    pub(super) path: PathBuf,
    /// Why it is tried.
    pub(super) origin: &'static str,
}

/// The place that a person named, if any: the option, then the variables.
pub(super) fn named(explicit: Option<&Path>) -> Option<Candidate> {
    if let Some(path) = explicit {
        return Some(Candidate { path: path.to_owned(), origin: OPTION });
    }
    VARIABLES.into_iter().find_map(|variable| Some(Candidate { path: variable.raw()?.into(), origin: variable.name() }))
}

/// The places to try, in order.
///
/// A place that a person named (the option, or one of the variables) is tried alone: if it is wrong, loading
/// something else instead would hide the mistake.
pub(super) fn candidates(explicit: Option<&Path>, own_file: Option<&Path>) -> Vec<Candidate> {
    if let Some(candidate) = named(explicit) {
        return vec![candidate];
    }
    let mut list = Vec::new();
    if let Some(dir) = own_file.and_then(Path::parent) {
        list.push(Candidate { path: dir.join(FILE_NAME), origin: "beside the telelink library" });
        list.push(Candidate { path: dir.join("telelink").join(FILE_NAME), origin: "beside the telelink library" });
    }
    if let Some(dir) = std::env::current_exe().ok().as_deref().and_then(Path::parent) {
        list.push(Candidate { path: dir.join(FILE_NAME), origin: "beside the executable" });
    }
    list.push(Candidate { path: FILE_NAME.into(), origin: "the dynamic loader's own search" });
    // A program linked with the static library is its own "telelink library": one place, one line.
    let mut seen = Vec::new();
    list.retain(|candidate| {
        let new = !seen.contains(&candidate.path);
        seen.push(candidate.path.clone());
        new
    });
    list
}

/// The LiveKit library could not be loaded. The text names every path tried, why each failed, and how to get the file.
#[derive(Debug, Clone)]
pub struct LibraryError {
    tried: Vec<(Candidate, String)>,
    /// The file that the process has loaded already, when another was asked for.
    loaded: Option<PathBuf>,
}

impl LibraryError {
    pub(super) fn new(tried: Vec<(Candidate, String)>) -> Self {
        Self { tried, loaded: None }
    }

    /// Another file than the one that is loaded was asked for.
    pub(super) fn another(asked: PathBuf, loaded: PathBuf) -> Self {
        let candidate = Candidate { path: asked, origin: OPTION };
        Self { tried: vec![(candidate, "another one is loaded".into())], loaded: Some(loaded) }
    }

    /// The paths that were tried, in order.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.tried.iter().map(|(candidate, _)| candidate.path.as_path())
    }
}

impl fmt::Display for LibraryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the LiveKit library could not be loaded. Tried: ")?;
        for (index, (candidate, why)) in self.tried.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{} ({}): {why}", candidate.path.display(), candidate.origin)?;
        }
        match &self.loaded {
            Some(path) => write!(f, ". This process has loaded {}, and can have one only", path.display()),
            None => write!(f, ". {HOW_TO_GET}"),
        }
    }
}

impl std::error::Error for LibraryError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explicit_path_is_tried_alone() {
        let list = candidates(Some(Path::new("/opt/x.so")), Some(Path::new("/usr/lib/libtelelink.so")));
        assert_eq!(list.len(), 1);
        assert_eq!(list[0].path, Path::new("/opt/x.so"));
    }

    #[test]
    fn the_error_names_paths_reasons_and_the_cure() {
        let candidate = Candidate { path: "/opt/x.so".into(), origin: "the library path option" };
        let text = LibraryError::new(vec![(candidate, "no such file".into())]).to_string();
        assert!(text.contains("/opt/x.so (the library path option): no such file"), "{text}");
        assert!(["lib/telelink/", "pip download", "make tools"].iter().all(|cure| text.contains(cure)), "{text}");
    }
}
