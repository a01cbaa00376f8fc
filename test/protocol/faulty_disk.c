/* faulty_disk.c - counts, fails, or passes on. */
#include "protocol/faulty_disk.h"

#include <sqlite3.h>
#include <stddef.h>

#include "base/error.h"

struct faulty_file {
    sqlite3_file base;
    sqlite3_file real[]; /* the default VFS's */
};

static sqlite3_vfs *below;
static long calls, failing;
static enum disk_trouble trouble;
static bool armed, for_good;
static const char *failed;

void faulty_disk_arm(long call, enum disk_trouble kind, bool lasting)
{
    armed = true;
    calls = 0;
    failing = call;
    trouble = kind;
    for_good = lasting;
    failed = NULL;
}

void faulty_disk_mend(void)
{
    armed = false;
}

long faulty_disk_calls(void)
{
    return calls;
}

const char *faulty_disk_failed(void)
{
    return failed;
}

/* SQLITE_OK, or what this call fails with. */
static int fails(const char *name, int io, int other)
{
    calls += armed;
    if (!armed || failing == 0 || calls < failing || (calls > failing && !for_good)) {
        return SQLITE_OK;
    }
    failed = failed ? failed : name;
    return trouble == TROUBLE_IO ? io : other;
}

static sqlite3_file *real(sqlite3_file *handle)
{
    return ((struct faulty_file *)handle)->real;
}

/* One call: fails with one of two codes, or happens. */
#define CALL(name, io, other, call)           \
    do {                                      \
        int code_ = fails(name, (io), other); \
        return code_ ? code_ : (call);        \
    } while (0)

/* The same for what cannot be left undone. */
#define CALL_ANYWAY(name, io, other, call)    \
    do {                                      \
        int code_ = fails(name, (io), other); \
        int done_ = (call);                   \
        return code_ ? code_ : done_;         \
    } while (0)

/* ---- files ---- */

static int file_close(sqlite3_file *handle)
{
    CALL_ANYWAY("close", SQLITE_IOERR_CLOSE, SQLITE_IOERR_CLOSE,
                real(handle)->pMethods->xClose(real(handle)));
}

static int file_read(sqlite3_file *handle, void *bytes, int size, sqlite3_int64 at)
{
    CALL("read", SQLITE_IOERR_READ, SQLITE_IOERR_NOMEM,
         real(handle)->pMethods->xRead(real(handle), bytes, size, at));
}

static int file_write(sqlite3_file *handle, const void *bytes, int size, sqlite3_int64 at)
{
    CALL("write", SQLITE_IOERR_WRITE, SQLITE_FULL,
         real(handle)->pMethods->xWrite(real(handle), bytes, size, at));
}

static int file_truncate(sqlite3_file *handle, sqlite3_int64 size)
{
    CALL("truncate", SQLITE_IOERR_TRUNCATE, SQLITE_FULL,
         real(handle)->pMethods->xTruncate(real(handle), size));
}

static int file_sync(sqlite3_file *handle, int flags)
{
    CALL("sync", SQLITE_IOERR_FSYNC, SQLITE_FULL,
         real(handle)->pMethods->xSync(real(handle), flags));
}

static int file_size(sqlite3_file *handle, sqlite3_int64 *size)
{
    CALL("file_size", SQLITE_IOERR_FSTAT, SQLITE_IOERR_NOMEM,
         real(handle)->pMethods->xFileSize(real(handle), size));
}

static int file_lock(sqlite3_file *handle, int lock)
{
    CALL("lock", SQLITE_IOERR_LOCK, SQLITE_BUSY, real(handle)->pMethods->xLock(real(handle), lock));
}

static int file_unlock(sqlite3_file *handle, int lock)
{
    CALL_ANYWAY("unlock", SQLITE_IOERR_UNLOCK, SQLITE_IOERR_UNLOCK,
                real(handle)->pMethods->xUnlock(real(handle), lock));
}

static int file_reserved(sqlite3_file *handle, int *reserved)
{
    CALL("check_reserved_lock", SQLITE_IOERR_CHECKRESERVEDLOCK, SQLITE_IOERR_NOMEM,
         real(handle)->pMethods->xCheckReservedLock(real(handle), reserved));
}

static int file_control(sqlite3_file *handle, int operation, void *argument)
{
    return real(handle)->pMethods->xFileControl(real(handle), operation, argument);
}

static int file_sector_size(sqlite3_file *handle)
{
    return real(handle)->pMethods->xSectorSize(real(handle));
}

static int file_characteristics(sqlite3_file *handle)
{
    return real(handle)->pMethods->xDeviceCharacteristics(real(handle));
}

static int file_map(sqlite3_file *handle, int page, int size, int extend, void volatile **memory)
{
    *memory = NULL;
    CALL("shm_map", SQLITE_IOERR_SHMMAP, SQLITE_NOMEM,
         real(handle)->pMethods->xShmMap(real(handle), page, size, extend, memory));
}

static int file_map_lock(sqlite3_file *handle, int offset, int count, int flags)
{
    if (flags & SQLITE_SHM_UNLOCK) {
        CALL_ANYWAY("shm_unlock", SQLITE_IOERR_SHMLOCK, SQLITE_IOERR_SHMLOCK,
                    real(handle)->pMethods->xShmLock(real(handle), offset, count, flags));
    }
    CALL("shm_lock", SQLITE_IOERR_SHMLOCK, SQLITE_BUSY,
         real(handle)->pMethods->xShmLock(real(handle), offset, count, flags));
}

static void file_map_barrier(sqlite3_file *handle)
{
    real(handle)->pMethods->xShmBarrier(real(handle));
}

static int file_unmap(sqlite3_file *handle, int delete)
{
    CALL_ANYWAY("shm_unmap", SQLITE_IOERR_SHMMAP, SQLITE_IOERR_SHMMAP,
                real(handle)->pMethods->xShmUnmap(real(handle), delete));
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

static int open_below(const char *name, sqlite3_file *handle, int flags, int *given)
{
    int code = below->xOpen(below, name, real(handle), flags, given);
    handle->pMethods = code == SQLITE_OK ? &methods : NULL;
    return code;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *handle, int flags, int *given)
{
    (void)vfs;
    handle->pMethods = NULL;
    CALL("open", SQLITE_CANTOPEN, SQLITE_NOMEM, open_below(name, handle, flags, given));
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    CALL("delete", SQLITE_IOERR_DELETE, SQLITE_IOERR_DELETE, below->xDelete(below, name, sync));
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *answer)
{
    (void)vfs;
    CALL("access", SQLITE_IOERR_ACCESS, SQLITE_NOMEM, below->xAccess(below, name, flags, answer));
}

static int vfs_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *full)
{
    (void)vfs;
    CALL("full_pathname", SQLITE_CANTOPEN, SQLITE_NOMEM,
         below->xFullPathname(below, name, size, full));
}

/* Who waits for a lock waits in no time. */
static int vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
    (void)vfs;
    return microseconds;
}

void faulty_disk_register(void)
{
    static sqlite3_vfs vfs;
    if (below) {
        return;
    }
    below = sqlite3_vfs_find(NULL);
    CHECK(below != NULL);
    vfs = *below;
    vfs.pNext = NULL;
    vfs.zName = "weir-faulty";
    vfs.szOsFile += (int)sizeof(struct faulty_file);
    vfs.xOpen = vfs_open;
    vfs.xDelete = vfs_delete;
    vfs.xAccess = vfs_access;
    vfs.xFullPathname = vfs_full_pathname;
    vfs.xSleep = vfs_sleep;
    CHECK_EQUAL(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
}
