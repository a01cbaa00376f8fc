/* group.c - a consumer group: committed offsets, those that a transaction still holds, and members
 * with generations.
 *
 * Offsets: TxnOffsetCommit makes a pending one; the transaction's marker makes it stable or drops
 * it. While anything is pending for a partition, a reader who asks for stable offsets is told to
 * come again.
 *
 * Members: eager rebalance with the range assignor. Whoever joins or is lost begins a rebalance;
 * every member gives its partitions up in its next poll; when the last has, the generation moves
 * and all are assigned in their polls. Static members (all of ours are) do not leave; a second
 * process with the same instance id takes the first one's place.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "broker/internal.h"

struct broker_group *broker_group_find(struct broker *broker, const char *name)
{
    for (size_t i = 0; i < broker->group_count; i++) {
        if (strcmp(broker->groups[i]->name, name) == 0) {
            return broker->groups[i];
        }
    }
    struct broker_group *group = xcalloc(1, sizeof *group);
    *group = (struct broker_group){.name = xstrdup(name), .next_member = 1};
    broker->groups =
        broker_grow(broker->groups, broker->group_count, sizeof(struct broker_group *));
    broker->groups[broker->group_count++] = group;
    return group;
}

void broker_group_release(struct broker_group *group)
{
    for (size_t i = 0; i < group->member_count; i++) {
        free(group->members[i].instance_id);
    }
    free(group->members);
    free(group->offsets);
    free(group->past);
    free(group->name);
    free(group);
}

/* ---- offsets ---- */

static struct broker_committed *find_offset(const struct broker_group *group,
                                            const struct broker_txn *txn,
                                            const struct broker_topic *topic, int32_t partition)
{
    for (size_t i = 0; i < group->offset_count; i++) {
        struct broker_committed *at = &group->offsets[i];
        if (at->txn == txn && at->topic == topic && at->partition == partition) {
            return at;
        }
    }
    return NULL;
}

static void remember(struct broker_group *group, const struct broker_committed *old)
{
    if (!group->past) {
        group->past = xcalloc(BROKER_PAST, sizeof *group->past);
    }
    if (group->past_count == BROKER_PAST) {
        memmove(group->past, group->past + 1, --group->past_count * sizeof *group->past);
    }
    group->past[group->past_count++] = *old;
}

static void put_offset(struct broker_group *group, const struct broker_committed *new)
{
    struct broker_committed *old = find_offset(group, new->txn, new->topic, new->partition);
    if (old) {
        if (!old->txn) {
            remember(group, old);
        }
        *old = *new;
        return;
    }
    group->offsets = broker_grow(group->offsets, group->offset_count, sizeof *group->offsets);
    group->offsets[group->offset_count++] = *new;
}

static bool is_pending(const struct broker_group *group, const struct broker_topic *topic,
                       int32_t partition)
{
    for (size_t i = 0; i < group->offset_count; i++) {
        const struct broker_committed *at = &group->offsets[i];
        if (at->txn && at->topic == topic && at->partition == partition) {
            return true;
        }
    }
    return false;
}

static void answer(const struct broker_committed *at, struct port_offset *offset)
{
    offset->offset = at ? at->offset : -1;
    memset(offset->metadata, 0, sizeof offset->metadata);
    if (at) {
        memcpy(offset->metadata, at->metadata, sizeof offset->metadata);
    }
}

bool broker_group_offset(const struct broker_group *group, const struct broker_topic *topic,
                         int32_t partition, struct port_offset *offset)
{
    answer(find_offset(group, NULL, topic, partition), offset);
    return !is_pending(group, topic, partition);
}

void broker_group_old_offset(const struct broker_group *group, const struct broker_topic *topic,
                             int32_t partition, unsigned ago, struct port_offset *offset)
{
    const struct broker_committed *found = NULL;
    for (size_t i = group->past_count; i-- > 0 && ago > 0;) {
        const struct broker_committed *at = &group->past[i];
        if (at->topic == topic && at->partition == partition && --ago == 0) {
            found = at;
        }
    }
    answer(found, offset);
}

void broker_group_set(struct broker_group *group, const struct broker_topic *topic,
                      int32_t partition, int64_t offset, const char *metadata)
{
    struct broker_committed new = {.topic = topic,
                                   .partition = partition,
                                   .offset = offset,
                                   .order = group->next_order++};
    CHECK(strlen(metadata) < sizeof new.metadata);
    memcpy(new.metadata, metadata, strlen(metadata));
    put_offset(group, &new);
}

