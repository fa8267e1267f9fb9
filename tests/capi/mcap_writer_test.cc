// Recording to an MCAP file, through C. What is in the files is tested in Rust (src/mcap/tests.rs, tests/mcap.rs).
#include "support.hpp"

#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>
#include <vector>

namespace {

using support::Event;
using support::text;
using support::wait_ms;

/// A file name that goes with the test.
class File {
 public:
  File() {
    static int next = 0;
    path =
        ::testing::TempDir() + "telelink_capi_" + std::to_string(::getpid()) + "_" + std::to_string(next++) + ".mcap";
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { std::remove(path.c_str()); }

  std::string content() const {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
  }

  std::string path;
};

constexpr std::string_view magic{"\x89MCAP0\r\n", 8};

/// What the callbacks were told.
struct WriterTold {
  Event filtered, failed, dropped;
  telelink_status status = TELELINK_STATUS_OK;
  std::string message;
  telelink_mcap_writer* writer = nullptr;  ///< freed by on_error, if it is set
};

class McapWriter : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(telelink_context_create(&context), TELELINK_STATUS_OK);
    ASSERT_EQ(telelink_channel_create(context, text("/a"), nullptr, &channel), TELELINK_STATUS_OK);
    ASSERT_EQ(telelink_mcap_writer_options_init(&options, sizeof options), TELELINK_STATUS_OK);
    ASSERT_EQ(telelink_mcap_writer_callbacks_init(&callbacks, sizeof callbacks), TELELINK_STATUS_OK);
    options.path = text(file.path);
    callbacks.context = &told;
    callbacks.drop = [](void* self) { static_cast<WriterTold*>(self)->dropped.set(); };
  }

  void TearDown() override {
    telelink_mcap_writer_free(writer);
    telelink_channel_free(channel);
    telelink_context_free(context);
  }

  void start() {
    options.callbacks = &callbacks;
    ASSERT_EQ(telelink_mcap_writer_create(context, &options, &writer), TELELINK_STATUS_OK)
        << telelink_last_error_message();
  }

  void log(std::string_view payload) {
    EXPECT_EQ(telelink_channel_log(channel, telelink_text_data_n(payload)), TELELINK_STATUS_OK);
  }

  static telelink_bytes telelink_text_data_n(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  }

  telelink_mcap_writer_stats stats() {
    telelink_mcap_writer_stats stats;
    EXPECT_EQ(telelink_mcap_writer_stats_init(&stats, sizeof stats), TELELINK_STATUS_OK);
    EXPECT_EQ(telelink_mcap_writer_stats_read(writer, &stats), TELELINK_STATUS_OK);
    return stats;
  }

  File file;
  WriterTold told;
  telelink_context* context = nullptr;
  telelink_channel* channel = nullptr;
  telelink_mcap_writer* writer = nullptr;
  telelink_mcap_writer_options options;
  telelink_mcap_writer_callbacks callbacks;
};

