/* options.h - the chaos program's command line. */
#ifndef WEIR_TEST_CHAOS_OPTIONS_H
#define WEIR_TEST_CHAOS_OPTIONS_H

#include "chaos/chaos.h"

/* false: it was told what is wrong. */
bool options_parse(struct options *options, int argc, char **argv);

#endif
