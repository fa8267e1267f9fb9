//! The worked examples of section 13, E-1 to E-20, read and written.

use bytes::Bytes;
use telelink::protocol::{
    data_track, message_data_frame, Advertise, AdvertisedSchema, Capability, ChannelAdvertisement, ClientChannel,
    ConnectionGraphUpdate, FetchAssetResponse, FromViewer, GraphEntry, InlineSchema, MessageSchema, Parameter,
    ParameterType, ParameterValue, PlaybackCommand, PlaybackControl, PlaybackState, PlaybackStatus, ServerInfo,
    ServiceAdvertisement, ServiceCall, Status, StatusLevel, SubscribeChannel, ToViewer,
};

use crate::support::{from_viewer, hex, json_of, one_frame, to_viewer};

const PAYLOAD: Bytes = Bytes::from_static(b"{\"key\": \"value\"}");

fn assert_from_viewer(dump: &str, message: FromViewer) {
    assert_eq!(FromViewer::decode(&one_frame(&hex(dump))), Ok(message.clone()));
    assert_eq!(message.to_frame().unwrap(), hex(dump));
}

fn assert_to_viewer(dump: &str, message: ToViewer) {
    assert_eq!(ToViewer::decode(&one_frame(&hex(dump))), Ok(message.clone()));
    assert_eq!(message.to_frame().unwrap(), hex(dump));
}

#[test]
fn e_1_subscribe() {
    assert_from_viewer(
        "01 | 28 00 00 00 |
         7b 22 6f 70 22 3a 22 73 75 62 73 63 72 69 62 65 22 2c 22 63 68 61 6e 6e 65 6c
         73 22 3a 5b 7b 22 69 64 22 3a 31 7d 5d 7d",
        FromViewer::Subscribe { channels: vec![SubscribeChannel { id: 1, request_video_track: false }] },
    );
}

#[test]
fn e_2_error_status() {
    assert_to_viewer(
        "01 | 4a 00 00 00 |
         7b 22 6f 70 22 3a 22 73 74 61 74 75 73 22 2c 22 6c 65 76 65 6c 22 3a 32 2c 22
         6d 65 73 73 61 67 65 22 3a 22 43 6c 69 65 6e 74 20 68 61 73 20 6e 6f 74 20 61
         64 76 65 72 74 69 73 65 64 20 63 68 61 6e 6e 65 6c 3a 20 37 22 7d",
        ToViewer::Status(Status {
            level: StatusLevel::Error,
            message: telelink::protocol::texts::not_advertised(7),
            id: None,
        }),
    );
}

/// S-69, P-31.
#[test]
fn e_3_device_message_data() {
    let dump = "02 | 21 00 00 00 | 01 | 1e 00 00 00 00 00 00 00 | d2 04 00 00 00 00 00 00 |
                7b 22 6b 65 79 22 3a 20 22 76 61 6c 75 65 22 7d";
    assert_to_viewer(dump, ToViewer::MessageData { channel_id: 30, log_time: 1234, data: PAYLOAD });
    assert_eq!(message_data_frame(30, 1234, &PAYLOAD).unwrap(), hex(dump));
}

/// S-69.
#[test]
fn e_4_viewer_message_data() {
    assert_from_viewer(
        "02 | 15 00 00 00 | 01 | 1e 00 00 00 | 7b 22 6b 65 79 22 3a 20 22 76 61 6c 75 65 22 7d",
        FromViewer::MessageData { channel_id: 30, data: PAYLOAD },
    );
}

/// P-31.
#[test]
fn e_5_e_6_e_7_ping_pong_and_ack() {
    let app_timestamp = 1_711_500_000_000_u64.to_le_bytes();
    let device_timestamp_ms = 1_711_500_000_025;
    assert_from_viewer("02 | 09 00 00 00 | 04 | 00 7b 59 7d 8e 01 00 00", FromViewer::Ping { app_timestamp });
    assert_to_viewer(
        "02 | 11 00 00 00 | 06 | 00 7b 59 7d 8e 01 00 00 | 19 7b 59 7d 8e 01 00 00",
        ToViewer::Pong { app_timestamp, device_timestamp_ms },
    );
    assert_from_viewer("02 | 09 00 00 00 | 05 | 19 7b 59 7d 8e 01 00 00", FromViewer::PingAck { device_timestamp_ms });
}

