// ParameterStore of the C++ wrapper: typed handles, rules, functions, and viewers.
#include "support.hpp"

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
using telelink::Error;
using telelink::Parameter;
using telelink::ParameterKind;
using telelink::ParameterOptions;
using telelink::ParameterStore;
using telelink::ParameterValue;
using telelink::Result;
using telelink::Session;
using telelink::Status;

TEST(ParameterStore, TypedHandlesReadAndChange) {
  ParameterStore store;
  const auto gain = store.declare("/gain", 1.0, ParameterOptions{}.range(0.0, 10.0).description("proportional"));
  ASSERT_TRUE(gain) << gain.error().message;
  const auto count = store.declare("/count", 3);
  ASSERT_TRUE(count) << count.error().message;
  const auto mode = store.declare("/mode", "idle", ParameterOptions{}.allowed({"idle", "drive"}));
  ASSERT_TRUE(mode) << mode.error().message;
  const auto joints = store.declare("/joints", std::vector<double>{});
  ASSERT_TRUE(joints) << joints.error().message;
  const auto raw = store.declare("/raw", ParameterValue::ByteArray{1, 2});
  ASSERT_TRUE(raw) << raw.error().message;
  const auto floats = ParameterStore{}.declare("/floats", std::vector<float>{0.5F});
  ASSERT_TRUE(floats) << floats.error().message;
  EXPECT_EQ(floats->get(), std::vector<double>{0.5});
  const auto whole = store.declare<double>("/whole", 2);
  ASSERT_TRUE(whole) << whole.error().message;
  static_assert(std::is_same_v<decltype(gain->get()), double>);
  static_assert(std::is_same_v<decltype(count->get()), std::int64_t>);
  static_assert(std::is_same_v<decltype(mode->get()), std::string>);

  EXPECT_EQ(gain->get(), 1.0);
  EXPECT_TRUE(gain->set(2));
  EXPECT_EQ(gain->get(), 2.0);
  const auto outside = gain->set(11);
  ASSERT_FALSE(outside);
  EXPECT_EQ(outside.error().status, Status::invalid_value);
  EXPECT_EQ(outside.error().message, "/gain is limited to 0 to 10; 11 is outside");
  EXPECT_EQ(gain->set(std::numeric_limits<double>::quiet_NaN()).status(), Status::invalid_value);
  EXPECT_TRUE(count->set(std::numeric_limits<std::int64_t>::min()));
  EXPECT_EQ(count->get(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(mode->set("fly").error().message, "/mode can be one of idle, drive");
  EXPECT_TRUE(joints->set({1.0, 2.5}));
  EXPECT_EQ(joints->get(), (std::vector<double>{1.0, 2.5}));
  EXPECT_EQ(raw->get(), (ParameterValue::ByteArray{1, 2}));
  EXPECT_EQ(whole->get(), 2.0);

  const auto by_name = store.get<double>("/gain");
  ASSERT_TRUE(by_name);
  EXPECT_EQ(*by_name, 2.0);
  EXPECT_EQ(store.get<bool>("/gain").status(), Status::invalid_value);
  EXPECT_EQ(store.get<double>("/mode").error().message, "/mode is of another type");
  EXPECT_EQ(store.get<std::string>("/none").status(), Status::not_found);
  EXPECT_EQ(store.set("/none", 1).status(), Status::not_found);
  EXPECT_EQ(store.declare("/gain", 1).status(), Status::duplicate);

  const auto list = store.list();
  ASSERT_TRUE(list) << list.error().message;
  ASSERT_EQ(list->size(), 6U);
  EXPECT_EQ((*list)[1].parameter, (Parameter{"/gain", 2.0}));
  EXPECT_EQ((*list)[1].description, "proportional");
  EXPECT_EQ((*list)[1].max, ParameterValue{10.0});
  EXPECT_EQ((*list)[2].kind, ParameterKind::float_array);
  EXPECT_EQ((*list)[3].allowed, (std::vector<std::string>{"idle", "drive"}));

  EXPECT_TRUE(store.remove("/gain"));
  EXPECT_EQ(store.remove("/gain").status(), Status::not_found);
  EXPECT_EQ(gain->get(), 1.0) << "as declared";
  EXPECT_EQ(gain->set(1).status(), Status::not_found);
}

TEST(ParameterStore, FunctionsTakeTheValueInManyForms) {
  ParameterStore store;
  std::vector<std::string> seen;
  const auto note = [&](const std::string& text) { seen.push_back(text); };
  ASSERT_TRUE(store.declare("/d", 0.0, ParameterOptions{}.on_change([&](double v) { note(v == 1 ? "d" : "?"); })));
  ASSERT_TRUE(store.declare("/i", 0, ParameterOptions{}.on_change([&](std::int64_t v) { note(v == 1 ? "i" : "?"); })));
  ASSERT_TRUE(store.declare("/b", false, ParameterOptions{}.on_change([&](bool v) { note(v ? "b" : "?"); })));
  ASSERT_TRUE(store.declare("/s", "", ParameterOptions{}.on_change([&](const std::string& v) { note(v); })));
  ASSERT_TRUE(
      store.declare("/sv", "", ParameterOptions{}.on_change([&](std::string_view v) { note(std::string{v}); })));
  ASSERT_TRUE(store.declare("/v", ParameterValue{1}, ParameterOptions{}.on_change([&](const ParameterValue& v) {
    note(v == ParameterValue{2} ? "v" : "?");
  })));
  ASSERT_TRUE(store.declare("/p", std::vector<bool>{},
                            ParameterOptions{}.on_change([&](const Parameter& p) { note(p.name); })));
  EXPECT_TRUE(store.set("/d", 1));
  EXPECT_TRUE(store.set("/i", 1));
  EXPECT_TRUE(store.set("/b", true));
  EXPECT_TRUE(store.set("/s", "s"));
  EXPECT_TRUE(store.set("/sv", "sv"));
  EXPECT_TRUE(store.set("/v", 2));
  EXPECT_TRUE(store.set("/p", std::vector<bool>{true}));
  EXPECT_EQ(seen, (std::vector<std::string>{"d", "i", "b", "s", "sv", "v", "/p"}));

  const auto wrong = store.declare("/w", "text", ParameterOptions{}.on_change([](double) {}));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, "on_change of /w takes another type than its value, which is a string");

  ASSERT_TRUE(store.declare("/even", 0, ParameterOptions{}.validate([](std::int64_t v) { return v % 2 == 0; })));
  EXPECT_EQ(store.set("/even", 1).error().message, "/even was refused: the robot does not accept it");
  EXPECT_TRUE(store.set("/even", 2));
  ASSERT_TRUE(store.declare("/odd", 1, ParameterOptions{}.validate([](const Parameter& p) -> Result<void> {
    if (p.value.to<int>().value_or(0) % 2 == 0) return Error{Status::invalid_value, "even"};
    return {};
  })));
  EXPECT_EQ(store.set("/odd", 2).error().message, "/odd was refused: even");
}

TEST(ParameterStore, FunctionsMayThrowAndUseTheStore) {
  ::testing::internal::CaptureStderr();
  {
    ParameterStore store;
    ASSERT_TRUE(store.declare("/sum", 0));
    ASSERT_TRUE(store.declare("/a", 0, ParameterOptions{}.on_change([&](std::int64_t v) {
      EXPECT_TRUE(store.set("/sum", v + 1));
      EXPECT_EQ(*store.get<int>("/sum"), v + 1);
      EXPECT_TRUE(store.declare("/made", v));
      EXPECT_TRUE(store.remove("/a")) << "itself, while it runs";
      throw 1;
    })));
    ASSERT_TRUE(store.declare("/never", 0, ParameterOptions{}.validate([](std::int64_t) -> bool { throw 1; })));
    EXPECT_TRUE(store.set("/a", 5));
    EXPECT_EQ(*store.get<int>("/sum"), 6);
    EXPECT_EQ(*store.get<int>("/made"), 5);
    EXPECT_EQ(store.get<int>("/a").status(), Status::not_found);
    EXPECT_EQ(store.set("/never", 1).error().message, "/never was refused: its validate() threw an exception");
  }
  const auto said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("on_change of a parameter threw something"), std::string::npos) << said;
  EXPECT_NE(said.find("validate of a parameter threw something"), std::string::npos) << said;
}

