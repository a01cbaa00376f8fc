/* disk.h - a disk that forgets: what a power cut leaves of SQLite's files.
 *
 * A layer between SQLite and the system. Files are real ones (keep them on a file system in
 * memory), but every write since the last sync of its file is remembered with what stood there
 * before, so that a power cut can keep it, lose it, or tear it at a sector: any subset of them, in
 * any mix, as disks do. Creating, renaming and deleting files is taken to last. Any call may be
 * made to fail.
 *
 * One thread, which shares what SQLite would share through files, one disk for the process; which
 * directory a file lies in tells the machines apart.
 */
#ifndef WEIR_TEST_SIMULATION_DISK_H
#define WEIR_TEST_SIMULATION_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes it SQLite's default VFS. Before the first store is opened. */
void disk_register(void);

enum disk_call { DISK_OPEN, DISK_READ, DISK_WRITE, DISK_TRUNCATE, DISK_SYNC, DISK_CALLS };

/* Asked at every call on a file of `path`: true, and nothing of it happens but an error (a write
 * finds the disk full). NULL: nothing fails. */
typedef bool disk_chooser(void *context, enum disk_call call, const char *path);
void disk_set_chooser(disk_chooser *chooser, void *context);

/* The process that has files below `directory` open is killed: whatever its connections still do,
 * as closing them does, leaves no trace. A file that is opened anew is alive. */
void disk_kill(const char *directory);

/* The power fails for every file below `directory`; no connection to one may be open. `draw` gives
 * a number below its argument. Returns how many writes were lost or torn. */
size_t disk_power_cut(const char *directory, uint64_t (*draw)(void *context, uint64_t below),
                      void *context);

/* The files below `directory` are gone, or are to be left as they are: forgets what it knows. */
void disk_forget(const char *directory);

#endif