/// P-135.
#[test]
fn e_8_e_9_service_call_and_response() {
    let call = || ServiceCall { service_id: 10, call_id: 12, encoding: "json".into(), payload: PAYLOAD };
    assert_from_viewer(
        "02 | 21 00 00 00 | 02 | 0a 00 00 00 | 0c 00 00 00 | 04 00 00 00 | 6a 73 6f 6e |
         7b 22 6b 65 79 22 3a 20 22 76 61 6c 75 65 22 7d",
        FromViewer::ServiceCallRequest(call()),
    );
    assert_to_viewer(
        "02 | 21 00 00 00 | 03 | 0a 00 00 00 | 0c 00 00 00 | 04 00 00 00 | 6a 73 6f 6e |
         7b 22 6b 65 79 22 3a 20 22 76 61 6c 75 65 22 7d",
        ToViewer::ServiceCallResponse(call()),
    );
}

#[test]
fn e_10_service_call_failure() {
    assert_to_viewer(
        "01 | 52 00 00 00 |
         7b 22 6f 70 22 3a 22 73 65 72 76 69 63 65 43 61 6c 6c 46 61 69 6c 75 72 65 22
         2c 22 73 65 72 76 69 63 65 49 64 22 3a 31 30 2c 22 63 61 6c 6c 49 64 22 3a 31
         32 2c 22 6d 65 73 73 61 67 65 22 3a 22 55 6e 6b 6e 6f 77 6e 20 73 65 72 76 69
         63 65 22 7d",
        ToViewer::ServiceCallFailure {
            service_id: 10,
            call_id: 12,
            message: telelink::protocol::texts::UNKNOWN_SERVICE.into(),
        },
    );
}

#[test]
fn e_11_fetch_asset() {
    assert_from_viewer(
        "01 | 3d 00 00 00 |
         7b 22 6f 70 22 3a 22 66 65 74 63 68 41 73 73 65 74 22 2c 22 72 65 71 75 65 73
         74 49 64 22 3a 31 30 2c 22 75 72 69 22 3a 22 70 61 63 6b 61 67 65 3a 2f 2f 61
         2f 62 2e 75 72 64 66 22 7d",
        FromViewer::FetchAsset { request_id: 10, uri: "package://a/b.urdf".into() },
    );
}

#[test]
fn e_12_e_13_fetch_asset_responses() {
    assert_to_viewer(
        "02 | 0e 00 00 00 | 04 | 0a 00 00 00 | 00 | 00 00 00 00 | 64 61 74 61",
        ToViewer::FetchAssetResponse(FetchAssetResponse { request_id: 10, result: Ok(Bytes::from_static(b"data")) }),
    );
    assert_to_viewer(
        "02 | 0f 00 00 00 | 04 | 0a 00 00 00 | 01 | 05 00 00 00 | 6f 68 20 6e 6f",
        ToViewer::FetchAssetResponse(FetchAssetResponse { request_id: 10, result: Err("oh no".into()) }),
    );
}

#[test]
fn e_14_e_15_data_track_frames() {
    for (sequence, data, dump) in [
        (0, "hello", "00 00 | 08 00 | 00 00 00 00 | 68 65 6c 6c 6f"),
        (258, "{\"a\":1}", "00 00 | 08 00 | 02 01 00 00 | 7b 22 61 22 3a 31 7d"),
    ] {
        assert_eq!(data_track::frame(sequence, data.as_bytes())[..], hex(dump));
        let decoded = data_track::decode(&Bytes::from(hex(dump))).unwrap();
        assert_eq!((decoded.flags, decoded.sequence, &decoded.data[..]), (0, sequence, data.as_bytes()));
    }
}

#[test]
fn e_16_playback_control() {
    assert_from_viewer(
        "02 | 1a 00 00 00 | 03 | 00 | 00 00 80 3f | 01 | 15 cd 5b 07 00 00 00 00 |
         07 00 00 00 | 73 6f 6d 65 2d 69 64",
        FromViewer::PlaybackControl(PlaybackControl {
            command: PlaybackCommand::Play,
            speed: 1.0,
            seek_time: Some(123_456_789),
            request_id: "some-id".into(),
        }),
    );
}

