//! `telelink_asset_folder`.

use super::guard::guard;
use super::sized;
use super::status::{telelink_status, Failure};
use super::view::{self, telelink_str};
use crate::session::{AssetFolder, AssetHandler};

/// A package of a telelink_asset_folder.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_asset_package {
    /// Name, as it stands in `package://name/path`.
    pub name: telelink_str,
    /// Folder that the paths lie below, for example the share folder of a ROS package.
    pub directory: telelink_str,
}

/// Serves files of the robot to viewers: `package://` and `file://` URIs below the folders given here. Set up with
/// telelink_asset_folder_init(); it is copied by telelink_session_create().
///
/// Served are regular files only, of at most `max_size` bytes, with an allowed extension, whose real path after all
/// symbolic links lies below the folder that the URI names, or below another one given here. A link that leads elsewhere
/// is refused: the packages of a ROS workspace built with `--symlink-install` are such links, so give the source tree as a
/// file root too. Hard links and bind mounts cannot be told from files, and are served. Parts of the path are
/// percent-decoded once; `.` and `..`, empty parts, separators and control characters inside a part, queries and
/// fragments are refused, plain or encoded.
///
/// The folders need not exist yet. Viewers are told what was wrong without a path of the robot; the log has the path, at
/// most one line per second. A file that changes while it is read is refused.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_asset_folder {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Packages. Default none.
    pub packages: *const telelink_asset_package,
    /// Number of packages.
    pub packages_count: usize,
    /// Folders, absolute paths, below which `file://` URIs are served. Default none.
    pub file_roots: *const telelink_str,
    /// Number of folders.
    pub file_roots_count: usize,
    /// Extensions of files that are served, with or without the dot, without regard to case. Default none: then those of
    /// robot descriptions, meshes, their materials, and images.
    pub extensions: *const telelink_str,
    /// Number of extensions.
    pub extensions_count: usize,
    /// Largest file, bytes: 1 to 16,777,206 (16 MiB - 10), which is the default.
    pub max_size: u64,
    /// 1: serve files whatever their extension. Default 0.
    pub any_extension: u32,
    /// Not used; 0.
    pub reserved: u32,
}

sized_struct!(
    telelink_asset_folder,
    first_size: size_of::<telelink_asset_folder>(),
    defaults: telelink_asset_folder {
        struct_size: size_of::<telelink_asset_folder>(),
        packages: std::ptr::null(),
        packages_count: 0,
        file_roots: std::ptr::null(),
        file_roots_count: 0,
        extensions: std::ptr::null(),
        extensions_count: 0,
        max_size: AssetFolder::MAX_SIZE as u64,
        any_extension: 0,
        reserved: 0,
    },
);

/// The handler of a folder; what the folder does not know goes to `otherwise`. Without a folder, that is the handler.
///
/// # Safety
/// `folder` must be NULL or readable by its size, and so must everything it names.
pub(super) unsafe fn asset_handler(
    folder: *const telelink_asset_folder,
    otherwise: Option<AssetHandler>,
) -> Result<Option<AssetHandler>, Failure> {
    const NAME: &str = "options.asset_folder";
    // SAFETY: the caller's promise.
    let Some(c) = unsafe { sized::read_optional(folder, NAME) }? else { return Ok(otherwise) };
    let mut folder = AssetFolder::new().max_size(usize::try_from(c.max_size).unwrap_or(usize::MAX));
    // SAFETY: the caller's promise, here and for every view below.
    for package in unsafe { view::slice(c.packages, c.packages_count, "options.asset_folder.packages") }? {
        // SAFETY: the caller's promise.
        let (name, directory) = unsafe {
            (
                view::text(package.name, "options.asset_folder.packages.name")?,
                view::text(package.directory, "options.asset_folder.packages.directory")?,
            )
        };
        folder = folder.package(name, directory);
    }
    // SAFETY: the caller's promise.
    for root in unsafe { view::texts(c.file_roots, c.file_roots_count, "options.asset_folder.file_roots") }? {
        folder = folder.file_root(root);
    }
    // SAFETY: the caller's promise.
    let extensions = unsafe { view::texts(c.extensions, c.extensions_count, "options.asset_folder.extensions") }?;
    folder = match (view::flag(c.any_extension, "options.asset_folder.any_extension")?, extensions.is_empty()) {
        (false, true) => folder,
        (false, false) => folder.extensions(extensions),
        (true, true) => folder.any_extension(),
        (true, false) => {
            return Err(Failure::new(
                telelink_status::InvalidValue,
                format!("{NAME} has both extensions and any_extension"),
            ));
        }
    };
    if let Some(handler) = otherwise {
        folder = folder.otherwise(handler);
    }
    Ok(Some(folder.handler()?))
}

/// Fills a folder with the defaults.
///
/// @param folder       Written.
/// @param struct_size  sizeof *folder.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `folder` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_asset_folder_init(
    folder: *mut telelink_asset_folder,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(folder, struct_size, "folder") })
}
