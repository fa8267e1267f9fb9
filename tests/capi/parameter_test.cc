// Parameters on the C surface: every kind exactly, handlers and their responders, listener callbacks, the store.
#include "support.hpp"

#include <cstring>
#include <iterator>
#include <limits>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using support::Event;
using support::text;
using support::wait_ms;

/// A handler that keeps the last request and hands its responder to the test.
struct ParameterDesk {
  std::mutex mutex;
  std::string seen;
  telelink_parameter_list* wanted = nullptr;
  std::vector<telelink_parameter_responder*> responders;
  Event called, dropped;
  int taken = 0;

  ~ParameterDesk() { telelink_parameter_list_free(wanted); }

  telelink_parameter_responder* take() {
    EXPECT_TRUE(called.wait(++taken));
    const std::lock_guard lock{mutex};
    return responders.at(static_cast<std::size_t>(taken) - 1);
  }
};

std::string id_of(telelink_str id) {
  return id.data == nullptr ? "none" : "'" + support::string(id) + "'";
}

void on_get(void* context, const telelink_get_parameters_request* request, telelink_parameter_responder* responder) {
  auto& desk = *static_cast<ParameterDesk*>(context);
  EXPECT_EQ(request->struct_size, sizeof *request);
  {
    const std::lock_guard lock{desk.mutex};
    desk.seen = "get " + support::string(telelink_client_identity(request->client)) + " " + id_of(request->request_id);
    for (std::size_t i = 0; i < request->names_count; ++i)
      desk.seen += " " + support::string(request->names[i]);
    desk.responders.push_back(responder);
  }
  desk.called.set();
}

void on_set(void* context, const telelink_set_parameters_request* request, telelink_parameter_responder* responder) {
  auto& desk = *static_cast<ParameterDesk*>(context);
  EXPECT_EQ(request->struct_size, sizeof *request);
  {
    const std::lock_guard lock{desk.mutex};
    desk.seen = "set " + support::string(telelink_client_identity(request->client)) + " " + id_of(request->request_id);
    telelink_parameter_list_free(desk.wanted);
    EXPECT_EQ(telelink_parameter_list_create(request->parameters, request->parameters_count, &desk.wanted),
              TELELINK_STATUS_OK)
        << telelink_last_error_message();
    desk.responders.push_back(responder);
  }
  desk.called.set();
}

/// A robot with the parameters capability, and a viewer that speaks JSON.
class Parameters : public ::testing::Test {
 protected:
  /// Before the members of the derived fixtures, which callbacks use.
  void TearDown() override { telelink_session_free(robot.release()); }

  void send(const std::string& json) {
    ASSERT_EQ(telelink_test_viewer_send_json(robot.viewer, text(json), wait_ms), TELELINK_STATUS_OK)
        << telelink_last_error_message();
  }

  std::string values(telelink_test_viewer* viewer = nullptr) {
    telelink_str json = {};
    EXPECT_EQ(telelink_test_viewer_next_json(viewer == nullptr ? robot.viewer : viewer, text("parameterValues"),
                                             wait_ms, &json),
              TELELINK_STATUS_OK)
        << telelink_last_error_message();
    return support::string(json);
  }

  std::string status() {
    telelink_test_status status;
    EXPECT_EQ(telelink_test_status_init(&status, sizeof status), TELELINK_STATUS_OK);
    EXPECT_EQ(telelink_test_viewer_next_status(robot.viewer, wait_ms, &status), TELELINK_STATUS_OK)
        << telelink_last_error_message();
    EXPECT_EQ(status.level, TELELINK_STATUS_LEVEL_ERROR);
    return support::string(status.message);
  }

  static std::string message(const std::string& parameters, const std::string& id = "") {
    return R"({"op":"parameterValues","parameters":[)" + parameters + "]" +
           (id.empty() ? "" : R"(,"id":")" + id + "\"") + "}";
  }

  support::Robot robot;
};

class ParameterHandlers : public Parameters {
 protected:
  void SetUp() override {
    ASSERT_EQ(telelink_parameter_handler_init(&handler, sizeof handler), TELELINK_STATUS_OK);
    handler.context = &desk;
    handler.drop = [](void* context) { static_cast<ParameterDesk*>(context)->dropped.set(); };
    handler.on_get = &on_get;
    handler.on_set = &on_set;
    robot.options.parameter_handler = &handler;
    robot.callbacks.on_get_parameters = [](void*, const telelink_client*, telelink_str, const telelink_str*,
                                           std::size_t, const telelink_parameter_answer*) {
      ADD_FAILURE() << "the handler comes first";
    };
    robot.callbacks.on_set_parameters = [](void*, const telelink_client*, telelink_str, const telelink_parameter*,
                                           std::size_t, const telelink_parameter_answer*) {
      ADD_FAILURE() << "the handler comes first";
    };
    robot.start();
    robot.join();
  }

  ParameterDesk desk;
  telelink_parameter_handler handler;
};

