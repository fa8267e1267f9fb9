//! The messages that stand for a video source's pictures, for those who want data: protobuf, Foxglove schemas.

use super::video_source::{VideoFormat, VideoImage};

/// Writes fields in the protobuf wire format; fields with their default value are left out, as proto3 has it.
struct Writer(Vec<u8>);

impl Writer {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn fixed32(&mut self, field: u8, value: u32) {
        if value != 0 {
            self.0.push(field << 3 | 5);
            self.0.extend_from_slice(&value.to_le_bytes());
        }
    }

    fn number(&mut self, field: u8, value: u64) {
        if value != 0 {
            self.0.push(field << 3);
            self.varint(value);
        }
    }

    fn bytes(&mut self, field: u8, value: &[u8]) {
        if !value.is_empty() {
            self.0.push(field << 3 | 2);
            self.varint(value.len() as u64);
            self.0.extend_from_slice(value);
        }
    }

    fn timestamp(&mut self, field: u8, time_ns: u64) {
        let mut inner = Self(Vec::with_capacity(16));
        inner.number(1, time_ns / 1_000_000_000);
        inner.number(2, time_ns % 1_000_000_000);
        self.0.push(field << 3 | 2);
        self.varint(inner.0.len() as u64);
        self.0.extend_from_slice(&inner.0);
    }
}

/// The message of one picture, checked before.
pub(super) fn encode(image: &VideoImage<'_>, frame_id: &str, time_ns: u64) -> Vec<u8> {
    let mut out = Writer(Vec::with_capacity(image.data.len() + frame_id.len() + 64));
    let frame_id = frame_id.as_bytes();
    match image.format {
        VideoFormat::I420 | VideoFormat::Nv12 => {
            let nv12 = nv12(image);
            raw(&mut out, time_ns, (nv12.width, nv12.height), image.format.name(), nv12.width, &nv12.data, frame_id);
        }
        VideoFormat::Mjpeg => {
            out.timestamp(1, time_ns);
            out.bytes(2, image.data);
            out.bytes(3, image.format.name().as_bytes());
            out.bytes(4, frame_id);
        }
        VideoFormat::H264 => {
            out.timestamp(1, time_ns);
            out.bytes(2, frame_id);
            out.bytes(3, image.data);
            out.bytes(4, image.format.name().as_bytes());
        }
        packed => {
            let stride = image.stride();
            let data = &image.data[..stride as usize * image.height as usize];
            raw(&mut out, time_ns, (image.width, image.height), packed.name(), stride, data, frame_id);
        }
    }
    out.0
}

fn raw(
    out: &mut Writer,
    time_ns: u64,
    (width, height): (u32, u32),
    encoding: &str,
    step: u32,
    data: &[u8],
    frame_id: &[u8],
) {
    out.timestamp(1, time_ns);
    out.fixed32(2, width);
    out.fixed32(3, height);
    out.bytes(4, encoding.as_bytes());
    out.fixed32(5, step);
    out.bytes(6, data);
    out.bytes(7, frame_id);
}

struct Nv12 {
    width: u32,
    height: u32,
    data: Vec<u8>,
}

/// Planar pictures as NV12 without padding, the one planar format that image messages have. A last odd column and row are
/// cut off: NV12 messages have even sides.
fn nv12(image: &VideoImage<'_>) -> Nv12 {
    let (width, height, stride) = (image.width & !1, image.height & !1, image.stride() as usize);
    let (columns, rows) = (width as usize, height as usize);
    let (y, chroma) = image.data.split_at(stride * image.height as usize);
    let mut data = Vec::with_capacity(columns * rows * 3 / 2);
    for row in y.chunks(stride).take(rows) {
        data.extend_from_slice(&row[..columns]);
    }
    let half = stride.div_ceil(2);
    if image.format == VideoFormat::Nv12 {
        for row in chroma.chunks(2 * half).take(rows / 2) {
            data.extend_from_slice(&row[..columns]);
        }
    } else {
        let (u, v) = chroma.split_at(half * (image.height as usize).div_ceil(2));
        for (u, v) in u.chunks(half).zip(v.chunks(half)).take(rows / 2) {
            u.iter().zip(v).take(columns / 2).for_each(|(&u, &v)| data.extend_from_slice(&[u, v]));
        }
    }
    Nv12 { width, height, data }
}
