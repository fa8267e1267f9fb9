//! A ready-made asset handler: files below given folders (S-216 to S-219).
//!
//! `uri`: what a viewer's URI names. `file`: opening and reading it.

mod file;
#[cfg(test)]
mod tests;
mod uri;

use std::fmt;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::asset::{AssetHandler, AssetRequest, AssetResponder, MAX_ASSET};
use super::{Error, ErrorKind};
use crate::throttle::Throttle;

/// What is served unless the application says otherwise: robot descriptions, meshes and their materials, images.
const EXTENSIONS: &[&str] = &[
    "urdf", "xacro", "srdf", "sdf", "world", "dae", "stl", "obj", "mtl", "ply", "pcd", "fbx", "3ds", "gltf", "glb",
    "bin", "usd", "usda", "usdc", "usdz", "png", "jpg", "jpeg", "webp", "gif", "bmp", "tga", "tif", "tiff", "svg",
    "hdr", "exr", "dds", "ktx", "ktx2",
];

/// At most one line of the log per handler in this time: viewers cause them.
const LOG_PERIOD: Duration = Duration::from_secs(1);

/// Serves files of the robot to viewers: `package://` and `file://` URIs below the folders that it is given.
///
/// ```
/// use telelink::session::{AssetFolder, SessionOptions};
///
/// let folder = AssetFolder::new()
///     .package("my_robot", "/opt/my_robot/share") // package://my_robot/meshes/arm.stl
///     .file_root("/srv/meshes"); //                  file:///srv/meshes/tool.glb
/// let options = SessionOptions { asset_handler: Some(folder.handler()?), ..SessionOptions::default() };
/// # Ok::<(), telelink::session::Error>(())
/// ```
///
/// What leaves the robot:
/// - Regular files only, of at most [`max_size`](Self::max_size) bytes, with one of the [`extensions`](Self::extensions).
/// - Files whose real path, after all symbolic links, lies below the folder that the URI names, or below another one of
///   this object. A link that leads elsewhere is refused. The packages of a ROS workspace built with
///   `--symlink-install` are such links: give the source tree as a [`file_root`](Self::file_root) too. Hard links and
///   bind mounts cannot be told from files, and are served.
/// - Parts of the path are percent-decoded once; `.` and `..`, empty parts, separators and control characters inside a
///   part, queries and fragments are refused, plain or encoded.
///
/// The folders need not exist yet: they are looked up for every request. Viewers are told what was wrong without a path of
/// the robot; the log has the path, at most one line per second. A file that changes while it is read is refused, so that
/// no viewer gets half of the old one and half of the new one.
///
/// A request reads its file on a handler thread, at once and whole; up to 32 of a session read at the same time.
#[derive(Clone)]
pub struct AssetFolder {
    packages: Vec<(String, PathBuf)>,
    file_roots: Vec<PathBuf>,
    max_size: usize,
    /// `None`: any.
    extensions: Option<Vec<String>>,
    otherwise: Option<AssetHandler>,
}

impl AssetFolder {
    /// Largest file that can be served, bytes: what fits into one frame to a viewer (S-219).
    pub const MAX_SIZE: usize = MAX_ASSET;

    /// Serves nothing yet.
    pub fn new() -> Self {
        Self {
            packages: Vec::new(),
            file_roots: Vec::new(),
            max_size: Self::MAX_SIZE,
            extensions: Some(EXTENSIONS.iter().map(|&extension| extension.to_owned()).collect()),
            otherwise: None,
        }
    }

    /// Serves `package://name/…` from `directory`, for example the share folder of a ROS package. Names are compared as
    /// they are, with case.
    pub fn package(mut self, name: impl Into<String>, directory: impl Into<PathBuf>) -> Self {
        self.packages.push((name.into(), directory.into()));
        self
    }

    /// Serves `file://` URIs below `directory`, which must be absolute.
    pub fn file_root(mut self, directory: impl Into<PathBuf>) -> Self {
        self.file_roots.push(directory.into());
        self
    }

    /// Refuses files of more than `bytes`: 1 to [`MAX_SIZE`](Self::MAX_SIZE), which is the default.
    pub fn max_size(mut self, bytes: usize) -> Self {
        self.max_size = bytes;
        self
    }

