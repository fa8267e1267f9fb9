//! The observable strings of section 12, letter by letter.

use telelink::protocol::schema::decode_schema_data;
use telelink::protocol::texts::*;

/// S-201.
#[test]
fn section_12_fixed_texts() {
    let table = [
        (NO_CLIENT_PUBLISH, "Server does not support clientPublish capability"),
        (NO_PARAMETERS, "Server does not support parameters capability"),
        (NO_PARAMETERS_SUBSCRIBE, "Server does not support parametersSubscribe capability"),
        (TOO_MANY_PARAMETER_REQUESTS, "Too many concurrent parameter requests"),
        (PARAMETER_HANDLER_DROPPED, "Internal server error: parameter handler failed to send a response"),
        (NO_CONNECTION_GRAPH, "Server does not support connection graph capability"),
        (NO_ASSETS, "Server does not support assets capability"),
        (TOO_MANY_ASSET_REQUESTS, "Too many concurrent fetch asset requests"),
        (ASSET_HANDLER_DROPPED, "Internal server error: asset handler failed to send a response"),
        (NO_SERVICES, "Server does not support services"),
        (UNKNOWN_SERVICE, "Unknown service"),
        (UNSUPPORTED_ENCODING, "Unsupported encoding"),
        (TOO_MANY_SERVICE_CALLS, "Too many requests"),
        (SERVICE_HANDLER_DROPPED, "Internal server error: service failed to send a response"),
    ];
    for (ours, theirs) in table {
        assert_eq!(ours, theirs);
    }
}

/// P-121.
#[test]
fn section_12_texts_with_substitutions() {
    assert_eq!(
        incompatible_version("1.0.0"),
        "Remote access protocol version 1.0.0 is not compatible with this device (supported: 2.3.0)"
    );
    assert_eq!(unknown_channel(9), "Unknown channel ID: 9");
    assert_eq!(no_video(1), "Channel 1 does not support video transcoding");
    assert_eq!(already_advertised(1), "Client is already advertising channel: 1; ignoring advertisement");
    assert_eq!(not_advertised(7), "Client has not advertised channel: 7");
    let error = decode_schema_data("protobuf", "!").unwrap_err();
    assert!(client_schema_error(3, &error)
        .starts_with("Failed to decode schema for channel 3: Schema data is not valid base64: "));
    assert_eq!(
        point_cloud_error("/points", "internal error"),
        "point cloud compression error on topic /points: internal error"
    );
    assert_eq!(point_cloud_status_id(4), "point-cloud-compression-4");
}

#[test]
fn p_118_drop_warning_counts_in_singular_and_plural() {
    assert_eq!(
        dropped_oversize(1, "/fixture/lossy", 102_400),
        "Dropped 1 message on topic /fixture/lossy: exceeds 100 KiB per-message size limit"
    );
    assert_eq!(
        dropped_oversize(12, "/t", 1200),
        "Dropped 12 messages on topic /t: exceeds 1.17 KiB per-message size limit"
    );
    assert_eq!(oversize_status_id(3), "channel-drops-3");
}

#[test]
fn p_119_sizes() {
    let table = [
        (0, "0 bytes"),
        (512, "512 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (1200, "1.17 KiB"),
        (1536, "1.5 KiB"),
        (102_400, "100 KiB"),
        (1_048_575, "1024 KiB"),
        (1_048_576, "1 MiB"),
        (2_097_152, "2 MiB"),
        (1_310_720, "1.25 MiB"),
        (10_737_418_240, "10240 MiB"),
    ];
    for (bytes, text) in table {
        assert_eq!(format_size(bytes), text);
    }
}
