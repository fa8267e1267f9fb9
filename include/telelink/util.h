/**
 * @file util.h
 * Small helpers for C programs. Included by telelink.h.
 */
#ifndef TELELINK_UTIL_H
#define TELELINK_UTIL_H

#include <telelink/telelink.h>

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
  view.len = text != NULL ? strlen(text) : 0;
  return view;
}

/** A view of `len` bytes. Borrows them. */
static inline telelink_bytes telelink_data(const void* data, size_t len) {
  telelink_bytes view;
  view.data = (const uint8_t*)data;
  view.len = len;
  return view;
}

/** The bytes of a text that ends with NUL, without the NUL. NULL gives none. Borrows `text`. */
static inline telelink_bytes telelink_text_data(const char* text) {
  return telelink_data(text, text != NULL ? strlen(text) : 0);
}

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* TELELINK_UTIL_H */
