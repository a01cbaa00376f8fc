/* test_disk_faults.c - every call that SQLite makes of its VFS fails once, and for good: a task
 * goes on to the same end, or ends with a clear error and its next start gets there.
 *
 * The story makes some hundred calls. By default every so many-th of them is tried, other ones for
 * each way of failing, so that each is met by some way; with WEIR_EVERY_SITE=1 by all.
 */
#include "protocol/faulty_disk.h"
#include "protocol/life.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SITES_TRIED = 200, STEPS = 300 };

static const struct world_watch watch = {.steps = STEPS};

static char *story(long call, enum disk_trouble trouble, bool for_good, struct life *life)
{
    *life = (struct life){.mend = faulty_disk_mend,
                          .watch = &watch,
                          .start = world_start,
                          .run = world_run,
                          .stop = world_stop};
    faulty_disk_arm(call, trouble, for_good);
    return life_story(life);
}

static void tells_the_same_story_when_a_call_fails(enum disk_trouble trouble, bool for_good,
                                                   long first)
{
    struct life life;
    char *expected = story(0, trouble, false, &life);
    long calls = faulty_disk_calls(), tried = 0;
    int ended = 0, stuck = 0;
    assert_int_equal(life.ended + life.stuck, 0);
    long stride = getenv("WEIR_EVERY_SITE") ? 1 : calls / SITES_TRIED + 1;
    for (long call = 1 + first % stride; call <= calls; call += stride) {
        char *picture = story(call, trouble, for_good, &life);
        const char *name = faulty_disk_failed();
        assert_non_null(name);
        if (strcmp(picture, expected) != 0) {
            fail_msg("call %ld (%s), trouble %d, for good %d:\n--- expected\n%s--- found\n%s", call,
                     name, (int)trouble, (int)for_good, expected, picture);
        }
        free(picture);
        tried++;
        ended += life.ended;
        stuck += life.stuck;
    }
    print_message("             %ld of %ld calls; %d processes ended, %d waited\n", tried, calls,
                  ended, stuck);
    free(expected);
}

static void an_io_error_at_any_call_changes_nothing(void **state)
{
    (void)state;
    tells_the_same_story_when_a_call_fails(TROUBLE_IO, false, 0);
}

static void io_errors_from_any_call_on_change_nothing(void **state)
{
    (void)state;
    tells_the_same_story_when_a_call_fails(TROUBLE_IO, true, 1);
}

static void no_room_no_lock_or_no_memory_at_any_call_changes_nothing(void **state)
{
    (void)state;
    tells_the_same_story_when_a_call_fails(TROUBLE_OTHER, false, 2);
}

static void no_room_no_lock_or_no_memory_from_any_call_on_changes_nothing(void **state)
{
    (void)state;
    tells_the_same_story_when_a_call_fails(TROUBLE_OTHER, true, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_io_error_at_any_call_changes_nothing),
        cmocka_unit_test(io_errors_from_any_call_on_change_nothing),
        cmocka_unit_test(no_room_no_lock_or_no_memory_at_any_call_changes_nothing),
        cmocka_unit_test(no_room_no_lock_or_no_memory_from_any_call_on_changes_nothing),
    };
    faulty_disk_register();
    return cmocka_run_group_tests_name("disk faults", tests, NULL, NULL);
}