TEST_F(ParameterHandlers, EveryKindFromCToTheViewerExactly) {
  const bool bools[] = {true, false};
  const std::int64_t integers[] = {std::numeric_limits<std::int64_t>::min(), 0,
                                   std::numeric_limits<std::int64_t>::max()};
  const double floats[] = {1.0, 2.5};
  const telelink_str strings[] = {text("a"), text("")};
  const telelink_parameter inner[] = {telelink_parameter_of("c", telelink_string_value(text("x")))};
  const telelink_parameter_value mixed[] = {telelink_bool_value(true), telelink_string_value(text("x")),
                                            telelink_dict_value(inner, 1)};
  const telelink_parameter_value nested[] = {telelink_integer_array_value(integers, 1), telelink_array_value(mixed, 2)};
  const telelink_parameter dict[] = {
      telelink_parameter_of("b", telelink_dict_value(inner, 1)),
      telelink_parameter_of("a", telelink_integer_value(1)),
      telelink_parameter_of("f", telelink_float_array_value(floats, 2)),
      telelink_parameter_of("n", telelink_array_value(nested, 2)),
  };
  const std::uint8_t bytes[] = {0, 1, 255};
  const telelink_parameter all[] = {
      telelink_parameter_of("/true", telelink_bool_value(true)),
      telelink_parameter_of("/min", telelink_integer_value(integers[0])),
      telelink_parameter_of("/max", telelink_integer_value(integers[2])),
      telelink_parameter_of("/one", telelink_float_value(1.0)),
      telelink_parameter_of("/tiny", telelink_float_value(1e-7)),
      telelink_parameter_of("/text", telelink_string_value(text("h\xC3\xA9llo"))),
      telelink_parameter_of("/empty", telelink_string_value(text(""))),
      telelink_parameter_of("/bytes", telelink_bytes_value(telelink_data(bytes, 3))),
      telelink_parameter_of("/no_bytes", telelink_bytes_value(telelink_data(nullptr, 0))),
      telelink_parameter_of("/bools", telelink_bool_array_value(bools, 2)),
      telelink_parameter_of("/integers", telelink_integer_array_value(integers, 3)),
      telelink_parameter_of("/no_integers", telelink_integer_array_value(nullptr, 0)),
      telelink_parameter_of("/floats", telelink_float_array_value(floats, 2)),
      telelink_parameter_of("/no_floats", telelink_float_array_value(nullptr, 0)),
      telelink_parameter_of("/strings", telelink_string_array_value(strings, 2)),
      telelink_parameter_of("/mixed", telelink_array_value(mixed, 3)),
      telelink_parameter_of("/dict", telelink_dict_value(dict, 4)),
      telelink_parameter_of("/unset", telelink_unset_value()),
  };
  const std::string expected = message(
      R"({"name":"/true","value":true},{"name":"/min","value":-9223372036854775808},)"
      R"({"name":"/max","value":9223372036854775807},{"name":"/one","type":"float64","value":1.0},)"
      R"({"name":"/tiny","type":"float64","value":1e-7},{"name":"/text","value":"héllo"},)"
      R"({"name":"/empty","value":""},{"name":"/bytes","type":"byte_array","value":"AAH/"},)"
      R"({"name":"/no_bytes","type":"byte_array","value":""},{"name":"/bools","value":[true,false]},)"
      R"({"name":"/integers","value":[-9223372036854775808,0,9223372036854775807]},{"name":"/no_integers","value":[]},)"
      R"({"name":"/floats","type":"float64_array","value":[1.0,2.5]},)"
      R"({"name":"/no_floats","type":"float64_array","value":[]},{"name":"/strings","value":["a",""]},)"
      R"({"name":"/mixed","value":[true,"x",{"c":"x"}]},)"
      R"({"name":"/dict","value":{"a":1,"b":{"c":"x"},"f":[1.0,2.5],"n":[[-9223372036854775808],[true,"x"]]}})",
      "7");
  send(R"({"op":"getParameters","parameterNames":[],"id":"7"})");
  auto* responder = desk.take();
  EXPECT_EQ(telelink_parameter_responder_respond(responder, all, std::size(all)), TELELINK_STATUS_OK)
      << telelink_last_error_message();
  telelink_parameter_responder_free(responder);
  const std::string got = values();
  EXPECT_EQ(got, expected);

  // And back: what C reads of it, answered as it was read, is the same again.
  std::string back = got;
  back.replace(back.find("parameterValues"), std::strlen("parameterValues"), "setParameters");
  send(back);
  responder = desk.take();
  EXPECT_EQ(telelink_parameter_responder_respond(responder, telelink_parameter_list_data(desk.wanted),
                                                 telelink_parameter_list_count(desk.wanted)),
            TELELINK_STATUS_OK)
      << telelink_last_error_message();
  telelink_parameter_responder_free(responder);
  EXPECT_EQ(values(), expected);
}

