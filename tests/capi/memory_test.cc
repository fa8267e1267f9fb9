// The bound of glibc's arenas; what it does to a process is measured in tests/network.
#include "support.hpp"

namespace {

TEST(MallocArenas, AreBoundedWithinTheirRange) {
  for (const std::uint32_t most : {0U, 1025U, 0xffffffffU}) {
    EXPECT_EQ(telelink_set_malloc_arenas(most), TELELINK_STATUS_INVALID_VALUE) << most;
    EXPECT_NE(std::string{telelink_last_error_message()}.find(std::to_string(most)), std::string::npos);
  }
#ifdef __GLIBC__
  for (const std::uint32_t most : {1024U, 8U})
    EXPECT_EQ(telelink_set_malloc_arenas(most), TELELINK_STATUS_OK) << most;
#else
  EXPECT_EQ(telelink_set_malloc_arenas(1), TELELINK_STATUS_NOT_SUPPORTED);
#endif
}

}  // namespace
