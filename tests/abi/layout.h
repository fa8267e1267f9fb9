/* Sizes and offsets of the public structs on 64-bit machines. A line that must change, or an offset that moves, breaks
 * programs: fields are only appended, and then only the SIZE line changes. Compiled as C11 and as C++. */
#ifndef TELELINK_TESTS_ABI_LAYOUT_H
#define TELELINK_TESTS_ABI_LAYOUT_H

#include <telelink/telelink.h>
#include <telelink/testing.h>

#include <stddef.h>

#ifdef __cplusplus
#define CHECK(condition) static_assert(condition, #condition)
#else
#define CHECK(condition) _Static_assert(condition, #condition)
#endif
#define SIZE(type, size) CHECK(sizeof(void*) != 8 || sizeof(type) == (size))
#define AT(type, field, offset) CHECK(sizeof(void*) != 8 || offsetof(type, field) == (offset))

CHECK(sizeof(telelink_status) == 4);
CHECK(sizeof(telelink_qos) == 4);
CHECK(sizeof(telelink_parameter_kind) == 4);
CHECK(sizeof(telelink_connection_status) == 4);
CHECK(sizeof(telelink_mcap_status) == 4);
CHECK(TELELINK_ABI_VERSION == 0);

SIZE(telelink_str, 16);
AT(telelink_str, data, 0);
AT(telelink_str, len, 8);

SIZE(telelink_log_record, 56);
AT(telelink_log_record, struct_size, 0);
AT(telelink_log_record, time_ns, 8);
AT(telelink_log_record, level, 16);
AT(telelink_log_record, reserved, 20);
AT(telelink_log_record, target, 24);
AT(telelink_log_record, message, 40);

SIZE(telelink_thread_callbacks, 32);
AT(telelink_thread_callbacks, struct_size, 0);
AT(telelink_thread_callbacks, context, 8);
AT(telelink_thread_callbacks, drop, 16);
AT(telelink_thread_callbacks, on_start, 24);

SIZE(telelink_log_callbacks, 32);
AT(telelink_log_callbacks, struct_size, 0);
AT(telelink_log_callbacks, context, 8);
AT(telelink_log_callbacks, drop, 16);
AT(telelink_log_callbacks, on_record, 24);

SIZE(telelink_bytes, 16);
AT(telelink_bytes, data, 0);
AT(telelink_bytes, len, 8);

SIZE(telelink_schema, 48);
AT(telelink_schema, name, 0);
AT(telelink_schema, encoding, 16);
AT(telelink_schema, data, 32);

SIZE(telelink_pair, 32);
AT(telelink_pair, key, 0);
AT(telelink_pair, value, 16);

SIZE(telelink_channel_options, 56);
AT(telelink_channel_options, struct_size, 0);
AT(telelink_channel_options, encoding, 8);
AT(telelink_channel_options, schema, 24);
AT(telelink_channel_options, metadata, 32);
AT(telelink_channel_options, metadata_count, 40);
AT(telelink_channel_options, qos, 48);
AT(telelink_channel_options, no_video, 52);

SIZE(telelink_service_request, 72);
AT(telelink_service_request, struct_size, 0);
AT(telelink_service_request, service, 8);
AT(telelink_service_request, client, 24);
AT(telelink_service_request, encoding, 32);
AT(telelink_service_request, payload, 48);
AT(telelink_service_request, call_id, 64);
AT(telelink_service_request, reserved, 68);

SIZE(telelink_message_schema, 64);
AT(telelink_message_schema, encoding, 0);
AT(telelink_message_schema, schema, 16);

SIZE(telelink_service, 88);
AT(telelink_service, struct_size, 0);
AT(telelink_service, context, 8);
AT(telelink_service, drop, 16);
AT(telelink_service, on_request, 24);
AT(telelink_service, name, 32);
AT(telelink_service, type_name, 48);
AT(telelink_service, request, 64);
AT(telelink_service, response, 72);
AT(telelink_service, timeout_ms, 80);