TEST(ParameterStore, FunctionsAreDestroyedOnce) {
  Count ended;
  const auto counted = [&] { return ParameterOptions{}.on_change([end = support::counts_its_end(ended)](double) {}); };
  {
    ParameterStore store;
    ASSERT_TRUE(store.declare("/a", 1.0, counted()));
    EXPECT_FALSE(store.declare("/a", 1.0, counted()));
    EXPECT_EQ(ended.get(), 1) << "refused";
    EXPECT_FALSE(store.declare("/b", "text", counted()));
    EXPECT_EQ(ended.get(), 2) << "of another type";
    const ParameterStore same = store;
    EXPECT_TRUE(same.declare("/c", 1.0, counted()));
    EXPECT_TRUE(store.remove("/c"));
    EXPECT_EQ(ended.get(), 3) << "removed";
  }
  EXPECT_EQ(ended.get(), 4);
}

std::string gain_is(const std::string& value, const std::string& id = "") {
  return support::parameter_values(R"({"name":"/gain","type":"float64","value":)" + value + "}", id);
}

/// A robot with a store, and two viewers that follow "/gain".
class ParameterViewers : public ::testing::Test {
 protected:
  void start() {
    auto options = support::robot(server);
    options.parameter_store = store;
    auto started = Session::start(context, std::move(options));
    ASSERT_TRUE(started) << started.error().message;
    session.emplace(std::move(*started));
    for (auto* viewer : {&first, &second}) {
      auto joined = server.viewer("yard", viewer == &first ? "first" : "second");
      ASSERT_TRUE(joined) << joined.error().message;
      viewer->emplace(std::move(*joined));
      ASSERT_TRUE((*viewer)->send_json(R"({"op":"subscribeParameterUpdates","parameterNames":["/gain"]})"));
    }
  }

