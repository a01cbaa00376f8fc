/* figures.c - prints what `weir watch` knows. */
#include "watch/figures.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "money.h"
#include "shop.h"

enum { NUMBER_MAX = 32, LABEL_WIDTH = 26, COUNT_WIDTH = 12 };

const char *figures_number(int64_t number, char *text)
{
    char plain[NUMBER_MAX];
    int length = snprintf(plain, sizeof plain, "%" PRIu64,
                          number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
    char *to = text;
    if (number < 0) {
        *to++ = '-';
    }
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            *to++ = ',';
        }
        *to++ = plain[i];
    }
    *to = 0;
    return text;
}

/* "EUR 1,234.56" */
static void print_money(int64_t minor, const char *currency, FILE *out)
{
    char number[NUMBER_MAX];
    int decimals = currency_decimals(currency);
    int64_t unit = 1;
    for (int i = 0; i < decimals; i++) {
        unit *= 10;
    }
    fprintf(out, "%s %s", currency, figures_number(minor / unit, number));
    if (decimals > 0) {
        int64_t rest = minor % unit;
        fprintf(out, ".%0*" PRId64, decimals, rest < 0 ? -rest : rest);
    }
}

static int64_t answered(const struct orders *orders)
{
    return orders->by_standing[STANDING_CONFIRMED] + orders->by_standing[STANDING_CANCELLED] +
           orders->by_standing[STANDING_REJECTED];
}

/* ---- while it runs ---- */

void figures_line(const struct figures *figures, FILE *out)
{
    const struct orders *orders = &figures->orders;
    char number[NUMBER_MAX];
    fprintf(out, "%4.0f s  placed %s", (double)figures->watched_ms / 1000,
            figures_number(orders->placed, number));
    for (int i = STANDING_CONFIRMED; i < STANDINGS; i++) {
        if (orders->by_standing[i] > 0) {
            fprintf(out, "  %s %s", standing_name((enum order_standing)i),
                    figures_number(orders->by_standing[i], number));
        }
    }
    fprintf(out, "  in flight %s", figures_number(orders_open(orders), number));
    fprintf(out, "  %.0f/s  p50 %s ms", figures->answers_per_s,
            figures_number(histogram_percentile(orders->latency, 0.5), number));
    fprintf(out, "  p99 %s ms",
            figures_number(histogram_percentile(orders->latency, 0.99), number));
    if (figures->status.count > 0) {
        fprintf(out, "  restarts %" PRId64, status_restarts(&figures->status));
    }
    fprintf(out, "\n");
}

int figures_screen(const struct figures *figures, int redraw, FILE *out)
{
    const struct orders *orders = &figures->orders;
    char number[4][NUMBER_MAX];
    int lines = 0;
    if (redraw > 0) {
        fprintf(out, "\033[%dA", redraw);
    }
    fprintf(out, "orders     %s placed, %s in flight after %.0f s\033[K\n",
            figures_number(orders->placed, number[0]),
            figures_number(orders_open(orders), number[1]), (double)figures->watched_ms / 1000);
    fprintf(out, "           %s confirmed, %s cancelled, %s rejected, %s dead-lettered\033[K\n",
            figures_number(orders->by_standing[STANDING_CONFIRMED], number[0]),
            figures_number(orders->by_standing[STANDING_CANCELLED], number[1]),
            figures_number(orders->by_standing[STANDING_REJECTED], number[2]),
            figures_number(orders->by_standing[STANDING_DEAD], number[3]));
    fprintf(out, "answers    %.0f orders/s; place to answer p50 %s ms, p99 %s ms\033[K\n",
            figures->answers_per_s,
            figures_number(histogram_percentile(orders->latency, 0.5), number[0]),
            figures_number(histogram_percentile(orders->latency, 0.99), number[1]));
    fprintf(out, "stock      %s units held, %s committed\033[K\n",
            figures_number(figures->stock.sums.held, number[0]),
            figures_number(figures->stock.sums.committed, number[1]));
    lines += 4;
    for (size_t i = 0; i < figures->status.count; i++, lines++) {
        const struct status_process *process = &figures->status.processes[i];
        fprintf(out, "%-14s pid %-7" PRId64 " %-8s restarts %" PRId64 "%s%s\033[K\n", process->name,
                process->pid, process->state, process->restarts,
                process->last_exit[0] ? ", last " : "", process->last_exit);
    }
    fflush(out);
    return lines;
}