    /// Serves files with these extensions only, instead of the default ones (robot descriptions, meshes and their
    /// materials, images). Without regard to case, with or without the dot; what follows the last dot of a name counts.
    pub fn extensions<T: Into<String>>(mut self, extensions: impl IntoIterator<Item = T>) -> Self {
        self.extensions = Some(extensions.into_iter().map(Into::into).collect());
        self
    }

    /// Serves files whatever their extension.
    pub fn any_extension(mut self) -> Self {
        self.extensions = None;
        self
    }

    /// Gives requests for other schemes and packages, and for files below no root, to `handler`. Default: they are
    /// refused.
    pub fn otherwise(mut self, handler: AssetHandler) -> Self {
        self.otherwise = Some(handler);
        self
    }

    /// The handler, for [`SessionOptions::asset_handler`](super::SessionOptions::asset_handler).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidValue`] for a folder that could never serve anything and for values out of range,
    /// [`ErrorKind::Duplicate`] for a package named twice. The message names it.
    pub fn handler(self) -> Result<AssetHandler, Error> {
        let (rules, otherwise) = self.rules()?;
        let throttle = Mutex::<Throttle>::default();
        Ok(Arc::new(move |request: AssetRequest, responder: AssetResponder| {
            let refusal = match rules.serve(&request.uri) {
                Served::Data(data) => return answered(responder.respond(data)),
                Served::NotMine(refusal) => match &otherwise {
                    Some(handler) => return handler(request, responder),
                    None => refusal,
                },
                Served::Refused(refusal) => refusal,
            };
            warn(&throttle, &request, &refusal);
            answered(responder.fail(refusal.text));
        }))
    }

    fn rules(self) -> Result<(Rules, Option<AssetHandler>), Error> {
        let invalid = |text: String| Err(Error::new(ErrorKind::InvalidValue, text));
        if self.packages.is_empty() && self.file_roots.is_empty() {
            return invalid("the asset folder has neither packages nor file roots".into());
        }
        if !(1..=Self::MAX_SIZE).contains(&self.max_size) {
            return invalid(format!(
                "the asset folder's max_size is {}, outside 1 to {}",
                self.max_size,
                Self::MAX_SIZE
            ));
        }
        let mut packages: Vec<(String, PathBuf)> = Vec::with_capacity(self.packages.len());
        for (name, directory) in self.packages {
            if name.is_empty() || name.contains(['/', '\\', '%', '?', '#']) || name.chars().any(char::is_control) {
                return invalid(format!("the asset folder's package name {name:?} cannot stand in a URI"));
            }
            if packages.iter().any(|(earlier, _)| *earlier == name) {
                return Err(Error::new(ErrorKind::Duplicate, format!("the asset folder has package {name} twice")));
            }
            // Made absolute now: a later change of the working directory must not change what is served.
            let Ok(directory) = std::path::absolute(&directory) else {
                return invalid(format!("the asset folder's directory of package {name} is empty"));
            };
            packages.push((name, directory));
        }
        if let Some(relative) = self.file_roots.iter().find(|root| !root.is_absolute()) {
            return invalid(format!("the asset folder's file root {} is not absolute", relative.display()));
        }
        let mut extensions = self.extensions;
        for extension in extensions.iter_mut().flatten() {
            let plain = extension.strip_prefix('.').unwrap_or(extension).to_owned();
            if plain.is_empty() || plain.contains(['.', '/']) {
                return invalid(format!("the asset folder's extension {extension:?} can be that of no file"));
            }
            *extension = plain;
        }
        for directory in packages.iter().map(|(_, directory)| directory).chain(&self.file_roots) {
            if !directory.is_dir() {
                tracing::warn!(directory = %directory.display(), "a directory of the asset folder is not there (yet)");
            }
        }
        let rules = Rules { packages, file_roots: self.file_roots, max_size: self.max_size, extensions };
        Ok((rules, self.otherwise))
    }
}

impl Default for AssetFolder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for AssetFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssetFolder")
            .field("packages", &self.packages)
            .field("file_roots", &self.file_roots)
            .field("max_size", &self.max_size)
            .field("extensions", &self.extensions)
            .field("otherwise", &self.otherwise.is_some())
            .finish()
    }
}

/// What may be served; checked.
struct Rules {
    packages: Vec<(String, PathBuf)>,
    file_roots: Vec<PathBuf>,
    max_size: usize,
    extensions: Option<Vec<String>>,
}

