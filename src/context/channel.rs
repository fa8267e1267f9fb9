//! `Channel`: what the robot publishes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicU8, Ordering};
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use parking_lot::Mutex;
use smallvec::SmallVec;

use super::registry::Context;
use super::sink::{Message, Output, PayloadCopy, SinkId};
use super::video_source::{VideoImage, VideoSourceInfo};

/// Device channel id: from 1 upwards, process-wide, never reused, below 2^53 so that JavaScript can hold it (P-56).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(u64);

impl ChannelId {
    /// The number on the wire.
    pub fn get(self) -> u64 {
        self.0
    }

    fn next() -> Result<Self, ChannelError> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        // 2^53 channels cannot be made in practice; the check keeps P-56 true whatever happens.
        if id < 1 << 53 {
            Ok(Self(id))
        } else {
            Err(ChannelError::IdsExhausted)
        }
    }
}

impl From<u64> for ChannelId {
    /// An id as a viewer names it; it may belong to no channel.
    fn from(id: u64) -> Self {
        Self(id)
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a channel's messages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Qos {
    /// Over a data track: newest wins, losses are visible as gaps. For sensor data. Default.
    #[default]
    Lossy,
    /// Over the control stream: all of it, in order. For logs, states, maps.
    Reliable,
}

/// What a message means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Schema {
    /// Schema name, for example `foxglove.Log`.
    pub name: String,
    /// Schema encoding, for example `jsonschema`, `protobuf`, `ros2msg`.
    pub encoding: String,
    /// Schema bytes: text for text encodings, a FileDescriptorSet for `protobuf`.
    pub data: Bytes,
}

/// Largest schema, bytes. An advertisement must fit a 16 MiB frame, base64 included (P-33).
const MAX_SCHEMA: usize = 8 * 1024 * 1024;
impl Schema {
    /// Whether an advertisement can hold it, a channel's or a service's.
    pub(crate) fn check_size(&self) -> Result<(), ChannelError> {
        if self.data.len() > MAX_SCHEMA {
            return Err(ChannelError::TooLong { what: "the schema", len: self.data.len(), max: MAX_SCHEMA });
        }
        Ok(())
    }
}

/// Largest topic, encoding, schema name or metadata text, bytes.
const MAX_TEXT: usize = 64 * 1024;

/// Why a channel could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// The topic is empty.
    #[error("the topic is empty")]
    EmptyTopic,
    /// A text is too long.
    #[error("{what} has {len} bytes, more than {max}")]
    TooLong {
        /// Which.
        what: &'static str,
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// 2^53 channels were made.
    #[error("no channel ids are left")]
    IdsExhausted,
}

/// The channel was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the channel is closed")]
pub struct Closed;

/// Describes a channel before it is opened.
#[derive(Debug)]
#[must_use = "nothing exists before open()"]
pub struct ChannelBuilder {
    context: Context,
    topic: String,
    encoding: String,
    schema: Option<Schema>,
    metadata: BTreeMap<String, String>,
    qos: Qos,
    video: bool,
    source: Option<VideoSourceInfo>,
}

impl ChannelBuilder {
    pub(super) fn new(context: Context, topic: String) -> Self {
        Self {
            context,
            topic,
            encoding: String::new(),
            schema: None,
            metadata: BTreeMap::new(),
            qos: Qos::Lossy,
            video: true,
            source: None,
        }
    }

    /// Message encoding: `json`, `protobuf`, `cdr`, `ros1`, `flatbuffer` or the application's own.
    pub fn encoding(mut self, encoding: impl Into<String>) -> Self {
        self.encoding = encoding.into();
        self
    }

    /// The schema. Viewers need one for `protobuf`, `flatbuffer`, `ros1` and `cdr` (P-64).
    pub fn schema(mut self, schema: Schema) -> Self {
        self.schema = Some(schema);
        self
    }

    /// One metadata entry.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// How the messages travel, unless the session's classifier decides otherwise.
    pub fn qos(mut self, qos: Qos) -> Self {
        self.qos = qos;
        self
    }

