// ParameterValue, parameter handlers and listener callbacks of the C++ wrapper.
#include "support.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using support::Count;
using telelink::GetParametersRequest;
using telelink::Parameter;
using telelink::ParameterKind;
using telelink::ParameterResponder;
using telelink::ParameterValue;
using telelink::Session;
using telelink::SetParametersRequest;
using telelink::Status;
using Dict = ParameterValue::Dict;
using Array = ParameterValue::Array;

TEST(ParameterValue, IsMadeFromWhatItHolds) {
  EXPECT_EQ(ParameterValue{}.kind(), ParameterKind::unset);
  EXPECT_EQ(ParameterValue{true}.kind(), ParameterKind::boolean);
  EXPECT_EQ(ParameterValue{5}.kind(), ParameterKind::integer);
  EXPECT_EQ(ParameterValue{std::uint32_t{5}}.kind(), ParameterKind::integer);
  EXPECT_EQ(ParameterValue{1.5F}.kind(), ParameterKind::floating);
  EXPECT_EQ(ParameterValue{"text"}.kind(), ParameterKind::string);
  EXPECT_EQ(ParameterValue{std::string_view{"text"}}.kind(), ParameterKind::string);
  char buffer[] = "text";
  EXPECT_EQ(ParameterValue{buffer}, ParameterValue{"text"});
  EXPECT_EQ((ParameterValue{ParameterValue::ByteArray{0, 255}}.kind()), ParameterKind::bytes);
  EXPECT_EQ((ParameterValue{std::vector<bool>{true}}.kind()), ParameterKind::bool_array);
  EXPECT_EQ((ParameterValue{std::vector<int>{1, 2}}.kind()), ParameterKind::integer_array);
  EXPECT_EQ((ParameterValue{std::vector<double>{1}}.kind()), ParameterKind::float_array);
  EXPECT_EQ((ParameterValue{std::vector<std::string>{"a"}}.kind()), ParameterKind::string_array);
  EXPECT_EQ((ParameterValue{Array{1, "a"}}.kind()), ParameterKind::array);
  EXPECT_EQ((ParameterValue{Dict{{"a", 1}}}.kind()), ParameterKind::dict);
  static_assert(!std::is_constructible_v<ParameterValue, void*>);
  static_assert(!std::is_constructible_v<ParameterValue, int*>);
}

TEST(ParameterValue, ComparesAndConverts) {
  EXPECT_EQ((ParameterValue{Array{1, 2}}), (ParameterValue{std::vector<std::int64_t>{1, 2}}));
  EXPECT_NE(ParameterValue{1}, ParameterValue{1.0});
  EXPECT_NE(ParameterValue{1}, ParameterValue{true});
  EXPECT_EQ(ParameterValue{std::vector<double>{}}, ParameterValue{Array{}});
  EXPECT_NE(ParameterValue{Array{}}, ParameterValue{});
  EXPECT_EQ((Parameter{"/a", Dict{{"k", Dict{{"c", "x"}}}}}), (Parameter{"/a", Dict{{"k", Dict{{"c", "x"}}}}}));
  EXPECT_NE((Parameter{"/a", 1}), (Parameter{"/b", 1}));

  EXPECT_EQ(ParameterValue{2}.to<double>(), 2.0);
  EXPECT_EQ(ParameterValue{2.0}.to<int>(), std::nullopt);
  EXPECT_EQ(ParameterValue{300}.to<std::uint8_t>(), std::nullopt);
  EXPECT_EQ(ParameterValue{-1}.to<std::uint64_t>(), std::nullopt);
  EXPECT_EQ(ParameterValue{-1}.to<int>(), -1);
  EXPECT_EQ(ParameterValue{1}.to<bool>(), std::nullopt);
  EXPECT_EQ(ParameterValue{"x"}.to<std::string>(), "x");
  EXPECT_EQ((ParameterValue{std::vector<int>{1, 2}}.to<std::vector<double>>()), (std::vector<double>{1, 2}));
  EXPECT_EQ((ParameterValue{std::vector<double>{1}}.to<std::vector<std::int64_t>>()), std::nullopt);
  EXPECT_EQ((ParameterValue{Array{}}.to<std::vector<bool>>()), std::vector<bool>{});
  EXPECT_EQ((ParameterValue{std::vector<bool>{true, false}}.to<Array>()), (Array{true, false}));
  const ParameterValue text{"x"};
  ASSERT_NE(text.get_if<std::string>(), nullptr);
  EXPECT_EQ(text.get_if<bool>(), nullptr);
}

