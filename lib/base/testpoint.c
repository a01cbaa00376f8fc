/* testpoint.c - kill -9, or a stop, at a named place, for the crash tests. */
#include "base/testpoint.h"

typedef int testpoint_c_is_empty_without_testpoints; /* ISO C wants a declaration in every file */

#ifdef WEIR_TESTPOINTS

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static void obey(const char *order, const char *name, atomic_long *reached, int number)
{
    size_t length = strlen(name);
    if (order && strncmp(order, name, length) == 0 && order[length] == ':' &&
        atomic_fetch_add(reached, 1) + 1 == strtol(order + length + 1, NULL, 10)) {
        raise(number);
    }
}

/* Called from librdkafka's threads too, hence the atomics. */
void testpoint_reached(const char *name)
{
    static atomic_long kills, stops;
    obey(getenv("WEIR_KILL_AT"), name, &kills, SIGKILL);
    obey(getenv("WEIR_STOP_AT"), name, &stops, SIGSTOP);
}

#endif
