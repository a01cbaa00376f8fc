/* index.c - see index.h. */
#include "simulation/index.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"

int index_map(struct wal_index *index, struct index_user *user, int page, int size, bool extend,
              void volatile **memory)
{
    CHECK(page < INDEX_PAGES_MAX);
    index->users += !user->joined;
    user->joined = true;
    if (!index->pages[page] && extend) {
        index->pages[page] = xcalloc(1, (size_t)size);
    }
    *memory = index->pages[page];
    return SQLITE_OK;
}

static bool is_free(const struct wal_index *index, const struct index_user *user, int lock,
                    bool exclusive)
{
    int others = index->shared[lock] - user->shared[lock];
    return user->exclusive[lock] || (!index->exclusive[lock] && (!exclusive || others == 0));
}

static void take(struct wal_index *index, struct index_user *user, int lock, bool exclusive)
{
    if (exclusive) {
        index->exclusive[lock] = user->exclusive[lock] = true;
    } else if (!user->shared[lock]) {
        user->shared[lock] = true;
        index->shared[lock]++;
    }
}

static void give_back(struct wal_index *index, struct index_user *user, int lock)
{
    if (user->exclusive[lock]) {
        index->exclusive[lock] = user->exclusive[lock] = false;
    }
    index->shared[lock] -= user->shared[lock];
    user->shared[lock] = false;
}

int index_lock(struct wal_index *index, struct index_user *user, int offset, int count, int flags)
{
    bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    CHECK(offset >= 0 && offset + count <= INDEX_LOCKS);
    for (int i = offset; i < offset + count; i++) {
        if ((flags & SQLITE_SHM_UNLOCK) != 0) {
            give_back(index, user, i);
        } else if (!is_free(index, user, i, exclusive)) {
            return SQLITE_BUSY; /* none of them is taken: the loop below does that */
        }
    }
    for (int i = offset; i < offset + count && (flags & SQLITE_SHM_LOCK) != 0; i++) {
        take(index, user, i, exclusive);
    }
    return SQLITE_OK;
}

void index_leave(struct wal_index *index, struct index_user *user)
{
    for (int i = 0; i < INDEX_LOCKS; i++) {
        give_back(index, user, i);
    }
    index->users -= user->joined;
    for (int i = 0; i < INDEX_PAGES_MAX && index->users == 0; i++) {
        free(index->pages[i]);
        index->pages[i] = NULL;
    }
    *user = (struct index_user){0};
}
