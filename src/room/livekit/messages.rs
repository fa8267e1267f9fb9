//! The protobuf subset spoken with the LiveKit library: what is used, and whatever carries a handle that must be dropped.
//!
//! Declared by hand against livekit-ffi.md section 4 and checked against the wheel's own descriptors by
//! `tests/livekit/descriptors.rs`. Unknown fields are skipped by the decoder, so a newer library is understood.
//! Field and value names are the library's; the message types are private, so they carry no further documentation.

use std::collections::HashMap;

use bytes::Bytes;

use super::schema::{EnumDecl, FieldDecl, MessageDecl};

messages! {
    /// Owns one handle of the library: dropping it drops the handle (handle.rs).
    FfiOwnedHandle { required uint64 id = 1; }

    // Requests and responses.
    FfiRequest {
        optional message ConnectRequest connect = 3;
        optional message DisconnectRequest disconnect = 4;
        optional message GetSessionStatsRequest get_session_stats = 12;
        optional message GetStatsRequest get_stats = 19;
        optional message PublishTrackRequest publish_track = 5;
        optional message UnpublishTrackRequest unpublish_track = 6;
        optional message SetSubscribedRequest set_subscribed = 8;
        optional message CreateVideoTrackRequest create_video_track = 15;
        optional message NewVideoStreamRequest new_video_stream = 20;
        optional message NewVideoSourceRequest new_video_source = 21;
        optional message CaptureVideoFrameRequest capture_video_frame = 22;
        optional message CaptureEncodedVideoFrameRequest capture_encoded_video_frame = 87;
        optional message TakeEncodedVideoSourceFeedbackRequest take_encoded_video_source_feedback = 88;
        optional message ByteStreamReaderReadIncrementalRequest byte_read_incremental = 54;
        optional message ByteStreamOpenRequest byte_stream_open = 61;
        optional message ByteStreamWriterWriteRequest byte_stream_write = 62;
        optional message ByteStreamWriterCloseRequest byte_stream_close = 63;
        optional message PublishDataTrackRequest publish_data_track = 69;
        optional message LocalDataTrackTryPushRequest local_data_track_try_push = 70;
        optional message LocalDataTrackUnpublishRequest local_data_track_unpublish = 71;
        optional message SubscribeDataTrackRequest subscribe_data_track = 73;
        optional message DataTrackStreamReadRequest data_track_stream_read = 75;
        optional message SimulateScenarioRequest simulate_scenario = 76;
        optional message ReadyForRoomEventRequest ready_for_room_event = 83;
    }
    FfiResponse {
        optional message CreateVideoTrackResponse create_video_track = 15;
        optional message NewVideoStreamResponse new_video_stream = 20;
        optional message NewVideoSourceResponse new_video_source = 21;
        optional message CaptureEncodedVideoFrameResponse capture_encoded_video_frame = 87;
        optional message TakeEncodedVideoSourceFeedbackResponse take_encoded_video_source_feedback = 88;
        optional message LocalDataTrackTryPushResponse local_data_track_try_push = 69;
        optional message SubscribeDataTrackResponse subscribe_data_track = 72;
        optional message DataTrackStreamReadResponse data_track_stream_read = 74;
    }
    ConnectRequest {
        required string url = 1;
        required string token = 2;
        required message RoomOptions options = 3;
        optional uint64 request_async_id = 4;
    }
    RoomOptions {
        optional bool auto_subscribe = 1;
        optional bool adaptive_stream = 2;
        optional bool dynacast = 3;
        optional message RtcConfig rtc_config = 5;
        optional uint32 join_retries = 6;
        optional uint64 connect_timeout_ms = 9;
    }
    RtcConfig {
        optional enum IceTransportType ice_transport_type = 1;
        optional enum ContinualGatheringPolicy continual_gathering_policy = 2;
        repeated message IceServer ice_servers = 3;
    }
    IceServer {
        repeated string urls = 1;
        optional string username = 2;
        optional string password = 3;
    }
    DisconnectRequest {
        required uint64 room_handle = 1;
        optional uint64 request_async_id = 2;
    }
    GetSessionStatsRequest {
        required uint64 room_handle = 1;
        optional uint64 request_async_id = 2;
    }
    ByteStreamReaderReadIncrementalRequest { required uint64 reader_handle = 1; }
    ByteStreamOpenRequest {
        required uint64 local_participant_handle = 1;
        required message StreamByteOptions options = 2;
        optional uint64 request_async_id = 3;
    }
    StreamByteOptions {
        required string topic = 1;
        repeated string destination_identities = 3;
    }
    ByteStreamWriterWriteRequest {
        required uint64 writer_handle = 1;
        required bytes bytes = 2;
        optional uint64 request_async_id = 3;
    }
    ByteStreamWriterCloseRequest {
        required uint64 writer_handle = 1;
        optional string reason = 2;
        optional uint64 request_async_id = 3;
    }
    PublishDataTrackRequest {
        required uint64 local_participant_handle = 1;
        required message DataTrackOptions options = 2;
        optional uint64 request_async_id = 3;
    }
    DataTrackOptions { required string name = 1; }
    LocalDataTrackTryPushRequest {
        required uint64 track_handle = 1;
        required message DataTrackFrame frame = 2;
    }
    LocalDataTrackTryPushResponse { optional message LocalDataTrackTryPushError error = 2; }
    LocalDataTrackTryPushError {
        required enum LocalDataTrackTryPushErrorCode code = 1;
        required string message = 2;
    }
    DataTrackFrame {
        required bytes payload = 1;
        optional uint64 user_timestamp = 2;
    }
    LocalDataTrackUnpublishRequest { required uint64 track_handle = 1; }
    SubscribeDataTrackRequest {
        required uint64 track_handle = 1;
        required message DataTrackSubscribeOptions options = 2;
    }
    DataTrackSubscribeOptions { optional uint32 buffer_size = 1; }
    SubscribeDataTrackResponse { required message OwnedDataTrackStream stream = 1; }
    OwnedDataTrackStream { required message FfiOwnedHandle handle = 1; }
    DataTrackStreamReadRequest { required uint64 stream_handle = 1; }
    DataTrackStreamReadResponse { optional message DataTrackStreamEOS eos_event = 1; }
    SimulateScenarioRequest {
        required uint64 room_handle = 1;
        required enum SimulateScenarioKind scenario = 2;
        optional uint64 request_async_id = 3;
    }
    ReadyForRoomEventRequest { required uint64 room_handle = 1; }

    // Video.
    PublishTrackRequest {
        required uint64 local_participant_handle = 1;
        required uint64 track_handle = 2;
        required message TrackPublishOptions options = 3;
        optional uint64 request_async_id = 4;
    }
    TrackPublishOptions {
        optional message VideoEncoding video_encoding = 1;
        optional enum VideoCodec video_codec = 3;
        optional bool simulcast = 6;
        optional enum TrackSource source = 7;
        repeated enum FrameMetadataFeature frame_metadata_features = 10;
        optional enum VideoEncoderBackend video_encoder = 12;
    }
    VideoEncoding {
        required uint64 max_bitrate = 1;
        required double max_framerate = 2;
    }
    UnpublishTrackRequest {
        required uint64 local_participant_handle = 1;
        required string track_sid = 2;
        required bool stop_on_unpublish = 3;
        optional uint64 request_async_id = 4;
    }
    SetSubscribedRequest {
        required bool subscribe = 1;
        required uint64 publication_handle = 2;
    }
    CreateVideoTrackRequest {
        required string name = 1;
        required uint64 source_handle = 2;
    }
    CreateVideoTrackResponse { required message OwnedTrack track = 1; }
    NewVideoSourceRequest {
        required enum VideoSourceType r#type = 1;
        required message VideoSourceResolution resolution = 2;
        optional bool is_screencast = 3;
    }
    VideoSourceResolution {
        required uint32 width = 1;
        required uint32 height = 2;
    }
    NewVideoSourceResponse { required message OwnedVideoSource source = 1; }
    OwnedVideoSource { required message FfiOwnedHandle handle = 1; }
    CaptureVideoFrameRequest {
        required uint64 source_handle = 1;
        required message VideoBufferInfo buffer = 2;
        required int64 timestamp_us = 3;
        required enum VideoRotation rotation = 4;
        optional message FrameMetadata metadata = 5;
    }
    /// Names memory of the caller, or of the library's: only library.rs makes and reads these.
    VideoBufferInfo {
        required enum VideoBufferType r#type = 1;
        required uint32 width = 2;
        required uint32 height = 3;
        required uint64 data_ptr = 4;
        optional uint32 stride = 6;
        repeated message ComponentInfo components = 7;
    }
    ComponentInfo as "VideoBufferInfo.ComponentInfo" {
        required uint64 data_ptr = 1;
        required uint32 stride = 2;
        required uint32 size = 3;
    }
    FrameMetadata { optional uint64 user_timestamp = 1; }
    CaptureEncodedVideoFrameRequest {
        required uint64 source_handle = 1;
        required message EncodedVideoBufferInfo buffer = 2;
        required enum VideoCodec codec = 3;
        required enum EncodedFrameType frame_type = 4;
        required uint32 width = 5;
        required uint32 height = 6;
        required int64 timestamp_us = 7;
        optional message FrameMetadata metadata = 8;
    }
    /// As VideoBufferInfo.
    EncodedVideoBufferInfo {
        required uint64 data_ptr = 1;
        required uint64 data_len = 2;
    }
    CaptureEncodedVideoFrameResponse { required bool accepted = 1; }
    TakeEncodedVideoSourceFeedbackRequest { required uint64 source_handle = 1; }
    TakeEncodedVideoSourceFeedbackResponse { required bool keyframe_requested = 1; }
    NewVideoStreamRequest {
        required uint64 track_handle = 1;
        required enum VideoStreamType r#type = 2;
        optional enum VideoBufferType format = 3;
        optional bool normalize_stride = 4;
        optional uint32 queue_size_frames = 5;
    }
    NewVideoStreamResponse { required message OwnedVideoStream stream = 1; }
    OwnedVideoStream { required message FfiOwnedHandle handle = 1; }
    GetStatsRequest {
        required uint64 track_handle = 1;
        optional uint64 request_async_id = 2;
    }

    // Events that are not of a room.
    FfiEvent {
        optional message RoomEvent room_event = 1;
        optional message ConnectCallback connect = 5;
        optional message DisconnectCallback disconnect = 7;
        optional message VideoStreamEvent video_stream_event = 3;
        optional message PublishTrackCallback publish_track = 9;
        optional message UnpublishTrackCallback unpublish_track = 10;
        optional message GetStatsCallback get_stats = 17;
        optional raw LogBatch logs = 18;
        optional message GetSessionStatsCallback get_session_stats = 19;
        optional message Panic panic = 20;
        optional message ByteStreamReaderEvent byte_stream_reader_event = 28;
        optional message ByteStreamOpenCallback byte_stream_open = 31;
        optional message ByteStreamWriterWriteCallback byte_stream_writer_write = 32;
        optional message ByteStreamWriterCloseCallback byte_stream_writer_close = 33;
        optional message PublishDataTrackCallback publish_data_track = 42;
        optional message DataTrackStreamEvent data_track_stream_event = 43;
        optional message SimulateScenarioCallback simulate_scenario = 44;
    }
    ConnectCallback {
        required uint64 async_id = 1;
        optional string error = 2;
        optional message ConnectResult result = 3;
    }
    ConnectResult as "ConnectCallback.Result" {
        required message OwnedRoom room = 1;
        required message OwnedParticipant local_participant = 2;
        repeated message ParticipantWithTracks participants = 3;
    }
    ParticipantWithTracks as "ConnectCallback.ParticipantWithTracks" {
        required message OwnedParticipant participant = 1;
        repeated message OwnedTrackPublication publications = 2;
    }
    OwnedRoom { required message FfiOwnedHandle handle = 1; }
    OwnedParticipant {
        required message FfiOwnedHandle handle = 1;
        required message ParticipantInfo info = 2;
    }
    ParticipantInfo {
        required string sid = 1;
        required string name = 2;
        required string identity = 3;
        required enum ParticipantState state = 4;
        map string string attributes = 6;
        required enum ParticipantKind kind = 7;
        required int64 joined_at = 9;
    }
    OwnedTrackPublication {
        required message FfiOwnedHandle handle = 1;
        required message TrackPublicationInfo info = 2;
    }
    TrackPublicationInfo {
        required string sid = 1;
        required string name = 2;
        required enum TrackKind kind = 3;
    }
    OwnedTrack {
        required message FfiOwnedHandle handle = 1;
        required message TrackInfo info = 2;
    }
    TrackInfo { required string sid = 1; }
    PublishTrackCallback {
        required uint64 async_id = 1;
        optional string error = 2;
        optional message OwnedTrackPublication publication = 3;
    }
    UnpublishTrackCallback {
        required uint64 async_id = 1;
        optional string error = 2;
    }
    GetStatsCallback {
        required uint64 async_id = 1;
        optional string error = 2;
        repeated message RtcStats stats = 3;
    }
    VideoStreamEvent {
        required uint64 stream_handle = 1;
        optional message VideoFrameReceived frame_received = 2;
        optional message VideoStreamEOS eos = 3;
    }
    VideoFrameReceived {
        required message OwnedVideoBuffer buffer = 1;
        required int64 timestamp_us = 2;
        optional message FrameMetadata metadata = 4;
    }
    OwnedVideoBuffer {
        required message FfiOwnedHandle handle = 1;
        required message VideoBufferInfo info = 2;
    }
    VideoStreamEOS { }
    OwnedBuffer { required message FfiOwnedHandle handle = 1; }
    DisconnectCallback { required uint64 async_id = 1; }
    GetSessionStatsCallback {
        required uint64 async_id = 1;
        optional string error = 2;
        optional message SessionStats result = 3;
    }
    SessionStats as "GetSessionStatsCallback.Result" {
        repeated message RtcStats publisher_stats = 1;
        repeated message RtcStats subscriber_stats = 2;
    }
    RtcStats {
        optional message OutboundRtp outbound_rtp = 5;
        optional message DataChannel data_channel = 11;
        optional message Transport transport = 12;
        optional message CandidatePair candidate_pair = 13;
    }
    OutboundRtp as "RtcStats.OutboundRtp" {
        required message RtpStreamStats stream = 2;
        required message SentRtpStreamStats sent = 3;
        required message OutboundRtpStreamStats outbound = 4;
    }
    OutboundRtpStreamStats {
        required uint32 frame_width = 11;
        required uint32 frame_height = 12;
        required double frames_per_second = 13;
        required uint32 frames_encoded = 16;
        required uint32 key_frames_encoded = 17;
        required string encoder_implementation = 27;
        required bool power_efficient_encoder = 28;
    }
    RtpStreamStats { required string kind = 2; }
    SentRtpStreamStats { required uint64 bytes_sent = 2; }
    DataChannel as "RtcStats.DataChannel" { required message DataChannelStats dc = 2; }
    DataChannelStats {
        required string label = 1;
        required uint32 messages_sent = 5;
    }
    Transport as "RtcStats.Transport" { required message TransportStats transport = 2; }
    TransportStats {
        required uint64 bytes_sent = 3;
        required uint64 bytes_received = 4;
    }
    CandidatePair as "RtcStats.CandidatePair" { required message CandidatePairStats candidate_pair = 2; }
    CandidatePairStats {
        required bool nominated = 5;
        required double current_round_trip_time = 13;
        required uint64 responses_received = 18;
    }
    Panic { required string message = 1; }
    LogBatch { repeated raw LogRecord records = 1; }
    /// The one field that decides whether the rest is worth decoding.
    LogRecordLevel as "LogRecord" { required enum LogLevel level = 1; }
    LogRecord {
        required enum LogLevel level = 1;
        required string target = 2;
        required string message = 6;
    }
    ByteStreamReaderEvent {
        required uint64 reader_handle = 1;
        optional message ByteStreamReaderChunkReceived chunk_received = 2;
        optional message ByteStreamReaderEOS eos = 3;
    }
    ByteStreamReaderChunkReceived { required bytes content = 1; }
    ByteStreamReaderEOS { optional message StreamError error = 1; }
    StreamError { required string description = 1; }
    ByteStreamOpenCallback {
        required uint64 async_id = 1;
        optional message OwnedByteStreamWriter writer = 2;
        optional message StreamError error = 3;
    }
    OwnedByteStreamWriter { required message FfiOwnedHandle handle = 1; }
    ByteStreamWriterWriteCallback {
        required uint64 async_id = 1;
        optional message StreamError error = 2;
    }
    ByteStreamWriterCloseCallback {
        required uint64 async_id = 1;
        optional message StreamError error = 2;
    }
    PublishDataTrackCallback {
        required uint64 async_id = 1;
        optional message OwnedLocalDataTrack track = 2;
        optional message PublishDataTrackError error = 3;
    }
    OwnedLocalDataTrack { required message FfiOwnedHandle handle = 1; }
    PublishDataTrackError {
        required enum PublishDataTrackErrorCode code = 1;
        required string message = 2;
    }
    DataTrackStreamEvent {
        required uint64 stream_handle = 1;
        optional message DataTrackStreamFrameReceived frame_received = 2;
        optional message DataTrackStreamEOS eos = 3;
    }
    DataTrackStreamFrameReceived { required message DataTrackFrame frame = 1; }
    DataTrackStreamEOS { optional message SubscribeDataTrackError error = 1; }
    SubscribeDataTrackError {
        required enum SubscribeDataTrackErrorCode code = 1;
        required string message = 2;
    }
    SimulateScenarioCallback {
        required uint64 async_id = 1;
        optional string error = 2;
    }

    // Room events.
    RoomEvent {
        required uint64 room_handle = 1;
        optional message ParticipantConnected participant_connected = 2;
        optional message ParticipantDisconnected participant_disconnected = 3;
        optional message LocalTrackUnpublished local_track_unpublished = 5;
        optional message TrackPublished track_published = 7;
        optional message TrackUnpublished track_unpublished = 8;
        optional message TrackSubscribed track_subscribed = 9;
        optional message TrackSubscriptionFailed track_subscription_failed = 11;
        optional message LocalTrackRepublished local_track_republished = 45;
        optional message ParticipantNameChanged participant_name_changed = 18;
        optional message ParticipantAttributesChanged participant_attributes_changed = 19;
        optional message ConnectionQualityChanged connection_quality_changed = 20;
        optional message Disconnected disconnected = 22;
        optional message Reconnecting reconnecting = 23;
        optional message Reconnected reconnected = 24;
        optional message RoomEOS eos = 26;
        optional message DataPacketReceived data_packet_received = 27;
        optional message ByteStreamOpened byte_stream_opened = 34;
        optional message TextStreamOpened text_stream_opened = 35;
        optional message ParticipantsUpdated participants_updated = 38;
        optional message TokenRefreshed token_refreshed = 40;
        optional message ParticipantActive participant_active = 42;
        optional message DataTrackPublished data_track_published = 43;
        optional message DataTrackUnpublished data_track_unpublished = 44;
    }
    ParticipantConnected { required message OwnedParticipant info = 1; }
    ParticipantDisconnected { required string participant_identity = 1; }
    TrackPublished {
        required string participant_identity = 1;
        required message OwnedTrackPublication publication = 2;
    }
    TrackUnpublished {
        required string participant_identity = 1;
        required string publication_sid = 2;
    }
    TrackSubscribed { required message OwnedTrack track = 2; }
    TrackSubscriptionFailed {
        required string track_sid = 2;
        required string error = 3;
    }
    LocalTrackUnpublished { required string publication_sid = 1; }
    LocalTrackRepublished {
        required uint64 publication_handle = 1;
        required string previous_sid = 2;
        required message TrackPublicationInfo info = 3;
    }
    ParticipantNameChanged {
        required string participant_identity = 1;
        required string name = 2;
    }
    ParticipantAttributesChanged {
        required string participant_identity = 1;
        repeated message AttributesEntry attributes = 2;
    }
    AttributesEntry {
        required string key = 1;
        required string value = 2;
    }
    ConnectionQualityChanged {
        required string participant_identity = 1;
        required enum ConnectionQuality quality = 2;
    }
    Disconnected { required enum DisconnectReason reason = 1; }
    Reconnecting { }
    Reconnected { }
    RoomEOS { }
    DataPacketReceived { optional message UserPacket user = 4; }
    UserPacket { required message OwnedBuffer data = 1; }
    ByteStreamOpened {
        required message OwnedByteStreamReader reader = 1;
        required string participant_identity = 2;
    }
    OwnedByteStreamReader {
        required message FfiOwnedHandle handle = 1;
        required message ByteStreamInfo info = 2;
    }
    ByteStreamInfo { required string topic = 4; }
    TextStreamOpened { required message OwnedTextStreamReader reader = 1; }
    OwnedTextStreamReader { required message FfiOwnedHandle handle = 1; }
    ParticipantsUpdated { repeated message ParticipantInfo participants = 1; }
    TokenRefreshed { required string token = 1; }
    ParticipantActive { required string participant_identity = 1; }
    DataTrackPublished { required message OwnedRemoteDataTrack track = 1; }
    OwnedRemoteDataTrack {
        required message FfiOwnedHandle handle = 1;
        required message DataTrackInfo info = 2;
        required string publisher_identity = 3;
    }
    DataTrackInfo {
        required string name = 1;
        required string sid = 2;
    }
    DataTrackUnpublished { required string sid = 1; }
}

