// Services of the C++ wrapper: schemas, coming and going at run time, limits, and handlers that misbehave.
#include "support.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using support::Count;
using telelink::Service;
using telelink::ServiceRequest;
using telelink::ServiceResponder;
using telelink::Session;
using telelink::Status;

/// A robot that offers `services`, and a viewer.
class ServiceRobot {
 public:
  void start(std::vector<Service> services = {}) {
    auto options = support::robot(server);
    options.capabilities = telelink::Capabilities::services;
    options.supported_encodings = {"json"};
    options.services = std::move(services);
    auto started = Session::start(context, std::move(options));
    ASSERT_TRUE(started) << started.error().message;
    session.emplace(std::move(*started));
    join(viewer, "operator");
  }

  void join(std::optional<telelink::testing::Viewer>& to, const char* identity) const {
    auto joined = server.viewer("yard", identity);
    ASSERT_TRUE(joined) << joined.error().message;
    to.emplace(std::move(*joined));
    const auto ready = to->robot_name();
    ASSERT_TRUE(ready) << ready.error().message;
  }

  /// The answer's payload, or "error: " and its text.
  std::string call(std::string_view name, std::string_view encoding = "json") const {
    return text(viewer->call(name, encoding, "[1]"));
  }

  static std::string text(const telelink::Result<telelink::testing::Answer>& answer) {
    if (!answer) return answer.error().message;
    return answer->failed ? "error: " + answer->message : answer->payload;
  }

  /// The next message of a kind that names `what`.
  std::string next_json(std::string_view op, std::string_view what) const {
    while (true) {
      const auto json = viewer->next_json(op);
      if (!json) return json.error().message;
      if (json->find(what) != std::string::npos) return *json;
    }
  }

  telelink::testing::Server server;
  telelink::Context context;
  std::optional<Session> session;
  std::optional<telelink::testing::Viewer> viewer;
};

Service echo(std::string name) {
  return Service{std::move(name), "Echo",
                 [](const ServiceRequest& request, ServiceResponder responder) { responder.respond(request.payload); }};
}

TEST(Service, DeclaredSchemasAreShownAndRuleTheEncodings) {
  ServiceRobot robot;
  Service service = echo("/declared");
  service.request = telelink::json_schema("Ask", R"({"title": "question"})");
  service.response = telelink::protobuf("Tell", "descriptor");
  robot.start({std::move(service)});
  const auto shown = robot.next_json("advertiseServices", "/declared");
  for (const char* part : {"Echo", "\"Ask\"", "question", "\"Tell\"", "\"protobuf\""})
    EXPECT_NE(shown.find(part), std::string::npos) << part << " in " << shown;
  const auto answer = robot.viewer->call("/declared", "json", "[1]");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->encoding, "protobuf") << "the declared encoding of responses";
  EXPECT_EQ(robot.call("/declared", "cbor"), "error: Unsupported encoding");
}

// P-114, S-50, P-67.
TEST(Service, AtStartItsRequestEncodingAndTheCapabilityAreImplied) {
  telelink::testing::Server server;
  telelink::Context context;
  auto options = support::robot(server);
  options.supported_encodings = {"json"};
  Service service = echo("/declared");
  service.request = telelink::protobuf("Ask", "descriptor");
  service.response = telelink::json_schema("Tell", "{}");
  options.services.push_back(std::move(service));
  const auto session = Session::start(context, std::move(options));
  ASSERT_TRUE(session) << session.error().message;
  const auto viewer = server.viewer("yard", "operator");
  ASSERT_TRUE(viewer) << viewer.error().message;
  const auto info = viewer->next_json("serverInfo");
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_NE(info->find(R"("supportedEncodings":["json","protobuf"])"), std::string::npos) << *info;
  EXPECT_NE(info->find(R"("capabilities":["services"])"), std::string::npos) << *info;
  const auto answer = viewer->call("/declared", "protobuf", "[1]");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_FALSE(answer->failed) << answer->message;
}

