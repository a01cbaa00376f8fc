/* test_protocol.c - the commit protocol under every single fault, at every call, on the broker in
 * memory.
 *
 * One workload: sums, refusals, garbage, repeats, timers. First without faults; then, for every
 * call of the port and each of its first occurrences, with one fault there: the process dies before
 * or after it, its request or its reply is lost, it is repeated behind the caller's back, a stray
 * copy arrives inside the next transaction. What a reader can see in the end must be the same to
 * the letter (I-1 to I-9; each test names what it attacks), and so must a replay.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/second_life.h"
#include "runtime/metadata.h"
#include "store/store.h"

#include <cmocka.h>

static void first_half(struct world *world)
{
    world_remind(world, "a", 60000);
    for (int i = 1; i <= 4; i++) {
        world_add(world, "a", i);
        world_add(world, "b", 10 * i);
    }
    world_add(world, "a", -5);
    world_garbage(world, "c");
    world_add(world, "c", 0);
}

static void second_half(struct world *world)
{
    for (int i = 1; i <= 3; i++) {
        world_add(world, "b", i);
        world_add(world, "c", 7);
    }
    world_remind(world, "c", 90000);
}

/* A quiet minute in which a timer falls due, more work, another timer, a clean stop. Returns the
 * picture. */
static char *rest_of_story(struct world *world)
{
    world_settle(world);
    broker_advance(world->broker, 61000);
    world_settle(world);
    second_half(world);
    world_settle(world);
    broker_advance(world->broker, 91000);
    world_settle(world);
    world_stop(world);
    life_expect_same(world);
    return world_picture(world);
}

static char *story(struct world *world)
{
    first_half(world);
    return rest_of_story(world);
}

static char *plain_story(void)
{
    struct world world;
    world_open(&world);
    char *picture = story(&world);
    world_close(&world);
    return picture;
}

static void does_the_work_and_says_so_everywhere(void **state)
{
    (void)state;
    char *picture = plain_story();
    assert_non_null(strstr(picture, "history next=19 handled=16 stale=1 dead=2 timers=2"));
    assert_non_null(strstr(picture, "group offset=19"));
    assert_non_null(strstr(picture, "name=a sum=10 count=4"));
    assert_non_null(strstr(picture, "name=b sum=106 count=7"));
    assert_non_null(strstr(picture, "view c=21"));
    free(picture);
}

/* ---- one fault anywhere ---- */

struct attack {
    struct broker_fault fault;
    const char *name;
};

static bool is_transactional(enum broker_call call)
{
    return call == CALL_SEND || call == CALL_SEND_OFFSETS || call == CALL_COMMIT ||
           call == CALL_ABORT || call == CALL_ADD_PARTITIONS || call == CALL_ADD_OFFSETS;
}

/* Runs the story with one fault. Returns whether the fault was met at all. */
static bool survives(const char *expected, const struct broker_fault *fault, enum broker_pace pace)
{
    struct world world;
    world_open(&world);
    broker_set_pace(world.broker, pace);
    broker_fault(world.broker, fault);
    char *picture = story(&world);
    bool met = broker_faults_left(world.broker) == 0;
    if (strcmp(picture, expected) != 0) {
        fail_msg(
            "call %s, occurrence %u, fault %d, stray %d, result %d, pace %d:\n--- expected\n%s--- "
            "found\n%s",
            broker_call_name(fault->call), fault->nth, (int)fault->kind, (int)fault->stray,
            (int)fault->result, (int)pace, expected, picture);
    }
    free(picture);
    world_close(&world);
    return met;
}

static int attack_at_pace(const char *expected, enum broker_fault_kind kind,
                          enum broker_stray stray, bool transactional_only, enum broker_pace pace)
{
    int runs = 0;
    for (int call = 0; call < BROKER_CALLS; call++) {
        if (transactional_only && !is_transactional((enum broker_call)call)) {
            continue;
        }
        unsigned step = call == CALL_POLL || call == CALL_FETCH || call == CALL_SEND ? 7 : 1;
        for (unsigned nth = 1; nth <= 8 * step; nth += step) {
            struct broker_fault fault = {.call = (enum broker_call)call,
                                         .nth = nth,
                                         .kind = kind,
                                         .stray = stray,
                                         .outcome = RETRY,
                                         .result = TXN_ABORT};
            if (!survives(expected, &fault, pace)) {
                break;
            }
            runs++;
        }
    }
    assert_true(runs >= 10);
    return runs;
}

static void attack_every_call(enum broker_fault_kind kind, enum broker_stray stray,
                              bool transactional_only)
{
    char *expected = plain_story();
    int runs = attack_at_pace(expected, kind, stray, transactional_only, PACE_AT_ONCE);
    runs += attack_at_pace(expected, kind, stray, transactional_only, PACE_EARLY);
    runs += attack_at_pace(expected, kind, stray, transactional_only, PACE_LATE);
    print_message("             %d runs\n", runs);
    free(expected);
}

static void survives_a_death_before_any_call(void **state) /* I-1, I-2, I-3, I-7, I-8 */
{
    (void)state;
    attack_every_call(FAULT_CRASH_BEFORE, STRAY_NONE, false);
}

