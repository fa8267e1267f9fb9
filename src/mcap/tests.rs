//! Recordings, read back.

mod failures;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::context::{Channel, Context, Schema, VideoFormat, VideoImage, VideoSourceKind, VideoSourceOptions};

use super::*;

const LIMIT: Duration = Duration::from_secs(20);

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("telelink-mcap-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn start(context: &Context, path: &Path) -> McapWriter {
    McapWriter::start(context, McapWriterOptions::new(path)).unwrap()
}

/// Every message of a file, whose end, CRCs and indexes are checked too.
fn read(path: &Path) -> Vec<::mcap::Message<'static>> {
    let bytes = std::fs::read(path).unwrap();
    let messages: Vec<_> = ::mcap::MessageStream::new(&bytes).unwrap().map(|m| m.unwrap()).collect();
    let summary = ::mcap::Summary::read(&bytes).unwrap().expect("a summary");
    assert_eq!(summary.stats.as_ref().expect("statistics").message_count, messages.len() as u64);
    let indexes = |chunk| summary.read_message_indexes(&bytes, chunk).unwrap();
    let indexed: usize = summary.chunk_indexes.iter().flat_map(indexes).map(|(_, entries)| entries.len()).sum();
    assert_eq!(indexed, messages.len(), "every message is in an index");
    messages
}

