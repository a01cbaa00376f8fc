/* proxy_tricks.c - orders carried out: each is a small machine that requests, answers and time move
 * on (enum stage). The mutex is held throughout.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "chaos/proxy_internal.h"

enum { SIDE_LIMIT_MS = 5000 };

/* Of the answers to EndTxn and AddOffsetsToTxn, which stand at the same place. */
static bool has_simple_answer(enum api api)
{
    return api == API_END_TXN || api == API_ADD_OFFSETS;
}

static void report(struct proxy *proxy, struct trick *trick, bool killed)
{
    if (trick->reported) {
        return;
    }
    trick->reported = true;
    if (proxy->report_count < REPORTS_MAX) {
        struct proxy_report *made = &proxy->reports[proxy->report_count++];
        *made = (struct proxy_report){.kind = trick->order.kind,
                                      .api = trick->api,
                                      .answer = trick->answer,
                                      .killed = killed};
        memcpy(made->client, trick->client, sizeof made->client);
        memcpy(made->task, trick->task, sizeof made->task);
    }
}

static void end(struct trick *trick)
{
    if (trick->link && trick->link->trick == trick) {
        trick->link->trick = NULL;
    }
    trick->link = NULL;
    trick->stage = TRICK_NONE;
    buffer_reset(&trick->copy);
}

bool trick_begin(struct proxy *proxy, const struct proxy_order *order)
{
    for (size_t i = 0; i < TRICKS_MAX; i++) {
        struct trick *trick = &proxy->tricks[i];
        if (trick->stage == TRICK_NONE) {
            struct buffer copy = trick->copy;
            *trick = (struct trick){.stage = TRICK_WAITS,
                                    .order = *order,
                                    .api = order->api,
                                    .ends_ms = now_ms() + order->for_ms,
                                    .skip = order->skip,
                                    .answer = -1,
                                    .copy = copy};
            return true;
        }
    }
    return false;
}

/* ---- a copy on its way ---- */

/* false: the broker is not there. */
static bool send_copy(struct proxy *proxy, struct trick *trick)
{
    struct link *side = link_open(proxy, -1);
    if (!side) {
        return false;
    }
    side->side_of = trick;
    side->opened_ms = now_ms();
    trick->stage = TRICK_SIDE;
    return end_write(proxy, &side->broker, trick->copy.data, trick->copy.size);
}

/* The late copy has arrived: what of the client, and of the request it came before? */
static void after_late(struct proxy *proxy, struct trick *trick)
{
    struct link *link = trick->link;
    bool kills = trick->order.then != THEN_NOTHING && link;
    if (kills && trick->order.then == THEN_KILL_ANSWER) {
        link->trick = trick;
        link->marked = (int32_t)number_at(link->client.in.data + 8);
        trick->stage = TRICK_KILLS;
        trick->ends_ms = now_ms() + SIDE_LIMIT_MS;
        link_resume(proxy, link);
        return;
    }
    if (kills) {
        proxy->kill_client(proxy->context, link->id);
    }
    report(proxy, trick, kills);
    end(trick);
    if (kills) {
        link_close(proxy, link);
    } else if (link) {
        link_resume(proxy, link);
    }
}

static void after_duplicate(struct proxy *proxy, struct trick *trick)
{
    struct link *link = trick->link;
    bool lose = trick->order.lose_answer;
    report(proxy, trick, false);
    end(trick);
    if (link && lose) {
        link_close(proxy, link);
    } else if (link) {
        link_resume_answers(proxy, link);
    }
}

void trick_side_ended(struct proxy *proxy, struct link *side, int code)
{
    struct trick *trick = side->side_of;
    side->side_of = NULL;
    if (!trick || trick->stage != TRICK_SIDE) {
        return;
    }
    trick->answer = has_simple_answer(trick->api) ? code : -1;
    if (trick->link && trick->link->state != LINK_CLIENT) { /* closed in this very round */
        trick->link = NULL;
    }
    if (trick->order.kind == LATE) {
        after_late(proxy, trick);
    } else {
        after_duplicate(proxy, trick);
    }
}

/* ---- requests ---- */

static bool fits(const struct trick *trick, const struct request *request, enum api api)
{
    const struct proxy_order *order = &trick->order;
    bool any = order->api == ANY_API && (order->kind == CUT || order->kind == DELAY ||
                                         (order->kind == DROP_REPLY && request->task[0]));
    return trick->stage == TRICK_WAITS && (any || (api != ANY_API && api == order->api)) &&
           strncmp(request->client, order->client, strlen(order->client)) == 0;
}

