// Services and their responders: answered once, late, twice, never, from other threads, after everybody has gone.
#include "support.hpp"

#include <string>
#include <thread>
#include <vector>

namespace {

using support::Event;
using support::text;
using support::wait_ms;

/// A service that hands its responders to the test.
struct ServiceDesk {
  std::mutex mutex;
  std::vector<telelink_service_responder*> responders;
  std::string seen;
  Event called, dropped;

  telelink_service_responder* take() {
    EXPECT_TRUE(called.wait(++taken));
    const std::lock_guard lock{mutex};
    return responders.at(static_cast<std::size_t>(taken) - 1);
  }

  int taken = 0;
};

void on_request(void* context, const telelink_service_request* request, telelink_service_responder* responder) {
  auto& desk = *static_cast<ServiceDesk*>(context);
  EXPECT_EQ(request->struct_size, sizeof *request);
  {
    const std::lock_guard lock{desk.mutex};
    desk.seen = support::string(request->service) + " " + support::string(telelink_client_identity(request->client)) +
                " " + support::string(request->encoding) + " " +
                std::string{reinterpret_cast<const char*>(request->payload.data), request->payload.len};
    desk.responders.push_back(responder);
  }
  desk.called.set();
}

class Services : public ::testing::Test {
 protected:
  void SetUp() override {
    robot.options.capabilities = TELELINK_CAPABILITY_SERVICES;
    robot.options.supported_encodings = &json;
    robot.options.supported_encodings_count = 1;
    ASSERT_EQ(telelink_service_init(&service, sizeof service), TELELINK_STATUS_OK);
    service.context = &desk;
    service.drop = [](void* context) { static_cast<ServiceDesk*>(context)->dropped.set(); };
    service.on_request = &on_request;
    service.name = text("/ask");
    robot.start();
    robot.join();
    ASSERT_EQ(telelink_session_add_services(robot.session, services, 1), TELELINK_STATUS_OK)
        << telelink_last_error_message();
    ASSERT_EQ(telelink_test_answer_init(&answer, sizeof answer), TELELINK_STATUS_OK);
  }

  std::uint32_t call() {
    std::uint32_t id = 0;
    EXPECT_EQ(telelink_test_viewer_call(robot.viewer, text("/ask"), json, telelink_text_data("42"), wait_ms, &id),
              TELELINK_STATUS_OK)
        << telelink_last_error_message();
    return id;
  }

  void expect_answer(std::uint32_t id) {
    ASSERT_EQ(telelink_test_viewer_answer(robot.viewer, id, wait_ms, &answer), TELELINK_STATUS_OK)
        << telelink_last_error_message();
  }

  /// The next message of a kind that names `what`: the viewer is told of services when it joins, too.
  std::string next_json(std::string_view op, std::string_view what) {
    telelink_str message = {};
    do {
      if (telelink_test_viewer_next_json(robot.viewer, text(op), wait_ms, &message) != TELELINK_STATUS_OK) {
        return telelink_last_error_message();
      }
    } while (support::string(message).find(what) == std::string::npos);
    return support::string(message);
  }

  std::string payload() const { return {reinterpret_cast<const char*>(answer.payload.data), answer.payload.len}; }

