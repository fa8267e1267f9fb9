//! Names: of channels with images, of pixel formats and of codecs (S-229, S-243, S-246).

use telelink::video::{image_kind, Codec, ImageKind, Layout, RawFormat, Wire};

/// P-161.
#[test]
fn s_229_every_row_of_the_table_is_an_image_and_nothing_beside_it() {
    let foxglove = ["foxglove.CompressedImage", "foxglove.RawImage"];
    let rows = [
        ("protobuf", foxglove, Wire::Protobuf),
        ("json", foxglove, Wire::Json),
        ("flatbuffer", foxglove, Wire::Flatbuffer),
        ("ros1", ["sensor_msgs/CompressedImage", "sensor_msgs/Image"], Wire::Ros1),
        ("cdr", ["sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/Image"], Wire::Ros2),
        ("cdr", ["foxglove::CompressedImage", "foxglove::RawImage"], Wire::OmgIdl),
    ];
    for (encoding, [compressed, raw], wire) in rows {
        assert_eq!(image_kind(encoding, compressed), Some(ImageKind { wire, layout: Layout::Compressed }));
        assert_eq!(image_kind(encoding, raw), Some(ImageKind { wire, layout: Layout::Raw }));
        // names of one encoding mean nothing in another
        for (other, schemas, _) in rows {
            if encoding != other {
                let known = rows.iter().any(|(row, names, _)| *row == other && names.contains(&raw));
                assert_eq!(image_kind(other, raw).is_some(), known, "{other} {raw}");
                assert!(image_kind(other, schemas[0]).is_some());
            }
        }
    }
    for (encoding, schema) in [
        ("", ""),
        ("Protobuf", "foxglove.RawImage"),
        ("protobuf", "foxglove.rawimage"),
        ("protobuf", "foxglove.RawImage "),
        ("protobuf", "foxglove.CompressedVideo"),
        ("ros2", "sensor_msgs/msg/Image"),
        ("cdr", "sensor_msgs/Image"),
        ("ros1", "sensor_msgs/msg/Image"),
        ("cdr", "foxglove.RawImage"),
    ] {
        assert_eq!(image_kind(encoding, schema), None, "{encoding} {schema}");
    }
}

/// P-167.
#[test]
fn s_243_every_encoding_has_its_canonical_name() {
    for (encoding, name) in [
        ("rgb8", "rgb8"),
        ("rgba8", "rgba8"),
        ("bgr8", "bgr8"),
        ("8UC3", "bgr8"),
        ("bgra8", "bgra8"),
        ("mono8", "mono8"),
        ("8UC1", "mono8"),
        ("mono16", "mono16"),
        ("16UC1", "mono16"),
        ("32FC1", "32FC1"),
        ("yuv422", "uyvy"),
        ("uyvy", "uyvy"),
        ("yuv422_yuy2", "yuyv"),
        ("yuyv", "yuyv"),
        ("nv12", "nv12"),
        ("bayer_bggr8", "bayer_bggr8"),
        ("bayer_gbrg8", "bayer_gbrg8"),
        ("bayer_grbg8", "bayer_grbg8"),
        ("bayer_rggb8", "bayer_rggb8"),
    ] {
        assert_eq!(RawFormat::from_encoding(encoding).map(RawFormat::name), Some(name), "{encoding}");
    }
    for encoding in ["", "RGB8", " rgb8", "rgb16", "8UC4", "16UC3", "32FC3", "i420", "bayer_rggb16", "mono", "jpeg"] {
        assert_eq!(RawFormat::from_encoding(encoding), None, "{encoding}");
    }
}

/// P-167.
#[test]
fn s_246_codecs_by_plain_name_and_as_ros_writes_them() {
    for (format, codec) in [
        ("jpeg", Codec::Jpeg),
        ("jpg", Codec::Jpeg),
        ("JPEG", Codec::Jpeg),
        (" Jpg\t", Codec::Jpeg),
        ("png", Codec::Png),
        ("PNG", Codec::Png),
        ("webp", Codec::Webp),
        ("rgb8; jpeg compressed bgr8", Codec::Jpeg),
        ("bgr8; png compressed bgr8", Codec::Png),
        ("mono8; jpeg compressed ", Codec::Jpeg),
        ("mono8;jpg compressed", Codec::Jpeg),
        (" RGB8 ;  JPEG  Compressed  RGB8 ", Codec::Jpeg),
        ("rgba8; webp compressed rgba8", Codec::Webp),
    ] {
        assert_eq!(Codec::from_format(format), Some(codec), "{format:?}");
    }
    for format in [
        "",
        ";",
        "jpeg;",
        "; jpeg compressed",
        "jpegs",
        "h264",
        "tiff",
        "jpeg compressed bgr8",
        "rgb8; jpeg",
        "rgb8; compressed jpeg",
        "16UC1; compressedDepth",
        "16UC1; compressedDepth png",
        "32FC1; compressedDepth rvl",
        "16UC1; png compressedDepth",
        "rgb8; jpeg compressed bgr8 more",
        "rgb8; jpeg compressed bgr8; more",
        "rgb8 bgr8; jpeg compressed",
        "rgb8; tiff compressed bgr8",
    ] {
        assert_eq!(Codec::from_format(format), None, "{format:?}");
    }
    assert_eq!([Codec::Jpeg, Codec::Png, Codec::Webp].map(Codec::name), ["jpeg", "png", "webp"]);
}
