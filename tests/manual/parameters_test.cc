// The code of docs/parameters.md, run on the in-memory room. A test of the repository compares both.
#include "page.hpp"

#include <chrono>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

class Controller {
 public:
  void set_gain(double value) {
    const std::lock_guard lock{mutex_};
    gain_ = value;
    // Under the lock: whoever waits may destroy this as soon as it has seen the value.
    changed_.notify_all();
  }

  /// Viewers are answered before `on_change` is called.
  bool becomes(double value) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, std::chrono::seconds{20}, [&] { return gain_ == value; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  double gain_ = 0;
};

std::vector<telelink::Parameter> read_elsewhere(const std::vector<std::string>&) {
  return {{"/elsewhere/rate", 10}};
}

std::vector<telelink::Parameter> write_elsewhere(const std::vector<telelink::Parameter>& wanted) {
  return wanted;
}

bool failed() {
  return false;
}

/// Declares and uses the page's parameters; false when one was refused.
bool declare(telelink::SessionOptions& options, Controller& controller) {
  telelink::ParameterStore parameters;
  auto gain = parameters.declare("/arm/gain", 1.0,
                                 telelink::ParameterOptions{}
                                     .description("proportional gain")
                                     .range(0.0, 10.0)
                                     .on_change([&controller](double value) { controller.set_gain(value); }));
  auto mode = parameters.declare("/mode", "idle", telelink::ParameterOptions{}.allowed({"idle", "work"}));
  auto serial = parameters.declare("/serial", "digger-7", telelink::ParameterOptions{}.read_only());
  if (!gain || !mode || !serial) return failed();
  options.parameter_store = parameters;
  const double now = gain->get();
  if (auto set = gain->set(now / 2); !set) std::cerr << set.error().message << '\n';
  auto limits = parameters.declare(
      "/limits", telelink::ParameterValue::Dict{{"speed", 1.5}, {"joints", std::vector<std::string>{"base", "elbow"}}});
  return static_cast<bool>(limits);
}

TEST(Parameters, AreDeclaredReadAndSet) {
  // Before the page, whose session calls it as long as it lives.
  Controller controller;
  Page page;
  ASSERT_TRUE(declare(page.options, controller));
  EXPECT_TRUE(controller.becomes(0.5));
  page.start();
  const std::string wanted = R"({"op":"setParameters","id":"1","parameters":[
    {"name":"/arm/gain","type":"float64","value":2},{"name":"/mode","value":"sleep"},{"name":"/serial","value":"x"}]})";
  ASSERT_TRUE(page.viewer->send_json(wanted));
  const auto answer = page.viewer->next_json("parameterValues");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_NE(answer->find("2.0"), std::string::npos) << *answer;
  EXPECT_NE(answer->find("idle"), std::string::npos) << "not an allowed value: " << *answer;
  EXPECT_NE(answer->find("digger-7"), std::string::npos) << "read-only: " << *answer;
  EXPECT_TRUE(controller.becomes(2.0));
}

TEST(Parameters, CanBeKeptElsewhere) {
  Page page;
  auto& options = page.options;
  options.parameter_handler = telelink::ParameterHandler{
      [](const telelink::GetParametersRequest& request, telelink::ParameterResponder responder) {
        responder.respond(read_elsewhere(request.names));
      },
      [](const telelink::SetParametersRequest& request, telelink::ParameterResponder responder) {
        responder.respond(write_elsewhere(request.parameters));
      }};
  page.start();
  auto& session = page.session;
  ASSERT_TRUE(page.viewer->send_json(R"({"op":"getParameters","id":"1","parameterNames":[]})"));
  auto values = page.viewer->next_json("parameterValues");
  ASSERT_TRUE(values) << values.error().message;
  EXPECT_NE(values->find(R"("value":10)"), std::string::npos) << *values;
  ASSERT_TRUE(page.viewer->send_json(R"({"op":"subscribeParameterUpdates","parameterNames":["/elsewhere/rate"]})"));
  if (auto told = session->publish_parameter_values({{"/elsewhere/rate", 20}}); !told)
    std::cerr << told.error().message << '\n';
  values = page.viewer->next_json("parameterValues");
  ASSERT_TRUE(values) << values.error().message;
  EXPECT_NE(values->find(R"("value":20)"), std::string::npos) << *values;
  ASSERT_TRUE(page.viewer->send_json(
      R"({"op":"setParameters","id":"2","parameters":[{"name":"/elsewhere/rate","value":30}]})"));
  values = page.viewer->next_json("parameterValues");
  ASSERT_TRUE(values) << values.error().message;
  EXPECT_NE(values->find(R"("value":30)"), std::string::npos) << *values;
}

}  // namespace
