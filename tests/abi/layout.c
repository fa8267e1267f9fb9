/* The checks of layout.h as C11, and a program that calls the library from C. */
#include "layout.h"

#include <string.h>

int main(void) {
  telelink_context* context = NULL;
  telelink_channel* channel = NULL;
  if (telelink_abi_version() != TELELINK_ABI_VERSION) return 1;
  if (telelink_context_create(&context) != TELELINK_STATUS_OK) return 2;
  if (telelink_channel_create(context, telelink_text("/battery"), NULL, &channel) != TELELINK_STATUS_OK) return 3;
  if (telelink_channel_log(channel, telelink_text_data("{}")) != TELELINK_STATUS_OK) return 4;
  if (strcmp(telelink_status_name(telelink_channel_close(NULL)), "NULL_ARGUMENT") != 0) return 5;
  telelink_channel_free(channel);
  telelink_context_free(context);
  return 0;
}
