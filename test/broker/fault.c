/* fault.c - which call goes wrong, and how.
 *
 * Every call of the port passes a gate. The gate counts it, asks the schedule (or the chooser) and
 * hands the fault to the call, which knows what a lost request or reply means for it. Crashes and
 * what happens meanwhile are the gate's own.
 */
#include <string.h>

#include "broker/internal.h"

const char *broker_call_name(enum broker_call call)
{
    static const char *const names[BROKER_CALLS] = {
        [CALL_POLL] = "poll",
        [CALL_START] = "start",
        [CALL_STOP] = "stop",
        [CALL_FETCH] = "fetch",
        [CALL_COMMITTED] = "committed",
        [CALL_LOG] = "log",
        [CALL_PRODUCER_OPEN] = "producer_open",
        [CALL_INIT] = "init",
        [CALL_BEGIN] = "begin",
        [CALL_SEND] = "send",
        [CALL_SEND_OFFSETS] = "send_offsets",
        [CALL_COMMIT] = "commit",
        [CALL_ABORT] = "abort",
        [CALL_READER_OPEN] = "reader_open",
        [CALL_READ] = "read",
        [CALL_ADD_PARTITIONS] = "add_partitions",
        [CALL_ADD_OFFSETS] = "add_offsets",
    };
    return call < BROKER_CALLS ? names[call] : "?";
}

void broker_fault(struct broker *broker, const struct broker_fault *fault)
{
    CHECK(fault->nth > 0 && fault->call < BROKER_CALLS);
    broker->faults = broker_grow(broker->faults, broker->fault_count, sizeof *broker->faults);
    broker->faults[broker->fault_count++] = *fault;
}

size_t broker_faults_left(const struct broker *broker)
{
    return broker->fault_count;
}

void broker_set_chooser(struct broker *broker, broker_chooser *chooser, void *context)
{
    broker->chooser = chooser;
    broker->chooser_context = context;
}

/* Counts the call in every fault that waits for it; the first whose turn it is leaves the schedule.
 */
static void next_of_schedule(struct broker *broker, enum broker_call call, const char *who,
                             struct broker_fault *fault)
{
    size_t found = broker->fault_count;
    for (size_t i = 0; i < broker->fault_count; i++) {
        struct broker_fault *at = &broker->faults[i];
        if (at->call != call || (at->who && (!who || strcmp(at->who, who) != 0))) {
            continue;
        }
        if (at->nth > 1) {
            at->nth--;
        } else if (found == broker->fault_count) {
            found = i;
        }
    }
    if (found < broker->fault_count) {
        *fault = broker->faults[found];
        broker->fault_count--;
        memmove(broker->faults + found, broker->faults + found + 1,
                (broker->fault_count - found) * sizeof *broker->faults);
    }
}

static void crash(struct broker_port *port, const struct broker_fault *fault)
{
    port->crashed = true;
    broker_group_silence(port, true);
    if (fault->run) {
        fault->run(fault->context);
    }
}

bool broker_gate(struct broker_port *port, enum broker_call call, const char *who,
                 struct broker_fault *fault)
{
    struct broker *broker = port->broker;
    *fault = (struct broker_fault){0};
    if (port->crashed) {
        return false;
    }
    if (port->paused) {
        port->paused = false;
        broker_group_silence(port, false);
    }
    broker->counts.calls[call]++;
    if (broker->chooser) {
        broker->chooser(broker->chooser_context, call, who, fault);
    } else {
        next_of_schedule(broker, call, who, fault);
    }
    fault->call = call;
    if (fault->kind == FAULT_MEANWHILE) {
        fault->run(fault->context);
    } else if (fault->kind == FAULT_CRASH_BEFORE) {
        crash(port, fault);
    }
    return !port->crashed;
}

bool broker_gate_after(struct broker_port *port, const struct broker_fault *fault)
{
    if (fault->kind == FAULT_CRASH_AFTER && !port->crashed) {
        crash(port, fault);
    }
    return !port->crashed;
}

static enum outcome dead(struct error *error)
{
    return fail_exit(error, EXIT_UNAVAILABLE,
                     "this instance has crashed (by the test's fault schedule)");
}

enum outcome broker_gate_consumer(struct broker_port *port, enum broker_call call,
                                  struct broker_fault *fault, struct error *error)
{
    if (!broker_gate(port, call, port->options.instance_id, fault)) {
        return dead(error);
    }
    if (fault->kind == FAULT_LOSE_REQUEST) {
        return fail(error, RETRY, "%s: the request was lost", broker_call_name(call));
    }
    if (fault->kind == FAULT_FAIL) {
        fail(error, fault->outcome, "%s: fails by the test's fault schedule",
             broker_call_name(call));
        error->exit_code = fault->exit_code;
        return fault->outcome;
    }
    return OK;
}

enum outcome broker_gate_reply(struct broker_port *port, const struct broker_fault *fault,
                               enum outcome done, struct error *error)
{
    if (!broker_gate_after(port, fault)) {
        return dead(error);
    }
    if (done == OK && fault->kind == FAULT_LOSE_REPLY) {
        return fail(error, RETRY, "%s: the reply was lost", broker_call_name(fault->call));
    }
    return done;
}
