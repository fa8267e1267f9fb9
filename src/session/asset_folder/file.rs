//! Opening a file below a root so that nothing outside can be read, and reading it within bounds.
//!
//! The file is opened twice. The first handle (`O_PATH`) touches nothing: it neither waits for a FIFO's writer nor wakes
//! a device, and it pins one inode, whatever happens to the path meanwhile. The real path and the kind of that inode are
//! checked, and then the very same inode is opened for reading, through `/proc/self/fd`. So there is no moment between
//! the check and the reading in which somebody could put a link in the way. Without `/proc` nothing is served.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Refusal, Rules};

/// How to open a file without touching it.
#[cfg(any(target_os = "linux", target_os = "android"))]
const PIN: i32 = libc::O_PATH | libc::O_NOFOLLOW;
/// Other systems have no `/proc/self/fd` either and serve nothing; at least nobody waits.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const PIN: i32 = libc::O_NONBLOCK | libc::O_NOFOLLOW;

/// Reads the file that `segments` lead to from `root`.
pub(super) fn read(rules: &Rules, root: &Path, segments: &[String]) -> Result<Vec<u8>, Refusal> {
    let root =
        root.canonicalize().map_err(|error| Refusal::io("the folder it would be in is not there", root, &error))?;
    let path = resolve(rules, &root, segments)?;
    let handle = open(&path, PIN).map_err(|error| unreadable(&path, &error))?;
    let link = PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()));
    let real = std::fs::read_link(&link).map_err(|error| Refusal::io("it cannot be checked", &path, &error))?;
    if !rules.allow(&root, &real) {
        return Err(outside(&real));
    }
    if !rules.allow_extension(&real) {
        return Err(Refusal::new("files of this kind are not served"));
    }
    let is_file = |metadata: &Metadata| match metadata {
        m if m.is_file() => Ok(()),
        m if m.is_dir() => Err(Refusal::new("it is a folder, not a file")),
        _ => Err(Refusal::new("it is not a regular file")),
    };
    is_file(&handle.metadata().map_err(|error| unreadable(&real, &error))?)?;
    // O_NONBLOCK: a lease that another process holds on the file is not waited for.
    let mut file = open(&link, libc::O_NONBLOCK | libc::O_NOCTTY).map_err(|error| unreadable(&real, &error))?;
    let before = file.metadata().map_err(|error| unreadable(&real, &error))?;
    let data = read_bounded(&mut file, before.len(), rules.max_size).map_err(|error| match error {
        ReadError::TooLarge => too_large(rules.max_size),
        ReadError::Io(error) => unreadable(&real, &error),
    })?;
    let after = file.metadata().map_err(|error| unreadable(&real, &error))?;
    if stamp(&before) != stamp(&after) || after.len() != data.len() as u64 {
        return Err(Refusal::new("it was changed while it was read"));
    }
    Ok(data)
}

/// Follows the links of the path part by part, so that a link out of the root is refused before anything behind it is
/// looked at: the answer must not tell what exists there.
fn resolve(rules: &Rules, root: &Path, segments: &[String]) -> Result<PathBuf, Refusal> {
    let mut path = root.to_owned();
    for segment in segments {
        path.push(segment);
        path = path.canonicalize().map_err(|error| unreadable(&path, &error))?;
        if !rules.allow(root, &path) {
            return Err(outside(&path));
        }
    }
    Ok(path)
}

fn open(path: &Path, flags: i32) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// What changes when a file is written to.
fn stamp(metadata: &Metadata) -> (u64, i64, i64) {
    (metadata.len(), metadata.mtime(), metadata.mtime_nsec())
}

/// Why reading ended.
#[derive(Debug)]
pub(super) enum ReadError {
    TooLarge,
    Io(io::Error),
}

/// Everything there is to read, if that is not more than `max` bytes. `expected` is the size that the file says it has;
/// it can grow while it is read.
pub(super) fn read_bounded(reader: &mut impl Read, expected: u64, max: usize) -> Result<Vec<u8>, ReadError> {
    let expected = usize::try_from(expected).ok().filter(|size| *size <= max).ok_or(ReadError::TooLarge)?;
    let mut data = Vec::new();
    // One more, so that the end is seen without growing. A robot short of memory refuses and lives on.
    data.try_reserve_exact(expected + 1).map_err(|_| ReadError::Io(ErrorKind::OutOfMemory.into()))?;
    reader.take(max as u64 + 1).read_to_end(&mut data).map_err(ReadError::Io)?;
    if data.len() > max {
        return Err(ReadError::TooLarge);
    }
    Ok(data)
}

fn too_large(max: usize) -> Refusal {
    Refusal::new(format!("the file is larger than {max} bytes"))
}

fn outside(path: &Path) -> Refusal {
    Refusal {
        detail: Some(format!("it leads to {}", path.display())),
        ..Refusal::new("a link leads out of the folder")
    }
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Refusal {
    let text = match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename => "there is no such file",
        ErrorKind::PermissionDenied => "the robot may not read the file",
        _ => "the file cannot be read",
    };
    Refusal::io(text, path, error)
}
