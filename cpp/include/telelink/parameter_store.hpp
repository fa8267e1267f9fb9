// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/detail/callback.hpp>
#include <telelink/detail/handle.hpp>
#include <telelink/detail/view.hpp>
#include <telelink/parameter.hpp>
#include <telelink/result.hpp>
#include <telelink/telelink.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace telelink {

/// @cond
namespace detail {

/// A kind of value, for people.
inline std::string_view kind_text(ParameterKind kind) noexcept {
  constexpr std::array<std::string_view, 12> texts = {"unset",
                                                      "a bool",
                                                      "an integer",
                                                      "a double",
                                                      "a string",
                                                      "bytes",
                                                      "an array of bools",
                                                      "an array of integers",
                                                      "an array of doubles",
                                                      "an array of strings",
                                                      "a mixed or empty array",
                                                      "a dict"};
  return texts[static_cast<std::size_t>(kind)];
}

/// The type of the one argument of a function.
template <class F, class = void>
struct ArgumentOf {
  static_assert(sizeof(F) == 0, "a function of a parameter takes one argument and says its type: not auto");
  using Type = Parameter;
};
template <class F>
struct ArgumentOf<F, std::void_t<decltype(&F::operator())>> : ArgumentOf<decltype(&F::operator())> {};
template <class R, class A>
struct ArgumentOf<R (*)(A)> {
  using Type = std::decay_t<A>;
};
template <class R, class A>
struct ArgumentOf<R (*)(A) noexcept> : ArgumentOf<R (*)(A)> {};
template <class R, class C, class A>
struct ArgumentOf<R (C::*)(A)> : ArgumentOf<R (*)(A)> {};
template <class R, class C, class A>
struct ArgumentOf<R (C::*)(A) const> : ArgumentOf<R (*)(A)> {};
template <class R, class C, class A>
struct ArgumentOf<R (C::*)(A) noexcept> : ArgumentOf<R (*)(A)> {};
template <class R, class C, class A>
struct ArgumentOf<R (C::*)(A) const noexcept> : ArgumentOf<R (*)(A)> {};

/// What a parameter declared with a `T` holds.
template <class T>
using ParameterType = std::conditional_t<
    std::is_same_v<T, bool>, bool,
    std::conditional_t<
        std::is_integral_v<T>, std::int64_t,
        std::conditional_t<
            std::is_floating_point_v<T>, double,
            std::conditional_t<std::is_convertible_v<T, std::string_view>, std::string,
                               std::conditional_t<std::is_same_v<T, std::vector<int>>, std::vector<std::int64_t>,
                                                  std::conditional_t<std::is_same_v<T, std::vector<float>>,
                                                                     std::vector<double>, T>>>>>>;

}  // namespace detail
/// @endcond

/// Properties of a declared parameter, besides its first value:
///
///     ParameterOptions{}.description("proportional gain").range(0.0, 10.0).on_change([&](double gain) { .. })
///
/// Functions take the value as what the parameter holds: bool, std::int64_t, double, std::string, a vector, Dict; or as
/// a ParameterValue; or the whole Parameter. They run on the thread that sets the value, inside that call; for viewers
/// on a thread of their session. They may block and use the store themselves. Do not capture the store or a
/// ParameterHandle by value in them: it would hold itself.
class ParameterOptions {
 public:
  /// For people: what it is, and in which unit. Stays on the robot.
  ParameterOptions& description(std::string text) {
    description_ = std::move(text);
    return *this;
  }

  /// Smallest and largest value of a number, or of the elements of an array of numbers. Integers for integers.
  ParameterOptions& range(ParameterValue min, ParameterValue max) {
    min_ = std::move(min);
    max_ = std::move(max);
    return *this;
  }

  /// Distance between values, counted from the smallest, else from 0. Both ends of the range are always allowed.
  ParameterOptions& step(ParameterValue step) {
    step_ = std::move(step);
    return *this;
  }

  /// The only values that a string may have.
  ParameterOptions& allowed(std::vector<std::string> values) {
    allowed_ = std::move(values);
    return *this;
  }

  /// Viewers cannot change it; the robot can.
  ParameterOptions& read_only(bool yes = true) {
    read_only_ = yes;
    return *this;
  }

  /// Viewers can delete it.
  ParameterOptions& deletable(bool yes = true) {
    deletable_ = yes;
    return *this;
  }

