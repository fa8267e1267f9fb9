//! What a 1280×720 picture costs on its way to the encoder's input, beside the `yuv` crate alone, in one run.
//!
//! `video/rgb8/yuv crate` is the bare conversion into memory that is there already; `picture` adds the checks and the pooled
//! frame, `message` the parsing of a ROS 1 image. The budget of design.md is 1.2 ms for RGB.

use std::hint::black_box;

use criterion::{criterion_group, Criterion};
use telelink::video::{Codec, Converter, ImageKind, Layout, Picture, RawFormat, RawPicture, Wire};
use yuv::{BufferStoreMut, YuvConversionMode, YuvPlanarImageMut, YuvRange, YuvStandardMatrix};

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;

/// Every format and the bytes of a row; the planes of the last two follow.
const FORMATS: [(RawFormat, u32); 15] = [
    (RawFormat::Rgb8, 3 * WIDTH),
    (RawFormat::Bgr8, 3 * WIDTH),
    (RawFormat::Rgba8, 4 * WIDTH),
    (RawFormat::Bgra8, 4 * WIDTH),
    (RawFormat::Mono8, WIDTH),
    (RawFormat::Mono16, 2 * WIDTH),
    (RawFormat::Mono32F, 4 * WIDTH),
    (RawFormat::Uyvy, 2 * WIDTH),
    (RawFormat::Yuyv, 2 * WIDTH),
    (RawFormat::BayerRggb8, WIDTH),
    (RawFormat::BayerBggr8, WIDTH),
    (RawFormat::BayerGrbg8, WIDTH),
    (RawFormat::BayerGbrg8, WIDTH),
    (RawFormat::Nv12, WIDTH),
    (RawFormat::I420, WIDTH),
];

/// A scene of slopes and edges, so that a JPEG of it is like a camera's; four bytes per pixel at most.
fn scene(len: usize) -> Vec<u8> {
    (0..len).map(|at| ((at / 3 % WIDTH as usize) ^ (at / 3840)) as u8).collect()
}

/// The layout of `sensor_msgs/Image`, session.md appendix A.
fn ros1_image(encoding: &str, step: u32, data: &[u8]) -> Vec<u8> {
    let mut message = vec![0; 12]; // sequence number and time
    let sized = |message: &mut Vec<u8>, bytes: &[u8]| {
        message.extend((bytes.len() as u32).to_le_bytes());
        message.extend(bytes);
    };
    sized(&mut message, b"camera");
    message.extend(HEIGHT.to_le_bytes());
    message.extend(WIDTH.to_le_bytes());
    sized(&mut message, encoding.as_bytes());
    message.push(0);
    message.extend(step.to_le_bytes());
    sized(&mut message, data);
    message
}

fn rgb(c: &mut Criterion) {
    let stride = 3 * WIDTH;
    let data = scene((stride * HEIGHT) as usize);
    let mut group = c.benchmark_group("video/rgb8");
    let mut planes = vec![0; (WIDTH * HEIGHT * 3 / 2) as usize];
    group.bench_function("yuv crate", |b| {
        b.iter(|| {
            let (y, chroma) = planes.split_at_mut((WIDTH * HEIGHT) as usize);
            let (u, v) = chroma.split_at_mut((WIDTH * HEIGHT / 4) as usize);
            let mut image = YuvPlanarImageMut {
                y_plane: BufferStoreMut::Borrowed(y),
                y_stride: WIDTH,
                u_plane: BufferStoreMut::Borrowed(u),
                u_stride: WIDTH / 2,
                v_plane: BufferStoreMut::Borrowed(v),
                v_stride: WIDTH / 2,
                width: WIDTH,
                height: HEIGHT,
            };
            let (range, matrix) = (YuvRange::Limited, YuvStandardMatrix::Bt709);
            let mode = YuvConversionMode::Balanced;
            yuv::rgb_to_yuv420(&mut image, black_box(&data), stride, range, matrix, mode).expect("a good picture");
        })
    });
    let format = RawFormat::Rgb8;
    let picture =
        Picture::Raw(RawPicture { width: WIDTH, height: HEIGHT, format, stride, big_endian: false, data: &data });
    let mut converter = Converter::new();
    group.bench_function("picture", |b| {
        b.iter(|| converter.convert_picture(black_box(&picture)).expect("a good picture"));
    });
    let kind = ImageKind { wire: Wire::Ros1, layout: Layout::Raw };
    let message = ros1_image("rgb8", stride, &data);
    group.bench_function("message", |b| {
        b.iter(|| converter.convert(kind, black_box(&message), 0).expect("a good message"));
    });
    group.finish();
}

fn formats(c: &mut Criterion) {
    let mut group = c.benchmark_group("video/picture");
    for (format, stride) in FORMATS {
        let data = scene((stride * HEIGHT * 3 / 2) as usize);
        let picture = RawPicture { width: WIDTH, height: HEIGHT, format, stride, big_endian: false, data: &data };
        let mut converter = Converter::new();
        // Viewers are told I420 under the name of NV12.
        let name = if format == RawFormat::I420 { "i420" } else { format.name() };
        group.bench_function(name, |b| {
            b.iter(|| converter.convert_picture(&Picture::Raw(black_box(picture))).expect("a good picture"));
        });
    }
    let mut file = Vec::new();
    let pixels = scene((3 * WIDTH * HEIGHT) as usize);
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, 85);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_1_1);
    encoder.encode(&pixels, WIDTH as u16, HEIGHT as u16, jpeg_encoder::ColorType::Rgb).expect("a JPEG file");
    let mut converter = Converter::new();
    group.bench_function("jpeg", |b| {
        let picture = Picture::Compressed { codec: Codec::Jpeg, data: black_box(&file) };
        b.iter(|| converter.convert_picture(&picture).expect("a good file"));
    });
    group.finish();
}

criterion_group!(benches, rgb, formats);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
}