TEST_F(ParameterHandlers, KindsAreWhatTheWireCanSay) {
  send(R"({"op":"setParameters","id":"","parameters":[{"name":"/b","value":true},{"name":"/i","value":-1},)"
       R"({"name":"/f","value":1.0},{"name":"/g","type":"float64","value":2},{"name":"/s","value":"x"},)"
       R"({"name":"/y","type":"byte_array","value":"AAH/"},{"name":"/ba","value":[true]},{"name":"/ia","value":[1,2]},)"
       R"({"name":"/fa","value":[1,2.5]},{"name":"/sa","value":["a","b"]},{"name":"/e","value":[]},)"
       R"({"name":"/m","value":[true,"x"]},{"name":"/d","value":{"k":[]}},{"name":"/u"}]})");
  auto* responder = desk.take();
  ASSERT_EQ(telelink_parameter_list_count(desk.wanted), 14U);
  EXPECT_EQ(desk.seen, "set operator ''");
  const telelink_parameter* wanted = telelink_parameter_list_data(desk.wanted);
  const telelink_parameter_kind kinds[] = {
      TELELINK_PARAMETER_KIND_BOOL,         TELELINK_PARAMETER_KIND_INTEGER,       TELELINK_PARAMETER_KIND_FLOAT,
      TELELINK_PARAMETER_KIND_FLOAT,        TELELINK_PARAMETER_KIND_STRING,        TELELINK_PARAMETER_KIND_BYTES,
      TELELINK_PARAMETER_KIND_BOOL_ARRAY,   TELELINK_PARAMETER_KIND_INTEGER_ARRAY, TELELINK_PARAMETER_KIND_FLOAT_ARRAY,
      TELELINK_PARAMETER_KIND_STRING_ARRAY, TELELINK_PARAMETER_KIND_ARRAY,         TELELINK_PARAMETER_KIND_ARRAY,
      TELELINK_PARAMETER_KIND_DICT,         TELELINK_PARAMETER_KIND_UNSET,
  };
  for (std::size_t i = 0; i < std::size(kinds); ++i)
    EXPECT_EQ(wanted[i].value.kind, kinds[i]) << support::string(wanted[i].name);
  EXPECT_TRUE(wanted[0].value.data.boolean);
  EXPECT_EQ(wanted[1].value.data.integer, -1);
  EXPECT_EQ(wanted[3].value.data.number, 2.0);
  ASSERT_EQ(wanted[5].value.data.bytes.len, 3U);
  EXPECT_EQ(wanted[5].value.data.bytes.data[2], 255);
  ASSERT_EQ(wanted[6].value.data.bools.len, 1U);
  EXPECT_TRUE(wanted[6].value.data.bools.data[0]);
  ASSERT_EQ(wanted[7].value.data.integers.len, 2U);
  EXPECT_EQ(wanted[7].value.data.integers.data[1], 2);
  ASSERT_EQ(wanted[8].value.data.floats.len, 2U);
  EXPECT_EQ(wanted[8].value.data.floats.data[0], 1.0);
  ASSERT_EQ(wanted[9].value.data.strings.len, 2U);
  EXPECT_EQ(support::string(wanted[9].value.data.strings.data[1]), "b");
  EXPECT_EQ(wanted[10].value.data.values.len, 0U);
  ASSERT_EQ(wanted[11].value.data.values.len, 2U);
  EXPECT_EQ(wanted[11].value.data.values.data[1].kind, TELELINK_PARAMETER_KIND_STRING);
  ASSERT_EQ(wanted[12].value.data.entries.len, 1U);
  EXPECT_EQ(support::string(wanted[12].value.data.entries.data[0].name), "k");
  telelink_parameter_responder_free(responder);
}

// S-209: the callbacks of the session are there, and not asked.
TEST_F(ParameterHandlers, AnswersFromAnotherThreadAfterTheCallbackReturned) {
  send(R"({"op":"getParameters","parameterNames":["/a","/b"]})");
  auto* responder = desk.take();
  EXPECT_EQ(desk.seen, "get operator none /a /b");
  const auto one = telelink_parameter_of("/a", telelink_integer_value(1));
  std::thread([&] {
    EXPECT_EQ(telelink_parameter_responder_respond(responder, &one, 1), TELELINK_STATUS_OK);
    telelink_parameter_responder_free(responder);
  }).join();
  EXPECT_EQ(values(), message(R"({"name":"/a","value":1})"));
}

TEST_F(ParameterHandlers, SecondAnswerIsRefusedAndNotSent) {
  send(R"({"op":"getParameters","parameterNames":[],"id":"1"})");
  auto* responder = desk.take();
  const auto one = telelink_parameter_of("/a", telelink_integer_value(1));
  EXPECT_EQ(telelink_parameter_responder_fail(responder, text("not now")), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_parameter_responder_respond(responder, &one, 1), TELELINK_STATUS_ALREADY_RESPONDED);
  EXPECT_EQ(telelink_parameter_responder_fail(responder, text("again")), TELELINK_STATUS_ALREADY_RESPONDED);
  telelink_parameter_responder_free(responder);
  EXPECT_EQ(status(), "not now");
  // What would have been sent would have come before the answer to this.
  send(R"({"op":"getParameters","parameterNames":[],"id":"2"})");
  responder = desk.take();
  EXPECT_EQ(telelink_parameter_responder_respond(responder, nullptr, 0), TELELINK_STATUS_OK);
  telelink_parameter_responder_free(responder);
  EXPECT_EQ(values(), message("", "2"));
}