TEST_F(McapWriter, RecordsAndFinishesTheFile) {
  options.compression = TELELINK_MCAP_COMPRESSION_NONE;
  options.library = text("capi test");
  options.profile = text("ros2");
  start();
  EXPECT_TRUE(telelink_channel_is_wanted(channel));
  EXPECT_EQ(telelink_mcap_writer_status(writer), TELELINK_MCAP_STATUS_RECORDING);
  log("first payload");
  ASSERT_EQ(telelink_mcap_writer_flush(writer, wait_ms), TELELINK_STATUS_OK) << telelink_last_error_message();
  EXPECT_NE(file.content().find("first payload"), std::string::npos) << "a flushed chunk is in the file";
  EXPECT_EQ(stats().written_messages, 1U);
  log("second payload");
  ASSERT_EQ(telelink_mcap_writer_close(writer, wait_ms), TELELINK_STATUS_OK) << telelink_last_error_message();
  EXPECT_EQ(telelink_mcap_writer_close(writer, wait_ms), TELELINK_STATUS_OK) << "closing again waits again";
  EXPECT_EQ(telelink_mcap_writer_status(writer), TELELINK_MCAP_STATUS_CLOSED);
  EXPECT_EQ(telelink_mcap_writer_last_error(writer), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_mcap_writer_flush(writer, wait_ms), TELELINK_STATUS_CLOSED);
  EXPECT_FALSE(telelink_channel_is_wanted(channel));
  log("too late");

  const std::string content = file.content();
  EXPECT_EQ(content.substr(0, magic.size()), magic);
  EXPECT_EQ(content.substr(content.size() - magic.size()), magic);
  for (const auto* part : {"ros2", "capi test", "second payload", "/a"}) {
    EXPECT_NE(content.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(content.find("too late"), std::string::npos);
  const auto figures = stats();
  EXPECT_EQ(figures.messages, 2U);
  EXPECT_EQ(figures.written_messages, 2U);
  EXPECT_EQ(figures.bytes, std::strlen("first payloadsecond payload"));
  EXPECT_EQ(figures.dropped_messages, 0U);
  EXPECT_EQ(figures.channels, 1U);
  EXPECT_EQ(figures.chunks, 2U);
  EXPECT_EQ(figures.file_bytes, content.size());
  telelink_mcap_channel_stats of_channel;
  ASSERT_EQ(telelink_mcap_channel_stats_init(&of_channel, sizeof of_channel), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_mcap_writer_channel_stats(writer, channel, &of_channel), TELELINK_STATUS_OK);
  EXPECT_EQ(of_channel.messages, 2U);
}

TEST_F(McapWriter, FreeFinishesTheFileAndDropsTheCallbacks) {
  start();
  log("x");
  telelink_mcap_writer_free(writer);
  writer = nullptr;
  EXPECT_EQ(told.dropped.count(), 1);
  const std::string content = file.content();
  ASSERT_GT(content.size(), magic.size());
  EXPECT_EQ(content.substr(content.size() - magic.size()), magic);
}

TEST_F(McapWriter, RefusesWhatCannotWorkAndStillDropsTheCallbacks) {
  const auto refused = [this](telelink_status status, const std::string& message) {
    options.callbacks = &callbacks;
    const int before = told.dropped.count();
    EXPECT_EQ(telelink_mcap_writer_create(context, &options, &writer), status);
    EXPECT_NE(std::string{telelink_last_error_message()}.find(message), std::string::npos)
        << telelink_last_error_message();
    EXPECT_EQ(told.dropped.count(), before + 1);
    EXPECT_EQ(writer, nullptr);
    ASSERT_EQ(telelink_mcap_writer_options_init(&options, sizeof options), TELELINK_STATUS_OK);
    options.path = text(file.path);
  };
  options.path = {nullptr, 0};
  refused(TELELINK_STATUS_INVALID_VALUE, "path is empty");
  options.path = text("/nowhere/at/all.mcap");
  refused(TELELINK_STATUS_IO, "/nowhere/at/all.mcap");
  options.path = text("\xff");
  refused(TELELINK_STATUS_INVALID_UTF8, "options.path");
  options.compression = 3;
  refused(TELELINK_STATUS_INVALID_VALUE, "options.compression is 3, which is no telelink_mcap_compression");
  options.sync = -1;
  refused(TELELINK_STATUS_INVALID_VALUE, "options.sync is -1, which is no telelink_mcap_sync");
  options.chunk_size = 1;
  refused(TELELINK_STATUS_INVALID_VALUE, "chunk_size");
  options.chunk_duration_ms = 0;
  refused(TELELINK_STATUS_INVALID_VALUE, "chunk_duration");
  options.queue_messages = 0;
  refused(TELELINK_STATUS_INVALID_VALUE, "queue_messages");
  options.queue_bytes = 0;
  refused(TELELINK_STATUS_INVALID_VALUE, "queue_bytes");
  options.path = text("/dev/full");
  options.overwrite = 1;
  refused(TELELINK_STATUS_IO, "/dev/full");
  std::ofstream{file.path} << "precious";
  refused(TELELINK_STATUS_DUPLICATE, file.path);
  EXPECT_EQ(file.content(), "precious");
  options.overwrite = 1;
  start();
}

TEST_F(McapWriter, TheFilterIsAskedOncePerChannel) {
  callbacks.channel_filter = [](void* self, const telelink_channel_info* info) {
    static_cast<WriterTold*>(self)->filtered.set();
    return support::string(telelink_channel_info_topic(info)) != "/secret";
  };
  start();
  telelink_channel* secret = nullptr;
  ASSERT_EQ(telelink_channel_create(context, text("/secret"), nullptr, &secret), TELELINK_STATUS_OK);
  EXPECT_EQ(told.filtered.count(), 2);
  EXPECT_FALSE(telelink_channel_is_wanted(secret));
  telelink_mcap_channel_stats of_channel;
  ASSERT_EQ(telelink_mcap_channel_stats_init(&of_channel, sizeof of_channel), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_mcap_writer_channel_stats(writer, secret, &of_channel), TELELINK_STATUS_NOT_FOUND);
  EXPECT_STREQ(telelink_last_error_message(), "the channel /secret is not recorded");
  telelink_channel_free(secret);
}

/// Makes the recording fail: a pipe whose reader has gone.
class BrokenMcapWriter : public McapWriter {
 protected:
  void SetUp() override {
    McapWriter::SetUp();
    ASSERT_EQ(::pipe(ends), 0);
    path = "/proc/self/fd/" + std::to_string(ends[1]);
    options.path = text(path);
    options.overwrite = 1;
    callbacks.on_error = [](void* self, telelink_status status, telelink_str message) {
      auto& heard = *static_cast<WriterTold*>(self);
      heard.status = status;
      heard.message = support::string(message);
      telelink_mcap_writer_free(heard.writer);
      heard.failed.set();
    };
    std::signal(SIGPIPE, SIG_IGN);
  }

  void TearDown() override {
    ::close(ends[1]);
    McapWriter::TearDown();
  }

  void fail() {
    ::close(ends[0]);
    log("into the void");
  }

  int ends[2] = {};
  std::string path;
};

TEST_F(BrokenMcapWriter, TellsTheErrorAndTheRobotGoesOn) {
  start();
  fail();
  EXPECT_EQ(telelink_mcap_writer_flush(writer, wait_ms), TELELINK_STATUS_IO);
  ASSERT_TRUE(told.failed.wait());
  EXPECT_EQ(told.status, TELELINK_STATUS_IO);
  EXPECT_NE(told.message.find(path), std::string::npos) << told.message;
  EXPECT_EQ(telelink_mcap_writer_status(writer), TELELINK_MCAP_STATUS_FAILED);
  EXPECT_EQ(telelink_mcap_writer_last_error(writer), TELELINK_STATUS_IO);
  EXPECT_EQ(telelink_last_error_message(), told.message);
  log("nobody takes it, and nothing is wrong with that");
  EXPECT_EQ(telelink_mcap_writer_close(writer, wait_ms), TELELINK_STATUS_IO);
  EXPECT_FALSE(telelink_channel_is_wanted(channel));
  EXPECT_EQ(told.failed.count(), 1);
}

TEST_F(BrokenMcapWriter, MayBeFreedByItsOwnCallback) {
  start();
  told.writer = writer;
  writer = nullptr;
  fail();
  ASSERT_TRUE(told.failed.wait());
  EXPECT_TRUE(told.dropped.wait()) << "drop marks the end";
}

TEST_F(McapWriter, OneLogFeedsViewersAndTheFile) {
  support::Robot robot;
  robot.start();
  telelink_channel_options reliable;
  ASSERT_EQ(telelink_channel_options_init(&reliable, sizeof reliable), TELELINK_STATUS_OK);
  reliable.encoding = text("json");
  reliable.qos = TELELINK_QOS_RELIABLE;
  telelink_channel* both = nullptr;
  ASSERT_EQ(telelink_channel_create(robot.context, text("/both"), &reliable, &both), TELELINK_STATUS_OK);
  options.compression = TELELINK_MCAP_COMPRESSION_NONE;
  ASSERT_EQ(telelink_mcap_writer_create(robot.context, &options, &writer), TELELINK_STATUS_OK);
  robot.join();
  ASSERT_EQ(telelink_test_viewer_subscribe(robot.viewer, text("/both"), wait_ms), TELELINK_STATUS_OK)
      << telelink_last_error_message();
  ASSERT_EQ(telelink_channel_log(both, telelink_text_data_n("for both of them")), TELELINK_STATUS_OK);
  telelink_test_message message;
  ASSERT_EQ(telelink_test_message_init(&message, sizeof message), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_test_viewer_next_message(robot.viewer, wait_ms, &message), TELELINK_STATUS_OK)
      << telelink_last_error_message();
  ASSERT_EQ(telelink_mcap_writer_flush(writer, wait_ms), TELELINK_STATUS_OK);
  EXPECT_NE(file.content().find("for both of them"), std::string::npos);
  telelink_channel_free(both);
}

}  // namespace
