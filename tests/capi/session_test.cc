// Sessions on the in-memory room: events, closing and freeing from everywhere, logging while closing.
#include "support.hpp"

#include <algorithm>
#include <functional>
#include <thread>
#include <vector>

namespace {

using support::Event;
using support::text;
using support::wait_ms;

telelink_channel* channel(support::Robot& robot, const char* topic, telelink_qos qos = TELELINK_QOS_RELIABLE) {
  telelink_channel_options options;
  EXPECT_EQ(telelink_channel_options_init(&options, sizeof options), TELELINK_STATUS_OK);
  options.encoding = text("json");
  options.qos = qos;
  telelink_channel* made = nullptr;
  EXPECT_EQ(telelink_channel_create(robot.context, text(topic), &options, &made), TELELINK_STATUS_OK);
  return made;
}

/// What callbacks were told, as words.
class Diary {
 public:
  void write(std::string line) {
    const std::lock_guard lock{mutex_};
    lines_.push_back(std::move(line));
    changed_.notify_all();
  }

  bool wait_for(const std::string& line) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, std::chrono::milliseconds{wait_ms},
                             [&] { return std::find(lines_.begin(), lines_.end(), line) != lines_.end(); });
  }

  std::vector<std::string> lines() {
    const std::lock_guard lock{mutex_};
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

Diary& diary(void* context) {
  return *static_cast<Diary*>(context);
}

std::string who(const telelink_client* client) {
  return support::string(telelink_client_identity(client));
}

void record_all(telelink_session_callbacks& callbacks, Diary& to) {
  callbacks.context = &to;
  callbacks.drop = [](void* context) { diary(context).write("drop"); };
  callbacks.on_status = [](void* context, telelink_connection_status status, telelink_status, telelink_str) {
    diary(context).write("status " + std::to_string(status));
  };
  callbacks.on_subscribe = [](void* context, const telelink_client* client, const telelink_channel_info* info) {
    diary(context).write(who(client) + " subscribes " + support::string(telelink_channel_info_topic(info)));
  };
  callbacks.on_unsubscribe = [](void* context, const telelink_client* client, const telelink_channel_info* info) {
    diary(context).write(who(client) + " unsubscribes " + support::string(telelink_channel_info_topic(info)));
  };
  callbacks.on_client_advertise = [](void* context, const telelink_client* client,
                                     const telelink_client_channel* info) {
    diary(context).write(who(client) + " advertises " + std::to_string(telelink_client_channel_id(info)) + " " +
                         support::string(telelink_client_channel_topic(info)) + " " +
                         support::string(telelink_client_channel_encoding(info)));
  };
  callbacks.on_client_unadvertise = [](void* context, const telelink_client* client,
                                       const telelink_client_channel* info) {
    diary(context).write(who(client) + " unadvertises " + std::to_string(telelink_client_channel_id(info)));
  };
  callbacks.on_message = [](void* context, const telelink_client* client, const telelink_client_channel*,
                            const telelink_client_message* message) {
    EXPECT_EQ(message->struct_size, sizeof *message);
    EXPECT_GT(message->receive_time_ns, 1'577'836'800'000'000'000ULL);
    diary(context).write(who(client) + " says " +
                         std::string{reinterpret_cast<const char*>(message->payload.data), message->payload.len});
  };
}

// S-262: for one viewer, one after another.
TEST(Session, TellsItsLifeInOrder) {
  Diary told;
  {
    support::Robot robot;
    record_all(robot.callbacks, told);
    robot.options.capabilities = TELELINK_CAPABILITY_CLIENT_PUBLISH;
    const telelink_str json = text("json");
    robot.options.supported_encodings = &json;
    robot.options.supported_encodings_count = 1;
    auto* battery = channel(robot, "/battery");
    robot.start();
    robot.join();
    ASSERT_EQ(telelink_test_viewer_subscribe(robot.viewer, text("/battery"), wait_ms), TELELINK_STATUS_OK)
        << telelink_last_error_message();
    EXPECT_EQ(telelink_session_status(robot.session), TELELINK_CONNECTION_STATUS_CONNECTED);
    ASSERT_EQ(telelink_test_viewer_unsubscribe(robot.viewer, text("/battery"), wait_ms), TELELINK_STATUS_OK);
    ASSERT_EQ(telelink_test_viewer_advertise(robot.viewer, 7, text("/drive"), json, wait_ms), TELELINK_STATUS_OK);
    ASSERT_EQ(telelink_test_viewer_publish(robot.viewer, 7, telelink_text_data("{\"v\":1}"), wait_ms),
              TELELINK_STATUS_OK);
    ASSERT_EQ(telelink_test_viewer_unadvertise(robot.viewer, 7, wait_ms), TELELINK_STATUS_OK);
    EXPECT_TRUE(told.wait_for("operator unadvertises 7"));
    EXPECT_EQ(telelink_session_close(robot.session, wait_ms), TELELINK_STATUS_OK) << telelink_last_error_message();
    EXPECT_EQ(telelink_session_status(robot.session), TELELINK_CONNECTION_STATUS_SHUTDOWN);
    telelink_channel_free(battery);
  }
  const std::vector<std::string> expected = {
      "status 0",
      "status 1",
      "operator subscribes /battery",
      "operator unsubscribes /battery",
      "operator advertises 7 /drive json",
      "operator says {\"v\":1}",
      "operator unadvertises 7",
      "status 2",
      "status 3",
      "drop",
  };
  EXPECT_EQ(told.lines(), expected);
}

// S-41.
TEST(Session, ClosesTwiceAndAnswersClosedAfterwards) {
  support::Robot robot;
  robot.start();
  EXPECT_EQ(telelink_session_close(robot.session, 0), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_session_close(robot.session, wait_ms), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_session_close(robot.session, wait_ms), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_session_status(robot.session), TELELINK_CONNECTION_STATUS_SHUTDOWN);
  EXPECT_EQ(telelink_session_publish_status(robot.session, TELELINK_STATUS_LEVEL_INFO, text("hello"), text("")),
            TELELINK_STATUS_CLOSED);
  telelink_session_stats stats;
  ASSERT_EQ(telelink_session_stats_init(&stats, sizeof stats), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_session_stats_read(robot.session, &stats), TELELINK_STATUS_CLOSED);
}

TEST(Session, OutlivesItsContextHandle) {
  support::Robot robot;
  auto* battery = channel(robot, "/battery");
  robot.start();
  telelink_context_free(robot.context);
  robot.context = nullptr;
  robot.join();
  ASSERT_EQ(telelink_test_viewer_subscribe(robot.viewer, text("/battery"), wait_ms), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_channel_log(battery, telelink_text_data("1")), TELELINK_STATUS_OK);
  telelink_test_message message;
  ASSERT_EQ(telelink_test_message_init(&message, sizeof message), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_test_viewer_next_message(robot.viewer, wait_ms, &message), TELELINK_STATUS_OK);
  telelink_channel_free(battery);
  EXPECT_EQ(telelink_test_viewer_wait_no_channel(robot.viewer, text("/battery"), wait_ms), TELELINK_STATUS_OK);
}

/// A session that does something to itself in its first callback.
struct Suicide {
  telelink_session* session = nullptr;
  Event may_start, done, dropped;
  telelink_status status = TELELINK_STATUS_INTERNAL;
};

Suicide& suicide(void* context) {
  return *static_cast<Suicide*>(context);
}

void drop_suicide(void* context) {
  suicide(context).dropped.set();
}

// S-42.
TEST(Session, CloseInsideACallbackDoesNotWaitForItself) {
  Suicide self;
  support::Robot robot;
  robot.callbacks.context = &self;
  robot.callbacks.drop = &drop_suicide;
  robot.callbacks.on_status = [](void* context, telelink_connection_status status, telelink_status, telelink_str) {
    auto& me = suicide(context);
    if (status != TELELINK_CONNECTION_STATUS_CONNECTED) return;
    me.may_start.wait();
    me.status = telelink_session_close(me.session, 3'600'000);
    me.done.set();
  };
  robot.start();
  self.session = robot.session;
  self.may_start.set();
  ASSERT_TRUE(self.done.wait());
  EXPECT_EQ(self.status, TELELINK_STATUS_TIMEOUT);
  EXPECT_EQ(telelink_session_close(robot.session, wait_ms), TELELINK_STATUS_OK);
  telelink_session_free(robot.release());
  EXPECT_EQ(self.dropped.count(), 1);
}

// S-42.
TEST(Session, FreeInsideACallbackFinishesAfterIt) {
  Suicide self;
  support::Robot robot;
  robot.callbacks.context = &self;
  robot.callbacks.drop = &drop_suicide;
  robot.callbacks.on_status = [](void* context, telelink_connection_status status, telelink_status, telelink_str) {
    auto& me = suicide(context);
    if (status != TELELINK_CONNECTION_STATUS_CONNECTED) return;
    me.may_start.wait();
    telelink_session_free(me.session);
    EXPECT_EQ(me.dropped.count(), 0) << "dropped under a running callback";
    me.done.set();
  };
  robot.start();
  self.session = robot.release();
  self.may_start.set();
  ASSERT_TRUE(self.done.wait());
  ASSERT_TRUE(self.dropped.wait());
  EXPECT_EQ(self.dropped.count(), 1);
}

// S-13, S-43.
TEST(Session, FreeWaitsForARunningCallback) {
  struct Slow {
    Event entered, go_on, dropped;
    std::atomic<bool> left{false};
  } slow;
  support::Robot robot;
  robot.callbacks.context = &slow;
  robot.callbacks.drop = [](void* context) { static_cast<Slow*>(context)->dropped.set(); };
  robot.callbacks.on_status = [](void* context, telelink_connection_status status, telelink_status, telelink_str) {
    auto& me = *static_cast<Slow*>(context);
    if (status != TELELINK_CONNECTION_STATUS_CONNECTED) return;
    me.entered.set();
    me.go_on.wait();
    me.left = true;
  };
  robot.start();
  ASSERT_TRUE(slow.entered.wait());
  EXPECT_EQ(telelink_session_close(robot.session, 1), TELELINK_STATUS_TIMEOUT);
  auto* session = robot.release();
  std::thread freeing([&] {
    telelink_session_free(session);
    EXPECT_TRUE(slow.left) << "free returned under a running callback";
    EXPECT_EQ(slow.dropped.count(), 1);
  });
  slow.go_on.set();
  freeing.join();
}

// S-269.
TEST(Session, LogsFromManyThreadsWhileItCloses) {
  for (int round = 0; round < 20; ++round) {
    support::Robot robot;
    auto* reliable = channel(robot, "/reliable");
    auto* lossy = channel(robot, "/lossy", TELELINK_QOS_LOSSY);
    robot.start();
    robot.join();
    for (const char* topic : {"/reliable", "/lossy"}) {
      ASSERT_EQ(telelink_test_viewer_subscribe(robot.viewer, text(topic), wait_ms), TELELINK_STATUS_OK)
          << telelink_last_error_message();
    }
    std::atomic<bool> stop{false};
    Event started;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        started.set();
        while (!stop) {
          const auto status = telelink_channel_log(i % 2 == 0 ? reliable : lossy, telelink_text_data("{\"n\":1}"));
          EXPECT_TRUE(status == TELELINK_STATUS_OK || status == TELELINK_STATUS_CLOSED);
        }
      });
    }
    EXPECT_TRUE(started.wait(4));
    if (round % 2 == 0) {
      EXPECT_EQ(telelink_session_close(robot.session, wait_ms), TELELINK_STATUS_OK) << telelink_last_error_message();
    }
    telelink_session_free(robot.release());
    EXPECT_EQ(telelink_channel_close(lossy), TELELINK_STATUS_OK);
    EXPECT_EQ(telelink_channel_log(lossy, telelink_text_data("{}")), TELELINK_STATUS_CLOSED);
    stop = true;
    for (auto& thread : threads)
      thread.join();
    telelink_channel_free(reliable);
    telelink_channel_free(lossy);
  }
}