static void survives_a_death_after_any_call(void **state) /* I-1, I-2, I-3, I-7, I-8 */
{
    (void)state;
    attack_every_call(FAULT_CRASH_AFTER, STRAY_NONE, false);
}

static void resolves_every_lost_request(void **state) /* I-9 */
{
    (void)state;
    attack_every_call(FAULT_LOSE_REQUEST, STRAY_NONE, false);
}

static void resolves_every_lost_reply(void **state) /* I-9 */
{
    (void)state;
    attack_every_call(FAULT_LOSE_REPLY, STRAY_NONE, false);
}

static void handles_the_same_take_again_when_a_call_fails(void **state) /* I-4, I-5 */
{
    (void)state;
    attack_every_call(FAULT_FAIL, STRAY_NONE, true);
}

static void fences_off_a_stray_that_would_end_the_next_transaction(void **state) /* I-1, I-9: E1 */
{
    (void)state;
    attack_every_call(FAULT_HIDDEN_RETRY, STRAY_AFTER_SEND, true);
}

static void fences_off_a_stray_that_would_set_the_offset_back(void **state) /* I-1, I-8: E11 */
{
    (void)state;
    attack_every_call(FAULT_HIDDEN_RETRY, STRAY_BEFORE_OFFSETS, true);
    attack_every_call(FAULT_HIDDEN_RETRY, STRAY_AFTER_OFFSETS, true);
}

static void fences_off_the_stray_of_a_lost_reply(void **state) /* I-1, I-9 */
{
    (void)state;
    attack_every_call(FAULT_LOSE_REPLY, STRAY_AFTER_SEND, true);
    attack_every_call(FAULT_LOSE_REPLY, STRAY_BEFORE_OFFSETS, true);
    attack_every_call(FAULT_LOSE_REPLY, STRAY_AFTER_OFFSETS, true);
}

/* An abort is needed first: a take fails, and then its abort is repeated behind the caller's back.
 */
static void fences_off_the_stray_of_an_abort(void **state) /* I-1, I-9 */
{
    (void)state;
    char *expected = plain_story();
    static const enum broker_stray strays[] = {STRAY_AFTER_SEND, STRAY_BEFORE_OFFSETS,
                                               STRAY_AFTER_OFFSETS};
    static const enum broker_fault_kind kinds[] = {FAULT_HIDDEN_RETRY, FAULT_LOSE_REPLY,
                                                   FAULT_LOSE_REQUEST};
    for (unsigned nth = 1; nth <= 6; nth++) {
        for (int i = 0; i < 9; i++) {
            struct world world;
            world_open(&world);
            broker_fault(world.broker, &(struct broker_fault){.call = CALL_SEND_OFFSETS,
                                                              .nth = nth,
                                                              .kind = FAULT_FAIL,
                                                              .result = TXN_ABORT});
            broker_fault(world.broker, &(struct broker_fault){.call = CALL_ABORT,
                                                              .nth = 1,
                                                              .kind = kinds[i % 3],
                                                              .stray = strays[i / 3]});
            char *picture = story(&world);
            assert_int_equal(broker_faults_left(world.broker), 0);
            assert_string_equal(picture, expected);
            free(picture);
            world_close(&world);
        }
    }
    free(expected);
}

/* The abort is answered, and what was in doubt before it may still be on its way. */
static void fences_off_a_doubt_that_an_abort_has_ended(void **state) /* I-9 */
{
    (void)state;
    char *expected = plain_story();
    struct world world;
    world_open(&world);
    first_half(&world);
    broker_fault(world.broker, &(struct broker_fault){.call = CALL_SEND_OFFSETS,
                                                      .nth = 2,
                                                      .kind = FAULT_FAIL,
                                                      .result = TXN_DOUBT});
    world_settle(&world);
    assert_int_equal(task_counts(world.task)->fences, 1);
    char *picture = rest_of_story(&world);
    assert_string_equal(picture, expected);
    free(picture);
    free(expected);
    world_close(&world);
}

/* ---- a commit that is under way ---- */

static bool one_value(void *context, int columns, const char *const *names,
                      const char *const *values, const int *types)
{
    (void)columns, (void)names, (void)types;
    buffer_add_string(context, values[0] ? values[0] : "NULL");
    return true;
}

/* Steps until the task's commit is under way. */
static void run_into_commit(struct world *world, enum broker_pace pace)
{
    world_open(world);
    broker_set_pace(world->broker, pace);
    first_half(world);
    assert_int_equal(world_start(world), OK);
    for (int i = 0; i < 100 && task_state(world->task) != TASK_COMMIT; i++) {
        struct error error;
        int64_t wake_us;
        (void)world->port->calls->poll(world->port, 0, &error);
        assert_int_equal(task_step(world->task, &wake_us, &error), OK);
    }
    assert_int_equal(task_state(world->task), TASK_COMMIT);
}

