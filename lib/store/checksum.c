/* checksum.c - a layer between SQLite and its VFS that sums pages on the way out and checks them on
 * the way in.
 *
 * It stands in front of two kinds of files, the database and its WAL, and passes the rest through.
 *
 * The database: SQLite leaves the last eight bytes of a page alone when byte 20 of the file's
 * header says 8. There the sum goes. SQLite hands over its cached page to be written, so the sum is
 * put into a copy.
 *
 * The WAL: a frame is a header of 24 bytes and the page. The header ends with SQLite's checksum
 * over its own first eight bytes and the page, on top of the checksum of the frame before (of the
 * WAL's header for the first one). SQLite computes it for every frame and looks at it in recovery
 * only. Nothing of ours can be added: a page changed on its way out would no longer match. So a
 * frame that is read is checked by what SQLite has put there.
 *
 * One thing is in the way. When SQLite's cache overflows twice within a transaction, a page already
 * in the WAL is written over in its frame, and headers become right at COMMIT only; frames added
 * meanwhile have zeros for checksums. Only the writer reads such frames. `loose_from` is where they
 * begin.
 */
#include "store/checksum.h"

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "store/internal.h"

enum {
    PAGE_BYTES = 4096, /* what weir's files have; others are passed through */
    SUM_BYTES = 8,
    SUMMED_BYTES = PAGE_BYTES - SUM_BYTES,
    HEADER_PAGE_SIZE = 16, /* in the first page: 2 bytes, big endian */
    HEADER_RESERVED = 20,

    WAL_HEADER_BYTES = 32,
    WAL_HEADER_SUM = 24,
    FRAME_HEADER_BYTES = 24,
    FRAME_SALT = 8,
    FRAME_SUM = 16,
    FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES,

    LANES = 4,
    ASK_FAILURE = 0x7765, /* file controls of ours; opcodes up to 100 are SQLite's */
    START_SUMS,
};

enum byte_order { ORDER_UNKNOWN, ORDER_LITTLE, ORDER_BIG };

/* What SQLite holds as its sqlite3_file; the file of the VFS below follows in memory. */
struct checksum_file {
    sqlite3_file base;
    struct checksum_file *database; /* itself, or the one that this WAL belongs to */
    char failure[96];               /* of the database and its WAL: what was last found wrong */

    uint8_t bytes[FRAME_BYTES]; /* a page or a frame on its way */

    /* The database */
    bool summed;

    /* The WAL */
    enum byte_order order; /* of the words that SQLite's checksum adds up */
    int64_t header_at;     /* of the frame whose header was written and whose page comes next */
    int64_t loose_from;    /* frames from here on have no valid checksum yet */
};

static sqlite3_vfs *below_vfs;

static struct checksum_file *file_of(sqlite3_file *handle)
{
    return (struct checksum_file *)handle;
}

static sqlite3_file *below(sqlite3_file *handle)
{
    return (sqlite3_file *)(file_of(handle) + 1);
}

static int read_below(sqlite3_file *handle, void *buffer, int amount, int64_t offset)
{
    return below(handle)->pMethods->xRead(below(handle), buffer, amount, offset);
}

static int write_below(sqlite3_file *handle, const void *buffer, int amount, int64_t offset)
{
    return below(handle)->pMethods->xWrite(below(handle), buffer, amount, offset);
}

/* ---- pages of the database ---- */

static uint64_t fold(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ (hash >> 32);
}

/* Each step can be undone when the rest is known, so what changes one word only always changes the
 * sum. Four lanes, because each step waits for its multiplication: 3 times as fast as one. The
 * page's number is in it: a page written to another's place does not pass. */
static uint64_t sum_of(const uint8_t *page, int64_t offset)
{
    uint64_t lanes[LANES] = {(uint64_t)offset / PAGE_BYTES + 1, 2, 3, 4};
    uint64_t words[LANES];
    size_t at = 0;
    for (; at + sizeof words <= SUMMED_BYTES; at += sizeof words) {
        memcpy(words, page + at, sizeof words);
        lanes[0] = fold(lanes[0], le64toh(words[0]));
        lanes[1] = fold(lanes[1], le64toh(words[1]));
        lanes[2] = fold(lanes[2], le64toh(words[2]));
        lanes[3] = fold(lanes[3], le64toh(words[3]));
    }
    for (size_t i = 0; at < SUMMED_BYTES; i++, at += sizeof words[0]) {
        memcpy(words, page + at, sizeof words[0]);
        lanes[i] = fold(lanes[i], le64toh(words[0]));
    }
    return fold(fold(fold(lanes[0], lanes[1]), lanes[2]), lanes[3]);
}

