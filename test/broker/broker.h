/* broker.h - Kafka in memory: one cluster, several instances, one thread, no real time.
 *
 * It models what the protocol leans on: logs with offsets, control records, aborted records, high
 * watermark and last stable offset; transactional ids with epochs and the PREPARE/COMPLETE split;
 * offsets that are pending until their marker; a group with generations; late, repeated and
 * half-lost requests; time-outs. It leaves out bytes on the wire, batches, replicas. Nothing
 * happens by itself: the clock moves by broker_advance() (or, with broker_auto_advance(), when a
 * call has to wait), faults come from a schedule, and the same calls give the same world again.
 *
 * It proves only what is true of Kafka: conformance.c holds it to the facts measured on a real
 * broker.
 */
#ifndef WEIR_TEST_BROKER_H
#define WEIR_TEST_BROKER_H

#include "kafka/client.h"

struct broker;

struct broker *broker_open(int64_t now_ms);
void broker_close(struct broker *broker); /* every port must be closed before */

/* ---- time ---- */

int64_t broker_now_ms(const struct broker *broker);

/* Moves the clock and does what falls due on the way, in order: markers, transaction time-outs,
 * sessions of the silent. */
void broker_advance(struct broker *broker, int64_t ms);

/* On: a call that has to wait moves the clock until it has what it waits for, or until its own
 * time-out. Off (as opened): such a call returns at once, as if its time-out were over, and the
 * clock stands. */
void broker_auto_advance(struct broker *broker, bool on);

/* When send_offsets and commit happen, and when their caller learns of it. */
enum broker_pace {
    PACE_AT_ONCE, /* in the call (as opened) */
    PACE_EARLY,   /* in the call, but the caller hears of it from the second ended() on */
    PACE_LATE,    /* in the second ended() */
};
void broker_set_pace(struct broker *broker, enum broker_pace pace);

/* ---- instances ---- */

/* One instance. Of the options: application_id, instance_id (NULL: fixed mode), fixed_partition,
 * topics, group, session_timeout_ms, transaction_timeout_ms (0: 10 s and 60 s); the strings must
 * outlive the port. */
struct port *broker_port_open(struct broker *broker, const struct client_options *options);

/* The end of the process: producers and readers that are still open go too, nothing is said to the
 * broker. A group member stays until its session is over (static members do not leave). NULL is
 * fine. */
void broker_port_close(struct port *port);

/* SIGSTOP: no heartbeats, so broker_advance() may end its session. Calling the port resumes it. */
void broker_port_pause(struct port *port);

/* This instance's wall clock is off by so much. */
void broker_port_skew(struct port *port, int64_t ms);

/* True after a crash of the fault schedule; every call on the port then fails without effect. And
 * such a crash by hand: kill -9 of a process whose memory is yet to be freed. */
bool broker_port_crashed(const struct port *port);
void broker_port_crash(struct port *port);

/* Ends a member's session at once; nothing when it is not a member now. */
void broker_expire_member(struct broker *broker, const char *group, const char *instance_id);

/* ---- topics ---- */

void broker_create_topic(struct broker *broker, const char *name, int32_t partitions,
                         bool compacted);

/* Deleted and made anew: offsets begin at 0, the groups' offsets for it are gone. */
void broker_recreate_topic(struct broker *broker, const char *name);

/* Removes what stands below `low` (retention; DeleteRecords). The high watermark stays. */
void broker_truncate(struct broker *broker, const char *topic, int32_t partition, int64_t low);

/* Below the last stable offset: keeps the last committed record of each key; aborted records go.
 * Tombstones and markers go only when `drop_tombstones` (their delete.retention.ms is over). */
void broker_compact(struct broker *broker, const char *topic, int32_t partition,
                    bool drop_tombstones);

/* A plain record, not of a transaction, stamped with the broker's clock. partition -1: by murmur2
 * of the key. Bytes are copied. Returns its offset. */
int64_t broker_produce(struct broker *broker, const char *topic, int32_t partition,
                       struct weir_bytes key, struct weir_bytes value,
                       const struct port_header *headers, size_t header_count);

enum broker_fate { BROKER_OPEN, BROKER_COMMITTED, BROKER_ABORTED };

struct broker_record {
    int64_t offset, timestamp_ms;
    struct weir_bytes key, value; /* data NULL: none, as in struct port_record */
    const struct port_header *headers;
    size_t header_count;
    enum broker_fate fate; /* COMMITTED for plain records too */
};

/* The next record at or behind *offset, which then moves behind it. `committed`: as a
 * read_committed reader sees the log now. false at the end. What `record` points at lives until the
 * record leaves the log. for (int64_t at = 0; broker_read(broker, "stock.events", 0, true, &at,
 * &record);) */
bool broker_read(struct broker *broker, const char *topic, int32_t partition, bool committed,
                 int64_t *offset, struct broker_record *record);
size_t broker_count(struct broker *broker, const char *topic, int32_t partition, bool committed);
struct port_log broker_log(struct broker *broker, const char *topic, int32_t partition);

/* ---- offsets of groups ---- */

/* The committed offset, with its metadata; offset -1 when there is none. false while a transaction
 * holds it (what stands in `offset` is then the last stable one). offset->topic is the argument. */