// S-269: every other call that needs the session, from threads that only stop when they are told that it is closed.
TEST(Session, IsCalledFromManyThreadsWhileItCloses) {
  struct Calls {
    std::atomic<int> services{0}, drops{0};
  };
  for (int round = 0; round < 20; ++round) {
    Calls calls;
    support::Robot robot;
    robot.options.capabilities = TELELINK_CAPABILITY_SERVICES;
    const telelink_str json = text("json");
    robot.options.supported_encodings = &json;
    robot.options.supported_encodings_count = 1;
    robot.start();
    robot.join();
    telelink_str robot_name = {};
    ASSERT_EQ(telelink_test_viewer_robot_name(robot.viewer, wait_ms, &robot_name), TELELINK_STATUS_OK);

    const auto publish_status = [&](const std::string&) {
      return telelink_session_publish_status(robot.session, TELELINK_STATUS_LEVEL_INFO, text("hello"), text("id"));
    };
    const auto read_stats = [&](const std::string&) {
      telelink_session_stats stats;
      EXPECT_EQ(telelink_session_stats_init(&stats, sizeof stats), TELELINK_STATUS_OK);
      return telelink_session_stats_read(robot.session, &stats);
    };
    const auto add_and_remove = [&](const std::string& name) {
      telelink_service service;
      EXPECT_EQ(telelink_service_init(&service, sizeof service), TELELINK_STATUS_OK);
      service.context = &calls;
      service.drop = [](void* context) { ++static_cast<Calls*>(context)->drops; };
      service.name = text(name);
      service.on_request = [](void*, const telelink_service_request*, telelink_service_responder* responder) {
        telelink_service_responder_free(responder);
      };
      const telelink_service* services[] = {&service};
      ++calls.services;
      const auto added = telelink_session_add_services(robot.session, services, 1);
      if (added != TELELINK_STATUS_OK) return added;
      return telelink_session_remove_services(robot.session, &service.name, 1);
    };
    const std::function<telelink_status(const std::string&)> kinds[] = {publish_status, read_stats, add_and_remove,
                                                                        add_and_remove};
    Event started;
    std::vector<std::thread> threads;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds{wait_ms};
    for (const auto& call : kinds) {
      threads.emplace_back([&, name = "/" + std::to_string(threads.size())] {
        auto status = call(name);
        EXPECT_EQ(status, TELELINK_STATUS_OK) << name << ": " << telelink_last_error_message();
        started.set();
        while (status == TELELINK_STATUS_OK && std::chrono::steady_clock::now() < deadline)
          status = call(name);
        EXPECT_EQ(status, TELELINK_STATUS_CLOSED) << name << ": " << telelink_last_error_message();
      });
    }
    EXPECT_TRUE(started.wait(4));
    EXPECT_EQ(telelink_session_close(robot.session, wait_ms), TELELINK_STATUS_OK) << telelink_last_error_message();
    for (auto& thread : threads)
      thread.join();
    telelink_session_free(robot.release());
    EXPECT_EQ(calls.drops, calls.services) << "each context is dropped once, also when adding is refused";
  }
}

