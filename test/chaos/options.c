/* options.c - reads the command line; every option has one argument. */
#include "chaos/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processors.h"

static bool find_api(const char *name, enum api *api)
{
    for (int i = 0; i < APIS; i++) {
        if (strcmp(apis[i].name, name) == 0) {
            *api = (enum api)i;
            return true;
        }
    }
    return false;
}

/* "kill", "late:endtxn", "kill=40", "late:endtxn=3"; takes the text apart. */
static bool read_fault(struct options *options, char *name)
{
    char *weight = strchr(name, '='), *api = strchr(name, ':');
    int kind = 0;
    if (weight) {
        *weight++ = 0;
    }
    if (api) {
        *api++ = 0;
    }
    while (kind < KINDS && strcmp(kinds[kind].name, name) != 0) {
        kind++;
    }
    if (kind == KINDS || (api && !find_api(api, &options->only_api[kind]))) {
        fprintf(stderr, "chaos: there is no fault '%s%s%s'; there are:", name, api ? ":" : "",
                api ? api : "");
        for (kind = 0; kind < KINDS; kind++) {
            fprintf(stderr, " %s", kinds[kind].name);
        }
        fprintf(stderr, "\n(late, duplicate, drop-reply and cut also with :endtxn, "
                        ":offsetcommit, :addoffsets, :addpartitions, :produce)\n");
        return false;
    }
    options->wanted[kind] = true;
    options->weight[kind] = weight ? (unsigned)strtoul(weight, NULL, 10) : 0;
    if (weight && options->weight[kind] == 0) {
        fprintf(stderr, "chaos: %s=%s: a weight is a number above 0\n", name, weight);
        return false;
    }
    return true;
}

static bool read_faults(struct options *options, const char *text)
{
    char list[500], *rest = NULL;
    snprintf(list, sizeof list, "%s", text);
    for (char *name = strtok_r(list, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        if (!read_fault(options, name)) {
            return false;
        }
    }
    return true;
}

static bool read_processors(struct options *options, const char *text)
{
    char list[200], *rest = NULL;
    snprintf(list, sizeof list, "%s", text);
    for (char *name = strtok_r(list, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        int i = 0;
        while (i < PROCESSORS && strcmp(processors[i]->name, name) != 0) {
            i++;
        }
        if (i == PROCESSORS) {
            fprintf(stderr, "chaos: there is no processor '%s'\n", name);
            return false;
        }
        options->struck[i] = true;
    }
    return true;
}

static bool read_mode(struct options *options, const char *text)
{
    static const char *const names[] = {"fixed", "members", "mixed"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(names[i], text) == 0) {
            options->mode = (enum mode)i;
            return true;
        }
    }
    return false;
}

static bool read_one(struct options *options, const char *name, const char *value)
{
    struct {
        const char *name, **text;
    } texts[] = {
        {"--dir", &options->directory}, {"--weir", &options->weir},
        {"--kafka", &options->kafka},   {"--faketime", &options->faketime},
        {"--commit", &options->commit}, {"--kafka-version", &options->kafka_version},
        {"--record", &options->record}, {"--json", &options->json},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp(texts[i].name, name) == 0) {
            *texts[i].text = value[0] ? value : NULL;
            return true;
        }
    }
    if (strcmp(name, "--minutes") == 0) {
        options->minutes = strtod(value, NULL);
    } else if (strcmp(name, "--seed") == 0) {
        options->seed = strtoull(value, NULL, 10);
    } else if (strcmp(name, "--port") == 0) {
        options->port = (int)strtol(value, NULL, 10);
    } else if (strcmp(name, "--rate") == 0) {
        options->rate = strtod(value, NULL);
    } else if (strcmp(name, "--gap") == 0) {
        options->gap_ms = (int)strtol(value, NULL, 10);
    } else if (strcmp(name, "--spell") == 0) {
        options->spell_s = (int)strtol(value, NULL, 10);
    } else if (strcmp(name, "--faults") == 0) {
        return read_faults(options, value);
    } else if (strcmp(name, "--processors") == 0) {
        return read_processors(options, value);
    } else if (strcmp(name, "--mode") == 0) {
        return read_mode(options, value);
    } else {
        fprintf(stderr, "chaos: no option %s\n", name);
        return false;
    }
    return true;
}

/* What nobody named is everything. */
static void fill_in(struct options *options)
{
    bool any_fault = false, any_processor = false;
    for (int i = 0; i < KINDS; i++) {
        any_fault = any_fault || options->wanted[i];
    }
    for (int i = 0; i < PROCESSORS; i++) {
        any_processor = any_processor || options->struck[i];
    }
    for (int i = 0; i < KINDS && !any_fault; i++) {
        options->wanted[i] = kinds[i].weight > 0;
    }
    for (int i = 0; i < PROCESSORS && !any_processor; i++) {
        options->struck[i] = true;
    }
}

bool options_parse(struct options *options, int argc, char **argv)
{
    *options = (struct options){
        .minutes = 2, .seed = 1, .rate = 40, .gap_ms = 900, .spell_s = 60, .port = 19692};
    for (int i = 0; i < KINDS; i++) {
        options->only_api[i] = ANY_API;
    }
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 >= argc || !read_one(options, argv[i], argv[i + 1])) {
            return false;
        }
    }
    fill_in(options);
    if (!options->directory || !options->weir || !options->kafka || options->minutes <= 0 ||
        options->gap_ms < 50 || options->spell_s < 10 || options->rate <= 0) {
        fprintf(stderr, "chaos: started by scripts/chaos: see its --help\n");
        return false;
    }
    return true;
}
