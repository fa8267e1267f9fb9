// Context and Channel of the C++ wrapper.
#include <telelink/telelink.hpp>

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace {

TEST(Channel, TellsWhatItWasMadeWith) {
  telelink::Context context;
  telelink::ChannelOptions options;
  options.qos = telelink::Qos::reliable;
  options.metadata = {{"unit", "percent"}};
  auto channel = context.channel("/battery", telelink::json_schema("Battery", R"({"type":"object"})"), options);
  ASSERT_TRUE(channel) << channel.error().message;
  const auto info = channel->info();
  EXPECT_GT(info.id(), 0U);
  EXPECT_EQ(info.topic(), "/battery");
  EXPECT_EQ(info.encoding(), "json");
  EXPECT_EQ(info.qos(), telelink::Qos::reliable);
  ASSERT_TRUE(info.schema());
  EXPECT_EQ(info.schema()->name, "Battery");
  EXPECT_EQ(info.schema()->encoding, "jsonschema");
  EXPECT_EQ(info.schema()->data.text(), R"({"type":"object"})");
  EXPECT_EQ(info.metadata("unit"), "percent");
  EXPECT_EQ(info.metadata("nothing"), std::nullopt);
}

TEST(Channel, LogsUntilItIsClosed) {
  telelink::Context context;
  auto channel = context.channel("/battery", telelink::json());
  ASSERT_TRUE(channel);
  EXPECT_EQ(channel->log(R"({"percent": 81})"), telelink::Status::ok);
  EXPECT_FALSE(channel->is_wanted());
  channel->close();
  channel->close();
  EXPECT_EQ(channel->log("{}"), telelink::Status::closed);
  EXPECT_TRUE(channel->info().is_closed());
}

TEST(Channel, MovedFromAnswersNullArgument) {
  telelink::Context context;
  auto made = context.channel("/battery", telelink::json());
  ASSERT_TRUE(made);
  telelink::Channel channel = std::move(*made);
  EXPECT_EQ(channel.log("{}"), telelink::Status::ok);
  EXPECT_EQ(made->log("{}"), telelink::Status::null_argument);  // NOLINT(bugprone-use-after-move): that is the test
}

TEST(Channel, RefusesWhatCannotWorkAndNamesIt) {
  telelink::Context context;
  auto empty = context.channel("", telelink::json());
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().status, telelink::Status::invalid_value);
  EXPECT_EQ(empty.error().message, "the topic is empty");

  auto garbage = context.channel("a\xff", telelink::json());
  ASSERT_FALSE(garbage);
  EXPECT_EQ(garbage.error().status, telelink::Status::invalid_utf8);
  EXPECT_EQ(garbage.error().message, "topic is not valid UTF-8 at byte 1");
}

}  // namespace