TEST(Service, SeveralComeAndGoInOneMessage) {
  ServiceRobot robot;
  robot.start();
  std::vector<Service> services;
  services.push_back(echo("/one"));
  services.push_back(echo("/two"));
  const auto added = robot.session->add_services(std::move(services));
  ASSERT_TRUE(added) << added.error().message;
  const auto shown = robot.next_json("advertiseServices", "/one");
  EXPECT_NE(shown.find("/two"), std::string::npos) << shown;
  EXPECT_EQ(robot.call("/two"), "[1]");
  const auto removed = robot.session->remove_services({"/two", "/unknown", "/one"});
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_TRUE(robot.viewer->wait_no_service("/one"));
  EXPECT_TRUE(robot.viewer->wait_no_service("/two", std::chrono::milliseconds{0})) << "in the same message";
  EXPECT_TRUE(robot.viewer->next_json("unadvertiseServices"));
  EXPECT_EQ(robot.viewer->next_json("unadvertiseServices", std::chrono::milliseconds{0}).status(), Status::timeout);
}

TEST(Service, ThirtyTwoCallsRunAtOnceAndTheNextIsRefused) {
  ServiceRobot robot;
  std::mutex mutex;
  std::vector<ServiceResponder> kept;
  Count came;
  robot.start({Service{"/kept", "", [&](const ServiceRequest&, ServiceResponder responder) {
                         {
                           const std::lock_guard lock{mutex};
                           kept.push_back(std::move(responder));
                         }
                         came.add();
                       }}});
  std::vector<std::uint32_t> ids;
  for (int i = 0; i < 32; ++i) {
    const auto id = robot.viewer->start_call("/kept", "json", "");
    ASSERT_TRUE(id) << id.error().message;
    ids.push_back(*id);
  }
  ASSERT_TRUE(came.wait(32));
  EXPECT_EQ(robot.call("/kept"), "error: Too many requests");
  {
    const std::lock_guard lock{mutex};
    for (std::size_t i = 0; i < 16; ++i)
      EXPECT_EQ(kept[i].respond("ok"), Status::ok);
    kept.clear();  // the others are dropped
  }
  int answered = 0;
  for (const auto id : ids) {
    const auto answer = robot.viewer->answer(id);
    ASSERT_TRUE(answer) << answer.error().message;
    if (answer->failed) {
      EXPECT_EQ(answer->message, "Internal server error: service failed to send a response");
    } else {
      ++answered;
    }
  }
  EXPECT_EQ(answered, 16);
}

TEST(Service, TimesOut) {
  ServiceRobot robot;
  std::optional<ServiceResponder> kept;
  Count came;
  Service slow{"/slow", "", [&](const ServiceRequest&, ServiceResponder responder) {
                 kept.emplace(std::move(responder));
                 came.add();
               }};
  slow.timeout = std::chrono::milliseconds{1};
  robot.start({std::move(slow)});
  EXPECT_EQ(robot.call("/slow"), "error: The service did not answer in time");
  ASSERT_TRUE(came.wait());
  EXPECT_EQ(kept->respond("late"), Status::ok);
  EXPECT_EQ(kept->respond("later"), Status::already_responded);
}

TEST(Service, WhatAHandlerThrowsGoesNoFurther) {
  ServiceRobot robot;
  robot.start({Service{"/int", "", [](const ServiceRequest&, ServiceResponder) { throw 1; }}, echo("/echo")});
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(robot.call("/int"), "error: Internal server error: service failed to send a response");
  EXPECT_EQ(robot.call("/echo"), "[1]");
  robot.session.reset();
  const auto said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("a service handler threw something that is no std::exception"), std::string::npos) << said;
}

TEST(Service, HandlerMayCallEverything) {
  ServiceRobot robot;
  Count ready;
  robot.start({Service{"/all", "", [&](const ServiceRequest& request, ServiceResponder responder) {
                         EXPECT_TRUE(ready.wait());
                         const auto& session = *robot.session;
                         EXPECT_EQ(session.status(), telelink::ConnectionStatus::connected);
                         EXPECT_FALSE(session.last_error());
                         EXPECT_TRUE(session.stats());
                         EXPECT_TRUE(session.client(request.client.id()));
                         EXPECT_TRUE(session.add_service(echo("/inside")));
                         EXPECT_TRUE(session.remove_service("/all")) << "itself";
                         EXPECT_TRUE(session.publish_status(telelink::StatusLevel::info, "inside", "inside"));
                         EXPECT_TRUE(session.remove_status("inside"));
                         auto channel = robot.context.channel("/inside", telelink::json());
                         EXPECT_TRUE(channel);
                         if (channel) {
                           EXPECT_EQ(channel->log("{}"), Status::ok);
                         }
                         EXPECT_EQ(responder.respond("all done"), Status::ok);
                       }}});
  ready.add();
  EXPECT_EQ(robot.call("/all"), "all done");
  EXPECT_EQ(robot.call("/inside"), "[1]");
  EXPECT_TRUE(robot.viewer->wait_no_service("/all"));
}