  void send(const std::string& json) {
    const auto sent = first->send_json(json);
    ASSERT_TRUE(sent) << sent.error().message;
  }

  static std::string values(const std::optional<telelink::testing::Viewer>& viewer) {
    auto json = viewer->next_json("parameterValues");
    EXPECT_TRUE(json) << json.error().message;
    return std::move(json).value_or("");
  }

  telelink::testing::Server server;
  telelink::Context context;
  ParameterStore store;
  std::optional<Session> session;
  std::optional<telelink::testing::Viewer> first, second;
};

// S-212.
TEST_F(ParameterViewers, EchoComesBeforeTheUpdate) {
  const auto gain = store.declare("/gain", 1.0, ParameterOptions{}.range(0.0, 1000.0));
  ASSERT_TRUE(gain);
  start();
  for (int i = 2; i < 50; ++i) {
    const auto value = std::to_string(i);
    send(R"({"op":"setParameters","parameters":[{"name":"/gain","value":)" + value + R"(}],"id":"x"})");
    EXPECT_EQ(values(first), gain_is(value + ".0", "x"));
    EXPECT_EQ(values(first), gain_is(value + ".0"));
    EXPECT_EQ(values(second), gain_is(value + ".0"));
    EXPECT_EQ(gain->get(), i);
  }
  EXPECT_TRUE(gain->set(0.5));
  EXPECT_EQ(values(first), gain_is("0.5"));
  EXPECT_EQ(values(second), gain_is("0.5"));
}

TEST_F(ParameterViewers, OnlyWhatTheRulesAllow) {
  ASSERT_TRUE(store.declare("/gain", 1.0, ParameterOptions{}.range(0.0, 2.0)));
  ASSERT_TRUE(store.declare("/fixed", 7, ParameterOptions{}.read_only()));
  std::vector<Parameter> told;
  Count changed;
  ASSERT_TRUE(store.declare("/note", "x", ParameterOptions{}.deletable().on_change([&](const Parameter& note) {
    told.push_back(note);
    changed.add();
  })));
  start();
  send(R"({"op":"setParameters","id":"1","parameters":[{"name":"/gain","value":3},{"name":"/fixed","value":8},)"
       R"({"name":"/new","value":1},{"name":"/gain"},{"name":"/note"}]})");
  EXPECT_EQ(values(first), support::parameter_values(
                               R"({"name":"/gain","type":"float64","value":1.0},{"name":"/fixed","value":7})", "1"));
  ASSERT_TRUE(changed.wait());
  ASSERT_EQ(told.size(), 1U);
  EXPECT_FALSE(told[0].value.is_set());
  send(R"({"op":"getParameters","parameterNames":["/note","/gain"],"id":"2"})");
  EXPECT_EQ(values(first), gain_is("1.0", "2"));
  session.reset();  // before what the callback uses
}

TEST_F(ParameterViewers, ABlockedOnChangeHoldsUpNobodyElse) {
  Count entered, go_on;
  ASSERT_TRUE(store.declare("/slow", 0, ParameterOptions{}.on_change([&](std::int64_t) {
    entered.add();
    go_on.wait();
  })));
  const auto gain = store.declare("/gain", 1.0);
  ASSERT_TRUE(gain);
  start();
  send(R"({"op":"setParameters","parameters":[{"name":"/slow","value":1}],"id":"1"})");
  EXPECT_EQ(values(first), support::parameter_values(R"({"name":"/slow","value":1})", "1"));
  ASSERT_TRUE(entered.wait());
  EXPECT_TRUE(gain->set(2));
  EXPECT_EQ(values(first), gain_is("2.0"));
  ASSERT_TRUE(second->send_json(R"({"op":"setParameters","parameters":[{"name":"/gain","value":3}],"id":"2"})"));
  EXPECT_EQ(values(second), gain_is("2.0"));
  EXPECT_EQ(values(second), gain_is("3.0", "2"));
  EXPECT_EQ(values(second), gain_is("3.0"));
  go_on.add();
  session.reset();  // before what the callback uses
}

