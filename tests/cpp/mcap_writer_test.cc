// McapWriter of the C++ wrapper. What is in the files is tested in Rust (src/mcap/tests.rs, tests/mcap.rs).
#include "support.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace {

using support::Count;
using telelink::Context;
using telelink::Error;
using telelink::McapCompression;
using telelink::McapStatus;
using telelink::McapWriter;
using telelink::McapWriterOptions;
using telelink::Status;

class McapWriterTest : public ::testing::Test {
 protected:
  ~McapWriterTest() override { std::remove(path.c_str()); }

  McapWriterOptions options() const {
    McapWriterOptions options;
    options.path = path;
    options.compression = McapCompression::none;
    return options;
  }

  std::string content() const {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
  }

  bool is_finished() const {
    constexpr std::string_view magic{"\x89MCAP0\r\n", 8};
    const std::string file = content();
    return file.size() > magic.size() && file.compare(file.size() - magic.size(), magic.size(), magic) == 0;
  }

  Context context;
  std::string path = ::testing::TempDir() + "telelink_cpp_" + std::to_string(::getpid()) + "_" +
                     ::testing::UnitTest::GetInstance()->current_test_info()->name() + ".mcap";
};

TEST_F(McapWriterTest, RecordsWhatIsLogged) {
  auto writer = McapWriter::start(context, options());
  ASSERT_TRUE(writer) << writer.error().message;
  const auto channel = context.channel("/battery", telelink::json());
  ASSERT_TRUE(channel);
  EXPECT_TRUE(channel->is_wanted());
  EXPECT_EQ(channel->log("first"), Status::ok);
  const auto flushed = writer->flush();
  ASSERT_TRUE(flushed) << flushed.error().message;
  EXPECT_NE(content().find("first"), std::string::npos);
  EXPECT_EQ(channel->log("second"), Status::ok);
  const auto closed = writer->close();
  ASSERT_TRUE(closed) << closed.error().message;
  EXPECT_TRUE(is_finished());
  EXPECT_NE(content().find("second"), std::string::npos);
  EXPECT_EQ(writer->status(), McapStatus::closed);
  EXPECT_EQ(writer->last_error(), std::nullopt);
  const auto stats = writer->stats();
  ASSERT_TRUE(stats);
  EXPECT_EQ(stats->messages, 2U);
  EXPECT_EQ(stats->written_messages, 2U);
  EXPECT_EQ(stats->bytes, 11U);
  EXPECT_EQ(stats->channels, 1U);
  EXPECT_EQ(stats->file_bytes, content().size());
  const auto of_channel = writer->stats(*channel);
  ASSERT_TRUE(of_channel);
  EXPECT_EQ(of_channel->messages, 2U);
  EXPECT_EQ(of_channel->bytes, 11U);
}

TEST_F(McapWriterTest, DestructionFinishesTheFileAndLetsGoOfTheCallbacks) {
  Count ended;
  {
    auto wanted = options();
    wanted.on_error = [guard = support::counts_its_end(ended)](const Error&) {};
    wanted.channel_filter = [guard = support::counts_its_end(ended)](telelink::ChannelView) { return true; };
    auto writer = McapWriter::start(context, std::move(wanted));
    ASSERT_TRUE(writer);
  }
  EXPECT_EQ(ended.get(), 2);
  EXPECT_TRUE(is_finished());
}

TEST_F(McapWriterTest, TwoWritersAndTheContextEndInAnyOrder) {
  auto other = options();
  other.path += "2";
  auto one = McapWriter::start(context, options());
  auto two = McapWriter::start(context, other);
  ASSERT_TRUE(one);
  ASSERT_TRUE(two);
  auto channel = context.channel("/a", telelink::json());
  context = Context{};
  channel->log("x");
  { const McapWriter gone = std::move(*one); }
  channel->log("y");
  EXPECT_TRUE(two->close());
  EXPECT_EQ(two->stats()->messages, 2U);
  std::remove(other.path.c_str());
  EXPECT_TRUE(is_finished());
}

TEST_F(McapWriterTest, WhyNot) {
  std::ofstream{path} << "precious";
  const auto exists = McapWriter::start(context, options());
  EXPECT_EQ(exists.status(), Status::duplicate);
  auto wrong = options();
  wrong.chunk_duration = std::chrono::milliseconds{-1};
  const auto invalid = McapWriter::start(context, wrong);
  EXPECT_EQ(invalid.status(), Status::invalid_value);
  EXPECT_NE(invalid.error().message.find("chunk_duration"), std::string::npos);
  auto nowhere = options();
  nowhere.path = "/nowhere/at/all.mcap";
  EXPECT_EQ(McapWriter::start(context, nowhere).status(), Status::io);
  EXPECT_EQ(content(), "precious");
}

TEST_F(McapWriterTest, ASecondWriterOnTheFileIsRefusedUntilTheFirstHasEnded) {
  auto wanted = options();
  wanted.overwrite = true;
  auto writer = McapWriter::start(context, wanted);
  ASSERT_TRUE(writer) << writer.error().message;
  const auto channel = context.channel("/a", telelink::json());
  channel->log("first");
  ASSERT_TRUE(writer->flush());
  const auto second = McapWriter::start(context, wanted);
  EXPECT_EQ(second.status(), Status::duplicate);
  EXPECT_EQ(second.error().message, path + " is being recorded to by another MCAP writer");
  EXPECT_TRUE(writer->close());
  EXPECT_TRUE(is_finished());
  EXPECT_NE(content().find("first"), std::string::npos);
  const auto later = McapWriter::start(context, wanted);
  EXPECT_TRUE(later) << later.error().message;
}

