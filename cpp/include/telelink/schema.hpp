// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/bytes.hpp>
#include <telelink/detail/view.hpp>
#include <telelink/telelink.h>

#include <string>
#include <string_view>
#include <utility>

namespace telelink {

/// What a message means.
struct Schema {
  std::string name = {};      ///< for example "foxglove.Log"
  std::string encoding = {};  ///< "jsonschema", "protobuf", "ros2msg", ...
  std::string data = {};      ///< text, or the bytes of a FileDescriptorSet; at most 8 MiB
};

/// How messages are written, and what they mean: the second argument of Context::channel(). The functions below make
/// the usual ones.
struct Format {
  std::string encoding = {};  ///< message encoding: "json", "protobuf", "cdr", "ros1", "flatbuffer" or your own
  bool has_schema = false;    ///< whether `schema` counts
  Schema schema = {};         ///< viewers need one for "protobuf", "flatbuffer", "ros1" and "cdr"
};

/// JSON without a schema.
inline Format json() {
  return Format{"json", false, {}};
}

/// JSON objects described by the JSON Schema `text`; `name` is the name of the type.
inline Format json_schema(std::string name, std::string text) {
  return Format{"json", true, Schema{std::move(name), "jsonschema", std::move(text)}};
}

/// Protocol buffers: `name` is the full name of the message type, `descriptor_set` a serialized FileDescriptorSet that
/// has it and all it needs.
inline Format protobuf(std::string name, Bytes descriptor_set) {
  return Format{"protobuf", true, Schema{std::move(name), "protobuf", std::string{descriptor_set.text()}}};
}

/// ROS 2 messages (CDR): `name` like "sensor_msgs/msg/Imu", `text` the .msg definition with its dependencies, each
/// after a line of 80 `=` and a line `MSG: <name>`.
inline Format ros2msg(std::string name, std::string text) {
  return Format{"cdr", true, Schema{std::move(name), "ros2msg", std::move(text)}};
}

/// ROS 1 messages: as ros2msg().
inline Format ros1msg(std::string name, std::string text) {
  return Format{"ros1", true, Schema{std::move(name), "ros1msg", std::move(text)}};
}

/// FlatBuffers: `name` is the full name of the root table, `bfbs` the binary schema.
inline Format flatbuffer(std::string name, Bytes bfbs) {
  return Format{"flatbuffer", true, Schema{std::move(name), "flatbuffer", std::string{bfbs.text()}}};
}

/// Any other encoding, without a schema.
inline Format encoding(std::string name) {
  return Format{std::move(name), false, {}};
}

/// A schema that somebody else owns.
struct SchemaView {
  std::string_view name = {};      ///< name of the type
  std::string_view encoding = {};  ///< as Schema::encoding
  Bytes data = {};                 ///< as Schema::data
};

namespace detail {

inline telelink_schema view(const Schema& schema) noexcept {
  return telelink_schema{view(schema.name), view(schema.encoding), byte_view(schema.data)};
}

inline SchemaView schema_view(const telelink_schema& schema) noexcept {
  return SchemaView{text(schema.name), text(schema.encoding), bytes(schema.data)};
}

}  // namespace detail
}  // namespace telelink