fn payloads(messages: &[::mcap::Message<'_>]) -> Vec<(String, u64, u32, Vec<u8>)> {
    messages.iter().map(|m| (m.channel.topic.clone(), m.log_time, m.sequence, m.data.to_vec())).collect()
}

fn json(context: &Context, topic: &str, schema: &str) -> Channel {
    let schema =
        Schema { name: "t".into(), encoding: "jsonschema".into(), data: Bytes::copy_from_slice(schema.as_bytes()) };
    context.channel(topic).encoding("json").schema(schema).metadata("unit", "V").open().unwrap()
}

#[test]
fn what_is_logged_is_in_the_file_with_all_that_describes_it() {
    for compression in [McapCompression::Zstd, McapCompression::Lz4, McapCompression::None] {
        let (folder, context) = (Folder::new(), Context::new());
        let before = json(&context, "/before", "{}");
        let path = folder.file("a.mcap");
        let options = McapWriterOptions { compression, profile: "ros2".into(), ..McapWriterOptions::new(&path) };
        let writer = McapWriter::start(&context, options).unwrap();
        assert!(before.is_wanted(), "recorded channels are wanted");
        let bare = context.channel("/bare").open().unwrap();
        before.log_at(b"{}", 5).unwrap();
        bare.log_at(b"", 7).unwrap();
        before.log_at(&[b'x'; 100_000], 6).unwrap();
        writer.close(LIMIT).unwrap();
        before.log_at(b"late", 8).unwrap();
        assert!(!before.is_wanted(), "nobody wants messages any more");

        let messages = read(&path);
        let expected =
            [("/before", 5, 0, b"{}".to_vec()), ("/bare", 7, 0, vec![]), ("/before", 6, 1, vec![b'x'; 100_000])];
        assert_eq!(payloads(&messages), expected.map(|(t, time, n, data)| (t.to_owned(), time, n, data)));
        assert_eq!(messages[0].publish_time, 5);
        let channel = &messages[0].channel;
        let schema = channel.schema.as_ref().expect("a schema");
        assert_eq!(
            (channel.message_encoding.as_str(), schema.name.as_str(), schema.encoding.as_str(), &*schema.data),
            ("json", "t", "jsonschema", &b"{}"[..])
        );
        assert_eq!(channel.metadata, BTreeMap::from([("unit".to_owned(), "V".to_owned())]));
        assert!(messages[1].channel.schema.is_none());

        let bytes = std::fs::read(&path).unwrap();
        let Some(Ok(::mcap::records::Record::Header(header))) = ::mcap::read::LinearReader::new(&bytes).unwrap().next()
        else {
            panic!("no header")
        };
        assert_eq!(header.profile, "ros2");
        assert!(header.library.starts_with("telelink "));
        let stats = writer.stats();
        assert_eq!((stats.status, stats.messages, stats.written_messages), (McapStatus::Closed, 3, 3));
        assert_eq!((stats.channels, stats.bytes, stats.dropped_messages), (2, 100_002, 0));
        assert_eq!(stats.file_bytes, bytes.len() as u64);
    }
}

#[test]
fn channels_that_come_and_go_are_one_channel_of_the_file_while_they_are_equal() {
    let (folder, context) = (Folder::new(), Context::new());
    let path = folder.file("a.mcap");
    let writer = start(&context, &path);
    for (schema, time) in [("{}", 1), ("{}", 2), ("{\"type\":\"object\"}", 3), ("{}", 4)] {
        let channel = json(&context, "/t", schema);
        channel.log_at(schema.as_bytes(), time).unwrap();
    }
    writer.close(LIMIT).unwrap();
    let messages = read(&path);
    let ids: Vec<_> = messages.iter().map(|m| (m.channel.id, m.log_time, m.sequence)).collect();
    assert_eq!(ids, [(0, 1, 0), (0, 2, 1), (1, 3, 0), (0, 4, 2)]);
    for message in &messages {
        assert_eq!(message.channel.schema.as_ref().unwrap().data, message.data, "each message has its own schema");
    }
    let channels = writer.channels();
    assert_eq!(channels.iter().map(|c| c.messages).collect::<Vec<_>>(), [3, 1]);
}

#[test]
fn a_filter_leaves_channels_out_and_one_that_panics_too() {
    let (folder, context) = (Folder::new(), Context::new());
    let path = folder.file("a.mcap");
    let filter: McapChannelFilter = Arc::new(|channel| match channel.topic() {
        "/panics" => panic!("a filter of the application"),
        topic => topic != "/secret",
    });
    let options = McapWriterOptions { channel_filter: Some(filter), ..McapWriterOptions::new(&path) };
    let writer = McapWriter::start(&context, options).unwrap();
    let channels = ["/secret", "/panics", "/public"].map(|topic| context.channel(topic).open().unwrap());
    for channel in &channels {
        channel.log(b"x").unwrap();
    }
    assert!(writer.channel_stats(&channels[0]).is_none());
    assert_eq!(writer.channel_stats(&channels[2]).unwrap().messages, 1);
    writer.close(LIMIT).unwrap();
    assert_eq!(payloads(&read(&path)).len(), 1);
    assert_eq!((writer.stats().channels, writer.stats().callback_panics), (1, 1));
}

#[test]
fn a_file_that_exists_is_only_replaced_when_that_is_asked_for() {
    let (folder, context) = (Folder::new(), Context::new());
    let path = folder.file("a.mcap");
    std::fs::write(&path, b"precious").unwrap();
    let error = McapWriter::start(&context, McapWriterOptions::new(&path)).unwrap_err();
    assert!(matches!(error, McapError::Exists(_)) && error.to_string().contains("a.mcap"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    let options = McapWriterOptions { overwrite: true, ..McapWriterOptions::new(&path) };
    McapWriter::start(&context, options).unwrap().close(LIMIT).unwrap();
    assert!(read(&path).is_empty());

    let error = McapWriter::start(&context, McapWriterOptions::new(folder.file("none/a.mcap"))).unwrap_err();
    assert!(matches!(error, McapError::Io { .. }) && error.to_string().contains("none/a.mcap"), "{error}");
}

#[test]
fn a_second_writer_on_the_same_file_is_refused_and_destroys_nothing() {
    let (folder, context) = (Folder::new(), Context::new());
    let path = folder.file("a.mcap");
    let channel = context.channel("/a").open().unwrap();
    let overwriting = || McapWriterOptions { overwrite: true, ..McapWriterOptions::new(&path) };
    for first in [McapWriterOptions::new(&path), overwriting()] {
        let writer = McapWriter::start(&context, first).unwrap();
        channel.log(b"first").unwrap();
        writer.flush(LIMIT).unwrap();
        let error = McapWriter::start(&context, overwriting()).unwrap_err();
        assert_eq!(error, McapError::InUse(path.display().to_string()));
        channel.log(b"second").unwrap();
        writer.close(LIMIT).unwrap();
        assert_eq!(read(&path).len(), 2);
    }
    McapWriter::start(&context, overwriting()).unwrap();
}

#[test]
fn options_that_cannot_work_are_named() {
    let context = Context::new();
    let ok = || McapWriterOptions::new("/nowhere/a.mcap");
    for (name, options) in [
        ("path", McapWriterOptions::new("")),
        ("chunk_size", McapWriterOptions { chunk_size: 0, ..ok() }),
        ("chunk_duration", McapWriterOptions { chunk_duration: Duration::ZERO, ..ok() }),
        ("queue_messages", McapWriterOptions { queue_messages: 1, ..ok() }),
        ("queue_bytes", McapWriterOptions { queue_bytes: 1, ..ok() }),
        ("profile", McapWriterOptions { profile: "x".repeat(70_000), ..ok() }),
    ] {
        match McapWriter::start(&context, options) {
            Err(McapError::InvalidOption(text)) => assert!(text.starts_with(name), "{text}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn flush_puts_what_was_logged_into_chunks_that_need_no_end() {
    let (folder, context) = (Folder::new(), Context::new());
    let path = folder.file("a.mcap");
    let channel = context.channel("/a").open().unwrap();
    let options = McapWriterOptions { chunk_duration: Duration::from_secs(3600), ..McapWriterOptions::new(&path) };
    let writer = McapWriter::start(&context, options).unwrap();
    for round in 0..3u8 {
        channel.log(&[round]).unwrap();
        writer.flush(LIMIT).unwrap();
        assert_eq!(recovered(&path), (0..=round).map(|n| vec![n]).collect::<Vec<_>>());
        assert_eq!(writer.stats().written_messages, u64::from(round) + 1);
    }
    writer.close(LIMIT).unwrap();
    assert_eq!(writer.flush(LIMIT), Err(McapError::Closed));
}

/// What a reader finds that does not ask for the file's end.
fn recovered(path: &Path) -> Vec<Vec<u8>> {
    let options =
        ::mcap::sans_io::LinearReaderOptions::default().with_skip_end_magic(true).with_validate_chunk_crcs(true);
    let file = std::fs::File::open(path).unwrap();
    let reader = ::mcap::io::MessageReader::new_with_options(file, options);
    reader.map_while(Result::ok).map(|message| message.data.to_vec()).collect()
}

#[test]
fn chunks_end_by_size_and_by_time() {
    let (folder, context) = (Folder::new(), Context::new());
    let path = folder.file("size.mcap");
    let channel = context.channel("/a").open().unwrap();
    let long = Duration::from_secs(3600);
    let options = McapWriterOptions { chunk_size: 1024, chunk_duration: long, ..McapWriterOptions::new(&path) };
    let writer = McapWriter::start(&context, options).unwrap();
    for _ in 0..20 {
        channel.log(&[0; 512]).unwrap();
    }
    writer.close(LIMIT).unwrap();
    // Two messages each; the first chunk has the channel too.
    assert_eq!(writer.stats().chunks, 10);
    assert_eq!(read(&path).len(), 20);

    let path = folder.file("time.mcap");
    let options = McapWriterOptions { chunk_duration: Duration::from_millis(10), ..McapWriterOptions::new(&path) };
    let writer = McapWriter::start(&context, options).unwrap();
    channel.log(b"x").unwrap();
    let start = Instant::now();
    while writer.stats().written_messages == 0 {
        assert!(start.elapsed() < LIMIT, "the chunk never ends");
        std::thread::yield_now();
    }
    assert_eq!(recovered(&path), [b"x"]);
}

#[test]
fn writers_and_their_context_end_in_any_order() {
    let (folder, context) = (Folder::new(), Context::new());
    let channel = context.channel("/a").open().unwrap();
    let (one, two) = (start(&context, &folder.file("1.mcap")), start(&context, &folder.file("2.mcap")));
    channel.log(b"both").unwrap();
    drop(one);
    channel.log(b"two").unwrap();
    drop(context);
    channel.log(b"two").unwrap();
    drop(channel);
    drop(two);
    assert_eq!((read(&folder.file("1.mcap")).len(), read(&folder.file("2.mcap")).len()), (1, 3));
}

#[test]
fn a_filter_may_end_its_own_writer_and_a_listener_too() {
    let (folder, context) = (Folder::new(), Context::new());
    let slot = Arc::<Mutex<Option<McapWriter>>>::default();
    let path = folder.file("a.mcap");
    let inside = slot.clone();
    let filter: McapChannelFilter = Arc::new(move |channel| {
        if channel.topic() == "/end" {
            drop(inside.lock().take());
        }
        true
    });
    let options = McapWriterOptions { channel_filter: Some(filter), ..McapWriterOptions::new(&path) };
    *slot.lock() = Some(McapWriter::start(&context, options).unwrap());
    let queue = slot.lock().as_ref().unwrap().queue.clone();
    context.channel("/a").open().unwrap().log(b"x").unwrap();
    let end = context.channel("/end").open().unwrap();
    assert!(slot.lock().is_none());
    assert!(!end.is_wanted(), "a channel that comes too late is not recorded");
    queue.wait_end(LIMIT).unwrap();
    assert_eq!(read(&path).len(), 1);
}

#[test]
fn pictures_are_recorded_as_their_messages_and_a_key_frame_is_asked_for() {
    let (folder, context) = (Folder::new(), Context::new());
    let path = folder.file("a.mcap");
    let options = VideoSourceOptions { kind: VideoSourceKind::H264, ..VideoSourceOptions::default() };
    let camera = context.video_source("/camera", options).unwrap();
    assert!(!camera.take_key_frame_request());
    let writer = start(&context, &path);
    assert!(camera.take_key_frame_request());
    let data = [0, 0, 0, 1, 0x65];
    let image = VideoImage {
        format: VideoFormat::H264,
        width: 64,
        height: 48,
        stride: 0,
        data: &data,
        time_ns: 9,
        key_frame: true,
    };
    camera.push(&image).unwrap();
    writer.close(LIMIT).unwrap();
    let messages = read(&path);
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].log_time, 9);
    assert_eq!(messages[0].channel.schema.as_ref().unwrap().name, "foxglove.CompressedVideo");
    assert!(messages[0].data.windows(5).any(|part| part == data));
}

#[test]
fn log_costs_one_allocation_while_a_writer_is_the_only_one() {
    let (folder, context) = (Folder::new(), Context::new());
    let channel = context.channel("/a").open().unwrap();
    let writer = start(&context, &folder.file("a.mcap"));
    let payload = [7; 1000];
    // The queue's buffers get their size: the writing thread swaps two.
    for _ in 0..4 {
        (0..1000).for_each(|_| channel.log(&payload).unwrap());
        writer.flush(LIMIT).unwrap();
    }
    let info = allocation_counter::measure(|| (0..500).for_each(|_| channel.log(&payload).unwrap()));
    assert!((500..=510).contains(&info.count_total), "{info:?}");
    // What is above is the queue growing to a size that it never had.
    assert!(info.bytes_total <= 500 * 1000 + 200_000, "{info:?}");
    writer.close(LIMIT).unwrap();
    let info = allocation_counter::measure(|| (0..500).for_each(|_| channel.log(&payload).unwrap()));
    assert_eq!(info.count_total, 0);
}

#[test]
fn messages_of_many_threads_are_all_there_each_in_its_order() {
    let (folder, context) = (Folder::new(), Context::new());
    let path = folder.file("a.mcap");
    let writer = start(&context, &path);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let context = context.clone();
            scope.spawn(move || {
                let channel = context.channel(format!("/{thread}")).open().unwrap();
                (0..2000u64).for_each(|n| channel.log_at(&n.to_le_bytes(), n).unwrap());
            });
        }
    });
    writer.close(LIMIT).unwrap();
    let messages = read(&path);
    assert_eq!(messages.len(), 8000);
    for thread in 0..4 {
        let topic = format!("/{thread}");
        let times: Vec<_> = messages.iter().filter(|m| m.channel.topic == topic).map(|m| m.log_time).collect();
        assert_eq!(times, (0..2000).collect::<Vec<_>>());
    }
}
