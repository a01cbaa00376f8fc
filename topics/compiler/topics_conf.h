/* topics_conf.h - reads topics.conf, whose own head explains every key. */
#ifndef SCHEMAC_TOPICS_CONF_H
#define SCHEMAC_TOPICS_CONF_H

#include "model.h"

/* Fills model->topics in the file's order; records are still names. FATAL names file and line: an
 * unknown key, a value that is none, a key twice, a topic twice, a required key missing, a key that
 * contradicts the topic's cleanup. */
MUST_CHECK enum outcome topics_conf_read(struct model *model, const char *path,
                                         struct error *error);

#endif
