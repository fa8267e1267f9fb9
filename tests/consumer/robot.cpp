// A robot and its viewer over the in-memory room, with nothing but the installed package.
#include <telelink/telelink.hpp>
#include <telelink/testing.hpp>

#include <cstdio>
#include <string>
#include <utility>

telelink::Status log_elsewhere(const telelink::Channel& channel);

static int failed(const char* what, const telelink::Error& error) {
  std::fprintf(stderr, "%s: %s\n", what, error.message.c_str());
  return 1;
}

int main() {
  const telelink::testing::Server server;
  const telelink::Context context;
  telelink::SessionOptions options;
  options.url = server.url();
  options.token = server.token("yard", "robot");
  options.name = "consumer";
  options.supported_encodings = {"json"};
  options.services.push_back(
      telelink::Service{"/echo", "", [](const telelink::ServiceRequest& request, telelink::ServiceResponder responder) {
                          responder.respond(request.payload);
                        }});
  auto session = telelink::Session::start(context, std::move(options));
  if (!session) return failed("start", session.error());

  const auto battery = context.channel("/battery", telelink::json_schema("Battery", R"({"type":"object"})"));
  if (!battery) return failed("channel", battery.error());

  const auto viewer = server.viewer("yard", "operator");
  if (!viewer) return failed("viewer", viewer.error());
  if (const auto done = viewer->subscribe("/battery"); !done) return failed("subscribe", done.error());
  battery->log("1");
  log_elsewhere(*battery);
  for (const char* expected : {"1", "2"}) {
    const auto message = viewer->next_message();
    if (!message) return failed("message", message.error());
    if (message->payload != expected) {
      std::fprintf(stderr, "got %s instead of %s\n", message->payload.c_str(), expected);
      return 1;
    }
  }
  const auto answer = viewer->call("/echo", "json", "[3]");
  if (!answer) return failed("call", answer.error());
  if (answer->failed || answer->payload != "[3]")
    return failed("answer", {telelink::Status::internal, answer->message});
  if (const auto closed = session->close(); !closed) return failed("close", closed.error());
  std::puts("streamed");
  return 0;
}
