/* chaos.c - spells of faults under load, and after each a quiet one in which everything must settle
 * and every book must balance.
 *
 *   chaos --minutes M --seed S --dir DIR --weir PROGRAM --kafka SCRIPT --port N [...]
 *
 * Started by scripts/chaos, which has built the program, started the broker and made the topics;
 * its head says what all this is for. Exit: 0 exactly once, 65 not, or not everything was tried.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "chaos/checks.h"
#include "chaos/forgotten.h"
#include "chaos/nemesis.h"
#include "chaos/options.h"
#include "chaos/record.h"
#include "chaos/watcher.h"
#include "processors.h"

enum {
    SAY_EVERY_MS = 10000,
    UP_WITHIN_MS = 60000,
    LOAD_WITHIN_MS = 30000,
    LOAD_LEAST_MS = 3000,
    LAST_LOOK_MS = 1500,
    BROKER_MS = 30000,
    SPELL_LEAST_MS = 10000,
    QUIET_MS = 15000, /* what a quiet spell takes, about */
};

struct chaos {
    struct options options;
    struct results results;
    struct fleet fleet;
    struct nemesis nemesis;
    struct proxy *proxy;
    struct watcher *watcher;
    struct admin *admin;
    struct checks checks;
    struct child *load;
    int loads, spell;
    enum mode mode;
};

static bool kill_client(void *context, const char *id)
{
    return fleet_kill_client(context, id);
}

/* ---- load ---- */

static void place_orders(struct chaos *chaos, int64_t ms)
{
    const struct options *options = &chaos->options;
    char orders[24], rate[24], seed[32], run_id[60];
    chaos->loads++;
    snprintf(orders, sizeof orders, "%d", (int)(options->rate * (double)ms / 1000) + 1);
    snprintf(rate, sizeof rate, "%g", options->rate);
    snprintf(seed, sizeof seed, "%" PRIu64, options->seed * 1000 + (uint64_t)chaos->loads);
    snprintf(run_id, sizeof run_id, "c%" PRIu64 "-%d", options->seed, chaos->loads);
    const char *arguments[] = {options->weir,   "load",    "-c",       chaos->checks.config,
                               "--orders",      orders,    "--rate",   rate,
                               "--seed",        seed,      "--run-id", run_id,
                               "--skus",        "300",     "--policy", "mix",
                               "--auto-accept", "--short", "0.03",     "--cancels",
                               "0.03",          "--dirty", "0.01",     NULL};
    chaos->load = fleet_command(&chaos->fleet, "load", arguments);
}

/* What places the orders is not under test. When the broker dies its client may give up (librdkafka
 * 2.0.2: "rewound sequence number"); what it has placed stands in the topic, and another goes on.
 */
static void keep_placing(struct chaos *chaos, int64_t until_ms)
{
    int64_t left_ms = until_ms - now_ms();
    if (chaos->load->running || chaos->load->status == EXIT_DONE || left_ms < LOAD_LEAST_MS ||
        chaos->nemesis.broker_busy) {
        return;
    }
    results_note(&chaos->results, "weir load ended with %d: another one places the rest",
                 chaos->load->status);
    place_orders(chaos, left_ms);
}

/* The records that must be answered: all of order.raw. */
static bool count_orders(struct chaos *chaos, int64_t *records)
{
    struct port_log *logs;
    struct error error;
    int32_t partitions;
    *records = 0;
    if (admin_logs(chaos->admin, "order.raw", &logs, &partitions, &error) != OK) {
        results_violation(&chaos->results, "order.raw cannot be counted: %s", error.text);
        return false;
    }
    for (int32_t i = 0; i < partitions; i++) {
        *records += logs[i].high - logs[i].low;
    }
    free(logs);
    chaos->results.counts[COUNT_ORDERS] = *records;
    return true;
}

/* ---- a spell ---- */

