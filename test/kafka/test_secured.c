/* test_secured.c - a broker with TLS and passwords: weir's work on it, and what weir says when it
 * is not let in.
 */
#include "kafka/stock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

#include <cmocka.h>

enum { PATIENCE_MS = 60000, SOON_MS = 15000 };

/* The settings that open the door; certificate NULL: whatever the machine trusts. */
static struct run run_with(struct system *system, const char *protocol, const char *password,
                           const char *certificate)
{
    struct arena *arena = &system->arena;
    return (struct run){
        .bootstrap = system_secured(),
        .wait_ms = 3000,
        .settings = {arena_format(arena, "librdkafka.security.protocol=%s", protocol),
                     "librdkafka.sasl.mechanism=PLAIN", "librdkafka.sasl.username=weir",
                     arena_format(arena, "librdkafka.sasl.password=%s", password),
                     "take.max_records=1",
                     certificate ? arena_format(arena, "librdkafka.ssl.ca.location=%s", certificate)
                                 : NULL},
    };
}

static void works_with_tls_and_a_password(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    stock_begin(system, &marks);
    stock_feed_all(system, 0);
    struct run run = run_with(system, "sasl_ssl", "of water", system_certificate());
    run.kill_at = "endtxn_sent:3"; /* so that the next one has something to take over */
    process_expect_end(system, system_run(system, &run), -9, PATIENCE_MS);
    run.kill_at = NULL;
    struct process *process = system_run(system, &run);
    stock_expect_as_undisturbed(
        system, stock_finish(system, &marks, process, "a", STOCK_LOOSE, PATIENCE_MS), 1);
    assert_false(process_said(process, "of water"));
}

static void expect_kept_out(struct system *system, const struct run *run, const char *because,
                            const char *remedy)
{
    struct process *process = system_run(system, run);
    process_expect_end(system, process, EXIT_UNAVAILABLE, SOON_MS);
    process_expect_said(system, process, because, 0);
    process_expect_said(system, process, remedy, 0);
}

static void says_that_the_password_is_wrong(void **state)
{
    struct system *system = *state;
    struct run run = run_with(system, "sasl_ssl", "of wine", system_certificate());
    expect_kept_out(system, &run, "Invalid username or password",
                    "look at the librdkafka.* settings");
}

static void says_that_the_certificate_is_not_trusted(void **state)
{
    struct system *system = *state;
    /* The machine's own authorities do not know it. */
    struct run run = run_with(system, "sasl_ssl", "of water", NULL);
    expect_kept_out(system, &run, "certificate verify failed", "look at the librdkafka.* settings");
}

static void says_that_the_protocol_may_be_wrong(void **state)
{
    struct system *system = *state;
    struct run run = run_with(system, "plaintext", "of water", system_certificate());
    expect_kept_out(system, &run, "no broker at 127.0.0.1:",
                    "are bootstrap.servers and librdkafka.security.protocol right?");
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest cases[] = {
        system_case(works_with_tls_and_a_password),
        system_case(says_that_the_password_is_wrong),
        system_case(says_that_the_certificate_is_not_trusted),
        system_case(says_that_the_protocol_may_be_wrong),
    };
    return system_main("test_secured", cases, argc, argv);
}