/* ---- at the end ---- */

/* "OUT_OF_STOCK" as "out of stock". */
static const char *plain_reason(enum order_reason reason, char *text, size_t size)
{
    snprintf(text, size, "%s", order_reason_name(reason));
    for (char *at = text; *at; at++) {
        *at = (char)(*at == '_' ? ' ' : tolower((unsigned char)*at));
    }
    return text;
}

static void print_count(const char *label, int indent, int64_t count, int64_t of, FILE *out)
{
    char number[NUMBER_MAX];
    fprintf(out, "%*s%-*s %*s", indent, "", LABEL_WIDTH - indent, label, COUNT_WIDTH,
            figures_number(count, number));
    if (of > 0) {
        fprintf(out, "   %5.1f %%", 100.0 * (double)count / (double)of);
    }
    fprintf(out, "\n");
}

static void print_standings(const struct orders *orders, FILE *out)
{
    char text[64];
    print_count("Orders placed", 0, orders->placed, 0, out);
    for (int i = STANDING_CONFIRMED; i <= STANDINGS; i++) {
        enum order_standing standing = i == STANDINGS ? STANDING_IN_FLIGHT : (enum order_standing)i;
        if (orders->by_standing[standing] == 0 && standing != STANDING_CONFIRMED) {
            continue;
        }
        print_count(standing_name(standing), 2, orders->by_standing[standing], orders->placed, out);
        for (int reason = 1; reason < ORDER_REASONS_MAX; reason++) {
            if (orders->by_reason[standing][reason] > 0) {
                print_count(plain_reason((enum order_reason)reason, text, sizeof text), 4,
                            orders->by_reason[standing][reason], 0, out);
            }
        }
    }
    print_count("Cancellations asked for", 0, orders->cancel_records, 0, out);
}

static void print_reserved(const struct figures *figures, FILE *out)
{
    const struct orders *orders = &figures->orders;
    char number[NUMBER_MAX];
    print_count("Lines reserved", 0, orders->lines, 0, out);
    print_count("Units reserved", 0, orders->units, 0, out);
    for (int i = 0; i < CURRENCIES_MAX && orders->currencies[i][0]; i++) {
        fprintf(out, "%-*s ", LABEL_WIDTH, i == 0 ? "Money" : "");
        print_money(orders->money[i], orders->currencies[i], out);
        fprintf(out, "\n");
    }
    fprintf(out, "%-*s %s units committed,", LABEL_WIDTH, "Stock now",
            figures_number(figures->stock.sums.committed, number));
    fprintf(out, " %s held,", figures_number(figures->stock.sums.held, number));
    fprintf(out, " %s available\n", figures_number(figures->stock.sums.available, number));
}

static void print_dead(const struct orders *orders, FILE *out)
{
    char label[192];
    print_count("Dead letters", 0, orders->dead_total, 0, out);
    for (size_t i = 0; i < orders->dead_count; i++) {
        snprintf(label, sizeof label, "%s %s", orders->dead[i].topic, orders->dead[i].cause);
        print_count(label, 2, orders->dead[i].count, 0, out);
    }
}

static void print_speed(const struct orders *orders, FILE *out)
{
    static const struct {
        const char *name;
        double share;
    } shown[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};
    char number[NUMBER_MAX];
    if (orders->latency->count == 0) {
        return;
    }
    fprintf(out, "%-*s", LABEL_WIDTH, "Place to answer");
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        fprintf(out, " %s %s ms,", shown[i].name,
                figures_number(histogram_percentile(orders->latency, shown[i].share), number));
    }
    fprintf(out, " most %s ms\n", figures_number(orders->latency->max, number));
    double seconds = (double)(orders->last_answered_ms - orders->first_intended_ms) / 1000;
    if (seconds > 0) {
        fprintf(out, "%-*s %.1f orders/s over %.1f s\n", LABEL_WIDTH, "Answered",
                (double)answered(orders) / seconds, seconds);
    }
}

void figures_print(const struct figures *figures, FILE *out)
{
    print_standings(&figures->orders, out);
    print_reserved(figures, out);
    print_dead(&figures->orders, out);
    if (figures->orders.unreadable > 0) {
        print_count("Events that cannot be read", 0, figures->orders.unreadable, 0, out);
    }
    if (figures->status.count > 0) {
        print_count("Processes", 0, (int64_t)figures->status.count, 0, out);
        print_count("Restarts", 0, status_restarts(&figures->status), 0, out);
    }
    print_speed(&figures->orders, out);
}

