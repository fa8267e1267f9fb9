// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

namespace telelink {

/// A view of bytes: two words, owns nothing. Made implicitly from a text literal and from anything that has `data()`
/// and `size()` with elements of one byte: std::string, std::string_view, std::vector<std::uint8_t>,
/// std::array<std::byte, N>, std::span, QByteArray and so on. A `const char*` is a text that ends with NUL (which is
/// not part of the view).
class Bytes {
  template <class T>
  static constexpr bool is_byte = std::is_same_v<T, char> || std::is_same_v<T, unsigned char> ||
                                  std::is_same_v<T, signed char> || std::is_same_v<T, std::byte>;

  template <class C>
  using element = std::remove_cv_t<std::remove_pointer_t<decltype(std::declval<const C&>().data())>>;

 public:
  constexpr Bytes() noexcept = default;

  /// `size` bytes from `data` on.
  Bytes(const void* data, std::size_t size) noexcept : data_{static_cast<const std::uint8_t*>(data)}, size_{size} {}

  /// A text that ends with NUL; nullptr is empty.
  Bytes(const char* text) noexcept  // NOLINT(google-explicit-constructor): that is the purpose
      : Bytes{text, text == nullptr ? std::size_t{0} : std::string_view{text}.size()} {}

  /// An array of bytes; all of it.
  template <class T, std::size_t N, class = std::enable_if_t<is_byte<T> && !std::is_same_v<T, char>>>
  Bytes(const T (&array)[N]) noexcept  // NOLINT(google-explicit-constructor)
      : Bytes{static_cast<const void*>(array), N} {}

  /// Anything contiguous whose elements are bytes.
  template <class C, class = std::enable_if_t<!std::is_same_v<C, Bytes> && is_byte<element<C>>>,
            class = std::enable_if_t<std::is_convertible_v<decltype(std::declval<const C&>().size()), std::size_t>>>
  Bytes(const C& container) noexcept  // NOLINT(google-explicit-constructor)
      : Bytes{static_cast<const void*>(container.data()), static_cast<std::size_t>(container.size())} {}

  const std::uint8_t* data() const noexcept { return data_; }         ///< first byte; may be nullptr when empty
  std::size_t size() const noexcept { return size_; }                 ///< number of bytes
  bool empty() const noexcept { return size_ == 0; }                  ///< whether there are none
  const std::uint8_t* begin() const noexcept { return data_; }        ///< first byte
  const std::uint8_t* end() const noexcept { return data_ + size_; }  ///< behind the last byte

  /// The same bytes, seen as text.
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }

 private:
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace telelink
