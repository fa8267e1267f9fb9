//! Loads the official LiveKit library and speaks its C surface: four symbols, protobuf bytes in and out.
//!
//! The only `unsafe` code of the room layer. The library is loaded once per process and never closed: its threads
//! outlive every reference to it (livekit-ffi.md 3.4).

use std::ffi::{c_char, CStr};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libloading::os::unix::{self as dl, Library as Dl};
use once_cell::sync::OnceCell;
use prost::Message;

use super::dispatch;
use super::handle::Handle;
use super::messages::{
    encoded_frame_type, video_buffer_type, video_rotation, CaptureEncodedVideoFrameRequest, CaptureVideoFrameRequest,
    ComponentInfo, EncodedVideoBufferInfo, FfiRequest, FfiResponse, FrameMetadata, OwnedVideoBuffer, VideoBufferInfo,
};
use super::search::{self, LibraryError};
use crate::environment::TELELINK_MALLOC_ARENAS;
use crate::room::livekit_common::video::planes;
use crate::room::{EncodedPicture, RoomError, VideoPicture};

/// Receives every event of the library, on the library's own threads; the bytes are valid during the call only.
type Callback = extern "C" fn(*const u8, usize);
type Initialize = unsafe extern "C" fn(Callback, bool, *const c_char, *const c_char);
type Request = unsafe extern "C" fn(*const u8, usize, *mut *const u8, *mut usize) -> u64;
type DropHandle = unsafe extern "C" fn(u64) -> bool;

/// What the LiveKit server is told about the client: the SDK inside the library, and our version.
const SDK: &CStr = c"rust";
const SDK_VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(text) => text,
    Err(_) => panic!("a package version has no NUL"),
};

static LIBRARY: OnceCell<Arc<Library>> = OnceCell::new();

/// How to find the LiveKit library.
#[derive(Debug, Clone, Default)]
pub struct LibraryOptions {
    /// The file. `None`: the environment variables `TELELINK_LIVEKIT_LIBRARY` and `LIVEKIT_LIB_PATH`, then beside the
    /// telelink library and in `telelink/` there, then beside the executable, then the dynamic loader's own search.
    pub path: Option<PathBuf>,
}

impl LibraryOptions {
    /// Whether a person has named the file: by [`path`](Self::path), or by one of the environment variables.
    pub fn is_named(&self) -> bool {
        search::named(self.path.as_deref()).is_some()
    }
}

/// Bounds the number of memory arenas that glibc makes from now on, 1 to 1,024; `false` where there is no glibc.
///
/// glibc gives busy threads an arena each, up to eight per core, and what is freed in one seldom goes back to the system.
/// LiveKit's library has many threads; on a small robot a bound of 1 or 2 saves tens of megabytes (docs/memory.md). Arenas
/// that exist stay, so it belongs before the first session. `TELELINK_MALLOC_ARENAS` in the environment does the same.
pub fn set_malloc_arenas(most: u32) -> bool {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let most = most.clamp(1, 1024) as std::ffi::c_int;
        // SAFETY: changes one number of the allocator, under its own lock.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, most) == 1 }
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    {
        let _ = most;
        false
    }
}

/// [`set_malloc_arenas`], if the environment asks for it.
fn malloc_arenas_of_environment() {
    let Some(text) = TELELINK_MALLOC_ARENAS.text() else { return };
    match text.trim().parse() {
        Ok(most @ 1..=1024) => {
            set_malloc_arenas(most);
        }
        _ => tracing::warn!(target: "telelink::livekit", text, "TELELINK_MALLOC_ARENAS is no number from 1 to 1024"),
    }
}

/// The loaded LiveKit library. One per process, thread-safe, stays loaded until the process ends.
pub struct Library {
    request: Request,
    drop_handle: DropHandle,
    pid: u32,
    path: PathBuf,
    private_copy: bool,
}

impl Library {
    /// Loads the library, or returns the one that is loaded already, unless `options` name another file. Load after
    /// forking: in a child of the process that loaded it every call fails as closed.
    ///
    /// If somebody else in this process has loaded the same file (another LiveKit SDK, a second telelink), a private
    /// copy is loaded instead, because the library keeps one event callback per loaded copy (design.md decision 11).
    pub fn load(options: &LibraryOptions) -> Result<Arc<Self>, LibraryError> {
        let library = LIBRARY.get_or_try_init(|| Self::open_first(options))?;
        match &options.path {
            Some(asked) if !library.is_file(asked) => Err(LibraryError::another(asked.clone(), library.path.clone())),
            _ => Ok(library.clone()),
        }
    }

