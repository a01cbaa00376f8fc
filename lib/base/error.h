/* error.h - what went wrong, and what the caller is to do about it.
 *
 * Inside lib/ every fallible call returns an outcome (the instruction) and writes the cause as text
 * into the caller's struct error: what happened, to what, and what to do. Library code never logs
 * an error it returns.
 */
#ifndef WEIR_BASE_ERROR_H
#define WEIR_BASE_ERROR_H

#include <stdarg.h>

#define MUST_CHECK __attribute__((warn_unused_result))

enum outcome {
    OK,    /* done */
    RETRY, /* nothing happened; the same call may succeed later */
    ABORT, /* the open transaction cannot be committed: abort it and handle the take again */
    FATAL, /* this task, or this process, cannot go on */
};

struct error {
    int exit_code; /* for FATAL: what the process should exit with (see EX_* below) */
    char text[1000];
};

/* Exit codes of every weir command (sysexits.h has the numbers). */
enum {
    EXIT_DONE = 0,
    EXIT_USAGE = 64,       /* bad flags */
    EXIT_DATA = 65,        /* bad input data, or an audit that found something */
    EXIT_UNAVAILABLE = 69, /* no broker */
    EXIT_BUG = 70,         /* a CHECK failed */
    EXIT_IO = 74,          /* the state directory cannot be used */
    EXIT_TRY_AGAIN = 75,   /* fenced or rebalanced away: start me again */
    EXIT_CONFIG = 78,      /* refused configuration, topic or state: a person must mend it */
};

/* Writes the text and returns `outcome`, so that one can write: return fail(error, RETRY, "...",
 * ...). */
enum outcome fail(struct error *error, enum outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for FATAL with an exit code. */
enum outcome fail_exit(struct error *error, int exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "text: " in front of what is there. */
void error_prefix(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A broken promise of our own code: prints both sides and aborts with EXIT_BUG. Never compiled out.
 */
#define CHECK(condition)                                  \
    do {                                                  \
        if (!(condition)) {                               \
            check_failed(__FILE__, __LINE__, #condition); \
        }                                                 \
    } while (0)

#define CHECK_EQUAL(a, b)                                                             \
    do {                                                                              \
        long long check_a_ = (long long)(a), check_b_ = (long long)(b);               \
        if (check_a_ != check_b_) {                                                   \
            check_equal_failed(__FILE__, __LINE__, #a " == " #b, check_a_, check_b_); \
        }                                                                             \
    } while (0)

/* What can only be reached through a bug: says so and ends like a failed CHECK. */
#define BUG(text) check_failed(__FILE__, __LINE__, text)

_Noreturn void check_failed(const char *file, int line, const char *condition);
_Noreturn void check_equal_failed(const char *file, int line, const char *condition, long long a,
                                  long long b);

#endif