TEST_F(ParameterHandlers, FreeWithoutAnAnswerTellsTheViewer) {
  for (const auto* request :
       {R"({"op":"getParameters","parameterNames":[],"id":"1"})", R"({"op":"setParameters","parameters":[]})"}) {
    send(request);
    telelink_parameter_responder_free(desk.take());
    EXPECT_EQ(status(), "Internal server error: parameter handler failed to send a response");
  }
}

TEST_F(ParameterHandlers, ValuesThatCannotBeSentAreRefusedByName) {
  send(R"({"op":"getParameters","parameterNames":[],"id":"1"})");
  auto* responder = desk.take();
  const auto refused = [&](const telelink_parameter_value& value) {
    const auto parameter = telelink_parameter_of("/bad", value);
    EXPECT_EQ(telelink_parameter_responder_respond(responder, &parameter, 1), TELELINK_STATUS_INVALID_VALUE);
    const std::string why = telelink_last_error_message();
    EXPECT_NE(why.find("/bad"), std::string::npos) << why;
    return why;
  };
  EXPECT_NE(refused(telelink_float_value(std::numeric_limits<double>::quiet_NaN())).find("NaN"), std::string::npos);
  const double infinite[] = {std::numeric_limits<double>::infinity()};
  refused(telelink_float_array_value(infinite, 1));
  const telelink_parameter_value bytes[] = {telelink_bytes_value(telelink_text_data("x"))};
  EXPECT_NE(refused(telelink_array_value(bytes, 1)).find("byte array"), std::string::npos);
  const telelink_parameter_value unset[] = {telelink_unset_value()};
  refused(telelink_array_value(unset, 1));
  const telelink_parameter_value mixed[] = {telelink_integer_value(1), telelink_bool_value(true)};
  refused(telelink_array_value(mixed, 2));
  telelink_parameter_value circle[1];
  circle[0] = telelink_array_value(circle, 1);
  EXPECT_NE(refused(circle[0]).find("deep"), std::string::npos);
  auto unknown = telelink_unset_value();
  unknown.kind = 12;
  EXPECT_NE(refused(unknown).find("12"), std::string::npos);

  const auto garbage = telelink_parameter_of("/a", telelink_string_value(telelink_str{"\xff", 1}));
  EXPECT_EQ(telelink_parameter_responder_respond(responder, &garbage, 1), TELELINK_STATUS_INVALID_UTF8);
  const auto no_data = telelink_parameter_of("/a", telelink_integer_array_value(nullptr, 1));
  EXPECT_EQ(telelink_parameter_responder_respond(responder, &no_data, 1), TELELINK_STATUS_NULL_ARGUMENT);
  EXPECT_EQ(telelink_parameter_responder_fail(responder, telelink_str{"\xff", 1}), TELELINK_STATUS_INVALID_UTF8);
  const auto good = telelink_parameter_of("/a", telelink_integer_value(1));
  EXPECT_EQ(telelink_parameter_responder_respond(responder, &good, 1), TELELINK_STATUS_OK);
  telelink_parameter_responder_free(responder);
  EXPECT_EQ(values(), message(R"({"name":"/a","value":1})", "1"));
}

TEST_F(ParameterHandlers, ResponderOutlivesViewerAndSession) {
  send(R"({"op":"getParameters","parameterNames":[]})");
  auto* after_viewer = desk.take();
  send(R"({"op":"setParameters","parameters":[],"id":"1"})");
  auto* after_session = desk.take();
  send(R"({"op":"setParameters","parameters":[],"id":"2"})");
  auto* unanswered = desk.take();
  telelink_test_viewer_free(robot.viewer);
  robot.viewer = nullptr;
  EXPECT_EQ(telelink_parameter_responder_respond(after_viewer, nullptr, 0), TELELINK_STATUS_OK);
  telelink_parameter_responder_free(after_viewer);
  telelink_session_free(robot.release());
  EXPECT_EQ(desk.dropped.count(), 1);
  EXPECT_EQ(telelink_parameter_responder_respond(after_session, nullptr, 0), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_parameter_responder_fail(after_session, text("x")), TELELINK_STATUS_ALREADY_RESPONDED);
  telelink_parameter_responder_free(after_session);
  telelink_parameter_responder_free(unanswered);
}