/* ---- for scripts ---- */

static void add_standings(const struct orders *orders, struct buffer *out)
{
    static const char *const names[STANDINGS] = {"in_flight", "confirmed", "cancelled",
                                                 "rejected",  "parked",    "dead_lettered"};
    buffer_format(out,
                  "\"orders\":{\"placed\":%" PRId64 ",\"accepted\":%" PRId64
                  ",\"amended\":%" PRId64,
                  orders->placed, orders->accepted, orders->amended);
    for (int i = 0; i < STANDINGS; i++) {
        buffer_format(out, ",\"%s\":%" PRId64, names[i], orders->by_standing[i]);
    }
    buffer_format(out, ",\"cancel_records\":%" PRId64 ",\"reasons\":{", orders->cancel_records);
    bool first = true;
    for (int i = STANDING_CANCELLED; i <= STANDING_PARKED; i++) {
        for (int reason = 1; reason < ORDER_REASONS_MAX; reason++) {
            if (orders->by_reason[i][reason] > 0) {
                buffer_format(out, "%s\"%s.%s\":%" PRId64, first ? "" : ",", names[i],
                              order_reason_name((enum order_reason)reason),
                              orders->by_reason[i][reason]);
                first = false;
            }
        }
    }
    buffer_add_string(out, "}}");
}

static void add_reserved(const struct figures *figures, struct buffer *out)
{
    const struct orders *orders = &figures->orders;
    buffer_format(out,
                  "\"reserved\":{\"lines\":%" PRId64 ",\"units\":%" PRId64 ",\"money_minor\":{",
                  orders->lines, orders->units);
    for (int i = 0; i < CURRENCIES_MAX && orders->currencies[i][0]; i++) {
        buffer_add_string(out, i > 0 ? "," : "");
        json_quote(out, orders->currencies[i], strlen(orders->currencies[i]));
        buffer_format(out, ":%" PRId64, orders->money[i]);
    }
    buffer_format(out,
                  "}},\"stock\":{\"on_hand\":%" PRId64 ",\"held\":%" PRId64
                  ",\"committed\":%" PRId64 ",\"available\":%" PRId64 "}",
                  figures->stock.sums.on_hand, figures->stock.sums.held,
                  figures->stock.sums.committed, figures->stock.sums.available);
}

static void add_dead(const struct orders *orders, struct buffer *out)
{
    buffer_add_string(out, "\"dead_letters\":[");
    for (size_t i = 0; i < orders->dead_count; i++) {
        buffer_add_string(out, i > 0 ? ",{\"topic\":" : "{\"topic\":");
        json_quote(out, orders->dead[i].topic, strlen(orders->dead[i].topic));
        buffer_add_string(out, ",\"cause\":");
        json_quote(out, orders->dead[i].cause, strlen(orders->dead[i].cause));
        buffer_format(out, ",\"count\":%" PRId64 "}", orders->dead[i].count);
    }
    buffer_add_byte(out, ']');
}

void figures_json(const struct figures *figures, struct buffer *out)
{
    const struct histogram *latency = figures->orders.latency;
    buffer_format(out, "{\"settled\":%s,\"watched_ms\":%" PRId64 ",",
                  figures->settled ? "true" : "false", figures->watched_ms);
    add_standings(&figures->orders, out);
    buffer_add_byte(out, ',');
    add_reserved(figures, out);
    buffer_add_byte(out, ',');
    add_dead(&figures->orders, out);
    buffer_format(out,
                  ",\"latency_ms\":{\"count\":%" PRIu64 ",\"p50\":%" PRId64 ",\"p90\":%" PRId64
                  ",\"p99\":%" PRId64 ",\"p99_9\":%" PRId64 ",\"max\":%" PRId64 "}",
                  latency->count, histogram_percentile(latency, 0.5),
                  histogram_percentile(latency, 0.9), histogram_percentile(latency, 0.99),
                  histogram_percentile(latency, 0.999), latency->max);
    buffer_format(out, ",\"answered_ms\":%" PRId64 ",\"processes\":%zu,\"restarts\":%" PRId64 "}\n",
                  figures->orders.last_answered_ms - figures->orders.first_intended_ms,
                  figures->status.count, status_restarts(&figures->status));
}