/* The rest of the story, for a world that was left with nothing running. */
static void finish_story(struct world *world)
{
    char *expected = plain_story();
    char *picture = rest_of_story(world);
    assert_string_equal(picture, expected);
    free(picture);
    free(expected);
    world_close(world);
}

static void finishes_the_commit_under_way_when_it_is_stopped(void **state) /* I-2, I-8 */
{
    (void)state;
    for (int pace = PACE_EARLY; pace <= PACE_LATE; pace++) {
        struct world world;
        run_into_commit(&world, (enum broker_pace)pace);
        world_stop(&world);
        struct port_offset group;
        assert_true(broker_offsets(world.broker, "tally", "tally.events", 0, &group));
        assert_int_equal(group.offset, 3); /* one take */
        struct buffer out;
        buffer_init(&out);
        struct error error;
        assert_int_equal(store_query(world.state_path, "SELECT sum FROM total WHERE name = 'b'",
                                     one_value, &out, &error),
                         OK);
        assert_string_equal(buffer_string(&out), "10"); /* and its rows are in the file */
        buffer_release(&out);
        finish_story(&world);
    }
}

static void resolves_the_commit_that_a_death_left_under_way(void **state) /* I-1, I-2, I-8 */
{
    (void)state;
    for (int pace = PACE_EARLY; pace <= PACE_LATE; pace++) {
        struct world world;
        run_into_commit(&world, (enum broker_pace)pace);
        world_kill(&world);
        finish_story(&world);
    }
}

/* ---- memory ---- */

/* Rows of 600 KB, and room for one MB of them: the third record of the second take finds its row in
 * the file only, and must not find the one of the first take. */
static void a_take_larger_than_its_memory_adds_up(void **state) /* I-3 */
{
    enum { NAME_BYTES = 300 * 1000 };
    (void)state;
    struct world world;
    world_open(&world);
    char *x = xcalloc(NAME_BYTES + 1, 1), *y = xcalloc(NAME_BYTES + 1, 1);
    memset(x, 'x', NAME_BYTES);
    memset(y, 'y', NAME_BYTES);
    world_add(&world, x, 1);
    world_settle(&world);
    world_add(&world, x, 2);
    world_add(&world, y, 5);
    world_add(&world, x, 4);
    world_settle(&world);
    world_stop(&world);
    struct buffer out;
    buffer_init(&out);
    struct error error;
    assert_int_equal(store_query(world.state_path, "SELECT sum FROM total ORDER BY name", one_value,
                                 &out, &error),
                     OK);
    assert_string_equal(buffer_string(&out), "75");
    buffer_release(&out);
    free(x);
    free(y);
    world_close(&world);
}

/* On the same broker, with a disk of its own. */
static struct world another_process(const struct world *world)
{
    struct world other = *world;
    snprintf(other.state_path, sizeof other.state_path, "%s/other/p0.sqlite", world->directory);
    return other;
}

/* ---- owners ---- */

static void a_second_owner_fences_the_first(void **state) /* I-6 */
{
    (void)state;
    struct world old_world;
    world_open(&old_world);
    first_half(&old_world);
    world_settle(&old_world);

    struct world new_world = another_process(&old_world);
    assert_int_equal(world_start(&new_world), OK);
    assert_int_equal(world_run(&new_world), OK);

    size_t sums = broker_count(old_world.broker, "tally.sums", 0, true);
    world_add(&old_world, "z", 1);
    assert_int_equal(world_run(&old_world), FATAL);
    assert_int_equal(old_world.error.exit_code, EXIT_TRY_AGAIN);
    assert_int_equal(broker_count(old_world.broker, "tally.sums", 0, true), sums);
    assert_int_equal(world_run(&new_world), OK);
    assert_int_equal(broker_count(old_world.broker, "tally.sums", 0, true), sums + 1);
    world_kill(&new_world);
    world_close(&old_world);
}

static void run_into_fence(struct world *world)
{
    for (int i = 0; i < 1000 && task_state(world->task) != TASK_FENCE; i++) {
        struct error error;
        int64_t wake_us;
        (void)world->port->calls->poll(world->port, 0, &error);
        assert_int_equal(task_step(world->task, &wake_us, &error), OK);
        broker_advance(world->broker, 1);
    }
    assert_int_equal(task_state(world->task), TASK_FENCE);
}

/* A commit is certain, but the id must be fenced; before that happens another owner takes over and
 * goes on by one commit. Returns it. */
static struct world fence_after_another_owner(struct world *old_world)
{
    world_open(old_world);
    first_half(old_world);
    world_settle(old_world);
    broker_fault(old_world->broker,
                 &(struct broker_fault){.call = CALL_COMMIT, .nth = 1, .kind = FAULT_HIDDEN_RETRY});
    world_add(old_world, "y", 1);
    run_into_fence(old_world);

    struct world new_world = another_process(old_world);
    world_add(&new_world, "z", 1);
    assert_int_equal(world_start(&new_world), OK);
    assert_int_equal(world_run(&new_world), OK);
    assert_int_equal(task_commit_number(new_world.task), task_commit_number(old_world->task) + 1);
    return new_world;
}

