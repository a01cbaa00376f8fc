/* log.h - one event a line: time, level, who, event, then key=value fields. Never a payload.
 *
 *     2026-11-21T16:50:00.123Z info inventory.p0 committed commit=17 records=250 ms=4.2
 *
 * Lines go to standard error. An event of level warn or error that comes more than 10 times in 10 s
 * is held back; the next one that is let through says how many were (`held_back=N`).
 */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level);
bool log_level_parse(const char *name,
                     enum log_level *level); /* "error", "warn", "info", "debug" */

/* Who speaks, on every line: "inventory.p0". At most 63 bytes are kept. */
void log_set_name(const char *name);

/* `format` gives the fields: "records=%d error=\"%s\"". Control characters become spaces. Safe from
 * any thread. */
void log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* How many events of level warn and error were logged or held back so far (tests ask). */
unsigned long log_alarms(void);

#endif
