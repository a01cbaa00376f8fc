/* memory.c - see memory.h. */
#include "simulation/memory.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/error.h"
#include "simulation/machine.h"

static memory_chooser *chooser;
static void *chooser_context;
static bool choosing; /* the chooser may allocate */
static struct dice chance;

void memory_set_chooser(memory_chooser *chosen, void *context)
{
    chooser = chosen;
    chooser_context = context;
}

static bool gives_out(enum memory_call call)
{
    if (!chooser || choosing) {
        return false;
    }
    choosing = true;
    bool so = chooser(chooser_context, call);
    choosing = false;
    return so;
}

/* ---- our own ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
ssize_t __wrap_getrandom(void *bytes, size_t size, unsigned flags);

static void ask(void)
{
    if (gives_out(MEMORY_OURS)) {
        machine_crash(machine_at_work());
    }
}

void *__wrap_malloc(size_t size)
{
    ask();
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    ask();
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    ask();
    return __real_realloc(old, size);
}

/* ---- SQLite's ---- */

static sqlite3_mem_methods system_methods;

static void *sqlite_malloc(int size)
{
    return gives_out(MEMORY_SQLITE) ? NULL : system_methods.xMalloc(size);
}

static void *sqlite_realloc(void *old, int size)
{
    return gives_out(MEMORY_SQLITE) ? NULL : system_methods.xRealloc(old, size);
}

void memory_register(void)
{
    CHECK_EQUAL(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &system_methods), SQLITE_OK);
    sqlite3_mem_methods methods = system_methods;
    methods.xMalloc = sqlite_malloc;
    methods.xRealloc = sqlite_realloc;
    CHECK_EQUAL(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods), SQLITE_OK);
    CHECK_EQUAL(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0), SQLITE_OK);
}

/* ---- chance ---- */

void memory_set_chance(uint64_t seed)
{
    chance = dice_for(seed, 'r');
    sqlite3_randomness(0, NULL); /* it asks the VFS again */
}

ssize_t __wrap_getrandom(void *bytes, size_t size, unsigned flags)
{
    (void)flags;
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)bytes)[i] = (uint8_t)dice_next(&chance);
    }
    return (ssize_t)size;
}
