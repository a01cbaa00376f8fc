/* disk.c - a VFS above the default one. */
#include "simulation/disk.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "simulation/index.h"
#include "simulation/memory.h"

enum { SECTOR_BYTES = 512 };

/* One write or truncation since the last sync. */
struct change {
    struct change *next; /* the one before it */
    int64_t at, size_before;
    size_t old_size, new_size;
    bool truncation; /* to `at` */
    uint8_t *old_bytes, *new_bytes;
};

struct shadow { /* of one path */
    struct shadow *next;
    char *path;
    ino_t inode; /* of the file that `last` is about: another one may take its name */
    struct change *last;
    struct wal_index index;
    bool dead; /* whoever has it open was killed: nothing that he does happens */
};

struct disk_file {
    sqlite3_file base;
    struct shadow *shadow;
    const char *path;
    struct index_user index_user;
    sqlite3_file real[]; /* the default VFS's */
};

static sqlite3_vfs *below;
static struct shadow *shadows;
static disk_chooser *chooser;
static void *chooser_context;

void disk_set_chooser(disk_chooser *chosen, void *context)
{
    chooser = chosen;
    chooser_context = context;
}

static int fails(enum disk_call call, const char *path)
{
    static const int codes[DISK_CALLS] = {
        [DISK_OPEN] = SQLITE_CANTOPEN,    [DISK_READ] = SQLITE_IOERR_READ,
        [DISK_WRITE] = SQLITE_FULL,       [DISK_TRUNCATE] = SQLITE_IOERR_TRUNCATE,
        [DISK_SYNC] = SQLITE_IOERR_FSYNC,
    };
    return chooser && path && chooser(chooser_context, call, path) ? codes[call] : SQLITE_OK;
}

static struct shadow *shadow_of(const char *path)
{
    struct shadow *shadow = shadows;
    while (shadow && strcmp(shadow->path, path) != 0) {
        shadow = shadow->next;
    }
    if (!shadow) {
        shadow = xcalloc(1, sizeof *shadow);
        *shadow = (struct shadow){.next = shadows, .path = xstrdup(path)};
        shadows = shadow;
    }
    return shadow;
}

static void forget_changes(struct shadow *shadow)
{
    while (shadow->last) {
        struct change *change = shadow->last;
        shadow->last = change->next;
        free(change->old_bytes);
        free(change->new_bytes);
        free(change);
    }
}

/* ---- files ---- */

static struct disk_file *file_of(sqlite3_file *handle)
{
    return (struct disk_file *)handle;
}

static sqlite3_file *real_of(sqlite3_file *handle)
{
    return file_of(handle)->real;
}

static const sqlite3_io_methods *methods_of(sqlite3_file *handle)
{
    return real_of(handle)->pMethods;
}

static bool is_dead(const struct disk_file *file)
{
    return file->shadow && file->shadow->dead;
}

static int file_close(sqlite3_file *handle)
{
    return methods_of(handle)->xClose(real_of(handle));
}

static int file_read(sqlite3_file *handle, void *bytes, int size, sqlite3_int64 at)
{
    int code = is_dead(file_of(handle)) ? SQLITE_IOERR : fails(DISK_READ, file_of(handle)->path);
    return code ? code : methods_of(handle)->xRead(real_of(handle), bytes, size, at);
}

/* What stands at `at` now, as far as the file goes. */
static void remember(struct disk_file *file, int64_t at, size_t size, const void *bytes)
{
    sqlite3_file *real = file->real;
    struct change *change = xcalloc(1, sizeof *change);
    sqlite3_int64 now;
    CHECK_EQUAL(real->pMethods->xFileSize(real, &now), SQLITE_OK);
    change->at = at;
    change->size_before = now;
    int64_t end = bytes ? at + (int64_t)size : change->size_before;
    int64_t stands = (end < change->size_before ? end : change->size_before) - at;
    change->truncation = !bytes;
    if (stands > 0) {
        change->old_size = (size_t)stands;
        change->old_bytes = xmalloc(change->old_size);
        CHECK_EQUAL(real->pMethods->xRead(real, change->old_bytes, (int)change->old_size, at),
                    SQLITE_OK);
    }
    if (bytes) {
        change->new_size = size;
        change->new_bytes = xmalloc(size);
        memcpy(change->new_bytes, bytes, size);
    }
    change->next = file->shadow->last;
    file->shadow->last = change;
}