void broker_group_forget(struct broker_group *group, const struct broker_topic *topic)
{
    size_t kept = 0;
    for (size_t i = 0; i < group->offset_count; i++) {
        const struct broker_committed *at = &group->offsets[i];
        bool stays =
            topic ? at->topic != topic : at->txn || is_pending(group, at->topic, at->partition);
        if (stays) {
            group->offsets[kept++] = *at;
        }
    }
    group->offset_count = kept;
    kept = 0;
    for (size_t i = 0; i < group->past_count; i++) {
        if (group->past[i].topic != topic) {
            group->past[kept++] = group->past[i];
        }
    }
    group->past_count = kept;
}

void broker_group_mark(struct broker_group *group, const struct broker_txn *txn, bool commit)
{
    for (size_t i = 0; i < group->offset_count;) {
        struct broker_committed held = group->offsets[i];
        if (held.txn != txn) {
            i++;
            continue;
        }
        group->offsets[i] = group->offsets[--group->offset_count];
        const struct broker_committed *stable =
            find_offset(group, NULL, held.topic, held.partition);
        if (commit && (!stable || stable->order < held.order)) {
            held.txn = NULL;
            put_offset(group, &held);
            i = 0; /* put_offset may have moved things */
        }
    }
}

/* ---- members ---- */

static struct broker_member *find_member(const struct broker_group *group, int64_t id)
{
    for (size_t i = 0; id != 0 && i < group->member_count; i++) {
        if (group->members[i].id == id) {
            return &group->members[i];
        }
    }
    return NULL;
}

static struct broker_member *find_instance(const struct broker_group *group,
                                           const char *instance_id)
{
    for (size_t i = 0; i < group->member_count; i++) {
        if (strcmp(group->members[i].instance_id, instance_id) == 0) {
            return &group->members[i];
        }
    }
    return NULL;
}

static size_t members_alive(const struct broker_group *group)
{
    size_t alive = 0;
    for (size_t i = 0; i < group->member_count; i++) {
        alive += group->members[i].id != 0;
    }
    return alive;
}

struct broker_identity broker_group_identity(const struct broker_port *port)
{
    const struct broker_member *record =
        port->options.instance_id ? find_instance(port->group, port->options.instance_id) : NULL;
    return (struct broker_identity){
        .generation = record ? port->generation : -1,
        .member = port->member,
        .instance_id = record ? record->instance_id
                              : NULL, /* the group's own string: strays outlive the port */
    };
}

/* Member and generation are judged, never partitions. */
static enum broker_code judge(const struct broker_group *group,
                              const struct broker_identity *identity)
{
    if (identity->generation < 0 && members_alive(group) == 0) {
        return CODE_NONE;
    }
    if (identity->generation < 0 && identity->member == 0 && !identity->instance_id) {
        return CODE_NONE;
    }
    const struct broker_member *record =
        identity->instance_id ? find_instance(group, identity->instance_id) : NULL;
    if (record && record->id != 0 && record->id != identity->member) {
        return CODE_FENCED_INSTANCE;
    }
    if (!find_member(group, identity->member)) {
        return CODE_UNKNOWN_MEMBER;
    }
    return identity->generation == group->generation ? CODE_NONE : CODE_ILLEGAL_GENERATION;
}

enum broker_code broker_group_hold(struct broker_group *group, const struct broker_request *request)
{
    enum broker_code code = judge(group, &request->identity);
    for (size_t i = 0; code == CODE_NONE && i < request->offset_count; i++) {
        struct broker_committed new = request->offsets[i];
        new.txn = request->txn;
        new.order = group->next_order++;
        put_offset(group, &new);
    }
    return code;
}

static void begin_rebalance(struct broker_group *group)
{
    group->rebalancing = true;
    for (size_t i = 0; i < group->member_count; i++) {
        group->members[i].rejoined = false;
    }
}

static struct broker_member *join(struct broker_port *port)
{
    struct broker_group *group = port->group;
    struct broker_member *member = find_instance(group, port->options.instance_id);
    if (!member) {
        group->members = broker_grow(group->members, group->member_count, sizeof *group->members);
        member = &group->members[group->member_count++];
        *member = (struct broker_member){.instance_id = xstrdup(port->options.instance_id)};
    }
    if (member->id == 0) {
        begin_rebalance(group);
    }
    member->id = port->member = group->next_member++;
    member->silent = false;
    member->rejoined = true;
    member->session_timeout_ms = port->options.session_timeout_ms;
    return member;
}