bool broker_offsets(struct broker *broker, const char *group, const char *topic, int32_t partition,
                    struct port_offset *offset);
void broker_set_offsets(struct broker *broker, const char *group, int32_t partition,
                        const struct port_offset *offsets, size_t count);

/* Offsets expire. Those that a transaction holds stay, as in Kafka. */
void broker_forget_offsets(struct broker *broker, const char *group);

/* ---- transactions ---- */

enum broker_txn_state {
    TXN_EMPTY,
    TXN_ONGOING,
    TXN_PREPARE_COMMIT,
    TXN_PREPARE_ABORT,
    TXN_COMPLETE_COMMIT,
    TXN_COMPLETE_ABORT,
};

enum broker_txn_state broker_txn_state(struct broker *broker, const char *transactional_id);

/* transaction.timeout.ms is over: aborts what is open and bumps the epoch. Nothing when nothing is
 * open. */
void broker_time_out(struct broker *broker, const char *transactional_id);

#define BROKER_OFFSETS "__consumer_offsets"
enum { BROKER_HELD = -1 };

/* Markers of this topic come `delay_ms` after EndTxn was answered; BROKER_HELD: not before
 * broker_release_markers(). */
void broker_delay_markers(struct broker *broker, const char *topic, int64_t delay_ms);
void broker_release_markers(struct broker *broker,
                            const char *topic); /* those held so far; the delay stays */

/* ---- faults ---- */

enum broker_call {
    CALL_POLL,
    CALL_START,
    CALL_STOP,
    CALL_FETCH,
    CALL_COMMITTED,
    CALL_LOG,
    CALL_PRODUCER_OPEN,
    CALL_INIT,
    CALL_BEGIN,
    CALL_SEND,
    CALL_SEND_OFFSETS,
    CALL_COMMIT,
    CALL_ABORT,
    CALL_READER_OPEN,
    CALL_READ,
    CALL_ADD_PARTITIONS, /* inside the first send to a partition in each transaction */
    CALL_ADD_OFFSETS,    /* inside send_offsets, before the offsets */
    BROKER_CALLS,
};

/* For send, AddPartitions and AddOffsets the client repeats what was lost by itself: a lost request
 * or reply is then seen in doubts() alone (and a lost reply to a send leaves its delivery unknown).
 * Elsewhere the caller sees TXN_DOUBT (of send_offsets TXN_ABORT), or RETRY on the consumer's side.
 * Each loss adds one to doubts(). */
enum broker_fault_kind {
    FAULT_NONE,
    FAULT_LOSE_REQUEST, /* nothing happens */
    FAULT_LOSE_REPLY,   /* it happens, the caller does not learn it */
    FAULT_HIDDEN_RETRY, /* a reply was lost and the client repeated it: success, seen in doubts()
                           alone */
    FAULT_FAIL,         /* nothing happens; `result` (producer calls) or `outcome` comes back */
    FAULT_OLD_ANSWER, /* committed: the offsets of `ago` commits before, whatever is pending, as of
                         a coordinator that has not read all of its log */
    FAULT_MEANWHILE,  /* run() before the call, which then goes on: another instance acts, the clock
                         moves */
    FAULT_CRASH_BEFORE, /* the instance dies: run() (which may longjmp), then the port is dead */
    FAULT_CRASH_AFTER,  /* the same when the broker has done it all */
};

/* When a stray copy arrives. It carries the epoch of its sender. */
enum broker_stray {
    STRAY_NONE,
    STRAY_AFTER_SEND,     /* after the first send of the id's next transaction */
    STRAY_BEFORE_OFFSETS, /* when all of the next transaction's records have been sent */
    STRAY_AFTER_OFFSETS,  /* after send_offsets of the id's next transaction */
    STRAY_BY_HAND,        /* at broker_deliver_strays() */
};

struct broker_fault {
    enum broker_call call;
    unsigned nth;    /* 1: the next such call from now on */
    const char *who; /* a transactional id, or an instance id for consumer calls; NULL: anybody's
                        call counts */
    enum broker_fault_kind kind;
    enum broker_stray stray; /* send, send_offsets, commit, abort, AddPartitions, AddOffsets: a copy
                                is still under way */
    enum txn_result result;
    enum outcome outcome;
    int exit_code; /* for FATAL */
    unsigned ago;  /* commits, for FAULT_OLD_ANSWER; no offset when there were fewer */
    void (*run)(void *context);
    void *context;
};

void broker_fault(struct broker *broker, const struct broker_fault *fault);
size_t broker_faults_left(const struct broker *broker); /* scheduled but not met yet */

/* Asked at every call instead of the schedule: for simulations. Fills `fault` (only kind and what
 * belongs to it). */
typedef void broker_chooser(void *context, enum broker_call call, const char *who,
                            struct broker_fault *fault);
void broker_set_chooser(struct broker *broker, broker_chooser *chooser, void *context);

/* The code that the last one was answered with (a Kafka number); -1: there was none. */
int broker_deliver_strays(struct broker *broker);

struct broker_counts {
    unsigned calls[BROKER_CALLS];
    unsigned strays_taken, strays_refused;
};

const struct broker_counts *broker_counts(const struct broker *broker);
const char *broker_call_name(enum broker_call call); /* "send_offsets" */

#endif
