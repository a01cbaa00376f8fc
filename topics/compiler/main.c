/* main.c - schemac: .avsc files in, one C header and one C source out.
 *
 *     schemac --name shop --out build/generated --topics topics/topics.conf FILE.avsc...
 *
 * A build-time tool. It stops at the first thing it refuses, with the file, the field and the rule;
 * it writes nothing then. The same input gives the same output, byte for byte, whatever the order
 * of the files.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "emit.h"
#include "rules.h"
#include "topics_conf.h"

struct options {
    const char *name, *out, *topics;
    char **paths;
    size_t path_count;
};

static const char usage[] =
    "usage: schemac --name NAME --out DIR [--topics topics.conf] FILE.avsc...\n"
    "\n"
    "Writes DIR/NAME.h and DIR/NAME.c: structs, layouts and typed calls for the records.\n";

/* false on a command line that makes no sense. Options come before files. */
static bool parse_options(int argc, char **argv, struct options *options)
{
    int i = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        const char **value = strcmp(argv[i], "--name") == 0     ? &options->name
                             : strcmp(argv[i], "--out") == 0    ? &options->out
                             : strcmp(argv[i], "--topics") == 0 ? &options->topics
                                                                : NULL;
        if (value == NULL) {
            return false;
        }
        *value = argv[i + 1];
    }
    options->paths = argv + i;
    options->path_count = (size_t)(argc - i);
    return options->name != NULL && is_lower_name(options->name) && options->out != NULL &&
           i < argc;
}

static enum outcome write_file(const struct options *options, const char *extension,
                               const struct buffer *content, struct error *error)
{
    char path[4096];
    int length = snprintf(path, sizeof(path), "%s/%s.%s", options->out, options->name, extension);
    if (length < 0 || (size_t)length >= sizeof(path)) {
        return fail_exit(error, EXIT_USAGE, "--out %s: too long", options->out);
    }
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        return fail_exit(error, EXIT_IO, "%s: %s", path, strerror(errno));
    }
    bool written = fwrite(content->data, 1, content->size, file) == content->size;
    written = fclose(file) == 0 && written;
    return written ? OK : fail_exit(error, EXIT_IO, "%s: %s", path, strerror(errno));
}

/* The names that belong to the unit as a whole. */
static enum outcome claim_unit(struct model *model, struct error *error)
{
    static const char *const lists[] = {"records", "stores", "topics"};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        const char *name = arena_format(&model->arena, "%s_%s", model->unit, lists[i]);
        if (names_claim(&model->names, &model->arena, ORDINARY, name, "the list of all of them",
                        error) != OK) {
            return FATAL;
        }
    }
    static const char *const arrays[] = {"boolean", "int", "long", "string", "bytes"};
    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
        const char *name = arena_format(&model->arena, "%s_%s_array", model->unit, arrays[i]);
        if (names_claim(&model->names, &model->arena, TAG, name, "an array of that type", error) !=
            OK) {
            return FATAL;
        }
    }
    return OK;
}

static enum outcome compile(struct model *model, const struct options *options, struct error *error)
{
    if (claim_unit(model, error) != OK ||
        model_load(model, options->paths, options->path_count, error) != OK) {
        return FATAL;
    }
    if (options->topics != NULL) {
        model->has_topics = true;
        if (topics_conf_read(model, options->topics, error) != OK ||
            rules_check_topics(model, error) != OK) {
            return FATAL;
        }
    }
    struct buffer header, source;
    buffer_init(&header);
    buffer_init(&source);
    emit_header(model, &header);
    emit_source(model, &source);
    enum outcome outcome = write_file(options, "h", &header, error);
    if (outcome == OK) {
        outcome = write_file(options, "c", &source, error);
    }
    buffer_release(&header);
    buffer_release(&source);
    return outcome;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    if (!parse_options(argc, argv, &options)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    struct model model;
    struct error error = {.exit_code = EXIT_DATA};
    model_init(&model, options.name);
    enum outcome outcome = compile(&model, &options, &error);
    model_release(&model);
    if (outcome != OK) {
        fprintf(stderr, "schemac: %s\n", error.text);
        return error.exit_code;
    }
    return EXIT_DONE;
}
