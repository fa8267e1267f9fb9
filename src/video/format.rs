//! Names of pixel formats and codecs, as senders write them and as viewers read them.

/// How the pixels of a raw image lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RawFormat {
    /// Three bytes per pixel: red, green, blue.
    Rgb8,
    /// Four bytes per pixel; alpha is ignored.
    Rgba8,
    /// Three bytes per pixel: blue, green, red.
    Bgr8,
    /// Four bytes per pixel; alpha is ignored.
    Bgra8,
    /// One byte of luma per pixel, 0 to 255.
    Mono8,
    /// Two bytes of luma per pixel, 0 to 65535.
    Mono16,
    /// A 32-bit float of luma per pixel, 0 to 1.
    Mono32F,
    /// 4:2:2, U Y0 V Y1 for each two pixels.
    Uyvy,
    /// 4:2:2, Y0 U Y1 V for each two pixels.
    Yuyv,
    /// 4:2:0, a plane of Y, then one of U and V in turn.
    Nv12,
    /// Sensor mosaic: rows of B G, then G R.
    BayerBggr8,
    /// Sensor mosaic: rows of G B, then R G.
    BayerGbrg8,
    /// Sensor mosaic: rows of G R, then B G.
    BayerGrbg8,
    /// Sensor mosaic: rows of R G, then G B.
    BayerRggb8,
    /// 4:2:0, planes of Y, U and V. No message says this; cameras without messages do.
    I420,
}

impl RawFormat {
    /// The format that a message's `encoding` names (S-243); `None` for anything else.
    pub fn from_encoding(encoding: &str) -> Option<Self> {
        Some(match encoding {
            "rgb8" => Self::Rgb8,
            "rgba8" => Self::Rgba8,
            "bgr8" | "8UC3" => Self::Bgr8,
            "bgra8" => Self::Bgra8,
            "mono8" | "8UC1" => Self::Mono8,
            "mono16" | "16UC1" => Self::Mono16,
            "32FC1" => Self::Mono32F,
            "yuv422" | "uyvy" => Self::Uyvy,
            "yuv422_yuy2" | "yuyv" => Self::Yuyv,
            "nv12" => Self::Nv12,
            "bayer_bggr8" => Self::BayerBggr8,
            "bayer_gbrg8" => Self::BayerGbrg8,
            "bayer_grbg8" => Self::BayerGrbg8,
            "bayer_rggb8" => Self::BayerRggb8,
            _ => return None,
        })
    }

    /// The name that viewers are told (P-167).
    pub fn name(self) -> &'static str {
        match self {
            Self::Rgb8 => "rgb8",
            Self::Rgba8 => "rgba8",
            Self::Bgr8 => "bgr8",
            Self::Bgra8 => "bgra8",
            Self::Mono8 => "mono8",
            Self::Mono16 => "mono16",
            Self::Mono32F => "32FC1",
            Self::Uyvy => "uyvy",
            Self::Yuyv => "yuyv",
            // The same planes, packed otherwise: the list has no name of its own, and messages of such a source are NV12.
            Self::Nv12 | Self::I420 => "nv12",
            Self::BayerBggr8 => "bayer_bggr8",
            Self::BayerGbrg8 => "bayer_gbrg8",
            Self::BayerGrbg8 => "bayer_grbg8",
            Self::BayerRggb8 => "bayer_rggb8",
        }
    }

    /// What each pixel adds to a row, or to a row of the Y plane, in bytes (S-244).
    pub(super) fn bytes_per_pixel(self) -> usize {
        match self {
            Self::Mono8 | Self::Nv12 | Self::I420 => 1,
            Self::BayerBggr8 | Self::BayerGbrg8 | Self::BayerGrbg8 | Self::BayerRggb8 => 1,
            Self::Mono16 | Self::Uyvy | Self::Yuyv => 2,
            Self::Rgb8 | Self::Bgr8 => 3,
            Self::Rgba8 | Self::Bgra8 | Self::Mono32F => 4,
        }
    }
}

/// How a compressed image is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// JPEG, baseline or progressive.
    Jpeg,
    /// PNG; of an animation the first image.
    Png,
    /// WebP, lossy or lossless.
    Webp,
}

impl Codec {
    /// The codec that a message's `format` names (S-246): a plain name, or what ROS image transports write,
    /// `rgb8; jpeg compressed bgr8`. `None` for anything else, such as `16UC1; compressedDepth png`.
    pub fn from_format(format: &str) -> Option<Self> {
        match format.split_once(';') {
            None => Self::named(format.trim()),
            Some((source, transport)) => {
                let mut words = transport.split_whitespace();
                let codec = Self::named(words.next()?)?;
                let compressed = words.next()?.eq_ignore_ascii_case("compressed");
                // the pixel format of the decoded picture, or nothing
                let rest = words.next().is_none_or(|pixels| !pixels.contains(';')) && words.next().is_none();
                let one_word = source.split_whitespace().count() == 1;
                (compressed && rest && one_word).then_some(codec)
            }
        }
    }

    fn named(name: &str) -> Option<Self> {
        const NAMES: [(&str, Codec); 4] =
            [("jpeg", Codec::Jpeg), ("jpg", Codec::Jpeg), ("png", Codec::Png), ("webp", Codec::Webp)];
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, codec)| codec)
    }

    /// The name that viewers are told (P-167).
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Webp => "webp",
        }
    }
}
