// Roles and the question to the application, through C.
#include "support.hpp"

#include <string>

namespace {

using support::Event;
using support::text;
using support::wait_ms;

void respond(void*, const telelink_service_request*, telelink_service_responder* responder) {
  EXPECT_EQ(telelink_service_responder_respond(responder, telelink_text_data("1")), TELELINK_STATUS_OK);
  telelink_service_responder_free(responder);
}

class Rights : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(telelink_role_init(&role, sizeof role), TELELINK_STATUS_OK);
    ASSERT_EQ(telelink_session_policy_init(&policy, sizeof policy), TELELINK_STATUS_OK);
    ASSERT_EQ(telelink_service_init(&lamp, sizeof lamp), TELELINK_STATUS_OK);
    lamp.name = text("/lamp");
    lamp.on_request = &respond;
    robot.options.services = services;
    robot.options.services_count = 1;
    robot.options.supported_encodings = &json;
    robot.options.supported_encodings_count = 1;
  }

  /// Whether the viewer may call the service; else it has to look as if there were none.
  bool may_call() {
    std::uint32_t id = 0;
    EXPECT_EQ(telelink_test_viewer_call(robot.viewer, text("/lamp"), json, telelink_text_data(""), wait_ms, &id),
              TELELINK_STATUS_OK)
        << telelink_last_error_message();
    telelink_test_answer answer;
    EXPECT_EQ(telelink_test_answer_init(&answer, sizeof answer), TELELINK_STATUS_OK);
    EXPECT_EQ(telelink_test_viewer_answer(robot.viewer, id, wait_ms, &answer), TELELINK_STATUS_OK)
        << telelink_last_error_message();
    if (answer.failed != 0) {
      EXPECT_EQ(support::string(answer.message), "Server does not support services");
    }
    return answer.failed == 0;
  }

  telelink_status start() {
    robot.options.callbacks = &robot.callbacks;
    return telelink_session_create(robot.context, &robot.options, &robot.session);
  }

  telelink_str json = text("json");
  telelink_role role;
  telelink_session_policy policy;
  telelink_service lamp;
  const telelink_service* services[1] = {&lamp};
  support::Robot robot;
};

TEST_F(Rights, ADefaultRoleAllowsWhatItLists) {
  const telelink_str patterns[] = {text("/d*"), text("*amp")};
  role.call = patterns;
  role.call_count = 2;
  robot.options.default_role = &role;
  robot.start();
  robot.join();
  EXPECT_TRUE(may_call());
}

TEST_F(Rights, RolesAloneAllowNothingToOthers) {
  const telelink_str everything = text("*");
  role.name = text("operator");
  role.call = &everything;
  role.call_count = 1;
  const telelink_role* roles[] = {&role};
  robot.options.roles = roles;
  robot.options.roles_count = 1;
  robot.start();
  robot.join();
  EXPECT_FALSE(may_call());
}

// S-274.
TEST_F(Rights, TheApplicationIsAskedWhoAndWhat) {
  struct Asked {
    std::string question;
    Event asked, dropped;
  } asked;
  policy.context = &asked;
  policy.drop = [](void* context) { static_cast<Asked*>(context)->dropped.set(); };
  policy.authorize = [](void* context, const telelink_client* client, telelink_action action, telelink_str subject) {
    auto& me = *static_cast<Asked*>(context);
    EXPECT_EQ(action, TELELINK_ACTION_CALL);
    me.question = support::string(telelink_client_identity(client)) + " " + support::string(subject);
    me.asked.set();
    return false;
  };
  robot.options.policy = &policy;
  robot.start();
  robot.join();
  EXPECT_FALSE(may_call());
  ASSERT_TRUE(asked.asked.wait());
  EXPECT_EQ(asked.question, "operator /lamp");
  telelink_session_free(robot.release());
  EXPECT_EQ(asked.dropped.count(), 1);
}

TEST_F(Rights, WrongRolesAreNamed) {
  const telelink_role* roles[] = {&role, nullptr};
  robot.options.roles = roles;
  robot.options.roles_count = 1;
  EXPECT_EQ(start(), TELELINK_STATUS_INVALID_VALUE);
  EXPECT_STREQ(telelink_last_error_message(), "role.name is empty: use options.default_role");
  role.name = text("operator");
  robot.options.roles_count = 2;
  EXPECT_EQ(start(), TELELINK_STATUS_NULL_ARGUMENT);
  EXPECT_STREQ(telelink_last_error_message(), "options.roles[] is NULL");
  roles[1] = &role;
  EXPECT_EQ(start(), TELELINK_STATUS_DUPLICATE);
  EXPECT_STREQ(telelink_last_error_message(), "options.roles has the role operator twice");
  robot.options.roles_count = 1;
  role.graph = 2;
  EXPECT_EQ(start(), TELELINK_STATUS_INVALID_VALUE);
  EXPECT_STREQ(telelink_last_error_message(), "role.graph is 2, neither 0 nor 1");
  role.graph = 1;
  role.set_count = 1;
  EXPECT_EQ(start(), TELELINK_STATUS_NULL_ARGUMENT);
  EXPECT_STREQ(telelink_last_error_message(), "role.set.data is NULL but role.set.len is 1");
  role.set_count = 0;
  role.struct_size = 1;
  EXPECT_EQ(start(), TELELINK_STATUS_STRUCT_SIZE);
  robot.options.roles = nullptr;
  EXPECT_EQ(start(), TELELINK_STATUS_NULL_ARGUMENT);
  EXPECT_STREQ(telelink_last_error_message(), "options.roles.data is NULL but options.roles.len is 1");
}

}  // namespace
