/* index.h - a WAL's index, which the connections to a file share: in memory, and gone with the last
 * of them, as SQLite's file for it is worth nothing to whoever opens it first. */
#ifndef WEIR_TEST_SIMULATION_INDEX_H
#define WEIR_TEST_SIMULATION_INDEX_H

#include <stdbool.h>

enum { INDEX_LOCKS = 8, INDEX_PAGES_MAX = 64 };

struct wal_index { /* of a file; zeroed is empty */
    void *pages[INDEX_PAGES_MAX];
    int shared[INDEX_LOCKS]; /* so many have it */
    bool exclusive[INDEX_LOCKS];
    int users;
};

struct index_user { /* a connection; zeroed has nothing */
    bool joined, shared[INDEX_LOCKS], exclusive[INDEX_LOCKS];
};

/* xShmMap, xShmLock and xShmUnmap of sqlite3_io_methods. */
int index_map(struct wal_index *index, struct index_user *user, int page, int size, bool extend,
              void volatile **memory);
int index_lock(struct wal_index *index, struct index_user *user, int offset, int count, int flags);
void index_leave(struct wal_index *index, struct index_user *user);

#endif
