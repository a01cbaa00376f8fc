/* processor.h - the tally: sums per name, with a reminder timer, a view and a refusal. For the
 * tests of the protocol. */
#ifndef WEIR_TEST_TALLY_PROCESSOR_H
#define WEIR_TEST_TALLY_PROCESSOR_H

#include "tally.h"

extern const struct weir_processor tally_processor;

#endif
