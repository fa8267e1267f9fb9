/**
 * @file export.h
 * Which functions telelink exports. Included by telelink.h.
 */
#ifndef TELELINK_EXPORT_H
#define TELELINK_EXPORT_H

#if defined(_WIN32) && !defined(TELELINK_STATIC)
#define TELELINK_API __declspec(dllimport)
#elif defined(__GNUC__)
#define TELELINK_API __attribute__((visibility("default")))
#else
#define TELELINK_API
#endif

#endif /* TELELINK_EXPORT_H */
