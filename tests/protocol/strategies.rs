//! Random messages. Everything made here can be written and reads back as itself.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use telelink::protocol::*;

pub(crate) fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..200).prop_map(Bytes::from)
}

fn string_map() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map(any::<String>(), any::<String>(), 0..4)
}

fn finite() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>().prop_filter("finite", |float| float.is_finite()), any::<i32>().prop_map(f64::from),]
}

/// A value as it may stand inside another one: anything goes (P-177).
fn nested_value() -> impl Strategy<Value = ParameterValue> {
    let scalar = prop_oneof![
        any::<i64>().prop_map(ParameterValue::Integer),
        finite().prop_map(ParameterValue::Float),
        any::<bool>().prop_map(ParameterValue::Bool),
        any::<String>().prop_map(ParameterValue::String),
    ];
    scalar.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(ParameterValue::Array),
            btree_map(any::<String>(), inner, 0..5).prop_map(ParameterValue::Dict),
        ]
    })
}

fn neither_number_nor_array() -> impl Strategy<Value = ParameterValue> {
    prop_oneof![
        any::<bool>().prop_map(ParameterValue::Bool),
        any::<String>().prop_map(ParameterValue::String),
        btree_map(any::<String>(), nested_value(), 0..4).prop_map(ParameterValue::Dict),
    ]
}

fn not_a_number() -> impl Strategy<Value = ParameterValue> {
    prop_oneof![neither_number_nor_array(), vec(nested_value(), 0..4).prop_map(ParameterValue::Array)]
}

/// A parameter with a value.
pub(crate) fn parameter() -> impl Strategy<Value = Parameter> {
    let value = prop_oneof![
        any::<i64>().prop_map(ParameterValue::Integer),
        finite().prop_map(ParameterValue::Float),
        // An array at the top is not anything: numbers of both kinds become floats, and must not mix with others (P-176).
        neither_number_nor_array(),
        vec(any::<i64>().prop_map(ParameterValue::Integer), 0..6).prop_map(ParameterValue::Array),
        vec(not_a_number(), 0..4).prop_map(ParameterValue::Array),
    ];
    prop_oneof![
        (any::<String>(), value).prop_map(|(name, value)| Parameter::new(name, value)),
        (any::<String>(), vec(any::<u8>(), 0..40)).prop_map(|(name, bytes)| Parameter::byte_array(name, &bytes)),
        (any::<String>(), vec(finite(), 0..6)).prop_map(|(name, floats)| Parameter::float_array(name, &floats)),
    ]
}

fn unset_parameter() -> impl Strategy<Value = Parameter> {
    let kind =
        prop_oneof![Just(ParameterType::ByteArray), Just(ParameterType::Float64), Just(ParameterType::Float64Array),];
    (any::<String>(), option::of(kind)).prop_map(|(name, kind)| Parameter { name, kind, value: None })
}

fn service_call() -> impl Strategy<Value = ServiceCall> {
    (any::<u32>(), any::<u32>(), any::<String>(), bytes())
        .prop_map(|(service_id, call_id, encoding, payload)| ServiceCall { service_id, call_id, encoding, payload })
}

fn client_channel() -> impl Strategy<Value = ClientChannel> {
    let strings = (any::<String>(), any::<String>(), any::<String>());
    (any::<u32>(), strings, option::of(any::<String>()), option::of(any::<String>())).prop_map(
        |(id, (topic, encoding, schema_name), schema_encoding, schema)| ClientChannel {
            id,
            topic,
            encoding,
            schema_name,
            schema_encoding,
            schema,
        },
    )
}

fn playback_control() -> impl Strategy<Value = PlaybackControl> {
    let command = prop_oneof![Just(PlaybackCommand::Play), Just(PlaybackCommand::Pause)];
    // -0.0 equals 0.0 and NaN nothing; the speed's bits are covered by the fuzz target.
    (command, -1e9_f32..1e9, option::of(any::<u64>()), any::<String>())
        .prop_map(|(command, speed, seek_time, request_id)| PlaybackControl { command, speed, seek_time, request_id })
}

