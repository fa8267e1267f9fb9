// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/bytes.hpp>
#include <telelink/client.hpp>
#include <telelink/detail/callback.hpp>
#include <telelink/detail/handle.hpp>
#include <telelink/detail/view.hpp>
#include <telelink/result.hpp>
#include <telelink/telelink.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace telelink {

/// What a ParameterValue holds.
enum class ParameterKind : std::int32_t {
  unset = 0,          ///< nothing; from a viewer, the wish to delete
  boolean = 1,        ///< bool
  integer = 2,        ///< std::int64_t
  floating = 3,       ///< double
  string = 4,         ///< std::string
  bytes = 5,          ///< ParameterValue::ByteArray
  bool_array = 6,     ///< std::vector<bool>
  integer_array = 7,  ///< std::vector<std::int64_t>
  float_array = 8,    ///< std::vector<double>
  string_array = 9,   ///< std::vector<std::string>
  array = 10,         ///< ParameterValue::Array: mixed, nested, or empty and of unknown kind
  dict = 11,          ///< ParameterValue::Dict
};

namespace detail {

template <class T, class Variant>
inline constexpr bool is_one_of = false;
template <class T, class... Held>
inline constexpr bool is_one_of<T, std::variant<Held...>> = (std::is_same_v<T, Held> || ...);

}  // namespace detail

/// A value of a parameter: a regular value type, made implicitly from what it holds.
///
///     ParameterValue speed = 1.5;
///     ParameterValue mode = "idle";
///     ParameterValue limits = ParameterValue::Dict{{"max", 2.0}, {"axes", std::vector<std::string>{"x", "y"}}};
///
/// Integers, floats, strings and bytes stay what they are on their way to viewers and back. An array of only bools,
/// integers, floats or strings is a vector of these, however it was made. What an empty array is made of is lost on the
/// wire, unless it is one of floats: all empty arrays are equal. Byte arrays cannot stand inside other values.
class ParameterValue {
 public:
  using ByteArray = std::vector<std::uint8_t>;         ///< bytes
  using Array = std::vector<ParameterValue>;           ///< of any kinds but bytes
  using Dict = std::map<std::string, ParameterValue>;  ///< values by name

  /// Unset.
  ParameterValue() noexcept = default;

  // Implicit, so that values can be written as they are.
  // NOLINTBEGIN(google-explicit-constructor)
  /// A bool.
  ParameterValue(bool value) : data_{value} {}
  /// Integers of up to 64 bits, but not std::uint64_t, which need not fit.
  template <class T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>, int> = 0>
  ParameterValue(T value) : data_{static_cast<std::int64_t>(value)} {
    static_assert(std::is_signed_v<T> || sizeof(T) < sizeof(std::int64_t), "parameters hold signed 64-bit integers");
  }
  /// Has to be finite to be sent.
  template <class T, std::enable_if_t<std::is_floating_point_v<T>, int> = 0>
  ParameterValue(T value) : data_{static_cast<double>(value)} {}
  /// A text that ends with NUL; nullptr is empty.
  ParameterValue(const char* value) : data_{std::string{value == nullptr ? "" : value}} {}
  /// A text.
  ParameterValue(std::string_view value) : data_{std::string{value}} {}
  /// A text.
  ParameterValue(std::string value) : data_{std::move(value)} {}
  /// Bytes.
  ParameterValue(ByteArray value) : data_{std::move(value)} {}
  /// Bools.
  ParameterValue(std::vector<bool> value) : data_{std::move(value)} {}
  /// Integers.
  ParameterValue(std::vector<std::int64_t> value) : data_{std::move(value)} {}
  /// Integers.
  ParameterValue(const std::vector<int>& value) : data_{std::vector<std::int64_t>(value.begin(), value.end())} {}
  /// Floats; have to be finite to be sent.
  ParameterValue(std::vector<double> value) : data_{std::move(value)} {}
  /// Floats; have to be finite to be sent.
  ParameterValue(const std::vector<float>& value) : data_{std::vector<double>(value.begin(), value.end())} {}
  /// Texts.
  ParameterValue(std::vector<std::string> value) : data_{std::move(value)} {}
  /// Values of any kinds but bytes; those of one kind become a vector of it.
  ParameterValue(Array values) { assign(std::move(values)); }
  /// Values by name.
  ParameterValue(Dict value) : data_{std::move(value)} {}
  // NOLINTEND(google-explicit-constructor)
  /// Any other pointer would silently be a bool.
  template <class T, std::enable_if_t<!std::is_same_v<std::remove_cv_t<T>, char>, int> = 0>
  ParameterValue(T*) = delete;