/* The generation moves when every member has given its partitions up. */
static void complete_rebalance(struct broker_group *group)
{
    for (size_t i = 0; i < group->member_count; i++) {
        if (group->members[i].id != 0 && !group->members[i].rejoined) {
            return;
        }
    }
    group->rebalancing = false;
    group->generation++;
}

/* The range assignor: members by instance id, the first ones get one more. */
static void take_range(struct broker_port *port)
{
    const struct broker_group *group = port->group;
    int32_t members = 0, rank = 0;
    for (size_t i = 0; i < group->member_count; i++) {
        if (group->members[i].id != 0) {
            members++;
            rank += strcmp(group->members[i].instance_id, port->options.instance_id) < 0;
        }
    }
    int32_t partitions = INT32_MAX;
    for (const char *const *topic = port->options.topics; *topic; topic++) {
        const struct broker_topic *found = broker_topic_find(port->broker, *topic);
        int32_t count = found ? found->partition_count : 0;
        partitions = count < partitions ? count : partitions;
    }
    int32_t each = partitions / members, more = partitions % members;
    int32_t first = rank * each + (rank < more ? rank : more);
    int32_t count = each + (rank < more);
    int32_t *numbers = xcalloc((size_t)count + 1, sizeof *numbers);
    for (int32_t i = 0; i < count; i++) {
        numbers[i] = first + i;
    }
    port->generation = group->generation;
    broker_port_assign(port, numbers, (size_t)count);
    free(numbers);
}

static enum outcome serve_fixed(struct broker_port *port)
{
    if (!port->welcomed) {
        port->welcomed = true;
        broker_port_assign(port, &port->options.fixed_partition, 1);
    }
    return OK;
}

enum outcome broker_group_serve(struct broker_port *port, struct error *error)
{
    if (!port->options.instance_id) {
        return serve_fixed(port);
    }
    struct broker_group *group = port->group;
    struct broker_member *member = find_member(group, port->member);
    if (!member && port->member != 0) {
        const struct broker_member *other = find_instance(group, port->options.instance_id);
        broker_port_revoke(port, true);
        if (other->id != 0) {
            return fail_exit(error, EXIT_TRY_AGAIN,
                             "instance %s was fenced: another process has the same instance id",
                             port->options.instance_id);
        }
        port->member = 0;
    }
    if (!member) {
        member = join(port);
    }
    if (group->rebalancing && !member->rejoined) {
        broker_port_revoke(port, false);
        member = find_member(group, port->member);
        if (!member) { /* its session ended while it gave its tasks up */
            return OK;
        }
        member->rejoined = true;
    }
    if (group->rebalancing) {
        complete_rebalance(group);
    }
    if (!group->rebalancing && port->generation != group->generation) {
        take_range(port);
    }
    return OK;
}

/* ---- sessions ---- */

void broker_group_silence(struct broker_port *port, bool silent)
{
    struct broker_member *member = find_member(port->group, port->member);
    if (member && member->silent != silent) {
        member->silent = silent;
        member->silent_since_ms = port->broker->now_ms;
    }
}

static void lose(struct broker_group *group, struct broker_member *member)
{
    member->id = 0;
    begin_rebalance(group);
    if (members_alive(group) == 0) {
        complete_rebalance(group);
    }
}

void broker_group_expire(struct broker *broker, struct broker_group *group)
{
    for (size_t i = 0; i < group->member_count; i++) {
        struct broker_member *member = &group->members[i];
        if (member->id != 0 && member->silent &&
            member->silent_since_ms + member->session_timeout_ms <= broker->now_ms) {
            lose(group, member);
        }
    }
}

int64_t broker_group_due_ms(const struct broker_group *group)
{
    int64_t due = INT64_MAX;
    for (size_t i = 0; i < group->member_count; i++) {
        const struct broker_member *member = &group->members[i];
        int64_t end = member->silent_since_ms + member->session_timeout_ms;
        if (member->id != 0 && member->silent && end < due) {
            due = end;
        }
    }
    return due;
}

void broker_expire_member(struct broker *broker, const char *group, const char *instance_id)
{
    struct broker_group *found = broker_group_find(broker, group);
    struct broker_member *member = find_instance(found, instance_id);
    if (!member || member->id == 0) {
        return;
    }
    lose(found, member);
}