TEST_F(ParameterHandlers, PublishingReachesThoseWhoFollow) {
  send(R"({"op":"subscribeParameterUpdates","parameterNames":["/b","/c"]})");
  const telelink_parameter both[] = {telelink_parameter_of("/a", telelink_integer_value(1)),
                                     telelink_parameter_of("/b", telelink_float_value(2)),
                                     telelink_parameter_of("/c", telelink_unset_value())};
  EXPECT_EQ(telelink_session_publish_parameter_values(robot.session, both, 3), TELELINK_STATUS_OK);
  EXPECT_EQ(values(), message(R"({"name":"/b","type":"float64","value":2.0})"));
  const auto bad = telelink_parameter_of("/b", telelink_float_value(std::numeric_limits<double>::infinity()));
  EXPECT_EQ(telelink_session_publish_parameter_values(robot.session, &bad, 1), TELELINK_STATUS_INVALID_VALUE);
  EXPECT_EQ(telelink_session_publish_parameter_values(robot.session, nullptr, 0), TELELINK_STATUS_OK);
}

TEST(ParameterOptions, HandlerNeedsBothFunctionsAndStandsAlone) {
  support::Robot robot;
  Event dropped;
  telelink_parameter_handler handler;
  ASSERT_EQ(telelink_parameter_handler_init(&handler, sizeof handler), TELELINK_STATUS_OK);
  handler.context = &dropped;
  handler.drop = &support::drop_event;
  handler.on_get = &on_get;
  robot.options.parameter_handler = &handler;
  EXPECT_EQ(telelink_session_create(robot.context, &robot.options, &robot.session), TELELINK_STATUS_NULL_ARGUMENT);
  EXPECT_STREQ(telelink_last_error_message(), "options.parameter_handler.on_set is NULL");
  EXPECT_EQ(dropped.count(), 1);

  handler.on_set = &on_set;
  telelink_parameter_store* store = nullptr;
  ASSERT_EQ(telelink_parameter_store_create(&store), TELELINK_STATUS_OK);
  robot.options.parameter_store = store;
  EXPECT_EQ(telelink_session_create(robot.context, &robot.options, &robot.session), TELELINK_STATUS_INVALID_VALUE);
  EXPECT_STREQ(telelink_last_error_message(), "both options.parameter_handler and options.parameter_store are set");
  EXPECT_EQ(dropped.count(), 2);
  telelink_parameter_store_free(store);

  robot.options.parameter_handler = nullptr;
  robot.options.parameter_store = nullptr;
  robot.start();
  const auto one = telelink_parameter_of("/a", telelink_integer_value(1));
  EXPECT_EQ(telelink_session_publish_parameter_values(robot.session, &one, 1), TELELINK_STATUS_NOT_SUPPORTED);
}

/// What the listener's callbacks saw.
struct Heard {
  std::mutex mutex;
  std::string seen;
  Event subscribed, unsubscribed;
};

class ParameterListeners : public Parameters {
 protected:
  void SetUp() override {
    robot.options.capabilities = TELELINK_CAPABILITY_PARAMETERS;
    robot.callbacks.context = &heard;
  }

  Heard heard;
};

TEST_F(ParameterListeners, GetSetAndSubscriptions) {
  robot.callbacks.on_parameters_subscribe = [](void* context, const telelink_str* names, std::size_t count) {
    auto& me = *static_cast<Heard*>(context);
    const std::lock_guard lock{me.mutex};
    for (std::size_t i = 0; i < count; ++i)
      me.seen += "+" + support::string(names[i]);
    me.subscribed.set();
  };
  robot.callbacks.on_parameters_unsubscribe = [](void* context, const telelink_str* names, std::size_t count) {
    auto& me = *static_cast<Heard*>(context);
    const std::lock_guard lock{me.mutex};
    for (std::size_t i = 0; i < count; ++i)
      me.seen += "-" + support::string(names[i]);
    me.unsubscribed.set();
  };
  robot.callbacks.on_get_parameters = [](void*, const telelink_client* client, telelink_str id,
                                         const telelink_str* names, std::size_t count,
                                         const telelink_parameter_answer* answer) {
    EXPECT_EQ(support::string(telelink_client_identity(client)), "operator");
    EXPECT_EQ(id_of(id), "'7'");
    ASSERT_EQ(count, 1U);
    EXPECT_EQ(support::string(names[0]), "/a");
    const auto other = telelink_parameter_of("/x", telelink_integer_value(0));
    const auto value = telelink_parameter_of("/a", telelink_integer_value(1));
    EXPECT_EQ(telelink_parameter_answer_set(answer, &other, 1), TELELINK_STATUS_OK);
    EXPECT_EQ(telelink_parameter_answer_set(answer, &value, 1), TELELINK_STATUS_OK) << "the last one counts";
  };
  robot.callbacks.on_set_parameters = [](void*, const telelink_client*, telelink_str, const telelink_parameter* wanted,
                                         std::size_t count, const telelink_parameter_answer* answer) {
    ASSERT_EQ(count, 1U);
    EXPECT_EQ(wanted[0].value.data.integer, 5);
    const auto stored = telelink_parameter_of("/a", telelink_integer_value(4));
    EXPECT_EQ(telelink_parameter_answer_set(answer, &stored, 1), TELELINK_STATUS_OK);
  };
  robot.start();
  robot.join();
  send(R"({"op":"subscribeParameterUpdates","parameterNames":["/a","/b"]})");
  ASSERT_TRUE(heard.subscribed.wait());
  send(R"({"op":"getParameters","parameterNames":["/a"],"id":"7"})");
  EXPECT_EQ(values(), message(R"({"name":"/a","value":1})", "7"));
  send(R"({"op":"setParameters","parameters":[{"name":"/a","value":5}],"id":"8"})");
  EXPECT_EQ(values(), message(R"({"name":"/a","value":4})", "8"));
  EXPECT_EQ(values(), message(R"({"name":"/a","value":4})"));
  send(R"({"op":"unsubscribeParameterUpdates","parameterNames":["/b"]})");
  ASSERT_TRUE(heard.unsubscribed.wait());
  const std::lock_guard lock{heard.mutex};
  EXPECT_EQ(heard.seen, "+/a+/b-/b");
}