  ParameterKind kind() const noexcept { return static_cast<ParameterKind>(data_.index()); }  ///< what it holds
  bool is_set() const noexcept { return kind() != ParameterKind::unset; }  ///< whether it holds anything

  /// The value, if it is of exactly this type: bool, std::int64_t, double, std::string, ByteArray, a vector of one of
  /// the first four, Array or Dict.
  template <class T>
  const T* get_if() const noexcept {
    static_assert(detail::is_one_of<T, Data>,
                  "a ParameterValue holds bool, std::int64_t, double, std::string, ByteArray, a vector of one of the "
                  "first four, Array or Dict");
    return std::get_if<T>(&data_);
  }

  /// A copy of the value as a `T`: also another integer type that it fits, an integer as a float, and an empty array as
  /// any array. Nothing when it is something else.
  template <class T>
  std::optional<T> to() const {
    if constexpr (std::is_same_v<T, ParameterValue>) {
      return *this;
    } else if constexpr (std::is_same_v<T, bool>) {
      return copy<bool>();
    } else if constexpr (std::is_integral_v<T>) {
      const auto* integer = get_if<std::int64_t>();
      if (integer == nullptr || static_cast<std::int64_t>(static_cast<T>(*integer)) != *integer) return std::nullopt;
      if (std::is_unsigned_v<T> && *integer < 0) return std::nullopt;
      return static_cast<T>(*integer);
    } else if constexpr (std::is_floating_point_v<T>) {
      if (const auto* integer = get_if<std::int64_t>()) return static_cast<T>(*integer);
      const auto* number = get_if<double>();
      return number == nullptr ? std::nullopt : std::optional<T>{static_cast<T>(*number)};
    } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, ByteArray> || std::is_same_v<T, Dict>) {
      return copy<T>();
    } else {
      if (is_empty_array()) return T{};
      return to_array<T>();
    }
  }

  /// The same kind and value; all empty arrays are equal.
  friend bool operator==(const ParameterValue& a, const ParameterValue& b) {
    return a.data_ == b.data_ || (a.is_empty_array() && b.is_empty_array());
  }
  /// Another kind or value.
  friend bool operator!=(const ParameterValue& a, const ParameterValue& b) { return !(a == b); }

 private:
  // In the order of ParameterKind.
  using Data = std::variant<std::monostate, bool, std::int64_t, double, std::string, ByteArray, std::vector<bool>,
                            std::vector<std::int64_t>, std::vector<double>, std::vector<std::string>, Array, Dict>;

  template <class T>
  std::optional<T> copy() const {
    const T* value = get_if<T>();
    return value == nullptr ? std::nullopt : std::optional<T>{*value};
  }

  template <class T>
  std::optional<T> to_array() const {
    if constexpr (std::is_same_v<T, std::vector<double>>) {
      if (const auto* integers = get_if<std::vector<std::int64_t>>()) return T(integers->begin(), integers->end());
    }
    if constexpr (std::is_same_v<T, Array>) {
      if (const auto* bools = get_if<std::vector<bool>>()) return T(bools->begin(), bools->end());
      if (const auto* integers = get_if<std::vector<std::int64_t>>()) return T(integers->begin(), integers->end());
      if (const auto* floats = get_if<std::vector<double>>()) return T(floats->begin(), floats->end());
      if (const auto* strings = get_if<std::vector<std::string>>()) return T(strings->begin(), strings->end());
    }
    return copy<T>();
  }

  template <class T>
  bool is_empty() const noexcept {
    const T* value = get_if<T>();
    return value != nullptr && value->empty();
  }

  bool is_empty_array() const noexcept {
    return is_empty<std::vector<bool>>() || is_empty<std::vector<std::int64_t>>() || is_empty<std::vector<double>>() ||
           is_empty<std::vector<std::string>>() || is_empty<Array>();
  }

  /// Elements of one kind make an array of that kind.
  void assign(Array values) {
    const auto all = [&values](ParameterKind kind) {
      return std::all_of(values.begin(), values.end(), [kind](const auto& value) { return value.kind() == kind; });
    };
    const auto kind = values.empty() ? ParameterKind::unset : values.front().kind();
    if (kind == ParameterKind::boolean && all(kind)) {
      data_ = gather<bool>(values);
    } else if (kind == ParameterKind::integer && all(kind)) {
      data_ = gather<std::int64_t>(values);
    } else if (kind == ParameterKind::floating && all(kind)) {
      data_ = gather<double>(values);
    } else if (kind == ParameterKind::string && all(kind)) {
      data_ = gather<std::string>(values);
    } else {
      data_ = std::move(values);
    }
  }

  template <class T>
  static std::vector<T> gather(const Array& values) {
    std::vector<T> gathered;
    gathered.reserve(values.size());
    for (const auto& value : values) {
      if (const T* element = value.get_if<T>()) gathered.push_back(*element);
    }
    return gathered;
  }

  Data data_ = {};
};