/// Values of every kind, and what they look like on the wire.
std::vector<Parameter> every_kind() {
  return {
      {"/true", true},
      {"/min", std::numeric_limits<std::int64_t>::min()},
      {"/max", std::numeric_limits<std::int64_t>::max()},
      {"/one", 1.0},
      {"/text", "h\xC3\xA9llo"},
      {"/bytes", ParameterValue::ByteArray{0, 1, 255}},
      {"/no_bytes", ParameterValue::ByteArray{}},
      {"/bools", std::vector<bool>{true, false}},
      {"/integers", std::vector<int>{1, 2, 3}},
      {"/floats", std::vector<double>{1.0, 2.5}},
      {"/no_floats", std::vector<double>{}},
      {"/strings", std::vector<std::string>{"a", ""}},
      {"/none", Array{}},
      {"/mixed", Array{true, "x", Dict{}}},
      {"/dict", Dict{{"a", 1}, {"b", Dict{{"c", "x"}}}, {"f", std::vector<double>{1.0}}, {"n", Array{Array{1}, true}}}},
  };
}

const char* const every_kind_json =
    R"({"name":"/true","value":true},{"name":"/min","value":-9223372036854775808},)"
    R"({"name":"/max","value":9223372036854775807},{"name":"/one","type":"float64","value":1.0},)"
    R"({"name":"/text","value":"héllo"},{"name":"/bytes","type":"byte_array","value":"AAH/"},)"
    R"({"name":"/no_bytes","type":"byte_array","value":""},{"name":"/bools","value":[true,false]},)"
    R"({"name":"/integers","value":[1,2,3]},{"name":"/floats","type":"float64_array","value":[1.0,2.5]},)"
    R"({"name":"/no_floats","type":"float64_array","value":[]},{"name":"/strings","value":["a",""]},)"
    R"({"name":"/none","value":[]},{"name":"/mixed","value":[true,"x",{}]},)"
    R"({"name":"/dict","value":{"a":1,"b":{"c":"x"},"f":[1.0],"n":[[1],true]}})";

/// A robot whose parameters are handled by two functions, and a viewer.
struct Handled {
  explicit Handled(telelink::ParameterHandler handler) {
    auto options = support::robot(server);
    options.parameter_handler = std::move(handler);
    run(std::move(options));
  }
  explicit Handled(telelink::SessionCallbacks callbacks) {
    auto options = support::robot(server);
    options.capabilities = telelink::Capabilities::parameters;
    options.callbacks = std::move(callbacks);
    run(std::move(options));
  }

  void run(telelink::SessionOptions options) {
    auto started = Session::start(context, std::move(options));
    ASSERT_TRUE(started) << started.error().message;
    session.emplace(std::move(*started));
    auto joined = server.viewer("yard", "operator");
    ASSERT_TRUE(joined) << joined.error().message;
    viewer.emplace(std::move(*joined));
  }

  void send(const std::string& json) {
    const auto sent = viewer->send_json(json);
    ASSERT_TRUE(sent) << sent.error().message;
  }

  std::string values() {
    auto json = viewer->next_json("parameterValues");
    EXPECT_TRUE(json) << json.error().message;
    return std::move(json).value_or("");
  }

  std::string status() {
    auto status = viewer->next_status();
    EXPECT_TRUE(status) << status.error().message;
    return status ? status->message : "";
  }

  telelink::testing::Server server;
  telelink::Context context;
  std::optional<Session> session;
  std::optional<telelink::testing::Viewer> viewer;
};

