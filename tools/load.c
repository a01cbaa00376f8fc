/* load.c - `weir load`: places orders as a shop front would, on a schedule of its own.
 *
 * Open loop: when each order is due is computed beforehand and stands in its `weir-intended-ms`
 * header, so that a latency measured from it counts the time that an order had to wait for a slow
 * system. The sender never waits for answers; when it is late itself, it says so.
 *
 * Stock comes first: a Restock per SKU with what the orders will want, acknowledged before the
 * first order is sent. A share of SKUs is left empty, so that some orders are refused.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/conf.h"
#include "load/restock.h"
#include "load/source.h"
#include "processors.h"
#include "shop.h"
#include "tool.h"

enum {
    FLUSH_MS = 30000,
    NAP_MAX_US = 5000,
    QUIET_START_US = 2000000, /* shorter runs need no progress line */
};

static struct tool_place place;
static const char *csv_path, *run_id, *lines_text = "3", *policy_text = "ALL_OR_NOTHING";
static int64_t orders = 1000, seed = 1, skus = 4000, units = -1;
static double rate = -1, burst = 1, zipf = 0.5, cancels = 0.01, dirty = 0.005, short_share = 0.01;
static bool auto_accept, stock_only, no_stock, dry_run;

static const struct option options[] = {
    TOOL_PLACE_OPTIONS(place),
    {"csv", 0, OPTION_TEXT, &csv_path, "FILE",
     "a day of UCI Online Retail instead of the generator"},
    {"orders", 'n', OPTION_NUMBER, &orders, "N", "generator: how many (default: 1000)"},
    {"rate", 'r', OPTION_REAL, &rate, "N",
     "orders a second (default: 100; CSV: the day in 60 s; 0: at once)"},
    {"seed", 's', OPTION_NUMBER, &seed, "N", "same seed, same orders (default: 1)"},
    {"run-id", 0, OPTION_TEXT, &run_id, "TEXT",
     "prefix of order ids (default: the time, 20261121-165000)"},
    {"lines", 0, OPTION_TEXT, &lines_text, "N",
     "generator: lines an order, or retail, or wholesale (default: 3)"},
    {"skus", 0, OPTION_NUMBER, &skus, "N", "generator: how many there are (default: 4000)"},
    {"zipf", 0, OPTION_REAL, &zipf, "S",
     "generator: exponent of their popularity (default: 0.5, 0: all alike)"},
    {"burst", 0, OPTION_REAL, &burst, "X",
     "generator: one second in ten comes X times as fast (default: 1)"},
    {"cancels", 0, OPTION_REAL, &cancels, "SHARE",
     "generator: orders cancelled soon after (default: 0.01)"},
    {"dirty", 0, OPTION_REAL, &dirty, "SHARE", "generator: malformed orders (default: 0.005)"},
    {"policy", 0, OPTION_TEXT, &policy_text, "POLICY",
     "ALL_OR_NOTHING (default), PARTIAL, or mix: a third PARTIAL"},
    {"auto-accept", 0, OPTION_FLAG, &auto_accept, NULL,
     "under PARTIAL: customers take what there is"},
    {"short", 0, OPTION_REAL, &short_share, "SHARE",
     "SKUs that start empty, by seed (default: 0.01)"},
    {"units", 0, OPTION_NUMBER, &units, "N",
     "units of each other SKU (default: what the orders want)"},
    {"stock-only", 0, OPTION_FLAG, &stock_only, NULL, "put the stock there and place no orders"},
    {"no-stock", 0, OPTION_FLAG, &no_stock, NULL, "place orders on what stock there is"},
    {"dry-run", 0, OPTION_FLAG, &dry_run, NULL, "send nothing; one line says what would be sent"},
    {0},
};

struct load {
    struct source source;
    struct writer *writer;
    int64_t sent_orders, sent_cancels, sent_lines;
    struct restock_plan stock;
    int64_t latest_us; /* how late the sender was at worst */
    int64_t took_us;
};

static int64_t monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- sources ---- */

static int open_generator(struct load *load)
{
    struct generator_options wanted = {
        .run_id = run_id,
        .seed = (uint64_t)seed,
        .orders = orders,
        .rate = rate,
        .burst = burst,
        .profile = LINES_FIXED,
        .lines = 1,
        .skus = skus,
        .zipf = zipf,
        .cancels = cancels,
        .dirty = dirty,
        .partial = load->source.partial,
        .auto_accept = auto_accept,
    };
    int64_t lines;
    if (strcmp(lines_text, "retail") == 0) {
        wanted.profile = LINES_RETAIL;
    } else if (strcmp(lines_text, "wholesale") == 0) {
        wanted.profile = LINES_WHOLESALE;
    } else if (conf_number(lines_text, &lines) && lines >= 1 && lines <= 1500) {
        wanted.lines = (int32_t)lines;
    } else {
        return tool_usage("load", "--lines %s: write retail, wholesale or a number from 1 to 1500",
                          lines_text);
    }
    source_generate(&load->source, &wanted);
    return EXIT_DONE;
}