    /// Whether it was loaded from that file; a plain name was found by the dynamic loader, which knows the file.
    fn is_file(&self, path: &Path) -> bool {
        let found = || file_of(self.request as *const libc::c_void);
        same_file(path, &self.path) || found().is_some_and(|file| same_file(path, &file))
    }

    /// The file that was loaded.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a private copy was loaded because somebody else uses the file in this process.
    pub fn is_private_copy(&self) -> bool {
        self.private_copy
    }

    fn open_first(options: &LibraryOptions) -> Result<Arc<Self>, LibraryError> {
        malloc_arenas_of_environment();
        let mut tried = Vec::new();
        for candidate in
            search::candidates(options.path.as_deref(), file_of(Self::open as *const libc::c_void).as_deref())
        {
            match Self::open(&candidate.path) {
                Ok(library) => return Ok(Arc::new(library)),
                Err(why) => tried.push((candidate, why)),
            }
        }
        Err(LibraryError::new(tried))
    }

    fn open(path: &Path) -> Result<Self, String> {
        let is_plain_name = path.components().count() == 1 && !path.has_root();
        if !is_plain_name && !path.is_file() {
            return Err(if path.exists() { "is not a file".into() } else { "no such file".into() });
        }
        let taken = already_loaded(path);
        let library = if taken { open_private_copy(path)? } else { dlopen(path, dl::RTLD_NOW | dl::RTLD_LOCAL)? };
        let initialize: Initialize = symbol(&library, c"livekit_ffi_initialize")?;
        let request: Request = symbol(&library, c"livekit_ffi_request")?;
        let drop_handle: DropHandle = symbol(&library, c"livekit_ffi_drop_handle")?;
        // Not called, for it takes the callback away from rooms still open; its absence would mean another library.
        let _: unsafe extern "C" fn() = symbol(&library, c"livekit_ffi_dispose")?;
        // Never closed: the function pointers above must stay valid, and the library's threads run on.
        std::mem::forget(library);
        // SAFETY: the symbol has this signature (livekit-ffi.md section 3); both strings are NUL-terminated statics and
        // the callback is a plain function that lives as long as the process.
        unsafe { initialize(on_event, true, SDK.as_ptr(), SDK_VERSION.as_ptr()) };
        Ok(Self { request, drop_handle, pid: std::process::id(), path: path.to_owned(), private_copy: taken })
    }

    /// Whether this process is the one that loaded the library; a forked child has none of its threads.
    fn usable(&self) -> bool {
        std::process::id() == self.pid
    }

    /// Sends one request and decodes the answer. Never blocks on the network: long operations answer by event.
    pub(super) fn request(&self, request: &FfiRequest) -> Result<FfiResponse, RoomError> {
        if !self.usable() {
            return Err(RoomError::Closed);
        }
        let bytes = request.encode_to_vec();
        let mut reply: *const u8 = std::ptr::null();
        let mut reply_len = 0_usize;
        // SAFETY: `bytes` is valid for its length during the call, and both out pointers are valid for writing.
        let handle = unsafe { (self.request)(bytes.as_ptr(), bytes.len(), &mut reply, &mut reply_len) };
        if handle == 0 {
            return Err(RoomError::Transport("the LiveKit library rejected a request".into()));
        }
        let handle = Handle::owning(handle);
        let answer = if reply.is_null() || reply_len == 0 {
            FfiResponse::decode(&[][..])
        } else {
            // SAFETY: the library says that `reply_len` bytes at `reply` are readable until the reply's handle is
            // dropped, which happens below, after decoding has copied them.
            FfiResponse::decode(unsafe { std::slice::from_raw_parts(reply, reply_len) })
        };
        drop(handle);
        answer.map_err(|error| RoomError::Transport(format!("undecodable answer of the LiveKit library: {error}")))
    }
}

impl Library {
    /// Hands a picture to a video source; the library copies it before this returns (livekit-ffi.md 5.4).
    pub(super) fn capture(&self, source: &Handle, picture: &VideoPicture<'_>) -> Result<(), RoomError> {
        let (luma, chroma) = planes(picture)?;
        let width = picture.width as usize;
        let plane = |offset: usize, stride: usize, size: usize| ComponentInfo {
            data_ptr: picture.data[offset..offset + size].as_ptr() as u64,
            stride: stride as u32,
            size: size as u32,
        };
        let buffer = VideoBufferInfo {
            r#type: video_buffer_type::I420,
            width: picture.width,
            height: picture.height,
            data_ptr: picture.data.as_ptr() as u64,
            stride: Some(picture.width),
            components: vec![
                plane(0, width, luma),
                plane(luma, width / 2, chroma),
                plane(luma + chroma, width / 2, chroma),
            ],
        };
        let request = CaptureVideoFrameRequest {
            source_handle: source.id(),
            buffer,
            timestamp_us: picture.timestamp_us,
            rotation: video_rotation::VIDEO_ROTATION_0,
            metadata: metadata(picture.timestamp_us),
        };
        self.request(&FfiRequest { capture_video_frame: Some(request), ..Default::default() }).map(|_| ())
    }