static int file_write(sqlite3_file *handle, const void *bytes, int size, sqlite3_int64 at)
{
    struct disk_file *file = file_of(handle);
    if (is_dead(file)) {
        return SQLITE_IOERR;
    }
    int code = fails(DISK_WRITE, file->path);
    if (code) {
        return code;
    }
    if (file->shadow) {
        remember(file, at, (size_t)size, bytes);
    }
    return methods_of(handle)->xWrite(real_of(handle), bytes, size, at);
}

static int file_truncate(sqlite3_file *handle, sqlite3_int64 size)
{
    struct disk_file *file = file_of(handle);
    if (is_dead(file)) {
        return SQLITE_IOERR;
    }
    int code = fails(DISK_TRUNCATE, file->path);
    if (code) {
        return code;
    }
    if (file->shadow) {
        remember(file, size, 0, NULL);
    }
    return methods_of(handle)->xTruncate(real_of(handle), size);
}

/* In memory a sync has nothing to wait for. */
static int file_sync(sqlite3_file *handle, int flags)
{
    (void)flags;
    struct disk_file *file = file_of(handle);
    if (is_dead(file)) {
        return SQLITE_IOERR;
    }
    int code = fails(DISK_SYNC, file->path);
    if (code == SQLITE_OK && file->shadow) {
        forget_changes(file->shadow);
    }
    return code;
}

static int file_size(sqlite3_file *handle, sqlite3_int64 *size)
{
    return methods_of(handle)->xFileSize(real_of(handle), size);
}

static int file_lock(sqlite3_file *handle, int lock)
{
    return methods_of(handle)->xLock(real_of(handle), lock);
}

static int file_unlock(sqlite3_file *handle, int lock)
{
    return methods_of(handle)->xUnlock(real_of(handle), lock);
}

static int file_reserved(sqlite3_file *handle, int *reserved)
{
    return methods_of(handle)->xCheckReservedLock(real_of(handle), reserved);
}

static int file_control(sqlite3_file *handle, int operation, void *argument)
{
    return methods_of(handle)->xFileControl(real_of(handle), operation, argument);
}

static int file_sector_size(sqlite3_file *handle)
{
    (void)handle;
    return SECTOR_BYTES;
}

/* It promises nothing: writes may be torn and come in any order. */
static int file_characteristics(sqlite3_file *handle)
{
    (void)handle;
    return 0;
}

static int file_map(sqlite3_file *handle, int page, int size, int extend, void volatile **memory)
{
    struct disk_file *file = file_of(handle);
    return index_map(&file->shadow->index, &file->index_user, page, size, extend != 0, memory);
}

static int file_map_lock(sqlite3_file *handle, int offset, int count, int flags)
{
    struct disk_file *file = file_of(handle);
    return index_lock(&file->shadow->index, &file->index_user, offset, count, flags);
}

static void file_map_barrier(sqlite3_file *handle)
{
    (void)handle; /* one thread */
}

static int file_unmap(sqlite3_file *handle, int delete)
{
    (void)delete;
    struct disk_file *file = file_of(handle);
    index_leave(&file->shadow->index, &file->index_user);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_map,
    .xShmLock = file_map_lock,
    .xShmBarrier = file_map_barrier,
    .xShmUnmap = file_unmap,
};

/* ---- the VFS ---- */

/* A file that was renamed away has taken its unsynced writes with it: they are not this one's. */
static void know_file(struct shadow *shadow)
{
    struct stat status;
    ino_t inode = stat(shadow->path, &status) == 0 ? status.st_ino : 0;
    if (shadow->inode != inode) {
        forget_changes(shadow);
        shadow->inode = inode;
    }
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *handle, int flags,
                    int *flags_given)
{
    (void)vfs;
    struct disk_file *file = file_of(handle);
    file->base.pMethods = NULL;
    int code = fails(DISK_OPEN, name);
    if (code) {
        return code;
    }
    code = below->xOpen(below, name, file->real, flags, flags_given);
    if (code == SQLITE_OK) {
        file->base.pMethods = &methods;
        file->index_user = (struct index_user){0};
        file->path = name; /* SQLite keeps it while the file is open */
        file->shadow = name ? shadow_of(name) : NULL;
        if (file->shadow) {
            file->shadow->dead = false;
            know_file(file->shadow);
        }
    }
    return code;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs, (void)sync;
    struct shadow *shadow = shadow_of(name);
    if (shadow->dead) {
        return SQLITE_OK;
    }
    forget_changes(shadow);
    return below->xDelete(below, name, 0);
}

