// Structs with a size, texts that are not UTF-8, numbers out of range: refused by name, and contexts are dropped once.
#include "support.hpp"

#include <cstring>
#include <functional>
#include <vector>

namespace {

using support::Event;
using support::text;

const telelink_str garbage = {"a\xff", 2};

/// Refuses a struct_size of 0, of one less, of one more, and of what uninitialised memory has.
template <class T>
void expect_size_checked(telelink_status (*init)(T*, std::size_t)) {
  for (const std::size_t size : {std::size_t{0}, sizeof(std::size_t), sizeof(T) - 1, sizeof(T) + 1, SIZE_MAX}) {
    T options;
    std::memset(&options, 0x5a, sizeof options);
    EXPECT_EQ(init(&options, size), TELELINK_STATUS_STRUCT_SIZE) << size;
    const std::string message = telelink_last_error_message();
    EXPECT_NE(message.find("struct_size is " + std::to_string(size)), std::string::npos) << message;
    unsigned char first = 0;
    std::memcpy(&first, &options, 1);
    EXPECT_EQ(first, 0x5a) << "written although refused";
  }
  T options;
  ASSERT_EQ(init(&options, sizeof options), TELELINK_STATUS_OK);
  EXPECT_EQ(options.struct_size, sizeof options);
}

// S-270.
TEST(StructSize, IsCheckedByEveryInit) {
  expect_size_checked(telelink_channel_options_init);
  expect_size_checked(telelink_video_source_options_init);
  expect_size_checked(telelink_video_image_init);
  expect_size_checked(telelink_session_options_init);
  expect_size_checked(telelink_session_callbacks_init);
  expect_size_checked(telelink_session_policy_init);
  expect_size_checked(telelink_role_init);
  expect_size_checked(telelink_control_lease_init);
  expect_size_checked(telelink_token_callbacks_init);
  expect_size_checked(telelink_api_key_init);
  expect_size_checked(telelink_service_init);
  expect_size_checked(telelink_asset_callbacks_init);
  expect_size_checked(telelink_asset_folder_init);
  expect_size_checked(telelink_parameter_handler_init);
  expect_size_checked(telelink_parameter_declaration_init);
  expect_size_checked(telelink_parameter_info_init);
  expect_size_checked(telelink_session_stats_init);
  expect_size_checked(telelink_viewer_stats_init);
  expect_size_checked(telelink_channel_stats_init);
  expect_size_checked(telelink_mcap_writer_options_init);
  expect_size_checked(telelink_mcap_writer_callbacks_init);
  expect_size_checked(telelink_mcap_writer_stats_init);
  expect_size_checked(telelink_mcap_channel_stats_init);
  expect_size_checked(telelink_log_callbacks_init);
  expect_size_checked(telelink_thread_callbacks_init);
  expect_size_checked(telelink_test_message_init);
  expect_size_checked(telelink_test_answer_init);
  expect_size_checked(telelink_test_status_init);
  expect_size_checked(telelink_test_frame_init);
}

// S-270.
TEST(StructSize, IsCheckedWhereStructsAreUsed) {
  support::Robot robot;
  telelink_channel_options channel_options;
  ASSERT_EQ(telelink_channel_options_init(&channel_options, sizeof channel_options), TELELINK_STATUS_OK);
  channel_options.struct_size = 3;
  telelink_channel* channel = nullptr;
  EXPECT_EQ(telelink_channel_create(robot.context, text("/a"), &channel_options, &channel),
            TELELINK_STATUS_STRUCT_SIZE);
  EXPECT_EQ(channel, nullptr);

  robot.options.struct_size = 0;
  EXPECT_EQ(telelink_session_create(robot.context, &robot.options, &robot.session), TELELINK_STATUS_STRUCT_SIZE);
  EXPECT_EQ(robot.session, nullptr);
  robot.options.struct_size = sizeof robot.options;

  telelink_session_stats stats;
  std::memset(&stats, 0, sizeof stats);
  robot.start();
  EXPECT_EQ(telelink_session_stats_read(robot.session, &stats), TELELINK_STATUS_STRUCT_SIZE);

  telelink_log_callbacks log;
  std::memset(&log, 0, sizeof log);
  EXPECT_EQ(telelink_log_set_callbacks(TELELINK_LOG_LEVEL_INFO, &log), TELELINK_STATUS_STRUCT_SIZE);

  telelink_thread_callbacks thread;
  std::memset(&thread, 0, sizeof thread);
  EXPECT_EQ(telelink_thread_set_callbacks(&thread), TELELINK_STATUS_STRUCT_SIZE);
}

TEST(Utf8, IsCheckedInChannels) {
  support::Robot robot;
  telelink_channel_options options;
  telelink_channel* channel = nullptr;
  const auto expect = [&](const char* message) {
    EXPECT_EQ(telelink_channel_create(robot.context, text("/a"), &options, &channel), TELELINK_STATUS_INVALID_UTF8);
    EXPECT_STREQ(telelink_last_error_message(), message);
    ASSERT_EQ(telelink_channel_options_init(&options, sizeof options), TELELINK_STATUS_OK);
  };
  EXPECT_EQ(telelink_channel_create(robot.context, garbage, nullptr, &channel), TELELINK_STATUS_INVALID_UTF8);
  EXPECT_STREQ(telelink_last_error_message(), "topic is not valid UTF-8 at byte 1");

  ASSERT_EQ(telelink_channel_options_init(&options, sizeof options), TELELINK_STATUS_OK);
  options.encoding = garbage;
  expect("options.encoding is not valid UTF-8 at byte 1");
  const telelink_schema schema = {garbage, text("jsonschema"), {nullptr, 0}};
  options.schema = &schema;
  expect("options.schema is not valid UTF-8 at byte 1");
  const telelink_pair pair = {text("key"), garbage};
  options.metadata = &pair;
  options.metadata_count = 1;
  expect("options.metadata is not valid UTF-8 at byte 1");
  EXPECT_EQ(channel, nullptr);
}

TEST(ChannelOptions, AreChecked) {
  support::Robot robot;
  telelink_channel_options options;
  telelink_channel* channel = nullptr;
  ASSERT_EQ(telelink_channel_options_init(&options, sizeof options), TELELINK_STATUS_OK);
  options.qos = 2;
  EXPECT_EQ(telelink_channel_create(robot.context, text("/a"), &options, &channel), TELELINK_STATUS_INVALID_VALUE);
  EXPECT_STREQ(telelink_last_error_message(), "options.qos is 2, which is no telelink_qos");
  options.qos = TELELINK_QOS_LOSSY;
  options.metadata_count = 1;
  EXPECT_EQ(telelink_channel_create(robot.context, text("/a"), &options, &channel), TELELINK_STATUS_NULL_ARGUMENT);
  EXPECT_STREQ(telelink_last_error_message(), "options.metadata.data is NULL but options.metadata.len is 1");
  EXPECT_EQ(telelink_channel_create(robot.context, text(""), nullptr, &channel), TELELINK_STATUS_INVALID_VALUE);
  EXPECT_STREQ(telelink_last_error_message(), "the topic is empty");
  EXPECT_EQ(channel, nullptr);
}

// S-111, S-115, P-25, with the numbers of design.md.
TEST(SessionOptions, LimitsHaveTheirDefaults) {
  telelink_session_options options;
  std::memset(&options, 0x5a, sizeof options);
  ASSERT_EQ(telelink_session_options_init(&options, sizeof options), TELELINK_STATUS_OK);
  EXPECT_EQ(options.message_backlog_size, 16'384U);
  EXPECT_EQ(options.message_backlog_bytes, 32U << 20);
  EXPECT_EQ(options.session_backlog_bytes, 256U << 20);
  EXPECT_EQ(options.max_data_track_message_size, 102'400U);
  EXPECT_EQ(options.eager_data_tracks, 64U);
  EXPECT_EQ(options.max_viewers, 64U);
}

// S-224, S-50.
TEST(SessionOptions, LossyMessagesMayHaveAtLeast1200Bytes) {
  support::Robot robot;
  robot.options.max_data_track_message_size = 1199;
  EXPECT_EQ(telelink_session_create(robot.context, &robot.options, &robot.session), TELELINK_STATUS_INVALID_VALUE);
  EXPECT_STREQ(telelink_last_error_message(), "max_data_track_message_size is 1199, outside 1200 to 16777216");
  EXPECT_EQ(robot.session, nullptr);
  robot.options.max_data_track_message_size = 1200;
  robot.start();
}

/// A robot that can have everything that implies a capability.
struct Capable {
  Capable() {
    EXPECT_EQ(telelink_asset_callbacks_init(&assets, sizeof assets), TELELINK_STATUS_OK);
    assets.on_fetch = [](void*, const telelink_asset_request*, telelink_asset_responder* responder) {
      telelink_asset_responder_free(responder);
    };
    EXPECT_EQ(telelink_parameter_handler_init(&parameters, sizeof parameters), TELELINK_STATUS_OK);
    parameters.on_get = [](void*, const telelink_get_parameters_request*, telelink_parameter_responder* responder) {
      telelink_parameter_responder_free(responder);
    };
    parameters.on_set = [](void*, const telelink_set_parameters_request*, telelink_parameter_responder* responder) {
      telelink_parameter_responder_free(responder);
    };
    EXPECT_EQ(telelink_service_init(&service, sizeof service), TELELINK_STATUS_OK);
    service.name = text("/service");
    service.on_request = [](void*, const telelink_service_request*, telelink_service_responder* responder) {
      telelink_service_responder_free(responder);
    };
    robot.options.supported_encodings = &json;
    robot.options.supported_encodings_count = 1;
  }

  /// The capabilities as the viewer reads them in serverInfo.
  std::string shown() {
    robot.start();
    robot.join();
    telelink_str info = {};
    EXPECT_EQ(telelink_test_viewer_next_json(robot.viewer, text("serverInfo"), support::wait_ms, &info),
              TELELINK_STATUS_OK)
        << telelink_last_error_message();
    const std::string all = support::string(info);
    const std::string key = "\"capabilities\":";
    const auto at = all.find(key);
    if (at == std::string::npos) return "none in " + all;
    return all.substr(at + key.size(), all.find(']', at) + 1 - at - key.size());
  }

  telelink_asset_callbacks assets;
  telelink_parameter_handler parameters;
  telelink_service service;
  const telelink_service* services[1] = {&service};
  telelink_str json = text("json");
  support::Robot robot;
};

// P-66, S-78.
TEST(Capabilities, EachBitIsItsOwnWord) {
  constexpr std::uint32_t all = TELELINK_CAPABILITY_CLIENT_PUBLISH | TELELINK_CAPABILITY_PARAMETERS |
                                TELELINK_CAPABILITY_SERVICES | TELELINK_CAPABILITY_CONNECTION_GRAPH |
                                TELELINK_CAPABILITY_ASSETS;
  const struct {
    std::uint32_t bits;
    const char* shown;
  } cases[] = {
      {0, "[]"},
      {TELELINK_CAPABILITY_CLIENT_PUBLISH, R"(["clientPublish"])"},
      {TELELINK_CAPABILITY_PARAMETERS, R"(["parameters","parametersSubscribe"])"},
      {TELELINK_CAPABILITY_SERVICES, R"(["services"])"},
      {TELELINK_CAPABILITY_CONNECTION_GRAPH, R"(["connectionGraph"])"},
      {TELELINK_CAPABILITY_ASSETS, R"(["assets"])"},
      {all, R"(["clientPublish","parameters","parametersSubscribe","services","connectionGraph","assets"])"},
  };
  for (const auto& test : cases) {
    Capable capable;
    capable.robot.options.capabilities = test.bits;
    // Without a handler this one is refused.
    if ((test.bits & TELELINK_CAPABILITY_ASSETS) != 0) capable.robot.options.asset_callbacks = &capable.assets;
    EXPECT_EQ(capable.shown(), test.shown) << test.bits;
  }
}

// P-66, P-67, S-50: what was asked for, then what follows from services, the parameter handler and the asset handler.
TEST(Capabilities, ImpliedOnesComeAfterThoseAskedForAndOnce) {
  const struct {
    std::uint32_t bits;
    const char* shown;
  } cases[] = {
      {0, R"(["services","parameters","parametersSubscribe","assets"])"},
      {TELELINK_CAPABILITY_ASSETS | TELELINK_CAPABILITY_CONNECTION_GRAPH,
       R"(["connectionGraph","assets","services","parameters","parametersSubscribe"])"},
      {TELELINK_CAPABILITY_PARAMETERS, R"(["parameters","parametersSubscribe","services","assets"])"},
  };
  for (const auto& test : cases) {
    Capable capable;
    capable.robot.options.capabilities = test.bits;
    capable.robot.options.asset_callbacks = &capable.assets;
    capable.robot.options.parameter_handler = &capable.parameters;
    capable.robot.options.services = capable.services;
    capable.robot.options.services_count = 1;
    EXPECT_EQ(capable.shown(), test.shown) << test.bits;
  }
}

/// A session with all callback tables, whose drops are counted.
struct Tables {
  Tables() {
    EXPECT_EQ(telelink_session_policy_init(&policy, sizeof policy), TELELINK_STATUS_OK);
    EXPECT_EQ(telelink_token_callbacks_init(&token, sizeof token), TELELINK_STATUS_OK);
    EXPECT_EQ(telelink_service_init(&service, sizeof service), TELELINK_STATUS_OK);
    robot.callbacks.context = &callbacks_dropped;
    robot.callbacks.drop = &support::drop_event;
    policy.context = &policy_dropped;
    policy.drop = &support::drop_event;
    policy.channel_filter = [](void*, const telelink_channel_info*) { return true; };
    token.context = &token_dropped;
    token.drop = &support::drop_event;
    token.on_token = [](void*, const telelink_token_request* request) {
      telelink_token_request_fail(request, telelink_text("no token today"));
    };
    service.context = &service_dropped;
    service.drop = &support::drop_event;
    service.name = text("/service");
    service.on_request = [](void*, const telelink_service_request*, telelink_service_responder* responder) {
      telelink_service_responder_free(responder);
    };
    robot.options.callbacks = &robot.callbacks;
    robot.options.policy = &policy;
    robot.options.token = telelink_str{nullptr, 0};
    robot.options.token_callbacks = &token;
    robot.options.services = services;
    robot.options.services_count = 1;
    robot.options.supported_encodings = &json;
    robot.options.supported_encodings_count = 1;
  }

  void expect_dropped(int callbacks, int policy_, int token_, int service_) {
    EXPECT_EQ(callbacks_dropped.count(), callbacks);
    EXPECT_EQ(policy_dropped.count(), policy_);
    EXPECT_EQ(token_dropped.count(), token_);
    EXPECT_EQ(service_dropped.count(), service_);
  }

  // Before the robot: its destructor ends in the drops.
  Event callbacks_dropped, policy_dropped, token_dropped, service_dropped;
  telelink_session_policy policy;
  telelink_token_callbacks token;
  telelink_service service;
  const telelink_service* services[1] = {&service};
  telelink_str json = text("json");
  support::Robot robot;
};

// S-271, S-272: contexts live until the session has ended, and then go once.
TEST(Drop, RunsOnceForEachTableWhenTheSessionIsFreed) {
  Tables tables;
  telelink_session* session = nullptr;
  ASSERT_EQ(telelink_session_create(tables.robot.context, &tables.robot.options, &session), TELELINK_STATUS_OK)
      << telelink_last_error_message();
  tables.expect_dropped(0, 0, 0, 0);
  telelink_session_free(session);
  tables.expect_dropped(1, 1, 1, 1);
}

TEST(Drop, RunsBeforeCreateReturnsWhenItFails) {
  const struct {
    const char* message;
    std::function<void(telelink_session_options&)> spoil;
  } cases[] = {
      {"options.url is empty, and so is LIVEKIT_URL in the environment", [](auto& o) { o.url = text(""); }},
      {"options.url is not valid UTF-8 at byte 1", [](auto& o) { o.url = garbage; }},
      {"options.name is not valid UTF-8 at byte 1", [](auto& o) { o.name = garbage; }},
      {"options.session_id is not valid UTF-8 at byte 1", [](auto& o) { o.session_id = garbage; }},
      {"options.token is not valid UTF-8 at byte 1", [](auto& o) { o.token = garbage; }},
      {"options.livekit_library is not valid UTF-8 at byte 1", [](auto& o) { o.livekit_library = garbage; }},
      {"options.supported_encodings is not valid UTF-8 at byte 1", [](auto& o) { o.supported_encodings = &garbage; }},
      {"more than one of options.token, options.token_callbacks and options.api_key is set",
       [](auto& o) { o.token = text("x"); }},
      {"the options name no token, token callback or API key, and the environment neither LIVEKIT_TOKEN nor both "
       "LIVEKIT_API_KEY and LIVEKIT_API_SECRET",
       [](auto& o) { o.token_callbacks = nullptr; }},
      {"options.capabilities has unknown bits: 0x80000000", [](auto& o) { o.capabilities = 0x80000000U; }},
      {"options.auto_reconnect is 2, neither 0 nor 1", [](auto& o) { o.auto_reconnect = 2; }},
      {"message_backlog_size is 1, outside 16 to 1048576", [](auto& o) { o.message_backlog_size = 1; }},
      {"max_viewers is 0, outside 1 to 1024", [](auto& o) { o.max_viewers = 0; }},
      {"options.url: there is no test server memory://nowhere", [](auto& o) { o.url = text("memory://nowhere"); }},
  };
  for (const auto& test : cases) {
    Tables tables;
    const bool has_token_table = std::string{test.message}.rfind("the options name no token", 0) != 0;
    test.spoil(tables.robot.options);
    telelink_session* session = nullptr;
    EXPECT_NE(telelink_session_create(tables.robot.context, &tables.robot.options, &session), TELELINK_STATUS_OK);
    EXPECT_STREQ(telelink_last_error_message(), test.message);
    EXPECT_EQ(session, nullptr);
    tables.expect_dropped(1, 1, has_token_table ? 1 : 0, 1);
  }
}

TEST(Drop, RunsForTheOthersWhenOneTableHasAWrongSize) {
  Tables tables;
  tables.policy.struct_size = 1;
  telelink_session* session = nullptr;
  EXPECT_EQ(telelink_session_create(tables.robot.context, &tables.robot.options, &session),
            TELELINK_STATUS_STRUCT_SIZE);
  tables.expect_dropped(1, 0, 1, 1);
}

TEST(Drop, RunsWhenTheContextOrTheResultPointerIsNull) {
  {
    Tables tables;
    telelink_session* session = nullptr;
    EXPECT_EQ(telelink_session_create(nullptr, &tables.robot.options, &session), TELELINK_STATUS_NULL_ARGUMENT);
    tables.expect_dropped(1, 1, 1, 1);
  }
  Tables tables;
  EXPECT_EQ(telelink_session_create(tables.robot.context, &tables.robot.options, nullptr),
            TELELINK_STATUS_NULL_ARGUMENT);
  tables.expect_dropped(1, 1, 1, 1);
}

TEST(Drop, RunsWhenAServiceCannotBeAdded) {
  Tables tables;
  telelink_service& service = tables.service;
  EXPECT_EQ(telelink_session_add_services(nullptr, tables.services, 1), TELELINK_STATUS_NULL_ARGUMENT);
  EXPECT_EQ(tables.service_dropped.count(), 1);

  support::Robot robot;
  robot.start();
  service.name = garbage;
  EXPECT_EQ(telelink_session_add_services(robot.session, tables.services, 1), TELELINK_STATUS_INVALID_UTF8);
  EXPECT_EQ(tables.service_dropped.count(), 2);
  service.name = text("");
  EXPECT_EQ(telelink_session_add_services(robot.session, tables.services, 1), TELELINK_STATUS_INVALID_VALUE);
  EXPECT_EQ(tables.service_dropped.count(), 3);
  service.name = text("/service");
  service.on_request = nullptr;
  EXPECT_EQ(telelink_session_add_services(robot.session, tables.services, 1), TELELINK_STATUS_NULL_ARGUMENT);
  EXPECT_STREQ(telelink_last_error_message(), "service.on_request of service /service is NULL");
  EXPECT_EQ(tables.service_dropped.count(), 4);
}

TEST(ApiKey, IsChecked) {
  support::Robot robot;
  robot.options.token = telelink_str{nullptr, 0};
  telelink_api_key key;
  ASSERT_EQ(telelink_api_key_init(&key, sizeof key), TELELINK_STATUS_OK);
  EXPECT_EQ(key.ttl_s, 21'600U);
  robot.options.api_key = &key;
  const auto expect = [&](telelink_status status, const char* message) {
    EXPECT_EQ(telelink_session_create(robot.context, &robot.options, &robot.session), status);
    EXPECT_STREQ(telelink_last_error_message(), message);
  };
  expect(TELELINK_STATUS_INVALID_VALUE, "options.api_key.key is empty, and so is LIVEKIT_API_KEY in the environment");
  key.key = text("devkey");
  expect(TELELINK_STATUS_INVALID_VALUE,
         "options.api_key.secret is empty, and so is LIVEKIT_API_SECRET in the environment");
  key.secret = text("a secret");
  expect(TELELINK_STATUS_INVALID_VALUE, "options.api_key.room is empty, and so is TELELINK_ROOM in the environment");
  key.room = text("yard");
  expect(TELELINK_STATUS_INVALID_VALUE,
         "options.api_key.identity is empty, and so is TELELINK_IDENTITY in the environment");
  key.identity = garbage;
  expect(TELELINK_STATUS_INVALID_UTF8, "options.api_key.identity is not valid UTF-8 at byte 1");
  key.identity = text("robot");
  key.ttl_s = 59;
  expect(TELELINK_STATUS_INVALID_VALUE, "the token's ttl is outside 1 min to 30 days");
}

TEST(Connection, NamesAUrlThatCannotWorkAndALibraryThatIsMissing) {
  support::Robot robot;
  robot.options.url = text("not a url");
  EXPECT_EQ(telelink_session_create(robot.context, &robot.options, &robot.session), TELELINK_STATUS_INVALID_VALUE);
  EXPECT_NE(std::string{telelink_last_error_message()}.find("url"), std::string::npos) << telelink_last_error_message();

  robot.options.url = text("ws://127.0.0.1:1");
  robot.options.livekit_library = text("/nowhere/liblivekit_ffi.so");
  EXPECT_EQ(telelink_session_create(robot.context, &robot.options, &robot.session), TELELINK_STATUS_LIBRARY_MISSING);
  EXPECT_NE(std::string{telelink_last_error_message()}.find("/nowhere/liblivekit_ffi.so"), std::string::npos)
      << telelink_last_error_message();
  EXPECT_EQ(robot.session, nullptr);
}

TEST(Token, CallbackIsAskedAndItsFailureIsTheSessionsError) {
  Tables tables;
  Event asked;
  struct Told {
    Event failed;
    std::string message;
    std::mutex mutex;
  } told;
  tables.robot.callbacks.context = &told;
  tables.robot.callbacks.drop = nullptr;
  tables.robot.callbacks.on_status = [](void* context, telelink_connection_status, telelink_status reason,
                                        telelink_str message) {
    auto& self = *static_cast<Told*>(context);
    if (reason == TELELINK_STATUS_OK) return;
    {
      const std::lock_guard lock{self.mutex};
      self.message = support::string(message);
    }
    self.failed.set();
  };
  tables.robot.options.auto_reconnect = 0;
  ASSERT_EQ(telelink_session_create(tables.robot.context, &tables.robot.options, &tables.robot.session),
            TELELINK_STATUS_OK);
  ASSERT_TRUE(told.failed.wait());
  {
    const std::lock_guard lock{told.mutex};
    EXPECT_NE(told.message.find("no token today"), std::string::npos) << told.message;
  }
  EXPECT_NE(telelink_session_last_error(tables.robot.session), TELELINK_STATUS_OK);
  EXPECT_NE(std::string{telelink_last_error_message()}.find("no token today"), std::string::npos);
  telelink_session_free(tables.robot.release());
}

}  // namespace
