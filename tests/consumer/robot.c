/* A robot in C and its viewer over the in-memory room, with nothing but the installed package. */
#include <telelink/telelink.h>
#include <telelink/testing.h>

#include <stdio.h>
#include <string.h>

static int check(const char* what, telelink_status status) {
  if (status == TELELINK_STATUS_OK) return 0;
  fprintf(stderr, "%s: %s: %s\n", what, telelink_status_name(status), telelink_last_error_message());
  return 1;
}

static void on_status(void* context, telelink_connection_status status, telelink_status reason, telelink_str message) {
  (void)context;
  (void)message;
  printf("status %d, reason %s\n", (int)status, telelink_status_name(reason));
}

int main(void) {
  telelink_context* context = NULL;
  telelink_test_server* server = NULL;
  telelink_channel* battery = NULL;
  telelink_session* session = NULL;
  telelink_test_viewer* viewer = NULL;
  telelink_session_options options;
  telelink_session_callbacks callbacks;
  telelink_test_message message;
  int result = 0;

  result |= check("context", telelink_context_create(&context));
  result |= check("server", telelink_test_server_create(&server));
  result |= check("callbacks", telelink_session_callbacks_init(&callbacks, sizeof callbacks));
  result |= check("options", telelink_session_options_init(&options, sizeof options));
  result |= check("message", telelink_test_message_init(&message, sizeof message));
  callbacks.on_status = on_status;
  options.callbacks = &callbacks;
  options.url = telelink_test_server_url(server);
  result |=
      check("token", telelink_test_server_token(server, telelink_text("yard"), telelink_text("robot"), &options.token));
  result |= check("session", telelink_session_create(context, &options, &session));
  result |= check("channel", telelink_channel_create(context, telelink_text("/battery"), NULL, &battery));
  result |= check(
      "viewer", telelink_test_viewer_create(server, telelink_text("yard"), telelink_text("operator"), 10000, &viewer));
  result |= check("subscribe", telelink_test_viewer_subscribe(viewer, telelink_text("/battery"), 10000));
  result |= check("log", telelink_channel_log(battery, telelink_text_data("{}")));
  result |= check("next", telelink_test_viewer_next_message(viewer, 10000, &message));
  if (result == 0 && (message.payload.len != 2 || memcmp(message.payload.data, "{}", 2) != 0)) {
    fputs("another message came\n", stderr);
    result = 1;
  }
  result |= check("close", telelink_session_close(session, 10000));

  telelink_test_viewer_free(viewer);
  telelink_session_free(session);
  telelink_channel_free(battery);
  telelink_context_free(context);
  telelink_test_server_free(server);
  if (result == 0) puts("streamed");
  return result;
}