TEST(Service, HandlerMayDestroyTheSession) {
  ServiceRobot robot;
  Count ready, done, ended;
  robot.start({Service{"/destroy", "",
                       [&, end = support::counts_its_end(ended)](const ServiceRequest&, ServiceResponder responder) {
                         EXPECT_TRUE(ready.wait());
                         robot.session.reset();
                         EXPECT_EQ(ended.get(), 0) << "destroyed under a running handler";
                         EXPECT_EQ(responder.respond("nobody"), Status::ok);
                         done.add();
                       }}});
  ready.add();
  ASSERT_TRUE(robot.viewer->start_call("/destroy", "json", ""));
  ASSERT_TRUE(done.wait());
  EXPECT_TRUE(ended.wait());
  EXPECT_EQ(ended.get(), 1);
}

TEST(Service, StuckHandlersDelayNobodyElse) {
  ServiceRobot robot;
  Count entered, go_on;
  robot.start({Service{"/stuck", "",
                       [&](const ServiceRequest&, ServiceResponder responder) {
                         entered.add();
                         go_on.wait();
                         EXPECT_EQ(responder.respond("done"), Status::ok);
                       }},
               echo("/echo")});
  std::vector<std::uint32_t> ids;
  for (int i = 0; i < 32; ++i) {
    const auto id = robot.viewer->start_call("/stuck", "json", "");
    ASSERT_TRUE(id) << id.error().message;
    ids.push_back(*id);
  }
  ASSERT_TRUE(entered.wait(24));
  std::optional<telelink::testing::Viewer> other;
  robot.join(other, "other");
  auto battery = robot.context.channel("/battery", telelink::json());
  ASSERT_TRUE(battery);
  const auto subscribed = other->subscribe("/battery");
  ASSERT_TRUE(subscribed) << subscribed.error().message;
  EXPECT_EQ(battery->log("{}"), Status::ok);
  EXPECT_TRUE(other->next_message());
  EXPECT_EQ(ServiceRobot::text(other->call("/echo", "json", "2")), "2");
  EXPECT_EQ(go_on.get(), 0);
  go_on.add();
  for (const auto id : ids)
    EXPECT_EQ(ServiceRobot::text(robot.viewer->answer(id)), "done");
}

/// Captured by a callback, calls `at_end` at its destruction.
std::shared_ptr<void> calls_at_its_end(std::function<void()> at_end) {
  return std::shared_ptr<void>(nullptr, [at_end = std::move(at_end)](void*) { at_end(); });
}

/// Design decision 6: a destructor is a callback, and calling anything of telelink from any callback works.
TEST(Service, DestructorOfAHandlerMayCallTheSession) {
  ServiceRobot robot;
  Count ended;
  bool answered = false;
  auto stats = calls_at_its_end([&] {
    const auto got = robot.session->stats();
    answered = got && got->viewers == 1;
    const auto closed = robot.session->close();
    EXPECT_EQ(closed.status(), Status::timeout) << "it cannot wait for itself";
    ended.add();
  });
  robot.start();
  Service asks{"/asks", "", [stats](const ServiceRequest&, ServiceResponder) {}};
  stats.reset();
  ASSERT_TRUE(robot.session->add_service(std::move(asks)));
  EXPECT_TRUE(robot.session->remove_service("/asks"));
  ASSERT_TRUE(ended.wait());
  EXPECT_EQ(ended.get(), 1);
  EXPECT_TRUE(answered);
}

