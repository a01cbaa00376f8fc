/* metadata.h - how a commit is named outside the state file: in the metadata of the offsets that it
 * committed, and as the record that closes it in the changelog. */
#ifndef WEIR_RUNTIME_METADATA_H
#define WEIR_RUNTIME_METADATA_H

#include <stdbool.h>
#include <stdint.h>

/* The name under which a checkpoint stands in the changelog; row keys begin with a store's name and
 * a NUL. */
#define CHECKPOINT_KEY "checkpoint"

enum { INCARNATION_BYTES = 33 };

/* "weir1 <commit number> <incarnation> <offset>"; `metadata` has PORT_METADATA_MAX bytes,
 * `incarnation` has INCARNATION_BYTES. The offset is repeated so that one which somebody else has
 * set, metadata kept, shows. Reading is false for anything that a task has not written of this
 * offset. */
void metadata_write(int64_t number, const char *incarnation, int64_t offset, char *metadata);
bool metadata_read(const char *metadata, int64_t offset, int64_t *number, char *incarnation);

#endif
