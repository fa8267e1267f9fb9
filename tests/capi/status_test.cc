// Status numbers, their names, and the message of the last failure.
#include <telelink/telelink.h>

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <thread>

namespace {

TEST(StatusName, KnowsEveryValueAndNoOther) {
  struct Named {
    telelink_status value;
    const char* name;
  };
  const Named all[] = {
      {TELELINK_STATUS_OK, "OK"},
      {TELELINK_STATUS_NULL_ARGUMENT, "NULL_ARGUMENT"},
      {TELELINK_STATUS_INVALID_UTF8, "INVALID_UTF8"},
      {TELELINK_STATUS_INVALID_VALUE, "INVALID_VALUE"},
      {TELELINK_STATUS_STRUCT_SIZE, "STRUCT_SIZE"},
      {TELELINK_STATUS_DUPLICATE, "DUPLICATE"},
      {TELELINK_STATUS_NOT_FOUND, "NOT_FOUND"},
      {TELELINK_STATUS_NOT_SUPPORTED, "NOT_SUPPORTED"},
      {TELELINK_STATUS_CLOSED, "CLOSED"},
      {TELELINK_STATUS_ALREADY_RESPONDED, "ALREADY_RESPONDED"},
      {TELELINK_STATUS_TIMEOUT, "TIMEOUT"},
      {TELELINK_STATUS_CONNECT_FAILED, "CONNECT_FAILED"},
      {TELELINK_STATUS_UNAUTHORIZED, "UNAUTHORIZED"},
      {TELELINK_STATUS_LIBRARY_MISSING, "LIBRARY_MISSING"},
      {TELELINK_STATUS_IO, "IO"},
      {TELELINK_STATUS_DUPLICATE_IDENTITY, "DUPLICATE_IDENTITY"},
      {TELELINK_STATUS_REMOVED, "REMOVED"},
      {TELELINK_STATUS_IDLE, "IDLE"},
      {TELELINK_STATUS_UNSUPPORTED_VERSION, "UNSUPPORTED_VERSION"},
      {TELELINK_STATUS_INTERNAL, "INTERNAL"},
      {TELELINK_STATUS_PANIC, "PANIC"},
  };
  int known = 0;
  for (std::int32_t value = -10; value < 1000; ++value) {
    const std::string name = telelink_status_name(value);
    if (name != "UNKNOWN") ++known;
    for (const auto& named : all) {
      if (static_cast<std::int32_t>(named.value) == value) {
        EXPECT_EQ(name, named.name);
      }
    }
  }
  EXPECT_EQ(known, static_cast<int>(std::size(all)));
}

// S-9.
TEST(ConnectionStatusName, KnowsEveryValueAndNoOther) {
  EXPECT_STREQ(telelink_connection_status_name(TELELINK_CONNECTION_STATUS_CONNECTING), "connecting");
  EXPECT_STREQ(telelink_connection_status_name(TELELINK_CONNECTION_STATUS_CONNECTED), "connected");
  EXPECT_STREQ(telelink_connection_status_name(TELELINK_CONNECTION_STATUS_SHUTTING_DOWN), "shutting down");
  EXPECT_STREQ(telelink_connection_status_name(TELELINK_CONNECTION_STATUS_SHUTDOWN), "shutdown");
  for (const std::int32_t value : {-1, 4, 1000}) {
    EXPECT_STREQ(telelink_connection_status_name(value), "unknown") << value;
  }
}

TEST(LastError, IsEmptyOnAFreshThreadAndNamesTheArgumentAfterAFailure) {
  std::thread([] {
    EXPECT_STREQ(telelink_last_error_message(), "");
    EXPECT_EQ(telelink_context_create(nullptr), TELELINK_STATUS_NULL_ARGUMENT);
    EXPECT_STREQ(telelink_last_error_message(), "out is NULL");
  }).join();
}

TEST(LastError, IsLeftAloneBySuccessAndByOtherThreads) {
  ASSERT_EQ(telelink_channel_close(nullptr), TELELINK_STATUS_NULL_ARGUMENT);
  ASSERT_STREQ(telelink_last_error_message(), "channel is NULL");

  telelink_context* context = nullptr;
  ASSERT_EQ(telelink_context_create(&context), TELELINK_STATUS_OK);
  std::thread([] { EXPECT_EQ(telelink_session_close(nullptr, 0), TELELINK_STATUS_NULL_ARGUMENT); }).join();
  EXPECT_STREQ(telelink_last_error_message(), "channel is NULL");
  telelink_context_free(context);
}

TEST(Version, HeaderAndLibraryAgree) {
  EXPECT_EQ(telelink_abi_version(), static_cast<std::uint32_t>(TELELINK_ABI_VERSION));
  const std::string version = std::to_string(TELELINK_VERSION_MAJOR) + "." + std::to_string(TELELINK_VERSION_MINOR) +
                              "." + std::to_string(TELELINK_VERSION_PATCH);
  EXPECT_EQ(telelink_version(), version);
}

TEST(Now, IsAfter2020) {
  EXPECT_GT(telelink_now_ns(), 1'577'836'800'000'000'000ULL);
}

}  // namespace
