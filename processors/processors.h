/* processors.h - the shop's processors: one business rule each, one file or a few with the same
 * first word.
 *
 * intake     stateless: order.raw to order.requests
 * order      keyed by order: order.requests and stock.replies to stock.commands, order.events and
 *            order.view
 * inventory  keyed by SKU: stock.commands to stock.replies, stock.ledger and stock.levels
 */
#ifndef PROCESSORS_H
#define PROCESSORS_H

#include "weir.h"

extern const struct weir_processor intake_processor;
extern const struct weir_processor order_processor;
extern const struct weir_processor inventory_processor;

/* All of them, ending with NULL. */
extern const struct weir_processor *const processors[];

#endif
