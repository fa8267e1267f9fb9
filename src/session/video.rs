//! Options of video tracks and their overrides in the environment (S-232, S-49).

use std::sync::Arc;

use crate::context::ChannelRef;
use crate::environment::{
    Variable, FOXGLOVE_VIDEO_CODEC, FOXGLOVE_VIDEO_ENCODER, TELELINK_VIDEO_CAPTURE_TIMES, TELELINK_VIDEO_CODEC,
    TELELINK_VIDEO_ENCODER,
};
pub use crate::fanout::VideoCounts;
pub use crate::room::{EncoderLimits, VideoCodec, VideoEncoder, VideoTrackStats};

use super::{Error, ErrorKind};

/// Asked once per image channel: `true` delivers it as data only, for depth images and the like (S-230).
pub type VideoSuppressor = Arc<dyn Fn(&ChannelRef) -> bool + Send + Sync>;

/// Whether each picture carries its capture time to viewers, as LiveKit's frame metadata (user time stamp).
///
/// The server takes it out for viewers that do not read it. livekit-server 1.13 spoils H.264 key frames by that which fit
/// into one packet, about 1,200 bytes, as dark or plain pictures do: browsers then show nothing until a larger one comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CaptureTimes {
    /// With every codec but H.264 and H.265. Default. `TELELINK_VIDEO_CAPTURE_TIMES` in the environment (`auto`, `always`,
    /// `never`) overrides it.
    #[default]
    Auto,
    /// Always: for viewers that are known to read it.
    Always,
    /// Never.
    Never,
}

impl CaptureTimes {
    pub(crate) fn with(self, codec: VideoCodec) -> bool {
        match self {
            Self::Auto => !matches!(codec, VideoCodec::H264 | VideoCodec::H265),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// How image channels become video tracks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VideoOptions {
    /// Codec. `None`: H.264, on macOS VP8. `TELELINK_VIDEO_CODEC` or `FOXGLOVE_VIDEO_CODEC` (`av1`, `h264`, `h265`, `vp8`,
    /// `vp9`) in the environment overrides either.
    pub codec: Option<VideoCodec>,
    /// Preferred encoder. Only [`VideoEncoder::Auto`] looks at `TELELINK_VIDEO_ENCODER` or `FOXGLOVE_VIDEO_ENCODER`
    /// (`auto`, `software`, `hardware`, `nvenc`, `vaapi`, `videotoolbox`) in the environment.
    pub encoder: VideoEncoder,
    /// Bounds of every encoder: 10,000 to 1,000,000,000 bits per second, 1 to 240 frames per second. `None`: the transport's
    /// own choice, by the size of the pictures.
    pub limits: Option<EncoderLimits>,
    /// Whether viewers are told when each picture was taken.
    pub capture_times: CaptureTimes,
}

/// What counts after the environment was looked at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VideoSettings {
    pub(crate) codec: VideoCodec,
    pub(crate) encoder: VideoEncoder,
    pub(crate) limits: Option<EncoderLimits>,
    pub(crate) capture_times: CaptureTimes,
}

/// S-232: H.264 allows hardware encoding on Linux; on macOS its default level stalls above 720p.
const DEFAULT_CODEC: VideoCodec = if cfg!(target_os = "macos") { VideoCodec::Vp8 } else { VideoCodec::H264 };

const CODECS: [(&str, VideoCodec); 5] = [
    ("h264", VideoCodec::H264),
    ("vp8", VideoCodec::Vp8),
    ("vp9", VideoCodec::Vp9),
    ("av1", VideoCodec::Av1),
    ("h265", VideoCodec::H265),
];

const ENCODERS: [(&str, VideoEncoder); 6] = [
    ("auto", VideoEncoder::Auto),
    ("software", VideoEncoder::Software),
    ("hardware", VideoEncoder::Hardware),
    ("nvenc", VideoEncoder::Nvenc),
    ("vaapi", VideoEncoder::Vaapi),
    ("videotoolbox", VideoEncoder::VideoToolbox),
];

const CAPTURE_TIMES: [(&str, CaptureTimes); 3] =
    [("auto", CaptureTimes::Auto), ("always", CaptureTimes::Always), ("never", CaptureTimes::Never)];

impl VideoOptions {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Some(limits) = self.limits else { return Ok(()) };
        let text = if !(10_000..=1_000_000_000).contains(&limits.max_bitrate) {
            format!("video max_bitrate is {} bit/s, outside 10,000 to 1,000,000,000", limits.max_bitrate)
        } else if !(1.0..=240.0).contains(&limits.max_framerate) {
            // Not-a-number is in no range.
            format!("video max_framerate is {} frames/s, outside 1 to 240", limits.max_framerate)
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::InvalidValue, text))
    }

    /// With the overrides of the environment, which `variable` reads.
    pub(crate) fn settings(&self, variable: impl Fn(Variable) -> Option<String>) -> VideoSettings {
        let named = choice(&variable, &[TELELINK_VIDEO_CODEC, FOXGLOVE_VIDEO_CODEC], &CODECS);
        let codec = named.or(self.codec).unwrap_or(DEFAULT_CODEC);
        let encoder = match self.encoder {
            VideoEncoder::Auto => {
                choice(&variable, &[TELELINK_VIDEO_ENCODER, FOXGLOVE_VIDEO_ENCODER], &ENCODERS).unwrap_or_default()
            }
            chosen => chosen,
        };
        let capture_times = match self.capture_times {
            CaptureTimes::Auto => {
                choice(&variable, &[TELELINK_VIDEO_CAPTURE_TIMES], &CAPTURE_TIMES).unwrap_or_default()
            }
            chosen => chosen,
        };
        VideoSettings { codec, encoder, limits: self.limits, capture_times }
    }
}