static void say(struct chaos *chaos, int64_t began_ms)
{
    const struct results *results = &chaos->results;
    printf("%5.0f s  spell %d (%s)  %" PRId64 " commits  killed %" PRId64 "  broker %" PRId64
           "  zombies %" PRId64 "  late %" PRId64 "  repeated %" PRId64 "  fences %" PRId64
           "  violations %" PRId64 "\n",
           (double)(now_ms() - began_ms) / 1000, chaos->spell,
           chaos->mode == FIXED ? "fixed" : "members", results->counts[COUNT_COMMITS],
           results->counts[COUNT_KILLS],
           results->faults[BROKER_KILL] + results->faults[BROKER_STOP], results->faults[ZOMBIE],
           results->faults[LATE], results->faults[DUPLICATE], results->counts[COUNT_FENCES],
           results->violation_count);
    fflush(stdout);
}

static void wait_until_up(struct chaos *chaos)
{
    int64_t end = now_ms() + UP_WITHIN_MS;
    while (!fleet_is_up(&chaos->fleet) && !interrupted) {
        if (now_ms() > end) {
            results_violation(&chaos->results, "not every task runs %d s after the start",
                              UP_WITHIN_MS / 1000);
            return;
        }
        fleet_turn(&chaos->fleet, 50);
    }
}

static void rage(struct chaos *chaos, int64_t ms)
{
    int64_t end = now_ms() + ms, said = now_ms();
    nemesis_begin(&chaos->nemesis, chaos->mode, ms);
    while (now_ms() < end && !interrupted && chaos->results.violation_count == 0) {
        fleet_turn(&chaos->fleet, 10);
        nemesis_step(&chaos->nemesis);
        keep_placing(chaos, end);
        if (now_ms() - said >= SAY_EVERY_MS) {
            said = now_ms();
            say(chaos, chaos->results.began_ms);
        }
    }
    nemesis_calm(&chaos->nemesis);
}

/* ---- a quiet spell ---- */

/* A broker that died may have forgotten a commit. *mended: it had, and that has been ended. */
static bool mend_broker(struct chaos *chaos, bool *mended)
{
    if (!forgotten_end(&chaos->fleet, chaos->checks.config, mended)) {
        return false;
    }
    if (*mended) {
        fleet_arrange(&chaos->fleet, chaos->mode);
        wait_until_up(chaos);
    }
    return true;
}

/* A process that starts when the spell is over may be the first to see that they are old. */
static bool renew_offsets(struct chaos *chaos)
{
    return !chaos->fleet.offsets_are_old || nemesis_broker_again(&chaos->nemesis);
}

/* After kills in the middle of commits the broker is looked at first; after others only when orders
 * have stood still: it is not asked to forget then, but nothing keeps it from doing so. */
static bool settles(struct chaos *chaos)
{
    const int64_t *faults = chaos->results.faults;
    bool settled, mended = faults[BROKER_TORN] > 0;
    int64_t orders;
    int code = fleet_wait(&chaos->fleet, chaos->load, LOAD_WITHIN_MS);
    if (code != EXIT_DONE) {
        results_note(&chaos->results, "weir load ended with %d", code);
    }
    if (interrupted || !renew_offsets(chaos) || (mended && !mend_broker(chaos, &mended)) ||
        !count_orders(chaos, &orders)) {
        return false;
    }
    if (orders == 0) {
        results_note(&chaos->results, "no order was placed: there is nothing to check yet");
        return false;
    }
    if (!check_settled(&chaos->checks, orders, &settled)) {
        return false;
    }
    if (!settled && chaos->fleet.offsets_are_old &&
        (!renew_offsets(chaos) || !check_settled(&chaos->checks, orders, &settled))) {
        return false;
    }
    if (!settled && faults[BROKER_TORN] == 0 && faults[BROKER_KILL] > 0) {
        results_note(&chaos->results, "orders stand still: has the broker forgotten a commit?");
        if (!mend_broker(chaos, &mended) ||
            (mended && !check_settled(&chaos->checks, orders, &settled))) {
            return false;
        }
    }
    if (!settled) {
        check_unsettled(&chaos->checks);
    }
    return settled;
}

/* Processes that another has taken over from, and that had nothing to do since. */
static void end_the_retired(struct chaos *chaos)
{
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        struct child *child = &chaos->fleet.children[i];
        if (child->running && child->retired) {
            fleet_ask_to_end(child);
        }
    }
}

static void check_all(struct chaos *chaos)
{
    if (!settles(chaos)) {
        return;
    }
    results_forget_waiting(&chaos->results);
    end_the_retired(chaos);
    nemesis_find_rot(&chaos->nemesis);
    fleet_turns(&chaos->fleet, LAST_LOOK_MS);
    if (check_well(&chaos->checks)) {
        check_books(&chaos->checks);
        check_replay(&chaos->checks);
    }
}