    /// Whether an image channel can be watched as video (S-230). Default `true`; say `false` for depth images and others
    /// whose values a video would spoil. Of no meaning to other channels.
    pub fn video(mut self, video: bool) -> Self {
        self.video = video;
        self
    }

    pub(super) fn video_source(mut self, info: VideoSourceInfo) -> Self {
        self.source = Some(info);
        self
    }

    /// Opens the channel: sinks learn of it before this returns.
    pub fn open(self) -> Result<Channel, ChannelError> {
        if self.topic.is_empty() {
            return Err(ChannelError::EmptyTopic);
        }
        let mut texts = vec![("the topic", self.topic.len()), ("the encoding", self.encoding.len())];
        texts.push(("the metadata", self.metadata.iter().map(|(k, v)| k.len() + v.len()).sum()));
        if let Some(schema) = &self.schema {
            texts.extend([("the schema name", schema.name.len()), ("the schema encoding", schema.encoding.len())]);
            schema.check_size()?;
        }
        if let Some(&(what, len)) = texts.iter().find(|(_, len)| *len > MAX_TEXT) {
            return Err(ChannelError::TooLong { what, len, max: MAX_TEXT });
        }
        let channel = ChannelRef(Arc::new(Shared {
            state: AtomicU8::new(IDLE),
            outputs: ArcSwap::from_pointee(Outputs::new()),
            change: Mutex::new(()),
            id: ChannelId::next()?,
            topic: self.topic,
            encoding: self.encoding,
            schema: self.schema,
            metadata: self.metadata,
            qos: self.qos,
            video: self.video,
            source: self.source,
        }));
        Ok(self.context.register(channel))
    }
}

/// Nobody wants messages.
const IDLE: u8 = 0;
/// At least one sink wants messages.
const WANTED: u8 = 1;
/// Closed for ever.
const CLOSED: u8 = 2;

type Outputs = SmallVec<[(SinkId, Arc<dyn Output>); 2]>;

struct Shared {
    state: AtomicU8,
    outputs: ArcSwap<Outputs>,
    /// Serialises changes of `outputs` and `state`; never held while a sink runs, never taken by `log`.
    change: Mutex<()>,
    id: ChannelId,
    topic: String,
    encoding: String,
    schema: Option<Schema>,
    metadata: BTreeMap<String, String>,
    qos: Qos,
    video: bool,
    source: Option<VideoSourceInfo>,
}

/// The application's handle of a channel. Clones share the channel; it closes when the last clone is dropped, or by
/// [`Channel::close`]. Thread-safe; `log` never blocks.
#[derive(Clone)]
pub struct Channel {
    handle: Arc<Handle>,
}

struct Handle {
    channel: ChannelRef,
    context: Context,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.channel.close(&self.context);
    }
}

impl Channel {
    pub(super) fn new(channel: ChannelRef, context: Context) -> Self {
        Self { handle: Arc::new(Handle { channel, context }) }
    }

    /// Logs a message with the time now. Without a subscriber this costs one load and drops the message (S-38).
    #[inline]
    pub fn log(&self, payload: &[u8]) -> Result<(), Closed> {
        match self.handle.channel.0.state.load(Ordering::Relaxed) {
            IDLE => Ok(()),
            WANTED => self.fan_out(payload, super::now_ns()),
            _ => Err(Closed),
        }
    }

    /// Logs a message with the given time, ns since the Unix epoch.
    #[inline]
    pub fn log_at(&self, payload: &[u8], log_time: u64) -> Result<(), Closed> {
        match self.handle.channel.0.state.load(Ordering::Relaxed) {
            IDLE => Ok(()),
            WANTED => self.fan_out(payload, log_time),
            _ => Err(Closed),
        }
    }

    #[inline(never)]
    fn fan_out(&self, payload: &[u8], log_time: u64) -> Result<(), Closed> {
        let outputs = self.handle.channel.0.outputs.load();
        if let [(_, output)] = outputs.as_slice() {
            output.log(Message::new(payload, log_time));
            return Ok(());
        }
        let copy = PayloadCopy::default();
        for (_, output) in outputs.iter() {
            output.log(Message::with_copy(payload, log_time, &copy));
        }
        Ok(())
    }