// S-214, S-213b.
TEST_F(ParameterListeners, WithoutCallbacksNothingIsPublishedAndAGetFails) {
  robot.start();
  robot.join();
  send(R"({"op":"subscribeParameterUpdates","parameterNames":["/a"]})");
  send(R"({"op":"setParameters","parameters":[{"name":"/a","value":5}],"id":"8"})");
  EXPECT_EQ(values(), message("", "8"));
  send(R"({"op":"getParameters","parameterNames":["/a"],"id":"7"})");
  EXPECT_FALSE(status().empty());
  // What is published later comes first of all: nothing was published before.
  const auto one = telelink_parameter_of("/a", telelink_integer_value(1));
  EXPECT_EQ(telelink_session_publish_parameter_values(robot.session, &one, 1), TELELINK_STATUS_OK);
  EXPECT_EQ(values(), message(R"({"name":"/a","value":1})"));
}

/// What a declaration's callbacks saw.
struct Watched {
  std::mutex mutex;
  std::vector<std::string> seen;
  Event changed, dropped;
};

class ParameterStores : public Parameters {
 protected:
  void SetUp() override { ASSERT_EQ(telelink_parameter_store_create(&store), TELELINK_STATUS_OK); }
  void TearDown() override {
    Parameters::TearDown();
    telelink_parameter_store_free(store);
  }

  static telelink_parameter_declaration declaration(const char* name, telelink_parameter_value value) {
    telelink_parameter_declaration declaration;
    EXPECT_EQ(telelink_parameter_declaration_init(&declaration, sizeof declaration), TELELINK_STATUS_OK);
    declaration.name = telelink_text(name);
    declaration.value = value;
    return declaration;
  }

  void declare(const telelink_parameter_declaration& declaration) {
    ASSERT_EQ(telelink_parameter_store_declare(store, &declaration), TELELINK_STATUS_OK)
        << telelink_last_error_message();
  }

  void start() {
    robot.options.parameter_store = store;
    robot.start();
    robot.join();
  }

  telelink_parameter_store* store = nullptr;
};

TEST_F(ParameterStores, TwoViewersEchoFirstThenTheUpdate) {
  auto gain = declaration("/gain", telelink_float_value(1));
  gain.min = telelink_integer_value(0);
  gain.max = telelink_float_value(10);
  declare(gain);
  auto fixed = declaration("/readonly", telelink_integer_value(7));
  fixed.read_only = 1;
  declare(fixed);
  start();
  telelink_test_viewer* other = nullptr;
  ASSERT_EQ(telelink_test_viewer_create(robot.server, text("yard"), text("second"), wait_ms, &other),
            TELELINK_STATUS_OK);
  send(R"({"op":"subscribeParameterUpdates","parameterNames":["/gain","/readonly"]})");
  ASSERT_EQ(telelink_test_viewer_send_json(
                other, text(R"({"op":"subscribeParameterUpdates","parameterNames":["/gain"]})"), wait_ms),
            TELELINK_STATUS_OK);
  send(R"({"op":"getParameters","parameterNames":[],"id":"0"})");
  EXPECT_EQ(values(), message(R"({"name":"/gain","type":"float64","value":1.0},{"name":"/readonly","value":7})", "0"));

  const std::string two = R"({"name":"/gain","type":"float64","value":2.0})";
  send(
      R"({"op":"setParameters","parameters":[{"name":"/gain","value":2},{"name":"/readonly","value":8},{"name":"/no","value":1}],"id":"1"})");
  EXPECT_EQ(values(), message(two + R"(,{"name":"/readonly","value":7})", "1"));
  EXPECT_EQ(values(), message(two));
  EXPECT_EQ(values(other), message(two));

  send(
      R"({"op":"setParameters","parameters":[{"name":"/gain","value":11},{"name":"/gain","value":"x"},{"name":"/gain"}],"id":"2"})");
  EXPECT_EQ(values(), message(two, "2"));

  ASSERT_EQ(telelink_parameter_store_set(store, text("/gain"), telelink_float_value(3)), TELELINK_STATUS_OK);
  const std::string three = R"({"name":"/gain","type":"float64","value":3.0})";
  EXPECT_EQ(values(), message(three));
  EXPECT_EQ(values(other), message(three));
  ASSERT_EQ(telelink_parameter_store_set(store, text("/readonly"), telelink_integer_value(8)), TELELINK_STATUS_OK);
  EXPECT_EQ(values(), message(R"({"name":"/readonly","value":8})"));
  telelink_test_viewer_free(other);
}

