/* nemesis_wire.c - orders for the proxy, and what came of them.
 */
#include <stdio.h>
#include <string.h>

#include "chaos/nemesis.h"
#include "processors.h"

/* Where a late copy does most harm: a late EndTxn when half of the next transaction is produced, a
 * late TxnOffsetCommit behind the next transaction's own. */
static void plan_late(struct dice *dice, struct proxy_order *order)
{
    static const enum api moments[] = {API_ADD_PARTITIONS, API_ADD_OFFSETS, API_OFFSETS,
                                       API_END_TXN};
    order->at = moments[dice_below(dice, 4)];
    if (!dice_once_in(dice, 5)) {
        order->at = order->api == API_OFFSETS ? API_END_TXN : API_ADD_OFFSETS;
    }
    order->skip = dice_once_in(dice, 4) ? (int)dice_between(dice, 1, 3) : 0;
    order->delay_ms = (int)dice_between(dice, 0, 200);
    order->then = dice_once_in(dice, 3)       ? THEN_NOTHING
                  : order->api == API_OFFSETS ? THEN_KILL_ANSWER
                  : order->at == API_END_TXN  ? THEN_KILL_ANSWER
                                              : THEN_KILL;
    order->for_ms = 15000;
}

bool nemesis_wire(struct nemesis *nemesis, enum kind kind)
{
    struct dice *dice = &nemesis->dice;
    struct place *place = nemesis_place(nemesis);
    if (!place) {
        return false;
    }
    enum api only = nemesis->options->only_api[kind];
    struct proxy_order order = {.kind = kind,
                                .api = only != ANY_API ? only : (enum api)dice_below(dice, APIS),
                                .for_ms = 10000,
                                .cut = dice_next(dice),
                                .of_answer = dice_once_in(dice, 2),
                                .lose_answer = dice_once_in(dice, 2)};
    snprintf(order.client, sizeof order.client, "%.50s#", place->name);
    if (kind == LATE) {
        plan_late(dice, &order);
    } else if (kind == DROP_REPLY) {
        order.delay_ms = dice_once_in(dice, 2) ? 0 : (int)dice_between(dice, 100, 3000);
    } else if (kind == CUT) {
        order.api = dice_once_in(dice, 2) ? ANY_API : order.api;
    } else if (kind == DELAY) {
        order.api = ANY_API;
        order.for_ms = dice_between(dice, 500, 4000);
        order.delay_ms = (int)dice_between(dice, 5, 400);
    }
    return proxy_order(nemesis->proxy, &order);
}

/* Which task a transactional id is of: "inventory.p0". */
static bool task_of(const char *id, int *processor, int32_t *partition)
{
    char name[PROXY_WORD];
    int number;
    if (sscanf(id, "%60[^.].p%d", name, &number) != 2 || number < 0 || number >= PARTITIONS) {
        return false;
    }
    *partition = number;
    for (*processor = 0; *processor < PROCESSORS; (*processor)++) {
        if (strcmp(processors[*processor]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

void nemesis_take_reports(struct nemesis *nemesis)
{
    struct proxy_report report;
    while (proxy_report(nemesis->proxy, &report)) {
        int processor;
        int32_t partition;
        const char *name = report.api == ANY_API ? "any request" : apis[report.api].name;
        if (report.answer >= 0) {
            results_fault(nemesis->results, report.kind, "%s of %s (%s)%s, answered with %d", name,
                          report.client, report.task, report.killed ? ", killed" : "",
                          report.answer);
        } else {
            results_fault(nemesis->results, report.kind, "%s of %s (%s)%s", name, report.client,
                          report.task, report.killed ? ", killed" : "");
        }
        if (report.api != ANY_API) {
            results_api(nemesis->results, report.kind, report.api);
        }
        if (task_of(report.task, &processor, &partition)) {
            results_struck(nemesis->results, report.kind, processor, partition);
        }
    }
}
