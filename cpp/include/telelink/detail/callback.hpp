// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/telelink.h>

#include <cstdio>
#include <memory>
#include <utility>

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS)
#define TELELINK_EXCEPTIONS 1
#include <exception>
#else
#define TELELINK_EXCEPTIONS 0
#endif

namespace telelink::detail {

/// Whether the code that hands callbacks to C was compiled with exceptions. Everything that depends on it has this as a
/// template parameter, so that objects of both modes can be linked into one program.
struct WithExceptions {};
struct WithoutExceptions {};

#if TELELINK_EXCEPTIONS
inline namespace with_exceptions {
using Mode = WithExceptions;
}
#else
inline namespace without_exceptions {
using Mode = WithoutExceptions;
}
#endif

/// Runs callbacks of the application for C: nothing they throw gets out. What is thrown is reported on standard error,
/// because there is nobody to hand it to.
template <class Mode>
struct Contain;

#if TELELINK_EXCEPTIONS
template <>
struct Contain<WithExceptions> {
  template <class F, class R>
  static R run(const char* where, R fallback, F&& body) noexcept {
    try {
      return std::forward<F>(body)();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "telelink: %s threw an exception: %s\n", where, error.what());
    } catch (...) {
      std::fprintf(stderr, "telelink: %s threw something that is no std::exception\n", where);
    }
    return fallback;
  }
#else
template <>
struct Contain<WithoutExceptions> {
  template <class F, class R>
  static R run(const char*, R, F&& body) noexcept {
    return std::forward<F>(body)();
  }
#endif

  template <class F>
  static void run(const char* where, F&& body) noexcept {
    run(where, 0, [&body] {
      std::forward<F>(body)();
      return 0;
    });
  }

  /// The `drop` of a callback table whose context is a `T`.
  template <class T>
  static void drop(void* context) noexcept {
    run("the destructor of a callback", [context] { delete static_cast<T*>(context); });
  }
};

}  // namespace telelink::detail