  /// Asked about every new value that is of the right type and in range. Answers a bool, or a Result<void> whose
  /// message is the reason. One that throws refuses.
  template <class F>
  ParameterOptions& validate(F check) {
    validate_ = typed<Result<void>>(std::move(check), validate_takes_);
    return *this;
  }

  /// Told when the value has changed, whoever did it. Deleted by a viewer, the parameter is unset; functions that take
  /// neither a Parameter nor a ParameterValue are not told then. These functions run one at a time in the order of the
  /// changes; while one runs, changes by others are left to its thread, and of several the newest is told.
  template <class F>
  ParameterOptions& on_change(F told) {
    on_change_ = typed<void>(std::move(told), on_change_takes_);
    return *this;
  }

 private:
  friend class ParameterStore;

  using Takes = bool (*)(const ParameterValue&);

  template <class T>
  static bool takes(const ParameterValue& value) {
    return value.to<T>().has_value();
  }

  template <class R, class F>
  static std::function<R(const Parameter&)> typed(F function, Takes& accepted) {
    using Argument = typename detail::ArgumentOf<F>::Type;
    if constexpr (std::is_same_v<Argument, Parameter>) {
      accepted = nullptr;
      return [function = std::move(function)](const Parameter& parameter) mutable -> R {
        return answer<R>(function, parameter);
      };
    } else {
      static_assert(!std::is_integral_v<Argument> || std::is_same_v<Argument, bool> ||
                        (std::is_signed_v<Argument> && sizeof(Argument) == sizeof(std::int64_t)),
                    "a function that takes an integer parameter takes a std::int64_t");
      using T = std::conditional_t<std::is_same_v<Argument, std::string_view>, std::string, Argument>;
      accepted = &takes<T>;
      return [function = std::move(function)](const Parameter& parameter) mutable -> R {
        if (const auto value = parameter.value.to<T>()) return answer<R>(function, *value);
        return R();
      };
    }
  }

  template <class R, class F, class A>
  static R answer(F& function, const A& argument) {
    if constexpr (std::is_same_v<R, Result<void>> && std::is_same_v<decltype(function(argument)), bool>) {
      return function(argument) ? R{} : R{Error{Status::invalid_value, "the robot does not accept it"}};
    } else {
      return static_cast<R>(function(argument));
    }
  }

  std::string description_ = {};
  ParameterValue min_ = {};
  ParameterValue max_ = {};
  ParameterValue step_ = {};
  std::vector<std::string> allowed_ = {};
  bool read_only_ = false;
  bool deletable_ = false;
  std::function<Result<void>(const Parameter&)> validate_ = {};
  std::function<void(const Parameter&)> on_change_ = {};
  Takes validate_takes_ = nullptr;
  Takes on_change_takes_ = nullptr;
};

/// What is known of a declared parameter.
struct ParameterInfo {
  Parameter parameter = {};                   ///< name and value now
  ParameterKind kind = ParameterKind::unset;  ///< declared type
  std::string description = {};               ///< for people
  ParameterValue min = {};                    ///< or unset
  ParameterValue max = {};                    ///< or unset
  ParameterValue step = {};                   ///< or unset
  std::vector<std::string> allowed = {};      ///< empty: any
  bool read_only = false;                     ///< viewers cannot change it
  bool deletable = false;                     ///< viewers can delete it
};

template <class T>
class ParameterHandle;

/// A typed map of parameters that answers viewers by itself:
///
///     ParameterStore store;
///     auto gain = store.declare("/gain", 1.0, ParameterOptions{}.range(0.0, 10.0));
///     options.parameter_store = store;  // SessionOptions, of one session or more
///     ...
///     drive(gain->get());
///
/// Every change is published to the viewers that follow the parameter, whoever made it. Of what a viewer wants to set,
/// each parameter is decided by itself: one that is unknown, read-only, of the wrong type, out of range or refused by
/// its validate() keeps its value, the answer reports what is stored, and the reason goes to the log: one line a second
/// at most, with the reason of one refusal and the `count` of all since the line before.
///
/// Copies of a store are the same store. It lives as long as a copy, a handle or a session uses it. One that was moved
/// from answers Status::null_argument, and no session starts with it. Thread-safe.
class ParameterStore {
 public:
  ParameterStore() {
    telelink_parameter_store* store = nullptr;
    (void)telelink_parameter_store_create(&store);  // only a forked child fails here; the first call with it says so
    store_ = std::shared_ptr<telelink_parameter_store>{store, &telelink_parameter_store_free};
  }

