/* payload_hash.h - what an order asks for, in 16 bytes.
 *
 * A shop front that repeats a PlaceOrder sends the same content; another content under the same
 * order_id is a conflict. The hash (FNV-1a, 128 bits) tells the two apart. It is stored for days
 * and compared across versions of weir, so the content and the order in which it is hashed may not
 * change. Against accidents, not against forgers: a customer can only collide with an own order.
 */
#ifndef PROCESSORS_PAYLOAD_HASH_H
#define PROCESSORS_PAYLOAD_HASH_H

#include "shop.h"
#include "weir.h"

enum { PAYLOAD_HASH_SIZE = 16 };

/* Hashes everything that `order` asks for, lines by line_no; when it was placed is not part of it.
 * In ctx's memory. */
struct weir_bytes payload_hash(struct weir_context *ctx, const struct place_order *order);

#endif
