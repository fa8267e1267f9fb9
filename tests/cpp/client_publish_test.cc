// What viewers publish, through the C++ wrapper: rows 21 to 28 of session.md section 24, S-167, S-185 to S-191.
#include "support.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using support::Count;
using telelink::ClientChannelView;
using telelink::ClientView;
using telelink::Session;

/// A robot that writes down what viewers do, and a viewer.
class ClientPublish : public ::testing::Test {
 protected:
  void start(telelink::Capabilities capabilities = telelink::Capabilities::client_publish) {
    auto options = support::robot(server_);
    options.capabilities = capabilities;
    options.supported_encodings = {"json"};
    options.callbacks.on_client_advertise = [this](ClientView client, ClientChannelView channel) {
      const auto schema = channel.schema();
      note("+ " + std::string{client.identity()} + ' ' + std::string{channel.topic()} + ' ' +
           std::string{channel.encoding()} +
           (schema ? ' ' + std::string{schema->name} + ' ' + std::string{schema->encoding} + ' ' +
                         std::to_string(schema->data.size())
                   : " -"));
    };
    options.callbacks.on_client_unadvertise = [this](ClientView client, ClientChannelView channel) {
      note("- " + std::string{client.identity()} + ' ' + std::string{channel.topic()});
    };
    options.callbacks.on_message = [this](ClientView, ClientChannelView channel,
                                          const telelink::ClientMessage& message) {
      note(std::string{channel.topic()} + ": " + std::string{message.payload.text()});
    };
    auto session = Session::start(context_, std::move(options));
    ASSERT_TRUE(session) << session.error().message;
    session_.emplace(std::move(*session));
    auto viewer = server_.viewer("yard", "operator");
    ASSERT_TRUE(viewer) << viewer.error().message;
    viewer_.emplace(std::move(*viewer));
    ASSERT_TRUE(viewer_->robot_name());
  }

  void note(std::string line) {
    {
      const std::lock_guard lock{mutex_};
      lines_.push_back(std::move(line));
    }
    noted_.add();
  }

  /// All lines, once there are so many.
  std::vector<std::string> lines(int count) {
    EXPECT_TRUE(noted_.wait(count));
    const std::lock_guard lock{mutex_};
    return lines_;
  }

  std::string status() {
    const auto next = viewer_->next_status();
    return next ? next->message : next.error().message;
  }

  std::mutex mutex_ = {};
  std::vector<std::string> lines_ = {};
  Count noted_;
  telelink::testing::Server server_ = {};
  telelink::Context context_ = {};
  // The session last: its callbacks use everything above.
  std::optional<telelink::testing::Viewer> viewer_ = std::nullopt;
  std::optional<Session> session_ = std::nullopt;
};

using Lines = std::vector<std::string>;

TEST_F(ClientPublish, Rows21To26AdvertisePublishUnadvertiseAndLeave) {
  start();
  // Row 22: a schema's name survives without data; base64 where the encoding is binary; none at all.
  ASSERT_TRUE(viewer_->send_json(
      R"({"op":"advertise","channels":[)"
      R"({"id":1,"topic":"/named","encoding":"json","schemaName":"S"},)"
      R"({"id":2,"topic":"/proto","encoding":"protobuf","schemaName":"P","schemaEncoding":"protobuf","schema":"AAEC"},)"
      R"({"id":3,"topic":"/bare","encoding":"json","schemaName":""}]})"));
  EXPECT_EQ(lines(3), (Lines{"+ operator /named json S  0", "+ operator /proto protobuf P protobuf 3",
                             "+ operator /bare json -"}));
  // S-167: in order.
  for (const char* message : {"one", "", "three"})
    ASSERT_TRUE(viewer_->publish(1, message));
  ASSERT_TRUE(viewer_->unadvertise(1));
  viewer_.reset();
  const auto all = lines(9);
  EXPECT_EQ(Lines(all.begin() + 3, all.end()), (Lines{"/named: one", "/named: ", "/named: three", "- operator /named",
                                                      "- operator /proto", "- operator /bare"}));
}

