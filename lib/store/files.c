/* files.c - what lies on the disk beside SQLite's own file.
 *
 * <path>               the SQLite file; it appears under this name only when it is complete
 * <path>-wal, -shm     SQLite's
 * <path>.lock          flock keeps a second process away; holds the owner's pid and the witness
 * <path>.new           a file being made
 * <path>.damaged       a reason why the next open must not use the file
 * <path>.aside-<time>  a file that could not be used, kept for people
 *
 * Nothing here may open and close the SQLite file: closing any descriptor of it drops SQLite's
 * POSIX locks. stat and rename do not. Nobody relies on these files for more than not trusting too
 * much: a lost witness costs an integrity check, a lost file a restore.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/internal.h"

enum { ASIDE_KEPT = 3, NAME_BYTES = 4096 + 64, WITNESS_BYTES = 128 };

static void add_suffix(char name[NAME_BYTES], const char *path, const char *suffix)
{
    int length = snprintf(name, NAME_BYTES, "%s%s", path, suffix);
    CHECK(length > 0 && length < NAME_BYTES);
}

static enum outcome make_directories(const char *path, struct error *error)
{
    char name[NAME_BYTES];
    if (strlen(path) >= 4096) {
        return fail_exit(error, EXIT_IO, "state path of %zu bytes is too long", strlen(path));
    }
    add_suffix(name, path, "");
    for (char *slash = strchr(name + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(name, 0750) != 0 && errno != EEXIST) {
            return fail_exit(error, EXIT_IO, "cannot make the state directory %s: %s", name,
                             strerror(errno));
        }
        *slash = '/';
    }
    return OK;
}

static enum outcome lock_refused(int lock, const char *name, struct error *error)
{
    long owner = 0;
    char text[WITNESS_BYTES] = "";
    if (pread(lock, text, sizeof text - 1, 0) > 0) {
        owner = strncmp(text, "pid ", 4) == 0 ? strtol(text + 4, NULL, 10) : 0;
    }
    fail(error, RETRY, "%s is locked by process %ld: one task has one owner; stop that one first",
         name, owner);
    error->exit_code = EXIT_TRY_AGAIN;
    return RETRY;
}

enum outcome file_lock(const char *path, int *lock, struct error *error)
{
    enum outcome outcome = make_directories(path, error);
    if (outcome != OK) {
        return outcome;
    }
    char name[NAME_BYTES];
    add_suffix(name, path, ".lock");
    int file = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (file < 0) {
        return fail_exit(error, EXIT_IO, "cannot open %s: %s", name, strerror(errno));
    }
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
        outcome = errno == EWOULDBLOCK
                      ? lock_refused(file, name, error)
                      : fail_exit(error, EXIT_IO, "cannot lock %s: %s", name, strerror(errno));
        close(file);
        return outcome;
    }
    *lock = file;
    return OK;
}

/* The lock file stays: removing it would let a third process lock another file of the same name. */
void file_unlock(int lock)
{
    close(lock);
}

bool file_exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static bool witness_format(char text[WITNESS_BYTES], const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return false;
    }
    snprintf(text, WITNESS_BYTES, "size %jd inode %ju changed %jd.%09ld\n",
             (intmax_t)status.st_size, (uintmax_t)status.st_ino, (intmax_t)status.st_ctim.tv_sec,
             status.st_ctim.tv_nsec);
    return true;
}

static void lock_write(int lock, const char *witness)
{
    char text[WITNESS_BYTES * 2];
    int length = snprintf(text, sizeof text, "pid %ld\n%s", (long)getpid(), witness);
    if (ftruncate(lock, 0) != 0 || pwrite(lock, text, (size_t)length, 0) != length) {
        (void)!ftruncate(lock, 0); /* no witness: the next open checks the whole file */
    }
}

void witness_clear(int lock)
{
    lock_write(lock, "");
}

void witness_write(int lock, const char *path)
{
    char text[WITNESS_BYTES];
    lock_write(lock, witness_format(text, path) ? text : "");
}

bool witness_holds(int lock, const char *path)
{
    char expected[WITNESS_BYTES];
    char text[WITNESS_BYTES * 2] = "";
    if (!witness_format(expected, path) || pread(lock, text, sizeof text - 1, 0) <= 0) {
        return false;
    }
    const char *line = strchr(text, '\n');
    return line && strcmp(line + 1, expected) == 0;
}

void damage_mark(const char *path, const char *reason)
{
    char name[NAME_BYTES];
    add_suffix(name, path, ".damaged");
    int file = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (file >= 0) {
        (void)!write(file, reason, strlen(reason)); /* that it exists is what counts */
        close(file);
    }
}

