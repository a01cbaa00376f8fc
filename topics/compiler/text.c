/* text.c - see text.h. */
#include "text.h"

#include <string.h>

#define LITERAL_BYTES 80
#define COLUMNS       100

static void add_escaped(struct buffer *out, char letter)
{
    unsigned char byte = (unsigned char)letter;
    if (letter == '\n') {
        buffer_add_string(out, "\\n");
    } else if (letter == '\t') {
        buffer_add_string(out, "\\t");
    } else if (strchr("\"\\?", letter) != NULL) { /* ? because of trigraphs */
        buffer_format(out, "\\%c", letter);
    } else if (byte < 0x20 || byte == 0x7f) {
        buffer_format(out, "\\%03o", byte);
    } else {
        buffer_add_byte(out, byte);
    }
}

void text_literal(struct buffer *out, const char *indent, const char *text)
{
    buffer_add_byte(out, '"');
    size_t column = 0;
    for (const char *at = text; *at != '\0'; at++) {
        add_escaped(out, *at);
        column++;
        /* Never inside a UTF-8 sequence: it would only look bad. */
        bool may_break = at[1] != '\0' && ((unsigned char)at[1] & 0xc0) != 0x80;
        if (may_break && (*at == '\n' || (column >= LITERAL_BYTES && *at == ' ') ||
                          column >= LITERAL_BYTES + 15)) {
            buffer_format(out, "\"\n%s\"", indent);
            column = 0;
        }
    }
    buffer_add_byte(out, '"');
}

void text_comment(struct buffer *out, const char *indent, const char *text)
{
    if (text == NULL || text[0] == '\0') {
        return;
    }
    size_t column = strlen(indent) + 2;
    buffer_format(out, "%s/*", indent);
    for (const char *word = text + strspn(text, " \n\t"); *word != '\0';
         word += strspn(word, " \n\t")) {
        size_t length = strcspn(word, " \n\t");
        if (column + 1 + length + 3 > COLUMNS) {
            buffer_format(out, "\n%s *", indent);
            column = strlen(indent) + 2;
        }
        buffer_add_byte(out, ' ');
        for (size_t i = 0; i < length; i++) {
            bool opens = i > 0 && ((word[i - 1] == '*' && word[i] == '/') ||
                                   (word[i - 1] == '/' && word[i] == '*'));
            if (opens) {
                buffer_add_byte(out, ' ');
            }
            buffer_add_byte(out, (uint8_t)word[i]);
        }
        column += 1 + length;
        word += length;
    }
    buffer_add_string(out, " */\n");
}

/* Up to the comma that ends a parameter, with it. */
static size_t parameter_length(const char *at)
{
    size_t length = strcspn(at, ",");
    return length + (at[length] == ',');
}

void text_wrap_head(struct buffer *out, size_t start)
{
    struct buffer head;
    buffer_init(&head);
    buffer_add(&head, out->data + start, out->size - start);
    const char *at = buffer_string(&head);
    size_t indent = strcspn(at, "(") + 1, column = 0;
    out->size = start;
    while (*at != '\0') {
        size_t length = parameter_length(at);
        if (column + length >= COLUMNS && column > 0) { /* one column is for the semicolon */
            buffer_format(out, "\n%*s", (int)indent, "");
            at += strspn(at, " ");
            length = parameter_length(at);
            column = indent;
        }
        buffer_add(out, at, length);
        column += length;
        at += length;
    }
    buffer_release(&head);
}

static const char *const primitives[] = {
    [WEIR_BOOLEAN] = "boolean", [WEIR_INT] = "int",     [WEIR_LONG] = "long",
    [WEIR_STRING] = "string",   [WEIR_BYTES] = "bytes", [WEIR_UNION] = NULL,
};

const char *text_array_tag(const struct model *model, const struct shape *item,
                           struct buffer *scratch)
{
    buffer_reset(scratch);
    buffer_format(scratch, "%s_", item->named != NULL ? item->named->c_name : model->unit);
    if (item->named == NULL) {
        buffer_format(scratch, "%s_", primitives[item->kind]);
    }
    buffer_add_string(scratch, "array");
    return buffer_string(scratch);
}

void text_type(struct buffer *out, const struct model *model, const struct shape *shape)
{
    switch (shape->kind) {
    case WEIR_BOOLEAN:
        buffer_add_string(out, "bool ");
        return;
    case WEIR_INT:
        buffer_add_string(out, "int32_t ");
        return;
    case WEIR_LONG:
        buffer_add_string(out, "int64_t ");
        return;
    case WEIR_STRING:
        buffer_add_string(out, "const char *");
        return;
    case WEIR_BYTES:
        buffer_add_string(out, "struct weir_bytes ");
        return;
    case WEIR_ENUM:
        buffer_format(out, "enum %s ", shape->named->c_name);
        return;
    case WEIR_RECORD:
        buffer_format(out, "struct %s ", shape->named->c_name);
        return;
    case WEIR_ARRAY: {
        struct shape item = checked_shape(model, shape->items);
        struct buffer scratch;
        buffer_init(&scratch);
        buffer_format(out, "struct %s ", text_array_tag(model, &item, &scratch));
        buffer_release(&scratch);
        return;
    }
    case WEIR_UNION:
        break; /* is no type of its own */
    }
    CHECK(shape->kind != WEIR_UNION);
}

void text_parameters(struct buffer *out, const struct model *model, const struct named *type,
                     const uint16_t *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct schema_field *field = &type->schema->fields[fields[i]];
        struct shape shape = checked_shape(model, field->type);
        text_type(out, model, &shape);
        buffer_format(out, "%s%s", field->name, i + 1 < count ? ", " : "");
    }
}

void text_initializers(struct buffer *out, const struct named *type, const uint16_t *fields,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *name = type->schema->fields[fields[i]].name;
        buffer_format(out, ".%s = %s%s", name, name, i + 1 < count ? ", " : "");
    }
}
