// Who a viewer is, in every callback and by its number.
#include "support.hpp"

#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace {

using support::Count;
using telelink::ClientView;
using telelink::Session;
using telelink::Status;

/// Checks the viewer "operator" in each callback, and remembers in which it was.
class Door {
 public:
  void open(Session session) {
    session_.emplace(std::move(session));
    ready_.add();
  }

  const Session& session() const { return *session_; }

  void check(const char* where, ClientView client) {
    ASSERT_TRUE(ready_.wait());
    EXPECT_EQ(client.identity(), "operator") << where;
    EXPECT_GT(client.id(), 0U) << where;
    EXPECT_FALSE(client.sid().empty()) << where;
    EXPECT_GT(client.joined_at().time_since_epoch().count(), 0) << where;
    EXPECT_EQ(client.attribute("protocolVersion"), "2.3.0") << where;
    bool listed = false;
    for (const auto& [key, value] : client.attributes()) {
      EXPECT_EQ(client.attribute(key), value) << where;
      listed = listed || key == "protocolVersion";
    }
    EXPECT_TRUE(listed) << where;
    const auto found = session_->client(client.id());
    ASSERT_TRUE(found) << where << ": " << found.error().message;
    EXPECT_EQ(found->identity(), client.identity()) << where;
    EXPECT_EQ(found->sid(), client.sid()) << where;
    EXPECT_EQ(found->name(), client.name()) << where;
    EXPECT_EQ(found->joined_at(), client.joined_at()) << where;
    EXPECT_EQ(found->attributes(), client.attributes()) << where;
    EXPECT_EQ(found->attribute("none"), std::nullopt) << where;
    const std::lock_guard lock{mutex_};
    if (seen_.insert(where).second) checked_.add();
  }

  bool wait(int times) { return checked_.wait(times); }

 private:
  std::optional<Session> session_;
  std::mutex mutex_;
  std::set<std::string> seen_;
  Count ready_, checked_;
};

TEST(Client, IsKnownInEveryCallbackAndByItsNumber) {
  telelink::testing::Server server;
  telelink::Context context;
  Door door;
  auto options = support::robot(server);
  options.capabilities = telelink::Capabilities::client_publish | telelink::Capabilities::connection_graph;
  options.supported_encodings = {"json"};
  auto& on = options.callbacks;
  on.on_subscribe = [&](ClientView client, telelink::ChannelView) { door.check("subscribe", client); };
  on.on_unsubscribe = [&](ClientView client, telelink::ChannelView) { door.check("unsubscribe", client); };
  on.on_client_advertise = [&](ClientView client, telelink::ClientChannelView) { door.check("advertise", client); };
  on.on_client_unadvertise = [&](ClientView client, telelink::ClientChannelView) { door.check("unadvertise", client); };
  on.on_message = [&](ClientView client, telelink::ClientChannelView, const telelink::ClientMessage&) {
    door.check("message", client);
  };
  on.on_connection_graph_subscribe = [&](ClientView client) { door.check("graph subscribe", client); };
  on.on_connection_graph_unsubscribe = [&](ClientView client) { door.check("graph unsubscribe", client); };
  options.services.push_back(
      telelink::Service{"/ask", "", [&](const telelink::ServiceRequest& request, telelink::ServiceResponder responder) {
                          door.check("service", request.client);
                          responder.respond("{}");
                        }});
  auto battery = context.channel("/battery", telelink::json());
  auto started = Session::start(context, std::move(options));
  ASSERT_TRUE(started) << started.error().message;
  door.open(std::move(*started));
  auto viewer = server.viewer("yard", "operator");
  ASSERT_TRUE(viewer);
  ASSERT_TRUE(viewer->subscribe("/battery"));
  ASSERT_TRUE(viewer->unsubscribe("/battery"));
  ASSERT_TRUE(viewer->advertise(1, "/drive"));
  ASSERT_TRUE(viewer->publish(1, "{}"));
  ASSERT_TRUE(viewer->unadvertise(1));
  ASSERT_TRUE(viewer->send_json(R"({"op":"subscribeConnectionGraph"})"));
  ASSERT_TRUE(viewer->send_json(R"({"op":"unsubscribeConnectionGraph"})"));
  ASSERT_TRUE(viewer->call("/ask", "json", "{}"));
  EXPECT_TRUE(door.wait(8)) << "in all eight";
  EXPECT_TRUE(door.session().close());
}

}  // namespace
