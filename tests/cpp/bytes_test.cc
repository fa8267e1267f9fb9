// What becomes Bytes, and Result.
#include <telelink/telelink.hpp>

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace {

using telelink::Bytes;
using telelink::Error;
using telelink::Result;
using telelink::Status;

static_assert(sizeof(Bytes) == 2 * sizeof(void*));
static_assert(std::is_trivially_copyable_v<Bytes>);
static_assert(std::is_convertible_v<std::string, Bytes>);
static_assert(std::is_convertible_v<std::string_view, Bytes>);
static_assert(std::is_convertible_v<std::vector<std::byte>, Bytes>);
static_assert(std::is_convertible_v<std::vector<std::uint8_t>, Bytes>);
static_assert(!std::is_convertible_v<std::vector<int>, Bytes>);
static_assert(!std::is_convertible_v<std::wstring, Bytes>);
static_assert(!std::is_convertible_v<int, Bytes>);

static_assert(!std::is_copy_constructible_v<telelink::Session>);
static_assert(!std::is_copy_constructible_v<telelink::Channel>);
static_assert(!std::is_copy_constructible_v<telelink::Context>);
static_assert(!std::is_copy_constructible_v<telelink::ServiceResponder>);
static_assert(std::is_nothrow_move_constructible_v<telelink::Session>);
static_assert(std::is_nothrow_move_constructible_v<telelink::Channel>);
static_assert(std::is_nothrow_move_assignable_v<telelink::Channel>);

std::size_t size_of(Bytes bytes) {
  return bytes.size();
}

TEST(Bytes, AreMadeFromWhatHasBytes) {
  EXPECT_EQ(size_of("abc"), 3U);
  EXPECT_EQ(size_of(static_cast<const char*>(nullptr)), 0U);
  EXPECT_EQ(size_of(std::string("a\0b", 3)), 3U);
  EXPECT_EQ(size_of(std::vector<std::uint8_t>{1, 2}), 2U);
  EXPECT_EQ(size_of(std::array<std::byte, 5>{}), 5U);
  const std::uint8_t array[] = {1, 0, 2};
  EXPECT_EQ(size_of(array), 3U);
  const char buffer[16] = "text";
  EXPECT_EQ(size_of(buffer), 4U) << "an array of char is a text";
  EXPECT_TRUE(Bytes{}.empty());
  EXPECT_EQ(Bytes{"abc"}.text(), "abc");
}

TEST(Result, HoldsAValueOrAnError) {
  Result<std::unique_ptr<int>> value = std::make_unique<int>(3);
  ASSERT_TRUE(value);
  EXPECT_EQ(**value, 3);
  EXPECT_EQ(value.status(), Status::ok);
  const std::unique_ptr<int> moved = std::move(value).value();
  EXPECT_EQ(*moved, 3);

  const Result<int> error = Error{Status::closed, "gone"};
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().message, "gone");
  EXPECT_EQ(error.status(), Status::closed);
  EXPECT_EQ(Result<int>{error}.value_or(7), 7);

  const Result<void> done;
  EXPECT_TRUE(done);
  EXPECT_EQ(done.status(), Status::ok);
}

TEST(ResultDeathTest, AskingForWhatIsNotThereEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Result<int> error = Error{Status::closed, "gone"};
  EXPECT_DEATH((void)error.value(), "value\\(\\) of a Result that holds an error: gone");
  Result<int> value = 1;
  EXPECT_DEATH((void)value.error(), "error\\(\\) of a Result that holds a value");
  const Result<void> done;
  EXPECT_DEATH((void)done.error(), "error\\(\\) of a Result that holds a value");
}

}  // namespace
