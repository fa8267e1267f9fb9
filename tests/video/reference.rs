//! BT.709, limited range, in floating point, pixel by pixel: what frames are held against.

use telelink::video::{Frame, RawFormat, RawPicture};

pub(crate) const ALL_FORMATS: [RawFormat; 15] = [
    RawFormat::Rgb8,
    RawFormat::Rgba8,
    RawFormat::Bgr8,
    RawFormat::Bgra8,
    RawFormat::Mono8,
    RawFormat::Mono16,
    RawFormat::Mono32F,
    RawFormat::Uyvy,
    RawFormat::Yuyv,
    RawFormat::Nv12,
    RawFormat::BayerBggr8,
    RawFormat::BayerGbrg8,
    RawFormat::BayerGrbg8,
    RawFormat::BayerRggb8,
    RawFormat::I420,
];

/// Pixels and the memory they lie in.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) format: RawFormat,
    pub(crate) stride: u32,
    pub(crate) big_endian: bool,
    pub(crate) data: Vec<u8>,
}

impl Source {
    /// Noise in this format, with `padding` more bytes in each row than the pixels need.
    pub(crate) fn noise(width: u32, height: u32, format: RawFormat, padding: u32, big_endian: bool) -> Self {
        let bytes_per_pixel = match format {
            RawFormat::Rgb8 | RawFormat::Bgr8 => 3,
            RawFormat::Rgba8 | RawFormat::Bgra8 | RawFormat::Mono32F => 4,
            RawFormat::Mono16 | RawFormat::Uyvy | RawFormat::Yuyv => 2,
            _ => 1,
        };
        let stride = width * bytes_per_pixel + padding;
        let rows = stride * height;
        let len = match format {
            RawFormat::Nv12 => rows + stride.next_multiple_of(2) * height.div_ceil(2),
            RawFormat::I420 => rows + 2 * stride.div_ceil(2) * height.div_ceil(2),
            _ => rows,
        };
        let mut state = 0x2545_f491_4f6c_dd1d_u64 ^ u64::from(width * 65_537 + height);
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u32
        };
        let data = if format == RawFormat::Mono32F {
            // from below black to above white, with what is no number
            let value = |random: u32| match random % 97 {
                0 => f32::NAN,
                1 => f32::INFINITY,
                2 => f32::NEG_INFINITY,
                _ => random as f32 / u32::MAX as f32 * 1.5 - 0.25,
            };
            let bytes = |value: f32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
            let mut data = vec![0; len as usize];
            for row in data.chunks_exact_mut(stride as usize) {
                for sample in row.chunks_exact_mut(4) {
                    sample.copy_from_slice(&bytes(value(random())));
                }
            }
            data
        } else {
            (0..len).map(|_| random() as u8).collect()
        };
        Self { width, height, format, stride, big_endian, data }
    }

    pub(crate) fn picture(&self) -> RawPicture<'_> {
        let Self { width, height, format, stride, big_endian, ref data } = *self;
        RawPicture { width, height, format, stride, big_endian, data }
    }

    fn byte(&self, x: usize, y: usize) -> f64 {
        f64::from(self.data[y * self.stride as usize + x])
    }

    /// Red, green and blue from 0 to 1.
    fn rgb(&self, x: usize, y: usize) -> [f64; 3] {
        let bytes = |size: usize, order: [usize; 3]| order.map(|at| self.byte(x * size + at, y) / 255.0);
        match self.format {
            RawFormat::Rgb8 => bytes(3, [0, 1, 2]),
            RawFormat::Bgr8 => bytes(3, [2, 1, 0]),
            RawFormat::Rgba8 => bytes(4, [0, 1, 2]),
            RawFormat::Bgra8 => bytes(4, [2, 1, 0]),
            RawFormat::BayerBggr8 => self.bayer(x, y, "BGGR"),
            RawFormat::BayerGbrg8 => self.bayer(x, y, "GBRG"),
            RawFormat::BayerGrbg8 => self.bayer(x, y, "GRBG"),
            RawFormat::BayerRggb8 => self.bayer(x, y, "RGGB"),
            format => panic!("{format:?} has no colours"),
        }
    }

    /// S-245: red and blue of the 2×2 cell, green of the cell's own row.
    fn bayer(&self, x: usize, y: usize, cell: &str) -> [f64; 3] {
        let (left, top) = (x & !1, y & !1);
        let sample = |at: usize| self.byte(left + at % 2, top + at / 2) / 255.0;
        let only = |colour: char| sample(cell.find(colour).expect("in every cell"));
        let green_in_row = (0..2).map(|column| (y % 2) * 2 + column).find(|&at| &cell[at..=at] == "G");
        [only('R'), sample(green_in_row.expect("a green in every row")), only('B')]
    }

    /// Luma from 0 to 1.
    fn mono(&self, x: usize, y: usize) -> f64 {
        let at = y * self.stride as usize;
        match self.format {
            RawFormat::Mono8 => self.byte(x, y) / 255.0,
            RawFormat::Mono16 => {
                let bytes = [self.data[at + 2 * x], self.data[at + 2 * x + 1]];
                let value = if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
                f64::from(value) / 65_535.0
            }
            _ => {
                let bytes: [u8; 4] = self.data[at + 4 * x..at + 4 * x + 4].try_into().expect("four bytes");
                let value = if self.big_endian { f32::from_be_bytes(bytes) } else { f32::from_le_bytes(bytes) };
                match f64::from(value) {
                    value if value.is_nan() => 0.0,
                    value => value.clamp(0.0, 1.0),
                }
            }
        }
    }

    /// The frame that shows this, unrounded.
    pub(crate) fn expected(&self) -> Expected {
        let (width, height) = (self.width as usize & !1, self.height as usize & !1);
        let each = |step: usize, value: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
            let rows = (0..height).step_by(step);
            rows.flat_map(|y| (0..width).step_by(step).map(move |x| (x, y))).map(|(x, y)| value(x, y)).collect()
        };
        let (stride, rows) = (self.stride as usize, self.height as usize);
        let after = |at: usize| f64::from(self.data[stride * rows + at]);
        let (y, u, v) = match self.format {
            RawFormat::Mono8 | RawFormat::Mono16 | RawFormat::Mono32F => {
                let grey = |_, _| 128.0;
                (each(1, &|x, y| 16.0 + self.mono(x, y) * 219.0), each(2, &grey), each(2, &grey))
            }
            RawFormat::Uyvy | RawFormat::Yuyv => {
                let (luma, u, v) = if self.format == RawFormat::Uyvy { (1, 0, 2) } else { (0, 1, 3) };
                let chroma = |at| move |x, y| (self.byte(2 * x + at, y) + self.byte(2 * x + at, y + 1)) / 2.0;
                (each(1, &|x, y| self.byte(2 * x + luma, y)), each(2, &chroma(u)), each(2, &chroma(v)))
            }
            RawFormat::Nv12 => {
                let stride = stride + stride % 2;
                let chroma = |at: usize| move |x: usize, y: usize| after(y / 2 * stride + x + at);
                (each(1, &|x, y| self.byte(x, y)), each(2, &chroma(0)), each(2, &chroma(1)))
            }
            RawFormat::I420 => {
                let (stride, rows) = (stride.div_ceil(2), rows.div_ceil(2));
                let chroma = |plane: usize| move |x: usize, y: usize| after((plane * rows + y / 2) * stride + x / 2);
                (each(1, &|x, y| self.byte(x, y)), each(2, &chroma(0)), each(2, &chroma(1)))
            }
            _ => {
                let luma = |[r, g, b]: [f64; 3]| 0.2126 * r + 0.7152 * g + 0.0722 * b;
                let mean = |x: usize, y: usize| {
                    let four = [(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)].map(|(x, y)| self.rgb(x, y));
                    [0, 1, 2].map(|colour| four.iter().map(|pixel| pixel[colour]).sum::<f64>() / 4.0)
                };
                let blue = |rgb: [f64; 3]| 128.0 + 224.0 * (rgb[2] - luma(rgb)) / 1.8556;
                let red = |rgb: [f64; 3]| 128.0 + 224.0 * (rgb[0] - luma(rgb)) / 1.5748;
                (
                    each(1, &|x, y| 16.0 + 219.0 * luma(self.rgb(x, y))),
                    each(2, &|x, y| blue(mean(x, y))),
                    each(2, &|x, y| red(mean(x, y))),
                )
            }
        };
        Expected { width, height, planes: [y, u, v] }
    }
}

