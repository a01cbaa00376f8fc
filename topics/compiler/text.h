/* text.h - C source as text: string literals, comments and types that read as if a person had
 * written them. */
#ifndef SCHEMAC_TEXT_H
#define SCHEMAC_TEXT_H

#include "base/buffer.h"
#include "model.h"

/* Appends `text` as a C string literal: one line after `indent` for every line of the text and
 * about every 80 bytes. */
void text_literal(struct buffer *out, const char *indent, const char *text);

/* Appends `text` as a block comment of at most 100 columns, ending its line. Nothing for NULL. */
void text_comment(struct buffer *out, const char *indent, const char *text);

/* Breaks the function head that is everything in `out` from `start` on, at its commas, as
 * clang-format would. */
void text_wrap_head(struct buffer *out, size_t start);

/* Appends the C type of a field or an array item, with the space or star that a name can follow:
 * "int64_t ", "const char *", "struct order_line_array ". */
void text_type(struct buffer *out, const struct model *model, const struct shape *shape);

/* The struct of an array of such items: "order_line_array", "shop_string_array". */
const char *text_array_tag(const struct model *model, const struct shape *item,
                           struct buffer *scratch);

/* Appends the parameters that look fields up ("const char *order_id, int32_t line_no") and the
 * initializer that puts them into a row (".order_id = order_id, .line_no = line_no"). */
void text_parameters(struct buffer *out, const struct model *model, const struct named *type,
                     const uint16_t *fields, size_t count);
void text_initializers(struct buffer *out, const struct named *type, const uint16_t *fields,
                       size_t count);

#endif