TEST_F(ParameterStores, CallbacksCheckAndSeeChanges) {
  Watched watched;
  auto mode = declaration("/mode", telelink_string_value(text("idle")));
  mode.context = &watched;
  mode.drop = [](void* context) { static_cast<Watched*>(context)->dropped.set(); };
  mode.deletable = 1;
  mode.validate = [](void*, const telelink_parameter* parameter, const telelink_parameter_check* check) {
    if (support::string(parameter->value.data.string) == "fly") {
      EXPECT_EQ(telelink_parameter_check_refuse(check, text("no wings")), TELELINK_STATUS_OK);
    }
  };
  mode.on_change = [](void* context, const telelink_parameter* parameter) {
    auto& me = *static_cast<Watched*>(context);
    const bool unset = parameter->value.kind == TELELINK_PARAMETER_KIND_UNSET;
    const std::lock_guard lock{me.mutex};
    me.seen.push_back(unset ? "unset" : support::string(parameter->value.data.string));
    me.changed.set();
  };
  declare(mode);
  start();
  EXPECT_EQ(telelink_parameter_store_set(store, text("/mode"), telelink_string_value(text("fly"))),
            TELELINK_STATUS_INVALID_VALUE);
  EXPECT_STREQ(telelink_last_error_message(), "/mode was refused: no wings");
  EXPECT_EQ(telelink_parameter_store_set(store, text("/mode"), telelink_string_value(text("drive"))),
            TELELINK_STATUS_OK);
  send(R"({"op":"setParameters","parameters":[{"name":"/mode","value":"fly"}],"id":"1"})");
  EXPECT_EQ(values(), message(R"({"name":"/mode","value":"drive"})", "1"));
  send(R"({"op":"setParameters","parameters":[{"name":"/mode","value":"park"}],"id":"2"})");
  EXPECT_EQ(values(), message(R"({"name":"/mode","value":"park"})", "2"));
  ASSERT_TRUE(watched.changed.wait(2));
  send(R"({"op":"setParameters","parameters":[{"name":"/mode"}],"id":"3"})");
  EXPECT_EQ(values(), message("", "3"));
  ASSERT_TRUE(watched.changed.wait(3));
  ASSERT_TRUE(watched.dropped.wait());
  const std::lock_guard lock{watched.mutex};
  EXPECT_EQ(watched.seen, (std::vector<std::string>{"drive", "park", "unset"}));
  EXPECT_EQ(watched.dropped.count(), 1);
}

TEST_F(ParameterStores, ReadBackFromTheRobotsSide) {
  const telelink_str modes[] = {text("idle"), text("drive")};
  auto mode = declaration("/mode", telelink_string_value(modes[0]));
  mode.allowed = modes;
  mode.allowed_count = 2;
  mode.description = text("what it does");
  mode.deletable = 1;
  declare(mode);
  declare(declaration("/none", telelink_bool_array_value(nullptr, 0)));
  auto count = declaration("/count", telelink_integer_value(5));
  count.step = telelink_integer_value(5);
  count.read_only = 1;
  declare(count);

  telelink_parameter_value value = telelink_unset_value();
  ASSERT_EQ(telelink_parameter_store_scalar(store, text("/count"), &value), TELELINK_STATUS_OK);
  EXPECT_EQ(value.kind, TELELINK_PARAMETER_KIND_INTEGER);
  EXPECT_EQ(value.data.integer, 5);
  EXPECT_EQ(telelink_parameter_store_scalar(store, text("/mode"), &value), TELELINK_STATUS_INVALID_VALUE);
  EXPECT_EQ(telelink_parameter_store_scalar(store, text("/other"), &value), TELELINK_STATUS_NOT_FOUND);

  telelink_parameter_list* list = nullptr;
  ASSERT_EQ(telelink_parameter_store_get(store, text("/mode"), &list), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_parameter_list_count(list), 1U);
  EXPECT_EQ(support::string(telelink_parameter_list_data(list)->value.data.string), "idle");
  telelink_parameter_list_free(list);
  EXPECT_EQ(telelink_parameter_store_get(store, text("/other"), &list), TELELINK_STATUS_NOT_FOUND);

  ASSERT_EQ(telelink_parameter_store_list(store, &list), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_parameter_list_count(list), 3U);
  telelink_parameter_info info;
  ASSERT_EQ(telelink_parameter_info_init(&info, sizeof info), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_parameter_list_info(list, 0, &info), TELELINK_STATUS_OK);
  EXPECT_EQ(support::string(info.parameter.name), "/count");
  EXPECT_EQ(info.read_only, 1U);
  EXPECT_EQ(info.step.data.integer, 5);
  EXPECT_EQ(info.min.kind, TELELINK_PARAMETER_KIND_UNSET);
  ASSERT_EQ(telelink_parameter_list_info(list, 1, &info), TELELINK_STATUS_OK);
  EXPECT_EQ(support::string(info.description), "what it does");
  EXPECT_EQ(info.deletable, 1U);
  EXPECT_EQ(info.read_only, 0U);
  ASSERT_EQ(info.allowed_count, 2U);
  EXPECT_EQ(support::string(info.allowed[1]), "drive");
  ASSERT_EQ(telelink_parameter_list_info(list, 2, &info), TELELINK_STATUS_OK);
  EXPECT_EQ(info.kind, TELELINK_PARAMETER_KIND_BOOL_ARRAY);
  EXPECT_EQ(info.parameter.value.kind, TELELINK_PARAMETER_KIND_ARRAY);
  EXPECT_EQ(telelink_parameter_list_info(list, 3, &info), TELELINK_STATUS_NOT_FOUND);
  telelink_parameter_list_free(list);

  EXPECT_EQ(telelink_parameter_store_remove(store, text("/mode")), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_parameter_store_remove(store, text("/mode")), TELELINK_STATUS_NOT_FOUND);
}