/// The value that the environment names, our own variable before the other; a bad one is reported and ignored.
fn choice<T: Copy>(
    variable: &impl Fn(Variable) -> Option<String>,
    names: &[Variable],
    values: &[(&str, T)],
) -> Option<T> {
    names.iter().find_map(|&name| {
        let given = variable(name)?;
        let found = values.iter().find(|(text, _)| given.eq_ignore_ascii_case(text)).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<&str> = values.iter().map(|(text, _)| *text).collect();
            tracing::warn!(
                name = name.name(),
                given,
                ?known,
                "a variable of the environment has an unknown value and is ignored"
            );
        }
        found
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment<'a>(set: &'a [(&str, &str)]) -> impl Fn(Variable) -> Option<String> + 'a {
        |name| set.iter().find(|(known, _)| *known == name.name()).map(|(_, value)| (*value).to_owned())
    }

    /// P-162.
    #[test]
    fn s_232_the_environment_overrides_the_codec() {
        let own = VideoOptions { codec: Some(VideoCodec::Vp9), ..Default::default() };
        // P-162. Spelled out, so that another default is noticed.
        let default = if cfg!(target_os = "macos") { VideoCodec::Vp8 } else { VideoCodec::H264 };
        assert_eq!(VideoOptions::default().settings(environment(&[])).codec, default);
        assert_eq!(own.settings(environment(&[])).codec, VideoCodec::Vp9);
        for (value, codec) in [("av1", VideoCodec::Av1), ("H265", VideoCodec::H265), ("Vp8", VideoCodec::Vp8)] {
            for name in ["TELELINK_VIDEO_CODEC", "FOXGLOVE_VIDEO_CODEC"] {
                assert_eq!(own.settings(environment(&[(name, value)])).codec, codec, "{name}={value}");
            }
        }
        let both = [("FOXGLOVE_VIDEO_CODEC", "vp8"), ("TELELINK_VIDEO_CODEC", "h264")];
        assert_eq!(own.settings(environment(&both)).codec, VideoCodec::H264);
    }

    /// P-162.
    #[test]
    fn s_049_bad_values_are_ignored() {
        let own = VideoOptions { codec: Some(VideoCodec::Vp9), ..Default::default() };
        for bad in ["", "hevc", "h.264", " h264", "auto"] {
            assert_eq!(own.settings(environment(&[("TELELINK_VIDEO_CODEC", bad)])).codec, VideoCodec::Vp9, "{bad:?}");
        }
        for bad in ["", "gpu", "video-toolbox", "h264"] {
            let settings = own.settings(environment(&[("FOXGLOVE_VIDEO_ENCODER", bad)]));
            assert_eq!(settings.encoder, VideoEncoder::Auto, "{bad:?}");
        }
        // A bad value of ours does not hide a good one of the other name.
        let both = [("TELELINK_VIDEO_CODEC", "hevc"), ("FOXGLOVE_VIDEO_CODEC", "av1")];
        assert_eq!(own.settings(environment(&both)).codec, VideoCodec::Av1);
    }

    #[test]
    fn s_049_only_an_automatic_encoder_looks_at_the_environment() {
        let set = [("TELELINK_VIDEO_ENCODER", "VAAPI")];
        assert_eq!(VideoOptions::default().settings(environment(&set)).encoder, VideoEncoder::Vaapi);
        let own = VideoOptions { encoder: VideoEncoder::Software, ..Default::default() };
        assert_eq!(own.settings(environment(&set)).encoder, VideoEncoder::Software);
    }

    #[test]
    fn capture_times_are_left_out_where_a_viewer_that_does_not_read_them_could_see_nothing() {
        let with = |own, set: &[(&str, &str)]| {
            let settings = VideoOptions { capture_times: own, ..Default::default() }.settings(environment(set));
            CODECS.map(|(_, codec)| settings.capture_times.with(codec))
        };
        assert_eq!(with(CaptureTimes::Auto, &[]), [false, true, true, true, false]);
        assert_eq!(with(CaptureTimes::Auto, &[("TELELINK_VIDEO_CAPTURE_TIMES", "Always")]), [true; 5]);
        assert_eq!(with(CaptureTimes::Never, &[("TELELINK_VIDEO_CAPTURE_TIMES", "always")]), [false; 5]);
        assert_eq!(with(CaptureTimes::Always, &[]), [true; 5]);
    }

    #[test]
    fn limits_have_their_ranges() {
        let check = |max_bitrate, max_framerate| {
            let limits = Some(EncoderLimits { max_bitrate, max_framerate });
            VideoOptions { limits, ..Default::default() }.check().is_ok()
        };
        assert!(check(10_000, 1.0) && check(1_000_000_000, 240.0));
        for (bitrate, framerate) in [(9_999, 30.0), (1_000_000_001, 30.0), (10_000, 0.9), (10_000, 241.0)] {
            assert!(!check(bitrate, framerate));
        }
        assert!(!check(10_000, f64::NAN) && !check(10_000, f64::INFINITY));
    }
}
