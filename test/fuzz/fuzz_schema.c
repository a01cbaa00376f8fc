/* fuzz_schema.c - libFuzzer: any text as a schema. Its canonical form must be a schema too, with
 * the same form (the fingerprint of which is the schema's), and a plan to read it as something must
 * be made or refused.
 */
#include "fuzz.h"

#include "codec/plan.h"
#include "codec/schema.h"

static void check_canonical_form(const struct schema *schema, struct arena *arena)
{
    struct schema *again;
    struct error error;
    struct buffer first = {0}, second = {0};
    schema_canonical_form(schema, &first);
    CHECK(schema_parse(&again, (char *)first.data, first.size, arena, NULL, NULL, &error) == OK);
    schema_canonical_form(again, &second);
    CHECK(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    CHECK(schema_fingerprint(schema) == schema_fingerprint(again));
    buffer_release(&first);
    buffer_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct weir_field field = {.name = "f", .type = {.kind = WEIR_STRING}};
    static const struct weir_record reader = {
        .name = "R", .short_name = "R", .fields = &field, .field_count = 1, .size = sizeof(char *)};
    struct schema *schema;
    struct error error;
    struct arena arena;
    struct plan plan;
    arena_init(&arena);
    if (schema_parse(&schema, (const char *)data, size, &arena, NULL, NULL, &error) == OK) {
        check_canonical_form(schema, &arena);
        plan_resolve(&plan, schema, &reader, &arena);
    }
    arena_release(&arena);
    return 0;
}
