/* test_base.c - the small things that everything stands on: logs, arenas, buffers, hashes, errors.
 */
#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- logs ---- */

static int saved_stderr, captured;

static void capture(void)
{
    char path[] = "/tmp/weir-log-XXXXXX";
    saved_stderr = dup(STDERR_FILENO);
    captured = mkstemp(path);
    unlink(path);
    dup2(captured, STDERR_FILENO);
}

/* What was logged since capture(). */
static const char *release(char *text, size_t size)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    ssize_t length = pread(captured, text, size - 1, 0);
    close(captured);
    text[length > 0 ? length : 0] = 0;
    return text;
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; *text; text++) {
        lines += *text == '\n';
    }
    return lines;
}

static void writes_an_event_as_one_line(void **state)
{
    (void)state;
    char text[4096];
    capture();
    log_set_name("inventory.p0");
    log_event(LOG_INFO, "committed", "commit=%d because=\"%s\"", 17, "two\nlines\tand a bell\a");
    release(text, sizeof text);
    assert_int_equal(count_lines(text), 1);
    assert_non_null(
        strstr(text, "Z info inventory.p0 committed commit=17 because=\"two lines and a bell \""));
}

static void cuts_a_line_that_is_too_long(void **state)
{
    (void)state;
    char text[8192], long_value[5000];
    memset(long_value, 'x', sizeof long_value - 1);
    long_value[sizeof long_value - 1] = 0;
    capture();
    log_event(LOG_INFO, "long", "value=%s", long_value);
    release(text, sizeof text);
    assert_int_equal(count_lines(text), 1);
    assert_true(strlen(text) <= 2048);
}

static void holds_back_a_flood_and_counts_it(void **state)
{
    (void)state;
    char text[65536];
    unsigned long before = log_alarms();
    capture();
    for (int i = 0; i < 1000; i++) {
        log_event(LOG_WARN, "flood", "i=%d", i);
    }
    log_event(LOG_WARN, "another", "i=0");
    release(text, sizeof text);
    assert_int_equal(count_lines(text), 11);
    assert_int_equal(log_alarms() - before, 1001);
}

static void says_nothing_below_its_level(void **state)
{
    (void)state;
    char text[256];
    capture();
    log_event(LOG_DEBUG, "detail", "i=0");
    assert_int_equal(strlen(release(text, sizeof text)), 0);
}

/* ---- memory ---- */

static void arena_memory_is_zeroed_again_after_a_reset(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    for (int round = 0; round < 3; round++) {
        for (size_t size = 1; size < 100000; size *= 3) {
            unsigned char *memory = arena_alloc(&arena, size);
            assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
            for (size_t i = 0; i < size; i++) {
                assert_int_equal(memory[i], 0);
            }
            memset(memory, 0xAA, size);
        }
        arena_reset(&arena);
    }
    arena_release(&arena);
}

static void buffer_keeps_what_it_was_given(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer);
    for (int i = 0; i < 1000; i++) {
        buffer_format(&buffer, "%d,", i);
    }
    buffer_add_byte(&buffer, 'x');
    const char *text = buffer_string(&buffer);
    assert_int_equal(strlen(text), buffer.size);
    assert_memory_equal(text, "0,1,2,3,", 8);
    assert_string_equal(text + buffer.size - 5, "999,x");
    buffer_release(&buffer);
}

/* ---- hashes and errors ---- */

/* The digest of a checkpoint is compared across machines and versions: these values are for ever.
 */
static void hash_has_a_fixed_definition(void **state)
{
    (void)state;
    assert_true(hash_bytes(0, "", 0) != hash_bytes(1, "", 0));
    assert_true(hash_bytes(0, "abcdefgh", 8) != hash_bytes(0, "abcdefgi", 8));
    assert_true(hash_bytes(0, "a\0", 2) != hash_bytes(0, "a", 1));
    assert_true(hash_bytes(0, "inventory", 9) == UINT64_C(0xC27BC8B3351880A9));
}

static void an_error_keeps_its_prefix_and_its_end(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(fail_exit(&error, EXIT_IO, "disk full"), FATAL);
    error_prefix(&error, "%s: line %d", "a.conf", 3);
    assert_string_equal(error.text, "a.conf: line 3: disk full");
    assert_int_equal(error.exit_code, EXIT_IO);
    for (int i = 0; i < 200; i++) {
        error_prefix(&error, "a long prefix number %d", i);
    }
    assert_true(strlen(error.text) < sizeof error.text);
}

static void a_failed_check_ends_the_process_as_a_bug(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDERR_FILENO);
        CHECK_EQUAL(1 + 1, 3);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXIT_BUG);
}

/* ---- broken promises ---- */

static void break_a_promise(int which)
{
    const char *text = which == 0 ? "" : "x";
    if (which == 0) {
        CHECK(text[0] != 0);
    }
    CHECK_EQUAL(strlen(text), 2);
}

/* It ends there and then, and says where and how. */
static void a_broken_promise_ends_the_process(void **state)
{
    (void)state;
    static const char *const said[] = {"bug: CHECK(text[0] != 0) failed at ", ": 1 is not 2"};
    for (int i = 0; i < 2; i++) {
        char text[400] = "";
        int status = 0, ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            dup2(ends[1], STDERR_FILENO);
            break_a_promise(i);
            _exit(0);
        }
        close(ends[1]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(read(ends[0], text, sizeof text - 1) > 0);
        close(ends[0]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), EXIT_BUG);
        assert_non_null(strstr(text, said[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broken_promise_ends_the_process),
        cmocka_unit_test(writes_an_event_as_one_line),
        cmocka_unit_test(cuts_a_line_that_is_too_long),
        cmocka_unit_test(holds_back_a_flood_and_counts_it),
        cmocka_unit_test(says_nothing_below_its_level),
        cmocka_unit_test(arena_memory_is_zeroed_again_after_a_reset),
        cmocka_unit_test(buffer_keeps_what_it_was_given),
        cmocka_unit_test(hash_has_a_fixed_definition),
        cmocka_unit_test(an_error_keeps_its_prefix_and_its_end),
        cmocka_unit_test(a_failed_check_ends_the_process_as_a_bug),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