bool damage_is_marked(const char *path, struct error *reason)
{
    char name[NAME_BYTES];
    add_suffix(name, path, ".damaged");
    int file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    ssize_t length = read(file, reason->text, sizeof reason->text - 1);
    reason->text[length > 0 ? length : 0] = 0;
    close(file);
    return true;
}

/* A name that is not taken; two files can be set aside in one millisecond. */
static void aside_name(char name[NAME_BYTES], const char *path)
{
    struct timespec now;
    struct tm utc;
    char time[32], suffix[64];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(time, sizeof time, "%Y%m%dT%H%M%S", &utc);
    for (long ms = now.tv_nsec / 1000000;; ms++) {
        snprintf(suffix, sizeof suffix, ".aside-%s.%03ldZ", time, ms);
        add_suffix(name, path, suffix);
        if (!file_exists(name)) {
            return;
        }
    }
}

static enum outcome rename_if_there(const char *path, const char *aside, const char *suffix,
                                    struct error *error)
{
    char from[NAME_BYTES], to[NAME_BYTES];
    add_suffix(from, path, suffix);
    add_suffix(to, aside, suffix);
    if (rename(from, to) != 0 && errno != ENOENT) {
        return fail_exit(error, EXIT_IO, "cannot rename %s to %s: %s", from, to, strerror(errno));
    }
    return OK;
}

static const char *const suffixes[] = {"-wal", "-shm", ""};
enum { SUFFIX_COUNT = sizeof suffixes / sizeof suffixes[0] };

static int is_aside(const struct dirent *entry, const char *prefix)
{
    size_t length = strlen(entry->d_name);
    return strncmp(entry->d_name, prefix, strlen(prefix)) == 0 && entry->d_name[length - 1] == 'Z';
}

/* Removes the oldest set-aside file of `path` if there are more than enough; false when there is
 * nothing to remove. The time in the names makes their order that of their age. */
static bool remove_oldest(const char *path)
{
    char directory[NAME_BYTES], prefix[NAME_BYTES], oldest[NAME_BYTES], name[NAME_BYTES];
    add_suffix(directory, path, "");
    char *slash = strrchr(directory, '/');
    add_suffix(prefix, slash ? slash + 1 : path, ".aside-");
    if (slash) {
        slash[1] = 0;
    }
    DIR *list = opendir(slash ? directory : ".");
    if (!list) {
        return false;
    }
    size_t count = 0;
    for (struct dirent *entry = readdir(list); entry; entry = readdir(list)) {
        if (is_aside(entry, prefix)) {
            if (count == 0 || strcmp(entry->d_name, oldest) < 0) {
                add_suffix(oldest, entry->d_name, "");
            }
            count++;
        }
    }
    closedir(list);
    if (count <= ASIDE_KEPT) {
        return false;
    }
    bool removed = true;
    for (size_t i = 0; i < SUFFIX_COUNT; i++) {
        int length =
            snprintf(name, sizeof name, "%s%s%s", slash ? directory : "", oldest, suffixes[i]);
        CHECK(length > 0 && (size_t)length < sizeof name);
        removed = (unlink(name) == 0 || errno == ENOENT) && removed;
    }
    return removed;
}

/* The mark comes first and goes last, because a file that has lost its WAL looks healthy, only
 * older. */
enum outcome file_set_aside(const char *path, const char *reason, struct error *error)
{
    char name[NAME_BYTES];
    damage_mark(path, reason);
    aside_name(name, path);
    for (size_t i = 0; i < SUFFIX_COUNT; i++) {
        enum outcome outcome = rename_if_there(path, name, suffixes[i], error);
        if (outcome != OK) {
            return outcome;
        }
    }
    while (remove_oldest(path)) {}
    add_suffix(name, path, ".damaged");
    if (unlink(name) != 0 && errno != ENOENT) {
        return fail_exit(error, EXIT_IO, "cannot remove %s: %s", name, strerror(errno));
    }
    return OK;
}

void file_clear_leftovers(const char *path)
{
    static const char *const leftovers[] = {"-wal", "-shm",     "-journal", ".damaged",
                                            ".new", ".new-wal", ".new-shm", ".new-journal"};
    for (size_t i = 0; i < sizeof leftovers / sizeof leftovers[0]; i++) {
        char name[NAME_BYTES];
        add_suffix(name, path, leftovers[i]);
        unlink(name);
    }
}

enum outcome file_move(const char *from, const char *path, struct error *error)
{
    if (rename(from, path) != 0) {
        return fail_exit(error, EXIT_IO, "cannot rename %s to %s: %s", from, path, strerror(errno));
    }
    return OK;
}
