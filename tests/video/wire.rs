//! Writes image messages: by prost, serde_json and the official flatbuffers builder; ROS and CDR by the letter (S-278).

use base64::Engine;
use flatbuffers::{FlatBufferBuilder, WIPOffset};
use prost::Message as _;
use telelink::video::{ImageKind, Layout, Wire};

/// What a message says.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// Seconds and nanoseconds; ROS and CDR cannot leave it out and write zeros.
    pub(crate) time: Option<(u32, u32)>,
    pub(crate) frame_id: String,
    pub(crate) body: Body,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Raw { width: u32, height: u32, encoding: String, step: u32, big_endian: bool, data: Vec<u8> },
    Compressed { format: String, data: Vec<u8> },
}

pub(crate) const WIRES: [Wire; 6] =
    [Wire::Protobuf, Wire::Json, Wire::Flatbuffer, Wire::Ros1, Wire::Ros2, Wire::OmgIdl];

impl Message {
    pub(crate) fn kind(&self, wire: Wire) -> ImageKind {
        let layout = match self.body {
            Body::Raw { .. } => Layout::Raw,
            Body::Compressed { .. } => Layout::Compressed,
        };
        ImageKind { wire, layout }
    }

    pub(crate) fn encode(&self, wire: Wire) -> Vec<u8> {
        match wire {
            Wire::Protobuf => self.protobuf(),
            Wire::Json => self.json().to_string().into_bytes(),
            Wire::Flatbuffer => self.flatbuffer(),
            Wire::Ros1 => self.ros1(),
            Wire::Ros2 => self.ros2([0, 1], Numbers::Little),
            Wire::OmgIdl => self.omg_idl([0, 1], Numbers::Little),
        }
    }

    fn protobuf(&self) -> Vec<u8> {
        let timestamp = self.time.map(|(sec, nsec)| Timestamp { seconds: sec.into(), nanos: nsec as i32 });
        let frame_id = self.frame_id.clone();
        match self.body.clone() {
            Body::Raw { width, height, encoding, step, data, .. } => {
                RawImage { timestamp, width, height, encoding, step, data, frame_id }.encode_to_vec()
            }
            Body::Compressed { format, data } => CompressedImage { timestamp, data, format, frame_id }.encode_to_vec(),
        }
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        let base64 = |data| base64::engine::general_purpose::STANDARD.encode(data);
        let mut object = match &self.body {
            Body::Raw { width, height, encoding, step, data, .. } => serde_json::json!({
                "width": width, "height": height, "encoding": encoding, "step": step, "data": base64(data),
            }),
            Body::Compressed { format, data } => serde_json::json!({ "format": format, "data": base64(data) }),
        };
        object["frame_id"] = self.frame_id.clone().into();
        if let Some((sec, nsec)) = self.time {
            object["timestamp"] = serde_json::json!({ "sec": sec, "nsec": nsec });
        }
        object
    }

    pub(crate) fn flatbuffer(&self) -> Vec<u8> {
        let mut builder = FlatBufferBuilder::new();
        let frame_id = builder.create_string(&self.frame_id);
        let (name, data) = match &self.body {
            Body::Raw { encoding, data, .. } => (encoding, data),
            Body::Compressed { format, data } => (format, data),
        };
        let name = builder.create_string(name);
        let data = builder.create_vector(data);
        let table = builder.start_table();
        if let Some((sec, nsec)) = self.time {
            // the struct's two numbers in one: the builder's own structs need unsafe code
            builder.push_slot_always(4, u64::from(sec) | u64::from(nsec) << 32);
        }
        builder.push_slot_always::<WIPOffset<_>>(6, frame_id);
        match &self.body {
            Body::Raw { width, height, step, .. } => {
                builder.push_slot(8, *width, 0);
                builder.push_slot(10, *height, 0);
                builder.push_slot_always::<WIPOffset<_>>(12, name);
                builder.push_slot(14, *step, 0);
                builder.push_slot_always::<WIPOffset<_>>(16, data);
            }
            Body::Compressed { .. } => {
                builder.push_slot_always::<WIPOffset<_>>(8, data);
                builder.push_slot_always::<WIPOffset<_>>(10, name);
            }
        }
        let table = builder.end_table(table);
        builder.finish_minimal(table);
        builder.finished_data().to_vec()
    }

