//! ROS 1 `sensor_msgs/Image` and `sensor_msgs/CompressedImage`.

use super::reader::{Encoding, Reader};
use super::{timestamp, Body, ImageMessage, VideoError};
use crate::video::Layout;

const WHAT: &str = "ROS 1 message";

pub(super) fn read(layout: Layout, bytes: &[u8]) -> Result<ImageMessage<'_>, VideoError> {
    let mut reader = Reader::new(WHAT, bytes, Encoding::Ros1);
    reader.u32("header.seq")?;
    let (sec, nsec) = (reader.u32("header.stamp.sec")?, reader.u32("header.stamp.nsec")?);
    let timestamp = Some(timestamp(WHAT, sec, nsec)?);
    let frame_id = reader.string("header.frame_id")?;
    let body = read_body(layout, &mut reader)?;
    Ok(ImageMessage { timestamp, frame_id, body })
}

/// What follows the header; ROS 2 has the same fields in the same order.
pub(super) fn read_body<'a>(layout: Layout, reader: &mut Reader<'a>) -> Result<Body<'a>, VideoError> {
    Ok(match layout {
        Layout::Raw => {
            let (height, width) = (reader.u32("height")?, reader.u32("width")?);
            let encoding = reader.string("encoding")?;
            let big_endian = reader.u8("is_bigendian")? != 0;
            let step = reader.u32("step")?;
            Body::Raw { width, height, encoding, step, big_endian, data: reader.bytes("data")? }
        }
        Layout::Compressed => Body::Compressed { format: reader.string("format")?, data: reader.bytes("data")? },
    })
}
