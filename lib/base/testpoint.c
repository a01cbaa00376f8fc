/* testpoint.c - kill -9 at a named place, for the crash tests. */
#include "base/testpoint.h"

typedef int testpoint_c_is_empty_without_testpoints; /* ISO C wants a declaration in every file */

#ifdef WEIR_TESTPOINTS

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Called from librdkafka's threads too, hence the atomic. */
void testpoint_reached(const char *name)
{
    static atomic_long reached;
    const char *wanted = getenv("WEIR_KILL_AT");
    size_t length = strlen(name);
    if (!wanted || strncmp(wanted, name, length) != 0 || wanted[length] != ':') {
        return;
    }
    if (atomic_fetch_add(&reached, 1) + 1 == strtol(wanted + length + 1, NULL, 10)) {
        kill(getpid(), SIGKILL);
        pause();
    }
}

#endif