/* ---- stock ---- */

static enum outcome stock_up(struct load *load, struct error *error)
{
    struct demand *demand;
    size_t count;
    source_demand(&load->source, &demand, &count);
    load->stock = (struct restock_plan){
        .run_id = run_id,
        .seed = (uint64_t)seed,
        .short_share = short_share,
        .units = units,
    };
    enum outcome outcome = restock(&load->stock, demand, count, load->writer, error);
    if (outcome == OK && load->writer) {
        outcome = writer_flush(load->writer, FLUSH_MS, error);
    }
    free(demand);
    return outcome;
}

/* ---- orders ---- */

static void wait_until(struct load *load, int64_t due_us)
{
    int64_t left_us;
    while (!tool_interrupted && (left_us = due_us - monotonic_us()) > 0) {
        writer_poll(load->writer);
        int64_t nap_us = left_us < NAP_MAX_US ? left_us : NAP_MAX_US;
        nanosleep(&(struct timespec){.tv_nsec = nap_us * 1000}, NULL);
    }
}

static enum outcome send_placing(struct load *load, const struct placing *placing, int64_t start_ms,
                                 struct error *error)
{
    char intended[24];
    int length =
        snprintf(intended, sizeof intended, "%" PRId64, start_ms + placing->after_us / 1000);
    struct port_header header = {"weir-intended-ms", {(const uint8_t *)intended, (size_t)length}};
    struct weir_bytes key = {(const uint8_t *)placing->order_id, strlen(placing->order_id)};
    load->sent_orders += !placing->is_cancel;
    load->sent_cancels += placing->is_cancel;
    load->sent_lines += (int64_t)placing->line_count;
    return load->writer ? writer_send(load->writer, order_raw_topic.name, -1, key, placing->value,
                                      &header, 1, error)
                        : OK;
}

static void say_progress(const struct load *load, int64_t now_us, int64_t start_us,
                         int64_t *said_us)
{
    if (now_us - *said_us < 1000000) {
        return;
    }
    *said_us = now_us;
    fprintf(stderr,
            "weir load: %3.0f s  %" PRId64 " of %" PRId64 " orders placed, at most %.1f ms late\n",
            (double)(now_us - start_us) / 1e6, load->sent_orders, load->source.orders,
            (double)load->latest_us / 1000);
}

static enum outcome place_all(struct load *load, struct error *error)
{
    int64_t start_us = monotonic_us(), start_ms = tool_now_ms(),
            said_us = start_us + QUIET_START_US - 1000000;
    enum outcome outcome = OK;
    struct placing placing;
    while (outcome == OK && !tool_interrupted && source_next(&load->source, start_ms, &placing)) {
        if (load->writer) {
            wait_until(load, start_us + placing.after_us);
            if (tool_interrupted) {
                break;
            }
            int64_t now_us = monotonic_us(), late_us = now_us - start_us - placing.after_us;
            load->latest_us = late_us > load->latest_us ? late_us : load->latest_us;
            say_progress(load, now_us, start_us, &said_us);
        }
        outcome = send_placing(load, &placing, start_ms, error);
    }
    load->took_us = monotonic_us() - start_us;
    if (outcome == OK && load->writer) {
        outcome = writer_flush(load->writer, FLUSH_MS, error);
    }
    return outcome;
}

static void say_summary(const struct load *load)
{
    if (dry_run) {
        printf("run=%s orders=%" PRId64 " cancels=%" PRId64 " records=%" PRId64 " lines=%" PRId64
               " skus=%" PRId64 " units=%" PRId64 " empty_skus=%" PRId64 "\n",
               run_id, load->sent_orders, load->sent_cancels,
               load->sent_orders + load->sent_cancels, load->sent_lines, load->stock.skus,
               load->stock.units_sent, load->stock.empty);
        return;
    }
    printf("run      %s%s\n", run_id, tool_interrupted ? "  (interrupted)" : "");
    if (!no_stock) {
        printf("stock    %" PRId64 " units of %" PRId64 " SKUs; %" PRId64 " SKUs left empty\n",
               load->stock.units_sent, load->stock.skus, load->stock.empty);
    }
    if (!stock_only) {
        double seconds = (double)load->took_us / 1e6;
        printf("placed   %" PRId64 " orders of %" PRId64 " lines and %" PRId64
               " cancellations in %.1f s (%.1f orders/s)\n",
               load->sent_orders, load->sent_lines, load->sent_cancels, seconds,
               seconds > 0 ? (double)load->sent_orders / seconds : 0);
        printf("sender   at most %.1f ms behind its schedule\n", (double)load->latest_us / 1000);
    }
}