static uint64_t sum_in(const uint8_t *page)
{
    uint64_t sum;
    memcpy(&sum, page + SUMMED_BYTES, sizeof sum);
    return le64toh(sum);
}

static bool declares_sums(const uint8_t *first_page)
{
    unsigned size = (unsigned)first_page[HEADER_PAGE_SIZE] << 8 | first_page[HEADER_PAGE_SIZE + 1];
    return size == PAGE_BYTES && first_page[HEADER_RESERVED] == SUM_BYTES;
}

/* Byte 20 alone must not decide, else a bit flipped there would switch the checks off. */
static bool has_sums(const uint8_t *first_page)
{
    uint8_t mended[PAGE_BYTES];
    if (declares_sums(first_page)) {
        return true;
    }
    memcpy(mended, first_page, sizeof mended);
    mended[HEADER_RESERVED] = SUM_BYTES;
    return sum_of(mended, 0) == sum_in(mended);
}

/* `what` has one %lld for the number. */
static int fails(struct checksum_file *file, const char *what, int64_t number)
{
    struct checksum_file *database = file->database;
    sqlite3_snprintf((int)sizeof database->failure, database->failure, what, (long long)number);
    return SQLITE_IOERR_DATA;
}

static int check_page(struct checksum_file *file, const uint8_t *page, int64_t offset, int code)
{
    int64_t number = offset / PAGE_BYTES + 1;
    if (code == SQLITE_IOERR_SHORT_READ) { /* SQLite would take it for a page of zeros */
        return fails(file, "page %lld lies beyond the end of the file", number);
    }
    if (code == SQLITE_OK && sum_of(page, offset) != sum_in(page)) {
        return fails(file, "page %lld does not match its checksum", number);
    }
    return code;
}

/* SQLite looks at the first 100 bytes when it opens a file, without any lock: what it reads there
 * may be in the middle of a change and is not checked. */
static int read_header(sqlite3_file *handle, void *buffer, int amount)
{
    struct checksum_file *file = file_of(handle);
    memset(file->bytes, 0, PAGE_BYTES);
    int code = read_below(handle, file->bytes, PAGE_BYTES, 0);
    if (code == SQLITE_OK || code == SQLITE_IOERR_SHORT_READ) {
        file->summed = file->summed || has_sums(file->bytes);
    }
    return read_below(handle, buffer, amount, 0);
}

/* Newer SQLites read an overflow page without the four bytes that link it. */
static int read_part(sqlite3_file *handle, void *buffer, int amount, int64_t offset)
{
    struct checksum_file *file = file_of(handle);
    int64_t within = offset % PAGE_BYTES, start = offset - within;
    CHECK(within + amount <= PAGE_BYTES);
    int code = read_below(handle, file->bytes, PAGE_BYTES, start);
    code = check_page(file, file->bytes, start, code);
    if (code == SQLITE_OK) {
        memcpy(buffer, file->bytes + within, (size_t)amount);
    }
    return code;
}

static int database_read(sqlite3_file *handle, void *buffer, int amount, sqlite3_int64 offset)
{
    struct checksum_file *file = file_of(handle);
    if (offset == 0 && amount < PAGE_BYTES) {
        return read_header(handle, buffer, amount);
    }
    if (amount != PAGE_BYTES || offset % PAGE_BYTES != 0) {
        return file->summed && offset >= PAGE_BYTES ? read_part(handle, buffer, amount, offset)
                                                    : read_below(handle, buffer, amount, offset);
    }
    int code = read_below(handle, buffer, amount, offset);
    if (offset == 0 && code == SQLITE_OK) {
        file->summed = file->summed || has_sums(buffer);
    }
    return file->summed ? check_page(file, buffer, offset, code) : code;
}

static int database_write(sqlite3_file *handle, const void *buffer, int amount,
                          sqlite3_int64 offset)
{
    struct checksum_file *file = file_of(handle);
    bool is_page = amount == PAGE_BYTES && offset % PAGE_BYTES == 0;
    if (offset == 0 && is_page) {
        file->summed = declares_sums(buffer);
    }
    if (!file->summed || !is_page) {
        return write_below(handle, buffer, amount, offset);
    }
    memcpy(file->bytes, buffer, SUMMED_BYTES);
    uint64_t sum = htole64(sum_of(file->bytes, offset));
    memcpy(file->bytes + SUMMED_BYTES, &sum, sizeof sum);
    return write_below(handle, file->bytes, PAGE_BYTES, offset);
}

/* ---- frames of the WAL ---- */

struct wal_sum {
    uint32_t first, second;
};

static uint32_t word_at(const uint8_t *bytes, enum byte_order order)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return order == ORDER_BIG ? be32toh(word) : le32toh(word);
}