TEST(ParameterHandler, EveryKindBothWays) {
  telelink::ParameterHandler handler;
  handler.get = [](const GetParametersRequest& request, ParameterResponder responder) {
    EXPECT_EQ(request.client.identity(), "operator");
    EXPECT_EQ(request.request_id, "7");
    EXPECT_TRUE(request.names.empty());
    EXPECT_EQ(responder.respond(every_kind()), Status::ok);
  };
  handler.set = [](const SetParametersRequest& request, ParameterResponder responder) {
    EXPECT_EQ(request.parameters, every_kind());
    EXPECT_EQ(request.request_id, "8");
    EXPECT_EQ(responder.respond(request.parameters), Status::ok);
  };
  Handled robot{std::move(handler)};
  robot.send(R"({"op":"getParameters","parameterNames":[],"id":"7"})");
  EXPECT_EQ(robot.values(), support::parameter_values(every_kind_json, "7"));
  robot.send(R"({"op":"setParameters","parameters":[)" + std::string{every_kind_json} + R"(],"id":"8"})");
  EXPECT_EQ(robot.values(), support::parameter_values(every_kind_json, "8"));
}

TEST(ParameterHandler, AnswersLaterTwiceAndAfterEverybodyHasGone) {
  Count asked;
  std::mutex mutex;
  std::vector<ParameterResponder> kept;
  telelink::ParameterHandler handler;
  handler.get = [&](const GetParametersRequest& request, ParameterResponder responder) {
    EXPECT_EQ(request.request_id, std::nullopt);
    EXPECT_EQ(request.names, (std::vector<std::string>{"/a", "/b"}));
    const std::lock_guard lock{mutex};
    kept.push_back(std::move(responder));
    asked.add();
  };
  handler.set = [](const SetParametersRequest&, ParameterResponder) {};
  Handled robot{std::move(handler)};
  for (int i = 0; i < 3; ++i)
    robot.send(R"({"op":"getParameters","parameterNames":["/a","/b"]})");
  ASSERT_TRUE(asked.wait(3));
  std::thread([&] {
    EXPECT_EQ(kept[0].respond({{"/bad", std::numeric_limits<double>::quiet_NaN()}}), Status::invalid_value);
    EXPECT_EQ(kept[0].respond({{"/a", 1}, {"/unset"}}), Status::ok);
  }).join();
  EXPECT_EQ(kept[0].respond({}), Status::already_responded);
  EXPECT_EQ(kept[0].fail("x"), Status::already_responded);
  EXPECT_EQ(robot.values(), support::parameter_values(R"({"name":"/a","value":1})"));
  EXPECT_EQ(kept[1].fail("not today"), Status::ok);
  EXPECT_EQ(robot.status(), "not today");
  robot.viewer.reset();
  robot.session.reset();
  EXPECT_EQ(kept[2].respond({{"/a", 1}}), Status::ok);
  auto moved = std::move(kept[2]);
  EXPECT_EQ(kept[2].respond({}), Status::null_argument);  // NOLINT(bugprone-use-after-move)
  kept.clear();
}

TEST(ParameterHandler, WhatItThrowsIsAnErrorForTheViewer) {
  telelink::ParameterHandler handler;
  handler.get = [](const GetParametersRequest&, ParameterResponder) { throw 1; };
  handler.set = [](const SetParametersRequest&, ParameterResponder) { throw std::string{"x"}; };
  ::testing::internal::CaptureStderr();
  {
    Handled robot{std::move(handler)};
    robot.send(R"({"op":"getParameters","parameterNames":[]})");
    EXPECT_EQ(robot.status(), "Internal server error: parameter handler failed to send a response");
    robot.send(R"({"op":"setParameters","parameters":[],"id":"1"})");
    EXPECT_EQ(robot.status(), "Internal server error: parameter handler failed to send a response");
  }
  const auto said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("parameter_handler.get threw something"), std::string::npos) << said;
  EXPECT_NE(said.find("parameter_handler.set threw something"), std::string::npos) << said;
}