/// What became of a request.
enum Served {
    Data(Vec<u8>),
    Refused(Refusal),
    /// None of the folders is meant.
    NotMine(Refusal),
}

/// Why a request is refused.
#[derive(Debug)]
struct Refusal {
    /// For the viewer: no path of the robot.
    text: String,
    /// For the log.
    detail: Option<String>,
}

impl Refusal {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), detail: None }
    }

    fn io(text: &str, path: &Path, error: &io::Error) -> Self {
        Self { text: text.into(), detail: Some(format!("{}: {error}", path.display())) }
    }
}

impl Rules {
    fn serve(&self, uri: &str) -> Served {
        let served = match uri::address(uri) {
            Some(uri::Address::Package { name, path }) => {
                let Some((_, root)) = self.packages.iter().find(|(package, _)| package == name) else {
                    return Served::NotMine(Refusal::new("the robot serves no package of that name"));
                };
                uri::segments(uri, path).map(|segments| (root.clone(), segments))
            }
            Some(uri::Address::File { path }) if !self.file_roots.is_empty() => match uri::segments(uri, path) {
                Ok(segments) => match self.root_of(&segments) {
                    Some((root, inside)) => Ok((root, inside)),
                    None => return Served::NotMine(Refusal::new("the robot serves no files of that folder")),
                },
                Err(refusal) => Err(refusal),
            },
            Some(uri::Address::File { .. }) => {
                return Served::NotMine(Refusal::new("the robot serves no file:// URIs"));
            }
            None => return Served::NotMine(Refusal::new("the robot serves no URIs of this kind")),
        };
        match served.and_then(|(root, segments)| self.read(&root, &segments)) {
            Ok(data) => Served::Data(data),
            Err(refusal) => Served::Refused(refusal),
        }
    }

    fn read(&self, root: &Path, segments: &[String]) -> Result<Vec<u8>, Refusal> {
        let Some(name) = segments.last() else {
            return Err(Refusal::new("the URI names a folder, not a file"));
        };
        if !self.allow_extension(Path::new(name)) {
            return Err(Refusal::new("files of this kind are not served"));
        }
        file::read(self, root, segments)
    }

    /// The file root that a path lies below by its names alone, and the rest of the path. Paths below no root are not
    /// looked up, so that nobody can ask which files exist there.
    fn root_of(&self, segments: &[String]) -> Option<(PathBuf, Vec<String>)> {
        let below = |root: &Path| {
            let mut rest = segments.iter();
            for part in root.components() {
                match part {
                    Component::RootDir => {}
                    Component::Normal(name) if rest.next().is_some_and(|segment| name == segment.as_str()) => {}
                    _ => return None,
                }
            }
            Some((root.to_owned(), rest.cloned().collect()))
        };
        // A root that is a link may be meant by its real path as well.
        self.file_roots.iter().find_map(|root| below(root).or_else(|| below(&root.canonicalize().ok()?)))
    }

    /// Whether a real path lies below `root`, which is one too, or below another folder of these rules.
    fn allow(&self, root: &Path, real: &Path) -> bool {
        let others = self.packages.iter().map(|(_, directory)| directory).chain(&self.file_roots);
        real.starts_with(root)
            || others.filter_map(|other| other.canonicalize().ok()).any(|other| real.starts_with(other))
    }

    fn allow_extension(&self, path: &Path) -> bool {
        let Some(allowed) = &self.extensions else { return true };
        let extension = path.extension().unwrap_or_default();
        allowed.iter().any(|allowed| extension.eq_ignore_ascii_case(allowed))
    }
}

/// The answer of a responder that has just come: nobody can have used it before.
fn answered(result: Result<(), Error>) {
    if let Err(error) = result {
        tracing::error!(%error, "an asset request was answered before its handler ran");
    }
}

/// Tells the log of a refusal, unless another was told of a moment ago: viewers cause them.
fn warn(throttle: &Mutex<Throttle>, request: &AssetRequest, refusal: &Refusal) {
    let Some(count) = throttle.lock().pass(1, LOG_PERIOD, Instant::now()) else { return };
    let uri: String = request.uri.chars().take(200).collect();
    let (client, reason, detail) = (request.client.id, &refusal.text, refusal.detail.as_deref().unwrap_or_default());
    tracing::warn!(%client, ?uri, reason, detail, count, "an asset was refused");
}