/// A name with a value. Without a value it is unset: `Parameter{"/old"}`.
struct Parameter {
  std::string name = {};      ///< unique on the robot
  ParameterValue value = {};  ///< what it is

  /// The same name and value.
  friend bool operator==(const Parameter& a, const Parameter& b) { return a.name == b.name && a.value == b.value; }
  /// Another name or value.
  friend bool operator!=(const Parameter& a, const Parameter& b) { return !(a == b); }
};

namespace detail {

/// Parameters as C wants them: views of values that outlive this object, and memory for what C wants in one piece.
class ParameterTables {
 public:
  explicit ParameterTables(const std::vector<Parameter>& parameters) {
    parameters_.reserve(parameters.size());
    for (const auto& parameter : parameters)
      parameters_.push_back(telelink_parameter{view(parameter.name), value(parameter.value)});
  }

  ParameterTables(const ParameterTables&) = delete;
  ParameterTables& operator=(const ParameterTables&) = delete;

  const telelink_parameter* data() const noexcept { return parameters_.data(); }
  std::size_t size() const noexcept { return parameters_.size(); }

  ParameterTables() = default;

  /// One value; lives as long as this object.
  telelink_parameter_value value(const ParameterValue& from) {
    telelink_parameter_value c = {};
    c.kind = static_cast<std::int32_t>(from.kind());
    if (const auto* boolean = from.get_if<bool>()) c.data.boolean = *boolean;
    if (const auto* integer = from.get_if<std::int64_t>()) c.data.integer = *integer;
    if (const auto* number = from.get_if<double>()) c.data.number = *number;
    if (const auto* string = from.get_if<std::string>()) c.data.string = view(*string);
    if (const auto* bytes = from.get_if<ParameterValue::ByteArray>()) c.data.bytes = byte_view(*bytes);
    if (const auto* bools = from.get_if<std::vector<bool>>()) c.data.bools = keep_bools(*bools);
    if (const auto* integers = from.get_if<std::vector<std::int64_t>>()) {
      c.data.integers = telelink_integer_array{integers->data(), integers->size()};
    }
    if (const auto* floats = from.get_if<std::vector<double>>()) {
      c.data.floats = telelink_float_array{floats->data(), floats->size()};
    }
    if (const auto* strings = from.get_if<std::vector<std::string>>()) {
      strings_.push_back(views(*strings));
      c.data.strings = telelink_string_array{strings_.back().data(), strings_.back().size()};
    }
    if (const auto* values = from.get_if<ParameterValue::Array>()) c.data.values = keep_values(*values);
    if (const auto* dict = from.get_if<ParameterValue::Dict>()) c.data.entries = keep_entries(*dict);
    return c;
  }