SIZE(telelink_client_message, 32);
AT(telelink_client_message, struct_size, 0);
AT(telelink_client_message, payload, 8);
AT(telelink_client_message, receive_time_ns, 24);

SIZE(telelink_session_callbacks, 120);
AT(telelink_session_callbacks, struct_size, 0);
AT(telelink_session_callbacks, context, 8);
AT(telelink_session_callbacks, drop, 16);
AT(telelink_session_callbacks, on_status, 24);
AT(telelink_session_callbacks, on_subscribe, 32);
AT(telelink_session_callbacks, on_unsubscribe, 40);
AT(telelink_session_callbacks, on_client_advertise, 48);
AT(telelink_session_callbacks, on_client_unadvertise, 56);
AT(telelink_session_callbacks, on_message, 64);
AT(telelink_session_callbacks, on_connection_graph_subscribe, 72);
AT(telelink_session_callbacks, on_connection_graph_unsubscribe, 80);
AT(telelink_session_callbacks, on_parameters_subscribe, 88);
AT(telelink_session_callbacks, on_parameters_unsubscribe, 96);
AT(telelink_session_callbacks, on_get_parameters, 104);
AT(telelink_session_callbacks, on_set_parameters, 112);

SIZE(telelink_session_policy, 56);
AT(telelink_session_policy, struct_size, 0);
AT(telelink_session_policy, context, 8);
AT(telelink_session_policy, drop, 16);
AT(telelink_session_policy, channel_filter, 24);
AT(telelink_session_policy, qos, 32);
AT(telelink_session_policy, authorize, 40);
AT(telelink_session_policy, suppress_video, 48);

SIZE(telelink_token_callbacks, 32);
AT(telelink_token_callbacks, struct_size, 0);
AT(telelink_token_callbacks, context, 8);
AT(telelink_token_callbacks, drop, 16);
AT(telelink_token_callbacks, on_token, 24);

SIZE(telelink_api_key, 96);
AT(telelink_api_key, struct_size, 0);
AT(telelink_api_key, key, 8);
AT(telelink_api_key, secret, 24);
AT(telelink_api_key, room, 40);
AT(telelink_api_key, identity, 56);
AT(telelink_api_key, ttl_s, 72);
AT(telelink_api_key, attributes, 80);
AT(telelink_api_key, attributes_count, 88);

SIZE(telelink_ice_server, 48);
AT(telelink_ice_server, urls, 0);
AT(telelink_ice_server, urls_count, 8);
AT(telelink_ice_server, username, 16);
AT(telelink_ice_server, password, 32);

SIZE(telelink_session_options, 360);
AT(telelink_session_options, struct_size, 0);
AT(telelink_session_options, url, 8);
AT(telelink_session_options, token, 24);
AT(telelink_session_options, token_callbacks, 40);
AT(telelink_session_options, api_key, 48);
AT(telelink_session_options, name, 56);
AT(telelink_session_options, session_id, 72);
AT(telelink_session_options, metadata, 88);
AT(telelink_session_options, metadata_count, 96);
AT(telelink_session_options, supported_encodings, 104);
AT(telelink_session_options, supported_encodings_count, 112);
AT(telelink_session_options, callbacks, 120);
AT(telelink_session_options, policy, 128);
AT(telelink_session_options, services, 136);
AT(telelink_session_options, services_count, 144);
AT(telelink_session_options, capabilities, 152);
AT(telelink_session_options, auto_reconnect, 156);
AT(telelink_session_options, message_backlog_size, 160);
AT(telelink_session_options, message_backlog_bytes, 168);
AT(telelink_session_options, session_backlog_bytes, 176);
AT(telelink_session_options, max_data_track_message_size, 184);
AT(telelink_session_options, eager_data_tracks, 192);
AT(telelink_session_options, max_viewers, 200);
AT(telelink_session_options, ice_servers, 208);
AT(telelink_session_options, ice_servers_count, 216);
AT(telelink_session_options, livekit_library, 224);
AT(telelink_session_options, asset_callbacks, 240);
AT(telelink_session_options, asset_folder, 248);
AT(telelink_session_options, request_timeout_ms, 256);
AT(telelink_session_options, roles, 264);
AT(telelink_session_options, roles_count, 272);
AT(telelink_session_options, default_role, 280);
AT(telelink_session_options, control_lease, 288);
AT(telelink_session_options, parameter_handler, 296);
AT(telelink_session_options, parameter_store, 304);
AT(telelink_session_options, idle_window_ms, 312);
AT(telelink_session_options, after_idle, 320);
AT(telelink_session_options, video_capture_times, 324);
AT(telelink_session_options, video_codec, 328);
AT(telelink_session_options, video_encoder, 332);
AT(telelink_session_options, video_max_bitrate, 336);
AT(telelink_session_options, video_max_framerate, 344);
AT(telelink_session_options, latch_data_tracks, 352);

