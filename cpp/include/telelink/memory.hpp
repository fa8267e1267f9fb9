// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/result.hpp>
#include <telelink/telelink.h>

#include <cstdint>

namespace telelink {

/// Bounds the number of memory arenas that glibc makes from now on, 1 to 1,024: less memory for a robot that has little
/// of it. It counts for the whole process and belongs before the first session. @copydetails telelink_set_malloc_arenas
inline Result<void> set_malloc_arenas(std::uint32_t most) {
  return detail::check(telelink_set_malloc_arenas(most));
}

}  // namespace telelink