/* The first one's init takes the id back, and it must not believe that nothing happened. */
static void a_fence_does_not_take_back_what_another_owner_went_on_with(void **state) /* I-6, I-8 */
{
    (void)state;
    struct world old_world;
    struct world new_world = fence_after_another_owner(&old_world);
    size_t sums = broker_count(old_world.broker, "tally.sums", 0, true);

    assert_int_equal(world_run(&old_world), FATAL);
    assert_int_equal(old_world.error.exit_code, EXIT_TRY_AGAIN);
    assert_non_null(strstr(old_world.error.text, "another owner went on"));
    assert_int_equal(broker_count(old_world.broker, "tally.sums", 0, true), sums);
    world_kill(&new_world);
    world_close(&old_world);
}

/* Nor when the group's coordinator has lost sight of that owner's commit: the changelog has it. */
static void a_fence_does_not_believe_an_old_answer(void **state) /* I-6, I-8 */
{
    (void)state;
    struct world old_world;
    struct world new_world = fence_after_another_owner(&old_world);
    int64_t number = task_commit_number(old_world.task);
    world_kill(&new_world);

    broker_fault(old_world.broker, &(struct broker_fault){.call = CALL_COMMITTED,
                                                          .nth = 1,
                                                          .kind = FAULT_OLD_ANSWER,
                                                          .ago = 1});
    world_add(&old_world, "z", 2);
    assert_int_equal(world_run(&old_world), OK);
    assert_int_equal(broker_faults_left(old_world.broker), 0);
    assert_int_equal(task_commit_number(old_world.task), number + 2);
    world_stop(&old_world);
    life_expect_same(&old_world);
    world_close(&old_world);
}

/* The init of a fence is asked for again until it is answered; an answer that the id has another
 * owner ends the process. */
static void a_fence_waits_for_its_init_and_obeys_it(void **state) /* I-6, I-9 */
{
    (void)state;
    for (int is_fenced = 0; is_fenced < 2; is_fenced++) {
        struct world world;
        world_open(&world);
        first_half(&world);
        world_settle(&world);
        broker_fault(world.broker, &(struct broker_fault){.call = CALL_COMMIT,
                                                          .nth = 1,
                                                          .kind = FAULT_LOSE_REPLY});
        world_add(&world, "y", 1);
        run_into_fence(&world);
        broker_fault(world.broker,
                     &(struct broker_fault){.call = CALL_INIT,
                                            .nth = 1,
                                            .kind = is_fenced ? FAULT_FAIL : FAULT_LOSE_REQUEST,
                                            .result = TXN_FENCED});
        assert_int_equal(world_run(&world), is_fenced ? FATAL : OK);
        if (is_fenced) {
            assert_int_equal(world.error.exit_code, EXIT_TRY_AGAIN);
        }
        assert_int_equal(broker_faults_left(world.broker), 0);
        world_settle(&world);
        world_stop(&world);
        life_expect_same(&world);
        world_close(&world);
    }
}

/* The same number, and yet another commit: an owner in between made it, and it holds more. */
static void a_doubt_does_not_take_another_owners_commit_for_its_own(void **state) /* I-3, I-9 */
{
    (void)state;
    struct world old_world;
    world_open(&old_world);
    first_half(&old_world);
    world_settle(&old_world);
    broker_fault(old_world.broker,
                 &(struct broker_fault){.call = CALL_COMMIT, .nth = 1, .kind = FAULT_LOSE_REQUEST});
    world_add(&old_world, "y", 1);
    run_into_fence(&old_world);
    struct error error;
    int64_t wake_us;
    assert_int_equal(task_step(old_world.task, &wake_us, &error), OK); /* up to the init */

    struct world new_world = another_process(&old_world);
    world_add(&new_world, "y", 2);
    int64_t number = task_commit_number(old_world.task);
    assert_int_equal(world_start(&new_world), OK);
    assert_int_equal(world_run(&new_world), OK);
    assert_int_equal(task_commit_number(new_world.task), number + 1);
    world_kill(&new_world);

    assert_int_equal(world_run(&old_world), OK);
    assert_int_equal(task_commit_number(old_world.task), number + 1);
    world_stop(&old_world);
    life_expect_same(&old_world);
    world_close(&old_world);
}

/* A coordinator that has not read all of its own log answers with an offset of earlier (README,
 * "When the broker answers with old offsets"). The commit stands all the same: the changelog has
 * it. */
static void an_old_answer_does_not_undo_a_commit(void **state) /* I-1, I-9 */
{
    (void)state;
    struct world world;
    struct port_offset before, after;
    world_open(&world);
    first_half(&world);
    world_settle(&world);
    assert_true(broker_offsets(world.broker, "tally", "tally.events", 0, &before));
    broker_fault(world.broker,
                 &(struct broker_fault){.call = CALL_COMMIT, .nth = 1, .kind = FAULT_LOSE_REPLY});
    world_add(&world, "y", 1);
    run_into_fence(&world);
    assert_true(broker_offsets(world.broker, "tally", "tally.events", 0, &after));
    assert_int_equal(after.offset, before.offset + 1);
    size_t sums = broker_count(world.broker, "tally.sums", 0, true);

    broker_set_offsets(world.broker, "tally", 0, &before, 1);
    assert_int_equal(world_run(&world), FATAL);
    assert_int_equal(world.error.exit_code, EXIT_CONFIG);
    assert_non_null(strstr(world.error.text, "set back"));
    assert_int_equal(broker_count(world.broker, "tally.sums", 0, true), sums);

    broker_set_offsets(world.broker, "tally", 0, &after, 1);
    world_settle(&world);
    life_expect_same(&world);
    world_close(&world);
}