TEST_F(ParameterViewers, SessionAndStoreMayGoInsideOnChange) {
  Count done, ended;
  std::optional<ParameterStore> own;
  own.emplace();
  ASSERT_TRUE(
      own->declare("/gain", 1.0, ParameterOptions{}.on_change([&, end = support::counts_its_end(ended)](double) {
        session.reset();
        own.reset();
        EXPECT_EQ(ended.get(), 0) << "destroyed under a running callback";
        done.add();
        throw 1;
      })));
  store = *own;
  start();
  store = ParameterStore{};
  // The session can be gone before it answers the ping that follows.
  (void)first->send_json(R"({"op":"setParameters","parameters":[{"name":"/gain","value":2}]})",
                         std::chrono::seconds{1});
  ASSERT_TRUE(done.wait());
  ASSERT_TRUE(ended.wait());
  EXPECT_EQ(ended.get(), 1);
}

TEST_F(ParameterViewers, OneStoreServesTwoSessions) {
  ASSERT_TRUE(store.declare("/gain", 1.0));
  start();
  auto options = support::robot(server);
  options.token = server.token("field", "robot");
  options.parameter_store = store;
  auto other = Session::start(context, std::move(options));
  ASSERT_TRUE(other) << other.error().message;
  std::optional<telelink::testing::Viewer> far;
  auto joined = server.viewer("field", "operator");
  ASSERT_TRUE(joined);
  far.emplace(std::move(*joined));
  ASSERT_TRUE(far->send_json(R"({"op":"subscribeParameterUpdates","parameterNames":["/gain"]})"));
  send(R"({"op":"setParameters","parameters":[{"name":"/gain","value":2}]})");
  for (const auto* viewer : {&first, &second, &far})
    EXPECT_EQ(values(*viewer), gain_is("2.0"));
  session.reset();
  EXPECT_TRUE(store.set("/gain", 3));
  EXPECT_EQ(values(far), gain_is("3.0"));
}

TEST_F(ParameterViewers, ManySettersAgreeInTheEnd) {
  const auto gain = store.declare("/gain", 0.0);
  ASSERT_TRUE(gain);
  start();
  std::vector<std::thread> setters;
  for (int thread = 1; thread <= 4; ++thread) {
    setters.emplace_back([&gain, thread] {
      for (int i = 1; i <= 50; ++i)
        EXPECT_TRUE(gain->set(thread * 100 + i));
    });
  }
  for (auto& setter : setters)
    setter.join();
  // The newest of several values is enough, but the last one comes, and none after it.
  const auto last = gain_is(std::to_string(static_cast<int>(gain->get())) + ".0");
  while (values(first) != last)
    ASSERT_FALSE(HasFailure());
  EXPECT_TRUE(gain->set(-1));
  EXPECT_EQ(values(first), gain_is("-1.0"));
}

TEST(ParameterStore, AHandleThatWasMovedFromStillHasItsParameter) {
  ParameterStore store;
  auto declared = store.declare("/gain", 1.0);
  ASSERT_TRUE(declared) << declared.error().message;
  const auto moved = std::move(*declared);
  EXPECT_TRUE(moved.set(2.0));
  EXPECT_EQ(declared->get(), 2.0);
  EXPECT_EQ(declared->name(), "/gain");
  EXPECT_TRUE(declared->set(3.0));
  EXPECT_EQ(moved.get(), 3.0);
}

TEST(ParameterStore, OneThatWasMovedFromAnswersNullArgumentAndNoSessionStartsWithIt) {
  const telelink::testing::Server server;
  const telelink::Context context;
  ParameterStore store;
  const auto moved = std::move(store);
  EXPECT_EQ(store.declare("/gain", 1.0).status(), Status::null_argument);
  EXPECT_EQ(store.get<double>("/gain").status(), Status::null_argument);
  EXPECT_EQ(store.value("/gain").status(), Status::null_argument);
  EXPECT_EQ(store.set("/gain", 1.0).status(), Status::null_argument);
  EXPECT_EQ(store.remove("/gain").status(), Status::null_argument);
  EXPECT_EQ(store.list().status(), Status::null_argument);

  auto options = support::robot(server);
  options.parameter_store = store;
  const auto refused = Session::start(context, options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, Status::null_argument);
  EXPECT_EQ(refused.error().message, "options.parameter_store was moved from");
  options.parameter_store = moved;
  EXPECT_TRUE(Session::start(context, options));
}

}  // namespace