SIZE(telelink_role, 128);
AT(telelink_role, struct_size, 0);
AT(telelink_role, name, 8);
AT(telelink_role, subscribe, 24);
AT(telelink_role, subscribe_count, 32);
AT(telelink_role, publish, 40);
AT(telelink_role, publish_count, 48);
AT(telelink_role, call, 56);
AT(telelink_role, call_count, 64);
AT(telelink_role, get, 72);
AT(telelink_role, get_count, 80);
AT(telelink_role, set, 88);
AT(telelink_role, set_count, 96);
AT(telelink_role, asset, 104);
AT(telelink_role, asset_count, 112);
AT(telelink_role, graph, 120);
AT(telelink_role, reserved, 124);

SIZE(telelink_control_lease, 96);
AT(telelink_control_lease, struct_size, 0);
AT(telelink_control_lease, context, 8);
AT(telelink_control_lease, drop, 16);
AT(telelink_control_lease, on_taken, 24);
AT(telelink_control_lease, on_lost, 32);
AT(telelink_control_lease, timeout_ms, 40);
AT(telelink_control_lease, publish, 48);
AT(telelink_control_lease, publish_count, 56);
AT(telelink_control_lease, call, 64);
AT(telelink_control_lease, call_count, 72);
AT(telelink_control_lease, set, 80);
AT(telelink_control_lease, set_count, 88);

SIZE(telelink_parameter_data, 16);

SIZE(telelink_bool_array, 16);
AT(telelink_bool_array, data, 0);
AT(telelink_bool_array, len, 8);

SIZE(telelink_integer_array, 16);
AT(telelink_integer_array, data, 0);
AT(telelink_integer_array, len, 8);

SIZE(telelink_float_array, 16);
AT(telelink_float_array, data, 0);
AT(telelink_float_array, len, 8);

SIZE(telelink_string_array, 16);
AT(telelink_string_array, data, 0);
AT(telelink_string_array, len, 8);

SIZE(telelink_parameter_value_array, 16);
AT(telelink_parameter_value_array, data, 0);
AT(telelink_parameter_value_array, len, 8);

SIZE(telelink_parameter_array, 16);
AT(telelink_parameter_array, data, 0);
AT(telelink_parameter_array, len, 8);

SIZE(telelink_parameter_value, 24);
AT(telelink_parameter_value, kind, 0);
AT(telelink_parameter_value, reserved, 4);
AT(telelink_parameter_value, data, 8);

SIZE(telelink_parameter, 40);
AT(telelink_parameter, name, 0);
AT(telelink_parameter, value, 16);

SIZE(telelink_parameter_info, 168);
AT(telelink_parameter_info, struct_size, 0);
AT(telelink_parameter_info, parameter, 8);
AT(telelink_parameter_info, kind, 48);
AT(telelink_parameter_info, read_only, 52);
AT(telelink_parameter_info, deletable, 56);
AT(telelink_parameter_info, reserved, 60);
AT(telelink_parameter_info, description, 64);
AT(telelink_parameter_info, min, 80);
AT(telelink_parameter_info, max, 104);
AT(telelink_parameter_info, step, 128);
AT(telelink_parameter_info, allowed, 152);
AT(telelink_parameter_info, allowed_count, 160);