 private:
  // What is kept never moves: vectors that move keep their elements where they are.
  telelink_bool_array keep_bools(const std::vector<bool>& bools) {
    auto kept = std::make_unique<bool[]>(bools.size());
    std::copy(bools.begin(), bools.end(), kept.get());
    bools_.push_back(std::move(kept));
    return telelink_bool_array{bools_.back().get(), bools.size()};
  }

  telelink_parameter_value_array keep_values(const ParameterValue::Array& values) {
    std::vector<telelink_parameter_value> kept;
    kept.reserve(values.size());
    for (const auto& element : values)
      kept.push_back(value(element));
    values_.push_back(std::move(kept));
    return telelink_parameter_value_array{values_.back().data(), values_.back().size()};
  }

  telelink_parameter_array keep_entries(const ParameterValue::Dict& dict) {
    std::vector<telelink_parameter> kept;
    kept.reserve(dict.size());
    for (const auto& [key, entry] : dict)
      kept.push_back(telelink_parameter{view(key), value(entry)});
    entries_.push_back(std::move(kept));
    return telelink_parameter_array{entries_.back().data(), entries_.back().size()};
  }

  std::vector<telelink_parameter> parameters_ = {};
  std::vector<std::unique_ptr<bool[]>> bools_ = {};
  std::vector<std::vector<telelink_str>> strings_ = {};
  std::vector<std::vector<telelink_parameter_value>> values_ = {};
  std::vector<std::vector<telelink_parameter>> entries_ = {};
};

/// Elements of an array of C.
template <class T>
std::vector<T> elements(const T* data, std::size_t size) {
  return size == 0 ? std::vector<T>{} : std::vector<T>(data, data + size);
}

inline ParameterValue parameter_value(const telelink_parameter_value& c) {
  const auto& data = c.data;
  switch (static_cast<ParameterKind>(c.kind)) {
    case ParameterKind::boolean:
      return data.boolean;
    case ParameterKind::integer:
      return data.integer;
    case ParameterKind::floating:
      return data.number;
    case ParameterKind::string:
      return text(data.string);
    case ParameterKind::bytes:
      return elements(data.bytes.data, data.bytes.len);
    case ParameterKind::bool_array:
      return elements(data.bools.data, data.bools.len);
    case ParameterKind::integer_array:
      return elements(data.integers.data, data.integers.len);
    case ParameterKind::float_array:
      return elements(data.floats.data, data.floats.len);
    case ParameterKind::string_array: {
      std::vector<std::string> strings;
      strings.reserve(data.strings.len);
      for (std::size_t i = 0; i < data.strings.len; ++i)
        strings.emplace_back(text(data.strings.data[i]));
      return strings;
    }
    case ParameterKind::array: {
      ParameterValue::Array values;
      values.reserve(data.values.len);
      for (std::size_t i = 0; i < data.values.len; ++i)
        values.push_back(parameter_value(data.values.data[i]));
      return values;
    }
    case ParameterKind::dict: {
      ParameterValue::Dict dict;
      for (std::size_t i = 0; i < data.entries.len; ++i) {
        const auto& entry = data.entries.data[i];
        dict.insert_or_assign(std::string{text(entry.name)}, parameter_value(entry.value));
      }
      return dict;
    }
    case ParameterKind::unset:
      break;
  }
  return {};
}

inline Parameter parameter(const telelink_parameter& c) {
  return Parameter{std::string{text(c.name)}, parameter_value(c.value)};
}

inline std::vector<Parameter> parameters(const telelink_parameter* data, std::size_t size) {
  std::vector<Parameter> parameters;
  parameters.reserve(size);
  for (std::size_t i = 0; i < size; ++i)
    parameters.push_back(parameter(data[i]));
  return parameters;
}

inline std::vector<std::string> strings(const telelink_str* data, std::size_t size) {
  std::vector<std::string> strings;
  strings.reserve(size);
  for (std::size_t i = 0; i < size; ++i)
    strings.emplace_back(text(data[i]));
  return strings;
}

/// An id that the viewer may not have given; an empty one is not the same as none.
inline std::optional<std::string_view> optional_text(telelink_str view) noexcept {
  if (view.data == nullptr) return std::nullopt;
  return text(view);
}

}  // namespace detail