#[test]
fn e_17_playback_state() {
    assert_to_viewer(
        "02 | 21 00 00 00 | 05 | 00 | 39 30 00 00 00 00 00 00 | 00 00 80 3f | 00 |
         0e 00 00 00 | 69 2d 61 6d 2d 61 2d 72 65 71 75 65 73 74",
        ToViewer::PlaybackState(PlaybackState {
            status: PlaybackStatus::Playing,
            current_time: 12345,
            speed: 1.0,
            did_seek: false,
            request_id: Some("i-am-a-request".into()),
        }),
    );
}

#[test]
fn e_18_time() {
    assert_to_viewer("02 | 09 00 00 00 | 02 | d2 02 96 49 00 00 00 00", ToViewer::Time { timestamp: 1_234_567_890 });
}

#[test]
fn e_19_json_of_the_device() {
    let channel = |id, topic: &str, encoding: &str, schema: Option<(&str, &str, &str)>| ChannelAdvertisement {
        id,
        topic: topic.into(),
        encoding: encoding.into(),
        schema: AdvertisedSchema::Inline(schema.map(|(name, encoding, data)| InlineSchema {
            name: name.into(),
            encoding: encoding.into(),
            data: data.into(),
        })),
        metadata: Default::default(),
    };
    let mut reliable = channel(3, "/c", "protobuf", Some(("C", "protobuf", "3q2+7w==")));
    reliable.metadata.insert("foxglove.reliable".into(), "true".into());
    let typed = |name: &str, kind, value| Parameter { name: name.into(), kind: Some(kind), value: Some(value) };
    let floats = ParameterValue::Array(vec![ParameterValue::Float(1.23), ParameterValue::Float(4.56)]);
    let integers = ParameterValue::Array(vec![ParameterValue::Integer(1), ParameterValue::Integer(2)]);
    let entry = |name: &str, id: &str| GraphEntry { name: name.into(), ids: vec![id.into()] };

    let table = [
        (
            r#"{"op":"serverInfo","name":"robot","capabilities":["clientPublish","parameters","parametersSubscribe"],"supportedEncodings":["json"],"metadata":{"fg-library":"example/1.0"},"sessionId":"ras_1"}"#,
            ToViewer::ServerInfo(ServerInfo {
                name: "robot".into(),
                capabilities: vec![Capability::ClientPublish, Capability::Parameters, Capability::ParametersSubscribe],
                supported_encodings: vec!["json".into()],
                metadata: [("fg-library".to_owned(), "example/1.0".to_owned())].into(),
                session_id: Some("ras_1".into()),
                ..ServerInfo::default()
            }),
        ),
        (
            r#"{"op":"advertise","channels":[{"id":1,"topic":"/a","encoding":"json","schemaName":"","schema":""},{"id":2,"topic":"/b","encoding":"json","schemaName":"B","schemaEncoding":"jsonschema","schema":"{\"type\": \"object\"}"},{"id":3,"topic":"/c","encoding":"protobuf","schemaName":"C","schemaEncoding":"protobuf","schema":"3q2+7w==","metadata":{"foxglove.reliable":"true"}}]}"#,
            ToViewer::Advertise(Advertise {
                schemas: vec![],
                channels: vec![
                    channel(1, "/a", "json", None),
                    channel(2, "/b", "json", Some(("B", "jsonschema", "{\"type\": \"object\"}"))),
                    reliable,
                ],
            }),
        ),
        (r#"{"op":"unadvertise","channelIds":[3]}"#, ToViewer::Unadvertise { channel_ids: vec![3] }),
        (
            r#"{"op":"removeStatus","statusIds":["channel-drops-3"]}"#,
            ToViewer::RemoveStatus { status_ids: vec!["channel-drops-3".into()] },
        ),
        (
            r#"{"op":"parameterValues","parameters":[{"name":"i","value":123},{"name":"f","type":"float64","value":1.0},{"name":"fa","type":"float64_array","value":[1.23,4.56]},{"name":"b","type":"byte_array","value":"ECAw"},{"name":"d","value":{"k":[1,2]}}],"id":"req-1"}"#,
            ToViewer::ParameterValues {
                parameters: vec![
                    Parameter::new("i", ParameterValue::Integer(123)),
                    typed("f", ParameterType::Float64, ParameterValue::Float(1.0)),
                    typed("fa", ParameterType::Float64Array, floats),
                    Parameter::byte_array("b", &[0x10, 0x20, 0x30]),
                    Parameter::new("d", ParameterValue::Dict([("k".to_owned(), integers)].into())),
                ],
                id: Some("req-1".into()),
            },
        ),
        (
            r#"{"op":"advertiseServices","services":[{"id":1,"name":"/s","type":"T","request":{"encoding":"json","schemaName":"Req","schemaEncoding":"jsonschema","schema":"{}"},"responseSchema":""}]}"#,
            ToViewer::AdvertiseServices {
                services: vec![ServiceAdvertisement {
                    id: 1,
                    name: "/s".into(),
                    type_name: "T".into(),
                    request: Some(MessageSchema {
                        encoding: "json".into(),
                        schema_name: "Req".into(),
                        schema_encoding: "jsonschema".into(),
                        schema: "{}".into(),
                    }),
                    response: None,
                }],
            },
        ),
        (
            r#"{"op":"connectionGraphUpdate","publishedTopics":[{"name":"/a","publisherIds":["p1"]}],"subscribedTopics":[],"advertisedServices":[],"removedTopics":[],"removedServices":[]}"#,
            ToViewer::ConnectionGraphUpdate(ConnectionGraphUpdate {
                published_topics: vec![entry("/a", "p1")],
                ..ConnectionGraphUpdate::default()
            }),
        ),
    ];
    for (json, message) in table {
        assert_eq!(to_viewer(json), Ok(message.clone()));
        assert_eq!(json_of(&message.to_frame().unwrap()), json);
    }
}

#[test]
fn e_20_json_of_the_viewer() {
    let gain =
        Parameter { name: "gain".into(), kind: Some(ParameterType::Float64), value: Some(ParameterValue::Float(2.0)) };
    let table = [
        (
            r#"{"op":"subscribe","channels":[{"id":10},{"id":20,"requestVideoTrack":true}]}"#,
            FromViewer::Subscribe {
                channels: vec![
                    SubscribeChannel { id: 10, request_video_track: false },
                    SubscribeChannel { id: 20, request_video_track: true },
                ],
            },
        ),
        (r#"{"op":"unsubscribe","channelIds":[10,20]}"#, FromViewer::Unsubscribe { channel_ids: vec![10, 20] }),
        (
            r#"{"op":"advertise","channels":[{"id":1,"topic":"/cmd","encoding":"json","schemaName":""}]}"#,
            FromViewer::Advertise {
                channels: vec![ClientChannel {
                    id: 1,
                    topic: "/cmd".into(),
                    encoding: "json".into(),
                    schema_name: String::new(),
                    schema_encoding: None,
                    schema: None,
                }],
            },
        ),
        (
            r#"{"op":"getParameters","parameterNames":[],"id":"all"}"#,
            FromViewer::GetParameters { names: vec![], id: Some("all".into()) },
        ),
        (
            r#"{"op":"setParameters","parameters":[{"name":"gain","type":"float64","value":2},{"name":"old"}],"id":"s1"}"#,
            FromViewer::SetParameters { parameters: vec![gain, Parameter::unset("old")], id: Some("s1".into()) },
        ),
        (
            r#"{"op":"subscribeParameterUpdates","parameterNames":["gain"]}"#,
            FromViewer::SubscribeParameterUpdates { names: vec!["gain".into()] },
        ),
        (r#"{"op":"subscribeConnectionGraph"}"#, FromViewer::SubscribeConnectionGraph),
    ];
    for (json, message) in table {
        assert_eq!(from_viewer(json), Ok(message.clone()));
        // The example writes a float as JavaScript does; we keep the point (P-179).
        let expected = json.replace("\"value\":2}", "\"value\":2.0}");
        assert_eq!(json_of(&message.to_frame().unwrap()), expected);
    }
}