    /// Hands an encoded picture to a source; the library copies it before this returns. Answers whether it took it.
    pub(super) fn capture_encoded(
        &self,
        source: &Handle,
        codec: i32,
        picture: &EncodedPicture<'_>,
    ) -> Result<bool, RoomError> {
        let buffer =
            EncodedVideoBufferInfo { data_ptr: picture.data.as_ptr() as u64, data_len: picture.data.len() as u64 };
        let request = CaptureEncodedVideoFrameRequest {
            source_handle: source.id(),
            buffer,
            codec,
            frame_type: match picture.key_frame {
                true => encoded_frame_type::ENCODED_FRAME_KEY,
                false => encoded_frame_type::ENCODED_FRAME_DELTA,
            },
            width: picture.width,
            height: picture.height,
            timestamp_us: picture.timestamp_us,
            metadata: metadata(picture.timestamp_us),
        };
        let answer = self.request(&FfiRequest { capture_encoded_video_frame: Some(request), ..Default::default() })?;
        Ok(answer.capture_encoded_video_frame.is_some_and(|answer| answer.accepted))
    }
}

/// What travels with a picture: when it was taken, µs since the Unix epoch.
fn metadata(timestamp_us: i64) -> Option<FrameMetadata> {
    u64::try_from(timestamp_us).ok().map(|time| FrameMetadata { user_timestamp: Some(time) })
}

/// Copies a decoded picture out of the library's memory, planes without padding. `None`: not a picture of that layout.
pub(super) fn copy_i420(buffer: &OwnedVideoBuffer) -> Option<Vec<u8>> {
    let info = &buffer.info;
    let (width, height) = (info.width as usize, info.height as usize);
    // A negotiated codec cannot exceed 16 bits per side; more would be garbage.
    if info.r#type != video_buffer_type::I420 || width > 0xffff || height > 0xffff {
        return None;
    }
    let [y, u, v] = info.components.as_slice() else { return None };
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let mut copy = Vec::with_capacity(width * height + 2 * half_width * half_height);
    for (plane, columns, rows) in [(y, width, height), (u, half_width, half_height), (v, half_width, half_height)] {
        let stride = plane.stride as usize;
        if plane.data_ptr == 0 || stride < columns {
            return None;
        }
        let len = stride * rows.checked_sub(1)? + columns;
        if (plane.size as usize) < len {
            return None;
        }
        // SAFETY: the library says that `size` bytes at `data_ptr` are readable until the buffer's handle is dropped; the
        // caller holds the buffer, and `len` is no more than `size`.
        let bytes = unsafe { std::slice::from_raw_parts(plane.data_ptr as *const u8, len) };
        bytes.chunks(stride).for_each(|row| copy.extend_from_slice(&row[..columns]));
    }
    Some(copy)
}

/// The loaded library, for code that runs on behalf of an event: there is none without it.
pub(super) fn current() -> Option<&'static Arc<Library>> {
    LIBRARY.get()
}

/// Drops one handle. Does nothing in a forked child, which shares none of the library's threads.
pub(super) fn drop_handle(id: u64) {
    #[cfg(test)]
    super::test_hooks::record_drop(id);
    let Some(library) = LIBRARY.get().filter(|library| library.usable()) else { return };
    // SAFETY: takes a number and looks it up; an unknown one answers false. The library is never unloaded.
    unsafe { (library.drop_handle)(id) };
}

/// The library's event callback. Nothing may unwind into the library.
extern "C" fn on_event(data: *const u8, len: usize) {
    if data.is_null() || len == 0 {
        return;
    }
    // SAFETY: the library guarantees `len` readable bytes at `data` for the time of this call; nothing keeps them.
    let event = unsafe { std::slice::from_raw_parts(data, len) };
    if panic::catch_unwind(AssertUnwindSafe(|| dispatch::dispatcher().on_event(event))).is_err() {
        dispatch::dispatcher().count_panic();
        tracing::error!(target: "telelink::livekit", "a LiveKit event made its handler panic; the event is lost");
    }
}

