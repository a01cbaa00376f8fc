/* memory.c - see memory.h. */
#include "simulation/memory.h"

#include <malloc.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/error.h"
#include "simulation/machine.h"

enum { KEPT_BYTES = 256 * 1024 * 1024 };

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

/* A connection opens with thousands of allocations, and most of a world is opening connections. So
 * what SQLite gives back is kept, by size, for whoever asks next. */
enum { BLOCK_BITS_MIN = 5, BLOCK_BITS_MAX = 30 };

union block {
    struct {
        int bits; /* its room is 1 << bits */
        union block *next;
    };
    max_align_t aligned;
};

static union block *spare[BLOCK_BITS_MAX + 1];

static int bits_for(int size)
{
    int bits = BLOCK_BITS_MIN;
    while (bits < BLOCK_BITS_MAX && 1 << bits < size) {
        bits++;
    }
    return bits;
}

static void *block_take(int size)
{
    int bits = bits_for(size);
    union block *block = spare[bits];
    if (block) {
        spare[bits] = block->next;
    } else {
        block = __real_malloc(sizeof *block + ((size_t)1 << bits));
        CHECK(block != NULL);
        block->bits = bits;
    }
    return block + 1;
}

static void sqlite_free(void *memory)
{
    union block *block = (union block *)memory - 1;
    block->next = spare[block->bits];
    spare[block->bits] = block;
}

static int sqlite_size(void *memory)
{
    return memory ? 1 << ((union block *)memory - 1)->bits : 0;
}

static int sqlite_round_up(int size)
{
    return 1 << bits_for(size);
}

static void *sqlite_malloc(int size)
{
    return gives_out(MEMORY_SQLITE) ? NULL : block_take(size);
}

static void *sqlite_realloc(void *old, int size)
{
    if (gives_out(MEMORY_SQLITE)) {
        return NULL;
    }
    if (size <= sqlite_size(old)) {
        return old;
    }
    void *new = block_take(size);
    memcpy(new, old, (size_t)sqlite_size(old));
    sqlite_free(old);
    return new;
}

static int sqlite_begin(void *context)
{
    (void)context;
    return SQLITE_OK;
}

static void sqlite_end(void *context)
{
    (void)context;
}

void memory_register(void)
{
    sqlite3_mem_methods methods = {.xMalloc = sqlite_malloc,
                                   .xFree = sqlite_free,
                                   .xRealloc = sqlite_realloc,
                                   .xSize = sqlite_size,
                                   .xRoundup = sqlite_round_up,
                                   .xInit = sqlite_begin,
                                   .xShutdown = sqlite_end};
    CHECK_EQUAL(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods), SQLITE_OK);
    CHECK_EQUAL(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0), SQLITE_OK);
    CHECK_EQUAL(sqlite3_config(SQLITE_CONFIG_SINGLETHREAD), SQLITE_OK);
    /* Worlds come and go: what one gives back the next one needs. */
    (void)mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
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
