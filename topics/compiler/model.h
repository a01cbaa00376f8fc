/* model.h - everything the compiler knows before it writes: the named types and the topics.
 *
 * A run compiles a set of files into one C unit ("shop": shop.h, shop.c). Files mention each
 * other's types by name, in any order; all share one namespace. `types` is in C's order: what a
 * struct contains stands before it.
 */
#ifndef SCHEMAC_MODEL_H
#define SCHEMAC_MODEL_H

#include "base/arena.h"
#include "base/error.h"
#include "codec/layout.h"
#include "codec/schema.h"
#include "names.h"

#define KEY_FIELDS_MAX 8
#define CHECKS_MAX     32

/* One .avsc file. */
struct source {
    const char *path, *text;
    size_t size;
    const char *full_name; /* of the type it defines */
    struct schema *schema; /* NULL until parsed */
    bool being_parsed;     /* a mention of it now is a recursion */
};

/* A state row's attributes: indexes into its schema's fields. */
struct row_rules {
    uint16_t key[KEY_FIELDS_MAX], scan[KEY_FIELDS_MAX];
    uint16_t key_count, scan_count; /* key_count 0: not a state row */
    const char *checks[CHECKS_MAX];
    size_t check_count;
};

/* A record or an enum. */
struct named {
    const struct schema *schema;
    const struct source *source;
    const char *short_name; /* "PlaceOrder" */
    const char *c_name;     /* "place_order" */
    const char *c_upper;    /* "PLACE_ORDER" */
    const char *text;       /* the self-contained schema text */
    uint64_t fingerprint;
    struct row_rules row;
    bool is_array_item;        /* wants a struct place_order_array */
    int union_field;           /* index of its union of records, -1: none */
    const struct topic *topic; /* whose record or branch it is, or NULL */
};

/* One section of topics.conf. */
struct topic {
    const char *name;   /* "order.requests" */
    const char *c_name; /* "order_requests" */
    const char *where;  /* "topics.conf:34" */
    const char *doc, *key, *record_name;
    struct named *record;
    enum weir_encoding encoding;
    enum weir_cleanup cleanup;
    int64_t partitions, max_message_bytes, retention_ms, delete_retention_ms;
    bool sequenced;
};

struct model {
    struct arena arena;         /* everything below lives in it, but for names */
    const char *unit;           /* "shop" */
    const char *avro_namespace; /* Avro's: "weir.shop" */
    struct source *sources;
    size_t source_count;
    struct named **types;
    size_t type_count, type_capacity;
    struct topic *topics;
    size_t topic_count;
    struct names names;
    bool has_topics;               /* --topics was given */
    bool has_item[WEIR_UNION + 1]; /* kinds of primitives that some array holds */
};

void model_init(struct model *model, const char *unit);
void model_release(struct model *model);

/* Reads and parses the files, checks that every type is one that layout.h can say, fills `types`.
 * FATAL names the file, the field and the rule. */
MUST_CHECK enum outcome model_load(struct model *model, char **paths, size_t path_count,
                                   struct error *error);

/* By short or full name; NULL when there is none. */
struct named *model_find(const struct model *model, const char *name);

/* What a field, or an item of an array, is in C. */
struct shape {
    enum weir_kind kind;
    bool nullable, null_is_first;
    struct named *named;           /* ENUM, RECORD */
    const struct schema *items;    /* ARRAY */
    const struct schema *branches; /* UNION */
};

/* Fills `shape` and returns NULL, or returns the rule that refuses `type`. */
const char *shape_of(const struct model *model, const struct schema *type, struct shape *shape);

/* The shape of a type that has passed the rules. */
struct shape checked_shape(const struct model *model, const struct schema *type);

bool is_enum(const struct named *type);

/* Does the presence of a nullable field of this shape stand in a has_x member? */
bool has_flag(const struct shape *shape);

#endif
