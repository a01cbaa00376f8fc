/* port.h - the broker port: all that the runtime needs of Kafka, as a table of functions.
 *
 * Two implementations: librdkafka (kafka/client.h) and a deterministic broker in memory
 * (test/broker/). The port is free of policy: it reports, the protocol decides. What each outcome
 * obliges the caller to do stands here. One thread only.
 *
 * Rebalances are served in poll() alone, so never inside a transaction.
 */
#ifndef WEIR_KAFKA_PORT_H
#define WEIR_KAFKA_PORT_H

#include "base/error.h"
#include "weir.h"

struct port;
struct producer;
struct reader;

enum { PORT_METADATA_MAX = 96, PORT_HEADERS_MAX = 32 };

struct port_record {
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    struct weir_bytes key;   /* data NULL: no key */
    struct weir_bytes value; /* data NULL: a null value (tombstone) */
    void *message;           /* the port's own; everything above points into it until release() */
};

struct port_header {
    const char *name;
    struct weir_bytes value;
};

struct port_offset {
    const char *topic;
    int64_t offset; /* -1: none is committed */
    char metadata[PORT_METADATA_MAX];
};

struct port_log {
    int64_t low;    /* first offset that still exists */
    int64_t stable; /* last stable offset: where a read_committed reader stops now */
    int64_t high;   /* high watermark */
};

/* Where a produced record came to stand; offset -1 while unknown (and for ever after a duplicate's
 * report). */
struct port_delivery {
    int64_t offset;
    int64_t timestamp_ms;
};

/* What a transactional call came to. */
enum txn_result {
    TXN_DONE,
    TXN_ABORT,  /* this transaction cannot be committed: abort it (a failed produce, a refused
                   request) */
    TXN_DOUBT,  /* timed out or failed: it may or may not have happened. Fence before the next begin
                 */
    TXN_FENCED, /* another owner initialised this transactional id (or the coordinator timed the
                   transaction out) */
    TXN_MOVED,  /* the group says that this member or generation is not current: abort, drop the
                   tasks, rejoin */
    TXN_UNDER_WAY, /* of send_offsets and commit only: not known yet, ended() will say */
};

/* Group events, called from inside poll(). `partitions` are the numbers for which every input topic
 * was assigned. */
struct port_group {
    void *context;
    void (*assigned)(void *context, const int32_t *partitions, size_t count);
    /* The partitions are gone when this returns. `lost`: they are gone already, commit nothing. */
    void (*revoked)(void *context, const int32_t *partitions, size_t count, bool lost);
};

struct port_calls {
    /* ---- time ---- */
    int64_t (*wall_ms)(struct port *port);
    int64_t (*monotonic_us)(struct port *port);

    /* ---- the instance's consumer: one, read_committed ---- */

    /* Serves connections and the group, then sleeps until a record is at hand, a call that was
     * under way has ended, or `timeout_ms` is over. A record is at hand in an input whose last
     * fetch() left nothing behind; who leaves records comes back for them. RETRY: a passing
     * trouble, told once per kind of trouble (text for the log). FATAL: cannot go on (fenced static
     * member: 75). */
    enum outcome (*poll)(struct port *port, int timeout_ms, struct error *error);

    /* Begins (or begins again) to fetch from `offset`. Before the first start nothing is fetched.
     * Forgets what was fetched ahead. RETRY: call again. */
    enum outcome (*start)(struct port *port, const char *topic, int32_t partition, int64_t offset,
                          struct error *error);
    enum outcome (*stop)(struct port *port, const char *topic, int32_t partition,
                         struct error *error);

    /* Takes up to `max` records that are here already, in offset order; never waits. The caller
     * owns them. An offset that is out of the log's range shows as FATAL with EXIT_CONFIG. */
    enum outcome (*fetch)(struct port *port, const char *topic, int32_t partition,
                          struct port_record *records, size_t max, size_t *count,
                          struct error *error);
    void (*release)(struct port *port, struct port_record *records, size_t count);

    /* The record's header number `index`; false past the last. */
    bool (*header)(struct port *port, const struct port_record *record, size_t index,
                   struct port_header *header);