SIZE(telelink_get_parameters_request, 48);
AT(telelink_get_parameters_request, struct_size, 0);
AT(telelink_get_parameters_request, client, 8);
AT(telelink_get_parameters_request, request_id, 16);
AT(telelink_get_parameters_request, names, 32);
AT(telelink_get_parameters_request, names_count, 40);

SIZE(telelink_set_parameters_request, 48);
AT(telelink_set_parameters_request, struct_size, 0);
AT(telelink_set_parameters_request, client, 8);
AT(telelink_set_parameters_request, request_id, 16);
AT(telelink_set_parameters_request, parameters, 32);
AT(telelink_set_parameters_request, parameters_count, 40);

SIZE(telelink_parameter_handler, 40);
AT(telelink_parameter_handler, struct_size, 0);
AT(telelink_parameter_handler, context, 8);
AT(telelink_parameter_handler, drop, 16);
AT(telelink_parameter_handler, on_get, 24);
AT(telelink_parameter_handler, on_set, 32);

SIZE(telelink_parameter_declaration, 192);
AT(telelink_parameter_declaration, struct_size, 0);
AT(telelink_parameter_declaration, context, 8);
AT(telelink_parameter_declaration, drop, 16);
AT(telelink_parameter_declaration, validate, 24);
AT(telelink_parameter_declaration, on_change, 32);
AT(telelink_parameter_declaration, name, 40);
AT(telelink_parameter_declaration, value, 56);
AT(telelink_parameter_declaration, description, 80);
AT(telelink_parameter_declaration, min, 96);
AT(telelink_parameter_declaration, max, 120);
AT(telelink_parameter_declaration, step, 144);
AT(telelink_parameter_declaration, allowed, 168);
AT(telelink_parameter_declaration, allowed_count, 176);
AT(telelink_parameter_declaration, read_only, 184);
AT(telelink_parameter_declaration, deletable, 188);

SIZE(telelink_asset_request, 32);
AT(telelink_asset_request, struct_size, 0);
AT(telelink_asset_request, client, 8);
AT(telelink_asset_request, uri, 16);

SIZE(telelink_asset_callbacks, 32);
AT(telelink_asset_callbacks, struct_size, 0);
AT(telelink_asset_callbacks, context, 8);
AT(telelink_asset_callbacks, drop, 16);
AT(telelink_asset_callbacks, on_fetch, 24);

SIZE(telelink_asset_package, 32);
AT(telelink_asset_package, name, 0);
AT(telelink_asset_package, directory, 16);

SIZE(telelink_asset_folder, 72);
AT(telelink_asset_folder, struct_size, 0);
AT(telelink_asset_folder, packages, 8);
AT(telelink_asset_folder, packages_count, 16);
AT(telelink_asset_folder, file_roots, 24);
AT(telelink_asset_folder, file_roots_count, 32);
AT(telelink_asset_folder, extensions, 40);
AT(telelink_asset_folder, extensions_count, 48);
AT(telelink_asset_folder, max_size, 56);
AT(telelink_asset_folder, any_extension, 64);
AT(telelink_asset_folder, reserved, 68);

SIZE(telelink_mcap_writer_callbacks, 40);
AT(telelink_mcap_writer_callbacks, struct_size, 0);
AT(telelink_mcap_writer_callbacks, context, 8);
AT(telelink_mcap_writer_callbacks, drop, 16);
AT(telelink_mcap_writer_callbacks, channel_filter, 24);
AT(telelink_mcap_writer_callbacks, on_error, 32);