static void name(struct trick *trick, const struct request *request, enum api api)
{
    trick->api = api;
    memcpy(trick->client, request->client, sizeof trick->client);
    memcpy(trick->task, request->task, sizeof trick->task);
}

static void await_answer(struct trick *trick, struct link *link, const struct request *request)
{
    trick->stage = TRICK_ANSWER;
    trick->link = link;
    trick->ends_ms = now_ms() + 2 * SIDE_LIMIT_MS;
    link->trick = trick;
    link->marked = request->correlation;
}

static enum request_fate cut_request(struct proxy *proxy, struct trick *trick, struct link *link,
                                     const struct request *request)
{
    (void)end_write(proxy, &link->broker, request->data, trick->order.cut % request->size);
    report(proxy, trick, false);
    end(trick);
    link_close(proxy, link);
    return LINK_GONE;
}

/* The first request that fits. */
static enum request_fate play(struct proxy *proxy, struct trick *trick, struct link *link,
                              const struct request *request, enum api api)
{
    name(trick, request, api);
    switch (trick->order.kind) {
    case DELAY:
        trick->stage = TRICK_DELAYS;
        trick->ends_ms = now_ms() + trick->order.for_ms;
        report(proxy, trick, false);
        return REQUEST_PASSES;
    case CUT:
        if (!trick->order.of_answer) {
            return cut_request(proxy, trick, link, request);
        }
        await_answer(trick, link, request);
        return REQUEST_PASSES;
    case LATE:
    case DUPLICATE:
        buffer_reset(&trick->copy);
        buffer_add(&trick->copy, request->data, request->size);
        await_answer(trick, link, request);
        return REQUEST_PASSES;
    case DROP_REPLY:
        await_answer(trick, link, request);
        return REQUEST_PASSES;
    case KILL:
    case ZOMBIE:
    case BROKER_KILL:
    case BROKER_TORN:
    case BROKER_STOP:
    case REBALANCE:
    case STATE_LOST:
    case STATE_OLD:
    case STATE_FLIP:
    case DISK_FULL:
    case CLOCK:
    case OFFSETS_DELETED:
    case KINDS:
        break;
    }
    BUG("no order for the proxy");
}

/* A late copy's task goes on: has its transaction ended, has the next one begun, is it the moment?
 */
static bool is_its_moment(struct trick *trick, const struct request *request, enum api api)
{
    enum { INIT_KEY = 22 };
    if (strcmp(trick->task, request->task) != 0) {
        return false;
    }
    switch (trick->stage) {
    case TRICK_ARMED:
        trick->stage = api == API_END_TXN || request->key == INIT_KEY ? TRICK_ENDED : TRICK_ARMED;
        return false;
    case TRICK_ENDED:
        if (api != API_ADD_PARTITIONS) {
            return false;
        }
        if (trick->skip-- > 0) {
            trick->stage = TRICK_ARMED;
            return false;
        }
        trick->stage = TRICK_NEXT;
        return trick->order.at == API_ADD_PARTITIONS;
    case TRICK_NEXT:
        return api == trick->order.at;
    case TRICK_NONE:
    case TRICK_WAITS:
    case TRICK_ANSWER:
    case TRICK_HOLDS:
    case TRICK_SIDE:
    case TRICK_KILLS:
    case TRICK_DELAYS:
        break;
    }
    return false;
}

static bool is_delayed(struct proxy *proxy, struct link *link, const struct request *request)
{
    if (link->delay_over) {
        link->delay_over = false;
        return false;
    }
    for (size_t i = 0; i < TRICKS_MAX; i++) {
        const struct trick *trick = &proxy->tricks[i];
        if (trick->stage == TRICK_DELAYS &&
            strncmp(request->client, trick->order.client, strlen(trick->order.client)) == 0) {
            link->delayed_until_ms = now_ms() + trick->order.delay_ms;
            return true;
        }
    }
    return false;
}

enum request_fate trick_request(struct proxy *proxy, struct link *link,
                                const struct request *request)
{
    enum api api = request_api(request);
    memcpy(link->id, request->client, sizeof link->id);
    if (is_delayed(proxy, link, request)) {
        return REQUEST_WAITS;
    }
    if (link->trick && link->trick->stage == TRICK_KILLS && request->correlation == link->marked) {
        return REQUEST_PASSES; /* the one that was held */
    }
    for (size_t i = 0; i < TRICKS_MAX && request->task[0]; i++) {
        struct trick *trick = &proxy->tricks[i];
        if (is_its_moment(trick, request, api)) {
            trick->stage = TRICK_HOLDS;
            trick->link = link;
            trick->due_ms = now_ms() + trick->order.delay_ms;
            return REQUEST_WAITS;
        }
    }
    for (size_t i = 0; i < TRICKS_MAX && !link->trick; i++) {
        if (fits(&proxy->tricks[i], request, api)) {
            return play(proxy, &proxy->tricks[i], link, request, api);
        }
    }
    return REQUEST_PASSES;
}