static void time_out(void *context)
{
    broker_time_out(context, "tally.p0");
}

/* The coordinator aborts the open transaction and raises the epoch: fatal for this producer, like a
 * rival's init. */
static void goes_on_after_its_transaction_was_timed_out(void **state) /* I-5, I-6 */
{
    (void)state;
    char *expected = plain_story();
    static const enum broker_call calls[] = {CALL_SEND, CALL_SEND_OFFSETS, CALL_COMMIT};
    for (size_t i = 0; i < 3; i++) {
        struct world world;
        world_open(&world);
        broker_fault(world.broker, &(struct broker_fault){.call = calls[i],
                                                          .nth = 2,
                                                          .kind = FAULT_MEANWHILE,
                                                          .run = time_out,
                                                          .context = world.broker});
        char *picture = story(&world);
        assert_int_equal(broker_faults_left(world.broker), 0);
        assert_string_equal(picture, expected);
        free(picture);
        world_close(&world);
    }
    free(expected);
}

static void move_away(struct world *world)
{
    broker_fault(world->broker, &(struct broker_fault){.call = CALL_SEND_OFFSETS,
                                                       .nth = 2,
                                                       .kind = FAULT_FAIL,
                                                       .result = TXN_MOVED});
}

static void lose_a_commit(struct world *world)
{
    broker_fault(world->broker,
                 &(struct broker_fault){.call = CALL_COMMIT, .nth = 2, .kind = FAULT_LOSE_REQUEST});
}

/* What led to the abort was not fenced; the abort is. */
static void stops_when_it_is_fenced_at_an_abort(void **state) /* I-6 */
{
    (void)state;
    static void (*const leads[])(struct world * world) = {move_away, lose_a_commit};
    char *expected = plain_story();
    for (size_t i = 0; i < 2; i++) {
        struct world world;
        world_open(&world);
        leads[i](&world);
        broker_fault(world.broker, &(struct broker_fault){.call = CALL_ABORT,
                                                          .nth = 1,
                                                          .kind = FAULT_MEANWHILE,
                                                          .run = time_out,
                                                          .context = world.broker});
        char *picture = story(&world);
        assert_int_equal(broker_faults_left(world.broker), 0);
        assert_int_equal(world.starts, 2);
        assert_string_equal(picture, expected);
        free(picture);
        world_close(&world);
    }
    free(expected);
}

/* The id may not be used: it would not be at the next call either. */
static enum txn_result init_is_refused(struct producer *producer, int timeout_ms,
                                       struct error *error)
{
    (void)producer, (void)timeout_ms;
    (void)fail_exit(error, EXIT_CONFIG, "not authorized for the transactional id");
    return TXN_ABORT;
}

static void refuse_init(struct port *port)
{
    static struct port_calls calls;
    calls = *port->calls;
    calls.init = init_is_refused;
    port->calls = &calls;
}

static void ends_when_its_id_is_refused(void **state) /* I-6 */
{
    (void)state;
    static const struct world_watch watch = {.port_opened = refuse_init, .steps = 100};
    struct world world;
    world_open(&world);
    world.watch = &watch;
    assert_int_equal(world_start(&world), OK);
    assert_int_equal(world_run(&world), FATAL);
    assert_int_equal(world.error.exit_code, EXIT_CONFIG);
    assert_non_null(strstr(world.error.text, "not authorized"));
    world_close(&world);
}

/* ---- patience ---- */

/* Twelve in a row; then it is tried every half a minute, and not more often. */
static void tries_a_take_that_keeps_failing_with_patience(void **state) /* I-5 */
{
    enum { FAILURES = 12, LONGEST_MS = 30 * 1000 };
    (void)state;
    struct world world;
    world_open(&world);
    for (int i = 0; i < FAILURES; i++) {
        broker_fault(world.broker, &(struct broker_fault){.call = CALL_COMMIT,
                                                          .nth = 1,
                                                          .kind = FAULT_FAIL,
                                                          .result = TXN_ABORT});
    }
    world_add(&world, "a", 1);
    world_settle(&world);
    while (broker_faults_left(world.broker) > 0) {
        broker_advance(world.broker, LONGEST_MS);
        world_settle(&world);
    }
    assert_int_equal(task_counts(world.task)->aborts, FAILURES);
    broker_advance(world.broker, LONGEST_MS - 5000);
    world_settle(&world);
    assert_int_equal(broker_count(world.broker, "tally.sums", 0, true), 0);
    broker_advance(world.broker, 5000);
    world_settle(&world);
    assert_int_equal(broker_count(world.broker, "tally.sums", 0, true), 1);
    world_close(&world);
}

