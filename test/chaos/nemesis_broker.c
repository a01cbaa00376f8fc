/* nemesis_broker.c - the broker dies or sleeps, and the group's offsets are deleted.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "chaos/nemesis.h"
#include "kafka/admin_internal.h"
#include "processors.h"

enum {
    LOOK_MS = 50,
    HOLD_MS = 500,
    SETTLE_MS = 5000, /* a broker that has just started ends what the last one left open */
    START_MS = 120000,
    TRIES = 3,
    REFUSED_WITHIN_MS = 20000,
    MEND_MS = 60000
};

/* ---- the broker ---- */

static struct child *kafka(struct nemesis *nemesis, const char *line)
{
    const char *arguments[] = {"/bin/bash", "-c", line, nemesis->options->kafka, NULL};
    return fleet_command(nemesis->fleet, "kafka", arguments);
}

/* Until the broker answers again. */
static int64_t see_it_start(struct nemesis *nemesis, struct errand *errand)
{
    nemesis->fleet->broker_bad_ms = now_ms();
    if (errand->child->running) {
        return now_ms() + LOOK_MS;
    }
    if (errand->child->status != 0 && errand->number++ < TRIES) {
        results_note(nemesis->results, "the broker did not start, once more");
        errand->child = kafka(nemesis, "\"$0\" start");
        return now_ms() + LOOK_MS;
    }
    if (errand->child->status != 0) {
        results_violation(nemesis->results, "the broker does not start any more: logs/kafka.log");
        interrupted = true;
    }
    results_note(nemesis->results, "the broker is back");
    nemesis->broker_busy = false;
    return 0;
}

/* The process id that scripts/kafka has written; 0: none. */
static int broker_pid(const struct nemesis *nemesis)
{
    char path[400];
    int pid = 0;
    snprintf(path, sizeof path, "%s/kafka/pid", nemesis->options->directory);
    FILE *file = fopen(path, "re");
    if (file) {
        pid = fscanf(file, "%d", &pid) == 1 && pid > 1 ? pid : 0;
        fclose(file);
    }
    return pid;
}

/* Whatever the log says from here on is said of the next start. */
static void note_start(struct fleet *fleet)
{
    char path[400];
    struct stat status;
    snprintf(path, sizeof path, "%s/kafka/kafka.log", fleet->options->directory);
    fleet->broker_log_at = stat(path, &status) == 0 ? (long)status.st_size : 0;
    fleet->offsets_are_old = false;
    fleet->broker_bad_ms = now_ms();
}

bool nemesis_broker_again(struct nemesis *nemesis)
{
    results_note(nemesis->results, "the broker's offsets are old: it is started again");
    note_start(nemesis->fleet);
    struct child *start = kafka(nemesis, "\"$0\" kill && \"$0\" start");
    bool good = fleet_wait(nemesis->fleet, start, START_MS) == EXIT_DONE;
    if (!good && !interrupted) {
        results_violation(nemesis->results, "the broker does not start any more: logs/kafka.log");
    }
    return good;
}

/* Kafka 4.3.1 on one node may forget the markers of a transaction that it was just ending when it
 * was killed: after the start the coordinator takes partitions whose leader it does not know yet
 * for deleted ones, and writes COMPLETE without the markers. Seen in the group's offsets: the
 * outputs are committed, the offsets pend for ever, and the task waits for them, as it must. No
 * client can mend that, so the broker dies a moment after the last EndTxn, and not again before it
 * has had time to end what was open; torn: at once. */
bool nemesis_broker_kill(struct nemesis *nemesis, bool torn)
{
    bool settled = torn || now_ms() - nemesis->fleet->broker_bad_ms >= SETTLE_MS;
    int pid = nemesis->broker_busy || !settled ? 0 : broker_pid(nemesis);
    if (pid == 0) {
        return false;
    }
    nemesis->broker_busy = true;
    note_start(nemesis->fleet);
    enum kind kind = torn ? BROKER_TORN : BROKER_KILL;
    nemesis_struck_all(nemesis, kind);
    if (!torn) {
        fleet_hold_all(nemesis->fleet, true);
        sleep_ms(HOLD_MS);
    }
    kill(pid, SIGKILL);
    if (!torn) {
        fleet_hold_all(nemesis->fleet, false);
    }
    nemesis_errand(nemesis, LOOK_MS, see_it_start, NULL)->child =
        kafka(nemesis, "\"$0\" kill && \"$0\" start");
    results_fault(nemesis->results, kind, "broker");
    return true;
}

static int64_t let_it_go_on(struct nemesis *nemesis, struct errand *errand)
{
    kill(errand->pid, SIGCONT);
    nemesis->fleet->broker_bad_ms = now_ms();
    nemesis->broker_busy = false;
    return 0;
}