/// S-42: the session ends by itself; nobody waits for the thread that would have to end first.
TEST(Service, DestructorOfAHandlerMayDestroyTheSession) {
  ServiceRobot robot;
  Count removed, ended, others;
  auto destroys = calls_at_its_end([&] {
    EXPECT_TRUE(removed.wait());
    robot.session.reset();
    ended.add();
  });
  robot.start(
      {Service{"/other", "", [end = support::counts_its_end(others)](const ServiceRequest&, ServiceResponder) {}}});
  Service last{"/last", "", [destroys](const ServiceRequest&, ServiceResponder) {}};
  destroys.reset();
  ASSERT_TRUE(robot.session->add_service(std::move(last)));
  EXPECT_TRUE(robot.session->remove_service("/last"));
  removed.add();
  ASSERT_TRUE(ended.wait());
  EXPECT_TRUE(others.wait()) << "the rest is finished afterwards";
}

/// P-143.
TEST(Service, OneThatCannotBeShownIsLeftOutAtTheStartWithAReason) {
  std::mutex mutex;
  std::string errors;
  ASSERT_TRUE(telelink::set_log(telelink::LogLevel::error, [&](const telelink::LogRecord& record) {
    const std::lock_guard lock{mutex};
    errors += std::string{record.message} + "\n";
  }));
  Count ended;
  ServiceRobot robot;
  Service bad{"/bad", "", [end = support::counts_its_end(ended)](const ServiceRequest&, ServiceResponder) {}};
  bad.response = telelink::json_schema("Broken", "\xff");
  std::vector<Service> services;
  services.push_back(echo("/first"));
  services.push_back(bad);
  services.push_back(echo("/last"));
  bad = echo("/nothing");
  robot.start(std::move(services));
  EXPECT_EQ(robot.call("/first"), "[1]");
  EXPECT_EQ(robot.call("/last"), "[1]");
  EXPECT_TRUE(robot.viewer->wait_no_service("/bad"));
  ASSERT_TRUE(ended.wait()) << "nothing of it is kept";

  // At run time: all or none.
  services.clear();
  services.push_back(echo("/more"));
  services.push_back(echo("/worse"));
  services.back().request = telelink::json_schema("Broken", "\xff");
  const auto added = robot.session->add_services(std::move(services));
  ASSERT_FALSE(added);
  EXPECT_EQ(added.status(), Status::invalid_value);
  EXPECT_EQ(added.error().message.rfind("schema Broken of service /worse: ", 0), 0U) << added.error().message;
  EXPECT_TRUE(robot.viewer->wait_no_service("/more", std::chrono::milliseconds{0}));

  robot.session.reset();
  ASSERT_TRUE(telelink::set_log(telelink::LogLevel::off, {}));
  const std::lock_guard lock{mutex};
  EXPECT_NE(errors.find("/bad"), std::string::npos) << errors;
  EXPECT_NE(errors.find("Broken"), std::string::npos) << errors;
  EXPECT_EQ(errors.find('\n'), errors.size() - 1) << "one line: " << errors;
}

// A deadline that has passed already must not become none at all.
TEST(ServiceLimits, ANegativeTimeoutIsRefused) {
  telelink::testing::Server server;
  telelink::Context context;
  Service dock;
  dock.name = "/dock";
  dock.request = telelink::json();
  dock.handler = [](const ServiceRequest&, ServiceResponder) {};
  dock.timeout = std::chrono::milliseconds{-5};
  auto options = support::robot(server);
  options.services.push_back(dock);
  const auto offered = Session::start(context, std::move(options));
  ASSERT_FALSE(offered);
  EXPECT_EQ(offered.error().status, Status::invalid_value);
  EXPECT_EQ(offered.error().message, "service.timeout of service /dock is negative: -5 ms");

  options = support::robot(server);
  options.request_timeout = std::chrono::seconds{-5};
  const auto requests = Session::start(context, std::move(options));
  ASSERT_FALSE(requests);
  EXPECT_EQ(requests.error().message, "options.request_timeout is negative: -5000 ms");

  options = support::robot(server);
  options.capabilities = telelink::Capabilities::services;
  const auto session = Session::start(context, std::move(options));
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_EQ(session->add_service(dock).status(), Status::invalid_value);
  dock.timeout = std::chrono::milliseconds{0};
  EXPECT_TRUE(session->add_service(dock));
}

}  // namespace