  telelink_str json = text("json");
  ServiceDesk desk;
  telelink_service service;
  const telelink_service* services[1] = {&service};
  telelink_test_answer answer;
  support::Robot robot;
};

// S-265.
TEST_F(Services, AnswersFromAnotherThreadAfterTheCallbackReturned) {
  const auto id = call();
  auto* responder = desk.take();
  std::thread([&] {
    EXPECT_EQ(telelink_service_responder_respond(responder, telelink_text_data("43")), TELELINK_STATUS_OK);
    telelink_service_responder_free(responder);
  }).join();
  expect_answer(id);
  EXPECT_EQ(answer.failed, 0U);
  EXPECT_EQ(support::string(answer.encoding), "json");
  EXPECT_EQ(payload(), "43");
  const std::lock_guard lock{desk.mutex};
  EXPECT_EQ(desk.seen, "/ask operator json 42");
}

// S-197.
TEST_F(Services, AnswersInAnEncodingOfItsOwn) {
  const auto id = call();
  auto* responder = desk.take();
  EXPECT_EQ(telelink_service_responder_respond_encoded(responder, text("cbor"), telelink_text_data("x")),
            TELELINK_STATUS_OK);
  telelink_service_responder_free(responder);
  expect_answer(id);
  EXPECT_EQ(support::string(answer.encoding), "cbor");
}

// S-273.
TEST_F(Services, SecondAnswerIsRefusedAndNotSent) {
  const auto id = call();
  auto* responder = desk.take();
  EXPECT_EQ(telelink_service_responder_fail(responder, text("not today")), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_service_responder_respond(responder, telelink_text_data("43")), TELELINK_STATUS_ALREADY_RESPONDED);
  EXPECT_EQ(telelink_service_responder_fail(responder, text("again")), TELELINK_STATUS_ALREADY_RESPONDED);
  EXPECT_STREQ(telelink_last_error_message(), "the request was answered already");
  telelink_service_responder_free(responder);
  expect_answer(id);
  EXPECT_EQ(answer.failed, 1U);
  EXPECT_EQ(support::string(answer.message), "not today");
  EXPECT_EQ(telelink_test_viewer_answer(robot.viewer, id, 0, &answer), TELELINK_STATUS_TIMEOUT);
}

TEST_F(Services, FreeWithoutAnAnswerTellsTheViewer) {
  const auto id = call();
  telelink_service_responder_free(desk.take());
  expect_answer(id);
  EXPECT_EQ(answer.failed, 1U);
  EXPECT_FALSE(support::string(answer.message).empty());
}

TEST_F(Services, WrongTextsAnswerNothing) {
  const auto id = call();
  auto* responder = desk.take();
  const telelink_str garbage = {"\xff", 1};
  EXPECT_EQ(telelink_service_responder_fail(responder, garbage), TELELINK_STATUS_INVALID_UTF8);
  EXPECT_EQ(telelink_service_responder_respond_encoded(responder, garbage, telelink_text_data("x")),
            TELELINK_STATUS_INVALID_UTF8);
  EXPECT_EQ(telelink_service_responder_respond(responder, telelink_bytes{nullptr, 1}), TELELINK_STATUS_NULL_ARGUMENT);
  EXPECT_EQ(telelink_service_responder_respond(responder, telelink_text_data("ok")), TELELINK_STATUS_OK);
  telelink_service_responder_free(responder);
  expect_answer(id);
  EXPECT_EQ(payload(), "ok");
}

TEST_F(Services, AnswerToAViewerThatHasLeftGoesNowhere) {
  call();
  auto* responder = desk.take();
  telelink_test_viewer_free(robot.viewer);
  robot.viewer = nullptr;
  EXPECT_EQ(telelink_service_responder_respond(responder, telelink_text_data("43")), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_service_responder_respond(responder, telelink_text_data("43")), TELELINK_STATUS_ALREADY_RESPONDED);
  telelink_service_responder_free(responder);
}

// S-265.
TEST_F(Services, ResponderOutlivesItsSession) {
  call();
  auto* responder = desk.take();
  call();
  auto* unanswered = desk.take();
  telelink_session_free(robot.release());
  EXPECT_EQ(desk.dropped.count(), 1);
  EXPECT_EQ(telelink_service_responder_respond(responder, telelink_text_data("43")), TELELINK_STATUS_OK);
  telelink_service_responder_free(responder);
  telelink_service_responder_free(unanswered);
}

TEST_F(Services, RemovingDropsTheHandlerOnceItsCallsHaveReturned) {
  const auto id = call();
  auto* responder = desk.take();
  const auto name = text("/ask");
  ASSERT_EQ(telelink_session_remove_services(robot.session, &name, 1), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_test_viewer_wait_no_service(robot.viewer, name, wait_ms), TELELINK_STATUS_OK);
  ASSERT_TRUE(desk.dropped.wait());
  EXPECT_EQ(desk.dropped.count(), 1);
  EXPECT_EQ(telelink_service_responder_respond(responder, telelink_text_data("late")), TELELINK_STATUS_OK);
  telelink_service_responder_free(responder);
  expect_answer(id);
  EXPECT_EQ(payload(), "late");
}

TEST_F(Services, OfOneNameThereIsOne) {
  ServiceDesk other;
  service.context = &other;
  EXPECT_EQ(telelink_session_add_services(robot.session, services, 1), TELELINK_STATUS_DUPLICATE);
  EXPECT_TRUE(other.dropped.wait());
  EXPECT_EQ(other.dropped.count(), 1);
  EXPECT_EQ(desk.dropped.count(), 0);
}

TEST_F(Services, DeclaredSchemasAreShownAndRuleTheEncodings) {
  const auto schema = [](std::string_view name) {
    return telelink_schema{text(name), text("jsonschema"), telelink_text_data("{\"title\":1}")};
  };
  const telelink_message_schema request = {text("cbor"), schema("Ask")};
  const telelink_message_schema response = {text("xml"), schema("Tell")};
  service.name = text("/declared");
  service.type_name = text("Oracle");
  service.request = &request;
  service.response = &response;
  ASSERT_EQ(telelink_session_add_services(robot.session, services, 1), TELELINK_STATUS_OK);
  const auto shown = next_json("advertiseServices", "/declared");
  for (const char* part : {"Oracle", "\"cbor\"", "\"Ask\"", "\"xml\"", "\"Tell\"", "jsonschema", "title"})
    EXPECT_NE(shown.find(part), std::string::npos) << part << " in " << shown;

  // The declared encoding and no other, though the session supports json.
  std::uint32_t id = 0;
  const auto call_in = [&](std::string_view encoding) {
    ASSERT_EQ(telelink_test_viewer_call(robot.viewer, text("/declared"), text(encoding), telelink_text_data("42"),
                                        wait_ms, &id),
              TELELINK_STATUS_OK);
  };
  call_in("json");
  expect_answer(id);
  EXPECT_EQ(answer.failed, 1U);
  EXPECT_EQ(support::string(answer.message), "Unsupported encoding");
  call_in("cbor");
  auto* responder = desk.take();
  EXPECT_EQ(telelink_service_responder_respond(responder, telelink_text_data("<a/>")), TELELINK_STATUS_OK);
  telelink_service_responder_free(responder);
  expect_answer(id);
  EXPECT_EQ(support::string(answer.encoding), "xml");
  EXPECT_EQ(payload(), "<a/>");
}

TEST_F(Services, SeveralComeAndGoInOneMessage) {
  telelink_service second = service;
  service.name = text("/one");
  second.name = text("/two");
  const telelink_service* both[] = {&service, &second};
  ASSERT_EQ(telelink_session_add_services(robot.session, both, 2), TELELINK_STATUS_OK) << telelink_last_error_message();
  const auto added = next_json("advertiseServices", "/one");
  EXPECT_NE(added.find("/two"), std::string::npos) << added;

  const telelink_str names[] = {text("/one"), text("/unknown"), text("/two")};
  ASSERT_EQ(telelink_session_remove_services(robot.session, names, 3), TELELINK_STATUS_OK);
  const auto removed = next_json("unadvertiseServices", "serviceIds");
  EXPECT_NE(removed.find(','), std::string::npos) << "two ids: " << removed;
  EXPECT_EQ(telelink_test_viewer_wait_no_service(robot.viewer, text("/two"), wait_ms), TELELINK_STATUS_OK);
  ASSERT_TRUE(desk.dropped.wait(2));
  // Unknown ones alone: no message. Something that is sent afterwards comes first.
  ASSERT_EQ(telelink_session_remove_services(robot.session, &names[1], 1), TELELINK_STATUS_OK);
  const auto last = text("/ask");
  ASSERT_EQ(telelink_session_remove_services(robot.session, &last, 1), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_test_viewer_wait_no_service(robot.viewer, last, wait_ms), TELELINK_STATUS_OK);
  telelink_str message = {};
  EXPECT_EQ(telelink_test_viewer_next_json(robot.viewer, text("unadvertiseServices"), 0, &message), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_test_viewer_next_json(robot.viewer, text("unadvertiseServices"), 0, &message),
            TELELINK_STATUS_TIMEOUT);
}

TEST_F(Services, NoneOfSeveralComesWhenOneCannot) {
  telelink_service second = service;
  service.name = text("/new");
  second.name = text("/ask");
  const telelink_service* both[] = {&service, &second};
  EXPECT_EQ(telelink_session_add_services(robot.session, both, 2), TELELINK_STATUS_DUPLICATE);
  EXPECT_STREQ(telelink_last_error_message(), "service /ask exists already");
  EXPECT_EQ(telelink_test_viewer_wait_no_service(robot.viewer, text("/new"), wait_ms), TELELINK_STATUS_OK);
  EXPECT_TRUE(desk.dropped.wait(2)) << "both contexts are consumed";
}

TEST_F(Services, ThirtyTwoCallsRunAtOnceAndTheNextIsRefused) {
  std::vector<std::uint32_t> ids;
  for (int i = 0; i < 32; ++i)
    ids.push_back(call());
  ASSERT_TRUE(desk.called.wait(32));
  expect_answer(call());
  EXPECT_EQ(answer.failed, 1U);
  EXPECT_EQ(support::string(answer.message), "Too many requests");
  for (int i = 0; i < 32; ++i) {
    auto* responder = desk.take();
    EXPECT_EQ(telelink_service_responder_respond(responder, telelink_text_data("43")), TELELINK_STATUS_OK);
    telelink_service_responder_free(responder);
  }
  for (const auto id : ids) {
    expect_answer(id);
    EXPECT_EQ(payload(), "43");
  }
  const auto again = call();
  telelink_service_responder_free(desk.take());
  expect_answer(again);
  EXPECT_EQ(support::string(answer.message), "Internal server error: service failed to send a response");
}

TEST_F(Services, TimeOutAnswersAndFreesThePlaces) {
  service.name = text("/slow");
  service.timeout_ms = 1;
  ASSERT_EQ(telelink_session_add_services(robot.session, services, 1), TELELINK_STATUS_OK);
  std::uint32_t id = 0;
  for (int i = 0; i < 40; ++i) {
    ASSERT_EQ(telelink_test_viewer_call(robot.viewer, text("/slow"), json, telelink_text_data("42"), wait_ms, &id),
              TELELINK_STATUS_OK);
    expect_answer(id);
    EXPECT_EQ(answer.failed, 1U);
    ASSERT_EQ(support::string(answer.message), "The service did not answer in time") << i;
  }
  for (int i = 0; i < 40; ++i) {
    auto* responder = desk.take();
    EXPECT_EQ(telelink_service_responder_respond(responder, telelink_text_data("late")), TELELINK_STATUS_OK);
    telelink_service_responder_free(responder);
  }
  // The late answers went nowhere; a service without a limit still waits for its answer.
  EXPECT_EQ(telelink_test_viewer_answer(robot.viewer, id, 0, &answer), TELELINK_STATUS_TIMEOUT);
  const auto patient = call();
  auto* responder = desk.take();
  EXPECT_EQ(telelink_test_viewer_answer(robot.viewer, patient, 20, &answer), TELELINK_STATUS_TIMEOUT);
  EXPECT_EQ(telelink_service_responder_respond(responder, telelink_text_data("43")), TELELINK_STATUS_OK);
  telelink_service_responder_free(responder);
  expect_answer(patient);
  EXPECT_EQ(payload(), "43");
}

TEST_F(Services, SessionCanBeFreedInsideAHandler) {
  struct Freeing {
    telelink_session* session = nullptr;
    Event done, dropped;
  } freeing;
  telelink_service freer;
  ASSERT_EQ(telelink_service_init(&freer, sizeof freer), TELELINK_STATUS_OK);
  freer.context = &freeing;
  freer.drop = [](void* context) { static_cast<Freeing*>(context)->dropped.set(); };
  freer.name = text("/free");
  freer.on_request = [](void* context, const telelink_service_request*, telelink_service_responder* responder) {
    auto& me = *static_cast<Freeing*>(context);
    telelink_session_free(me.session);
    EXPECT_EQ(me.dropped.count(), 0) << "dropped under a running handler";
    telelink_service_responder_free(responder);
    me.done.set();
  };
  const telelink_service* both[] = {&freer};
  ASSERT_EQ(telelink_session_add_services(robot.session, both, 1), TELELINK_STATUS_OK) << telelink_last_error_message();
  freeing.session = robot.release();
  std::uint32_t id = 0;
  ASSERT_EQ(telelink_test_viewer_call(robot.viewer, text("/free"), json, telelink_text_data(""), wait_ms, &id),
            TELELINK_STATUS_OK);
  ASSERT_TRUE(freeing.done.wait());
  ASSERT_TRUE(freeing.dropped.wait());
  ASSERT_TRUE(desk.dropped.wait());
  EXPECT_EQ(freeing.dropped.count(), 1);
}

/// Design decision 6: `drop` is a callback, and calling anything of telelink from any callback works.
TEST_F(Services, DropMayCallTheSession) {
  struct Asking {
    telelink_session* session = nullptr;
    telelink_session_stats stats;
    telelink_status asked = TELELINK_STATUS_INTERNAL;
    telelink_status closed = TELELINK_STATUS_INTERNAL;
    Event dropped;
  } asking;
  telelink_str robot_name = {};
  ASSERT_EQ(telelink_test_viewer_robot_name(robot.viewer, wait_ms, &robot_name), TELELINK_STATUS_OK);
  asking.session = robot.session;
  ASSERT_EQ(telelink_session_stats_init(&asking.stats, sizeof asking.stats), TELELINK_STATUS_OK);
  service.context = &asking;
  service.drop = [](void* context) {
    auto& me = *static_cast<Asking*>(context);
    me.asked = telelink_session_stats_read(me.session, &me.stats);
    // Of a callback: at once, without the wait of a minute.
    me.closed = telelink_session_close(me.session, 60'000);
    me.dropped.set();
  };
  service.name = text("/asking");
  ASSERT_EQ(telelink_session_add_services(robot.session, services, 1), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_session_remove_services(robot.session, &service.name, 1), TELELINK_STATUS_OK);
  ASSERT_TRUE(asking.dropped.wait());
  EXPECT_EQ(asking.asked, TELELINK_STATUS_OK);
  EXPECT_EQ(asking.stats.viewers, 1U);
  EXPECT_EQ(asking.closed, TELELINK_STATUS_TIMEOUT);
}

TEST_F(Services, DropHasRunWhenAddingThemFails) {
  ServiceDesk other;
  service.context = &other;
  const telelink_schema schema = {text("Broken"), text("jsonschema"),
                                  telelink_bytes{reinterpret_cast<const std::uint8_t*>("\xff"), 1}};
  const telelink_message_schema response = {json, schema};
  service.name = text("/broken");
  service.response = &response;
  EXPECT_EQ(telelink_session_add_services(robot.session, services, 1), TELELINK_STATUS_INVALID_VALUE);
  EXPECT_NE(std::string{telelink_last_error_message()}.find("/broken"), std::string::npos);
  EXPECT_EQ(other.dropped.count(), 1);
}

}  // namespace
