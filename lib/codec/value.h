/* value.h - reaching into a struct by its layout (internal to lib/codec).
 *
 * A value is its type, its place, and the place of what stands beside it: has_x of a nullable
 * scalar, x_branch of a union. Items of arrays have nothing beside them.
 */
#ifndef WEIR_CODEC_VALUE_H
#define WEIR_CODEC_VALUE_H

#include <string.h>

#include "base/error.h"
#include "codec/layout.h"

/* Enums are int-sized in our compilers' ABI, whatever their values. */
_Static_assert(sizeof(enum weir_kind) == sizeof(int32_t), "enums are read and written as int32_t");

/* Nullable scalars have a has_x beside them; strings and bytes say it by a NULL. */
static inline bool type_has_flag(const struct weir_type *type)
{
    return type->nullable && type->kind != WEIR_STRING && type->kind != WEIR_BYTES;
}

/* NOLINTBEGIN(clang-analyzer-core.NonNullParamChecker): `at` is NULL only where a plan skips, and
 * then nothing is loaded or stored; the analyzer does not follow the plan's step codes. */
static inline int32_t load_int(const void *at)
{
    int32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline int64_t load_long(const void *at)
{
    int64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline bool load_boolean(const void *at)
{
    bool value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline const char *load_string(const void *at)
{
    const char *value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline struct weir_bytes load_bytes(const void *at)
{
    struct weir_bytes value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* All arrays are a pointer and a count, whatever they point at. */
static inline struct weir_array load_array(const void *at)
{
    struct weir_array value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline void store_int(void *at, int32_t value)
{
    memcpy(at, &value, sizeof value);
}

static inline void store_long(void *at, int64_t value)
{
    memcpy(at, &value, sizeof value);
}

static inline void store_boolean(void *at, bool value)
{
    memcpy(at, &value, sizeof value);
}

static inline void store_string(void *at, const char *value)
{
    memcpy(at, &value, sizeof value);
}

static inline void store_bytes(void *at, struct weir_bytes value)
{
    memcpy(at, &value, sizeof value);
}

static inline void store_array(void *at, struct weir_array value)
{
    memcpy(at, &value, sizeof value);
}

static inline bool value_is_null(const struct weir_type *type, const void *at, const void *beside)
{
    if (!type->nullable) {
        return false;
    }
    if (type->kind == WEIR_STRING) {
        return load_string(at) == NULL;
    }
    if (type->kind == WEIR_BYTES) {
        return load_bytes(at).data == NULL;
    }
    CHECK(beside);
    return !load_boolean(beside);
}

static inline const void *field_at(const struct weir_field *field, const void *record)
{
    return (const uint8_t *)record + field->offset;
}

static inline const void *field_beside(const struct weir_field *field, const void *record)
{
    return (const uint8_t *)record + field->has_offset;
}

/* How many branches a union has. */
static inline int32_t type_branch_count(const struct weir_type *type)
{
    int32_t count = 0;
    while (type->branches[count]) {
        count++;
    }
    return count;
}
/* NOLINTEND(clang-analyzer-core.NonNullParamChecker) */

#endif
