/* checksum.h - state files whose pages prove that they are what was written.
 *
 * A layer between SQLite and its VFS. Connections that name CHECKSUM_VFS have the last eight bytes
 * of every page of the database file hold a 64-bit sum over the rest and the page's number: put in
 * when the page is written (by a checkpoint, mostly), checked whenever it is read. Frames read from
 * the WAL are checked, too, by the checksums that SQLite itself puts there and looks at in recovery
 * only: a WAL grows to 160 MB, and a checkpoint would give a rotten frame a sum that fits.
 * What does not fit is SQLITE_IOERR_DATA, which the store takes for damage: set aside, rebuilt.
 *
 * Promised. A change within eight aligned bytes of a page that is read is always found (so is every
 * single bit), any other is missed once in 2^64: rot, torn pages, pages in another's place, a file
 * cut short. A flip in byte 20 of the file's header, which says that there are sums, does not
 * switch them off. In the WAL SQLite's weaker 64-bit sum finds every single bit.
 *
 * Not promised. A write that never reached the disk leaves an older page that fits. What nobody
 * reads is not looked at: pages that SQLite has in its cache, and a start with a witness
 * (internal.h). Rot in memory before a page is written. Frames of the own open transaction from the
 * first one on that SQLite has written over, until COMMIT makes their headers right. The 100 bytes
 * that SQLite reads without a lock when it opens a file; their page is checked after that. Rot in
 * a WAL that is recovered: SQLite ends it there, as it does at a frame cut short by a crash.
 *
 * Other files. One made before there were sums (byte 20 of its header is 0), or with pages of
 * another size than 4096 bytes, is used as it is, and not converted; only its WAL is checked. Files
 * with sums are plain SQLite files. A sqlite3 shell can read them, but knows nothing of sums: after
 * a shell, or an older weir, has written pages (also by the checkpoint that a shell makes when it
 * is the last to close a file with a WAL, as kill -9 leaves it) the next start finds them wrong and
 * rebuilds the file. `weir sql` and `sqlite3 -readonly` write nothing. A copy of the file and its
 * WAL is as good as they are.
 *
 * Cost, each on top of the call below: 250 ns for a page read or written (0.2 % of its space too),
 * 1,200 ns for a frame read (half of it the sum, a third a second read for the sum before it). The
 * CPU time of 500,000 random rows in a table three times the cache rose by 10 % in a restore by
 * slices of 10,000 rows and by 3 % in takes of 1,000 (medians of seven on a busy machine; by their
 * best runs 14 and 19 %). Rows in SQLite's cache cost nothing. 4 KB for each open file.
 *
 * The idea and its traps are those of SQLite's checksum VFS (https://www.sqlite.org/cksumvfs.html),
 * which checks no WAL and takes byte 20 and pages of zeros on trust; the sum and the code are not.
 */
#ifndef WEIR_STORE_CHECKSUM_H
#define WEIR_STORE_CHECKSUM_H

struct sqlite3;

#define CHECKSUM_VFS "weir-checksum"

/* Puts the layer on the default VFS, once; SQLite is initialised then. SQLITE_OK or why not. */
int checksum_register(void);

/* Gives a new file its sums; before the first write to it. */
int checksum_reserve(struct sqlite3 *db);

/* What was last found wrong ("page 7 does not match its checksum"), or NULL. The text lives until
 * the connection is closed or finds more. */
const char *checksum_failure(struct sqlite3 *db);

#endif
