// S-273: every function with NULL: a status or a default, and a message that names the argument; never a crash.
// tests/scripts/test_abi.py sees to it that none is missing.
#include "support.hpp"

#include <cstdio>
#include <unistd.h>

namespace {

using support::text;

constexpr telelink_str no_text = {nullptr, 0};
constexpr telelink_bytes no_bytes = {nullptr, 0};

/// The call answers NULL_ARGUMENT and the message begins with the argument's name.
#define EXPECT_REFUSED(name, ...)                                 \
  do {                                                            \
    EXPECT_EQ((__VA_ARGS__), TELELINK_STATUS_NULL_ARGUMENT);      \
    EXPECT_STREQ(telelink_last_error_message(), name " is NULL"); \
  } while (false)

TEST(Null, FreeDoesNothing) {
  telelink_context_free(nullptr);
  telelink_channel_free(nullptr);
  telelink_video_source_free(nullptr);
  telelink_client_free(nullptr);
  telelink_connection_graph_free(nullptr);
  telelink_session_snapshot_free(nullptr);
  telelink_service_responder_free(nullptr);
  telelink_asset_responder_free(nullptr);
  telelink_parameter_list_free(nullptr);
  telelink_parameter_responder_free(nullptr);
  telelink_parameter_store_free(nullptr);
  telelink_session_free(nullptr);
  telelink_mcap_writer_free(nullptr);
  telelink_test_server_free(nullptr);
  telelink_test_viewer_free(nullptr);
}

TEST(Null, InitIsRefused) {
  EXPECT_REFUSED("options", telelink_channel_options_init(nullptr, sizeof(telelink_channel_options)));
  EXPECT_REFUSED("options", telelink_video_source_options_init(nullptr, sizeof(telelink_video_source_options)));
  EXPECT_REFUSED("image", telelink_video_image_init(nullptr, sizeof(telelink_video_image)));
  EXPECT_REFUSED("frame", telelink_test_frame_init(nullptr, sizeof(telelink_test_frame)));
  EXPECT_REFUSED("options", telelink_session_options_init(nullptr, sizeof(telelink_session_options)));
  EXPECT_REFUSED("callbacks", telelink_session_callbacks_init(nullptr, sizeof(telelink_session_callbacks)));
  EXPECT_REFUSED("policy", telelink_session_policy_init(nullptr, sizeof(telelink_session_policy)));
  EXPECT_REFUSED("role", telelink_role_init(nullptr, sizeof(telelink_role)));
  EXPECT_REFUSED("lease", telelink_control_lease_init(nullptr, sizeof(telelink_control_lease)));
  EXPECT_REFUSED("callbacks", telelink_token_callbacks_init(nullptr, sizeof(telelink_token_callbacks)));
  EXPECT_REFUSED("key", telelink_api_key_init(nullptr, sizeof(telelink_api_key)));
  EXPECT_REFUSED("service", telelink_service_init(nullptr, sizeof(telelink_service)));
  EXPECT_REFUSED("callbacks", telelink_asset_callbacks_init(nullptr, sizeof(telelink_asset_callbacks)));
  EXPECT_REFUSED("folder", telelink_asset_folder_init(nullptr, sizeof(telelink_asset_folder)));
  EXPECT_REFUSED("handler", telelink_parameter_handler_init(nullptr, sizeof(telelink_parameter_handler)));
  EXPECT_REFUSED("declaration", telelink_parameter_declaration_init(nullptr, sizeof(telelink_parameter_declaration)));
  EXPECT_REFUSED("info", telelink_parameter_info_init(nullptr, sizeof(telelink_parameter_info)));
  EXPECT_REFUSED("stats", telelink_session_stats_init(nullptr, sizeof(telelink_session_stats)));
  EXPECT_REFUSED("stats", telelink_viewer_stats_init(nullptr, sizeof(telelink_viewer_stats)));
  EXPECT_REFUSED("stats", telelink_channel_stats_init(nullptr, sizeof(telelink_channel_stats)));
  EXPECT_REFUSED("options", telelink_mcap_writer_options_init(nullptr, sizeof(telelink_mcap_writer_options)));
  EXPECT_REFUSED("callbacks", telelink_mcap_writer_callbacks_init(nullptr, sizeof(telelink_mcap_writer_callbacks)));
  EXPECT_REFUSED("stats", telelink_mcap_writer_stats_init(nullptr, sizeof(telelink_mcap_writer_stats)));
  EXPECT_REFUSED("stats", telelink_mcap_channel_stats_init(nullptr, sizeof(telelink_mcap_channel_stats)));
  EXPECT_REFUSED("callbacks", telelink_log_callbacks_init(nullptr, sizeof(telelink_log_callbacks)));
  EXPECT_REFUSED("message", telelink_test_message_init(nullptr, sizeof(telelink_test_message)));
  EXPECT_REFUSED("answer", telelink_test_answer_init(nullptr, sizeof(telelink_test_answer)));
  EXPECT_REFUSED("status", telelink_test_status_init(nullptr, sizeof(telelink_test_status)));
}

TEST(Null, ContextAndChannelAreRefused) {
  EXPECT_REFUSED("out", telelink_context_create(nullptr));

  telelink_channel* channel = nullptr;
  EXPECT_REFUSED("context", telelink_channel_create(nullptr, text("/a"), nullptr, &channel));
  EXPECT_EQ(channel, nullptr);
  EXPECT_REFUSED("channel", telelink_channel_log(nullptr, no_bytes));
  EXPECT_REFUSED("channel", telelink_channel_log_at(nullptr, no_bytes, 1));
  EXPECT_REFUSED("channel", telelink_channel_close(nullptr));
  EXPECT_FALSE(telelink_channel_is_wanted(nullptr));
  EXPECT_EQ(telelink_channel_as_info(nullptr), nullptr);

  telelink_video_source* source = nullptr;
  telelink_video_image image;
  ASSERT_EQ(telelink_video_image_init(&image, sizeof image), TELELINK_STATUS_OK);
  EXPECT_REFUSED("context", telelink_video_source_create(nullptr, text("/a"), nullptr, &source));
  EXPECT_REFUSED("source", telelink_video_source_push(nullptr, &image));
  EXPECT_REFUSED("source", telelink_video_source_close(nullptr));
  EXPECT_FALSE(telelink_video_source_is_wanted(nullptr));
  EXPECT_FALSE(telelink_video_source_take_key_frame_request(nullptr));
  EXPECT_EQ(telelink_video_source_as_info(nullptr), nullptr);

  support::Robot robot;
  EXPECT_REFUSED("out", telelink_channel_create(robot.context, text("/a"), nullptr, nullptr));
  EXPECT_REFUSED("out", telelink_video_source_create(robot.context, text("/a"), nullptr, nullptr));
  ASSERT_EQ(telelink_video_source_create(robot.context, text("/a"), nullptr, &source), TELELINK_STATUS_OK);
  EXPECT_REFUSED("image", telelink_video_source_push(source, nullptr));
  image.data = telelink_bytes{nullptr, 1};
  EXPECT_EQ(telelink_video_source_push(source, &image), TELELINK_STATUS_NULL_ARGUMENT);
  EXPECT_STREQ(telelink_last_error_message(), "image.data.data is NULL but image.data.len is 1");
  telelink_video_source_free(source);
  ASSERT_EQ(telelink_channel_create(robot.context, text("/a"), nullptr, &channel), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_channel_log(channel, telelink_bytes{nullptr, 1}), TELELINK_STATUS_NULL_ARGUMENT);
  EXPECT_STREQ(telelink_last_error_message(), "payload.data is NULL but payload.len is 1");
  EXPECT_EQ(telelink_channel_log(channel, no_bytes), TELELINK_STATUS_OK);
  telelink_channel_free(channel);
}

TEST(Null, ParametersAreRefused) {
  const auto one = telelink_parameter_of("/a", telelink_integer_value(1));
  telelink_parameter_list* list = nullptr;
  EXPECT_REFUSED("out", telelink_parameter_list_create(&one, 1, nullptr));
  EXPECT_EQ(telelink_parameter_list_create(nullptr, 1, &list), TELELINK_STATUS_NULL_ARGUMENT);
  EXPECT_STREQ(telelink_last_error_message(), "parameters.data is NULL but parameters.len is 1");
  ASSERT_EQ(telelink_parameter_list_create(nullptr, 0, &list), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_parameter_list_count(list), 0U);
  telelink_parameter_info info;
  ASSERT_EQ(telelink_parameter_info_init(&info, sizeof info), TELELINK_STATUS_OK);
  EXPECT_REFUSED("info", telelink_parameter_list_info(list, 0, nullptr));
  EXPECT_REFUSED("list", telelink_parameter_list_info(nullptr, 0, &info));
  EXPECT_EQ(telelink_parameter_list_count(nullptr), 0U);
  EXPECT_EQ(telelink_parameter_list_data(nullptr), nullptr);
  telelink_parameter_list_free(list);

  EXPECT_REFUSED("responder", telelink_parameter_responder_respond(nullptr, &one, 1));
  EXPECT_REFUSED("responder", telelink_parameter_responder_fail(nullptr, text("no")));
  EXPECT_REFUSED("answer", telelink_parameter_answer_set(nullptr, &one, 1));
  EXPECT_REFUSED("session", telelink_session_publish_parameter_values(nullptr, &one, 1));
}

TEST(Null, ParameterStoresAreRefused) {
  telelink_parameter_declaration declaration;
  ASSERT_EQ(telelink_parameter_declaration_init(&declaration, sizeof declaration), TELELINK_STATUS_OK);
  telelink_parameter_list* list = nullptr;
  telelink_parameter_value value = telelink_unset_value();
  EXPECT_REFUSED("out", telelink_parameter_store_create(nullptr));
  EXPECT_REFUSED("store", telelink_parameter_store_declare(nullptr, &declaration));
  EXPECT_REFUSED("store", telelink_parameter_store_remove(nullptr, text("/a")));
  EXPECT_REFUSED("store", telelink_parameter_store_get(nullptr, text("/a"), &list));
  EXPECT_REFUSED("store", telelink_parameter_store_scalar(nullptr, text("/a"), &value));
  EXPECT_REFUSED("store", telelink_parameter_store_list(nullptr, &list));
  EXPECT_REFUSED("store", telelink_parameter_store_set(nullptr, text("/a"), value));
  EXPECT_REFUSED("check", telelink_parameter_check_refuse(nullptr, text("no")));

  telelink_parameter_store* store = nullptr;
  ASSERT_EQ(telelink_parameter_store_create(&store), TELELINK_STATUS_OK);
  EXPECT_REFUSED("declaration", telelink_parameter_store_declare(store, nullptr));
  EXPECT_REFUSED("out", telelink_parameter_store_get(store, text("/a"), nullptr));
  EXPECT_REFUSED("value_out", telelink_parameter_store_scalar(store, text("/a"), nullptr));
  EXPECT_REFUSED("out", telelink_parameter_store_list(store, nullptr));
  telelink_parameter_store_free(store);
}

TEST(Null, ViewsOfChannelsAndViewersHaveDefaults) {
  EXPECT_EQ(telelink_channel_info_id(nullptr), 0U);
  EXPECT_EQ(telelink_channel_info_topic(nullptr).len, 0U);
  EXPECT_EQ(telelink_channel_info_encoding(nullptr).len, 0U);
  EXPECT_EQ(telelink_channel_info_qos(nullptr), TELELINK_QOS_LOSSY);
  EXPECT_TRUE(telelink_channel_info_is_closed(nullptr));
  telelink_schema schema = {};
  telelink_str value = {};
  EXPECT_FALSE(telelink_channel_info_schema(nullptr, &schema));
  EXPECT_FALSE(telelink_channel_info_metadata(nullptr, text("key"), &value));

  EXPECT_EQ(telelink_client_id(nullptr), 0U);
  EXPECT_EQ(telelink_client_identity(nullptr).len, 0U);
  EXPECT_EQ(telelink_client_sid(nullptr).len, 0U);
  EXPECT_EQ(telelink_client_name(nullptr).len, 0U);
  EXPECT_EQ(telelink_client_joined_at_ms(nullptr), 0);
  EXPECT_FALSE(telelink_client_attribute(nullptr, text("key"), &value));
  telelink_pair pair = {};
  EXPECT_EQ(telelink_client_attribute_count(nullptr), 0U);
  EXPECT_FALSE(telelink_client_attribute_at(nullptr, 0, &pair));
  telelink_client* copy = nullptr;
  EXPECT_REFUSED("client", telelink_client_clone(nullptr, &copy));

  EXPECT_EQ(telelink_client_channel_id(nullptr), 0U);
  EXPECT_EQ(telelink_client_channel_topic(nullptr).len, 0U);
  EXPECT_EQ(telelink_client_channel_encoding(nullptr).len, 0U);
  EXPECT_FALSE(telelink_client_channel_schema(nullptr, &schema));
}

TEST(Null, ViewersNeedSomewhereToWrite) {
  support::Robot robot;
  support::Event advertised;
  robot.options.capabilities = TELELINK_CAPABILITY_CLIENT_PUBLISH;
  robot.callbacks.context = &advertised;
  robot.callbacks.on_client_advertise = [](void* context, const telelink_client* client,
                                           const telelink_client_channel* channel) {
    EXPECT_FALSE(telelink_client_attribute(client, text("key"), nullptr));
    EXPECT_STREQ(telelink_last_error_message(), "value_out is NULL");
    EXPECT_FALSE(telelink_client_attribute_at(client, 0, nullptr));
    EXPECT_STREQ(telelink_last_error_message(), "attribute_out is NULL");
    EXPECT_REFUSED("out", telelink_client_clone(client, nullptr));
    EXPECT_FALSE(telelink_client_channel_schema(channel, nullptr));
    EXPECT_STREQ(telelink_last_error_message(), "schema_out is NULL");
    static_cast<support::Event*>(context)->set();
  };
  robot.start();
  robot.join();
  ASSERT_EQ(telelink_test_viewer_advertise(robot.viewer, 1, text("/a"), text("json"), support::wait_ms),
            TELELINK_STATUS_OK)
      << telelink_last_error_message();
  EXPECT_TRUE(advertised.wait());
  telelink_session_free(robot.release());
}

TEST(Null, TextsAndListsWithoutDataAreRefused) {
  constexpr telelink_str broken = {nullptr, 1};
  const auto expect = [](telelink_status status, const char* name) {
    EXPECT_EQ(status, TELELINK_STATUS_NULL_ARGUMENT) << name;
    EXPECT_EQ(std::string{telelink_last_error_message()},
              std::string{name} + ".data is NULL but " + name + ".len is 1");
  };
  support::Robot robot;
  robot.options.capabilities = TELELINK_CAPABILITY_PARAMETERS;
  telelink_channel* channel = nullptr;
  expect(telelink_channel_create(robot.context, broken, nullptr, &channel), "topic");
  robot.start();
  expect(telelink_session_publish_status(robot.session, TELELINK_STATUS_LEVEL_INFO, broken, no_text), "message");
  expect(telelink_session_publish_status(robot.session, TELELINK_STATUS_LEVEL_INFO, text("x"), broken), "id");
  expect(telelink_session_publish_parameter_values(robot.session, nullptr, 1), "parameters");
  telelink_parameter_store* store = nullptr;
  ASSERT_EQ(telelink_parameter_store_create(&store), TELELINK_STATUS_OK);
  telelink_parameter_list* list = nullptr;
  telelink_parameter_value value = telelink_unset_value();
  expect(telelink_parameter_store_remove(store, broken), "name");
  expect(telelink_parameter_store_get(store, broken, &list), "name");
  expect(telelink_parameter_store_scalar(store, broken, &value), "name");
  expect(telelink_parameter_store_set(store, broken, value), "name");
  telelink_parameter_store_free(store);
}

TEST(Null, SchemaAndMetadataNeedSomewhereToWrite) {
  support::Robot robot;
  telelink_channel* channel = nullptr;
  ASSERT_EQ(telelink_channel_create(robot.context, text("/a"), nullptr, &channel), TELELINK_STATUS_OK);
  const auto* info = telelink_channel_as_info(channel);
  EXPECT_FALSE(telelink_channel_info_schema(info, nullptr));
  EXPECT_STREQ(telelink_last_error_message(), "schema_out is NULL");
  EXPECT_FALSE(telelink_channel_info_metadata(info, text("key"), nullptr));
  EXPECT_STREQ(telelink_last_error_message(), "value_out is NULL");
  telelink_channel_free(channel);
}

TEST(Null, SessionIsRefused) {
  support::Robot robot;
  telelink_session* session = nullptr;
  EXPECT_REFUSED("context", telelink_session_create(nullptr, &robot.options, &session));
  EXPECT_REFUSED("options", telelink_session_create(robot.context, nullptr, &session));
  EXPECT_REFUSED("out", telelink_session_create(robot.context, &robot.options, nullptr));
  EXPECT_EQ(session, nullptr);

  telelink_client* client = nullptr;
  telelink_session_stats stats;
  ASSERT_EQ(telelink_session_stats_init(&stats, sizeof stats), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_session_status(nullptr), TELELINK_CONNECTION_STATUS_SHUTDOWN);
  EXPECT_REFUSED("session", telelink_session_last_error(nullptr));
  EXPECT_REFUSED("session", telelink_session_close(nullptr, 0));
  EXPECT_REFUSED("session", telelink_session_close(nullptr, 1));
  EXPECT_REFUSED("session", telelink_session_resume(nullptr));
  EXPECT_REFUSED("session", telelink_test_inject_panic(nullptr, TELELINK_TEST_PANIC_POINT_OWNER));
  EXPECT_REFUSED("session", telelink_session_add_services(nullptr, nullptr, 0));
  EXPECT_REFUSED("session", telelink_session_remove_services(nullptr, nullptr, 0));
  EXPECT_REFUSED("session", telelink_session_publish_status(nullptr, TELELINK_STATUS_LEVEL_INFO, no_text, no_text));
  EXPECT_REFUSED("session", telelink_session_remove_status(nullptr, nullptr, 0));
  EXPECT_REFUSED("session", telelink_session_client(nullptr, 1, &client));
  EXPECT_REFUSED("session", telelink_session_stats_read(nullptr, &stats));

  robot.start();
  EXPECT_REFUSED("stats", telelink_session_stats_read(robot.session, nullptr));
  EXPECT_REFUSED("out", telelink_session_client(robot.session, 1, nullptr));
  EXPECT_EQ(telelink_session_add_services(robot.session, nullptr, 1), TELELINK_STATUS_NULL_ARGUMENT);
  const telelink_service* none = nullptr;
  EXPECT_REFUSED("services", telelink_session_add_services(robot.session, &none, 1));
  EXPECT_EQ(telelink_session_remove_services(robot.session, nullptr, 1), TELELINK_STATUS_NULL_ARGUMENT);
  EXPECT_EQ(telelink_session_remove_status(robot.session, nullptr, 1), TELELINK_STATUS_NULL_ARGUMENT);
}

TEST(Null, ConnectionGraphIsRefused) {
  EXPECT_REFUSED("out", telelink_connection_graph_create(nullptr));
  EXPECT_REFUSED("graph", telelink_connection_graph_set_published_topic(nullptr, no_text, nullptr, 0));
  EXPECT_REFUSED("graph", telelink_connection_graph_set_subscribed_topic(nullptr, no_text, nullptr, 0));
  EXPECT_REFUSED("graph", telelink_connection_graph_set_advertised_service(nullptr, no_text, nullptr, 0));
  EXPECT_REFUSED("graph", telelink_connection_graph_remove_published_topic(nullptr, no_text));
  EXPECT_REFUSED("graph", telelink_connection_graph_remove_subscribed_topic(nullptr, no_text));
  EXPECT_REFUSED("graph", telelink_connection_graph_remove_advertised_service(nullptr, no_text));
  EXPECT_REFUSED("graph", telelink_connection_graph_clear(nullptr));

  telelink_connection_graph* graph = nullptr;
  ASSERT_EQ(telelink_connection_graph_create(&graph), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_connection_graph_set_published_topic(graph, telelink_str{nullptr, 1}, nullptr, 0),
            TELELINK_STATUS_NULL_ARGUMENT);
  EXPECT_STREQ(telelink_last_error_message(), "topic.data is NULL but topic.len is 1");
  EXPECT_EQ(telelink_connection_graph_set_subscribed_topic(graph, text("/a"), nullptr, 1),
            TELELINK_STATUS_NULL_ARGUMENT);
  EXPECT_STREQ(telelink_last_error_message(), "subscriber_ids.data is NULL but subscriber_ids.len is 1");
  EXPECT_REFUSED("session", telelink_session_publish_connection_graph(nullptr, graph));
  support::Robot robot;
  robot.start();
  EXPECT_REFUSED("graph", telelink_session_publish_connection_graph(robot.session, nullptr));
  telelink_connection_graph_free(graph);
}

TEST(Null, SessionSnapshotIsRefused) {
  telelink_session_snapshot* snapshot = nullptr;
  telelink_session_stats sums;
  telelink_viewer_stats viewer;
  telelink_channel_stats channel;
  telelink_str page = {};
  ASSERT_EQ(telelink_session_stats_init(&sums, sizeof sums), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_viewer_stats_init(&viewer, sizeof viewer), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_channel_stats_init(&channel, sizeof channel), TELELINK_STATUS_OK);
  EXPECT_REFUSED("session", telelink_session_snapshot_create(nullptr, &snapshot));
  EXPECT_REFUSED("snapshot", telelink_session_snapshot_stats(nullptr, &sums));
  EXPECT_EQ(telelink_session_snapshot_viewer_count(nullptr), 0U);
  EXPECT_REFUSED("snapshot", telelink_session_snapshot_viewer(nullptr, 0, &viewer));
  EXPECT_EQ(telelink_session_snapshot_channel_count(nullptr), 0U);
  EXPECT_REFUSED("snapshot", telelink_session_snapshot_channel(nullptr, 0, &channel));
  EXPECT_REFUSED("snapshot", telelink_session_snapshot_prometheus(nullptr, nullptr, 0, &page));

  support::Robot robot;
  robot.start();
  EXPECT_REFUSED("out", telelink_session_snapshot_create(robot.session, nullptr));
  ASSERT_EQ(telelink_session_snapshot_create(robot.session, &snapshot), TELELINK_STATUS_OK);
  EXPECT_REFUSED("stats", telelink_session_snapshot_stats(snapshot, nullptr));
  EXPECT_REFUSED("stats", telelink_session_snapshot_viewer(snapshot, 0, nullptr));
  EXPECT_REFUSED("stats", telelink_session_snapshot_channel(snapshot, 0, nullptr));
  EXPECT_REFUSED("text_out", telelink_session_snapshot_prometheus(snapshot, nullptr, 0, nullptr));
  EXPECT_EQ(telelink_session_snapshot_prometheus(snapshot, nullptr, 1, &page), TELELINK_STATUS_NULL_ARGUMENT);
  telelink_session_snapshot_free(snapshot);
}

TEST(Null, RespondersAndTokensAreRefused) {
  EXPECT_REFUSED("responder", telelink_service_responder_respond(nullptr, no_bytes));
  EXPECT_REFUSED("responder", telelink_service_responder_respond_encoded(nullptr, no_text, no_bytes));
  EXPECT_REFUSED("responder", telelink_service_responder_fail(nullptr, no_text));
  EXPECT_REFUSED("responder", telelink_asset_responder_respond(nullptr, no_bytes));
  EXPECT_REFUSED("responder", telelink_asset_responder_fail(nullptr, no_text));
  EXPECT_REFUSED("request", telelink_token_request_set(nullptr, no_text));
  EXPECT_REFUSED("request", telelink_token_request_fail(nullptr, no_text));
}

TEST(Null, LogNeedsARecordFunctionAndTakesNobody) {
  telelink_log_callbacks callbacks;
  ASSERT_EQ(telelink_log_callbacks_init(&callbacks, sizeof callbacks), TELELINK_STATUS_OK);
  EXPECT_REFUSED("callbacks.on_record", telelink_log_set_callbacks(TELELINK_LOG_LEVEL_INFO, &callbacks));
  EXPECT_EQ(telelink_log_set_callbacks(TELELINK_LOG_LEVEL_OFF, nullptr), TELELINK_STATUS_OK);
}

TEST(Null, ThreadCallbacksNeedAFunctionAndTakeNobody) {
  telelink_thread_callbacks callbacks;
  EXPECT_REFUSED("callbacks", telelink_thread_callbacks_init(nullptr, sizeof callbacks));
  ASSERT_EQ(telelink_thread_callbacks_init(&callbacks, sizeof callbacks), TELELINK_STATUS_OK);
  EXPECT_REFUSED("callbacks.on_start", telelink_thread_set_callbacks(&callbacks));
  EXPECT_EQ(telelink_thread_set_callbacks(nullptr), TELELINK_STATUS_OK);
}

TEST(Null, McapWriterIsRefused) {
  telelink_context* context = nullptr;
  ASSERT_EQ(telelink_context_create(&context), TELELINK_STATUS_OK);
  telelink_channel* channel = nullptr;
  ASSERT_EQ(telelink_channel_create(context, text("/a"), nullptr, &channel), TELELINK_STATUS_OK);
  telelink_mcap_writer_options options;
  ASSERT_EQ(telelink_mcap_writer_options_init(&options, sizeof options), TELELINK_STATUS_OK);
  const std::string path = ::testing::TempDir() + "telelink_null_" + std::to_string(::getpid()) + ".mcap";
  options.path = text(path);
  options.overwrite = 1;
  telelink_mcap_writer* writer = nullptr;
  EXPECT_REFUSED("context", telelink_mcap_writer_create(nullptr, &options, &writer));
  EXPECT_REFUSED("options", telelink_mcap_writer_create(context, nullptr, &writer));
  EXPECT_REFUSED("out", telelink_mcap_writer_create(context, &options, nullptr));
  EXPECT_EQ(writer, nullptr);
  ASSERT_EQ(telelink_mcap_writer_create(context, &options, &writer), TELELINK_STATUS_OK)
      << telelink_last_error_message();

  telelink_mcap_writer_stats stats;
  ASSERT_EQ(telelink_mcap_writer_stats_init(&stats, sizeof stats), TELELINK_STATUS_OK);
  telelink_mcap_channel_stats of_channel;
  ASSERT_EQ(telelink_mcap_channel_stats_init(&of_channel, sizeof of_channel), TELELINK_STATUS_OK);
  EXPECT_REFUSED("writer", telelink_mcap_writer_close(nullptr, 0));
  EXPECT_REFUSED("writer", telelink_mcap_writer_flush(nullptr, 0));
  EXPECT_REFUSED("writer", telelink_mcap_writer_last_error(nullptr));
  EXPECT_EQ(telelink_mcap_writer_status(nullptr), TELELINK_MCAP_STATUS_CLOSED);
  EXPECT_REFUSED("writer", telelink_mcap_writer_stats_read(nullptr, &stats));
  EXPECT_REFUSED("stats", telelink_mcap_writer_stats_read(writer, nullptr));
  EXPECT_REFUSED("writer", telelink_mcap_writer_channel_stats(nullptr, channel, &of_channel));
  EXPECT_REFUSED("channel", telelink_mcap_writer_channel_stats(writer, nullptr, &of_channel));
  EXPECT_REFUSED("stats", telelink_mcap_writer_channel_stats(writer, channel, nullptr));

  telelink_mcap_writer_free(writer);
  telelink_channel_free(channel);
  telelink_context_free(context);
  std::remove(path.c_str());
}

TEST(Null, TestServerAndViewerAreRefused) {
  telelink_str token = {};
  telelink_test_viewer* viewer = nullptr;
  EXPECT_REFUSED("out", telelink_test_server_create(nullptr));
  EXPECT_EQ(telelink_test_server_url(nullptr).len, 0U);
  EXPECT_REFUSED("server", telelink_test_server_token(nullptr, no_text, no_text, &token));
  EXPECT_REFUSED("server", telelink_test_server_set_reachable(nullptr, 1));
  EXPECT_REFUSED("server", telelink_test_server_disconnect(nullptr, no_text));
  EXPECT_REFUSED("server", telelink_test_server_set_loss(nullptr, 0));
  EXPECT_REFUSED("server", telelink_test_server_set_delay(nullptr, 0));
  EXPECT_REFUSED("server", telelink_test_viewer_create(nullptr, no_text, no_text, 1, &viewer));

  support::Robot robot;
  EXPECT_REFUSED("token_out", telelink_test_server_token(robot.server, text("yard"), text("a"), nullptr));
  EXPECT_REFUSED("out", telelink_test_viewer_create(robot.server, text("yard"), text("a"), 1, nullptr));

  telelink_test_message message;
  telelink_test_status status;
  telelink_test_answer answer;
  std::uint32_t call = 0;
  ASSERT_EQ(telelink_test_message_init(&message, sizeof message), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_test_status_init(&status, sizeof status), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_test_answer_init(&answer, sizeof answer), TELELINK_STATUS_OK);
  EXPECT_REFUSED("viewer", telelink_test_viewer_robot_name(nullptr, 1, &token));
  EXPECT_REFUSED("viewer", telelink_test_viewer_wait_channel(nullptr, no_text, 1, nullptr));
  EXPECT_REFUSED("viewer", telelink_test_viewer_wait_no_channel(nullptr, no_text, 1));
  EXPECT_REFUSED("viewer", telelink_test_viewer_wait_no_service(nullptr, no_text, 1));
  EXPECT_REFUSED("viewer", telelink_test_viewer_subscribe(nullptr, no_text, 1));
  EXPECT_REFUSED("viewer", telelink_test_viewer_unsubscribe(nullptr, no_text, 1));
  EXPECT_REFUSED("viewer", telelink_test_viewer_next_message(nullptr, 1, &message));
  telelink_test_frame frame;
  ASSERT_EQ(telelink_test_frame_init(&frame, sizeof frame), TELELINK_STATUS_OK);
  EXPECT_REFUSED("viewer", telelink_test_viewer_watch(nullptr, no_text, 1));
  EXPECT_REFUSED("viewer", telelink_test_viewer_next_frame(nullptr, 1, &frame));
  EXPECT_REFUSED("viewer", telelink_test_viewer_next_status(nullptr, 1, &status));
  EXPECT_REFUSED("viewer", telelink_test_viewer_advertise(nullptr, 1, no_text, no_text, 1));
  EXPECT_REFUSED("viewer", telelink_test_viewer_unadvertise(nullptr, 1, 1));
  EXPECT_REFUSED("viewer", telelink_test_viewer_publish(nullptr, 1, no_bytes, 1));
  EXPECT_REFUSED("viewer", telelink_test_viewer_call(nullptr, no_text, no_text, no_bytes, 1, &call));
  EXPECT_REFUSED("viewer", telelink_test_viewer_answer(nullptr, 1, 1, &answer));
  EXPECT_REFUSED("viewer", telelink_test_viewer_send_json(nullptr, no_text, 1));
  EXPECT_REFUSED("viewer", telelink_test_viewer_set_heartbeat(nullptr, 1));
  EXPECT_REFUSED("viewer", telelink_test_viewer_fetch_asset(nullptr, no_text, 1, &call));
  EXPECT_REFUSED("viewer", telelink_test_viewer_asset(nullptr, 1, 1, &answer));
  EXPECT_REFUSED("viewer", telelink_test_viewer_next_json(nullptr, no_text, 1, &token));

  robot.join();
  EXPECT_REFUSED("message", telelink_test_viewer_next_message(robot.viewer, 1, nullptr));
  EXPECT_REFUSED("frame", telelink_test_viewer_next_frame(robot.viewer, 1, nullptr));
  EXPECT_REFUSED("status", telelink_test_viewer_next_status(robot.viewer, 1, nullptr));
  EXPECT_REFUSED("answer", telelink_test_viewer_answer(robot.viewer, 1, 1, nullptr));
  EXPECT_REFUSED("answer", telelink_test_viewer_asset(robot.viewer, 1, 1, nullptr));
  EXPECT_REFUSED("request_id_out", telelink_test_viewer_fetch_asset(robot.viewer, text("a"), 1, nullptr));
  EXPECT_REFUSED("json_out", telelink_test_viewer_next_json(robot.viewer, text("a"), 1, nullptr));
  EXPECT_REFUSED("name_out", telelink_test_viewer_robot_name(robot.viewer, 1, nullptr));
  EXPECT_REFUSED("call_id_out",
                 telelink_test_viewer_call(robot.viewer, text("/a"), text("json"), no_bytes, 1, nullptr));
}

}  // namespace
