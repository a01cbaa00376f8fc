/* scarce_memory.c - counts, fails, or passes on. */
#include "protocol/scarce_memory.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "base/error.h"

jmp_buf scarce_memory_death;

static bool running, armed;
static enum memory_owner failing_owner;
static long count, failing;

void scarce_memory_begin(enum memory_owner owner, long site)
{
    armed = true;
    failing_owner = owner;
    failing = site;
    count = 0;
}

void scarce_memory_end(void)
{
    armed = false;
}

long scarce_memory_sites(void)
{
    return count;
}

bool scarce_memory_runs(bool now)
{
    bool before = running;
    running = now;
    return before;
}

static bool fails(enum memory_owner owner)
{
    return running && armed && owner == failing_owner && ++count == failing;
}

/* ---- ours ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
_Noreturn void __real_abort(void);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t number, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
_Noreturn void __wrap_abort(void);

void *__wrap_malloc(size_t size)
{
    return fails(OURS) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t number, size_t size)
{
    return fails(OURS) ? NULL : __real_calloc(number, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails(OURS) ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
    return fails(OURS) ? NULL : __real_strdup(text);
}

_Noreturn void __wrap_abort(void)
{
    if (!running) {
        __real_abort();
    }
    running = false;
    longjmp(scarce_memory_death, 1);
}

/* ---- SQLite's ---- */

static sqlite3_mem_methods memory;

static void *sqlite_malloc(int size)
{
    return fails(SQLITES) ? NULL : memory.xMalloc(size);
}

static void *sqlite_realloc(void *old, int size)
{
    return fails(SQLITES) ? NULL : memory.xRealloc(old, size);
}

void scarce_memory_register(void)
{
    sqlite3_mem_methods wrapped;
    CHECK_EQUAL(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory), SQLITE_OK);
    wrapped = memory;
    wrapped.xMalloc = sqlite_malloc;
    wrapped.xRealloc = sqlite_realloc;
    CHECK_EQUAL(sqlite3_config(SQLITE_CONFIG_MALLOC, &wrapped), SQLITE_OK);
    CHECK_EQUAL(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
}