/* ---- the truth at start ---- */

static void half_done(struct world *world)
{
    world_open(world);
    first_half(world);
    world_settle(world);
    world_stop(world);
}

static void remove_state(struct world *world)
{
    char command[160];
    snprintf(command, sizeof command, "rm -rf %s/tally", world->directory);
    assert_int_equal(system(command), 0);
}

/* From a restore's first read on, longer than any marker is waited for: reads bring nothing. */
static struct outage {
    const struct port_calls *calls;
    struct broker *broker;
    int64_t until_ms; /* 0: it has not begun */
} outage;

static enum outcome read_in_vain(struct reader *reader, int timeout_ms, struct port_record *records,
                                 size_t max, size_t *count, int64_t *position, struct error *error)
{
    if (outage.until_ms == 0) {
        outage.until_ms = broker_now_ms(outage.broker) + 90000;
    }
    if (broker_now_ms(outage.broker) >= outage.until_ms) {
        return outage.calls->read(reader, timeout_ms, records, max, count, position, error);
    }
    broker_advance(outage.broker, timeout_ms);
    *count = 0;
    return OK;
}

static enum outcome ask_in_vain(struct port *port, const char *topic, int32_t partition,
                                int timeout_ms, struct port_log *log, struct error *error)
{
    if (broker_now_ms(outage.broker) >= outage.until_ms) {
        return outage.calls->log(port, topic, partition, timeout_ms, log, error);
    }
    broker_advance(outage.broker, timeout_ms);
    return (fail)(error, RETRY, "nobody answers"); /* not the macro of that name */
}

static void let_it_go_away(struct port *port)
{
    static struct port_calls calls;
    outage.calls = port->calls;
    calls = *port->calls;
    calls.read = read_in_vain;
    calls.log = ask_in_vain;
    port->calls = &calls;
}

static void waits_for_a_broker_that_goes_away_during_a_restore(void **state) /* I-3 */
{
    static const struct world_watch watch = {.port_opened = let_it_go_away, .steps = 20000};
    (void)state;
    struct world world;
    half_done(&world);
    remove_state(&world);
    outage = (struct outage){.broker = world.broker};
    world.watch = &watch;
    assert_int_equal(world_start(&world), OK);
    assert_int_equal(world_run(&world), OK);
    assert_true(outage.until_ms > 0 && broker_now_ms(world.broker) >= outage.until_ms);
    world_stop(&world);
    world_close(&world);
}

static void rebuilds_a_deleted_state_file(void **state) /* I-3 */
{
    (void)state;
    struct world world;
    half_done(&world);
    remove_state(&world);
    finish_story(&world);
}

static void rebuilds_from_a_compacted_changelog(void **state) /* I-3 */
{
    (void)state;
    struct world world;
    half_done(&world);
    remove_state(&world);
    broker_compact(world.broker, "tally.changelog", 0, false);
    finish_story(&world);
}

static void copy_state(struct world *world)
{
    char command[512];
    snprintf(command, sizeof command, "cp -r %s/tally %s/copy", world->directory, world->directory);
    assert_int_equal(system(command), 0);
}

static void put_copy_back(struct world *world)
{
    char command[512];
    snprintf(command, sizeof command, "rm -rf %s/tally && mv %s/copy %s/tally", world->directory,
             world->directory, world->directory);
    assert_int_equal(system(command), 0);
}

/* The process stands still, and compaction goes on. */
static void sleep_for_days(void *context)
{
    struct world *world = context;
    broker_advance(world->broker, 68 * 3600 * 1000);
    broker_compact(world->broker, "tally.changelog", 0, true);
}

static void misses_no_deletion_when_it_sleeps_in_a_restore(void **state) /* I-3, I-7 */
{
    (void)state;
    struct world world;
    world_open(&world);
    world_remind(&world, "a", 5000);
    world_add(&world, "a", 1);
    world_settle(&world);
    world_stop(&world);
    copy_state(&world);
    assert_int_equal(world_start(&world), OK);
    broker_advance(world.broker, 6000);
    assert_int_equal(world_run(&world), OK);
    assert_int_equal(task_counts(world.task)->timers, 1);
    world_stop(&world);
    put_copy_back(&world); /* which has the timer still */
    broker_fault(world.broker, &(struct broker_fault){.call = CALL_READ,
                                                      .nth = 1,
                                                      .kind = FAULT_MEANWHILE,
                                                      .run = sleep_for_days,
                                                      .context = &world});
    assert_int_equal(world_start(&world), OK);
    broker_advance(world.broker, 6000);
    assert_int_equal(world_run(&world), OK);
    assert_int_equal(task_counts(world.task)->timers, 0);
    world_stop(&world);
    life_expect_same(&world);
    world_close(&world);
}

