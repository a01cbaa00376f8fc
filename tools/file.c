/* file.c - reads and replaces whole files. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { READ_STEP = 64 * 1024 };

enum outcome file_read(const char *path, size_t max, struct buffer *out, struct error *error)
{
    int handle = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    const char *name = handle == STDIN_FILENO ? "standard input" : path;
    if (handle < 0) {
        return fail_exit(error, EXIT_DATA, "%s: %s", path, strerror(errno));
    }
    ssize_t count;
    while ((count = read(handle, buffer_reserve(out, READ_STEP), READ_STEP)) != 0) {
        if (count > 0) {
            out->size += (size_t)count;
        }
        if ((count < 0 && errno != EINTR) || out->size > max) {
            break;
        }
    }
    int code = errno;
    if (handle != STDIN_FILENO) {
        close(handle);
    }
    if (count < 0) {
        return fail_exit(error, EXIT_DATA, "%s: %s", name, strerror(code));
    }
    if (out->size > max) {
        return fail_exit(error, EXIT_DATA, "%s: larger than %zu bytes", name, max);
    }
    return OK;
}

enum outcome file_replace(const char *path, const struct buffer *text, struct error *error)
{
    char beside[4096];
    int length = snprintf(beside, sizeof beside, "%s.new", path);
    if (length < 0 || (size_t)length >= sizeof beside) {
        return fail_exit(error, EXIT_IO, "%s: the path is too long", path);
    }
    FILE *file = fopen(beside, "we");
    if (!file) {
        return fail_exit(error, EXIT_IO, "%s: %s", beside, strerror(errno));
    }
    bool written = text->size == 0 || fwrite(text->data, text->size, 1, file) == 1;
    if (fclose(file) != 0 || !written || rename(beside, path) != 0) {
        int code = errno;
        unlink(beside);
        return fail_exit(error, EXIT_IO, "%s: %s", path, strerror(code));
    }
    return OK;
}
