/* file.h - a whole file, or standard input, in memory. */
#ifndef WEIR_TOOLS_FILE_H
#define WEIR_TOOLS_FILE_H

#include "base/buffer.h"
#include "base/error.h"

/* Appends what `path` holds ("-": standard input). FATAL with EXIT_DATA when it cannot be read or
 * is larger than `max` bytes. */
MUST_CHECK enum outcome file_read(const char *path, size_t max, struct buffer *out,
                                  struct error *error);

/* Replaces `path` in one step: a reader sees the old text or the new one. FATAL with EXIT_IO. */
MUST_CHECK enum outcome file_replace(const char *path, const struct buffer *text,
                                     struct error *error);

#endif