    /* The position behind the last fetched record (control records counted), and the true high
     * watermark of the last fetch answer. false: not known yet. */
    bool (*progress)(struct port *port, const char *topic, int32_t partition, int64_t *position,
                     int64_t *high);

    /* The group's stable committed offset and its metadata for partition `partition` of each of
     * `topics`. OK only when every answer was clean; RETRY otherwise (an open transaction, a
     * time-out): nothing in `offsets` counts then. */
    enum outcome (*committed)(struct port *port, const char *const *topics, size_t count,
                              int32_t partition, int timeout_ms, struct port_offset *offsets,
                              struct error *error);

    enum outcome (*log)(struct port *port, const char *topic, int32_t partition, int timeout_ms,
                        struct port_log *log, struct error *error);

    /* ---- a task's producer: its transactional id ---- */

    enum outcome (*producer_open)(struct port *port, const char *transactional_id,
                                  struct producer **producer, struct error *error);
    void (*producer_close)(
        struct producer *producer); /* at once; what is open stays open at the broker */

    /* Fences every earlier owner and ends its open transaction. TXN_DOUBT: call again (or close and
     * open anew). */
    enum txn_result (*init)(struct producer *producer, int timeout_ms, struct error *error);

    /* Begins, and takes the group metadata that send_offsets will use. TXN_MOVED: no current
     * membership, nothing begun. */
    enum txn_result (*begin)(struct producer *producer, struct error *error);

    /* Hands one record over (bytes are copied). partition -1: by murmur2 of the key, as the Java
     * client does. `delivery` (may be NULL) is filled by the time commit has returned TXN_DONE.
     * TXN_ABORT when it cannot be queued. */
    enum txn_result (*send)(struct producer *producer, const char *topic, int32_t partition,
                            struct weir_bytes key, struct weir_bytes value,
                            const struct port_header *headers, size_t header_count,
                            struct port_delivery *delivery, struct error *error);

    /* These two take some round trips: they may answer TXN_UNDER_WAY and go on by themselves, so
     * that the tasks of an instance commit side by side. Until ended() has said what came of it,
     * nothing else may be asked of this producer but producer_close(), which waits for it. */
    enum txn_result (*send_offsets)(struct producer *producer, const struct port_offset *offsets,
                                    size_t count, int32_t partition, int timeout_ms,
                                    struct error *error);
    enum txn_result (*commit)(struct producer *producer, int timeout_ms, struct error *error);

    /* What the call under way came to; TXN_UNDER_WAY: it still is, after `timeout_ms`. */
    enum txn_result (*ended)(struct producer *producer, int timeout_ms, struct error *error);
    enum txn_result (*abort)(struct producer *producer, int timeout_ms, struct error *error);

    /* Transactional requests (ApiKeys 0, 22, 24, 25, 26, 28) that failed on the wire since begin,
     * as an interceptor saw them: librdkafka repeats such requests silently, and a stray of one may
     * arrive in the next transaction. */
    unsigned (*doubts)(struct producer *producer);

    /* ---- reading a changelog: read_committed, one partition ---- */

    enum outcome (*reader_open)(struct port *port, const char *topic, int32_t partition,
                                int64_t offset, struct reader **reader, struct error *error);
    void (*reader_close)(struct reader *reader);

    /* Up to `max` records; waits at most `timeout_ms` for the first. *position: the offset reading
     * stands at, behind control records and aborted ones too. */
    enum outcome (*read)(struct reader *reader, int timeout_ms, struct port_record *records,
                         size_t max, size_t *count, int64_t *position, struct error *error);
    /* release() does as well, and header() knows these records, too. */
    void (*reader_release)(struct reader *reader, struct port_record *records, size_t count);
};

/* Implementations embed this as their first member. */
struct port {
    const struct port_calls *calls;
};

/* For a caller with nothing else to do: what `result` of send_offsets or commit comes to. */
static inline enum txn_result port_wait(const struct port *port, struct producer *producer,
                                        enum txn_result result, struct error *error)
{
    while (result == TXN_UNDER_WAY) {
        result = port->calls->ended(producer, 1000, error);
    }
    return result;
}

#endif