SIZE(telelink_mcap_writer_options, 112);
AT(telelink_mcap_writer_options, struct_size, 0);
AT(telelink_mcap_writer_options, path, 8);
AT(telelink_mcap_writer_options, overwrite, 24);
AT(telelink_mcap_writer_options, compression, 28);
AT(telelink_mcap_writer_options, sync, 32);
AT(telelink_mcap_writer_options, reserved, 36);
AT(telelink_mcap_writer_options, chunk_size, 40);
AT(telelink_mcap_writer_options, chunk_duration_ms, 48);
AT(telelink_mcap_writer_options, queue_messages, 56);
AT(telelink_mcap_writer_options, queue_bytes, 64);
AT(telelink_mcap_writer_options, profile, 72);
AT(telelink_mcap_writer_options, library, 88);
AT(telelink_mcap_writer_options, callbacks, 104);

SIZE(telelink_mcap_writer_stats, 96);
AT(telelink_mcap_writer_stats, struct_size, 0);
AT(telelink_mcap_writer_stats, messages, 8);
AT(telelink_mcap_writer_stats, bytes, 16);
AT(telelink_mcap_writer_stats, written_messages, 24);
AT(telelink_mcap_writer_stats, dropped_messages, 32);
AT(telelink_mcap_writer_stats, queued_messages, 40);
AT(telelink_mcap_writer_stats, queued_bytes, 48);
AT(telelink_mcap_writer_stats, channels, 56);
AT(telelink_mcap_writer_stats, channels_refused, 64);
AT(telelink_mcap_writer_stats, chunks, 72);
AT(telelink_mcap_writer_stats, file_bytes, 80);
AT(telelink_mcap_writer_stats, callback_panics, 88);

SIZE(telelink_mcap_channel_stats, 32);
AT(telelink_mcap_channel_stats, struct_size, 0);
AT(telelink_mcap_channel_stats, messages, 8);
AT(telelink_mcap_channel_stats, bytes, 16);
AT(telelink_mcap_channel_stats, dropped_messages, 24);

SIZE(telelink_session_stats, 192);
AT(telelink_session_stats, struct_size, 0);
AT(telelink_session_stats, uptime_ms, 8);
AT(telelink_session_stats, joins, 16);
AT(telelink_session_stats, viewers, 24);
AT(telelink_session_stats, subscriptions, 32);
AT(telelink_session_stats, backlog_bytes, 40);
AT(telelink_session_stats, ice_rtt_ms, 48);
AT(telelink_session_stats, ping_rtt_ms, 56);
AT(telelink_session_stats, reliable_messages, 64);
AT(telelink_session_stats, reliable_bytes, 72);
AT(telelink_session_stats, lossy_messages, 80);
AT(telelink_session_stats, lossy_bytes, 88);
AT(telelink_session_stats, dropped_overwritten, 96);
AT(telelink_session_stats, dropped_not_ready, 104);
AT(telelink_session_stats, dropped_oversize, 112);
AT(telelink_session_stats, dropped_transport_full, 120);
AT(telelink_session_stats, dropped_refused, 128);
AT(telelink_session_stats, dropped_incoming, 136);
AT(telelink_session_stats, discarded_incoming, 144);
AT(telelink_session_stats, viewer_resets, 152);
AT(telelink_session_stats, reconnects, 160);
AT(telelink_session_stats, overflow_resets, 168);
AT(telelink_session_stats, write_failure_resets, 176);
AT(telelink_session_stats, reconnecting, 184);
AT(telelink_session_stats, reserved, 188);

SIZE(telelink_viewer_stats, 104);
AT(telelink_viewer_stats, struct_size, 0);
AT(telelink_viewer_stats, client, 8);
AT(telelink_viewer_stats, subscriptions, 16);
AT(telelink_viewer_stats, queue_frames, 24);
AT(telelink_viewer_stats, queue_bytes, 32);
AT(telelink_viewer_stats, queue_frames_max, 40);
AT(telelink_viewer_stats, queue_bytes_max, 48);
AT(telelink_viewer_stats, sent_frames, 56);
AT(telelink_viewer_stats, sent_bytes, 64);
AT(telelink_viewer_stats, resets, 72);
AT(telelink_viewer_stats, ping_rtt_latest_ms, 80);
AT(telelink_viewer_stats, ping_rtt_ms, 88);
AT(telelink_viewer_stats, ping_rtt_deviation_ms, 96);

