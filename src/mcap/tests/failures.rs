//! Disks that are slow, full or broken.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::{payloads, read, start, Folder, LIMIT};
use crate::context::Context;
use crate::mcap::*;

/// A listener that remembers what it was told.
#[derive(Default)]
struct Told(Mutex<Vec<McapError>>, Condvar);

impl Told {
    fn wait(&self) -> McapError {
        let mut told = self.0.lock();
        while told.is_empty() {
            assert!(!self.1.wait_for(&mut told, LIMIT).timed_out(), "no error was told");
        }
        told[0].clone()
    }
}

impl McapListener for Told {
    fn on_error(&self, error: &McapError) {
        self.0.lock().push(error.clone());
        self.1.notify_all();
    }
}

#[test]
fn a_disk_that_takes_nothing_is_told_by_start() {
    let options = McapWriterOptions { overwrite: true, ..McapWriterOptions::new("/dev/full") };
    let error = McapWriter::start(&Context::new(), options).unwrap_err();
    assert!(matches!(error, McapError::Io { .. }), "{error}");
    assert!(error.to_string().contains("/dev/full"), "{error}");
}

/// A pipe with a reader that takes as much as the test wants: a disk that is slow, and one that fails.
struct Pipe {
    path: PathBuf,
    reader: std::io::PipeReader,
    /// So that the pipe has a writer for the whole test.
    _writer: std::io::PipeWriter,
}

impl Pipe {
    fn new(folder: &Folder) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        let path = folder.file("pipe");
        // The name by which the kernel lets a pipe be opened once more.
        std::os::unix::fs::symlink(format!("/proc/{}/fd/{}", std::process::id(), writer.as_raw_fd()), &path).unwrap();
        Self { path, reader, _writer: writer }
    }
}

#[test]
fn a_slow_disk_makes_log_drop_and_never_wait() {
    let (folder, context) = (Folder::new(), Context::new());
    let Pipe { path, mut reader, _writer } = Pipe::new(&folder);
    let channel = context.channel("/a").open().unwrap();
    let options = McapWriterOptions {
        overwrite: true,
        compression: McapCompression::None,
        chunk_size: 1024,
        queue_messages: 16,
        queue_bytes: 1 << 20,
        ..McapWriterOptions::new(&path)
    };
    let writer = McapWriter::start(&context, options).unwrap();
    // Nobody reads: the pipe fills, then the queue.
    let mut logged = 0u64;
    while writer.stats().dropped_messages < 5 {
        logged += 1;
        channel.log_at(&[7; 16_000], logged).unwrap();
        assert!(logged < 1_000_000, "nothing is dropped");
    }
    let stats = writer.stats();
    assert!(stats.queued_messages <= 16 && stats.queued_bytes <= 1 << 20, "{stats:?}");
    assert_eq!(stats.messages + stats.dropped_messages, logged);
    assert_eq!(writer.flush(Duration::from_millis(1)), Err(McapError::Timeout));
    assert_eq!(writer.close(Duration::from_millis(1)), Err(McapError::Timeout));
    assert_eq!(writer.stats().status, McapStatus::Closing);
    // Now somebody reads.
    let reading = std::thread::spawn(move || {
        let (mut all, mut piece) = (Vec::new(), vec![0; 1 << 16]);
        while !all.ends_with(::mcap::MAGIC) || all.len() < 100 {
            let n = reader.read(&mut piece).unwrap();
            all.extend_from_slice(&piece[..n]);
        }
        all
    });
    writer.close(LIMIT).unwrap();
    let bytes = reading.join().unwrap();
    let messages: Vec<_> = ::mcap::MessageStream::new(&bytes).unwrap().map(|m| m.unwrap()).collect();
    let stats = writer.stats();
    assert_eq!(messages.len() as u64, stats.messages);
    // The dropped ones are gaps in the sequence, and the file says how many there are.
    assert!(messages.iter().all(|m| u64::from(m.sequence) + 1 == m.log_time), "sequence numbers count every message");
    let summary = ::mcap::Summary::read(&bytes).unwrap().unwrap();
    let index = summary.metadata_indexes.iter().find(|index| index.name == "telelink").expect("a metadata record");
    let metadata = ::mcap::read::metadata(&bytes, index).unwrap().metadata;
    assert_eq!(metadata["dropped_messages"], stats.dropped_messages.to_string());
    assert_eq!(metadata["dropped_messages 0 /a"], stats.dropped_messages.to_string());
    assert_eq!(writer.channel_stats(&channel).unwrap().dropped_messages, stats.dropped_messages);
}

#[test]
fn a_message_larger_than_the_queue_is_dropped_alone() {
    let (folder, context) = (Folder::new(), Context::new());
    let path = folder.file("a.mcap");
    let channel = context.channel("/a").open().unwrap();
    let options = McapWriterOptions { queue_bytes: 64 << 10, ..McapWriterOptions::new(&path) };
    let writer = McapWriter::start(&context, options).unwrap();
    channel.log_at(&vec![0; (64 << 10) + 1], 1).unwrap();
    channel.log_at(&vec![0; 64 << 10], 2).unwrap();
    writer.close(LIMIT).unwrap();
    let messages = read(&path);
    assert_eq!(messages.iter().map(|m| (m.log_time, m.sequence)).collect::<Vec<_>>(), [(2, 1)]);
    assert_eq!(writer.stats().dropped_messages, 1);
}

#[test]
fn a_failing_disk_ends_the_recording_and_nothing_else() {
    let (folder, context) = (Folder::new(), Context::new());
    let channel = context.channel("/a").open().unwrap();
    let told = Arc::<Told>::default();
    let Pipe { path, reader, _writer } = Pipe::new(&folder);
    let options = McapWriterOptions { overwrite: true, listener: Some(told.clone()), ..McapWriterOptions::new(&path) };
    let writer = McapWriter::start(&context, options).unwrap();
    let good = start(&context, &folder.file("good.mcap"));
    channel.log_at(b"1", 1).unwrap();
    writer.flush(LIMIT).unwrap();
    // Nobody will ever read that pipe again: EPIPE.
    drop(reader);
    channel.log_at(b"2", 2).unwrap();
    let error = writer.flush(LIMIT).unwrap_err();
    assert!(matches!(&error, McapError::Io { cause, .. } if cause.contains("pipe")), "{error:?}");
    assert_eq!((told.wait(), writer.last_error()), (error.clone(), Some(error.clone())));
    assert_eq!(writer.stats().status, McapStatus::Failed);
    // The robot goes on, and so does the other recording.
    channel.log_at(b"3", 3).unwrap();
    assert_eq!(writer.close(LIMIT), Err(error));
    good.close(LIMIT).unwrap();
    assert_eq!(payloads(&read(&folder.file("good.mcap"))).len(), 3);
    assert!(!channel.is_wanted());
    drop(writer);
    assert_eq!(told.0.lock().len(), 1, "told once");
    assert_eq!(Arc::strong_count(&told), 1, "the listener is let go");
}
