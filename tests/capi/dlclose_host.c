/* A program that loads the library by itself, and lets go of it while a session lives: dlclose_host LIBRARY. */
#define _POSIX_C_SOURCE 200809L
#include <telelink/telelink.h>
#include <telelink/testing.h>

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MUST(good)                                                       \
  do {                                                                   \
    if (!(good)) {                                                       \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #good); \
      exit(1);                                                           \
    }                                                                    \
  } while (0)

/* All that this program uses, found by name. */
#define FUNCTIONS(DO)                 \
  DO(telelink_context_create)         \
  DO(telelink_context_free)           \
  DO(telelink_channel_create)         \
  DO(telelink_channel_log)            \
  DO(telelink_channel_free)           \
  DO(telelink_session_options_init)   \
  DO(telelink_session_callbacks_init) \
  DO(telelink_session_create)         \
  DO(telelink_session_close)          \
  DO(telelink_session_free)           \
  DO(telelink_test_server_create)     \
  DO(telelink_test_server_url)        \
  DO(telelink_test_server_token)      \
  DO(telelink_test_server_disconnect) \
  DO(telelink_test_server_free)

#define DECLARE(name) static __typeof__(&name) p_##name;
FUNCTIONS(DECLARE)

static void* load(const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) fprintf(stderr, "%s\n", dlerror());
  MUST(library != NULL);
  /* The standard has no conversion from an object's pointer to a function's; POSIX has this one. */
#define FIND(name)                           \
  {                                          \
    void* found = dlsym(library, #name);     \
    MUST(found != NULL);                     \
    memcpy(&p_##name, &found, sizeof found); \
  }
  FUNCTIONS(FIND)
  return library;
}

static atomic_int connected, dropped;

static void on_status(void* context, telelink_connection_status status, telelink_status reason, telelink_str message) {
  (void)context, (void)reason, (void)message;
  if (status == TELELINK_CONNECTION_STATUS_CONNECTED) atomic_fetch_add(&connected, 1);
}

static void on_drop(void* context) {
  (void)context;
  atomic_fetch_add(&dropped, 1);
}

static void wait_for(atomic_int* count, int times) {
  const struct timespec pause = {0, 1000000};
  for (int tries = 0; atomic_load(count) < times; ++tries) {
    MUST(tries < 20000);
    nanosleep(&pause, NULL);
  }
}

static telelink_str text(const char* word) {
  telelink_str str = {word, strlen(word)};
  return str;
}

int main(int argc, char** argv) {
  MUST(argc == 2);
  for (int round = 1; round <= 2; ++round) {
    void* library = load(argv[1]);
    telelink_context* context = NULL;
    telelink_channel* channel = NULL;
    telelink_session* session = NULL;
    telelink_test_server* server = NULL;
    telelink_session_callbacks callbacks;
    telelink_session_options options;
    MUST(p_telelink_context_create(&context) == TELELINK_STATUS_OK);
    MUST(p_telelink_test_server_create(&server) == TELELINK_STATUS_OK);
    MUST(p_telelink_session_callbacks_init(&callbacks, sizeof callbacks) == TELELINK_STATUS_OK);
    MUST(p_telelink_session_options_init(&options, sizeof options) == TELELINK_STATUS_OK);
    callbacks.on_status = on_status;
    callbacks.drop = on_drop;
    options.callbacks = &callbacks;
    options.url = p_telelink_test_server_url(server);
    MUST(p_telelink_test_server_token(server, text("yard"), text("robot"), &options.token) == TELELINK_STATUS_OK);
    MUST(p_telelink_session_create(context, &options, &session) == TELELINK_STATUS_OK);
    MUST(p_telelink_channel_create(context, text("/a"), NULL, &channel) == TELELINK_STATUS_OK);
    wait_for(&connected, 2 * round - 1);

    /* Its threads run on, so the code under them stays where it is. */
    MUST(dlclose(library) == 0);
    void* still = dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD);
    MUST(still != NULL);
    MUST(dlclose(still) == 0);
    /* Joins again: the owner, the gateway and the callback thread are at work. */
    MUST(p_telelink_test_server_disconnect(server, text("robot")) == TELELINK_STATUS_OK);
    wait_for(&connected, 2 * round);
    telelink_bytes payload = {(const unsigned char*)"1", 1};
    MUST(p_telelink_channel_log(channel, payload) == TELELINK_STATUS_OK);
    MUST(p_telelink_session_close(session, 20000) == TELELINK_STATUS_OK);
    p_telelink_session_free(session);
    MUST(atomic_load(&dropped) == round);
    p_telelink_channel_free(channel);
    p_telelink_test_server_free(server);
    p_telelink_context_free(context);
  }
  return 0;
}
