#!/bin/bash
# schemac_takes.sh SCHEMAC LIB - one schema with everything that the schema compiler takes, through the C compiler.
#
# The shop's own records leave corners out (bytes with a default, aliases, arrays of enums, docs that would end a comment).
# LIB is the directory of weir.h. CC may name the compiler.
set -euo pipefail

schemac=$(realpath "$1")
lib=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat > everything.avsc <<'END'
{"type": "record", "name": "Everything", "namespace": "t", "aliases": ["Allt", "old.Alles"],
 "doc": "What?\n\"Quoted\" \\ and trigraph ??/ and */ and /* and 5 × 3.", "x-custom": {"type": "Inner"},
 "weir.key": ["id", "kind", "n"], "weir.scan": ["n", "kind"], "weir.check": "n <> 3", "fields": [
  {"name": "id", "type": "string", "aliases": ["ident", "key"]},
  {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"], "default": "B",
    "aliases": ["Sort"], "doc": "inner"}},
  {"name": "n", "type": "int", "default": -1},
  {"name": "deep", "type": {"type": "record", "name": "Deep", "fields": [{"name": "d", "type": "int"}]}},
  {"name": "b", "type": "bytes", "default": "\u0000\u00ff\u00e9A"},
  {"name": "null_last", "type": ["int", "null"], "default": 7},
  {"name": "flag", "type": ["null", "boolean"]},
  {"name": "maybe_kind", "type": ["null", "Kind"], "default": null},
  {"name": "maybe_bytes", "type": ["null", "bytes"]},
  {"name": "text", "type": {"type": "string"}, "default": "Inner", "doc": "looks like a type, \"Inner\""},
  {"name": "kinds", "type": {"type": "array", "items": "Kind"}, "default": ["B", "A"]},
  {"name": "flags", "type": {"type": "array", "items": "boolean"}, "default": [true, false]},
  {"name": "numbers", "type": {"type": "array", "items": "int"}},
  {"name": "longs", "type": {"type": "array", "items": {"type": "long", "logicalType": "timestamp-millis"}}},
  {"name": "blobs", "type": {"type": "array", "items": "bytes"}},
  {"name": "inner", "type": "t.Inner", "default": {"x": -2}},
  {"name": "inners", "type": {"type": "array", "items": "Inner"}, "default": [{"x": 1}, {"x": 2, "y": "z"}]}]}
END
cat > inner.avsc <<'END'

{"fields": [{"type": "long", "name": "x"}, {"name": "y", "type": "string", "default": "é"}],
  "namespace": "t", "name": "Inner", "type": "record"}
END

"$schemac" --name all --out . everything.avsc inner.avsc

cat > main.c <<'END'
#include "all.h"

#include <string.h>

#include "codec/layout.h"

bool weir_row_get(struct weir_context *ctx, const struct weir_store *store, const void *key, void *row)
{
    (void)ctx, (void)store, (void)key, (void)row;
    return false;
}

void weir_row_put(struct weir_context *ctx, const struct weir_store *store, const void *row)
{
    (void)ctx, (void)store, (void)row;
}

void weir_row_delete(struct weir_context *ctx, const struct weir_store *store, const void *key)
{
    (void)ctx, (void)store, (void)key;
}

size_t weir_row_list(struct weir_context *ctx, const struct weir_store *store, const void *key, size_t prefix,
                     size_t limit, void **rows)
{
    (void)ctx, (void)store, (void)key, (void)rows;
    return prefix + limit;
}

size_t weir_row_scan(struct weir_context *ctx, const struct weir_store *store, const void *like, size_t field,
                     void **rows)
{
    (void)ctx, (void)store, (void)like, (void)rows;
    return field;
}

static int failed;

static void expect(const char *field, const char *bytes, size_t size)
{
    for (size_t i = 0; i < everything_record.field_count; i++) {
        const struct weir_field *at = &everything_record.fields[i];
        if (strcmp(at->name, field) == 0) {
            const struct weir_bytes *value = &at->default_value;
            failed += value->size != size || memcmp(value->data, bytes, size) != 0;
            return;
        }
    }
    failed++;
}

int main(void)
{
    expect("n", "\x01", 1);
    expect("b", "\x08\x00\xff\xe9\x41", 5);
    expect("null_last", "\x00\x0e", 2);
    expect("maybe_kind", "\x00", 1);
    expect("kinds", "\x04\x02\x00\x00", 4);
    expect("flags", "\x04\x01\x00\x00", 4);
    expect("inner", "\x03\x04\xc3\xa9", 4);
    expect("inners", "\x04\x02\x04\xc3\xa9\x04\x02z\x00", 9);
    failed += strcmp(everything_record.aliases[0], "t.Allt") != 0 || everything_record.aliases[2] != NULL;
    failed += strcmp(everything_record.fields[0].aliases[1], "key") != 0;
    failed += everything_record.fields[1].type.symbols->default_symbol != KIND_B;
    /* The doc and the custom attribute stand as they were; the definition is put in once, behind them. */
    const char *definition = strstr(everything_record.schema, "\"inner\", \"type\": {\"fields\"");
    failed += definition == NULL || strstr(everything_record.schema, "{\"type\": \"Inner\"}") == NULL;
    failed += strstr(everything_record.schema, "\"items\": \"Inner\"") == NULL;
    failed += strcmp(everything_record.doc, "What?\n\"Quoted\" \\ and trigraph ?\?/ and */ and /* and 5 × 3.") != 0;
    return failed;
}
END
warnings=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
    -Wswitch-enum -Wvla -Werror)
"${CC:-cc}" -std=c11 "${warnings[@]}" -I "$lib" -I . all.c main.c -o main
./main || { echo "FAILED: $? of the checks in main.c"; exit 1; }
# The header alone.
echo '#include "all.h"' | "${CC:-cc}" -std=c11 "${warnings[@]}" -I "$lib" -I . -x c -fsyntax-only -
echo "everything compiles"