/* ---- answers ---- */

/* The request was carried out; the client does not learn it. */
static enum answer_fate lose_answer(struct proxy *proxy, struct trick *trick, struct link *link)
{
    int wait_ms = trick->order.delay_ms;
    report(proxy, trick, false);
    end(trick);
    if (wait_ms > 0) {
        link->close_at_ms = now_ms() + wait_ms;
        return ANSWER_LOST;
    }
    link_close(proxy, link);
    return ANSWER_LINK_GONE;
}

enum answer_fate trick_answer(struct proxy *proxy, struct link *link, const uint8_t *answer,
                              size_t size)
{
    struct trick *trick = link->trick;
    if (!trick || (int32_t)number_at(answer + 4) != link->marked) {
        return ANSWER_PASSES;
    }
    if (trick->stage == TRICK_KILLS) {
        proxy->kill_client(proxy->context, link->id);
        report(proxy, trick, true);
        end(trick);
        link_close(proxy, link);
        return ANSWER_LINK_GONE;
    }
    if (trick->stage != TRICK_ANSWER) {
        return ANSWER_PASSES;
    }
    if (trick->order.kind == DROP_REPLY) {
        return lose_answer(proxy, trick, link);
    }
    if (trick->order.kind == DUPLICATE) {
        if (!send_copy(proxy, trick)) {
            end(trick);
            return ANSWER_PASSES;
        }
        return ANSWER_WAITS;
    }
    link->trick = NULL;
    trick->link = NULL;
    if (trick->order.kind == LATE) {
        trick->stage = TRICK_ARMED;
        trick->ends_ms = now_ms() + trick->order.for_ms;
    } else {
        (void)end_write(proxy, &link->client, answer, trick->order.cut % size);
        report(proxy, trick, false);
        end(trick);
    }
    link_close(proxy, link);
    return ANSWER_LINK_GONE;
}

/* ---- time ---- */

static void step_link(struct proxy *proxy, struct link *link, int64_t now)
{
    if (link->delayed_until_ms > 0 && now >= link->delayed_until_ms) {
        link->delayed_until_ms = 0;
        link->delay_over = true;
        link_resume(proxy, link);
    }
    if (link->state == LINK_CLIENT && link->close_at_ms > 0 && now >= link->close_at_ms) {
        link_close(proxy, link);
    }
    if (link->state == LINK_SIDE && now - link->opened_ms > SIDE_LIMIT_MS) {
        link_close(proxy, link);
    }
}

static void lapse(struct proxy *proxy, struct trick *trick)
{
    struct link *link = trick->link;
    bool holds = trick->stage == TRICK_HOLDS;
    end(trick);
    if (holds && link && link->state == LINK_CLIENT) {
        link_resume(proxy, link);
    }
}

static void step_trick(struct proxy *proxy, struct trick *trick, int64_t now)
{
    if (trick->link && trick->link->state != LINK_CLIENT) { /* the client hung up */
        if (trick->stage == TRICK_SIDE || trick->stage == TRICK_HOLDS) {
            trick->link = NULL;
        } else {
            end(trick);
            return;
        }
    }
    if (trick->stage == TRICK_HOLDS && now >= trick->due_ms) {
        if (!send_copy(proxy, trick)) {
            lapse(proxy, trick);
        }
    } else if (trick->stage != TRICK_NONE && trick->stage != TRICK_SIDE &&
               trick->stage != TRICK_HOLDS && now >= trick->ends_ms) {
        lapse(proxy, trick);
    }
}

void tricks_step(struct proxy *proxy)
{
    int64_t now = now_ms();
    for (size_t i = 0; i < TRICKS_MAX; i++) {
        step_trick(proxy, &proxy->tricks[i], now);
    }
    for (size_t i = 0; i < proxy->used; i++) {
        step_link(proxy, &proxy->links[i], now);
    }
}

void tricks_forget(struct proxy *proxy)
{
    for (size_t i = 0; i < TRICKS_MAX; i++) {
        struct trick *trick = &proxy->tricks[i];
        if (trick->stage == TRICK_SIDE) {
            continue; /* it ends by itself */
        }
        if (trick->stage != TRICK_NONE) {
            lapse(proxy, trick);
        }
    }
}