bool nemesis_broker_stop(struct nemesis *nemesis)
{
    int pid = nemesis->broker_busy ? 0 : broker_pid(nemesis);
    int64_t ms = dice_between(&nemesis->dice, 100, 8000);
    if (pid == 0) {
        return false;
    }
    nemesis->broker_busy = true;
    nemesis->fleet->broker_bad_ms = now_ms();
    nemesis_struck_all(nemesis, BROKER_STOP);
    kill(pid, SIGSTOP);
    nemesis_errand(nemesis, ms, let_it_go_on, NULL)->pid = pid;
    results_fault(nemesis->results, BROKER_STOP, "broker, %" PRId64 " ms", ms);
    return true;
}

/* ---- offsets ---- */

static enum outcome delete_offsets(struct admin *admin, const struct weir_processor *processor,
                                   int32_t partition, int only_input, struct error *error)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(2);
    for (int i = 0; i < WEIR_LIST_MAX && processor->inputs[i].topic; i++) {
        if (only_input < 0 || only_input == i) {
            rd_kafka_topic_partition_list_add(list, processor->inputs[i].topic->name, partition);
        }
    }
    rd_kafka_DeleteConsumerGroupOffsets_t *request =
        rd_kafka_DeleteConsumerGroupOffsets_new(processor->name, list);
    rd_kafka_DeleteConsumerGroupOffsets(admin->handle, &request, 1, NULL, admin->answers);
    rd_kafka_event_t *answer;
    enum outcome outcome = admin_answer(admin, "deleting offsets", &answer, error);
    if (outcome == OK) {
        rd_kafka_event_destroy(answer);
    }
    rd_kafka_DeleteConsumerGroupOffsets_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
    return outcome;
}

static int64_t give_back(struct errand *errand)
{
    errand->place->busy = errand->place->may_refuse = errand->place->refused = false;
    errand->place->wanted = true;
    return 0;
}

static struct child *adopt(struct nemesis *nemesis, const struct place *place)
{
    char partition[12], config[400];
    snprintf(partition, sizeof partition, "%d", (int)place->partition);
    snprintf(config, sizeof config, "%s/config", nemesis->options->directory);
    const char *arguments[] = {nemesis->options->weir,
                               "offsets",
                               "adopt",
                               processors[place->processor]->name,
                               "--partition",
                               partition,
                               "--execute",
                               "-c",
                               config,
                               NULL};
    return fleet_command(nemesis->fleet, "mending", arguments);
}

enum { DELETING, WATCHING, MENDING };

/* Deletes, starts the process, and when it refuses to go on mends what was broken. */
static int64_t see_it_mended(struct nemesis *nemesis, struct errand *errand)
{
    struct place *place = errand->place;
    struct error error;
    switch (errand->stage) {
    case DELETING:
        if (nemesis->broker_busy && !nemesis->calm) {
            return now_ms() + LOOK_MS;
        }
        if (nemesis->calm || delete_offsets(nemesis->admin, processors[place->processor],
                                            place->partition, errand->number, &error) != OK) {
            results_note(nemesis->results, "%s keeps its offsets: %s", place->name,
                         nemesis->calm ? "no time" : error.text);
            return give_back(errand);
        }
        results_fault(nemesis->results, OFFSETS_DELETED, "%s: %s", place->name,
                      errand->number < 0 ? "all" : "of one input");
        results_struck(nemesis->results, OFFSETS_DELETED, place->processor, place->partition);
        place->may_refuse = true;
        place->wanted = true;
        errand->stage = WATCHING;
        errand->due_ms = now_ms() + REFUSED_WITHIN_MS;
        return now_ms() + LOOK_MS;
    case WATCHING:
        if (place->refused) {
            results_note(nemesis->results, "%s refuses; weir offsets adopt", place->name);
            place->wanted = false;
            errand->child = adopt(nemesis, place);
            errand->stage = MENDING;
            return now_ms() + LOOK_MS;
        }
        return errand->disk++ < REFUSED_WITHIN_MS / LOOK_MS ? now_ms() + LOOK_MS
                                                            : give_back(errand);
    case MENDING:
        if (errand->child->running) {
            return now_ms() + LOOK_MS;
        }
        if (errand->child->status != 0 && errand->disk++ < MEND_MS / LOOK_MS) {
            errand->child = adopt(nemesis, place); /* the broker may be away, a transaction open */
            return now_ms() + LOOK_MS;
        }
        if (errand->child->status != 0) {
            results_violation(nemesis->results, "%s cannot be mended: logs/mending.log",
                              place->name);
        }
        nemesis->results->counts[COUNT_MENDED]++;
        return give_back(errand);
    default:
        BUG("no such stage");
    }
}

bool nemesis_offsets_deleted(struct nemesis *nemesis)
{
    struct place *place = nemesis_place(nemesis);
    if (!place || place->partition < 0 || nemesis->broker_busy) {
        return false;
    }
    bool several = processors[place->processor]->inputs[1].topic != NULL;
    place->busy = true;
    place->wanted = false;
    fleet_kill(nemesis->fleet, place, 0);
    nemesis_errand(nemesis, 0, see_it_mended, place)->number =
        several && !dice_once_in(&nemesis->dice, 3) ? (int)dice_below(&nemesis->dice, 2) : -1;
    return true;
}
