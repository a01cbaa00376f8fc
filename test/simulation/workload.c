/* workload.c - see workload.h. */
#include "simulation/workload.h"

#include <stdio.h>
#include <string.h>

#include "codec/codec.h"
#include "shop.h"

struct names {
    char reservation[40], order[24], sku[32], receipt[24], location[8];
    int32_t line;
};

/* A reservation is always of the same SKU, or its commands would go to another partition. */
static void name_reservation(int number, struct names *names)
{
    snprintf(names->order, sizeof names->order, "order-%d", number / 2);
    names->line = number % 2 + 1;
    snprintf(names->reservation, sizeof names->reservation, "%s/%d/1", names->order,
             (int)names->line);
    snprintf(names->sku, sizeof names->sku, "sku-%d", number * 7 % WORKLOAD_SKUS);
}

static int some_reservation(struct workload *workload)
{
    int made = workload->reservations > 0 ? workload->reservations : 1;
    return (int)dice_below(workload->dice, (uint64_t)made);
}

static int64_t some_ttl_ms(struct workload *workload)
{
    bool soon = dice_once_in(workload->dice, 3) || workload->hasty;
    return soon ? dice_between(workload->dice, 20, 1500)
                : dice_between(workload->dice, 1, 60) * 1000;
}

static void reserve(struct workload *workload, struct names *names, struct stock_command *command)
{
    bool again = workload->reservations >= WORKLOAD_RESERVATIONS || dice_once_in(workload->dice, 8);
    name_reservation(again ? some_reservation(workload) : workload->reservations++, names);
    command->payload_branch = STOCK_COMMAND_RESERVE;
    command->payload.reserve = (struct reserve){
        .reservation_id = names->reservation,
        .order_id = names->order,
        .line_no = names->line,
        .sku = names->sku,
        .qty = dice_once_in(workload->dice, 25) ? 0 : (int32_t)dice_between(workload->dice, 1, 4),
        .allow_split = true,
        .backorder_ok = dice_once_in(workload->dice, 3),
        .ttl_ms = some_ttl_ms(workload),
        .customer_id = "customer",
    };
}

static void restock(struct workload *workload, struct names *names, struct stock_command *command)
{
    bool again = workload->receipts > 0 && dice_once_in(workload->dice, 6);
    int number = again ? (int)dice_below(workload->dice, (uint64_t)workload->receipts)
                       : workload->receipts++;
    snprintf(names->receipt, sizeof names->receipt, "receipt-%d", number);
    snprintf(names->location, sizeof names->location, "L%d", number % 2);
    snprintf(names->sku, sizeof names->sku, "sku-%d", number % WORKLOAD_SKUS);
    command->payload_branch = STOCK_COMMAND_RESTOCK;
    command->payload.restock =
        (struct restock){names->sku, names->receipt, number % 7 + 3, names->location};
}

static void adjust(struct workload *workload, struct names *names, struct stock_command *command)
{
    int number = workload->receipts++;
    snprintf(names->receipt, sizeof names->receipt, "adjust-%d", number);
    snprintf(names->sku, sizeof names->sku, "sku-%d", number % WORKLOAD_SKUS);
    command->payload_branch = STOCK_COMMAND_ADJUST;
    command->payload.adjust = (struct adjust){
        .sku = names->sku,
        .adjust_id = names->receipt,
        .delta = (int32_t)dice_between(workload->dice, -2, 3),
        .location_id = "L0",
        .reason = ADJUST_REASON_COUNT,
    };
}

static void make(struct workload *workload, struct names *names, struct stock_command *command)
{
    uint64_t what = dice_below(workload->dice, 20);
    if (what < 9) {
        reserve(workload, names, command);
        return;
    }
    if (what < 12) {
        restock(workload, names, command);
        return;
    }
    if (what < 13) {
        adjust(workload, names, command);
        return;
    }
    name_reservation(some_reservation(workload), names);
    if (what < 16) {
        command->payload_branch = STOCK_COMMAND_COMMIT;
        command->payload.commit =
            (struct commit){names->reservation, names->order, names->line, names->sku};
    } else if (what < 18) {
        command->payload_branch = STOCK_COMMAND_RELEASE;
        command->payload.release = (struct release){.reservation_id = names->reservation,
                                                    .order_id = names->order,
                                                    .line_no = names->line,
                                                    .sku = names->sku,
                                                    .reason = ORDER_REASON_CUSTOMER};
    } else {
        command->payload_branch = STOCK_COMMAND_EXTEND;
        command->payload.extend = (struct extend){names->reservation, names->order, names->line,
                                                  names->sku, some_ttl_ms(workload)};
    }
}

void workload_next(struct workload *workload, char key[32], struct buffer *value)
{
    buffer_reset(value);
    if (workload->last_value.size > 0 && dice_once_in(workload->dice, 12)) { /* sent twice */
        memcpy(key, workload->last_key, 32);
        buffer_add(value, workload->last_value.data, workload->last_value.size);
        return;
    }
    struct names names;
    struct stock_command command = {0};
    make(workload, &names, &command);
    snprintf(key, 32, "%s", names.sku);
    codec_encode(&stock_command_record, &command, value);
    if (dice_once_in(workload->dice, 20)) { /* rot: cut short behind the fingerprint */
        value->size = 10 + dice_below(workload->dice, value->size - 10);
    }
    memcpy(workload->last_key, key, 32);
    buffer_reset(&workload->last_value);
    buffer_add(&workload->last_value, value->data, value->size);
}

void workload_release(struct workload *workload)
{
    buffer_release(&workload->last_value);
}
