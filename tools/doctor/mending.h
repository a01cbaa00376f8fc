/* mending.h - carries a plan out, or shows it: what `weir offsets` and `weir reset` share. */
#ifndef WEIR_TOOLS_MENDING_H
#define WEIR_TOOLS_MENDING_H

#include "doctor/plan.h"
#include "tool.h"

struct mending {
    const char *command; /* "offsets adopt": for messages */
    const struct tool_place *place;
    const char *name;  /* of the processor, or its application id */
    int64_t partition; /* -1: all */
    planner *plan;
    bool execute;
    bool recreate;           /* the changelog is made anew, though nothing seems wrong with it */
    bool may_repeat;         /* the person has said that outputs may come twice */
    const char *repeat_flag; /* ... with this flag */
};

/* Shows what each task would become and, when told to, makes it so. Returns the exit code. */
int mend(const struct mending *mending);

#endif
