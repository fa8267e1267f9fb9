// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/telelink.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace telelink {

/// What a call answers: telelink_status of C.
///
/// 1 to 99: fix the call. 100 to 199: wrong moment. 200 to 299: the outside world. 300 to 399: the peer. 900 to 999: a
/// fault of telelink. Values may be added: treat an unknown one by its range.
enum class Status : std::int32_t {
  ok = 0,                     ///< done
  null_argument = 1,          ///< an object was moved from, or was never made
  invalid_utf8 = 2,           ///< a text is not UTF-8
  invalid_value = 3,          ///< an argument or option cannot work
  struct_size = 4,            ///< header and library do not fit together
  duplicate = 5,              ///< something of that name exists already
  not_found = 6,              ///< there is no such thing
  not_supported = 7,          ///< the session's capabilities do not allow it, or the library was built without it
  closed = 100,               ///< the session or channel is closed
  already_responded = 102,    ///< the request was answered already
  timeout = 104,              ///< it did not happen in time
  connect_failed = 200,       ///< the server could not be reached
  unauthorized = 201,         ///< the server rejected the token
  library_missing = 202,      ///< the LiveKit library is missing or wrong
  io = 203,                   ///< the operating system refused to open, read or write a file
  duplicate_identity = 204,   ///< another device joined with the same identity
  removed = 205,              ///< the server's operator removed this device
  idle = 206,                 ///< no viewer came, or none was left, for the idle window
  unsupported_version = 301,  ///< header and library belong to different versions
  internal = 900,             ///< a fault of telelink
  panic = 901,                ///< a fault of telelink; the process goes on
};

/// The name of a status, for example "CLOSED"; "UNKNOWN" for a number that the library does not know.
inline std::string_view to_string(Status status) noexcept {
  return telelink_status_name(static_cast<std::int32_t>(status));
}

/// Why a call failed.
struct Error {
  Status status = Status::internal;  ///< for programs
  std::string message = {};          ///< for people: says what and which; never contains a token
};

namespace detail {

[[noreturn]] inline void no_value(const Error& error) noexcept {
  std::fprintf(stderr, "telelink: value() of a Result that holds an error: %s\n", error.message.c_str());
  std::abort();
}

[[noreturn]] inline void no_error() noexcept {
  std::fputs("telelink: error() of a Result that holds a value\n", stderr);
  std::abort();
}

}  // namespace detail

/// A value, or the reason why there is none. The same type in every standard and with or without exceptions; asking for
/// the one that is not there ends the process.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;  ///< what it holds

  /// A value.
  Result(T value) : state_{std::in_place_index<0>, std::move(value)} {}  // NOLINT(google-explicit-constructor)
  /// A reason why there is none.
  Result(Error error) : state_{std::in_place_index<1>, std::move(error)} {}  // NOLINT(google-explicit-constructor)

  /// @{
  /// Whether there is a value.
  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }
  /// @}

  /// @{
  /// The value. Without one, the process ends.
  T& value() & noexcept { return get(); }
  const T& value() const& noexcept { return const_cast<Result*>(this)->get(); }
  T&& value() && noexcept { return std::move(get()); }
  T& operator*() & noexcept { return get(); }
  const T& operator*() const& noexcept { return const_cast<Result*>(this)->get(); }
  T&& operator*() && noexcept { return std::move(get()); }
  T* operator->() noexcept { return &get(); }
  const T* operator->() const noexcept { return &const_cast<Result*>(this)->get(); }
  /// @}

  /// The value, or `other`.
  template <class U>
  T value_or(U&& other) && {
    return has_value() ? std::move(get()) : static_cast<T>(std::forward<U>(other));
  }

  /// The reason. Only when there is no value.
  const Error& error() const noexcept {
    const Error* error = std::get_if<1>(&state_);
    if (error == nullptr) detail::no_error();
    return *error;
  }

  /// Status::ok, or the error's.
  Status status() const noexcept { return has_value() ? Status::ok : error().status; }

 private:
  T& get() noexcept {
    T* value = std::get_if<0>(&state_);
    if (value == nullptr) detail::no_value(*std::get_if<1>(&state_));
    return *value;
  }

  std::variant<T, Error> state_;
};

/// Success, or the reason why not.
template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;  ///< nothing

  Result() noexcept = default;
  /// A reason why not.
  Result(Error error) : error_{std::move(error)}, failed_{true} {}  // NOLINT(google-explicit-constructor)

  /// @{
  /// Whether it is success.
  bool has_value() const noexcept { return !failed_; }
  explicit operator bool() const noexcept { return !failed_; }
  /// @}

  /// The reason. Only when it is no success.
  const Error& error() const noexcept {
    if (!failed_) detail::no_error();
    return error_;
  }

  /// Status::ok, or the error's.
  Status status() const noexcept { return failed_ ? error_.status : Status::ok; }

 private:
  Error error_ = {};
  bool failed_ = false;
};

namespace detail {

/// The error of the call that has just failed on this thread.
inline Error last_error(telelink_status status) {
  return Error{static_cast<Status>(status), telelink_last_error_message()};
}

inline Result<void> check(telelink_status status) {
  if (status == TELELINK_STATUS_OK) return {};
  return last_error(status);
}

}  // namespace detail
}  // namespace telelink
