/* fold.h - a state file against the fold of its changelog: I28.
 *
 * The fold goes up to the commit at which the file stands (store_peek tells; the file may lag), no
 * further. Of each row it keeps two hashes and an offset. Comparison is by JSON text: that of the
 * decoded changelog row, and the same built from the file's columns.
 */
#ifndef WEIR_AUDIT_FOLD_H
#define WEIR_AUDIT_FOLD_H

#include "audit.h"

struct fold;

/* A task's changelog, and the commit number that its file states. `tables`: NULL-terminated, the
 * timers' among them. */
struct fold *fold_open(struct audit *audit, const char *changelog, int32_t partition,
                       const struct weir_store *const *tables, int64_t commit_number);
void fold_close(struct fold *fold); /* NULL is fine */

/* The changelog's records in order. After the file's commit they are not looked at. */
void fold_record(struct fold *fold, int64_t offset, struct weir_bytes key, struct weir_bytes value);

/* true: what follows in the changelog is not needed. */
bool fold_is_complete(const struct fold *fold);

/* Reads the file and tells every difference. */
void fold_compare(struct fold *fold, const char *path);

/* A file that is not there, or cannot be read. */
void fold_missing(struct audit *audit, const char *path, const char *why);

#endif