  /// Declares a parameter with its first value, which fixes its type. Integers are std::int64_t; a viewer's integer
  /// will do for a float.
  ///
  /// @return a handle for reading and changing it; Status::duplicate; Status::invalid_value with the reason
  template <class T, class Mode = detail::Mode>
  Result<ParameterHandle<detail::ParameterType<T>>> declare(std::string_view name, T value,
                                                            ParameterOptions options = {}) const;

  /// The value now, as a `T`. Status::not_found; Status::invalid_value when it is of another type.
  template <class T>
  Result<T> get(std::string_view name) const {
    if constexpr (std::is_arithmetic_v<T>) {  // allocates nothing
      telelink_parameter_value c = {};
      if (const auto status = telelink_parameter_store_scalar(c_store(), detail::view(name), &c);
          status == TELELINK_STATUS_OK) {
        if (const auto value = detail::parameter_value(c).to<T>()) return *value;
        return other_type(name);
      } else if (status != TELELINK_STATUS_INVALID_VALUE) {
        return detail::last_error(status);
      }
      return other_type(name);
    } else {
      auto found = value(name);
      if (!found) return found.error();
      if (auto value = found->template to<T>()) return *std::move(value);
      return other_type(name);
    }
  }

  /// The value now. Status::not_found.
  Result<ParameterValue> value(std::string_view name) const {
    telelink_parameter_list* list = nullptr;
    if (const auto status = telelink_parameter_store_get(c_store(), detail::view(name), &list);
        status != TELELINK_STATUS_OK) {
      return detail::last_error(status);
    }
    const List owner{list};
    return detail::parameter_value(telelink_parameter_list_data(list)->value);
  }

  /// Changes a value; the rules of its declaration hold, but for read_only(). Status::not_found; Status::invalid_value
  /// with the reason.
  Result<void> set(std::string_view name, const ParameterValue& value) const {
    detail::ParameterTables tables;
    return detail::check(telelink_parameter_store_set(c_store(), detail::view(name), tables.value(value)));
  }

  /// Takes a parameter away. Its functions are not called any more, except for one that is running. Status::not_found.
  Result<void> remove(std::string_view name) const {
    return detail::check(telelink_parameter_store_remove(c_store(), detail::view(name)));
  }

  /// Everything that is declared, by name.
  Result<std::vector<ParameterInfo>> list() const {
    telelink_parameter_list* list = nullptr;
    if (const auto status = telelink_parameter_store_list(c_store(), &list); status != TELELINK_STATUS_OK) {
      return detail::last_error(status);
    }
    const List owner{list};
    std::vector<ParameterInfo> infos;
    const auto count = telelink_parameter_list_count(list);
    infos.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      telelink_parameter_info c;
      auto status = telelink_parameter_info_init(&c, sizeof c);
      if (status == TELELINK_STATUS_OK) status = telelink_parameter_list_info(list, i, &c);
      if (status != TELELINK_STATUS_OK) return detail::last_error(status);
      infos.push_back(ParameterInfo{detail::parameter(c.parameter), static_cast<ParameterKind>(c.kind),
                                    std::string{detail::text(c.description)}, detail::parameter_value(c.min),
                                    detail::parameter_value(c.max), detail::parameter_value(c.step),
                                    detail::strings(c.allowed, c.allowed_count), c.read_only != 0, c.deletable != 0});
    }
    return infos;
  }

  /// The object of C behind this one.
  const telelink_parameter_store* c() const noexcept { return store_.get(); }

 private:
  using List = detail::Handle<telelink_parameter_list, telelink_parameter_list_free>;

  const telelink_parameter_store* c_store() const noexcept { return store_.get(); }

  static Error other_type(std::string_view name) {
    return Error{Status::invalid_value, std::string{name} + " is of another type"};
  }

  struct Functions {
    std::function<Result<void>(const Parameter&)> validate;
    std::function<void(const Parameter&)> on_change;
  };

  template <class Mode>
  struct Trampolines {
    static void validate(void* context, const telelink_parameter* parameter,
                         const telelink_parameter_check* check) noexcept {
      const bool agreed = detail::Contain<Mode>::run("validate of a parameter", false, [&] {
        const auto result = static_cast<const Functions*>(context)->validate(detail::parameter(*parameter));
        if (!result) (void)telelink_parameter_check_refuse(check, detail::view(result.error().message));
        return true;
      });
      if (!agreed) (void)telelink_parameter_check_refuse(check, detail::view("its validate() threw an exception"));
    }

    static void on_change(void* context, const telelink_parameter* parameter) noexcept {
      detail::Contain<Mode>::run("on_change of a parameter", [&] {
        static_cast<const Functions*>(context)->on_change(detail::parameter(*parameter));
      });
    }
  };

  std::shared_ptr<telelink_parameter_store> store_ = {};
};

