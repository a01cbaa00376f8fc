/* wrap.c - linked into `weir` instead of nothing: its broker ports write to a file of their process
 * in the directory WEIR_PORT_TRACE, when that is set.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kafka/client.h"
#include "trace/port.h"

enum outcome __real_client_open(struct port **port, const struct client_options *options,
                                struct error *error);
void __real_client_close(struct port *port);
enum outcome __wrap_client_open(struct port **port, const struct client_options *options,
                                struct error *error);
void __wrap_client_close(struct port *port);

static int out = -1;

static void open_file(struct port *port, const char *directory)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%" PRId64 "-%d.trace", directory,
             port->calls->monotonic_us(port), (int)getpid());
    out = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    CHECK(out >= 0);
}

enum outcome __wrap_client_open(struct port **port, const struct client_options *options,
                                struct error *error)
{
    const char *directory = getenv("WEIR_PORT_TRACE");
    enum outcome outcome = __real_client_open(port, options, error);
    if (outcome == OK && directory) {
        if (out < 0) {
            open_file(*port, directory);
        }
        *port = trace_port(*port, options->application_id, out);
    }
    return outcome;
}

void __wrap_client_close(struct port *port)
{
    __real_client_close(port && getenv("WEIR_PORT_TRACE") ? trace_unwrap(port) : port);
}