/* SQLite's: https://www.sqlite.org/fileformat2.html#checksum_algorithm */
static struct wal_sum wal_add(struct wal_sum sum, const uint8_t *bytes, size_t size,
                              enum byte_order order)
{
    for (size_t at = 0; at < size; at += 8) {
        sum.first += word_at(bytes + at, order) + sum.second;
        sum.second += word_at(bytes + at + 4, order) + sum.first;
    }
    return sum;
}

static struct wal_sum wal_sum_at(const uint8_t *bytes)
{
    return (struct wal_sum){word_at(bytes, ORDER_BIG), word_at(bytes + 4, ORDER_BIG)};
}

/* The last bit of the magic number says it. Who starts the WAL anew writes it the same. */
static int learn_order(sqlite3_file *handle)
{
    struct checksum_file *file = file_of(handle);
    uint8_t magic[4];
    int code = SQLITE_OK;
    if (file->order == ORDER_UNKNOWN) {
        code = read_below(handle, magic, sizeof magic, 0);
        if (code == SQLITE_OK) {
            file->order = magic[3] & 1 ? ORDER_BIG : ORDER_LITTLE;
        }
    }
    return code;
}

static bool is_frame(int64_t at)
{
    return at >= WAL_HEADER_BYTES && (at - WAL_HEADER_BYTES) % FRAME_BYTES == 0;
}

/* `frame` was read at `at`. */
static int check_frame(sqlite3_file *handle, const uint8_t *frame, int64_t at)
{
    struct checksum_file *file = file_of(handle);
    uint8_t before[SUM_BYTES];
    int64_t before_at = at == WAL_HEADER_BYTES ? WAL_HEADER_SUM : at - FRAME_BYTES + FRAME_SUM;
    int code = learn_order(handle);
    if (code == SQLITE_OK) {
        code = read_below(handle, before, sizeof before, before_at);
    }
    if (code != SQLITE_OK) {
        return code;
    }
    struct wal_sum sum = wal_add(wal_sum_at(before), frame, FRAME_SALT, file->order);
    sum = wal_add(sum, frame + FRAME_HEADER_BYTES, PAGE_BYTES, file->order);
    struct wal_sum expected = wal_sum_at(frame + FRAME_SUM);
    if (sum.first != expected.first || sum.second != expected.second) {
        return fails(file, "page %lld does not match its checksum in the WAL",
                     word_at(frame, ORDER_BIG));
    }
    return SQLITE_OK;
}

/* The header is fetched with the page: a read less. */
static int wal_read(sqlite3_file *handle, void *buffer, int amount, sqlite3_int64 offset)
{
    struct checksum_file *file = file_of(handle);
    int64_t at = offset - FRAME_HEADER_BYTES;
    if (amount != PAGE_BYTES || !is_frame(at) || at >= file->loose_from) {
        return read_below(handle, buffer, amount, offset);
    }
    int code = read_below(handle, file->bytes, FRAME_BYTES, at);
    if (code == SQLITE_IOERR_SHORT_READ) {
        return fails(file, "frame %lld lies beyond the end of the WAL", at / FRAME_BYTES + 1);
    }
    if (code == SQLITE_OK) {
        code = check_frame(handle, file->bytes, at);
    }
    if (code == SQLITE_OK) {
        memcpy(buffer, file->bytes + FRAME_HEADER_BYTES, PAGE_BYTES);
    }
    return code;
}

static void note_header(struct checksum_file *file, const uint8_t *header, int64_t at)
{
    static const uint8_t none[FRAME_HEADER_BYTES - FRAME_SALT];
    file->header_at = at;
    if (memcmp(header + FRAME_SALT, none, sizeof none) == 0) {
        file->loose_from = at < file->loose_from ? at : file->loose_from;
    } else if (at <= file->loose_from) { /* COMMIT has come to it, or it is a new transaction */
        file->loose_from = INT64_MAX;
    }
}

static void note_page(struct checksum_file *file, int64_t at)
{
    if (file->header_at != at && at < file->loose_from) {
        file->loose_from = at;
    }
    file->header_at = 0;
}

static int wal_write(sqlite3_file *handle, const void *buffer, int amount, sqlite3_int64 offset)
{
    struct checksum_file *file = file_of(handle);
    if (offset == 0) {
        file->order = ORDER_UNKNOWN;
        file->loose_from = INT64_MAX;
    } else if (amount == FRAME_HEADER_BYTES && is_frame(offset)) {
        note_header(file, buffer, offset);
    } else if (amount == PAGE_BYTES && is_frame(offset - FRAME_HEADER_BYTES)) {
        note_page(file, offset - FRAME_HEADER_BYTES);
    }
    return write_below(handle, buffer, amount, offset);
}

/* ---- passed on ---- */

static int file_close(sqlite3_file *handle)
{
    return below(handle)->pMethods->xClose(below(handle));
}

