//! The file: the crate `mcap` behind the few calls that the writing thread needs.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use ::mcap::records::{MessageHeader, Metadata};
use ::mcap::write::NoSeek;
use ::mcap::{Compression, WriteOptions, Writer};
use rustix::fs::{flock, FlockOperation};
use rustix::io::Errno;

use super::track::Track;
use super::{McapCompression, McapError, McapSync, McapWriterOptions};

/// What the crate writes at once besides chunks is small.
const BUFFER: usize = 64 << 10;

/// Name of the metadata record in which the file says what it lacks.
const METADATA: &str = "telelink";

/// A file under construction. Only appended to, and always by whole chunks: what is in it can be read, whatever happens.
pub(super) struct Recording {
    writer: Writer<NoSeek<BufWriter<File>>>,
    /// The same file, for syncing and its size.
    file: File,
    path: String,
    sync: McapSync,
}

impl Recording {
    pub(super) fn create(options: &McapWriterOptions) -> Result<Self, McapError> {
        let path = options.path.display().to_string();
        let file = open(&options.path, options.overwrite).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => McapError::Exists(path.clone()),
            io::ErrorKind::WouldBlock => McapError::InUse(path.clone()),
            _ => io_error("cannot open", &path, &error),
        })?;
        let out = file.try_clone().map_err(|error| io_error("cannot write", &path, &error))?;
        let compression = match options.compression {
            McapCompression::Zstd => Some(Compression::Zstd),
            McapCompression::Lz4 => Some(Compression::Lz4),
            McapCompression::None => None,
        };
        let mut writer = WriteOptions::new()
            .compression(compression)
            // No threads beside this one: a robot's cores have other work.
            .compression_threads(0)
            .profile(options.profile.clone())
            .library(options.library.clone())
            // The writing thread ends chunks, because it has to give each to the operating system.
            .chunk_size(None)
            // With seeking, a chunk's header would be written first and corrected at its end: a process that is killed in
            // between would leave a record that no reader can skip.
            .disable_seeking(true)
            .create(NoSeek::new(BufWriter::with_capacity(BUFFER, out)))
            .map_err(|error| failure(&path, &error))?;
        // The header at once: a disk that takes nothing is told by the call that starts the recording.
        writer.flush().map_err(|error| failure(&path, &error))?;
        Ok(Self { writer, file, path, sync: options.sync })
    }

    pub(super) fn add_track(&mut self, track: &Track) -> Result<(), McapError> {
        let info = &track.info;
        let schema = match &info.schema {
            Some(schema) => self.writer.add_schema(&schema.name, &schema.encoding, &schema.data),
            None => Ok(0),
        };
        schema
            .and_then(|schema| {
                self.writer.add_channel_with_id(track.id, schema, &info.topic, &info.encoding, &info.metadata)
            })
            .map_err(|error| failure(&self.path, &error))?;
        Ok(())
    }

    pub(super) fn write(&mut self, track: u16, sequence: u32, time: u64, payload: &[u8]) -> Result<(), McapError> {
        let header = MessageHeader { channel_id: track, sequence, log_time: time, publish_time: time };
        self.writer.write_to_known_channel(&header, payload).map_err(|error| failure(&self.path, &error))
    }

    /// Ends the chunk under way, if there is one, and gives all of it to the operating system.
    pub(super) fn end_chunk(&mut self) -> Result<(), McapError> {
        self.writer.flush().map_err(|error| failure(&self.path, &error))?;
        if self.sync == McapSync::EachChunk {
            sync_file(&self.file, &self.path)?;
        }
        Ok(())
    }

    /// Bytes written so far.
    pub(super) fn file_bytes(&self) -> u64 {
        size_of(&self.file)
    }

    /// Writes indexes and statistics, and what else there is to say of the whole recording. Returns the file's size.
    pub(super) fn finish(mut self, notes: Vec<(String, String)>) -> Result<u64, McapError> {
        let path = self.path.clone();
        if !notes.is_empty() {
            let metadata = Metadata { name: METADATA.into(), metadata: notes.into_iter().collect() };
            self.writer.write_metadata(&metadata).map_err(|error| failure(&path, &error))?;
        }
        self.writer.finish().map_err(|error| failure(&path, &error))?;
        let Self { writer, file, sync, .. } = self;
        let mut out = writer.into_inner().into_inner();
        out.flush().map_err(|error| io_error("cannot write", &path, &error))?;
        if sync != McapSync::Never {
            sync_file(&file, &path)?;
        }
        unlock(&file);
        Ok(size_of(&file))
    }

    /// Leaves the file as it is: its end is missing, its chunks can be read.
    pub(super) fn abandon(self) {
        unlock(&self.file);
        // Taken apart and not dropped: dropping the crate's writer would try to finish a file that cannot be written.
        drop(self.writer.into_inner().into_inner().into_parts());
    }
}

/// Opens the file and locks it, so that a second writer cannot destroy what this one records. `WouldBlock`: one does.
fn open(path: &Path, overwrite: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true);
    if overwrite {
        options.create(true).truncate(false);
    } else {
        options.create_new(true);
    }
    let file = options.open(path)?;
    // Pipes and devices are nobody's alone, and have no length.
    if file.metadata()?.is_file() {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Err(io::ErrorKind::WouldBlock.into()),
            // A file system without locks records all the same.
            _ => file.set_len(0)?,
        }
    }
    Ok(file)
}

/// Before the file is closed: a process forked meanwhile may hold on to it.
fn unlock(file: &File) {
    let _ = flock(file, FlockOperation::Unlock);
}

/// Data, and no more of the inode than reading the data needs.
fn sync_file(file: &File, path: &str) -> Result<(), McapError> {
    match file.sync_data() {
        // Pipes and devices cannot be synced, and need not be.
        Err(error) if error.kind() != io::ErrorKind::InvalidInput => Err(io_error("cannot sync", path, &error)),
        _ => Ok(()),
    }
}

fn size_of(file: &File) -> u64 {
    file.metadata().map_or(0, |metadata| metadata.len())
}

fn io_error(what: &'static str, path: &str, error: &io::Error) -> McapError {
    McapError::Io { what, path: path.to_owned(), cause: error.to_string() }
}

fn failure(path: &str, error: &::mcap::McapError) -> McapError {
    match error {
        ::mcap::McapError::Io(error) => io_error("cannot write", path, error),
        other => McapError::Io { what: "cannot write", path: path.to_owned(), cause: other.to_string() },
    }
}
