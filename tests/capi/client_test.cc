// Viewers as the robot sees them: kept beyond the callback, found by number, with all their attributes.
#include "support.hpp"

namespace {

using support::Event;
using support::text;
using support::wait_ms;

struct Seen {
  telelink_client* copy = nullptr;
  Event subscribed;
};

TEST(Client, IsTheSameInACallbackInACopyAndByItsNumber) {
  Seen seen;
  support::Robot robot;
  robot.callbacks.context = &seen;
  robot.callbacks.on_subscribe = [](void* context, const telelink_client* client, const telelink_channel_info*) {
    auto& me = *static_cast<Seen*>(context);
    EXPECT_EQ(telelink_client_clone(client, &me.copy), TELELINK_STATUS_OK);
    me.subscribed.set();
  };
  telelink_channel* channel = nullptr;
  ASSERT_EQ(telelink_channel_create(robot.context, text("/a"), nullptr, &channel), TELELINK_STATUS_OK);
  robot.start();
  robot.join();
  ASSERT_EQ(telelink_test_viewer_subscribe(robot.viewer, text("/a"), wait_ms), TELELINK_STATUS_OK)
      << telelink_last_error_message();
  ASSERT_TRUE(seen.subscribed.wait());
  const auto id = telelink_client_id(seen.copy);
  telelink_client* found = nullptr;
  ASSERT_EQ(telelink_session_client(robot.session, id, &found), TELELINK_STATUS_OK) << telelink_last_error_message();
  for (const auto* client : {seen.copy, found}) {
    EXPECT_EQ(telelink_client_id(client), id);
    EXPECT_EQ(support::string(telelink_client_identity(client)), "operator");
    EXPECT_EQ(support::string(telelink_client_sid(client)), support::string(telelink_client_sid(seen.copy)));
    EXPECT_EQ(support::string(telelink_client_name(client)), support::string(telelink_client_name(seen.copy)));
    EXPECT_GT(telelink_client_joined_at_ms(client), 0);
    EXPECT_EQ(telelink_client_joined_at_ms(client), telelink_client_joined_at_ms(seen.copy));
    const auto count = telelink_client_attribute_count(client);
    ASSERT_GE(count, 1U);
    std::string last;
    for (std::size_t index = 0; index < count; ++index) {
      telelink_pair attribute = {};
      ASSERT_TRUE(telelink_client_attribute_at(client, index, &attribute));
      EXPECT_LT(last, support::string(attribute.key)) << "in order of the keys";
      last = support::string(attribute.key);
      telelink_str value = {};
      ASSERT_TRUE(telelink_client_attribute(client, attribute.key, &value));
      EXPECT_EQ(support::string(value), support::string(attribute.value));
    }
    telelink_pair untouched = {text("k"), text("v")};
    EXPECT_FALSE(telelink_client_attribute_at(client, count, &untouched));
    EXPECT_EQ(support::string(untouched.key), "k");
    EXPECT_FALSE(telelink_client_attribute_at(client, 0, nullptr));
    EXPECT_STREQ(telelink_last_error_message(), "attribute_out is NULL");
  }
  // Gone from the room it is not found; the copies stay what they were.
  telelink_test_viewer_free(robot.viewer);
  robot.viewer = nullptr;
  telelink_client* none = nullptr;
  telelink_status status = TELELINK_STATUS_OK;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds{wait_ms};
  do {
    status = telelink_session_client(robot.session, id, &none);
    if (status == TELELINK_STATUS_OK) telelink_client_free(none);
  } while (status == TELELINK_STATUS_OK && std::chrono::steady_clock::now() < deadline);
  EXPECT_EQ(status, TELELINK_STATUS_NOT_FOUND);
  telelink_session_free(robot.release());
  EXPECT_EQ(support::string(telelink_client_identity(seen.copy)), "operator");
  telelink_client_free(seen.copy);
  telelink_client_free(found);
  telelink_channel_free(channel);
}

}  // namespace
