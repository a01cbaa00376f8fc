/* processor.c - the tally. */
#include "tally/processor.h"

static void say(struct weir_context *ctx, const char *name, int64_t n, bool reminder)
{
    struct total total;
    if (!total_get(ctx, name, &total)) {
        total = (struct total){.name = name};
    }
    sum_emit(ctx, &(struct sum){.name = name, .n = n, .sum = total.sum, .reminder = reminder});
}

static void on_reminder(struct weir_context *ctx, const char *name)
{
    say(ctx, name, 0, true);
}

static const struct weir_timer reminder = {"reminder", on_reminder};

static void on_add(struct weir_context *ctx, const struct add *add)
{
    struct total total;
    if (!total_get(ctx, add->name, &total)) {
        total = (struct total){.name = add->name};
    }
    if (add->n == 0) {
        weir_stale(ctx);
        return;
    }
    total.sum += add->n;
    total.count++;
    total_put(ctx, &total);
    say(ctx, add->name, add->n, false);
    weir_view_touch(ctx, &tally_totals_topic, add->name);
    if (add->n < 0) { /* after all effects, so that a reject has something to undo */
        weir_reject(ctx, "n", "n is %lld", (long long)add->n);
    }
}

static void on_remind(struct weir_context *ctx, const struct remind *remind)
{
    weir_timer_set(ctx, &reminder, remind->name, weir_now_ms(ctx) + remind->after_ms);
}

static const struct tally_event_handlers on_event = {.add = on_add, .remind = on_remind};

static void build_total(struct weir_context *ctx, const char *name)
{
    struct total total;
    if (total_get(ctx, name, &total)) {
        total_view_emit(ctx, &(struct total_view){.name = name, .sum = total.sum});
    }
}

const struct weir_processor tally_processor = {
    .name = "tally",
    .summary = "sums per name",
    .inputs = {{&tally_events_topic, &on_event}},
    .outputs = {&tally_sums_topic},
    .stores = {&total_store},
    .views = {{&tally_totals_topic, build_total}},
    .timers = {&reminder},
};
