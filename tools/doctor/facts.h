/* facts.h - what there is to know about one task: in its group, its changelog, its file, its
 * inputs.
 *
 * Gathered without changing anything; diagnosis.h says what it means and mending.h what a repair
 * would make of it. A task may be running meanwhile: then its numbers grow between two questions,
 * which is seen, and means that nothing contradicts.
 */
#ifndef WEIR_TOOLS_FACTS_H
#define WEIR_TOOLS_FACTS_H

#include "doctor/checkpoints.h"
#include "runtime/metadata.h"
#include "store/store.h"

struct input_facts {
    const char *topic;
    struct port_offset committed; /* offset -1: none */
    struct port_log log;
    struct waiting waiting; /* from facts_position() on */
    int64_t held_since_ms;  /* an open transaction keeps readers from what follows it; 0: none */
    const char *writers;    /* transactional ids that may hold it, for a person */
    char unreadable[300];   /* why nobody here can read the record that is next; "" when one can */
};

enum group_state {
    GROUP_NONE,    /* no input has an offset */
    GROUP_FOREIGN, /* an offset was not set by weir */
    GROUP_MIXED,   /* offsets of different commits */
    GROUP_PARTIAL, /* some inputs have none */
    GROUP_AT,      /* all are of commit `number` */
    GROUP_HELD,    /* an open transaction holds the offsets: no answer */
};

enum file_state { FILE_NONE, FILE_READ, FILE_UNREADABLE };

struct task_facts {
    const char *processor, *application_id;
    int32_t partition;
    int64_t now_ms;
    int64_t transaction_timeout_ms, delete_retention_ms;

    struct input_facts inputs[WEIR_LIST_MAX];
    size_t input_count;

    enum group_state group;
    int64_t number; /* GROUP_AT */
    char incarnation[INCARNATION_BYTES];
    bool moving; /* the group's number grew while we looked: the task runs */

    struct last_checkpoint changelog;
    int64_t changelog_held_since_ms;

    enum file_state file;
    struct store_meta meta; /* FILE_READ */
    char file_trouble[200]; /* FILE_UNREADABLE */
};

/* What to ask about. */
struct facts_source {
    struct port *port;
    struct codec *codec;
    const struct weir_processor *processor;
    const char *application_id;
    const char *state_path;
    int32_t partition;
    int64_t transaction_timeout_ms, delete_retention_ms;
};

/* Texts are in `arena` or the source's. RETRY when the broker does not answer. Does not fill
 * held_since_ms and writers. */
MUST_CHECK enum outcome facts_gather(const struct facts_source *source, struct arena *arena,
                                     struct task_facts *facts, struct error *error);

/* Reads group, number and incarnation off the committed offsets of the inputs. */
void facts_read_group(struct task_facts *facts);

/* Where the last checkpoint goes on in this input; -1 when it does not name it. */
int64_t facts_checkpoint_offset(const struct task_facts *facts, const char *topic);

/* Where the task goes on in an input: by the group; without offsets by the last checkpoint; without
 * that from the log's start. -1: it cannot be said. */
int64_t facts_position(const struct task_facts *facts, const struct input_facts *input);

/* The file holds the commit that the group stands at. */
bool facts_file_is_current(const struct task_facts *facts);

/* Nobody has run the task yet: it has no offset, no checkpoint, no row, and no commit in a file. */
bool facts_never_committed(const struct task_facts *facts);

#endif