static void replays_the_tail_onto_an_old_copy(void **state) /* I-3 */
{
    (void)state;
    struct world world;
    world_open(&world);
    world_remind(&world, "a", 60000);
    world_add(&world, "a", 1);
    world_settle(&world);
    world_stop(&world);
    copy_state(&world);
    world_add(&world, "b", 10);
    for (int i = 2; i <= 4; i++) {
        world_add(&world, "a", i);
        world_add(&world, "b", 10 * i);
    }
    world_add(&world, "a", -5);
    world_garbage(&world, "c");
    world_add(&world, "c", 0);
    world_settle(&world);
    world_stop(&world);
    put_copy_back(&world);
    finish_story(&world);
}

static void adopts_the_last_checkpoint_when_the_offsets_expired(void **state) /* I-8 */
{
    (void)state;
    struct world world;
    half_done(&world);
    broker_forget_offsets(world.broker, "tally");
    finish_story(&world);
}

static void adopts_without_a_state_file_too(void **state) /* I-3, I-8 */
{
    (void)state;
    struct world world;
    half_done(&world);
    broker_forget_offsets(world.broker, "tally");
    remove_state(&world);
    finish_story(&world);
}

/* Starts, and expects that it refuses: 78, a text that says this, and nothing changed. */
static void expect_refusal(struct world *world, const char *text)
{
    world_add(world, "z", 1);
    size_t sums = broker_count(world->broker, "tally.sums", 0, false);
    assert_int_equal(world_start(world), OK);
    assert_int_equal(world_run(world), FATAL);
    assert_int_equal(world->error.exit_code, EXIT_CONFIG);
    if (!strstr(world->error.text, text)) {
        fail_msg("'%s' is not in: %s", text, world->error.text);
    }
    assert_int_equal(broker_count(world->broker, "tally.sums", 0, false), sums);
    world_close(world);
}

static void refuses_offsets_that_someone_else_set(void **state) /* I-8 */
{
    (void)state;
    struct world world;
    half_done(&world);
    struct port_offset back = {.topic = "tally.events", .offset = 3};
    broker_set_offsets(world.broker, "tally", 0, &back, 1);
    expect_refusal(&world, "was not set by weir");
}

/* Sets the group's offset, and metadata that a task could have written for it. */
static void set_like_weir(struct world *world, int64_t offset, int64_t numbers_on)
{
    struct port_offset set;
    char incarnation[INCARNATION_BYTES];
    int64_t number;
    assert_true(broker_offsets(world->broker, "tally", "tally.events", 0, &set));
    assert_true(metadata_read(set.metadata, set.offset, &number, incarnation));
    set.offset = offset;
    metadata_write(number + numbers_on, incarnation, offset, set.metadata);
    broker_set_offsets(world->broker, "tally", 0, &set, 1);
}

static void refuses_an_offset_changed_under_its_metadata(void **state) /* I-8 */
{
    (void)state;
    struct world world;
    half_done(&world);
    struct port_offset back;
    assert_true(broker_offsets(world.broker, "tally", "tally.events", 0, &back));
    back.offset -= 2;
    broker_set_offsets(world.broker, "tally", 0, &back, 1);
    expect_refusal(&world, "was not set by weir");
}

static void refuses_offsets_set_back_with_their_metadata(void **state) /* I-8 */
{
    (void)state;
    struct world world;
    half_done(&world);
    set_like_weir(&world, 3, -2);
    expect_refusal(&world, "set back");
}

/* File and offsets agree: both are old. Only the changelog knows. */
static void refuses_offsets_set_back_together_with_the_file(void **state) /* I-8 */
{
    (void)state;
    struct world world;
    half_done(&world);
    world_stop(&world);
    struct port_offset old;
    assert_true(broker_offsets(world.broker, "tally", "tally.events", 0, &old));
    copy_state(&world);
    world_add(&world, "a", 1);
    world_settle(&world);
    world_stop(&world);
    put_copy_back(&world);
    broker_set_offsets(world.broker, "tally", 0, &old, 1);
    expect_refusal(&world, "set back");
}

static void refuses_an_offset_that_the_checkpoint_contradicts(void **state) /* I-3, I-8 */
{
    (void)state;
    struct world world;
    half_done(&world);
    set_like_weir(&world, 9, 0);
    remove_state(&world);
    expect_refusal(&world, "by the changelog");
}

/* ---- time ---- */

static void a_record_comes_and_time_goes_by(void *context)
{
    struct world *world = context;
    broker_advance(world->broker, 500);
    world_add(world, "b", 5);
    broker_advance(world->broker, 10000);
}

/* One reminder is due, another falls due after a record that comes while the tick begins. */
static char *story_of_two_reminders(bool begins_slowly)
{
    struct world world;
    world_open(&world);
    world_remind(&world, "a", 60000);
    world_remind(&world, "b", 69000); /* between the two ends of what goes by */
    world_settle(&world);
    broker_advance(world.broker, 61000);
    if (begins_slowly) {
        broker_fault(world.broker, &(struct broker_fault){.call = CALL_BEGIN,
                                                          .nth = 1,
                                                          .kind = FAULT_MEANWHILE,
                                                          .run = a_record_comes_and_time_goes_by,
                                                          .context = &world});
    } else {
        a_record_comes_and_time_goes_by(&world);
    }
    world_settle(&world);
    assert_int_equal(broker_faults_left(world.broker), 0);
    world_stop(&world);
    char *picture = world_picture(&world);
    world_close(&world);
    return picture;
}

