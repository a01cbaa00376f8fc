/* log.c - formats a line, limits its rate, writes it with one write(2). */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048, KINDS = 64, BURST = 10, WINDOW_MS = 10 * 1000 };

/* One kind of event, for the rate limit. Events are told apart by their name's text. */
struct kind {
    char event[40];
    int64_t window_start_ms;
    unsigned in_window, held_back;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* librdkafka logs from its own threads */
static enum log_level level_limit = LOG_INFO;
static char who[64] = "weir";
static struct kind kinds[KINDS];
static unsigned long alarms;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_set_level(enum log_level level)
{
    level_limit = level;
}

bool log_level_parse(const char *name, enum log_level *level)
{
    for (int i = 0; i < 4; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_set_name(const char *name)
{
    snprintf(who, sizeof who, "%s", name);
}

unsigned long log_alarms(void)
{
    return alarms;
}

/* A full table evicts by hash: the limit is a courtesy, not a promise. */
static struct kind *kind_of(const char *event)
{
    unsigned hash = 5381;
    for (const char *c = event; *c; c++) {
        hash = hash * 33 + (unsigned char)*c;
    }
    struct kind *kind = &kinds[hash % KINDS];
    if (strncmp(kind->event, event, sizeof kind->event - 1) != 0) {
        *kind = (struct kind){0};
        snprintf(kind->event, sizeof kind->event, "%s", event);
    }
    return kind;
}

/* Says whether this line may go out, and how many before it did not. */
static bool let_through(enum log_level level, const char *event, int64_t now_ms,
                        unsigned *held_back)
{
    *held_back = 0;
    if (level > LOG_WARN) {
        return true;
    }
    alarms++;
    struct kind *kind = kind_of(event);
    if (now_ms - kind->window_start_ms >= WINDOW_MS) {
        kind->window_start_ms = now_ms;
        kind->in_window = 0;
    }
    if (kind->in_window >= BURST) {
        kind->held_back++;
        return false;
    }
    kind->in_window++;
    *held_back = kind->held_back;
    kind->held_back = 0;
    return true;
}

static size_t clipped(int written, size_t room)
{
    if (written < 0) {
        return 0;
    }
    return (size_t)written < room ? (size_t)written : room - 1;
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    if (level > level_limit) {
        return;
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;

    pthread_mutex_lock(&lock);
    unsigned held_back;
    if (let_through(level, event, now_ms, &held_back)) {
        char line[LINE_MAX_BYTES];
        struct tm utc;
        gmtime_r(&now.tv_sec, &utc);
        size_t used = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &utc);
        used += clipped(snprintf(line + used, sizeof line - used, ".%03ldZ %s %s %s ",
                                 now.tv_nsec / 1000000, level_names[level], who, event),
                        sizeof line - used);
        va_list args;
        va_start(args, format);
        used += clipped(vsnprintf(line + used, sizeof line - used - 1, format, args),
                        sizeof line - used - 1);
        va_end(args);
        if (held_back > 0) {
            used +=
                clipped(snprintf(line + used, sizeof line - used - 1, " held_back=%u", held_back),
                        sizeof line - used - 1);
        }
        for (size_t i = 0; i < used; i++) {
            if ((unsigned char)line[i] < ' ' || line[i] == 127) {
                line[i] = ' ';
            }
        }
        line[used++] = '\n';
        ssize_t ignored = write(STDERR_FILENO, line, used);
        (void)ignored;
    }
    pthread_mutex_unlock(&lock);
}