fn playback_state() -> impl Strategy<Value = PlaybackState> {
    let status = prop_oneof![
        Just(PlaybackStatus::Playing),
        Just(PlaybackStatus::Paused),
        Just(PlaybackStatus::Buffering),
        Just(PlaybackStatus::Ended),
    ];
    (status, any::<u64>(), -1e9_f32..1e9, any::<bool>(), option::of(".+")).prop_map(
        |(status, current_time, speed, did_seek, request_id)| PlaybackState {
            status,
            current_time,
            speed,
            did_seek,
            request_id,
        },
    )
}

/// Any message of a viewer.
pub(crate) fn from_viewer() -> impl Strategy<Value = FromViewer> {
    let names = || vec(any::<String>(), 0..5);
    let id = || option::of(any::<String>());
    let subscribe_channel = (any::<u64>(), any::<bool>())
        .prop_map(|(id, request_video_track)| SubscribeChannel { id, request_video_track });
    let set = prop_oneof![3 => parameter().boxed(), 1 => unset_parameter().boxed()];
    prop_oneof![
        vec(subscribe_channel, 0..6).prop_map(|channels| FromViewer::Subscribe { channels }),
        vec(any::<u64>(), 0..6).prop_map(|channel_ids| FromViewer::Unsubscribe { channel_ids }),
        vec(client_channel(), 0..4).prop_map(|channels| FromViewer::Advertise { channels }),
        vec(any::<u32>(), 0..6).prop_map(|channel_ids| FromViewer::Unadvertise { channel_ids }),
        (any::<u32>(), bytes()).prop_map(|(channel_id, data)| FromViewer::MessageData { channel_id, data }),
        service_call().prop_map(FromViewer::ServiceCallRequest),
        playback_control().prop_map(FromViewer::PlaybackControl),
        any::<[u8; 8]>().prop_map(|app_timestamp| FromViewer::Ping { app_timestamp }),
        any::<u64>().prop_map(|device_timestamp_ms| FromViewer::PingAck { device_timestamp_ms }),
        (names(), id()).prop_map(|(names, id)| FromViewer::GetParameters { names, id }),
        (vec(set, 0..5), id()).prop_map(|(parameters, id)| FromViewer::SetParameters { parameters, id }),
        names().prop_map(|names| FromViewer::SubscribeParameterUpdates { names }),
        names().prop_map(|names| FromViewer::UnsubscribeParameterUpdates { names }),
        Just(FromViewer::SubscribeConnectionGraph),
        Just(FromViewer::UnsubscribeConnectionGraph),
        (any::<u32>(), any::<String>()).prop_map(|(request_id, uri)| FromViewer::FetchAsset { request_id, uri }),
    ]
}

fn server_info() -> impl Strategy<Value = ServerInfo> {
    let timestamp = || option::of((any::<u32>(), any::<u32>()).prop_map(|(sec, nsec)| Timestamp { sec, nsec }));
    let lists = (vec(proptest::sample::select(&Capability::ALL[..]), 0..8), vec(any::<String>(), 0..4));
    (any::<String>(), lists, string_map(), option::of(any::<String>()), timestamp(), timestamp()).prop_map(
        |(name, (capabilities, supported_encodings), metadata, session_id, data_start_time, data_end_time)| {
            ServerInfo { name, capabilities, supported_encodings, metadata, session_id, data_start_time, data_end_time }
        },
    )
}

fn status() -> impl Strategy<Value = Status> {
    let level = prop_oneof![Just(StatusLevel::Info), Just(StatusLevel::Warning), Just(StatusLevel::Error)];
    (level, any::<String>(), option::of(any::<String>())).prop_map(|(level, message, id)| Status { level, message, id })
}

