/* stock_levels.c - folds stock.levels. */
#include "watch/stock_levels.h"

#include <stdlib.h>

#include "shop.h"

enum { FIRST_CAPACITY = 1024 };

void stock_levels_init(struct stock_levels *stock, struct decoder *decoder)
{
    *stock = (struct stock_levels){.decoder = decoder};
    names_init(&stock->skus);
}

void stock_levels_release(struct stock_levels *stock)
{
    names_release(&stock->skus);
    free(stock->levels);
    *stock = (struct stock_levels){0};
}

static void add(struct stock_sums *sums, const struct stock_sums *level, int sign)
{
    sums->on_hand += sign * level->on_hand;
    sums->held += sign * level->held;
    sums->committed += sign * level->committed;
    sums->available += sign * level->available;
}

bool stock_levels_feed(struct stock_levels *stock, const struct port_record *record)
{
    struct stock_level_record level;
    struct error error;
    struct arena *arena = &stock->decoder->arena;
    arena_reset(arena);
    if (codec_decode(stock->decoder->codec, &stock_level_record_record, record->value, arena,
                     &level, &error) != DECODED) {
        return false;
    }
    const struct stock_level_view *view = &level.payload.stock_level_view;
    size_t known = stock->skus.count, index = names_add(&stock->skus, view->sku);
    if (index == stock->capacity) {
        stock->capacity = index > 0 ? index * 2 : FIRST_CAPACITY;
        stock->levels = xrealloc(stock->levels, stock->capacity * sizeof *stock->levels);
    }
    if (index == known) {
        stock->levels[index] = (struct stock_sums){0};
    }
    add(&stock->sums, &stock->levels[index], -1);
    stock->levels[index] = (struct stock_sums){
        .on_hand = view->on_hand,
        .held = view->held,
        .committed = view->committed,
        .available = view->available,
    };
    add(&stock->sums, &stock->levels[index], 1);
    return true;
}
