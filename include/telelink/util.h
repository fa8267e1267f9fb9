/**
 * @file util.h
 * Small helpers for C programs. Included by telelink.h.
 */
#ifndef TELELINK_UTIL_H
#define TELELINK_UTIL_H

#include <telelink/telelink.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A view of a text that ends with NUL. NULL gives an empty one. Borrows `text`. */
static inline telelink_str telelink_text(const char* text) {
  telelink_str view;
  view.data = text;
  view.len = text ? strlen(text) : 0;
  return view;
}

/** A view of `len` bytes. Borrows them. */
static inline telelink_bytes telelink_data(const void* data, size_t len) {
  telelink_bytes view;
#ifdef __cplusplus
  view.data = static_cast<const uint8_t*>(data);
#else
  view.data = (const uint8_t*)data;
#endif
  view.len = len;
  return view;
}

/** The bytes of a text that ends with NUL, without the NUL. NULL gives none. Borrows `text`. */
static inline telelink_bytes telelink_text_data(const char* text) {
  return telelink_data(text, text ? strlen(text) : 0);
}

/** No value. */
static inline telelink_parameter_value telelink_unset_value(void) {
  telelink_parameter_value value;
  memset(&value, 0, sizeof value);
  value.kind = TELELINK_PARAMETER_KIND_UNSET;
  return value;
}

/** A bool. */
static inline telelink_parameter_value telelink_bool_value(bool boolean) {
  telelink_parameter_value value = telelink_unset_value();
  value.kind = TELELINK_PARAMETER_KIND_BOOL;
  value.data.boolean = boolean;
  return value;
}

/** An integer. */
static inline telelink_parameter_value telelink_integer_value(int64_t integer) {
  telelink_parameter_value value = telelink_unset_value();
  value.kind = TELELINK_PARAMETER_KIND_INTEGER;
  value.data.integer = integer;
  return value;
}

/** A float; has to be finite. */
static inline telelink_parameter_value telelink_float_value(double number) {
  telelink_parameter_value value = telelink_unset_value();
  value.kind = TELELINK_PARAMETER_KIND_FLOAT;
  value.data.number = number;
  return value;
}

/** A text. Borrows it. */
static inline telelink_parameter_value telelink_string_value(telelink_str string) {
  telelink_parameter_value value = telelink_unset_value();
  value.kind = TELELINK_PARAMETER_KIND_STRING;
  value.data.string = string;
  return value;
}

/** Bytes. Borrows them. */
static inline telelink_parameter_value telelink_bytes_value(telelink_bytes bytes) {
  telelink_parameter_value value = telelink_unset_value();
  value.kind = TELELINK_PARAMETER_KIND_BYTES;
  value.data.bytes = bytes;
  return value;
}

/** Bools. Borrows them. */
static inline telelink_parameter_value telelink_bool_array_value(const bool* data, size_t len) {
  telelink_parameter_value value = telelink_unset_value();
  value.kind = TELELINK_PARAMETER_KIND_BOOL_ARRAY;
  value.data.bools.data = data;
  value.data.bools.len = len;
  return value;
}

/** Integers. Borrows them. */
static inline telelink_parameter_value telelink_integer_array_value(const int64_t* data, size_t len) {
  telelink_parameter_value value = telelink_unset_value();
  value.kind = TELELINK_PARAMETER_KIND_INTEGER_ARRAY;
  value.data.integers.data = data;
  value.data.integers.len = len;
  return value;
}

/** Floats; have to be finite. Borrows them. */
static inline telelink_parameter_value telelink_float_array_value(const double* data, size_t len) {
  telelink_parameter_value value = telelink_unset_value();
  value.kind = TELELINK_PARAMETER_KIND_FLOAT_ARRAY;
  value.data.floats.data = data;
  value.data.floats.len = len;
  return value;
}

/** Texts. Borrows them. */
static inline telelink_parameter_value telelink_string_array_value(const telelink_str* data, size_t len) {
  telelink_parameter_value value = telelink_unset_value();
  value.kind = TELELINK_PARAMETER_KIND_STRING_ARRAY;
  value.data.strings.data = data;
  value.data.strings.len = len;
  return value;
}

/** Values of any kinds but bytes. Borrows them. */
static inline telelink_parameter_value telelink_array_value(const telelink_parameter_value* data, size_t len) {
  telelink_parameter_value value = telelink_unset_value();
  value.kind = TELELINK_PARAMETER_KIND_ARRAY;
  value.data.values.data = data;
  value.data.values.len = len;
  return value;
}

/** A dictionary of `len` entries. Borrows them. */
static inline telelink_parameter_value telelink_dict_value(const telelink_parameter* data, size_t len) {
  telelink_parameter_value value = telelink_unset_value();
  value.kind = TELELINK_PARAMETER_KIND_DICT;
  value.data.entries.data = data;
  value.data.entries.len = len;
  return value;
}

/** A parameter, or an entry of a dictionary. Borrows the name, which ends with NUL, and what the value borrows. */
static inline telelink_parameter telelink_parameter_of(const char* name, telelink_parameter_value value) {
  telelink_parameter parameter;
  parameter.name = telelink_text(name);
  parameter.value = value;
  return parameter;
}

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* TELELINK_UTIL_H */
