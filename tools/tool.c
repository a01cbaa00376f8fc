/* tool.c - what the subcommands share. */
#include "tool.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/conf.h"
#include "processors.h"
#include "shop.h"

volatile bool tool_interrupted;

int tool_fail(const char *command, enum outcome outcome, const struct error *error)
{
    fprintf(stderr, "weir %s: %s\n", command, error->text);
    bool is_broker = outcome == RETRY && error->exit_code != EXIT_TRY_AGAIN;
    return is_broker ? EXIT_UNAVAILABLE : error->exit_code;
}

const struct weir_processor *tool_processor(const char *command, const char *name)
{
    for (size_t i = 0; processors[i]; i++) {
        if (strcmp(processors[i]->name, name) == 0) {
            return processors[i];
        }
    }
    fprintf(stderr, "weir %s: there is no processor '%s'; there are:", command, name);
    for (size_t i = 0; processors[i]; i++) {
        fprintf(stderr, " %s", processors[i]->name);
    }
    fprintf(stderr, "\n");
    return NULL;
}

const struct weir_topic *tool_topic(const char *command, const char *name)
{
    const char *names[128] = {NULL};
    for (size_t i = 0; shop_topics[i] && i < 127; i++) {
        if (strcmp(shop_topics[i]->name, name) == 0) {
            return shop_topics[i];
        }
        names[i] = shop_topics[i]->name;
    }
    const char *nearest = conf_nearest(name, names);
    fprintf(stderr, "weir %s: topics.conf has no topic '%s'", command, name);
    if (nearest) {
        fprintf(stderr, "; did you mean '%s'?\n", nearest);
    } else {
        fprintf(stderr, "; it has:");
        for (size_t i = 0; names[i]; i++) {
            fprintf(stderr, " %s", names[i]);
        }
        fprintf(stderr, "\n");
    }
    return NULL;
}

enum outcome tool_settings(const struct tool_place *place, const struct weir_processor *processor,
                           struct settings *settings, struct error *error)
{
    char path[4096], servers[1024], state[4096], properties[OPTION_LIST_MAX][1024];
    const char *extra[OPTION_LIST_MAX + 3] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < place->properties.count; i++) {
        snprintf(properties[i], sizeof properties[i], "librdkafka.%s", place->properties.items[i]);
        extra[count++] = properties[i];
    }
    if (place->bootstrap_servers) {
        snprintf(servers, sizeof servers, "bootstrap.servers = %s", place->bootstrap_servers);
        extra[count++] = servers;
    }
    if (place->state_dir) {
        snprintf(state, sizeof state, "state.dir = %s", place->state_dir);
        extra[count++] = state;
    }
    snprintf(path, sizeof path, "%s/%s.conf", place->config_dir ? place->config_dir : "config",
             processor->name);
    return settings_load(settings, processor, path, extra, error);
}

enum outcome tool_admin(const struct tool_place *place, struct admin **admin, struct error *error)
{
    struct settings settings;
    enum outcome outcome = tool_settings(place, processors[0], &settings, error);
    if (outcome == OK) {
        outcome = admin_open(admin, settings.bootstrap_servers, settings.properties,
                             settings.property_count, error);
    }
    if (outcome == OK) {
        outcome = admin_wait_for_broker(*admin, 5000, error);
        if (outcome != OK) {
            admin_close(*admin);
            *admin = NULL;
        }
    }
    settings_release(&settings);
    return outcome;
}

char *tool_state_path(const struct settings *settings, int32_t partition)
{
    size_t size = strlen(settings->state_dir) + strlen(settings->application_id) + 32;
    char *path = xmalloc(size);
    snprintf(path, size, "%s/%s/p%d.sqlite", settings->state_dir, settings->application_id,
             (int)partition);
    return path;
}

const char *tool_time(int64_t ms, char *text)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t used = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + used, 32 - used, ".%03dZ", (int)(ms % 1000));
    return text;
}

int64_t tool_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void on_signal(int number)
{
    (void)number;
    tool_interrupted = true;
}

void tool_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}
