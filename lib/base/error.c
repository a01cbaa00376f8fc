/* error.c - error texts and failed checks. */
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum outcome fail(struct error *error, enum outcome outcome, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    error->exit_code = EXIT_BUG;
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return outcome;
}

enum outcome fail_exit(struct error *error, int exit_code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    error->exit_code = exit_code;
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return FATAL;
}

void error_prefix(struct error *error, const char *format, ...)
{
    char text[sizeof error->text];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (length < 0) {
        return;
    }
    size_t used = (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
    const char *const pieces[] = {": ", error->text};
    for (size_t i = 0; i < 2; i++) {
        size_t room = sizeof text - 1 - used, size = strlen(pieces[i]);
        size = size < room ? size : room;
        memcpy(text + used, pieces[i], size);
        used += size;
    }
    text[used] = 0;
    memcpy(error->text, text, used + 1);
}

static _Noreturn void end_with_bug(void)
{
    fflush(NULL);
#ifdef WEIR_FUZZ
    abort(); /* libFuzzer keeps the input that ends in a signal, not one that ends the process */
#else
    _exit(EXIT_BUG);
#endif
}

void check_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "weir: bug: CHECK(%s) failed at %s:%d\n", condition, file, line);
    end_with_bug();
}

void check_equal_failed(const char *file, int line, const char *condition, long long a, long long b)
{
    fprintf(stderr, "weir: bug: CHECK(%s) failed at %s:%d: %lld is not %lld\n", condition, file,
            line, a, b);
    end_with_bug();
}
