/* What telelink_channel_log() costs a C program, against the shared library: prints one line of JSON, ns per call.
 *
 * "nobody": no subscriber. "reliable/1": one reliable subscriber on the in-memory room, bursts that its queue holds, so
 * the writer is awake but for the first message. Medians over the bursts. SMOKE=1 makes it short. */

#define _POSIX_C_SOURCE 199309L

#include <telelink/telelink.h>
#include <telelink/testing.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BURST = 2000, SIZE = 100, TIMEOUT_MS = 20000 };

static telelink_str text(const char* s) {
  telelink_str view = {s, strlen(s)};
  return view;
}

static void check(telelink_status status, const char* what) {
  if (status != TELELINK_STATUS_OK) {
    fprintf(stderr, "%s: %s\n", what, telelink_last_error_message());
    exit(1);
  }
}

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int order(const void* a, const void* b) {
  double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

static double median(double* values, size_t count) {
  qsort(values, count, sizeof *values, order);
  return values[count / 2];
}

/* One burst; ns per call. */
static double burst(const telelink_channel* channel, int calls) {
  static char payload[SIZE];
  telelink_bytes bytes = {(const void*)payload, sizeof payload};
  double start = now_ns();
  for (int i = 0; i < calls; i++) {
    telelink_channel_log(channel, bytes);
  }
  return (now_ns() - start) / calls;
}

int main(void) {
  const char* smoke = getenv("SMOKE");
  size_t rounds = smoke != NULL && strcmp(smoke, "1") == 0 ? 5 : 101;
  double* costs = calloc(rounds, sizeof *costs);
  if (costs == NULL) {
    return 1;
  }

  telelink_context* context = NULL;
  telelink_channel* channel = NULL;
  telelink_channel_options options;
  check(telelink_context_create(&context), "context");
  check(telelink_channel_options_init(&options, sizeof options), "options");
  options.qos = TELELINK_QOS_RELIABLE;
  check(telelink_channel_create(context, text("/bench"), &options, &channel), "channel");
  for (size_t i = 0; i < rounds; i++) {
    costs[i] = burst(channel, 200000);
  }
  double nobody = median(costs, rounds);

  telelink_test_server* server = NULL;
  telelink_test_viewer* viewer = NULL;
  telelink_session* session = NULL;
  telelink_session_options session_options;
  check(telelink_test_server_create(&server), "server");
  check(telelink_session_options_init(&session_options, sizeof session_options), "session options");
  session_options.url = telelink_test_server_url(server);
  check(telelink_test_server_token(server, text("bench"), text("robot"), &session_options.token), "token");
  check(telelink_session_create(context, &session_options, &session), "session");
  check(telelink_test_viewer_create(server, text("bench"), text("viewer"), TIMEOUT_MS, &viewer), "viewer");
  check(telelink_test_viewer_subscribe(viewer, text("/bench"), TIMEOUT_MS), "subscribe");
  for (size_t i = 0; i < rounds; i++) {
    costs[i] = burst(channel, BURST);
    for (int k = 0; k < BURST; k++) {
      telelink_test_message message;
      check(telelink_test_message_init(&message, sizeof message), "message");
      check(telelink_test_viewer_next_message(viewer, TIMEOUT_MS, &message), "next message");
    }
  }
  printf("{\"nobody/100B\": %.2f, \"reliable/1/100B\": %.2f}\n", nobody, median(costs, rounds));

  telelink_test_viewer_free(viewer);
  telelink_session_free(session);
  telelink_test_server_free(server);
  telelink_channel_free(channel);
  telelink_context_free(context);
  free(costs);
  return 0;
}