static int file_truncate(sqlite3_file *handle, sqlite3_int64 size)
{
    return below(handle)->pMethods->xTruncate(below(handle), size);
}

static int file_sync(sqlite3_file *handle, int flags)
{
    return below(handle)->pMethods->xSync(below(handle), flags);
}

static int file_size(sqlite3_file *handle, sqlite3_int64 *size)
{
    return below(handle)->pMethods->xFileSize(below(handle), size);
}

static int file_raise_lock(sqlite3_file *handle, int level)
{
    return below(handle)->pMethods->xLock(below(handle), level);
}

static int file_lower_lock(sqlite3_file *handle, int level)
{
    return below(handle)->pMethods->xUnlock(below(handle), level);
}

static int file_is_reserved(sqlite3_file *handle, int *reserved)
{
    return below(handle)->pMethods->xCheckReservedLock(below(handle), reserved);
}

static int file_control(sqlite3_file *handle, int what, void *argument)
{
    if (what == ASK_FAILURE) {
        *(const char **)argument = file_of(handle)->failure;
        return SQLITE_OK;
    }
    if (what == START_SUMS) {
        file_of(handle)->summed = true;
        return SQLITE_OK;
    }
    return below(handle)->pMethods->xFileControl(below(handle), what, argument);
}

static int file_sector_size(sqlite3_file *handle)
{
    return below(handle)->pMethods->xSectorSize(below(handle));
}

static int file_device(sqlite3_file *handle)
{
    return below(handle)->pMethods->xDeviceCharacteristics(below(handle));
}

static int file_map(sqlite3_file *handle, int region, int size, int extend, void volatile **memory)
{
    return below(handle)->pMethods->xShmMap(below(handle), region, size, extend, memory);
}

static int file_map_lock(sqlite3_file *handle, int offset, int count, int flags)
{
    return below(handle)->pMethods->xShmLock(below(handle), offset, count, flags);
}

static void file_map_barrier(sqlite3_file *handle)
{
    below(handle)->pMethods->xShmBarrier(below(handle));
}

static int file_unmap(sqlite3_file *handle, int remove)
{
    return below(handle)->pMethods->xShmUnmap(below(handle), remove);
}

/* Version 2 has no xFetch: a page that SQLite saw through mmap would pass nobody. */
static const sqlite3_io_methods database_methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = database_read,
    .xWrite = database_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_raise_lock,
    .xUnlock = file_lower_lock,
    .xCheckReservedLock = file_is_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_device,
    .xShmMap = file_map,
    .xShmLock = file_map_lock,
    .xShmBarrier = file_map_barrier,
    .xShmUnmap = file_unmap,
};
static sqlite3_io_methods wal_methods; /* the same, with wal_read and wal_write */

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *handle, int flags,
                    int *flags_given)
{
    (void)vfs;
    if (!(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL))) {
        return below_vfs->xOpen(below_vfs, name, handle, flags, flags_given);
    }
    bool is_wal = flags & SQLITE_OPEN_WAL;
    struct checksum_file *file = file_of(handle);
    memset(file, 0, sizeof *file);
    file->loose_from = INT64_MAX;
    int code = below_vfs->xOpen(below_vfs, name, below(handle), flags, flags_given);
    if (code == SQLITE_OK) {
        file->database = is_wal ? file_of(sqlite3_database_file_object(name)) : file;
        file->base.pMethods = is_wal ? &wal_methods : &database_methods;
    }
    return code;
}

/* A copy of the VFS below, whose other functions are called as they are. */
int checksum_register(void)
{
    static sqlite3_vfs vfs;
    if (below_vfs) {
        return SQLITE_OK;
    }
    below_vfs = sqlite3_vfs_find(NULL);
    CHECK(below_vfs != NULL);
    wal_methods = database_methods;
    wal_methods.xRead = wal_read;
    wal_methods.xWrite = wal_write;
    vfs = *below_vfs;
    vfs.pNext = NULL;
    vfs.zName = CHECKSUM_VFS;
    vfs.szOsFile += (int)sizeof(struct checksum_file);
    vfs.xOpen = vfs_open;
    return sqlite3_vfs_register(&vfs, 0);
}

/* A large first transaction may write the first page, which says that there are sums, last. */
int checksum_reserve(sqlite3 *db)
{
    int bytes = SUM_BYTES;
    int code = sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &bytes);
    return code == SQLITE_OK ? sqlite3_file_control(db, "main", START_SUMS, NULL) : code;
}

const char *checksum_failure(sqlite3 *db)
{
    const char *text = "";
    (void)sqlite3_file_control(db, "main", ASK_FAILURE, &text);
    return text[0] ? text : NULL;
}
