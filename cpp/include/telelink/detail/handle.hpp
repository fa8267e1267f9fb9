// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

namespace telelink::detail {

template <class T, void (*free)(T*)>
struct Free {
  void operator()(T* object) const noexcept { free(object); }
};

/// Owns an object of C.
template <class T, void (*free)(T*)>
using Handle = std::unique_ptr<T, Free<T, free>>;

}  // namespace telelink::detail