/// A declared parameter in the robot's hands. Copies are the same parameter, and moving copies: a handle never loses
/// its parameter. Thread-safe.
template <class T>
class ParameterHandle {
 public:
  /// @{
  /// The same parameter.
  ParameterHandle(const ParameterHandle&) noexcept = default;
  ParameterHandle& operator=(const ParameterHandle&) noexcept = default;
  ~ParameterHandle() = default;
  /// @}

  /// The value now. Once it was removed or deleted: the value it was declared with. Numbers and bools allocate nothing.
  T get() const {
    auto value = store_.template get<T>(*name_);
    return value ? *std::move(value) : *initial_;
  }

  /// Changes it. Status::invalid_value with the reason; Status::not_found when it was removed or deleted.
  Result<void> set(const T& value) const { return store_.set(*name_, value); }

  /// Name of the parameter.
  const std::string& name() const noexcept { return *name_; }

 private:
  friend class ParameterStore;
  ParameterHandle(ParameterStore store, std::string_view name, T initial)
      : store_{std::move(store)},
        name_{std::make_shared<const std::string>(name)},
        initial_{std::make_shared<const T>(std::move(initial))} {}

  ParameterStore store_;
  std::shared_ptr<const std::string> name_;
  std::shared_ptr<const T> initial_;
};

template <class T, class Mode>
Result<ParameterHandle<detail::ParameterType<T>>> ParameterStore::declare(std::string_view name, T value,
                                                                          ParameterOptions options) const {
  static_assert(std::is_constructible_v<ParameterValue, T>,
                "a parameter is a bool, number, text, ParameterValue::ByteArray, a vector of bool, int, std::int64_t, "
                "float, double, std::string or ParameterValue, or a ParameterValue::Dict");
  using Held = detail::ParameterType<T>;
  const auto initial = ParameterValue{std::move(value)};
  const auto fits = [&initial](auto takes) { return takes == nullptr || takes(initial); };
  const bool validate_fits = fits(options.validate_takes_);
  if (!validate_fits || !fits(options.on_change_takes_)) {
    return Error{Status::invalid_value, std::string{validate_fits ? "on_change" : "validate"} + " of " +
                                            std::string{name} + " takes another type than its value, which is " +
                                            std::string{detail::kind_text(initial.kind())}};
  }
  auto held = initial.to<Held>();
  if (!held) return other_type(name);

  detail::ParameterTables tables;
  const auto allowed = detail::views(options.allowed_);
  telelink_parameter_declaration c;
  if (const auto status = telelink_parameter_declaration_init(&c, sizeof c); status != TELELINK_STATUS_OK) {
    return detail::last_error(status);
  }
  c.name = detail::view(name);
  c.value = tables.value(initial);
  c.description = detail::view(options.description_);
  c.min = tables.value(options.min_);
  c.max = tables.value(options.max_);
  c.step = tables.value(options.step_);
  c.allowed = allowed.data();
  c.allowed_count = allowed.size();
  c.read_only = options.read_only_ ? 1 : 0;
  c.deletable = options.deletable_ ? 1 : 0;
  if (options.validate_) c.validate = &Trampolines<Mode>::validate;
  if (options.on_change_) c.on_change = &Trampolines<Mode>::on_change;
  auto functions = std::make_unique<Functions>(Functions{std::move(options.validate_), std::move(options.on_change_)});
  c.context = functions.release();
  c.drop = &detail::Contain<Mode>::template drop<Functions>;
  if (const auto status = telelink_parameter_store_declare(c_store(), &c); status != TELELINK_STATUS_OK) {
    return detail::last_error(status);
  }
  return ParameterHandle<Held>{*this, name, *std::move(held)};
}

}  // namespace telelink