SIZE(telelink_channel_stats, 216);
AT(telelink_channel_stats, struct_size, 0);
AT(telelink_channel_stats, channel_id, 8);
AT(telelink_channel_stats, topic, 16);
AT(telelink_channel_stats, data_subscribers, 32);
AT(telelink_channel_stats, video_subscribers, 40);
AT(telelink_channel_stats, reliable_messages, 48);
AT(telelink_channel_stats, reliable_bytes, 56);
AT(telelink_channel_stats, lossy_messages, 64);
AT(telelink_channel_stats, lossy_bytes, 72);
AT(telelink_channel_stats, dropped_overwritten, 80);
AT(telelink_channel_stats, dropped_not_ready, 88);
AT(telelink_channel_stats, dropped_oversize, 96);
AT(telelink_channel_stats, dropped_transport_full, 104);
AT(telelink_channel_stats, dropped_refused, 112);
AT(telelink_channel_stats, video_frames, 120);
AT(telelink_channel_stats, video_sent, 128);
AT(telelink_channel_stats, video_overwritten, 136);
AT(telelink_channel_stats, video_failed, 144);
AT(telelink_channel_stats, video_not_published, 152);
AT(telelink_channel_stats, video_refused, 160);
AT(telelink_channel_stats, video_encoder, 168);
AT(telelink_channel_stats, video_frames_per_second, 184);
AT(telelink_channel_stats, video_sent_bytes, 192);
AT(telelink_channel_stats, video_width, 200);
AT(telelink_channel_stats, video_height, 204);
AT(telelink_channel_stats, video_hardware, 208);
AT(telelink_channel_stats, video_active, 212);

SIZE(telelink_video_source_options, 32);
AT(telelink_video_source_options, struct_size, 0);
AT(telelink_video_source_options, frame_id, 8);
AT(telelink_video_source_options, kind, 24);
AT(telelink_video_source_options, reserved, 28);

SIZE(telelink_video_image, 56);
AT(telelink_video_image, struct_size, 0);
AT(telelink_video_image, data, 8);
AT(telelink_video_image, time_ns, 24);
AT(telelink_video_image, format, 32);
AT(telelink_video_image, width, 36);
AT(telelink_video_image, height, 40);
AT(telelink_video_image, stride, 44);
AT(telelink_video_image, key_frame, 48);
AT(telelink_video_image, reserved, 52);

SIZE(telelink_test_message, 64);
AT(telelink_test_message, struct_size, 0);
AT(telelink_test_message, channel_id, 8);
AT(telelink_test_message, topic, 16);
AT(telelink_test_message, payload, 32);
AT(telelink_test_message, log_time_ns, 48);
AT(telelink_test_message, lossy, 56);
AT(telelink_test_message, reserved, 60);

SIZE(telelink_test_answer, 64);
AT(telelink_test_answer, struct_size, 0);
AT(telelink_test_answer, encoding, 8);
AT(telelink_test_answer, payload, 24);
AT(telelink_test_answer, message, 40);
AT(telelink_test_answer, failed, 56);
AT(telelink_test_answer, reserved, 60);

SIZE(telelink_test_status, 48);
AT(telelink_test_status, struct_size, 0);
AT(telelink_test_status, message, 8);
AT(telelink_test_status, id, 24);
AT(telelink_test_status, level, 40);
AT(telelink_test_status, reserved, 44);

SIZE(telelink_test_frame, 48);
AT(telelink_test_frame, struct_size, 0);
AT(telelink_test_frame, channel_id, 8);
AT(telelink_test_frame, data, 16);
AT(telelink_test_frame, capture_time_us, 32);
AT(telelink_test_frame, width, 40);
AT(telelink_test_frame, height, 44);

#endif