TEST_F(ClientPublish, P83TheTopicOfAChannelOfTheDeviceIsAnotherChannel) {
  telelink::ChannelOptions reliable;
  reliable.qos = telelink::Qos::reliable;
  const auto device = context_.channel("/shared", telelink::json(), reliable);
  ASSERT_TRUE(device);
  start();
  ASSERT_TRUE(viewer_->subscribe("/shared"));
  // The same number too: the ids of viewers are their own.
  const auto id = static_cast<std::uint32_t>(device->id());
  ASSERT_TRUE(viewer_->advertise(id, "/shared", "json"));
  ASSERT_TRUE(viewer_->publish(id, "from the viewer"));
  const auto payload = [&] {
    const auto message = viewer_->next_message();
    return message ? message->payload : message.error().message;
  };
  EXPECT_EQ(device->log("from the device"), telelink::Status::ok);
  EXPECT_EQ(payload(), "from the device") << "what the viewer published does not come back";
  ASSERT_TRUE(viewer_->unadvertise(id));
  EXPECT_EQ(device->log("still there"), telelink::Status::ok);
  EXPECT_EQ(payload(), "still there");
  EXPECT_EQ(lines(3), (Lines{"+ operator /shared json -", "/shared: from the viewer", "- operator /shared"}));
}

TEST_F(ClientPublish, Row27UnknownChannelsAndDuplicatesAreTold) {
  start();
  ASSERT_TRUE(
      viewer_->send_json(R"({"op":"advertise","channels":[{"id":7,"topic":"/a","encoding":"json","schemaName":""},)"
                         R"({"id":7,"topic":"/b","encoding":"json","schemaName":""},)"
                         R"({"id":8,"topic":"/c","encoding":"protobuf","schemaName":"S",)"
                         R"("schemaEncoding":"protobuf","schema":"***"}]})"));
  EXPECT_EQ(status(), "Client is already advertising channel: 7; ignoring advertisement");
  EXPECT_EQ(status().rfind("Failed to decode schema for channel 8: Schema data is not valid base64: ", 0), 0U);
  ASSERT_TRUE(viewer_->unadvertise(7));
  ASSERT_TRUE(viewer_->unadvertise(7));  // the second time says nothing
  (void)viewer_->publish(7, "late");
  EXPECT_EQ(status(), "Client has not advertised channel: 7");
  EXPECT_EQ(lines(2), (Lines{"+ operator /a json -", "- operator /a"}));
}

TEST_F(ClientPublish, Row28WithoutTheCapabilityNothingIsTaken) {
  start(telelink::Capabilities::none);
  ASSERT_TRUE(
      viewer_->send_json(R"({"op":"advertise","channels":[{"id":1,"topic":"/a","encoding":"json","schemaName":""}]})"));
  EXPECT_EQ(status(), "Server does not support clientPublish capability");
  EXPECT_EQ(noted_.get(), 0);
}

TEST_F(ClientPublish, S191ChannelsAreLimited) {
  start();
  std::string message = R"({"op":"advertise","channels":[)";
  for (int id = 0; id < 257; ++id) {
    message += (id == 0 ? "" : ",") + (R"({"id":)" + std::to_string(id)) +
               R"(,"topic":"/t","encoding":"json","schemaName":""})";
  }
  ASSERT_TRUE(viewer_->send_json(message + "]}"));
  EXPECT_EQ(status(), "1 channels were not accepted: at most 256 can be advertised at a time");
  EXPECT_EQ(lines(256).size(), 256U);
}

TEST_F(ClientPublish, AnAdvertisementOnlyIsCheckedByTheEncodingItNames) {
  start();
  ASSERT_TRUE(viewer_->advertise(1, "/any", "whatever"));  // S-192: supported encodings are information only
  EXPECT_EQ(lines(1), (Lines{"+ operator /any whatever -"}));
}

}  // namespace
