/* kinds.c - the kinds of fault, and how often each is drawn. */
#include "chaos/chaos.h"

#include <time.h>

volatile bool interrupted;

const struct kind_facts kinds[KINDS] = {
    [KILL] = {"kill", "kill -9 of a process: at any moment, at a named place, twice", 32},
    [ZOMBIE] = {"zombie", "SIGSTOP while another takes over, then SIGCONT", 4},
    [BROKER_KILL] = {"broker-kill", "kill -9 of the broker between two commits, and a start", 3},
    [BROKER_TORN] = {"broker-torn", "kill -9 of the broker while it writes a commit's markers", 0},
    [BROKER_STOP] = {"broker-stop", "SIGSTOP of the broker for 0.1 to 8 s", 1},
    [REBALANCE] = {"rebalance", "members leave and join", 8, .members_only = true},
    [DELAY] = {"delay", "requests are held back for a while, one by one", 2},
    [CUT] = {"cut", "a connection ends after N bytes of a request or an answer", 5},
    [DROP_REPLY] = {"drop-reply", "a request is carried out, its answer never arrives", 7},
    [LATE] = {"late", "a repeated request's first copy arrives in a later transaction", 18},
    [DUPLICATE] = {"duplicate", "a request arrives twice", 7},
    [STATE_LOST] = {"state-lost", "killed, and its state directory is gone; or killed in a restore",
                    3},
    [STATE_OLD] = {"state-old", "killed, and an old copy of the state is put back", 2},
    [STATE_FLIP] = {"state-flip", "killed, and bits of the state are flipped", 2},
    [DISK_FULL] = {"disk-full", "its disk has no space left for a while", 1},
    [CLOCK] = {"clock", "its wall clock jumps", 1},
    [OFFSETS_DELETED] = {"offsets-deleted", "the group's offsets are deleted while it is down", 2,
                         .fixed_only = true},
};

const struct api_facts apis[APIS] = {
    [API_PRODUCE] = {"produce", 0},         [API_ADD_PARTITIONS] = {"addpartitions", 24},
    [API_ADD_OFFSETS] = {"addoffsets", 25}, [API_OFFSETS] = {"offsetcommit", 28},
    [API_END_TXN] = {"endtxn", 26},
};

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}