fn advertise() -> impl Strategy<Value = Advertise> {
    let three = || (any::<String>(), any::<String>(), any::<String>());
    let entry =
        (1..u64::MAX, three()).prop_map(|(id, (name, encoding, data))| SchemaEntry { id, name, encoding, data });
    let inline = three().prop_map(|(name, encoding, data)| InlineSchema { name, encoding, data });
    let schema = prop_oneof![
        option::of(inline).prop_map(AdvertisedSchema::Inline),
        option::of(1..u64::MAX).prop_map(AdvertisedSchema::Table),
    ];
    let channel = (any::<u64>(), any::<String>(), any::<String>(), schema, string_map()).prop_map(
        |(id, topic, encoding, schema, metadata)| ChannelAdvertisement { id, topic, encoding, schema, metadata },
    );
    (vec(entry, 0..3), vec(channel, 0..4)).prop_map(|(schemas, channels)| Advertise { schemas, channels })
}

fn service_advertisement() -> impl Strategy<Value = ServiceAdvertisement> {
    let schema = || {
        option::of((any::<String>(), any::<String>(), any::<String>(), any::<String>()).prop_map(
            |(encoding, schema_name, schema_encoding, schema)| MessageSchema {
                encoding,
                schema_name,
                schema_encoding,
                schema,
            },
        ))
    };
    (any::<u32>(), any::<String>(), any::<String>(), schema(), schema()).prop_map(
        |(id, name, type_name, request, response)| ServiceAdvertisement { id, name, type_name, request, response },
    )
}

fn graph() -> impl Strategy<Value = ConnectionGraphUpdate> {
    let strings = || vec(any::<String>(), 0..4);
    let entries = move || vec((any::<String>(), strings()).prop_map(|(name, ids)| GraphEntry { name, ids }), 0..4);
    (entries(), entries(), entries(), strings(), strings()).prop_map(
        |(published_topics, subscribed_topics, advertised_services, removed_topics, removed_services)| {
            ConnectionGraphUpdate {
                published_topics,
                subscribed_topics,
                advertised_services,
                removed_topics,
                removed_services,
            }
        },
    )
}

/// Any message of a device.
pub(crate) fn to_viewer() -> impl Strategy<Value = ToViewer> {
    let result = prop_oneof![bytes().prop_map(Ok), any::<String>().prop_map(Err)];
    let pong = (any::<[u8; 8]>(), any::<u64>());
    prop_oneof![
        server_info().prop_map(ToViewer::ServerInfo),
        status().prop_map(ToViewer::Status),
        vec(any::<String>(), 0..5).prop_map(|status_ids| ToViewer::RemoveStatus { status_ids }),
        advertise().prop_map(ToViewer::Advertise),
        vec(any::<u64>(), 0..5).prop_map(|channel_ids| ToViewer::Unadvertise { channel_ids }),
        (any::<u64>(), any::<u64>(), bytes()).prop_map(|(channel_id, log_time, data)| ToViewer::MessageData {
            channel_id,
            log_time,
            data
        }),
        any::<u64>().prop_map(|timestamp| ToViewer::Time { timestamp }),
        service_call().prop_map(ToViewer::ServiceCallResponse),
        (any::<u32>(), result)
            .prop_map(|(request_id, result)| ToViewer::FetchAssetResponse(FetchAssetResponse { request_id, result })),
        playback_state().prop_map(ToViewer::PlaybackState),
        pong.prop_map(|(app_timestamp, device_timestamp_ms)| ToViewer::Pong { app_timestamp, device_timestamp_ms }),
        (vec(parameter(), 0..5), option::of(any::<String>()))
            .prop_map(|(parameters, id)| ToViewer::ParameterValues { parameters, id }),
        vec(service_advertisement(), 0..4).prop_map(|services| ToViewer::AdvertiseServices { services }),
        vec(any::<u32>(), 0..5).prop_map(|service_ids| ToViewer::UnadvertiseServices { service_ids }),
        (any::<u32>(), any::<u32>(), any::<String>())
            .prop_map(|(service_id, call_id, message)| ToViewer::ServiceCallFailure { service_id, call_id, message }),
        graph().prop_map(ToViewer::ConnectionGraphUpdate),
    ]
}
