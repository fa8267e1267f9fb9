//! CDR: ROS 2 `sensor_msgs`, and the Foxglove schemas in OMG IDL.

use super::reader::{Encoding, Reader};
use super::{ros1, timestamp, Body, ImageMessage, VideoError};
use crate::video::Layout;

const ROS2: &str = "ROS 2 message";
const OMG_IDL: &str = "CDR message";

/// Reads the four bytes before the message. Offsets count from behind them.
fn open<'a>(what: &'static str, bytes: &'a [u8]) -> Result<Reader<'a>, VideoError> {
    let Some((&[kind_high, kind_low, _, _], body)) = bytes.split_first_chunk::<4>() else {
        return Err(VideoError::malformed(what, format!("{} bytes are too few for the CDR header", bytes.len())));
    };
    // ROS 2 sends 0x0001. XCDR2 of final types, under its numbers in RTPS and in the first drafts, differs only in the
    // alignment of eight-byte numbers, and there are none here.
    let big_endian = match u16::from_be_bytes([kind_high, kind_low]) {
        0x0000 | 0x0006 | 0x0010 => true,
        0x0001 | 0x0007 | 0x0011 => false,
        kind => {
            return Err(VideoError::unsupported("CDR representation", format!("{kind:#06x} (only plain CDR is read)")))
        }
    };
    Ok(Reader::new(what, body, Encoding::Cdr { big_endian }))
}

pub(super) fn read_ros2(layout: Layout, bytes: &[u8]) -> Result<ImageMessage<'_>, VideoError> {
    let mut reader = open(ROS2, bytes)?;
    let (sec, nsec) = (reader.u32("header.stamp.sec")?.cast_signed(), reader.u32("header.stamp.nanosec")?);
    // S-247
    let sec =
        u32::try_from(sec).map_err(|_| VideoError::malformed(ROS2, format!("timestamp of {sec} s is before 1970")))?;
    let timestamp = Some(timestamp(ROS2, sec, nsec)?);
    let frame_id = reader.string("header.frame_id")?;
    let body = ros1::read_body(layout, &mut reader)?;
    Ok(ImageMessage { timestamp, frame_id, body })
}

pub(super) fn read_omg_idl(layout: Layout, bytes: &[u8]) -> Result<ImageMessage<'_>, VideoError> {
    let mut reader = open(OMG_IDL, bytes)?;
    let (sec, nsec) = (reader.u32("timestamp.sec")?, reader.u32("timestamp.nsec")?);
    let timestamp = Some(timestamp(OMG_IDL, sec, nsec)?);
    let frame_id = reader.string("frame_id")?;
    let body = match layout {
        Layout::Raw => {
            let (width, height) = (reader.u32("width")?, reader.u32("height")?);
            let encoding = reader.string("encoding")?;
            let step = reader.u32("step")?;
            Body::Raw { width, height, encoding, step, big_endian: false, data: reader.bytes("data")? }
        }
        Layout::Compressed => {
            let data = reader.bytes("data")?;
            Body::Compressed { format: reader.string("format")?, data }
        }
    };
    Ok(ImageMessage { timestamp, frame_id, body })
}