static void a_tick_that_begins_slowly_overtakes_no_record(void **state)
{
    (void)state;
    char *expected = story_of_two_reminders(false), *found = story_of_two_reminders(true);
    assert_string_equal(found, expected);
    free(expected);
    free(found);
}

static void refuses_an_offset_beyond_the_input(void **state) /* I-8 */
{
    (void)state;
    struct world world;
    half_done(&world);
    set_like_weir(&world, 1000, 0);
    expect_refusal(&world, "which ends at");
}

static void refuses_an_input_cut_off_below_the_offset(void **state) /* I-8 */
{
    (void)state;
    struct world world;
    half_done(&world);
    for (int i = 0; i < 5; i++) {
        world_add(&world, "z", 1);
    }
    broker_truncate(world.broker, "tally.events", 0, 15);
    expect_refusal(&world, "offsets of input are gone");
}

static void refuses_an_emptied_changelog(void **state) /* I-3 */
{
    (void)state;
    struct world world;
    half_done(&world);
    broker_recreate_topic(world.broker, "tally.changelog");
    expect_refusal(&world, "is empty");
    half_done(&world);
    int64_t end = broker_log(world.broker, "tally.changelog", 0).high;
    broker_truncate(world.broker, "tally.changelog", 0, end);
    expect_refusal(&world, "is empty");
}

static void refuses_a_state_file_without_its_cluster(void **state) /* I-3 */
{
    (void)state;
    struct world world;
    half_done(&world);
    broker_recreate_topic(world.broker, "tally.changelog");
    broker_forget_offsets(world.broker, "tally");
    expect_refusal(&world, "the state file holds commit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(does_the_work_and_says_so_everywhere),
        cmocka_unit_test(survives_a_death_before_any_call),
        cmocka_unit_test(survives_a_death_after_any_call),
        cmocka_unit_test(resolves_every_lost_request),
        cmocka_unit_test(resolves_every_lost_reply),
        cmocka_unit_test(handles_the_same_take_again_when_a_call_fails),
        cmocka_unit_test(fences_off_a_stray_that_would_end_the_next_transaction),
        cmocka_unit_test(fences_off_a_stray_that_would_set_the_offset_back),
        cmocka_unit_test(fences_off_the_stray_of_a_lost_reply),
        cmocka_unit_test(fences_off_the_stray_of_an_abort),
        cmocka_unit_test(fences_off_a_doubt_that_an_abort_has_ended),
        cmocka_unit_test(finishes_the_commit_under_way_when_it_is_stopped),
        cmocka_unit_test(resolves_the_commit_that_a_death_left_under_way),
        cmocka_unit_test(a_take_larger_than_its_memory_adds_up),
        cmocka_unit_test(a_second_owner_fences_the_first),
        cmocka_unit_test(a_fence_does_not_take_back_what_another_owner_went_on_with),
        cmocka_unit_test(a_fence_does_not_believe_an_old_answer),
        cmocka_unit_test(a_fence_waits_for_its_init_and_obeys_it),
        cmocka_unit_test(a_doubt_does_not_take_another_owners_commit_for_its_own),
        cmocka_unit_test(an_old_answer_does_not_undo_a_commit),
        cmocka_unit_test(goes_on_after_its_transaction_was_timed_out),
        cmocka_unit_test(stops_when_it_is_fenced_at_an_abort),
        cmocka_unit_test(ends_when_its_id_is_refused),
        cmocka_unit_test(tries_a_take_that_keeps_failing_with_patience),
        cmocka_unit_test(waits_for_a_broker_that_goes_away_during_a_restore),
        cmocka_unit_test(rebuilds_a_deleted_state_file),
        cmocka_unit_test(rebuilds_from_a_compacted_changelog),
        cmocka_unit_test(misses_no_deletion_when_it_sleeps_in_a_restore),
        cmocka_unit_test(replays_the_tail_onto_an_old_copy),
        cmocka_unit_test(adopts_the_last_checkpoint_when_the_offsets_expired),
        cmocka_unit_test(adopts_without_a_state_file_too),
        cmocka_unit_test(refuses_offsets_that_someone_else_set),
        cmocka_unit_test(refuses_an_offset_changed_under_its_metadata),
        cmocka_unit_test(refuses_offsets_set_back_with_their_metadata),
        cmocka_unit_test(refuses_offsets_set_back_together_with_the_file),
        cmocka_unit_test(refuses_an_offset_that_the_checkpoint_contradicts),
        cmocka_unit_test(refuses_an_offset_beyond_the_input),
        cmocka_unit_test(a_tick_that_begins_slowly_overtakes_no_record),
        cmocka_unit_test(refuses_an_input_cut_off_below_the_offset),
        cmocka_unit_test(refuses_an_emptied_changelog),
        cmocka_unit_test(refuses_a_state_file_without_its_cluster),
    };
    return cmocka_run_group_tests_name("protocol", tests, NULL, NULL);
}
