/* faulty_disk.h - a VFS that fails at a chosen call: below SQLite and the page checksums, above the
 * system.
 *
 * Every call that may fail is counted, whatever file it is for. The chosen one does nothing but
 * return an error; closing and unlocking happen, and then say that they have failed.
 */
#ifndef WEIR_TEST_PROTOCOL_FAULTY_DISK_H
#define WEIR_TEST_PROTOCOL_FAULTY_DISK_H

#include <stdbool.h>

/* Makes it SQLite's default VFS. Before the first store is opened. */
void faulty_disk_register(void);

enum disk_trouble {
    TROUBLE_IO,    /* SQLITE_IOERR_*, or SQLITE_CANTOPEN */
    TROUBLE_OTHER, /* full for what writes, busy for locks, out of memory for the rest */
};

/* From now on calls are counted from 1, and number `call` fails, or all from there on. 0: none. */
void faulty_disk_arm(long call, enum disk_trouble trouble, bool for_good);
void faulty_disk_mend(void); /* nothing fails or is counted any more */

long faulty_disk_calls(void);         /* from armed to mended */
const char *faulty_disk_failed(void); /* the call that failed first: "write"; NULL: none so far */

#endif