TEST_F(McapWriterTest, AMovedFromWriterAnswersNullArgument) {
  auto writer = McapWriter::start(context, options());
  ASSERT_TRUE(writer);
  McapWriter moved = std::move(*writer);
  EXPECT_EQ(writer->close().status(), Status::null_argument);
  EXPECT_EQ(writer->flush().status(), Status::null_argument);
  EXPECT_EQ(writer->stats().status(), Status::null_argument);
  EXPECT_EQ(writer->status(), McapStatus::closed);
  EXPECT_TRUE(moved.close());
}

TEST_F(McapWriterTest, AFilterMayThrowLogAndDestroyItsWriter) {
  std::optional<McapWriter> writer;
  auto wanted = options();
  wanted.channel_filter = [&writer, this](telelink::ChannelView channel) {
    if (channel.topic() == "/throws") throw std::runtime_error{"a filter"};
    if (channel.topic() == "/ends") {
      context.channel("/inner", telelink::json())->log("from inside");
      writer.reset();
    }
    return true;
  };
  auto started = McapWriter::start(context, std::move(wanted));
  ASSERT_TRUE(started);
  writer.emplace(std::move(*started));
  const auto throws = context.channel("/throws", telelink::json());
  EXPECT_FALSE(throws->is_wanted()) << "left out";
  const auto ends = context.channel("/ends", telelink::json());
  EXPECT_FALSE(writer.has_value());
  EXPECT_FALSE(ends->is_wanted());
  EXPECT_EQ(ends->log("nobody takes it"), Status::ok);
}

/// A file that fails: a pipe whose reader goes away.
class BrokenMcapWriterTest : public McapWriterTest {
 protected:
  BrokenMcapWriterTest() {
    std::signal(SIGPIPE, SIG_IGN);
    EXPECT_EQ(::pipe(ends), 0);
  }
  ~BrokenMcapWriterTest() override { ::close(ends[1]); }

  McapWriterOptions broken() const {
    auto wanted = options();
    wanted.path = "/proc/self/fd/" + std::to_string(ends[1]);
    wanted.overwrite = true;
    return wanted;
  }

  void fail(const telelink::Channel& channel) {
    ::close(ends[0]);
    channel.log("into the void");
  }

  int ends[2] = {};
};

TEST_F(BrokenMcapWriterTest, TellsOnceAndContainsWhatTheCallbackThrows) {
  Count told;
  auto wanted = broken();
  wanted.on_error = [&told](const Error& error) {
    EXPECT_EQ(error.status, Status::io);
    told.add();
    throw std::runtime_error{"an error callback"};
  };
  auto writer = McapWriter::start(context, std::move(wanted));
  ASSERT_TRUE(writer) << writer.error().message;
  const auto channel = context.channel("/a", telelink::json());
  fail(*channel);
  EXPECT_EQ(writer->flush().status(), Status::io);
  ASSERT_TRUE(told.wait());
  EXPECT_EQ(writer->close().status(), Status::io);
  EXPECT_EQ(writer->status(), McapStatus::failed);
  ASSERT_TRUE(writer->last_error());
  EXPECT_EQ(writer->last_error()->status, Status::io);
  EXPECT_EQ(channel->log("the robot goes on"), Status::ok);
  EXPECT_FALSE(channel->is_wanted());
  EXPECT_EQ(told.get(), 1);
}

TEST_F(BrokenMcapWriterTest, MayBeDestroyedByItsOwnCallbackWhichGoesOnLogging) {
  Count told, ended;
  std::optional<McapWriter> writer;
  const auto channel = context.channel("/a", telelink::json());
  auto wanted = broken();
  wanted.on_error = [&, guard = support::counts_its_end(ended)](const Error&) {
    EXPECT_EQ(writer->close().status(), Status::io) << "inside it does not wait";
    writer.reset();
    EXPECT_EQ(channel->log("from inside"), Status::ok);
    told.add();
  };
  auto started = McapWriter::start(context, std::move(wanted));
  ASSERT_TRUE(started) << started.error().message;
  writer.emplace(std::move(*started));
  fail(*channel);
  ASSERT_TRUE(told.wait());
  EXPECT_TRUE(ended.wait());
  EXPECT_FALSE(writer.has_value());
}

TEST_F(McapWriterTest, RunsBesideASession) {
  const telelink::testing::Server server;
  auto session = telelink::Session::start(context, support::robot(server));
  ASSERT_TRUE(session) << session.error().message;
  auto writer = McapWriter::start(context, options());
  ASSERT_TRUE(writer);
  const auto channel = context.channel("/a", telelink::json());
  channel->log("recorded");
  // The session first, then the recording, which goes on without it.
  EXPECT_TRUE(session->close(std::chrono::seconds{20}));
  channel->log("recorded too");
  EXPECT_TRUE(writer->close());
  EXPECT_EQ(writer->stats()->messages, 2U);
}

}  // namespace