/* ---- the run ---- */

static enum mode mode_of(const struct chaos *chaos)
{
    return chaos->options.mode != MIXED ? chaos->options.mode
           : chaos->spell % 2 == 0      ? MEMBERS
                                        : FIXED;
}

static void run_spell(struct chaos *chaos, int64_t ms)
{
    chaos->spell++;
    if (chaos->spell == 1 || chaos->mode != mode_of(chaos)) {
        fleet_stop_all(&chaos->fleet);
        chaos->mode = mode_of(chaos);
        fleet_arrange(&chaos->fleet, chaos->mode);
    }
    wait_until_up(chaos);
    place_orders(chaos, ms);
    rage(chaos, ms);
    say(chaos, chaos->results.began_ms);
    if (chaos->results.violation_count == 0) { /* else everything stays as it was found */
        check_all(chaos);
    }
}

static void run(struct chaos *chaos)
{
    int64_t end = now_ms() + (int64_t)(chaos->options.minutes * 60000);
    while (!interrupted && chaos->results.violation_count == 0) {
        int64_t left_ms = end - now_ms() - QUIET_MS, spell_ms = chaos->options.spell_s * 1000;
        if (chaos->spell > 0 && left_ms < SPELL_LEAST_MS) {
            break;
        }
        left_ms = left_ms < SPELL_LEAST_MS ? SPELL_LEAST_MS : left_ms;
        run_spell(chaos, left_ms < spell_ms + SPELL_LEAST_MS ? left_ms : spell_ms);
    }
    if (interrupted) {
        return;
    }
    bool good = chaos->results.violation_count == 0;
    fleet_stop_all(&chaos->fleet);
    if (good) {
        check_books(&chaos->checks); /* once more, at rest */
        check_replay(&chaos->checks);
    }
    watcher_finish(chaos->watcher, &chaos->results);
}

static void open_all(struct chaos *chaos)
{
    const struct options *options = &chaos->options;
    char bootstrap[40];
    struct error error;
    snprintf(bootstrap, sizeof bootstrap, "127.0.0.1:%d", options->port);
    results_open(&chaos->results, options);
    fleet_open(&chaos->fleet, options, &chaos->results);
    chaos->checks = (struct checks){options, &chaos->results, &chaos->fleet, ""};
    snprintf(chaos->checks.config, sizeof chaos->checks.config, "%s/config", options->directory);
    if (admin_open(&chaos->admin, bootstrap, NULL, 0, &error) != OK ||
        admin_wait_for_broker(chaos->admin, BROKER_MS, &error) != OK) {
        fprintf(stderr, "chaos: %s\n", error.text);
        exit(EXIT_UNAVAILABLE);
    }
    chaos->watcher = watcher_open(options);
    chaos->proxy = proxy_open(options->port + 3, options->port + 2, kill_client, &chaos->fleet);
    nemesis_open(&chaos->nemesis, options, &chaos->fleet, chaos->proxy, &chaos->results,
                 chaos->admin);
}

static void close_all(struct chaos *chaos)
{
    fleet_close(&chaos->fleet);
    nemesis_close(&chaos->nemesis);
    proxy_close(chaos->proxy);
    watcher_close(chaos->watcher);
    admin_close(chaos->admin);
    results_close(&chaos->results);
}

int main(int argc, char **argv)
{
    static struct chaos chaos;
    if (!options_parse(&chaos.options, argc, argv)) {
        return EXIT_USAGE;
    }
    log_set_level(LOG_ERROR);
    open_all(&chaos);
    run(&chaos);
    if (interrupted && chaos.results.violation_count == 0) {
        printf("verdict: interrupted: nothing is proved\n");
        close_all(&chaos);
        return EXIT_TRY_AGAIN;
    }
    results_print(&chaos.results);
    if (chaos.options.json) {
        results_write_json(&chaos.results, chaos.options.json);
    }
    if (chaos.options.record) {
        record_run(&chaos.results, chaos.options.record);
    }
    bool good = results_are_good(&chaos.results);
    close_all(&chaos);
    return good ? EXIT_DONE : EXIT_DATA;
}
