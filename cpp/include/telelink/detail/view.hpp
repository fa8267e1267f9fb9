// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/bytes.hpp>
#include <telelink/telelink.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace telelink::detail {

inline telelink_str view(std::string_view text) noexcept {
  return telelink_str{text.data(), text.size()};
}
inline telelink_bytes byte_view(Bytes bytes) noexcept {
  return telelink_bytes{bytes.data(), bytes.size()};
}

inline std::string_view text(telelink_str view) noexcept {
  return view.len == 0 ? std::string_view{} : std::string_view{view.data, view.len};
}

inline Bytes bytes(telelink_bytes view) noexcept {
  return Bytes{view.data, view.len};
}

/// A duration of the options as C takes it, which knows what is negative by its size and refuses it.
inline std::uint64_t milliseconds(std::chrono::milliseconds limit) noexcept {
  return static_cast<std::uint64_t>(limit.count());
}

/// How long to wait: not at all when the time has passed already.
inline std::uint64_t wait_milliseconds(std::chrono::milliseconds limit) noexcept {
  return limit.count() < 0 ? 0 : static_cast<std::uint64_t>(limit.count());
}

inline std::vector<telelink_pair> pairs(const std::map<std::string, std::string>& map) {
  std::vector<telelink_pair> pairs;
  pairs.reserve(map.size());
  for (const auto& [key, value] : map)
    pairs.push_back(telelink_pair{view(key), view(value)});
  return pairs;
}

inline std::vector<telelink_str> views(const std::vector<std::string>& texts) {
  std::vector<telelink_str> views;
  views.reserve(texts.size());
  for (const auto& text : texts)
    views.push_back(view(text));
  return views;
}

}  // namespace telelink::detail
