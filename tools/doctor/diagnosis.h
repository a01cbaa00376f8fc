/* diagnosis.h - what the facts about a task mean: each contradiction that truth.c and restore.c can
 * stop with, and what holds a task up; with the command that mends it.
 *
 * A pure function. A contradiction that another one hides is not named: mend the first and look
 * again.
 */
#ifndef WEIR_TOOLS_DIAGNOSIS_H
#define WEIR_TOOLS_DIAGNOSIS_H

#include "doctor/facts.h"

enum finding_kind {
    /* the group's offsets */
    OFFSETS_HELD,       /* an open transaction holds them */
    OFFSETS_FOREIGN,    /* not set by weir */
    OFFSETS_MIXED,      /* of different commits */
    OFFSETS_PARTIAL,    /* only some inputs have one */
    OFFSETS_SET_BACK,   /* the changelog has later commits */
    OFFSETS_OF_ANOTHER, /* of another incarnation than the changelog's commit of that number */
    OFFSETS_DIFFER,     /* not those of the checkpoint of that number */
    OFFSETS_GONE,       /* none, but the changelog has checkpoints: adopted at the next start */
    /* inputs */
    INPUT_NEW,    /* no offsets, and the last checkpoint does not name this input */
    INPUT_CUT,    /* the log begins behind the offset */
    INPUT_SHORT,  /* the log ends before the offset */
    INPUT_PAUSED, /* the next record cannot be read by anybody here */
    INPUT_HELD,   /* an open transaction keeps readers from what follows */
    /* the changelog */
    CHANGELOG_EMPTY,
    CHANGELOG_BEHIND,     /* it ends before the group's commit */
    CHANGELOG_CUT,        /* its beginning was deleted */
    CHANGELOG_HEADLESS,   /* rows, but no checkpoint */
    CHANGELOG_UNREADABLE, /* the last checkpoint cannot be decoded */
    CHANGELOG_HELD,
    /* the state file */
    FILE_AHEAD,   /* it holds a commit that the group and the changelog do not know */
    FILE_ALONE,   /* it holds a commit, and there is nothing in Kafka */
    FILE_USELESS, /* it will be set aside and rebuilt at the next start */
};

struct finding {
    enum finding_kind kind;
    bool needs_person; /* the task stops or waits until somebody does something */
    char text[500];    /* what is wrong */
    char command[300]; /* what mends it: a command, or what to do; "" for a note */
};

enum { FINDINGS_MAX = 3 * WEIR_LIST_MAX + 4 };

struct diagnosis {
    struct finding items[FINDINGS_MAX];
    size_t count;
};

void diagnose(const struct task_facts *facts, struct diagnosis *diagnosis);

bool diagnosis_needs_person(const struct diagnosis *diagnosis);

#endif