    pub(crate) fn ros1(&self) -> Vec<u8> {
        let (sec, nsec) = self.time.unwrap_or_default();
        let mut writer = Writer::new(Numbers::Ros1);
        writer.u32(77); // header.seq
        writer.u32(sec);
        writer.u32(nsec);
        writer.string(&self.frame_id);
        self.ros_body(&mut writer);
        writer.bytes
    }

    /// With this representation identifier.
    pub(crate) fn ros2(&self, identifier: [u8; 2], numbers: Numbers) -> Vec<u8> {
        let (sec, nsec) = self.time.unwrap_or_default();
        let mut writer = Writer::new(numbers);
        writer.u32(sec);
        writer.u32(nsec);
        writer.string(&self.frame_id);
        self.ros_body(&mut writer);
        [&identifier[..], &[0, 0], &writer.bytes].concat()
    }

    fn ros_body(&self, writer: &mut Writer) {
        match &self.body {
            Body::Raw { width, height, encoding, step, big_endian, data } => {
                writer.u32(*height);
                writer.u32(*width);
                writer.string(encoding);
                writer.bytes.push((*big_endian).into());
                writer.u32(*step);
                writer.sequence(data);
            }
            Body::Compressed { format, data } => {
                writer.string(format);
                writer.sequence(data);
            }
        }
    }

    pub(crate) fn omg_idl(&self, identifier: [u8; 2], numbers: Numbers) -> Vec<u8> {
        let (sec, nsec) = self.time.unwrap_or_default();
        let mut writer = Writer::new(numbers);
        writer.u32(sec);
        writer.u32(nsec);
        writer.string(&self.frame_id);
        match &self.body {
            Body::Raw { width, height, encoding, step, data, .. } => {
                writer.u32(*width);
                writer.u32(*height);
                writer.string(encoding);
                writer.u32(*step);
                writer.sequence(data);
            }
            Body::Compressed { format, data } => {
                writer.sequence(data);
                writer.string(format);
            }
        }
        [&identifier[..], &[0, 0], &writer.bytes].concat()
    }
}

/// How numbers and strings are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Numbers {
    Ros1,
    Little,
    Big,
}

struct Writer {
    bytes: Vec<u8>,
    numbers: Numbers,
}

impl Writer {
    fn new(numbers: Numbers) -> Self {
        Self { bytes: Vec::new(), numbers }
    }

    fn u32(&mut self, value: u32) {
        while self.numbers != Numbers::Ros1 && !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
        self.bytes.extend(if self.numbers == Numbers::Big { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn sequence(&mut self, bytes: &[u8]) {
        self.u32(bytes.len() as u32);
        self.bytes.extend(bytes);
    }

    fn string(&mut self, text: &str) {
        if self.numbers == Numbers::Ros1 {
            self.sequence(text.as_bytes());
        } else {
            self.sequence(&[text.as_bytes(), &[0]].concat());
        }
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RawImage {
    #[prost(message, optional, tag = "1")]
    timestamp: Option<Timestamp>,
    #[prost(fixed32, tag = "2")]
    width: u32,
    #[prost(fixed32, tag = "3")]
    height: u32,
    #[prost(string, tag = "4")]
    encoding: String,
    #[prost(fixed32, tag = "5")]
    step: u32,
    #[prost(bytes = "vec", tag = "6")]
    data: Vec<u8>,
    #[prost(string, tag = "7")]
    frame_id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct CompressedImage {
    #[prost(message, optional, tag = "1")]
    timestamp: Option<Timestamp>,
    #[prost(bytes = "vec", tag = "2")]
    data: Vec<u8>,
    #[prost(string, tag = "3")]
    format: String,
    #[prost(string, tag = "4")]
    frame_id: String,
}