TEST(Session, CallsOfTelelinkWorkInsideCallbacks) {
  struct Busy {
    support::Robot* robot = nullptr;
    telelink_channel* made = nullptr;
    Event done;
  } busy;
  support::Robot robot;
  busy.robot = &robot;
  robot.callbacks.context = &busy;
  robot.callbacks.on_subscribe = [](void* context, const telelink_client* client, const telelink_channel_info*) {
    auto& me = *static_cast<Busy*>(context);
    if (me.made != nullptr) return;
    me.made = channel(*me.robot, "/made/in/callback");
    EXPECT_EQ(
        telelink_session_publish_status(me.robot->session, TELELINK_STATUS_LEVEL_WARNING, text("hello"), text("id")),
        TELELINK_STATUS_OK)
        << telelink_last_error_message();
    telelink_session_stats stats;
    EXPECT_EQ(telelink_session_stats_init(&stats, sizeof stats), TELELINK_STATUS_OK);
    EXPECT_EQ(telelink_session_stats_read(me.robot->session, &stats), TELELINK_STATUS_OK);
    EXPECT_EQ(stats.viewers, 1U);
    EXPECT_EQ(stats.joins, 1U);
    telelink_client* copy = nullptr;
    EXPECT_EQ(telelink_session_client(me.robot->session, telelink_client_id(client), &copy), TELELINK_STATUS_OK);
    EXPECT_EQ(who(copy), "operator");
    telelink_client_free(copy);
    EXPECT_EQ(telelink_session_client(me.robot->session, 4'000'000'000U, &copy), TELELINK_STATUS_NOT_FOUND);
    me.done.set();
  };
  auto* battery = channel(robot, "/battery");
  robot.start();
  robot.join();
  ASSERT_EQ(telelink_test_viewer_subscribe(robot.viewer, text("/battery"), wait_ms), TELELINK_STATUS_OK)
      << telelink_last_error_message();
  ASSERT_TRUE(busy.done.wait());
  EXPECT_EQ(telelink_test_viewer_wait_channel(robot.viewer, text("/made/in/callback"), wait_ms, nullptr),
            TELELINK_STATUS_OK);
  telelink_test_status status;
  ASSERT_EQ(telelink_test_status_init(&status, sizeof status), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_test_viewer_next_status(robot.viewer, wait_ms, &status), TELELINK_STATUS_OK);
  EXPECT_EQ(support::string(status.message), "hello");
  EXPECT_EQ(support::string(status.id), "id");
  EXPECT_EQ(status.level, TELELINK_STATUS_LEVEL_WARNING);
  telelink_channel_free(battery);
  telelink_channel_free(busy.made);
}

// S-100.
TEST(Session, LogsOnTheChannelJustSubscribedInsideItsCallbacks) {
  struct Echo {
    telelink_channel* channel = nullptr;
    Event subscribed, unsubscribed;
  } echo;
  support::Robot robot;
  echo.channel = channel(robot, "/battery");
  robot.callbacks.context = &echo;
  robot.callbacks.on_subscribe = [](void* context, const telelink_client*, const telelink_channel_info*) {
    auto& me = *static_cast<Echo*>(context);
    EXPECT_EQ(telelink_channel_log(me.channel, telelink_text_data("subscribed")), TELELINK_STATUS_OK);
    me.subscribed.set();
  };
  robot.callbacks.on_unsubscribe = [](void* context, const telelink_client*, const telelink_channel_info*) {
    auto& me = *static_cast<Echo*>(context);
    EXPECT_EQ(telelink_channel_log(me.channel, telelink_text_data("unsubscribed")), TELELINK_STATUS_OK);
    me.unsubscribed.set();
  };
  robot.start();
  robot.join();
  // Twice: what was logged for the end of the first subscription is not waiting for the second.
  for (int round = 1; round <= 2; ++round) {
    ASSERT_EQ(telelink_test_viewer_subscribe(robot.viewer, text("/battery"), wait_ms), TELELINK_STATUS_OK)
        << telelink_last_error_message();
    ASSERT_TRUE(echo.subscribed.wait(round));
    telelink_test_message message;
    ASSERT_EQ(telelink_test_message_init(&message, sizeof message), TELELINK_STATUS_OK);
    ASSERT_EQ(telelink_test_viewer_next_message(robot.viewer, wait_ms, &message), TELELINK_STATUS_OK);
    EXPECT_EQ(support::string({reinterpret_cast<const char*>(message.payload.data), message.payload.len}),
              "subscribed");
    ASSERT_EQ(telelink_test_viewer_unsubscribe(robot.viewer, text("/battery"), wait_ms), TELELINK_STATUS_OK);
    ASSERT_TRUE(echo.unsubscribed.wait(round));
  }
  telelink_session_free(robot.release());
  telelink_channel_free(echo.channel);
}

TEST(Session, PublishStatusChecksItsLevel) {
  support::Robot robot;
  robot.start();
  for (const int level : {-1, 3, 1000}) {
    EXPECT_EQ(telelink_session_publish_status(robot.session, level, text("hello"), text("")),
              TELELINK_STATUS_INVALID_VALUE);
  }
  const telelink_str garbage = {"\xff", 1};
  EXPECT_EQ(telelink_session_publish_status(robot.session, 0, garbage, text("")), TELELINK_STATUS_INVALID_UTF8);
  EXPECT_STREQ(telelink_last_error_message(), "message is not valid UTF-8 at byte 0");
  EXPECT_EQ(telelink_session_publish_status(robot.session, 0, text("hello"), garbage), TELELINK_STATUS_INVALID_UTF8);
  EXPECT_STREQ(telelink_last_error_message(), "id is not valid UTF-8 at byte 0");
  EXPECT_EQ(telelink_session_remove_status(robot.session, &garbage, 1), TELELINK_STATUS_INVALID_UTF8);
  EXPECT_EQ(telelink_session_remove_services(robot.session, &garbage, 1), TELELINK_STATUS_INVALID_UTF8);
}

// S-81, P-128, P-132.
TEST(Session, PolicyHidesChannelsAndChoosesTheirPath) {
  support::Robot robot;
  telelink_session_policy policy;
  ASSERT_EQ(telelink_session_policy_init(&policy, sizeof policy), TELELINK_STATUS_OK);
  policy.channel_filter = [](void*, const telelink_channel_info* info) {
    return support::string(telelink_channel_info_topic(info)) != "/secret";
  };
  std::atomic<int> classified{0};
  policy.context = &classified;
  policy.qos = [](void* context, const telelink_channel_info* info) -> std::int32_t {
    ++*static_cast<std::atomic<int>*>(context);
    return support::string(telelink_channel_info_topic(info)) == "/lossy" ? TELELINK_QOS_RELIABLE : -1;
  };
  robot.options.policy = &policy;
  auto* secret = channel(robot, "/secret");
  auto* lossy = channel(robot, "/lossy", TELELINK_QOS_LOSSY);
  robot.start();
  robot.join();
  ASSERT_EQ(telelink_test_viewer_subscribe(robot.viewer, text("/lossy"), wait_ms), TELELINK_STATUS_OK)
      << telelink_last_error_message();
  EXPECT_EQ(telelink_test_viewer_wait_channel(robot.viewer, text("/secret"), 0, nullptr), TELELINK_STATUS_TIMEOUT);
  EXPECT_EQ(telelink_channel_log(lossy, telelink_text_data("1")), TELELINK_STATUS_OK);
  telelink_test_message message;
  ASSERT_EQ(telelink_test_message_init(&message, sizeof message), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_test_viewer_next_message(robot.viewer, wait_ms, &message), TELELINK_STATUS_OK);
  EXPECT_EQ(message.lossy, 0U) << "the policy made this channel reliable";
  EXPECT_EQ(classified, 1) << "once, and not for what is hidden";
  // What is hidden cannot be subscribed either, and goes without a word.
  const auto id = telelink_channel_info_id(telelink_channel_as_info(secret));
  const auto subscribe = R"({"op":"subscribe","channels":[{"id":)" + std::to_string(id) + "}]}";
  EXPECT_EQ(telelink_test_viewer_send_json(robot.viewer, text(subscribe), wait_ms), TELELINK_STATUS_OK);
  EXPECT_FALSE(telelink_channel_is_wanted(secret));
  EXPECT_EQ(telelink_channel_close(secret), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_channel_close(lossy), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_test_viewer_wait_no_channel(robot.viewer, text("/lossy"), wait_ms), TELELINK_STATUS_OK);
  telelink_str json = {};
  EXPECT_EQ(telelink_test_viewer_next_json(robot.viewer, text("unadvertise"), 0, &json), TELELINK_STATUS_OK);
  EXPECT_EQ(support::string(json).find("[" + std::to_string(id) + "]"), std::string::npos) << support::string(json);
  EXPECT_EQ(telelink_test_viewer_next_json(robot.viewer, text("unadvertise"), 0, &json), TELELINK_STATUS_TIMEOUT);
  telelink_session_free(robot.release());
  telelink_channel_free(secret);
  telelink_channel_free(lossy);
}

TEST(Session, JoinsAgainAfterTheServerEndedTheConnection) {
  Diary told;
  support::Robot robot;
  record_all(robot.callbacks, told);
  robot.start();
  ASSERT_TRUE(told.wait_for("status 1"));
  ASSERT_EQ(telelink_test_server_disconnect(robot.server, text("robot")), TELELINK_STATUS_OK);
  Event connected_again;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds{wait_ms};
  const auto times_connected = [&] {
    const auto lines = told.lines();
    return std::count(lines.begin(), lines.end(), "status 1");
  };
  while (times_connected() < 2 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  EXPECT_EQ(times_connected(), 2);
  EXPECT_NE(telelink_session_last_error(robot.session), TELELINK_STATUS_OK);
  telelink_session_free(robot.release());
}

}  // namespace
