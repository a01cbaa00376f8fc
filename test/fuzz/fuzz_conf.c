/* fuzz_conf.c - libFuzzer: any text as a processor's configuration file, and any other as the
 * common.conf beside it. It is taken, with every number inside its bounds, or refused with the
 * file's name, and with the line's where a line is wrong.
 *
 * What stands in front of the first line "---" is common.conf.
 */
#include "fuzz.h"

#include "processors.h"
#include "runtime/settings.h"

struct text {
    const uint8_t *data;
    size_t size;
    char path[100];
};

static void write_file(struct text *text, const char *name)
{
    snprintf(text->path, sizeof text->path, "%s/%s", fuzz_directory(), name);
    fuzz_write_file(text->path, text->data, text->size);
}

static int lines_of(const struct text *text)
{
    int lines = 1;
    for (size_t i = 0; i < text->size; i++) {
        lines += text->data[i] == '\n';
    }
    return lines;
}

/* Said of the file as a whole: it is no text, or two of its settings contradict each other. */
static bool is_of_the_file(const char *why)
{
    return strstr(why, "not a text file") || strstr(why, "is more than half of") ||
           strstr(why, "must be");
}

static bool names(const char *message, const struct text *text)
{
    size_t length = strlen(text->path);
    if (strncmp(message, text->path, length) != 0 || message[length] != ':') {
        return false;
    }
    int line = atoi(message + length + 1);
    CHECK((line >= 1 && line <= lines_of(text)) || is_of_the_file(message + length));
    return true;
}

static void check_values(const struct settings *settings, const struct weir_processor *processor)
{
    struct buffer out = {0};
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->settings[i]; i++) {
        int64_t value = settings_value(settings, processor, processor->settings[i]);
        CHECK(value >= processor->settings[i]->min && value <= processor->settings[i]->max);
    }
    CHECK(settings->commit_pause_ms >= 2 && settings->commit_pause_ms <= 60000);
    CHECK(settings->take_max_records >= 1 && settings->take_max_bytes >= 1024);
    CHECK(settings->application_id[0] && strlen(settings->application_id) <= 100);
    CHECK(!strchr(settings->application_id, '/'));
    settings_print(settings, processor, &out);
    buffer_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct settings settings;
    struct error error;
    const uint8_t *parting = memmem(data, size, "---\n", 4);
    size_t common_size = parting ? (size_t)(parting - data) : 0;
    struct text common = {data, common_size, ""};
    struct text own = {parting ? parting + 4 : data, size - common_size - (parting ? 4 : 0), ""};
    write_file(&common, "common.conf");
    write_file(&own, "order.conf");
    enum outcome outcome = settings_load(&settings, &order_processor, own.path, NULL, &error);
    if (outcome == OK) {
        check_values(&settings, &order_processor);
    } else {
        CHECK(outcome == FATAL && error.exit_code == EXIT_CONFIG);
        CHECK(names(error.text, &own) || names(error.text, &common));
    }
    settings_release(&settings);
    return 0;
}
