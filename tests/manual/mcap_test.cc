// The code of docs/mcap.md, run in a folder of its own. A test of the repository compares both.
#include <telelink/telelink.hpp>

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <unistd.h>

namespace {

int record() {
  telelink::Context context;
  telelink::McapWriterOptions options;
  options.path = "run-42.mcap";
  auto writer = telelink::McapWriter::start(context, options);
  if (!writer) {
    std::cerr << writer.error().message << '\n';
    return 1;
  }

  auto battery = context.channel("/battery", telelink::json());
  battery->log(R"({"percent": 81})");

  if (auto closed = writer->close(); !closed) std::cerr << closed.error().message << '\n';
  return 0;
}

TEST(Mcap, RecordsWhatIsLogged) {
  std::string folder = ::testing::TempDir() + "telelink_manual_XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  ASSERT_EQ(::chdir(folder.c_str()), 0);
  EXPECT_EQ(record(), 0);
  std::ifstream file("run-42.mcap", std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(bytes.substr(1, 4), "MCAP");
  std::remove("run-42.mcap");
  ::rmdir(folder.c_str());
}

}  // namespace