fn dlopen(path: &Path, flags: i32) -> Result<Dl, String> {
    // SAFETY: opening runs the file's initializers. The path was named by the user or is our own installation; this is
    // the trust any program puts into the libraries that it links.
    unsafe { Dl::open(Some(path), flags) }.map_err(|error| {
        use std::error::Error as _;
        // libloading's own text says only "dlopen failed"; the loader's reason is its source.
        let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        format!("cannot be loaded: {reason}")
    })
}

fn symbol<T: Copy>(library: &Dl, name: &CStr) -> Result<T, String> {
    // SAFETY: every caller names the type of that symbol as livekit-ffi.md section 3 gives it; the symbol's address is
    // copied out, and the library stays loaded for ever once all symbols were found.
    unsafe { library.get::<T>(name.to_bytes_with_nul()) }
        .map(|symbol| *symbol)
        .map_err(|_| format!("is not the LiveKit library: it has no symbol {}", name.to_string_lossy()))
}

/// Whether somebody has loaded exactly this file into the process before us.
fn already_loaded(path: &Path) -> bool {
    // Dropping the answer gives back the reference that the question took.
    dlopen(path, dl::RTLD_LAZY | libc::RTLD_NOLOAD).is_ok()
}

/// Loads the file's content under another identity, so that the loader makes a second instance of it.
#[cfg(target_os = "linux")]
fn open_private_copy(path: &Path) -> Result<Dl, String> {
    use std::os::fd::{AsRawFd, FromRawFd};

    let file =
        mapped_file(path).ok_or("is loaded by somebody else, and its file cannot be found for a private copy")?;
    // SAFETY: a NUL-terminated name and a flag; the answer is checked before use.
    let fd = unsafe { libc::memfd_create(c"liblivekit_ffi".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        let error = std::io::Error::last_os_error();
        return Err(format!("is loaded by somebody else, and no private copy could be made: {error}"));
    }
    // SAFETY: `fd` was just opened and nobody else owns it.
    let mut copy = unsafe { std::fs::File::from_raw_fd(fd) };
    std::fs::File::open(&file)
        .and_then(|mut source| std::io::copy(&mut source, &mut copy))
        .map_err(|error| format!("is loaded by somebody else, and {} could not be copied: {error}", file.display()))?;
    // The mapping keeps the memory alive after `copy` is closed.
    dlopen(Path::new(&format!("/proc/self/fd/{}", copy.as_raw_fd())), dl::RTLD_NOW | dl::RTLD_LOCAL)
}

#[cfg(not(target_os = "linux"))]
fn open_private_copy(_path: &Path) -> Result<Dl, String> {
    Err("is loaded by somebody else in this process, and private copies are only made on Linux".into())
}

/// The file behind `path`: itself, or for a plain name the mapped file of that name.
#[cfg(target_os = "linux")]
fn mapped_file(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path.to_owned());
    }
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let mapped = maps.lines().filter_map(|line| line.find('/').map(|at| PathBuf::from(&line[at..])));
    mapped.into_iter().find(|file| file.file_name() == path.file_name() && file.is_file())
}

/// The file this code was loaded from: libtelelink.so, or the program if telelink is linked into it.
fn file_of(function: *const libc::c_void) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;

    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: `dladdr` only looks the address up and fills `info`, which is valid for writing.
    if unsafe { libc::dladdr(function, info.as_mut_ptr()) } == 0 {
        return None;
    }
    // SAFETY: all-zero is a valid `Dl_info`, and a call that succeeded has filled it.
    let info = unsafe { info.assume_init() };
    if info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: the loader gives a NUL-terminated name that lives as long as the object, which is never unloaded.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    Path::new(std::ffi::OsStr::from_bytes(name.to_bytes())).canonicalize().ok()
}

/// Whether both paths name one file.
fn same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let id = |path: &Path| path.metadata().map(|file| (file.dev(), file.ino())).ok();
    one == other || id(one).is_some_and(|file| id(other) == Some(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    extern "C" fn request(_: *const u8, _: usize, _: *mut *const u8, _: *mut usize) -> u64 {
        panic!("the library was called");
    }

    extern "C" fn drop_handle(_: u64) -> bool {
        panic!("the library was called");
    }

    #[test]
    fn a_forked_child_never_calls_the_library() {
        let pid = std::process::id() ^ 1;
        let library = Library { request, drop_handle, pid, path: PathBuf::new(), private_copy: false };
        assert_eq!(library.request(&FfiRequest::default()).unwrap_err(), RoomError::Closed);
        assert!(!library.usable());
    }
}