    /// A picture of the source that this channel is.
    pub(super) fn picture(
        &self,
        image: &VideoImage<'_>,
        log_time: u64,
        message: &mut dyn FnMut() -> Bytes,
    ) -> Result<(), Closed> {
        match self.handle.channel.0.state.load(Ordering::Relaxed) {
            IDLE => Ok(()),
            WANTED => {
                for (_, output) in self.handle.channel.0.outputs.load().iter() {
                    output.picture(image, log_time, message);
                }
                Ok(())
            }
            _ => Err(Closed),
        }
    }

    /// Whether somebody wants messages now: lets an application skip building one.
    #[inline]
    pub fn is_wanted(&self) -> bool {
        self.handle.channel.0.state.load(Ordering::Relaxed) == WANTED
    }

    /// Closes the channel for all clones: later logs answer [`Closed`]. Any thread, any time; repeated calls do nothing.
    pub fn close(&self) {
        self.handle.channel.close(&self.handle.context);
    }

    /// What sinks see of the channel.
    pub fn channel_ref(&self) -> &ChannelRef {
        &self.handle.channel
    }
}

impl std::ops::Deref for Channel {
    type Target = ChannelRef;
    fn deref(&self) -> &ChannelRef {
        &self.handle.channel
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.channel.fmt(f)
    }
}

/// A channel as sinks and callbacks see it. Holding one does not keep the channel open.
#[derive(Clone)]
pub struct ChannelRef(Arc<Shared>);

impl ChannelRef {
    /// Process-wide id.
    pub fn id(&self) -> ChannelId {
        self.0.id
    }
    /// Topic.
    pub fn topic(&self) -> &str {
        &self.0.topic
    }
    /// Message encoding, may be empty.
    pub fn encoding(&self) -> &str {
        &self.0.encoding
    }
    /// Schema, if there is one.
    pub fn schema(&self) -> Option<&Schema> {
        self.0.schema.as_ref()
    }
    /// The application's metadata, sorted by key.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.0.metadata
    }
    /// How the application wants the messages to travel.
    pub fn qos(&self) -> Qos {
        self.0.qos
    }
    /// Whether the application lets an image channel be watched as video.
    pub fn video(&self) -> bool {
        self.0.video
    }
    /// What is pushed, if the channel is a video source.
    pub fn video_source(&self) -> Option<&VideoSourceInfo> {
        self.0.source.as_ref()
    }
    /// Whether the channel was closed.
    pub fn is_closed(&self) -> bool {
        self.0.state.load(Ordering::Relaxed) == CLOSED
    }

    /// Sets where a sink wants the messages, or `None` when it wants none. A closed channel takes no output.
    pub fn set_output(&self, sink: SinkId, output: Option<Arc<dyn Output>>) {
        let _change = self.0.change.lock();
        if self.is_closed() {
            return;
        }
        let mut outputs: Outputs = self.0.outputs.load().iter().filter(|(id, _)| *id != sink).cloned().collect();
        if let Some(output) = output {
            // Whose copy others can share comes before them.
            let at = if output.shares_copy() { 0 } else { outputs.len() };
            outputs.insert(at, (sink, output));
        }
        let state = if outputs.is_empty() { IDLE } else { WANTED };
        // The list before the flag: a `log` that sees WANTED finds the list. Seeing an old IDLE only drops a message
        // that raced with the subscription.
        self.0.outputs.store(Arc::new(outputs));
        self.0.state.store(state, Ordering::Release);
    }

    fn close(&self, context: &Context) {
        {
            let _change = self.0.change.lock();
            if self.0.state.swap(CLOSED, Ordering::Release) == CLOSED {
                return;
            }
            self.0.outputs.store(Arc::new(Outputs::new()));
        }
        context.unregister(self);
    }
}

impl fmt::Debug for ChannelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("id", &self.0.id.0).field("topic", &self.0.topic).finish_non_exhaustive()
    }
}