TEST_F(ParameterStores, WrongDeclarationsAreRefusedAndTheirContextsConsumed) {
  Event dropped;
  const auto refused = [&](telelink_parameter_declaration declaration, telelink_status status) {
    const int before = dropped.count();
    declaration.context = &dropped;
    declaration.drop = &support::drop_event;
    EXPECT_EQ(telelink_parameter_store_declare(store, &declaration), status) << telelink_last_error_message();
    EXPECT_EQ(dropped.count(), before + 1);
    return std::string{telelink_last_error_message()};
  };
  EXPECT_EQ(refused(declaration("/a", telelink_unset_value()), TELELINK_STATUS_INVALID_VALUE),
            "declaration.value of /a is unset");
  refused(declaration("", telelink_integer_value(1)), TELELINK_STATUS_INVALID_VALUE);
  auto both = declaration("/a", telelink_integer_value(1));
  both.read_only = 2;
  EXPECT_EQ(refused(both, TELELINK_STATUS_INVALID_VALUE), "declaration.read_only is 2, neither 0 nor 1");
  auto low = declaration("/a", telelink_integer_value(1));
  low.min = telelink_integer_value(2);
  refused(low, TELELINK_STATUS_INVALID_VALUE);
  auto garbage = declaration("/a", telelink_integer_value(1));
  garbage.description = telelink_str{"\xff", 1};
  refused(garbage, TELELINK_STATUS_INVALID_UTF8);
  declare(declaration("/a", telelink_integer_value(1)));
  EXPECT_EQ(refused(declaration("/a", telelink_integer_value(1)), TELELINK_STATUS_DUPLICATE),
            "the parameter /a is declared already");
  auto size = declaration("/b", telelink_integer_value(1));
  size.struct_size = 8;
  EXPECT_EQ(telelink_parameter_store_declare(store, &size), TELELINK_STATUS_STRUCT_SIZE);
}

TEST_F(ParameterStores, LivesAsLongAsItsSession) {
  Watched watched;
  auto gain = declaration("/gain", telelink_float_value(1));
  gain.context = &watched;
  gain.drop = [](void* context) { static_cast<Watched*>(context)->dropped.set(); };
  declare(gain);
  start();
  telelink_parameter_store_free(store);
  store = nullptr;
  EXPECT_EQ(watched.dropped.count(), 0);
  send(R"({"op":"getParameters","parameterNames":[]})");
  EXPECT_EQ(values(), message(R"({"name":"/gain","type":"float64","value":1.0})"));
  telelink_session_free(robot.release());
  EXPECT_EQ(watched.dropped.count(), 1);
}

TEST_F(ParameterStores, SessionAndStoreCanBeFreedInsideOnChange) {
  struct Freeing {
    telelink_session* session = nullptr;
    telelink_parameter_store* store = nullptr;
    Event done, dropped;
  } freeing;
  auto gain = declaration("/gain", telelink_float_value(1));
  gain.context = &freeing;
  gain.drop = [](void* context) { static_cast<Freeing*>(context)->dropped.set(); };
  gain.on_change = [](void* context, const telelink_parameter*) {
    auto& me = *static_cast<Freeing*>(context);
    telelink_session_free(me.session);
    telelink_parameter_store_free(me.store);
    EXPECT_EQ(me.dropped.count(), 0) << "dropped under a running callback";
    me.done.set();
  };
  declare(gain);
  start();
  freeing.session = robot.release();
  freeing.store = std::exchange(store, nullptr);
  // The robot may have left before it answers the barrier of send_json(): only that it was handled matters.
  (void)telelink_test_viewer_send_json(
      robot.viewer, text(R"({"op":"setParameters","parameters":[{"name":"/gain","value":2}]})"), wait_ms / 20);
  ASSERT_TRUE(freeing.done.wait());
  ASSERT_TRUE(freeing.dropped.wait());
  EXPECT_EQ(freeing.dropped.count(), 1);
}

}  // namespace
