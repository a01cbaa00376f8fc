/* emit.h - what the compiler writes. Every part appends to a buffer; the model has passed all
 * rules, so nothing fails. */
#ifndef SCHEMAC_EMIT_H
#define SCHEMAC_EMIT_H

#include "base/buffer.h"
#include "model.h"

/* The two files: shop.h and shop.c. */
void emit_header(const struct model *model, struct buffer *out);
void emit_source(const struct model *model, struct buffer *out);

/* Enums, structs and arrays, in C's order. */
void emit_types(const struct model *model, struct buffer *out);

/* The layout tables of codec/layout.h: symbols, fields with offsets and defaults, schema texts. */
void emit_layouts(const struct model *model, struct buffer *out);

/* State rows: the store, and get, put, delete, list_by and scan_by calls. */
void emit_row_declarations(const struct model *model, struct buffer *out);
void emit_row_definitions(const struct model *model, struct buffer *out);

/* CREATE TABLE ... STRICT, WITHOUT ROWID, as SQL. */
void emit_create_sql(const struct model *model, const struct named *row, struct buffer *out);

/* Topics: handlers with their dispatch, emit calls, the topic itself. */
void emit_topic_declarations(const struct model *model, struct buffer *out);
void emit_topic_definitions(const struct model *model, struct buffer *out);

#endif
