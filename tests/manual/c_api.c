/* The program of docs/c-api.md and the README. Compiled and linked, not run: it needs a server. */
#include <telelink/telelink.h>

#include <stdio.h>
#include <unistd.h>

int main(void) {
  telelink_context* context = NULL;
  telelink_channel* battery = NULL;
  telelink_session* session = NULL;

  telelink_channel_options json;
  telelink_channel_options_init(&json, sizeof json);
  json.encoding = telelink_text("json");

  telelink_session_options options;
  telelink_session_options_init(&options, sizeof options);
  options.url = telelink_text("ws://127.0.0.1:7880");
  options.token = telelink_text("a token");

  int failed = 0;
  if (telelink_context_create(&context) != TELELINK_STATUS_OK ||
      telelink_channel_create(context, telelink_text("/battery"), &json, &battery) != TELELINK_STATUS_OK ||
      telelink_session_create(context, &options, &session) != TELELINK_STATUS_OK) {
    fprintf(stderr, "%s\n", telelink_last_error_message());
    failed = 1;
  }
  for (int second = 0; !failed && second < 3600; ++second) { /* viewers come when they like */
    telelink_channel_log(battery, telelink_text_data("{\"percent\": 81}"));
    sleep(1);
  }

  telelink_session_free(session); /* leaves the room and waits for it */
  telelink_channel_free(battery);
  telelink_context_free(context);
  return failed;
}