enums! {
    participant_state ParticipantState { PARTICIPANT_STATE_ACTIVE = 2; }
    participant_kind ParticipantKind { PARTICIPANT_KIND_STANDARD = 0; }
    track_kind TrackKind { KIND_VIDEO = 2; }
    disconnect_reason DisconnectReason {
        UNKNOWN_REASON = 0;
        CLIENT_INITIATED = 1;
        DUPLICATE_IDENTITY = 2;
        SERVER_SHUTDOWN = 3;
        PARTICIPANT_REMOVED = 4;
        ROOM_DELETED = 5;
        SIGNAL_CLOSE = 9;
        ROOM_CLOSED = 10;
        CONNECTION_TIMEOUT = 14;
        MEDIA_FAILURE = 15;
    }
    connection_quality ConnectionQuality {
        QUALITY_POOR = 0;
        QUALITY_GOOD = 1;
        QUALITY_EXCELLENT = 2;
        QUALITY_LOST = 3;
    }
    track_source TrackSource { SOURCE_CAMERA = 1; }
    video_codec VideoCodec {
        VP8 = 0;
        H264 = 1;
        AV1 = 2;
        VP9 = 3;
        H265 = 4;
    }
    encoder_backend VideoEncoderBackend {
        ENCODER_BACKEND_AUTO = 0;
        ENCODER_BACKEND_SOFTWARE = 1;
        ENCODER_BACKEND_HARDWARE = 2;
        ENCODER_BACKEND_NVENC = 3;
        ENCODER_BACKEND_VAAPI = 4;
        ENCODER_BACKEND_VIDEOTOOLBOX = 5;
        ENCODER_BACKEND_PRE_ENCODED = 6;
    }
    video_source_type VideoSourceType {
        VIDEO_SOURCE_NATIVE = 0;
        VIDEO_SOURCE_ENCODED = 1;
    }
    video_stream_type VideoStreamType { VIDEO_STREAM_NATIVE = 0; }
    video_buffer_type VideoBufferType { I420 = 5; }
    video_rotation VideoRotation { VIDEO_ROTATION_0 = 0; }
    encoded_frame_type EncodedFrameType {
        ENCODED_FRAME_KEY = 0;
        ENCODED_FRAME_DELTA = 1;
    }
    frame_metadata_feature FrameMetadataFeature { FMF_USER_TIMESTAMP = 0; }
    ice_transport_type IceTransportType { TRANSPORT_ALL = 2; }
    continual_gathering_policy ContinualGatheringPolicy { GATHER_CONTINUALLY = 1; }
    publish_error PublishDataTrackErrorCode {
        PUBLISH_DATA_TRACK_ERROR_CODE_DUPLICATE_NAME = 2;
        PUBLISH_DATA_TRACK_ERROR_CODE_DISCONNECTED = 4;
        PUBLISH_DATA_TRACK_ERROR_CODE_NOT_ALLOWED = 5;
    }
    push_error LocalDataTrackTryPushErrorCode {
        LOCAL_DATA_TRACK_TRY_PUSH_ERROR_CODE_INVALID_HANDLE = 1;
        LOCAL_DATA_TRACK_TRY_PUSH_ERROR_CODE_TRACK_UNPUBLISHED = 2;
        LOCAL_DATA_TRACK_TRY_PUSH_ERROR_CODE_QUEUE_FULL = 3;
    }
    scenario SimulateScenarioKind {
        SIMULATE_SIGNAL_RECONNECT = 0;
        SIMULATE_SERVER_LEAVE = 3;
        SIMULATE_FULL_RECONNECT = 7;
    }
    log_level LogLevel {
        LOG_ERROR = 0;
        LOG_WARN = 1;
        LOG_INFO = 2;
        LOG_DEBUG = 3;
    }
}