static enum outcome open_writer(struct load *load, struct error *error)
{
    struct admin *admin = NULL;
    struct settings settings;
    enum outcome outcome =
        tool_admin(&place, &admin, error); /* waits for a broker, or says that there is none */
    admin_close(admin);
    if (outcome != OK) {
        return outcome;
    }
    outcome = tool_settings(&place, processors[0], &settings, error);
    if (outcome == OK) {
        outcome = writer_open(&load->writer, settings.bootstrap_servers, settings.properties,
                              settings.property_count, error);
    }
    settings_release(&settings);
    return outcome;
}

static enum outcome work(struct load *load, struct error *error)
{
    enum outcome outcome = csv_path ? source_read_csv(&load->source, csv_path, error) : OK;
    if (outcome == OK && !dry_run) {
        outcome = open_writer(load, error);
    }
    if (outcome == OK && !no_stock) {
        outcome = stock_up(load, error);
    }
    if (outcome == OK && !stock_only) {
        outcome = place_all(load, error);
    }
    return outcome;
}

/* ---- the command ---- */

static bool is_share(double share)
{
    return share >= 0 && share <= 1;
}

static int check_options(struct load *load)
{
    if (strcasecmp(policy_text, "mix") == 0) {
        load->source.partial = 1.0 / 3;
    } else if (strcasecmp(policy_text, "PARTIAL") == 0) {
        load->source.partial = 1;
    } else if (strcasecmp(policy_text, "ALL_OR_NOTHING") != 0) {
        return tool_usage("load", "--policy %s: write ALL_OR_NOTHING, PARTIAL or mix", policy_text);
    }
    if (!is_share(cancels) || !is_share(dirty) || !is_share(short_share)) {
        return tool_usage("load",
                          "--cancels, --dirty and --short are shares: write a number from 0 to 1");
    }
    if (orders < 1 || skus < 1 || skus > 10000000 || burst < 1 || zipf < 0) {
        return tool_usage(
            "load",
            "--orders and --skus (at most ten million) begin at 1, --burst at 1, --zipf at 0");
    }
    if (stock_only && no_stock) {
        return tool_usage("load", "--stock-only and --no-stock together leave nothing to do");
    }
    if (run_id && (run_id[0] == 0 || strlen(run_id) > 64)) {
        return tool_usage("load", "--run-id: write 1 to 64 characters");
    }
    return EXIT_DONE;
}

static int run(size_t count, char **arguments)
{
    (void)count, (void)arguments;
    static struct load load;
    char now[32];
    time_t seconds = time(NULL);
    struct tm tm;
    strftime(now, sizeof now, "%Y%m%d-%H%M%S", gmtime_r(&seconds, &tm));
    run_id = run_id ? run_id : now;
    source_init(&load.source);
    load.source.run_id = run_id;
    load.source.seed = (uint64_t)seed;
    load.source.rate = rate;
    load.source.auto_accept = auto_accept;
    int code = check_options(&load);
    if (code == EXIT_DONE && !csv_path) {
        rate = rate < 0 ? 100 : rate;
        code = open_generator(&load);
    }
    if (code == EXIT_DONE) {
        struct error error;
        tool_catch_signals();
        enum outcome outcome = work(&load, &error);
        code = outcome == OK ? EXIT_DONE : tool_fail("load", outcome, &error);
        if (outcome == OK) {
            say_summary(&load);
        }
    }
    writer_close(load.writer);
    source_release(&load.source);
    return code;
}

const struct command load_command = {
    .name = "load",
    .summary = "place orders: from a seed, or a day of a real shop",
    .usage = "weir load [--orders N] [--rate N] [--seed N] | weir load --csv FILE",
    .text = "Stocks what the orders will want (stock.commands), then places the orders as JSON on "
            "order.raw at their\n"
            "times, whether or not the system keeps up; the header weir-intended-ms has the time "
            "that was meant.\n"
            "With --csv the invoices of a UCI Online Retail file become orders, their dirt "
            "included, and invoices\n"
            "whose number begins with C cancellations of orders that were never placed here.",
    .example = "  weir load --orders 2000 --rate 200 --seed 7 --lines retail\n"
               "  places 2000 orders in about 10 s, then says how late the sender itself was",
    .options = options,
    .arguments_max = 0,
    .run = run,
};
