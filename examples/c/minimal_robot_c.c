/* Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
 *
 * The smallest robot, in C: one channel, one message per second.
 *
 *   LIVEKIT_URL=ws://127.0.0.1:7880 LIVEKIT_TOKEN=... minimal_robot_c
 */
#define _POSIX_C_SOURCE 200809L

#include <telelink/telelink.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static volatile sig_atomic_t running = 1;

static void stop(int signal_number) {
  (void)signal_number;
  running = 0;
}

static int failed(const char* what) {
  fprintf(stderr, "minimal_robot_c: %s: %s\n", what, telelink_last_error_message());
  return EXIT_FAILURE;
}

static int run(const telelink_context* context, telelink_channel** channel, telelink_session** session) {
  telelink_channel_options channel_options;
  telelink_channel_options_init(&channel_options, sizeof channel_options);
  channel_options.encoding = telelink_text("json");
  if (telelink_channel_create(context, telelink_text("/uptime"), &channel_options, channel) != TELELINK_STATUS_OK) {
    return failed("the channel");
  }

  telelink_session_options options;
  telelink_session_options_init(&options, sizeof options);
  options.name = telelink_text("minimal robot");
  options.url = telelink_text(getenv("LIVEKIT_URL"));
  options.token = telelink_text(getenv("LIVEKIT_TOKEN"));
  if (telelink_session_create(context, &options, session) != TELELINK_STATUS_OK) {
    return failed("the session");
  }

  const struct timespec second = {1, 0};
  for (int seconds = 0; running; ++seconds) {
    char message[64];
    const int length = snprintf(message, sizeof message, "{\"seconds\": %d}", seconds);
    telelink_channel_log(*channel, telelink_data(message, (size_t)length));
    nanosleep(&second, NULL); /* a signal ends it early */
  }
  return EXIT_SUCCESS;
}

int main(void) {
  signal(SIGINT, stop);
  signal(SIGTERM, stop);

  telelink_context* context = NULL;
  if (telelink_context_create(&context) != TELELINK_STATUS_OK) {
    return failed("the context");
  }
  telelink_channel* channel = NULL;
  telelink_session* session = NULL;
  const int result = run(context, &channel, &session);
  telelink_session_free(session); /* leaves the room and waits for it */
  telelink_channel_free(channel);
  telelink_context_free(context);
  return result;
}