TEST(ParameterHandler, MayBlockAndPublishAndDestroyTheSession) {
  Count entered, go_on, destroyed, ended;
  std::optional<Handled> robot;
  telelink::ParameterHandler handler;
  handler.get = [&, end = support::counts_its_end(ended)](const GetParametersRequest&, ParameterResponder responder) {
    entered.add();
    go_on.wait();
    EXPECT_TRUE(robot->session->publish_parameter_values({{"/a", 1}}));
    EXPECT_TRUE(robot->session->stats());
    EXPECT_EQ(responder.respond({{"/a", 1}}), Status::ok);
  };
  handler.set = [&](const SetParametersRequest&, ParameterResponder responder) {
    robot->session.reset();
    EXPECT_EQ(ended.get(), 0) << "destroyed under a running callback";
    EXPECT_EQ(responder.respond({}), Status::ok);
    destroyed.add();
  };
  robot.emplace(std::move(handler));
  robot->send(R"({"op":"subscribeParameterUpdates","parameterNames":["/a"]})");
  // Each returns although the handler blocks: a ping of the same viewer was answered.
  robot->send(R"({"op":"getParameters","parameterNames":[],"id":"1"})");
  ASSERT_TRUE(entered.wait());
  robot->send(R"({"op":"subscribeParameterUpdates","parameterNames":["/b"]})");
  go_on.add();
  std::vector<std::string> got{robot->values(), robot->values()};
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got, (std::vector<std::string>{support::parameter_values(R"({"name":"/a","value":1})", "1"),
                                           support::parameter_values(R"({"name":"/a","value":1})")}));
  // The session can be gone before it answers the ping that follows.
  (void)robot->viewer->send_json(R"({"op":"setParameters","parameters":[]})", std::chrono::seconds{1});
  ASSERT_TRUE(destroyed.wait());
  ASSERT_TRUE(ended.wait());
  EXPECT_EQ(ended.get(), 1);
}

TEST(ParameterHandler, NeedsBothFunctions) {
  telelink::testing::Server server;
  telelink::Context context;
  Count ended;
  auto options = support::robot(server);
  options.parameter_handler = telelink::ParameterHandler{};
  options.parameter_handler->get = [end = support::counts_its_end(ended)](const GetParametersRequest&,
                                                                          ParameterResponder) {};
  const auto refused = Session::start(context, std::move(options));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "options.parameter_handler.on_set is NULL");
  EXPECT_EQ(ended.get(), 1);
}

// S-209: the handler answers, and the listener is told of subscriptions all the same.
TEST(ParameterHandler, TheListenerIsStillToldOfSubscriptions) {
  Count subscribed, unsubscribed;
  telelink::testing::Server server;
  telelink::Context context;
  auto options = support::robot(server);
  options.parameter_handler.emplace();
  options.parameter_handler->get = [](const GetParametersRequest&, ParameterResponder responder) {
    EXPECT_EQ(responder.respond({{"/a", 1}}), Status::ok);
  };
  options.parameter_handler->set = [](const SetParametersRequest&, ParameterResponder responder) {
    EXPECT_EQ(responder.respond({{"/a", 2}}), Status::ok);
  };
  options.callbacks.on_get_parameters = [](const GetParametersRequest&) -> std::vector<Parameter> {
    ADD_FAILURE() << "the handler answers";
    return {};
  };
  options.callbacks.on_set_parameters = [](const SetParametersRequest&) -> std::vector<Parameter> {
    ADD_FAILURE() << "the handler answers";
    return {};
  };
  options.callbacks.on_parameters_subscribe = [&](const std::vector<std::string>& names) {
    EXPECT_EQ(names, (std::vector<std::string>{"/a", "/b"}));
    subscribed.add();
  };
  options.callbacks.on_parameters_unsubscribe = [&](const std::vector<std::string>& names) {
    EXPECT_EQ(names, std::vector<std::string>{unsubscribed.get() == 0 ? "/b" : "/a"});
    unsubscribed.add();
  };
  const auto session = Session::start(context, std::move(options));
  ASSERT_TRUE(session) << session.error().message;
  {
    const auto viewer = server.viewer("yard", "operator");
    ASSERT_TRUE(viewer) << viewer.error().message;
    ASSERT_TRUE(viewer->send_json(R"({"op":"subscribeParameterUpdates","parameterNames":["/a","/b"]})"));
    EXPECT_TRUE(subscribed.wait());
    ASSERT_TRUE(viewer->send_json(R"({"op":"getParameters","parameterNames":["/a"],"id":"1"})"));
    EXPECT_EQ(viewer->next_json("parameterValues").value_or(""),
              support::parameter_values(R"({"name":"/a","value":1})", "1"));
    ASSERT_TRUE(viewer->send_json(R"({"op":"setParameters","parameters":[{"name":"/a","value":5}],"id":"2"})"));
    EXPECT_EQ(viewer->next_json("parameterValues").value_or(""),
              support::parameter_values(R"({"name":"/a","value":2})", "2"));
    ASSERT_TRUE(viewer->send_json(R"({"op":"unsubscribeParameterUpdates","parameterNames":["/b"]})"));
    EXPECT_TRUE(unsubscribed.wait());
  }
  EXPECT_TRUE(unsubscribed.wait(2)) << "the viewer's leaving ends the other one";
}

