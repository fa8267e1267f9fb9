//! Which channels carry images (S-229).

/// How the bytes of a message are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// Protocol buffers, Foxglove schemas.
    Protobuf,
    /// JSON, Foxglove schemas, image data in base64.
    Json,
    /// FlatBuffers, Foxglove schemas.
    Flatbuffer,
    /// ROS 1 serialization of `sensor_msgs`.
    Ros1,
    /// CDR as ROS 2 sends `sensor_msgs`.
    Ros2,
    /// CDR of the Foxglove schemas in OMG IDL.
    OmgIdl,
}

/// Whether a message holds pixels or a compressed file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Rows of pixels.
    Raw,
    /// A JPEG, PNG or WebP file.
    Compressed,
}

/// What is known of a channel's messages from its names alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImageKind {
    /// The serialization.
    pub wire: Wire,
    /// Pixels or a compressed file.
    pub layout: Layout,
}

const TABLE: [(&str, &str, Wire, Layout); 12] = [
    ("protobuf", "foxglove.CompressedImage", Wire::Protobuf, Layout::Compressed),
    ("protobuf", "foxglove.RawImage", Wire::Protobuf, Layout::Raw),
    ("ros1", "sensor_msgs/CompressedImage", Wire::Ros1, Layout::Compressed),
    ("ros1", "sensor_msgs/Image", Wire::Ros1, Layout::Raw),
    ("cdr", "sensor_msgs/msg/CompressedImage", Wire::Ros2, Layout::Compressed),
    ("cdr", "sensor_msgs/msg/Image", Wire::Ros2, Layout::Raw),
    ("json", "foxglove.CompressedImage", Wire::Json, Layout::Compressed),
    ("json", "foxglove.RawImage", Wire::Json, Layout::Raw),
    ("flatbuffer", "foxglove.CompressedImage", Wire::Flatbuffer, Layout::Compressed),
    ("flatbuffer", "foxglove.RawImage", Wire::Flatbuffer, Layout::Raw),
    ("cdr", "foxglove::CompressedImage", Wire::OmgIdl, Layout::Compressed),
    ("cdr", "foxglove::RawImage", Wire::OmgIdl, Layout::Raw),
];

/// The kind of images on a channel with this message encoding and schema name; `None` when it carries none (S-229,
/// P-161). Only names count, never schema bytes, and their case matters.
pub fn image_kind(encoding: &str, schema_name: &str) -> Option<ImageKind> {
    TABLE
        .iter()
        .find(|(row_encoding, row_schema, ..)| *row_encoding == encoding && *row_schema == schema_name)
        .map(|&(_, _, wire, layout)| ImageKind { wire, layout })
}