/// A viewer wants to know values. `client` and `request_id` are valid during the callback.
struct GetParametersRequest {
  ClientView client{nullptr};                                 ///< who asks
  std::optional<std::string_view> request_id = std::nullopt;  ///< the viewer's id of the request
  std::vector<std::string> names = {};                        ///< which parameters; empty: all
};

/// A viewer wants to change values. `client` and `request_id` are valid during the callback.
struct SetParametersRequest {
  ClientView client{nullptr};                                 ///< who asks
  std::optional<std::string_view> request_id = std::nullopt;  ///< without one the viewer gets no answer
  std::vector<Parameter> parameters = {};                     ///< as wanted; one that is unset is to be deleted
};

/// Answers one request about parameters: once, from any thread, also after the callback has returned, also after the
/// session has gone. Destroyed unanswered, it tells the viewer that the request was dropped. Answers to a viewer that
/// has left go nowhere and are Status::ok; a second answer is Status::already_responded.
class ParameterResponder {
 public:
  /// Answers with values; unset ones are left out. Status::invalid_value when one cannot be sent (NaN, say): then the
  /// request can still be answered.
  Status respond(const std::vector<Parameter>& parameters) const {
    const detail::ParameterTables tables{parameters};
    return static_cast<Status>(telelink_parameter_responder_respond(handle_.get(), tables.data(), tables.size()));
  }

  /// Answers with an error status; the viewer sees `message`.
  Status fail(std::string_view message) const noexcept {
    return static_cast<Status>(telelink_parameter_responder_fail(handle_.get(), detail::view(message)));
  }

  /// Takes over an object of C.
  explicit ParameterResponder(telelink_parameter_responder* responder) noexcept : handle_{responder} {}

 private:
  detail::Handle<telelink_parameter_responder, telelink_parameter_responder_free> handle_;
};

/// Reads and writes the robot's parameters for viewers. A ParameterStore does this by itself.
///
/// The functions run on threads of the session; requests of one viewer one at a time, in their order. They may block,
/// or keep the responder and return. An exception that leaves them is reported on standard error, and the viewer gets
/// an error.
struct ParameterHandler {
  /// Answer with the values; leave out what is unknown. Required.
  std::function<void(const GetParametersRequest&, ParameterResponder)> get = {};
  /// Apply what can be applied and answer with the values as they are now. Other viewers learn of it by
  /// Session::publish_parameter_values() alone. Required.
  std::function<void(const SetParametersRequest&, ParameterResponder)> set = {};
};

namespace detail {

template <class Mode>
struct ParameterTrampolines {
  static const ParameterHandler& self(void* context) noexcept { return *static_cast<const ParameterHandler*>(context); }

  static void on_get(void* context, const telelink_get_parameters_request* request,
                     telelink_parameter_responder* responder) noexcept {
    Contain<Mode>::run("parameter_handler.get", [&] {
      ParameterResponder answer{responder};
      const GetParametersRequest view{ClientView{request->client}, optional_text(request->request_id),
                                      strings(request->names, request->names_count)};
      self(context).get(view, std::move(answer));
    });
  }

  static void on_set(void* context, const telelink_set_parameters_request* request,
                     telelink_parameter_responder* responder) noexcept {
    Contain<Mode>::run("parameter_handler.set", [&] {
      ParameterResponder answer{responder};
      const SetParametersRequest view{ClientView{request->client}, optional_text(request->request_id),
                                      parameters(request->parameters, request->parameters_count)};
      self(context).set(view, std::move(answer));
    });
  }
};

}  // namespace detail
}  // namespace telelink