/// A frame in floating point.
pub(crate) struct Expected {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) planes: [Vec<f64>; 3],
}

impl Expected {
    /// Holds a frame against this; says where the worst pixel is when it is further off than `tolerance`.
    #[track_caller]
    pub(crate) fn assert_shown(&self, frame: &Frame, tolerance: f64, context: &str) {
        let size = (frame.width() as usize, frame.height() as usize);
        assert_eq!(size, (self.width, self.height), "{context}");
        assert_eq!(frame.data().len(), self.width * self.height * 3 / 2, "{context}");
        for ((name, plane), expected) in [("Y", frame.y()), ("U", frame.u()), ("V", frame.v())].iter().zip(&self.planes)
        {
            let stride = plane.stride as usize;
            assert_eq!(plane.data.len(), expected.len(), "{context}: {name}");
            assert_eq!(stride, if *name == "Y" { self.width } else { self.width / 2 }, "{context}: {name}");
            let off = |at: &usize| (f64::from(plane.data[*at]) - expected[*at]).abs();
            let worst = (0..expected.len()).max_by(|a, b| off(a).total_cmp(&off(b))).expect("no plane is empty");
            assert!(
                off(&worst) <= tolerance,
                "{context}: {name} at {}, {} is {}, expected {:.2}",
                worst % stride,
                worst / stride,
                plane.data[worst],
                expected[worst],
            );
        }
    }
}
