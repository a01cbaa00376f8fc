/* processors.c - the list of processors that this program has. A new one needs its name here, and a
 * table of its own. */
#include "processors.h"

#include <stddef.h>

const struct weir_processor *const processors[] = {
    &intake_processor,
    &order_processor,
    &inventory_processor,
    NULL,
};