/* Paths are absolute here, and have no links to follow. */
static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int size, char *path)
{
    (void)vfs;
    CHECK(name[0] == '/' && strlen(name) < (size_t)size);
    memcpy(path, name, strlen(name) + 1);
    return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *vfs, int size, char *bytes)
{
    (void)vfs;
    return getrandom(bytes, (size_t)size, 0) == size ? size : 0;
}

void disk_register(void)
{
    static sqlite3_vfs vfs;
    if (below) {
        return;
    }
    memory_register();
    below = sqlite3_vfs_find(NULL);
    CHECK(below != NULL);
    vfs = *below;
    vfs.pNext = NULL;
    vfs.zName = "weir-simulation";
    vfs.szOsFile += (int)sizeof(struct disk_file);
    vfs.xOpen = vfs_open;
    vfs.xDelete = vfs_delete;
    vfs.xFullPathname = vfs_full_path;
    vfs.xRandomness = vfs_randomness;
    CHECK_EQUAL(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
}

/* ---- deaths ---- */

static bool is_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    return strncmp(path, directory, length) == 0 && path[length] == '/';
}

void disk_kill(const char *directory)
{
    for (struct shadow *shadow = shadows; shadow; shadow = shadow->next) {
        shadow->dead |= is_below(shadow->path, directory);
    }
}

static void put_back(int fd, const struct change *change)
{
    CHECK_EQUAL(pwrite(fd, change->old_bytes, change->old_size, change->at), change->old_size);
    CHECK_EQUAL(ftruncate(fd, change->size_before), 0);
}

static void do_again(int fd, const struct change *change, size_t size)
{
    if (change->truncation) {
        CHECK_EQUAL(ftruncate(fd, change->at), 0);
    } else {
        CHECK_EQUAL(pwrite(fd, change->new_bytes, size, change->at), size);
    }
}

/* Everything since the last sync is taken back, newest first; then, oldest first, what was kept is
 * done again. */
static size_t cut(struct shadow *shadow, uint64_t (*draw)(void *context, uint64_t below),
                  void *context)
{
    int fd = open(shadow->path, O_RDWR | O_CLOEXEC);
    size_t lost = 0;
    struct change *oldest = NULL;
    for (struct change *change = shadow->last, *before; change; change = before) {
        before = change->next;
        if (fd >= 0) {
            put_back(fd, change);
        }
        change->next = oldest;
        oldest = change;
    }
    shadow->last = oldest;
    enum fate { KEEP_ALL, KEEP_NONE, KEEP_SOME };
    enum fate fate = (enum fate)draw(context, 3);
    for (const struct change *change = oldest; change && fd >= 0; change = change->next) {
        uint64_t luck = fate == KEEP_ALL ? 0 : fate == KEEP_NONE ? 7 : draw(context, 8);
        if (luck < 4) {
            do_again(fd, change, change->new_size);
        } else if (luck < 5 && change->new_size > SECTOR_BYTES) {
            do_again(fd, change,
                     SECTOR_BYTES *
                         (size_t)(1 + draw(context, change->new_size / SECTOR_BYTES - 1)));
            lost++;
        } else {
            lost++;
        }
    }
    forget_changes(shadow);
    if (fd >= 0) {
        close(fd);
    }
    return lost;
}

size_t disk_power_cut(const char *directory, uint64_t (*draw)(void *context, uint64_t below),
                      void *context)
{
    size_t lost = 0;
    for (struct shadow *shadow = shadows; shadow; shadow = shadow->next) {
        if (is_below(shadow->path, directory)) {
            lost += cut(shadow, draw, context);
        }
    }
    return lost;
}

void disk_forget(const char *directory)
{
    for (struct shadow **link = &shadows; *link;) {
        struct shadow *shadow = *link;
        if (is_below(shadow->path, directory)) {
            *link = shadow->next;
            forget_changes(shadow);
            free(shadow->path);
            free(shadow);
        } else {
            link = &shadow->next;
        }
    }
}