TEST(ParameterListener, GetSetAndSubscriptions) {
  Count subscribed, unsubscribed;
  telelink::SessionCallbacks callbacks;
  callbacks.on_parameters_subscribe = [&](const std::vector<std::string>& names) {
    EXPECT_EQ(names, (std::vector<std::string>{"/a", "/b"}));
    subscribed.add();
    throw 1;
  };
  callbacks.on_parameters_unsubscribe = [&](const std::vector<std::string>& names) {
    // The viewer's leaving ends the other one.
    EXPECT_EQ(names, (std::vector<std::string>{unsubscribed.get() == 0 ? "/b" : "/a"}));
    unsubscribed.add();
    throw 1;
  };
  callbacks.on_get_parameters = [](const GetParametersRequest& request) -> std::vector<Parameter> {
    if (request.names.empty()) throw 1;
    return {{request.names[0], 1}};
  };
  callbacks.on_set_parameters = [](const SetParametersRequest& request) -> std::vector<Parameter> {
    if (request.parameters[0].value == ParameterValue{0}) return {{"/a", std::numeric_limits<double>::infinity()}};
    return {{"/a", 4}};
  };
  ::testing::internal::CaptureStderr();
  {
    Handled robot{std::move(callbacks)};
    robot.send(R"({"op":"subscribeParameterUpdates","parameterNames":["/a","/b"]})");
    ASSERT_TRUE(subscribed.wait());
    robot.send(R"({"op":"getParameters","parameterNames":["/a"],"id":"1"})");
    EXPECT_EQ(robot.values(), support::parameter_values(R"({"name":"/a","value":1})", "1"));
    robot.send(R"({"op":"getParameters","parameterNames":[],"id":"2"})");
    EXPECT_EQ(robot.values(), support::parameter_values("", "2"));
    robot.send(R"({"op":"setParameters","parameters":[{"name":"/a","value":5}],"id":"3"})");
    EXPECT_EQ(robot.values(), support::parameter_values(R"({"name":"/a","value":4})", "3"));
    EXPECT_EQ(robot.values(), support::parameter_values(R"({"name":"/a","value":4})"));
    robot.send(R"({"op":"setParameters","parameters":[{"name":"/a","value":0}],"id":"4"})");
    EXPECT_EQ(robot.values(), support::parameter_values("", "4"));
    robot.send(R"({"op":"unsubscribeParameterUpdates","parameterNames":["/b"]})");
    ASSERT_TRUE(unsubscribed.wait());
  }
  const auto said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("on_parameters_subscribe threw"), std::string::npos) << said;
  EXPECT_NE(said.find("on_get_parameters threw"), std::string::npos) << said;
  EXPECT_NE(said.find("on_set_parameters gave an answer that cannot be sent"), std::string::npos) << said;
}

TEST(ParameterListener, PublishingNeedsTheCapability) {
  telelink::testing::Server server;
  telelink::Context context;
  const auto session = Session::start(context, support::robot(server));
  ASSERT_TRUE(session);
  EXPECT_EQ(session->publish_parameter_values({{"/a", 1}}).status(), Status::not_supported);
}

}  // namespace
